#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Exits: counted, told, and where they are too many never taken for health.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

SHARED=$WORLD/shared

# The app exits with what $SHARED/crash says, if it is there when it starts.
ready_crash() {
    mkdir -p "$SHARED"
    chown web "$SHARED"
    ready_web '[files]' "write = $SHARED" '[drain]' 'timeout = 200ms' "$@"
    local release
    for release in v1 v2; do
        mv "$WORLD/srv/web/$release/bin/web" "$WORLD/srv/web/$release/bin/web.real"
        # shellcheck disable=SC2016 # for the program
        printf '#!/bin/bash\n[ ! -e %s/crash.$BLUEGREEN_RELEASE ] || exit "$(cat %s/crash.$BLUEGREEN_RELEASE)"\nexec "$0.real" "$@"\n' \
            "$SHARED" "$SHARED" >"$WORLD/srv/web/$release/bin/web"
        chmod 755 "$WORLD/srv/web/$release/bin/web"
    done
}

end_app() {
    kill -9 "$(status_of ".zones.$1.pid")"
}

in_crash_loop() {
    [ "$(status_of ".zones.$1.crash_loop | tostring" | tr -d '"')" = "$2" ]
}

test_staging_ends_with_the_last_exits() {
    ready_crash '[restart]' 'delay = 100ms' 'max_delay = 100ms' 'limit = 4'
    echo 7 >"$SHARED/crash.v1"
    expect_status 1 bg deploy web v1
    expect_match 'exits again and again: it exited 4 times, last with code 7, code 7, code 7' "$OUTPUT"
    expect_eq failed "$(status_of .zones.blue.state)"
    bg history web --json >"$WORLD/history"
    expect_match 'crash-loop' "$(cat "$WORLD/history")"
}

test_a_crash_loop_is_never_switched_to() {
    ready_crash '[restart]' 'delay = 100ms' 'max_delay = 100ms' 'limit = 3' 'window = 4s'
    bg deploy web v1
    bg stage web v2
    echo 7 >"$SHARED/crash.v2"
    end_app green
    wait_for 10 in_crash_loop green true
    wait_for 5 is_state green unhealthy
    rm "$SHARED/crash.v2"
    # It answers again, and is not believed before it has done so for a while.
    sleep 1
    expect_status 1 bg switch web
    expect_match 'exits again and again' "$OUTPUT"
    expect_eq v1 "$(release_seen "$URL4")"
    wait_for 10 in_crash_loop green false
    wait_for 5 is_state green healthy
    expect_status 0 bg switch web
}

test_a_live_crash_loop_is_loud() {
    ready_crash '[restart]' 'delay = 100ms' 'max_delay = 100ms' 'limit = 3' 'window = 2s'
    bg deploy web v1
    echo 7 >"$SHARED/crash.v1"
    end_app blue
    wait_for 10 in_crash_loop blue true
    expect_eq live "$(status_of .zones.blue.state)"
    expect_eq unhealthy "$(status_of .zones.blue.verdict)"
    expect_match 'is live and its process main is in a crash loop' "$(cat "$WORLD/agent.log")"
    # A new agent is not fooled by having seen none of it.
    agent_kill9
    agent_start
    expect_eq true "$(status_of '.zones.blue.crash_loop | tostring' | tr -d '"')"
    rm "$SHARED/crash.v1"
    wait_for 10 in_crash_loop blue false
    wait_for 5 expect_healthy
    bg history web --json >"$WORLD/history"
    expect_match 'crash-loop' "$(cat "$WORLD/history")"
    expect_match 'main: it exited 3 times' "$(cat "$WORLD/history")"
}

expect_healthy() {
    [ "$(status_of .zones.blue.verdict)" = healthy ]
}

test_what_is_not_to_be_restarted_is_not() {
    ready_crash '[restart]' 'policy = on-failure' 'delay = 100ms'
    bg deploy web v1
    end_app blue
    wait_for 5 grep -q 'the shim starts it again (restart 1)' "$WORLD/agent.log"
    wait_for 5 answers v1
    echo 0 >"$SHARED/crash.v2"
    expect_status 1 bg deploy web v2
    expect_match 'exited with code 0, and \[restart\] policy does not start it again' "$OUTPUT"
    expect_eq v1 "$(release_seen "$URL4")"
}

lives_again() {
    [ "$(status_of .zones.blue.restarts)" = "$1" ] && answers v1
}

# Restarts are counted for as long as the zone is there: a new agent asks when they were.
test_a_new_agent_does_not_take_a_past_for_a_loop() {
    ready_crash '[restart]' 'delay = 100ms' 'max_delay = 100ms' 'limit = 3' 'window = 4s'
    bg deploy web v1
    local i
    for i in 1 2 3 4 5; do
        sleep 2.1
        end_app blue
        wait_for 5 lives_again "$i"
    done
    in_crash_loop blue false || fail "too few for a loop, and yet it is one"
    agent_kill9
    agent_start
    in_crash_loop blue false || fail "the new agent takes five exits in ten seconds for three in four"
    expect_eq 5 "$(status_of .zones.blue.restarts)"
    for i in 6 7 8; do
        end_app blue
        wait_for 5 lives_again "$i"
    done
    agent_kill9
    agent_start
    in_crash_loop blue true || fail "the new agent does not know of a crash loop"
}

test_an_exit_while_no_agent_looks_is_known() {
    ready_crash '[restart]' 'delay = 100ms'
    bg deploy web v1
    local pid
    pid=$(status_of .zones.blue.pid)
    agent_stop
    kill -SEGV "$pid"
    wait_for 5 answers v1
    agent_start
    expect_eq 11 "$(status_of .zones.blue.last_exit.signal)"
    expect_eq 1 "$(status_of .zones.blue.restarts)"
    expect_match 'main of v1 was ended by signal 11 at' "$(cat "$WORLD/agent.log")"
}

run_tests "$@"
