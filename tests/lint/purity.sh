#!/bin/sh
# What is pure compiles without a loop, an HTTP server or client, or systemd in sight, whatever its
# headers include in turn. Called with the compiler and its flags; asks the preprocessor (cc -M).
pure='
base/*
birdctl/command.* birdctl/reply.*
dns/*.[ch]
dns/responder/zone*.[ch] dns/responder/snapshot.h dns/responder/query.* dns/responder/respond.* dns/responder/cookie.* dns/responder/rrl.*
dns/responder/counters.* dns/responder/publish.*
probes/verdict.* probes/conf.* probes/finding.* probes/received.* probes/http_match.* probes/jwt.* probes/oauth.*
probes/certificate.* probes/clock.h probes/address_message.* probes/token_options.* probes/dns_query.* probes/judge.* probes/tls_peer.* probes/tls_bounds.*
controller/config/*
controller/core/*
controller/api/status*.[ch] controller/api/request.*
controller/daemon/log.*
controller/cli/show*.[ch] controller/cli/lines.* controller/cli/reading.h controller/cli/options.* controller/cli/check.*
tests/sim/*
'
impure='/(uv|microhttpd|curl/[a-z]+|systemd/[a-z-]+)\.h$'
# Files that see one of them still. The list only shrinks: a file that is clean must leave it.
exceptions='
'
set -eu
cd "$(dirname "$0")/../.."
wrong=0

# How a header gets into a file, from the tree that cc -H prints: `. a.h`, `.. b.h`, ...
way() {
    file=$1
    shift
    "$@" -E -H -x c "$file" 2>&1 >/dev/null | IMPURE=$impure awk '
        /^\.+ / {
            depth = length($1)
            path[depth] = $2
            if ($2 ~ ENVIRON["IMPURE"]) {
                for (i = 1; i < depth; i++) way = way path[i] " > "
                print way $2
                exit
            }
        }'
}

needed=
for file in $pure; do
    if [ ! -e "$file" ]; then
        echo "tests/lint/purity.sh: there is no $file"
        wrong=1
        continue
    fi
    all=$("$@" -M -x c "$file")
    echo "$all" | tr -s ' \\' '\n\n' | grep -qE "$impure" || continue
    case " $(echo $exceptions) " in
    *" $file "*) needed="$needed $file" ;;
    *)
        echo "$file:1: is pure, but sees $(way "$file" "$@")"
        wrong=1
        ;;
    esac
done
for file in $exceptions; do
    case " $needed " in
    *" $file "*) ;;
    *)
        echo "tests/lint/purity.sh: the exception $file is needed no more: take it out"
        wrong=1
        ;;
    esac
done
exit $wrong
