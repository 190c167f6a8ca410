#!/bin/sh
# each.sh JOBS PROGRAM...: runs programs of tests, JOBS of them at once; what one writes goes to PROGRAM.log.
# Who fails stops nobody else, and has its log printed at once. The end is a list of all that failed, with what each
# said was wrong: of a long log an end is all that some places keep.
set -u
jobs=$1
shift
failed=$(mktemp) || exit 1
trap 'rm -f "$failed"' EXIT
trap 'exit 1' INT TERM HUP

# cmocka's errors, which may have several lines; the lab's; the sanitizers'; assert()'s. Else its last words.
complaints() {
    awk '/^ERROR: |\[  ERROR   \]/ {within = 1}
         within || /\[  FAILED  \]|^lab: |Sanitizer: |runtime error: |Assertion .* failed/
         /\[   LINE   \]/ {within = 0}' "$1" | head -n 40 | grep . || tail -n 5 "$1"
}

broken=
printf '%s\n' "$@" | failed=$failed xargs -P "$jobs" -I@ sh -c '
    began=$(date +%s)
    @ > @.log 2>&1
    status=$?
    took="$(($(date +%s) - began)) s"
    if [ "$status" = 0 ]; then
        echo "== ${0##*/}: $took"
        grep -hE "PASSED|^skipped: " @.log || true
    else
        cat @.log
        echo "== ${0##*/} FAILED: $took"
        echo "$status @" >> "$failed"
    fi' @ || broken="each.sh: not every program was run to its end"
[ -s "$failed" ] || [ -n "$broken" ] || exit 0
echo
while read -r status program; do
    echo "== ${program##*/} FAILED (exit status $status); all of it is in $program.log"
    complaints "$program.log"
done < "$failed"
echo "== $(wc -l < "$failed") of $# programs of tests failed: $(sed 's|.*/||' "$failed" | sort | tr '\n' ' ')"
[ -z "$broken" ] || echo "== $broken"
exit 1
