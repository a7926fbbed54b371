#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Going away from what runs and coming back to it: attach, finish, the client's Control-C, where a deploy stops.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

hold() {
    on_client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    HELD=$!
    wait_for 5 grep -q answer "$WORLD/held"
}

baking() {
    [ "$(bg status web --json | jq -r '.bake != null')" = true ]
}

not_baking() {
    [ "$(bg status web --json | jq -r '.bake != null')" = false ]
}

test_attach_with_nothing_to_attach_to() {
    ready_web
    expect_status 0 bg attach web
    expect_match 'nothing runs on web: it is empty' "$OUTPUT"
    bg deploy web v1
    expect_status 0 bg attach web
    expect_match 'nothing runs on web: v1 is live on blue' "$OUTPUT"
    expect_status 0 bg attach web --json
    expect_eq 'nothing runs on web: v1 is live on blue' "$(json .text <<<"$OUTPUT")"
    expect_status 0 bg finish web
    expect_match 'nothing runs on web' "$OUTPUT"
    expect_status 1 bg attach nope
    expect_match 'there is no app nope' "$OUTPUT"
}

test_control_c_detaches_and_attach_comes_back() {
    ready_web
    bg deploy web v1
    slow_start 2000
    "$BUILD/bluegreen" deploy web v2 >"$WORLD/first" 2>&1 &
    local first=$! status=0
    wait_for 5 operating health
    kill -TERM "$first"
    wait "$first" || status=$?
    expect_eq 143 "$status"
    expect_match 'the deploy goes on in the agent' "$(cat "$WORLD/first")"
    expect_match 'bluegreen attach web.*bluegreen abort web' "$(cat "$WORLD/first")"
    # On a terminal, where the key is typed and the line moves.
    mkfifo "$WORLD/keys"
    TERM=xterm script -qefc "$BUILD/bluegreen --socket $WORLD/run/control.sock attach web" /dev/null \
        >"$WORLD/terminal" 2>&1 <"$WORLD/keys" &
    local terminal=$!
    exec 3>"$WORLD/keys"
    wait_for 5 grep -q 'deploy v2, asked for by root' "$WORLD/terminal"
    wait_for 5 grep -q 's left' "$WORLD/terminal"
    printf '\003' >&3
    wait "$terminal" || :
    exec 3>&-
    expect_match 'the operation goes on in the agent' "$(cat "$WORLD/terminal")"
    operating health || fail "the deploy did not go on"
    expect_status 0 bg attach web
    expect_match 'deploy v2, asked for by root \(uid 0\)' "$OUTPUT"
    expect_match 'web is live on green with release v2' "$OUTPUT"
    expect_eq v2 "$(release_seen)"
}

test_anyone_may_attach_and_nobody_else_ends_it() {
    ready_web
    bg deploy web v1
    slow_start 1500
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 5 operating health
    expect_status 0 as_user nosy "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" attach web --json
    tail -n 1 <<<"$OUTPUT" | json '.to == "green" and .release == "v2" and .who == "root (uid 0)"'
    # What went wrong is for everybody, what the app says of it for operators.
    sed -i 's|--port 8080|--port 8080 --fail-start|' "$WORLD/etc/apps/web.conf"
    bg deploy web v1 --force >"$WORLD/first" 2>&1 &
    wait_for 5 operating health
    expect_status 1 as_user nosy "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" attach web
    expect_match 'exits again and again' "$OUTPUT"
    expect_no_match 'The last lines of' "$OUTPUT"
    wait $! || :
    expect_match 'The last lines of' "$(cat "$WORLD/first")"
    expect_status 1 as_user nosy "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" finish web
    expect_match 'may look but not finish' "$OUTPUT"
    local verb
    for verb in test rehearse; do
        expect_status 1 as_user nosy "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" "$verb" web
        expect_match "may look but not $verb" "$OUTPUT"
    done
}

test_attach_ends_as_the_operation_does() {
    ready_web
    bg deploy web v1
    slow_start 20000
    bg deploy web v2 >"$WORLD/first" 2>&1 &
    wait_for 5 operating health
    bg attach web >"$WORLD/second" 2>&1 &
    local second=$! status=0
    wait_for 5 grep -q 'deploy v2' "$WORLD/second"
    bg abort web
    wait "$second" || status=$?
    expect_eq 1 "$status"
    expect_match 'aborted by root' "$(cat "$WORLD/second")"
}

test_attach_in_the_drain_sees_its_counts_and_its_deadline() {
    ready_web '[drain]' 'timeout = 3s'
    bg deploy web v1
    hold
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 10 is_state blue draining
    bg attach web --json >"$WORLD/attached"
    head -n 1 "$WORLD/attached" | json '.step == "drain" and .zone == "blue" and .connections == 1 and .wait_ms == 3000
        and .waited_ms < 3000' || fail "first: $(head -n 1 "$WORLD/attached")"
    tail -n 1 "$WORLD/attached" | json '.cut == 1 and .release == "v2"' || fail "last: $(tail -n 1 "$WORLD/attached")"
}

test_finish_ends_a_drain_as_its_deadline_would() {
    ready_web '[drain]' 'timeout = 60s'
    bg deploy web v1
    hold
    bg deploy web v2 --json >"$WORLD/deploy" 2>&1 &
    local deploy=$!
    wait_for 10 is_state blue draining
    expect_status 0 bg finish web
    expect_match 'the drain of blue is finished: 1 connection cut, 0 left open' "$OUTPUT"
    wait "$deploy" || fail "the deploy failed: $(cat "$WORLD/deploy")"
    tail -n 1 "$WORLD/deploy" | json '.cut == 1 and .drained == 0'
    wait "$HELD" || :
    expect_match 'closed reset' "$(cat "$WORLD/held")"
    wait_for 5 is_state blue standby
    expect_eq v2 "$(release_seen)"
    expect_status 0 bg finish web
    expect_match 'nothing runs on web' "$OUTPUT"
}

test_finish_leaves_what_the_deadline_would_leave() {
    ready_web '[drain]' 'timeout = 60s' 'then = leave'
    bg deploy web v1
    hold
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 10 is_state blue draining
    expect_status 0 bg finish web
    expect_match '0 connections cut, 1 left open' "$OUTPUT"
    expect_eq standby "$(status_of .zones.blue.state)"
    expect_eq 1 "$(status_of .zones.blue.connections.tcp)"
    expect_no_match closed "$(cat "$WORLD/held")"
}

test_finish_does_not_touch_an_operation() {
    ready_web
    bg deploy web v1
    slow_start 3000
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 5 operating health
    expect_status 1 bg finish web
    expect_match 'is busy' "$OUTPUT"
    bg abort web
}

test_the_deploy_says_that_the_bake_goes_on_and_attach_follows_it() {
    ready_web '[bake]' 'time = 4s'
    bg deploy web v1 >"$WORLD/first"
    not_baking || bg finish web
    expect_status 0 bg deploy web v2
    expect_match 'the bake goes on for [1-4] s: "bluegreen attach web"' "$OUTPUT"
    baking || fail "it does not bake"
    expect_match 'baking +until 20[0-9-]+ [0-9:]+: ' "$(bg status web)"
    bg attach web --json >"$WORLD/attached" 2>"$WORLD/attached.err" || fail "attach: $(cat "$WORLD/attached")"
    head -n 1 "$WORLD/attached" | json '.step == "bake" and .zone == "green" and .wait_ms == 4000 and .text != ""' ||
        fail "first: $(head -n 1 "$WORLD/attached")"
    expect_match 'v2 has passed its bake' "$(cat "$WORLD/attached")"
    baking && fail "it still bakes"
    expect_eq v2 "$(release_seen)"
}

test_attach_goes_from_the_operation_through_the_drain_to_the_end_of_the_bake() {
    ready_web '[bake]' 'time = 4s' '[drain]' 'timeout = 1s'
    bg deploy web v1
    bg finish web
    hold
    slow_start 1000
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 5 operating health
    bg attach web >"$WORLD/attached" 2>&1 || fail "attach: $(cat "$WORLD/attached")"
    expect_match 'health +green.*switch +green.*drain +blue.*bake +green' "$(tr '\n' ' ' <"$WORLD/attached")"
    expect_match 'web is live on green with release v2.*1 cut.*v2 has passed its bake' "$(tr '\n' ' ' <"$WORLD/attached")"
}

test_finish_ends_the_bake() {
    ready_web '[bake]' 'time = 1h'
    bg deploy web v1
    bg finish web
    expect_status 0 bg deploy web v2
    expect_match 'the bake goes on for 60 min' "$OUTPUT"
    bg attach web >"$WORLD/attached" 2>&1 &
    local attached=$!
    wait_for 5 grep -q bake "$WORLD/attached"
    expect_status 0 bg finish web
    expect_match 'the bake is finished' "$OUTPUT"
    wait "$attached" || fail "attach: $(cat "$WORLD/attached")"
    expect_match 'the bake of v2 was finished by root \(uid 0\), so far: ' "$(cat "$WORLD/attached")"
    not_baking
    expect_match 'the bake ended now, asked for by root' "$(cat "$WORLD/agent.log")"
}

test_a_bake_that_is_taken_back_has_not_passed() {
    ready_web '[bake]' 'time = 1h'
    bg deploy web v1
    bg finish web
    bg deploy web v2
    wait_for 5 is_state blue standby
    bg attach web >"$WORLD/attached" 2>&1 &
    local attached=$! status=0
    wait_for 5 grep -q bake "$WORLD/attached"
    expect_status 0 bg abort web
    expect_eq v1 "$(release_seen)"
    wait "$attached" || status=$?
    expect_eq 1 "$status"
    expect_match 'v1 is live again, by root' "$(cat "$WORLD/attached")"
}

test_a_breach_ends_attach_with_its_reason() {
    ready_web '[bake]' 'time = 1h'
    bg deploy web v1
    bg finish web
    bg deploy web v2
    wait_for 5 is_state blue standby
    bg attach web >"$WORLD/attached" 2>&1 &
    local attached=$! status=0
    wait_for 5 grep -q bake "$WORLD/attached"
    kill -SEGV "$(status_of .zones.green.pid)"
    wait "$attached" || status=$?
    expect_eq 1 "$status"
    expect_match 'v1 is live again, by bluegreen \(bake\)' "$(cat "$WORLD/attached")"
    expect_eq v1 "$(release_seen)"
}

test_a_deploy_stops_where_it_is_told_to() {
    ready_web '[test]' 'http = /healthz 200'
    bg deploy web v1
    expect_status 0 bg deploy web v2 --stop-after health
    expect_match 'v2 is staged in green: "bluegreen switch web"' "$OUTPUT"
    expect_no_match ' test ' "$OUTPUT"
    expect_eq healthy "$(status_of .zones.green.state)"
    expect_eq v1 "$(release_seen)"
    expect_status 0 bg test web
    expect_match '/healthz' "$OUTPUT"
    expect_eq v1 "$(release_seen)"
    expect_status 0 bg deploy web v2 --stop-after test
    expect_match '/healthz' "$OUTPUT"
    expect_eq healthy "$(status_of .zones.green.state)"
    expect_status 0 bg switch web
    expect_eq v2 "$(release_seen)"
}

test_a_deploy_without_its_test() {
    ready_web '[test]' 'http = /no-such-page 200'
    expect_status 1 bg deploy web v1
    expect_match '/no-such-page' "$OUTPUT"
    expect_eq '' "$(release_seen)"
    expect_status 0 bg deploy web v1 --no-test
    expect_no_match '/no-such-page' "$OUTPUT"
    expect_eq v1 "$(release_seen)"
}

test_what_may_be_tested_and_rehearsed() {
    ready_web '[drain]' 'timeout = 3s' '[bake]' 'time = 1h' '[test]' 'http = /healthz'
    expect_status 1 bg test web
    expect_match 'there is nothing to test: zone blue of web is absent' "$OUTPUT"
    expect_status 1 bg rehearse web
    bg deploy web v1
    bg finish web
    expect_status 1 bg rehearse web
    expect_match 'there is nothing to switch to' "$OUTPUT"
    hold
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 10 is_state blue draining
    expect_status 1 bg test web
    expect_match 'still draining 1 connections' "$OUTPUT"
    expect_status 1 bg rehearse web
    expect_match 'still draining' "$OUTPUT"
    wait_for 10 is_state blue standby
    expect_status 1 bg rehearse web
    expect_match 'v2 is baking' "$OUTPUT"
    bg finish web
    expect_status 0 bg test web
    expect_status 0 bg rehearse web
    expect_match 'v1 served for .* and v2 is live again' "$OUTPUT"
    expect_eq v2 "$(release_seen)"
    wait_for 5 is_state blue standby
    bg stage web v1
    expect_status 1 bg rehearse web
    expect_match 'was never live' "$OUTPUT"
    bg stop web
    expect_status 1 bg test web
    expect_match 'is stopped' "$OUTPUT"
}

run_tests "$@"
