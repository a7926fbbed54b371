# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for bluegreen(1): verbs, options, and the apps that the agent knows.

# The apps' names, from the agent whose socket the command line names. Nothing if it is not reachable.
_bluegreen_apps() {
    local i words=(bluegreen status --names)
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == --socket && -n ${COMP_WORDS[i + 1]} ]]; then
            words+=(--socket "${COMP_WORDS[i + 1]}")
        fi
    done
    "${words[@]}" 2>/dev/null
}

_bluegreen() {
    local verbs='check reload deploy stage test switch rollback abort drain finish attach rehearse status history stop start remove exec logs top version help'
    local options='--json --socket --force --limit --names --follow --since --no-test --stop-after --root --no-color --help --version'
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb='' arguments=0 i
    COMPREPLY=()

    case $before in
    --socket)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    -n | --limit | --since)
        return
        ;;
    --stop-after)
        mapfile -t COMPREPLY < <(compgen -W 'health test' -- "$word")
        return
        ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
        return
    fi

    # What stands behind "--" is the command of exec.
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then
            mapfile -t COMPREPLY < <(compgen -c -- "$word")
            return
        fi
    done

    # The verb is the first word that is no option nor an option's value; arguments are the ones after it.
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --socket | --limit | --since | --stop-after | -n) ((i++)) ;;
        -*) ;;
        *)
            if [[ -z $verb ]]; then
                verb=${COMP_WORDS[i]}
            else
                ((arguments++))
            fi
            ;;
        esac
    done

    case $verb in
    '')
        mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$word")
        ;;
    check)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ;;
    help)
        [[ $arguments -gt 0 ]] || mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$word")
        ;;
    reload | version) ;;
    exec | logs)
        case $arguments in
        0) mapfile -t COMPREPLY < <(compgen -W "$(_bluegreen_apps)" -- "$word") ;;
        1) mapfile -t COMPREPLY < <(compgen -W 'blue green' -- "$word") ;;
        esac
        ;;
    *)
        [[ $arguments -gt 0 ]] || mapfile -t COMPREPLY < <(compgen -W "$(_bluegreen_apps)" -- "$word")
        ;;
    esac
}

complete -F _bluegreen bluegreen
