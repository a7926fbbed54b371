#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent is killed wherever a group's switch or rollback commits something, as tests/world/kills*.sh do for one app:
# afterwards both apps are at one release, clients noticed nothing and the history knows which it was. And where the host
# goes down at the same moment, so that there is only the journal to say what was live, it does not know half a move.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/group_lib.sh
. "$ROOT/tests/drivers/group_lib.sh"
# shellcheck source=tests/drivers/die_at_lib.sh
. "$ROOT/tests/drivers/die_at_lib.sh"

idle() { # both at the same release, with a standby that is well, and nothing runs
    bg status --json | jq -e '[.apps[] | .operation == null and ([.zones[].verdict] == ["healthy", "healthy"])
        and ([.zones[].state] | sort) == ["live", "standby"]] | all' >/dev/null
}

# --- the operations ----------------------------------------------------------------------------------------

# OLD is live in both; NEW is staged.
switch_prepare() {
    wait_for 10 idle
    OLD=$(seen)
    OLD=${OLD% *}
    [ "$OLD" = v1 ] && NEW=v2 || NEW=v1
    stage_all "$NEW"
}

rollback_prepare() {
    switch_prepare
    bg switch --group shop >/dev/null
    wait_for 10 idle
    local was=$OLD
    OLD=$NEW NEW=$was
}

# --- one kill ------------------------------------------------------------------------------------------------

# Everything goes but the disk.
host_goes_down() {
    local pids
    pids=$(pgrep -f 'bluegreen-zone (web|domain)[.]' || :)
    # shellcheck disable=SC2086 # a list
    [ -z "$pids" ] || kill -9 $pids
    nft flush ruleset
    conntrack -F >/dev/null 2>&1 || :
}

same() {
    [ "$(seen)" = "$OLD $OLD" ] || [ "$(seen)" = "$NEW $NEW" ]
}

check() { # WHAT
    local app live
    wait_for 10 same || fail "$1: web and domain serve $(seen)"
    live=$(seen)
    live=${live% *}
    for app in web domain; do
        expect_eq "$live" "$(of "$app" '.zones[.live].release')" "$1: status of $app"
        # A record that did not become whole leaves nothing that began, or one that did and was undone.
        if [ "$live" = "$NEW" ]; then
            expect_eq "true $NEW" "$(last_of "$app" "$VERB" '"\(.done) \(.release)"')" "$1: history of $app"
        elif [ "$(last_of "$app" "$VERB" .sequence)" != "${SEQUENCE[$app]}" ]; then
            expect_eq false "$(last_of "$app" "$VERB" '.done | tostring' | tr -d '"')" "$1: history of $app"
        fi
    done
    ! grep -E 'this is a bug|AddressSanitizer|runtime error|journal is damaged' "$WORLD/agent.log" || fail "$1: a bug"
}

declare -A SEQUENCE

kill_at() { # NUMBER PHASE DOWN
    local app what
    "${VERB}_prepare"
    for app in web domain; do
        SEQUENCE[$app]=$(last_of "$app" "$VERB" '.sequence // 0')
    done
    arm "$1" "$2"
    bg "$VERB" --group shop >/dev/null 2>&1 || :
    wait_for 4 dead 2>/dev/null || { disarm; fail "$VERB, point $1 $2: it never came; $(tr '\n' ';' <"$DIE_AT_LOG")"; }
    what="$VERB killed at point $1, $2 ($(tail -n 1 "$DIE_AT_LOG"))"
    disarm
    wait "$AGENT" 2>/dev/null || :
    if [ "$3" = down ]; then
        host_goes_down
    else
        same || fail "$what: before a new agent came, web and domain served $(seen)"
    fi
    mortal_start
    check "$what${3:+, with the host}"
    KILLS=$((KILLS + 1))
    # What is left is good for the next one. What a reboot took that was only staged has failed.
    [ "$(seen)" = "$NEW $NEW" ] || { stage_all "$NEW" && bg switch --group shop >/dev/null; }
}

kill_everywhere() { # PHASE [down]; ONLY=REGEX: at points of this kind
    local number phase phases points
    KILLS=0
    AGENT_START=mortal_start
    ready_group
    stage_all v2
    bg switch --group shop >/dev/null
    "${VERB}_prepare"
    arm 0 none
    bg "$VERB" --group shop >/dev/null
    wait_for 10 idle
    mapfile -t points <"$DIE_AT_LOG"
    disarm
    printf '  %s\n' "${points[@]}" | cut -c 1-110
    expect_eq 1 "$(grep -c '^nft' <<<"$(printf '%s\n' "${points[@]}")")" "transactions"
    expect_eq 1 "$(grep -c 'journal group .*phase=moved members=\(web:[a-z]*,domain:[a-z]*\|domain:[a-z]*,web:[a-z]*\)$' \
        <<<"$(printf '%s\n' "${points[@]}")")" "records of the move"
    for number in "${!points[@]}"; do
        [[ ${points[number]} =~ ${ONLY:-.} ]] || continue
        phases=$1
        [[ ${points[number]} != journal\ group* ]] || phases='before torn written synced'
        [ "${points[number]}" != nft ] || phases='before synced'
        for phase in $phases; do
            kill_at $((number + 1)) "$phase" "${2:-}"
        done
    done
    echo "$VERB: killed $KILLS times"
}

test_switch() {
    VERB=switch
    kill_everywhere synced
}

# Behind the move it is the same as a switch.
test_rollback() {
    VERB=rollback ONLY='group|nft'
    kill_everywhere synced
}

test_switch_when_the_host_goes_down() {
    VERB=switch ONLY='group|nft|live'
    kill_everywhere synced down
}

# The transaction took place, no record says so, and whoever finds that out dies of it, with the host.
test_a_recovery_that_is_killed_as_well() {
    local times app
    VERB=switch AGENT_START=mortal_start
    ready_group
    stage_all v2
    bg switch --group shop >/dev/null
    for ((times = 1; times <= 4; times++)); do
        switch_prepare
        for app in web domain; do
            SEQUENCE[$app]=$(last_of "$app" switch '.sequence // 0')
        done
        arm 1 synced nft
        bg switch --group shop >/dev/null 2>&1 || :
        wait_for 4 dead
        wait "$AGENT" 2>/dev/null || :
        arm "$times" synced journal
        mortal_start 2>/dev/null || :
        wait_for 4 dead
        wait "$AGENT" 2>/dev/null || :
        disarm
        host_goes_down
        mortal_start
        check "killed behind the transaction, and again behind record $times of recovery"
    done
}

run_tests "$@"
