#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Health without HTTP: a command in the zone, what the app says of itself, and the watchdog.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

SHARED=$WORLD/shared

# conf_of HEALTH... writes an app without ports whose program is $WORLD/srv/web/%r/bin/web and whose check bin/check.
conf_of() {
    mkdir -p "$SHARED" "$WORLD/srv/web/v1/bin" "$WORLD/srv/web/v2/bin"
    chown web "$SHARED"
    {
        printf '[app]\nname = web\nuser = web\nrun = %s/srv/web/%%r/bin/web\nstop_timeout = 1s\n' "$WORLD"
        printf '[files]\nwrite = %s\n[drain]\ntimeout = 100ms\n' "$SHARED"
        printf '[health]\ninterval = 100ms\npasses = 2\nfailures = 2\nstart_timeout = 5s\n'
        printf '%s\n' "$@"
    } | app_conf web
}

# program RELEASE NAME <<< text
program() {
    { printf '#!/bin/bash\nshared=%s\n' "$SHARED"; cat; } >"$WORLD/srv/web/$1/bin/$2"
    chmod 755 "$WORLD/srv/web/$1/bin/$2"
}

idle() {
    program "$1" web <<<'while :; do sleep 0.1; done'
}

detail_has() {
    status_of '.zones.blue.detail' | grep -q "$1"
}

verdict_is() {
    [ "$(status_of .zones.blue.verdict)" = "$1" ]
}

test_a_command_decides() {
    conf_of "exec = $WORLD/srv/web/%r/bin/check --of %z" 'timeout = 2s'
    idle v1
    # shellcheck disable=SC2016 # for the program
    program v1 check <<<'echo "$(id -un) $*"; [ ! -e $shared/sick ] || { echo "queue is full"; exit 3; }'
    agent_start
    expect_status 0 bg deploy web v1
    wait_for 5 detail_has 'web --of blue'
    touch "$SHARED/sick"
    wait_for 5 verdict_is unhealthy
    expect_match 'the check exited with code 3: queue is full' "$(status_of .zones.blue.detail)"
    rm "$SHARED/sick"
    wait_for 5 verdict_is healthy
}

test_a_command_that_says_no_fails_the_release() {
    conf_of "exec = $WORLD/srv/web/%r/bin/check" 'timeout = 1s'
    idle v1
    program v1 check <<<'echo nothing works; exit 1'
    agent_start
    expect_status 1 bg deploy web v1
    expect_match 'the check exited with code 1: nothing works' "$OUTPUT"
}

test_a_command_has_a_deadline_and_is_alone() {
    conf_of "exec = $WORLD/srv/web/%r/bin/check" 'timeout = 400ms'
    idle v1
    # It leaves a child behind as well, which must be gone before the next one begins.
    program v1 check <<'EOF'
exec 9>>"$shared/lock"
flock -n 9 || echo overlap >>"$shared/log"
echo run >>"$shared/log"
sleep 60 &
sleep 60
EOF
    sed -i 's|start_timeout = 5s|start_timeout = 3s|' "$WORLD/etc/apps/web.conf"
    agent_start
    expect_status 1 bg deploy web v1
    expect_match 'the check took longer than 400 ms' "$OUTPUT"
    [ "$(grep -c run "$SHARED/log")" -ge 3 ] || fail "it ran only: $(cat "$SHARED/log")"
    expect_no_match overlap "$(cat "$SHARED/log")"
}

test_a_new_agent_makes_no_second_check() {
    conf_of "exec = $WORLD/srv/web/%r/bin/check" 'timeout = 3s'
    idle v1
    program v1 check <<'EOF'
exec 9>>"$shared/lock"
flock -n 9 || echo overlap >>"$shared/log"
[ ! -e "$shared/slow" ] || sleep 1.5
echo done >>"$shared/log"
EOF
    agent_start
    bg deploy web v1
    touch "$SHARED/slow"
    sleep 0.3
    agent_kill9
    agent_start
    wait_for 10 verdict_is healthy
    expect_no_match overlap "$(cat "$SHARED/log")"
}

# An app may keep its shim busy; the agent has others to look after.
test_a_check_that_cannot_be_begun_holds_up_nobody() {
    conf_of "exec = $WORLD/srv/web/%r/bin/check" 'timeout = 500ms'
    idle v1
    program v1 check <<<'exit 0'
    agent_start
    bg deploy web v1
    local began took
    kill -STOP "$(status_of .zones.blue.shim_pid)"
    for _ in 1 2 3 4 5 6; do
        sleep 0.2
        began=$EPOCHREALTIME
        bg status web >/dev/null
        took=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))
        [ "$took" -lt 1000 ] || fail "status came after $took ms"
    done
    # Commands neither.
    bg exec web -- true >"$WORLD/command" 2>&1 &
    sleep 0.2
    began=$EPOCHREALTIME
    bg status web >/dev/null
    took=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))
    [ "$took" -lt 1000 ] || fail "status came after $took ms while a command was to begin"
    kill -CONT "$(status_of .zones.blue.shim_pid)"
    wait $! || fail "the command was lost: $(cat "$WORLD/command")"
    wait_for 10 verdict_is healthy
}

test_a_command_that_cannot_be_executed_has_failed() {
    conf_of "exec = $WORLD/srv/web/%r/bin/check" 'timeout = 500ms'
    idle v1
    program v1 check <<<'exit 0'
    agent_start
    bg deploy web v1
    sed -i '1s|.*|#!/no/such/interpreter|' "$WORLD/srv/web/v1/bin/check"
    wait_for 5 verdict_is unhealthy
    expect_match 'the check cannot be run: start web/blue check-[0-9]*: execute .*bin/check: No such file' \
        "$(status_of .zones.blue.detail)"
    expect_status 125 bg exec web -- "$WORLD/srv/web/v1/bin/check"
    expect_match 'start web/blue exec-[0-9]*: execute .*bin/check: No such file.*the interpreter that it names' "$OUTPUT"
}

test_nothing_passes_before_the_app_is_ready() {
    conf_of 'notify = yes'
    program v1 web <<<'sleep 1; systemd-notify --ready; while :; do sleep 0.1; done'
    program v2 web <<<'while :; do sleep 0.1; done'
    agent_start
    local began
    began=$(date +%s%N)
    expect_status 0 bg deploy web v1
    [ $((($(date +%s%N) - began) / 1000000)) -ge 1000 ] || fail "it was healthy before it said so"
    wait_for 5 detail_has 'said READY=1'
    sed -i 's|start_timeout = 5s|start_timeout = 2s|' "$WORLD/etc/apps/web.conf"
    expect_status 1 bg deploy web v2
    expect_match 'has not said READY=1' "$OUTPUT"
    expect_eq live "$(status_of .zones.blue.state)"
}

test_a_watchdog_that_bites_is_in_the_history() {
    conf_of 'notify = yes' 'watchdog = 1s' 'grace = 0'
    program v1 web <<'EOF'
systemd-notify --ready
while [ ! -e "$shared/hang" ]; do
    systemd-notify WATCHDOG=1
    sleep 0.2
done
rm "$shared/hang"
sleep 60
EOF
    agent_start
    bg deploy web v1
    sleep 2
    expect_eq 0 "$(status_of .zones.blue.restarts)"
    touch "$SHARED/hang"
    wait_for 10 restarted
    expect_match 'did not say WATCHDOG=1 for 1000 ms' "$(cat "$WORLD/agent.log")"
    bg history web --json >"$WORLD/history"
    expect_match 'watchdog' "$(cat "$WORLD/history")"
    wait_for 5 verdict_is healthy
}

restarted() {
    [ "$(status_of .zones.blue.restarts)" -ge 1 ]
}

run_tests "$@"
