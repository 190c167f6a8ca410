# popgate in bash: verbs and options as `popgate --help` has them, services as popgated has them now.
_popgate()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} usage verb= line offered i
    local -a socket=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --socket) socket=(--socket "${COMP_WORDS[++i]}") ;;
        -*) ;;
        *) verb=${COMP_WORDS[i]}; break ;;
        esac
    done
    COMPREPLY=()
    usage=$(popgate --help)
    if [[ $before == --socket ]]; then
        compopt -o filenames 2> /dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
    fi
    [[ $before == --* && $usage == *"$before "[A-Z]* ]] && return # its value
    if [[ -z $verb ]]; then
        offered="$(sed -n 's/^  \([a-z]*\).*/\1/p' <<< "$usage") --socket --json --help --version"
    else
        line=$(grep "^  $verb " <<< "$usage")
        offered=$(grep -o -- '--[a-z]*' <<< "$line")
        [[ $line == *SERVICE* ]] && offered+=" $(popgate "${socket[@]}" --json status 2> /dev/null |
            grep -o '"name":"[^"]*","target"' | cut -d '"' -f 4)"
    fi
    mapfile -t COMPREPLY < <(compgen -W "$offered" -- "$word")
}
complete -F _popgate popgate
