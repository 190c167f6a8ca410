# The list of mutants, and where they are. The first file is the list (see there), the others are sources.
#
#   awk -f mutate.awk list source...                           name, file, first line, last line, test, reason: tabs between
#   awk -v name=N -v first=F -v last=L -f mutate.awk list source     the source with the mutant in it

function wrong(about, what)
{
    print about ": " what > "/dev/stderr"
    errors++
}

# Formatting is no part of the text: a line that was moved, indented anew or broken elsewhere is still found.
function key(text)
{
    gsub(/[ \t]+/, "", text)
    return text
}

function parse(text,    word, rest)
{
    word = substr(text, 1, 1)
    rest = substr(text, 3)
    if (text ~ /^[ \t]*$/ || word == "#") {
        return
    }
    if (names > 0 && text ~ /^[-+ ] /) {
        old[names] = old[names] (word == "+" ? "" : key(rest))
        new[names] = new[names] (word == "-" ? "" : rest "\n")
        return
    }
    word = text
    sub(/ .*/, "", word)
    rest = substr(text, length(word) + 2)
    if (word == "mutant") {
        if (rest !~ /^[a-z0-9]+(-[a-z0-9]+)*$/ || (rest in known)) {
            wrong(list ":" FNR, "not a name, or one that is here twice: " rest)
        }
        known[rest]
        mutant[++names] = rest
    } else if (word == "test" && rest != "") {
        test[names] = rest
    } else if (word == "survives" && rest != "") {
        reason[names] = rest
    } else {
        wrong(list ":" FNR, "not understood: " text)
    }
}

# Sets from and to, lines of all that was read; returns how often it is there. A line that it begins with is found by
# name: to go through all lines for each of hundreds of mutants takes a minute on a busy machine.
function find(wanted,    n, i, j, text, hits)
{
    hits = 0
    for (n = 1; n <= length(wanted); n++) {
        text = substr(wanted, 1, n)
        for (i = text in newest ? newest[text] : 0; i > 0; i = former[i]) {
            text = ""
            for (j = i; j <= lines && file[j] == file[i] && length(text) < length(wanted); j++) {
                text = text line[j]
            }
            if (text == wanted) {
                hits++
                from = i
                to = j - 1
            }
        }
    }
    return hits
}

function plan(    i, hits)
{
    for (i = 1; i <= names; i++) {
        hits = find(old[i])
        if (old[i] == "" || old[i] == key(new[i])) {
            wrong(mutant[i], "changes nothing")
        } else if (hits != 1) {
            wrong(mutant[i], "its original is in the sources " hits " times, not once")
        } else {
            print mutant[i] "\t" file[from] "\t" number[from] "\t" number[to] "\t" \
                (i in test ? test[i] : "-") "\t" (i in reason ? reason[i] : "-")
        }
    }
}

BEGIN {
    list = ARGV[1]
    lines = names = errors = 0
}

FILENAME == list {
    parse($0)
    next
}

name == "" {
    line[++lines] = key($0)
    former[lines] = line[lines] in newest ? newest[line[lines]] : 0
    newest[line[lines]] = lines
    file[lines] = FILENAME
    number[lines] = FNR
    next
}

FNR == first {
    for (i = 1; i <= names; i++) {
        printf "%s", mutant[i] == name ? new[i] : ""
    }
}

FNR < first || FNR > last

END {
    if (name == "") {
        plan()
    }
    exit errors > 0 ? 2 : 0
}
