#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Waiting for a state of an app, and the questions before something is lost.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

# waiting NAME STATE [ARG...]: `wait` in the background, with its output in $WORLD/NAME; returns when it waits.
waiting() {
    local name=$1
    shift
    "$BUILD/bluegreen" wait web "$@" >"$WORLD/$name" 2>&1 &
    WAITER=$!
    wait_for 5 grep -q 'wait .*now: ' "$WORLD/$name"
}

# still_waits: it has not been answered.
still_waits() {
    sleep 0.2
    kill -0 "$WAITER" 2>/dev/null || fail "it does not wait any more"
}

# ended STATUS NAME REGEX
ended() {
    local status=0
    wait "$WAITER" || status=$?
    expect_eq "$1" "$status" "exit status of $2"
    expect_match "$3" "$(cat "$WORLD/$2")"
}

test_what_is_there_already() {
    ready_web
    expect_status 0 bg wait web empty
    expect_match 'web: it is empty' "$OUTPUT"
    expect_status 0 bg wait web idle
    expect_status 5 bg wait web live --timeout 1s
    expect_match 'wait web live: not within 1s' "$OUTPUT"
    bg deploy web v1
    local state
    for state in idle live live=v1 drained baked; do
        expect_status 0 bg wait web "$state"
        expect_match 'web: v1 is live on blue' "$OUTPUT" "$state"
    done
    for state in live=v2 standby healthy empty stopped; do
        expect_status 5 bg wait web "$state" --timeout 1s --json
        expect_match '"error":"timeout"' "$OUTPUT" "$state"
    done
    bg deploy web v2
    wait_for 5 is_state blue standby
    expect_status 0 bg wait web standby --timeout 10s
    expect_status 0 bg wait web standby=v1 --json
    expect_match 'v2 is live on green' "$(json .text <<<"$OUTPUT")"
    expect_status 5 bg wait web standby=v2 --timeout 1s
}

test_what_cannot_be_waited_for() {
    ready_web
    local began=${EPOCHREALTIME/./}
    expect_status 1 bg wait nope live
    expect_match 'there is no app nope' "$OUTPUT"
    expect_status 2 bg wait web lively
    expect_match '"lively" is no state to wait for: idle, live, healthy' "$OUTPUT"
    expect_status 2 bg wait web idle=v2
    expect_match 'no state of a release' "$OUTPUT"
    expect_status 2 bg wait web live=/
    expect_status 2 bg wait web live --timeout soon
    expect_match 'no time to wait' "$OUTPUT"
    expect_status 2 bg wait web live --timeout 0s
    expect_status 2 bg wait web
    expect_status 2 bg deploy web v1 --timeout 1s
    expect_match 'means nothing to' "$OUTPUT"
    [ $((${EPOCHREALTIME/./} - began)) -lt 5000000 ] || fail "something was waited for"
}

test_live_and_healthy_and_anyone() {
    ready_web
    waiting first live=v1
    "$BUILD/bluegreen" wait web live=v2 --json >"$WORLD/second" 2>&1 &
    local second=$!
    as_user nosy "$BUILD/bluegreen" wait web healthy=v2 >"$WORLD/third" 2>&1 &
    local third=$!
    still_waits
    bg deploy web v1
    ended 0 first 'web: v1 is live on blue'
    bg stage web v2
    wait "$third" || fail "third: $(cat "$WORLD/third")"
    kill -0 "$second" || fail "second: $(cat "$WORLD/second")"
    bg switch web
    wait "$second" || fail "second: $(cat "$WORLD/second")"
    head -n 1 "$WORLD/second" | json '.step == "wait" and .zone == null and (.text | test("for live=v2; now: "))' >/dev/null ||
        fail "$(cat "$WORLD/second")"
}

test_a_live_release_that_is_sick_is_not_live() {
    ready_web 'failures = 2' 'timeout = 500ms'
    bg deploy web v1
    local pid
    pid=$(status_of .zones.blue.pid)
    kill -STOP "$pid"
    wait_for 10 sick
    waiting first live
    still_waits
    kill -CONT "$pid"
    ended 0 first 'web: v1 is live on blue'
}

sick() {
    [ "$(status_of .zones.blue.verdict)" = unhealthy ]
}

test_the_end_of_an_operation_a_drain_and_a_bake() {
    ready_web '[drain]' 'timeout = 2s' '[bake]' 'time = 1h'
    bg deploy web v1
    bg finish web
    on_client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    wait_for 5 grep -q answer "$WORLD/held"
    slow_start 1000
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 5 operating health
    waiting drained drained
    local drained=$WAITER
    waiting baked baked
    local baked=$WAITER
    waiting idle idle
    wait_for 10 is_state blue draining
    still_waits
    kill -0 "$drained" || fail "the drain is not over: $(cat "$WORLD/drained")"
    wait "$drained" || fail "$(cat "$WORLD/drained")"
    expect_match 'v2 is live on green, the bake goes on' "$(cat "$WORLD/drained")"
    expect_eq standby "$(status_of .zones.blue.state)"
    still_waits
    kill -0 "$baked" || fail "the bake is not over: $(cat "$WORLD/baked")"
    bg finish web
    wait "$baked" || fail "$(cat "$WORLD/baked")"
    ended 0 idle 'v2 is live on green'
}

test_stopped_and_empty_and_gone() {
    ready_web
    bg deploy web v1
    waiting first stopped
    still_waits
    bg stop web
    ended 0 first 'web: it is stopped'
    waiting second empty
    "$BUILD/bluegreen" wait web live >"$WORLD/third" 2>&1 &
    local third=$! status=0
    bg remove web
    ended 0 second 'web'
    # Then its file goes, too, and nobody can wait for it any more.
    kill -0 "$third" || fail "third: $(cat "$WORLD/third")"
    rm "$WORLD/etc/apps/web.conf"
    bg reload
    wait "$third" || status=$?
    expect_eq 1 "$status"
    expect_match 'there is no app web any more' "$(cat "$WORLD/third")"
}

test_who_waits_may_go_and_the_agent_too() {
    ready_web
    waiting first live
    kill -TERM "$WAITER"
    ended 143 first 'interrupted: nobody waits any more'
    expect_no_match 'goes on in the agent' "$(cat "$WORLD/first")"
    waiting second live
    agent_stop || :
    ended 1 second 'the agent is going down'
    agent_start
    expect_status 0 bg wait web empty
}

# Nobody is asked again and again: an agent with somebody who waits sleeps, but for looking after its api role.
test_waiting_costs_nothing() {
    ready_web
    waiting first live
    sleep 0.5
    local before after
    before=$(switches)
    sleep 1.5
    after=$(switches)
    [ $((after - before)) -lt 6 ] || fail "the agent woke up $((after - before)) times"
    still_waits
    kill -TERM "$WAITER"
}

switches() {
    awk '/^voluntary/ { print $2 }' "/proc/$(agent_pid)/status"
}

# --- questions --------------------------------------------------------------------------------------------

# on_terminal ANSWER ARG...: bluegreen on a terminal, where somebody types ANSWER.
on_terminal() {
    local answer=$1 status=0
    shift
    printf '%s\n' "$answer" | TERM=xterm script -qefc "$BUILD/bluegreen --socket $WORLD/run/control.sock $*" /dev/null \
        >"$WORLD/terminal" 2>&1 || status=$?
    OUTPUT=$(tr -d '\r' <"$WORLD/terminal")
    return "$status"
}

expect_refusal() {
    on_terminal "$@" && fail "it went on: $OUTPUT"
    expect_match 'nothing was done; --yes goes on' "$OUTPUT"
}

test_a_person_is_asked_before_something_is_lost() {
    ready_web '[bake]' 'time = 1h'
    on_terminal n deploy web v1 || fail "the first release costs nothing: $OUTPUT"
    expect_no_match 'Go on' "$OUTPUT"
    bg finish web
    bg deploy web v2
    wait_for 5 is_state blue standby
    expect_refusal n deploy web v1
    expect_match 'v2 is still in its bake, and v1, the way back from it, gives its place up' "$OUTPUT"
    expect_eq standby "$(status_of .zones.blue.state)"
    bg finish web
    on_terminal n stage web v1 || fail "$OUTPUT"
    expect_no_match 'Go on' "$OUTPUT"
    expect_refusal '' deploy web v1
    expect_match 'v1 in blue gives its place up' "$OUTPUT"
    expect_eq healthy "$(status_of .zones.blue.state)"
    on_terminal yes deploy web v1 || fail "$OUTPUT"
    expect_eq v1 "$(release_seen)"
    bg finish web
    expect_refusal no stop web
    expect_match 'v1, which is live with [0-9]+ TCP connections, stops serving' "$OUTPUT"
    expect_eq v1 "$(release_seen)"
    expect_refusal n remove web --force
    expect_match 'v1 \(blue, live\) and v2 \(green, standby\) and what the agent knows of web are removed' "$OUTPUT"
    on_terminal n stop web --yes || fail "$OUTPUT"
    expect_no_match 'Go on' "$OUTPUT"
    expect_eq stopped "$(status_of .state)"
    on_terminal y remove web || fail "$OUTPUT"
    expect_eq empty "$(status_of .state)"
}

test_a_script_is_never_asked() {
    ready_web '[bake]' 'time = 1h'
    bg deploy web v1
    bg finish web
    bg deploy web v2
    wait_for 5 is_state blue standby
    expect_status 0 bg deploy web v1 </dev/null
    expect_eq v1 "$(release_seen)"
    expect_no_match 'Go on' "$OUTPUT"
    # Neither is one on a terminal that wants JSON, nor one whose output goes elsewhere.
    on_terminal n stop web --json || fail "$OUTPUT"
    expect_no_match 'Go on' "$OUTPUT"
    printf 'n\n' | TERM=xterm script -qefc "$BUILD/bluegreen start web >$WORLD/out" /dev/null >/dev/null
    printf 'n\n' | TERM=xterm script -qefc "$BUILD/bluegreen stop web >$WORLD/out" /dev/null >/dev/null
    expect_eq stopped "$(status_of .state)"
}

run_tests "$@"
