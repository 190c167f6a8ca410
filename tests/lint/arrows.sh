#!/bin/sh
# Which room may use which: read from the includes, told as `file:line: who may not use what`. The
# arrows point one way, so that a room is understood from those below it alone, and what is pure
# stays so. The reasons: docs/design.md, "Layout".
#
# A room may use itself and what its row names: rooms, or single headers of a room. Subfolders are
# rooms of their own. Tests may use everything, nothing may use tests.
rooms='
base
birdctl            base
dns                base
dns/responder      base dns
probes             base dns
controller/config  base dns dns/responder probes/conf.h
controller/core    base controller/config birdctl/reply.h birdctl/command.h probes/conf.h probes/verdict.h
controller/api     base controller/config controller/core dns/responder/counters.h
controller/daemon  base birdctl dns dns/responder probes controller/config controller/core controller/api
controller/cli     base
'
# Arrows that still point the wrong way, as `file header`. The list only shrinks: a line that is
# needed no more is a mistake too.
exceptions='
'
set -eu
cd "$(dirname "$0")/../.."

find . \( -path ./build -o -path ./tests -o -path ./.git \) -prune -o -name '*.[ch]' -print | sort |
    sed 's|^\./||' | ROOMS=$rooms EXCEPTIONS=$exceptions awk '
function room_of(path) {
    return match(path, /\/[^\/]*$/) ? substr(path, 1, RSTART - 1) : ""
}
function complain(text) {
    print text
    wrong = 1
}
function look(file, line, header,    room, other, allowed) {
    room = room_of(file)
    other = room_of(header)
    if (other == room || (room, other) in may || (room, header) in may) return
    if ((file, header) in excepted) {
        needed[file, header] = 1
        return
    }
    if (other == "") other = header ", which names no room"
    else if (!(other in uses)) other = other "/, which is no room"
    else if (index(uses[room], other "/")) other = header # some of that room, but not this
    else other = other "/"
    allowed = uses[room] == "" ? "itself only" : uses[room]
    sub(/.*\//, "", room)
    complain(file ":" line ": " file " may not use " other " (room " room " uses: " allowed ")")
}
function read_file(file,    line, text) {
    if (!(room_of(file) in uses)) {
        complain(file ":1: stands in no room (tests/lint/arrows.sh has the table of rooms)")
        return
    }
    while ((getline text < file) > 0) {
        line++
        if (match(text, /^[ \t]*#[ \t]*include[ \t]*["<]/)) {
            quoted = text ~ /include[ \t]*"/
            text = substr(text, RSTART + RLENGTH)
            sub(/[">].*/, "", text)
            split(text, parts, "/")
            if (quoted || parts[1] in top) look(file, line, text)
        }
    }
    close(file)
}
BEGIN {
    count = split(ENVIRON["ROOMS"], rows, "\n")
    for (i = 1; i <= count; i++) {
        fields = split(rows[i], field, " ")
        if (fields == 0) continue
        uses[field[1]] = ""
        split(field[1], parts, "/")
        top[parts[1]] = 1
        for (j = 2; j <= fields; j++) {
            may[field[1], field[j]] = 1
            uses[field[1]] = uses[field[1]] (j > 2 ? " " : "") field[j]
        }
    }
    count = split(ENVIRON["EXCEPTIONS"], rows, "\n")
    for (i = 1; i <= count; i++)
        if (split(rows[i], field, " ") == 2) excepted[field[1], field[2]] = 1
}
{ read_file($0); files++ }
END {
    for (pair in excepted)
        if (!(pair in needed)) {
            split(pair, field, SUBSEP)
            complain("tests/lint/arrows.sh: the exception " field[1] " -> " field[2] \
                " is needed no more: take it out")
        }
    if (files == 0) complain("tests/lint/arrows.sh: found no files to look at")
    exit wrong
}'
