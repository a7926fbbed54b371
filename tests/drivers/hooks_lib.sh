# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154 # hooks have dollars of their own; WORLD is the harness's
# Hooks of a test: scripts that note that they ran, and what became of them. Sourced behind lib.sh.

# What the hooks write, in the zone and on the host: one line for each, with the place it ran in.
NOTES=$WORLD/notes

# hook_script NAME [LINE...]: the script that a hook runs; without LINEs it only notes that it ran.
hook_script() {
    local path=$WORLD/srv/hooks/$1
    shift
    mkdir -p "$WORLD/srv/hooks"
    {
        printf '#!/bin/bash\necho "$BLUEGREEN_HOOK $(hostname)" >>%s/log\n' "$NOTES"
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } >"$path"
    chmod 755 "$path"
}

# ready_hooks [LINE...]: app web, release v1 live, and then the LINEs in its configuration.
ready_hooks() {
    install -d -m 777 "$NOTES"
    hook_script plain
    # shellcheck disable=SC2119
    ready_web
    bg deploy web v1 >/dev/null
    configure "$@"
}

# LINEs before the first section belong to [health].
configure() {
    local line health=() rest=()
    for line in "$@"; do
        if [ ${#rest[@]} -gt 0 ] || [[ $line == '['* ]]; then rest+=("$line"); else health+=("$line"); fi
    done
    web_conf web 80 "${health[@]}" '[files]' "write = $NOTES" "read = $WORLD/srv/hooks" "${rest[@]}"
}

HOOK() {
    echo "$1 = ${3:-}$WORLD/srv/hooks/$2"
}

notes() {
    cut -d' ' -f1 "$NOTES/log" 2>/dev/null | tr '\n' ' ' | sed 's/ $//'
}

noted() {
    [ "$(notes)" = "$1" ]
}

# Processes of hooks that sleep longer than any test lasts.
sleepers() {
    pgrep -c -f '^sleep 4[0-9][0-9][0-9]$' || :
}
no_sleepers() {
    [ "$(sleepers)" = 0 ]
}
some_sleepers() {
    [ "$(sleepers)" -ge "$1" ]
}

ALL='pre_start test pre_switch post_switch pre_rollback post_rollback on_failure on_rollback on_failover'

all_hooks() {
    local hook
    printf '%s\n' '[failover]' 'auto = yes' '[hooks]'
    for hook in $ALL; do HOOK "$hook" "${1:-plain}" "${2:-}"; done
}

answers_and_settled() {
    answers "$1" && status_of '.operation == null' >/dev/null
}
