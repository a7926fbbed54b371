#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# [feed] under load while its role, the agent and zones are killed: every acknowledged request is in both zones, once.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/feed_lib.sh
. "$ROOT/tests/drivers/feed_lib.sh"

# Clients wait for the next one; what was under way may have no answer, and is in doubt then.
test_role_dies() {
    ready_feed 'in_doubt = apply'
    bg deploy web v2 >/dev/null
    write_start
    for _ in 1 2 3; do
        kill -9 "$(role_pid)"
        sleep 1.2
    done
    write_end
    expect_match 'refused 0 ' "$(cat "$WORLD/figures")"
    nothing_missing
}

# In the middle of a switch that waits for what the standby lacks: the next one is asked again.
test_role_dies_in_a_hold() {
    local id ordered
    ready_feed
    bg deploy web v2 >/dev/null
    echo 300 >"$DATA/ids.blue.slow"
    for id in 1 2 3 4; do
        on_client curl -sf -d x "$URL4/add/$id" >/dev/null
    done
    bg rollback web &
    ordered=$!
    wait_for 2 grep -q 'rollback v1 begins' "$WORLD/agent.log"
    sleep 0.2
    kill -9 "$(role_pid)"
    wait_for 10 nothing_runs
    wait "$ordered"
    answers v1
    expect_eq '1 2 3 4' "$(ids_of blue | paste -sd ' ')"
    on_client curl -sf -d x "$URL4/add/5" >/dev/null
}

# Its doors are those of two agents then, and only the later one's are kept: who waits at the others is not reset.
test_role_dies_after_its_agent() {
    local id pid clients=()
    ready_feed
    bg deploy web v2 >/dev/null
    agent_kill9
    agent_start
    wait_for 5 in_step
    pid=$(role_pid)
    kill -STOP "$pid"
    for id in $(seq 12); do
        on_client curl -sf -m 10 -d x "$URL4/add/$id" >/dev/null &
        clients+=($!)
    done
    sleep 1
    kill -9 "$pid"
    for id in "${clients[@]}"; do
        wait "$id" || fail "a client that waited was cut"
    done
    wait_for 5 in_step
    expect_eq 12 "$(ids_of blue | wc -l)"
}

# Each app has a role of its own.
test_other_apps_do_not_notice() {
    local pid
    ready_feed
    sed 's/^name = web/name = other/; s/^http = 80/http = 81/; s|ids\.|other.|' "$WORLD/etc/apps/web.conf" | app_conf other
    bg reload >/dev/null
    bg deploy other v1 >/dev/null
    bg deploy other v2 >/dev/null
    expect_eq 2 "$(find "$WORLD/state/feed" -mindepth 1 -maxdepth 1 | wc -l)" "journals"
    pid=$(role_pid other)
    write_start 4 100 0 81
    kill -9 "$(role_pid)"
    bg feed web pause >/dev/null 2>&1 || :
    bg remove web --force >/dev/null
    sleep 0.5
    write_end
    nobody_failed
    expect_eq "$pid" "$(role_pid other)" "the other one's role"
    ! role_pid || fail "the role of a removed app"
    expect_eq other "$(ls "$WORLD/state/feed")" "journals"
    wait_for 10 other_in_step
    expect_eq '' "$(diff "$DATA/other.blue" "$DATA/other.green")" "order"
}

other_in_step() {
    [ "$(bg status other --json | json .feed.state)" = 'in step' ]
}

test_zones_die() {
    local zone
    ready_feed 'in_doubt = apply'
    bg deploy web v2 >/dev/null
    write_start
    for zone in blue green; do
        kill -9 "$(status_of ".zones.$zone.shim_pid")"
        sleep 2
    done
    write_end
    nothing_missing
}

test_agent_dies() {
    local pid
    ready_feed
    bg deploy web v2 >/dev/null
    write_start
    pid=$(role_pid)
    for _ in 1 2; do
        agent_kill9
        sleep 0.5
        agent_start
        sleep 0.5
    done
    expect_eq "$pid" "$(role_pid)" "the role"
    bg rollback web
    agent_stop
    sleep 0.3
    agent_start
    write_end
    nobody_failed
    nothing_missing
    agent_stop
    "$BUILD/bluegreend" --config "$WORLD/etc" --state "$WORLD/state" --run "$WORLD/run" --teardown
    no_role
}

# Role, agent, the shims of both zones, in no order, under load.
test_anything_dies() {
    ready_feed 'in_doubt = apply'
    bg deploy web v2 >/dev/null
    write_start
    RANDOM=${SEED:-7}
    for _ in $(seq 12); do
        case $((RANDOM % 4)) in
        0) kill -9 "$(role_pid)" ;;
        1) agent_kill9 && agent_start ;;
        2) kill -9 "$(status_of .zones.blue.shim_pid)" ;;
        3) bg rollback web >/dev/null || : ;;
        esac
        sleep 0.$((RANDOM % 9 + 1))
    done
    sleep 2
    write_end
    nothing_missing
}

run_tests
