# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for bluegreen(1): verbs, options, and the apps that the agent knows.

# What bluegreen prints with these arguments, from the agent whose socket the command line names. Nothing if it is not
# reachable.
_bluegreen_ask() {
    local i words=(bluegreen "$@")
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == --socket && -n ${COMP_WORDS[i + 1]} ]]; then
            words+=(--socket "${COMP_WORDS[i + 1]}")
        fi
    done
    "${words[@]}" 2>/dev/null
}

_bluegreen_apps() {
    _bluegreen_ask status --names
}

_bluegreen() {
    local verbs='check reload deploy stage test switch rollback abort drain finish attach rehearse release lock unlock wait status history diff doctor schema feed stop start remove exec logs connections top version help'
    local options='--json --socket --force --yes --force-past-contract --wait --canary --sticky --lose --group --message --timeout --limit --names --follow --since --until --verb --release --failed --incidents --no-incidents --verbose --no-test --stop-after --root --no-color --help --version'
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb='' app='' arguments=0 i
    COMPREPLY=()

    case $before in
    --socket)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    -n | --limit | --since | --until | --release | --canary | --lose | --group | -m | --message | --timeout)
        return
        ;;
    --verb)
        mapfile -t COMPREPLY < <(compgen -W "$verbs served failover" -- "$word")
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
        --socket | --limit | --since | --until | --verb | --release | --canary | --lose | --stop-after | -n | --group | -m | --message | --timeout) ((i++)) ;;
        -*) ;;
        *)
            if [[ -z $verb ]]; then
                verb=${COMP_WORDS[i]}
            else
                app=${app:-${COMP_WORDS[i]}}
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
    deploy | stage)
        case $arguments in
        0) mapfile -t COMPREPLY < <(compgen -W "$(_bluegreen_apps)" -- "$word") ;;
        1) mapfile -t COMPREPLY < <(compgen -W "$(_bluegreen_ask release "$app" list --names)" -- "$word") ;;
        esac
        ;;
    release)
        case $arguments in
        0) mapfile -t COMPREPLY < <(compgen -W "$(_bluegreen_apps)" -- "$word") ;;
        1) mapfile -t COMPREPLY < <(compgen -W 'list fetch prune' -- "$word") ;;
        esac
        ;;
    schema)
        case $arguments in
        0) mapfile -t COMPREPLY < <(compgen -W "$(_bluegreen_apps)" -- "$word") ;;
        1) mapfile -t COMPREPLY < <(compgen -W 'status expand check contract revert' -- "$word") ;;
        esac
        ;;
    feed)
        case $arguments in
        0) mapfile -t COMPREPLY < <(compgen -W "$(_bluegreen_apps)" -- "$word") ;;
        1) mapfile -t COMPREPLY < <(compgen -W 'status pause resume seed diff skip apply verify' -- "$word") ;;
        esac
        ;;
    wait)
        case $arguments in
        0) mapfile -t COMPREPLY < <(compgen -W "$(_bluegreen_apps)" -- "$word") ;;
        1) mapfile -t COMPREPLY < <(compgen -W 'idle live healthy standby drained baked stopped empty' -- "$word") ;;
        esac
        ;;
    exec | logs | connections)
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
