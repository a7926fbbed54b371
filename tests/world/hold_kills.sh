#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent is killed in the middle of a hold, at every point where it commits something and while it waits: a new one
# finds who waits for what, and no client is failed, no zone stays plugged and no two releases ever run at once.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/hold_lib.sh
. "$ROOT/tests/drivers/hold_lib.sh"
# shellcheck source=tests/drivers/die_at_lib.sh
. "$ROOT/tests/drivers/die_at_lib.sh"

journal_live() {
    sed -n "s/.* live app=web zone=//p" "$WORLD/state/journal" | tail -n 1
}

settled() {
    bg status web --json | jq -e '.operation == null and .live != null and .zones[.live].state == "live"
        and ([.zones[].state] - ["live", "resting", "failed", "absent"] == [])' >/dev/null
}

# What clients get is what status, kernel and journal have live, and nobody waits for anything.
check() { # WHAT
    local live number
    wait_for 12 settled || fail "$1: $(bg status web --json)"
    live=$(status_of .live)
    expect_eq "$live" "$(live_in_kernel web)" "$1: the kernel"
    expect_eq "$live" "$(journal_live)" "$1: the journal"
    expect_eq "$(status_of ".zones.$live.release")" "$(release_seen)" "$1: clients"
    for number in 1 2; do
        [ ! -e "/sys/class/net/bg$number" ] || ! plugged "$number" || fail "$1: bg$number is plugged"
    done
    [ "$(pgrep -c -x web.real)" = 1 ] || fail "$1: $(pgrep -c -x web.real) of the app run"
    ! grep -E 'this is a bug|AddressSanitizer|runtime error' "$WORLD/agent.log" || fail "$1: a bug"
    never_two
}

# v1 is live and v2 rests.
pair() {
    rm -f "$SHARED"/bad.*
    [ "$(status_of ".zones.$(status_of .live).release")" = v1 ] || bg rollback web >/dev/null 2>&1 || bg deploy web v1 >/dev/null
    [ "$(bg status web --json | jq '[.zones[] | select(.release == "v2" and .state == "resting")] | length')" = 1 ] && return
    bg deploy web v2 >/dev/null
    bg rollback web >/dev/null
}

kill_everywhere() { # NAME [FIRST]: from this point on
    local points number phase phases kills=0 first=${2:-1}
    load_start out --url "$URL4" --url "$URL6" --new 2 --rate 60
    pair
    "$1_prepare"
    arm 0 none
    "$1_do" >/dev/null 2>&1 || :
    mapfile -t points <"$DIE_AT_LOG"
    rm -f "$DIE_AT_CONTROL"
    printf '  %s\n' "${points[@]}" | cut -c 1-110
    [ ${#points[@]} -gt 3 ] || fail "$1 commits nothing"
    for number in "${!points[@]}"; do
        [ $((number + 1)) -ge "$first" ] || continue
        phases=synced
        [ "${points[number]}" != nft ] || phases="before synced"
        for phase in $phases; do
            pair
            "$1_prepare"
            arm $((number + 1)) "$phase"
            "$1_do" >/dev/null 2>&1 || :
            wait_for 4 dead
            rm -f "$DIE_AT_CONTROL"
            wait "$AGENT" 2>/dev/null || :
            mortal_start
            check "$1 killed at point $((number + 1)), $phase (${points[number]})"
            kills=$((kills + 1))
        done
    done
    load_end out >"$WORLD/report" || { cat "$WORLD/report"; fail "a client was failed"; }
    echo "$1: killed $kills times; $(json .requests <"$WORLD/report") requests, none failed, the longest took $(($(json .latency_us.max <"$WORLD/report") / 1000)) ms"
}

ready_to_die() {
    ready_hold
    agent_stop
    mortal_start
}

deploy_prepare() { :; }
deploy_do() { bg deploy web v2; }
test_deploy() {
    ready_to_die
    kill_everywhere deploy
}

rollback_prepare() { :; }
rollback_do() { bg rollback web; }
test_rollback() {
    ready_to_die
    kill_everywhere rollback
}

bad_prepare() { touch "$SHARED/bad.v2"; }
bad_do() { bg deploy web v2; }
# Up to where clients wait it is as any deploy.
test_bad_deploy() {
    ready_to_die
    kill_everywhere bad 8
}

# Between what it commits it waits: for the old one to stop, for the new one to be healthy.
test_while_it_waits() {
    ready_to_die
    load_start out --url "$URL4" --url "$URL6" --new 2 --rate 60
    echo 0.5 >"$SHARED/delay"
    local pause
    for pause in 0.05 0.1 0.2 0.4 0.6; do
        bg deploy web v2 >/dev/null 2>&1 &
        sleep "$pause"
        agent_kill9
        sleep 0.3
        mortal_start
        check "killed after $pause s"
        [ "$(status_of ".zones.$(status_of .live).release")" = v1 ] || bg rollback web >/dev/null
    done
    load_end out >"$WORLD/report" || { cat "$WORLD/report"; fail "a client was failed"; }
}

run_tests
