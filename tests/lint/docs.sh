#!/bin/sh
# What the pages for whoever works on the house name is there: each file, and in the tables of docs/hacking.md each function
# in one of the files of its row. Capitals (NAME) stand for something else.
set -eu
cd "$(dirname "$0")/../.."

wrong=0
for page in README.md docs/hacking.md docs/design.md docs/bird-facts.md; do
    for path in $(tr -c 'A-Za-z0-9_./\n-' ' ' < "$page" | tr ' ' '\n' | sed 's/[.]$//' |
        grep -E '^(base|birdctl|dns|probes|controller|tests|docs|etc|systemd)/.*[.](c|h|sh|awk|md|conf|service|[158])$' | sort -u); do
        case $path in *[A-Z]*) continue ;; esac
        if [ ! -e "$path" ]; then
            echo "$page: there is no $path"
            wrong=1
        fi
    done
done

# | what happens | `function`, `function` | dir/file.c, file.c |
awk -F'|' '/^\|.*`.*`.*\.[ch] *\|$/ {
    gsub(/ /, "", $4)
    files = split($4, file, ",")
    dir = ""
    list = ""
    for (i = 1; i <= files; i++) {
        if (file[i] ~ /\//) { dir = file[i]; sub(/[^\/]*$/, "", dir) } else file[i] = dir file[i]
        list = list " " file[i]
    }
    for (; match($3, /`[a-z0-9_]+`/); $3 = substr($3, RSTART + RLENGTH)) print substr($3, RSTART + 1, RLENGTH - 2) list
}' docs/hacking.md | {
    wrong=0
    while read -r name files; do
        # shellcheck disable=SC2086 # the files are words
        if ! grep -qE "\b$name\(" $files; then
            echo "docs/hacking.md: $name() is not in $files"
            wrong=1
        fi
    done
    exit $wrong
} || wrong=1

version=$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
newest=$(sed -n 's/^## //p' CHANGELOG.md | head -1)
if [ "$newest" != "$version" ]; then
    echo "CHANGELOG.md begins with $newest, debian/changelog with $version"
    wrong=1
fi
exit $wrong
