#!/bin/sh
# tests/each.sh notices what fails, and what is ended from outside: a `make check` that can't fail is worth nothing.
set -u
cd "$(dirname "$0")/../.." || exit 1

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
program() { printf '#!/bin/sh\n%s\n' "$2" > "$dir/$1" && chmod +x "$dir/$1"; }
program good 'echo "[  PASSED  ] 1 test(s)."'
program bad 'echo "[  PASSED  ] 1 test(s)."; echo "[  FAILED  ] t"; exit 3'
program killed 'kill -9 $PPID' # and with it who would have noted how it ended

wrong=0
expect() { # the exit status, a text of what is said, programs
    said=$(tests/each.sh 1 "$dir/$3" "$dir/$4" 2>&1)
    if [ $? != "$1" ] || ! echo "$said" | grep -qF "$2"; then
        printf 'tests/each.sh of "%s" and "%s" said, and not that %s:\n%s\n' "$3" "$4" "$2" "$said"
        wrong=1
    fi
}
expect 0 'PASSED' good good
expect 1 '== 1 of 2 programs of tests failed: bad' bad good
expect 1 '== 1 of 2 programs of tests failed: bad' good bad
expect 1 'not every program was run to its end' killed good
exit $wrong
