#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The control socket and the role behind it: whoever makes the role wait, waits alone.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

SOCKET=$WORLD/run/control.sock

answers_again() {
    timeout 1 "$BUILD/bluegreen" --socket "$SOCKET" status >/dev/null 2>&1
}

kernel_at_least() {
    [ "$(printf '%s\n' "$1" "$(uname -r)" | sort -V | head -n 1)" = "$1" ]
}

# A descriptor whose close takes ten minutes, of anybody's: Linux 6.16 refuses it; where it does not, the role is
# replaced.
test_descriptors_of_clients() {
    ready_web
    local user
    for user in nosy oper; do
        background as_user "$user" "$BUILD/tests/tools/give" "$SOCKET" >"$WORLD/given.$user"
        wait_for 5 test -s "$WORLD/given.$user"
        kernel_at_least 6.16 && expect_eq refused "$(cat "$WORLD/given.$user")" "a descriptor of $user"
        wait_for 8 answers_again
    done
    # and when its sender has closed his before the role looks, so that the role's is the last one
    local api
    api=$(api_pid)
    kill -STOP "$api"
    background "$BUILD/tests/tools/give" "$SOCKET" >"$WORLD/given"
    wait_for 5 test -s "$WORLD/given"
    kill -CONT "$api"
    wait_for 8 answers_again
}

# However it comes that it hangs: it is noticed when somebody wants something.
test_a_role_that_hangs_is_replaced() {
    ready_web
    bg deploy web v1
    local former
    former=$(api_pid)
    kill -STOP "$former"
    wait_for 10 answers_again
    expect_match "does not answer; it is killed" "$(cat "$WORLD/agent.log")" "the log"
    ! kill -0 "$former" 2>/dev/null || fail "the role that hung is still there"
    expect_eq v1 "$(release_seen)" "traffic"
    # and one that does not is left alone, however long its clients stay
    former=$(api_pid)
    bg exec web -- sleep 6
    expect_eq "$former" "$(api_pid)" "the role"
}

# Nobody talks to it: nobody is asked.
test_an_idle_agent_sleeps() {
    ready_web
    local former
    former=$(api_pid)
    sleep 1.5 # the last client's second
    kill -STOP "$former"
    sleep 5
    expect_eq "$former" "$(api_pid)" "the role"
    kill -CONT "$former"
    wait_for 1 answers_again
}

test_the_agent_ends_though_the_role_hangs() {
    ready_web
    kill -STOP "$(api_pid)"
    local before=$SECONDS
    agent_stop
    [ $((SECONDS - before)) -le 4 ] || fail "the agent took $((SECONDS - before)) s to end"
}

test_the_socket_goes_with_the_agent() {
    ready_web
    agent_stop
    [ ! -e "$SOCKET" ] || fail "the socket outlives the agent"
    agent_start
    agent_kill9
    [ -e "$SOCKET" ] || fail "nobody could remove it"
    "$BUILD/bluegreend" --config "$WORLD/etc" --state "$WORLD/state" --run "$WORLD/run" --teardown
    [ ! -e "$SOCKET" ] || fail "the socket outlives the teardown"
    # what is in its place is somebody else's
    agent_start
    rm "$SOCKET"
    echo precious >"$SOCKET"
    agent_stop
    expect_eq precious "$(cat "$SOCKET")" "what stands in its place"
    "$BUILD/bluegreend" --config "$WORLD/etc" --state "$WORLD/state" --run "$WORLD/run" --teardown
    expect_eq precious "$(cat "$SOCKET")" "after the teardown"
}

run_tests "$@"
