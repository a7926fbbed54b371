#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What an app says of itself to the shim, its watchdogs, and what it can do to the shim by that; and zones that are frozen
# meanwhile.
# shellcheck disable=SC2016 # ${IFS} is for the shell of the app: commands of the driver are split at blanks
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/shim_lib.sh
. "$ROOT/tests/drivers/shim_lib.sh"

test_what_an_app_says_of_itself() {
    script app <<'EOS'
echo "socket=$NOTIFY_SOCKET usec=$WATCHDOG_USEC" >>said
for step in 1 2 3 4; do
    while [ ! -e "step$step" ]; do sleep 0.02; done
    case $step in
    1) ./notify 'STATUS=well\nREADY=1\nMAINPID=77' ;;
    2) ./notify -f 'STOPPING=1'; ./notify 'RELOADING=1' ;;
    3) (setsid ./notify 'X=\nREADY=1\n') ;;
    4) ./notify 'STOPPING=1' ;;
    esac
done
sleep 100
EOS
    shim "$CGROUP"
    start - notify watchdog_ms=60000 -- "$WORLD/app/app"
    wait_for 3 said 'socket=@bluegreen-notify usec=60000000'
    # From the host, in the same network namespace here.
    NOTIFY_SOCKET=@bluegreen-notify "$WORLD/app/notify" 'READY=1' 'WATCHDOG=trigger'
    says '^started - .*ready=0 ' last
    touch "$WORLD/app/step1"
    says '^notified - .*phase=1 .*ready=1 ' wait 3 notified
    local fds
    fds=$(descriptors)
    touch "$WORLD/app/step2"
    says '^notified - .*ready=0 ' wait 3 notified
    expect_eq "$fds" "$(descriptors)" "descriptors of the shim"
    touch "$WORLD/app/step3"
    says '^notified - .*ready=1 ' wait 3 notified
    says '^hello - .*ready=1 ' connect
    touch "$WORLD/app/step4"
    says '^notified - .*ready=0 ' wait 3 notified
    # It is said again after each start.
    kill -KILL "$PID"
    says '^running - .*ready=0 ' wait 3 running
    says '^notified - .*ready=1 ' wait 3 notified
    # A second process has a socket of its own.
    start worker notify -- "$WORLD/app/app"
    says '^notified worker .*ready=1 ' wait 3 notified worker
    said 'socket=@bluegreen-notify/worker usec='
}

test_nonsense_from_an_app() {
    script app <<'EOS'
./notify '' 'READY' 'READY=12' 'ready=1' ' READY=1' 'XREADY=1' "$(printf 'x%.0s' {1..5000})\nREADY=1" 'WATCHDOG=2'
echo sent >>said
sleep 100
EOS
    shim "$CGROUP"
    start - notify watchdog_ms=60000 -- "$WORLD/app/app"
    wait_for 3 said sent
    sleep 0.2
    says '^hello - pid=[1-9][0-9]* phase=1 restarts=0 exit=none ready=0 ' connect
}

test_watchdog() {
    script app <<'EOS'
trap 'echo "got ABRT" >>said; exit 0' ABRT
./notify READY=1
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do ./notify WATCHDOG=1; sleep 0.1; done
echo "no more" >>said
while :; do sleep 0.05; done
EOS
    shim "$CGROUP"
    start - notify restart=1 watchdog_ms=1000 -- "$WORLD/app/app"
    wait_for 10 said 'no more'
    ! said 'got ABRT' || fail "it was ended while it was heard of"
    # It ends with success, and yet it is a failure.
    says '^exited - .*exit=code:0 .*hits=1 ' wait 5 exited
    said 'got ABRT'
    expect_match 'main: the watchdog ends it' "$(cat "$LOG")" "the log"
    says '^running - .*restarts=1 .*hits=1 ' wait 3 running
}

# answers_in MILLISECONDS COMMAND...: of the driver; the reply is in $REPLY.
answers_in() {
    local most=$1 began=$EPOCHREALTIME took
    shift
    sd "$@"
    took=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))
    [ "$took" -le "$most" ] || fail "$*: answered after $took ms"
}

test_an_app_that_stops_what_is_started_holds_nobody_up() {
    shim "$CGROUP"
    # As root's it may stop a process long before its exec, as another user's only shortly before.
    start - uid=0 -- "$WORLD/app/hostile" stop
    local i failed=0
    for i in 1 2 3 4 5 6 7 8; do
        answers_in 1000 start "name=check-$i" deadline_ms=500 -- /bin/true
        [[ $REPLY = started\ * ]] || failed=$((failed + 1))
    done
    [ "$failed" -gt 0 ] || fail "it never stopped one in time, so this says nothing"
    # Who is a user's from the beginning is met seldom, and held up as little.
    sd stop
    says '^stopped - ' wait 5 stopped
    start - -- "$WORLD/app/hostile" stop
    for i in 1 2 3 4 5 6 7 8; do
        answers_in 1000 start "name=check-$i" deadline_ms=500 -- /bin/true
    done
}

test_descriptors_of_an_app_hold_nobody_up() {
    shim "$CGROUP"
    ip link set lo up
    start - notify -- "$WORLD/app/hostile" linger
    says '^notified - .*ready=1' wait 5 notified
    answers_in 1000 set oom=10
    sd stop
    says '^stopped - ' wait 5 stopped
    answers_in 1000 set oom=20
}

cpu_ticks() {
    awk '{ print $14 + $15 }' "/proc/$1/stat"
}

test_an_app_that_changes_its_mind_all_the_time() {
    shim "$CGROUP"
    start - notify -- "$WORLD/app/hostile" flood
    local before count=0 end=$((SECONDS + 3))
    before=$(cpu_ticks "$SHIM")
    while [ "$SECONDS" -lt "$end" ]; do
        sd wait 1 notified
        [[ $REPLY != notified\ * ]] || count=$((count + 1))
    done
    if [ "$count" -lt 5 ] || [ "$count" -gt 35 ]; then fail "told $count times in 3 s"; fi
    before=$(($(cpu_ticks "$SHIM") - before))
    [ "$before" -lt 100 ] || fail "the shim worked for $before hundredths of a second"
    sd stop
    says '^stopped - ' wait 5 stopped
    # What holds in the end is told, however quickly it came to that.
    script app <<'EOS'
./notify READY=1 STOPPING=1 READY=1 STOPPING=1 READY=1
sleep 100
EOS
    start - notify -- "$WORLD/app/app"
    sleep 0.5
    says ' ready=1 ' last
}

test_a_shim_that_was_paused_reads_before_its_watchdog_bites() {
    script app <<'EOS'
while :; do ./notify WATCHDOG=1; sleep 0.1; done
EOS
    shim "$CGROUP"
    start - notify watchdog_ms=600 -- "$WORLD/app/app"
    local i
    for i in 1 2 3; do
        sleep 0.4
        kill -STOP "$SHIM"
        sleep 1
        kill -CONT "$SHIM"
    done
    sleep 0.4
    says '^hello - .* restarts=0 .*hits=0 ' connect
}

test_who_writes_too_much_waits() {
    script app <<'EOS'
echo began >>said
dd if=/dev/zero bs=64k count=512 2>/dev/null
echo "32 MiB" >>said
sleep 100
EOS
    shim "$CGROUP"
    start - -- "$WORLD/app/app"
    wait_for 3 said began
    sleep 2
    ! said "32 MiB" || fail "32 MiB were taken in 2 s"
    # The shim listens all the same, and everything is taken in the end.
    answers_in 500 set oom=10
    wait_for 8 said "32 MiB"
}

test_watchdog_of_an_app_that_does_not_end() {
    script app <<'EOS'
trap '' ABRT TERM
./notify WATCHDOG=1
sleep 100 &
while :; do sleep 0.05; done
EOS
    shim "$CGROUP"
    local began=$EPOCHREALTIME took
    start - notify watchdog_ms=200 stop_ms=300 -- "$WORLD/app/app"
    says '^exited - .*exit=signal:9 .*hits=1 ' wait 3 exited
    took=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))
    [ "$took" -ge 490 ] || fail "killed after $took ms"
}

test_watchdog_that_an_app_triggers() {
    script app <<'EOS'
./notify READY=1 WATCHDOG=trigger
sleep 100
EOS
    shim "$CGROUP"
    start - notify -- "$WORLD/app/app"
    says '^exited - .*exit=signal:6 .*hits=1 ' wait 3 exited
}

test_frozen_zone_rests() {
    script app <<'EOS'
./notify READY=1
sleep 100
EOS
    shim "$CGROUP"
    start - notify watchdog_ms=400 -- "$WORLD/app/app"
    start worker delay_ms=300 -- /bin/false
    says '^exited worker ' wait 3 exited worker
    says '^done - .*frozen=1 ' set frozen=1
    echo 1 >"$CGROUP/payload/cgroup.freeze"
    sleeps 1
    says '^hello - pid=[1-9][0-9]* phase=1 .*frozen=1 hits=0 ' connect
    says '^process worker pid=0 phase=2 restarts=0 .*frozen=1 ' wait 1 process worker
    says '^refused .*error=16 ' start name=more -- /bin/true
    # Both go on, with the whole time before them.
    echo 0 >"$CGROUP/payload/cgroup.freeze"
    says '^done - .*frozen=0 ' set frozen=0
    says '^running worker ' wait 1 running worker
    says '^hello - pid=[1-9][0-9]* .*hits=0 ' connect
    says '^exited - .*hits=1 ' wait 2 exited -
}

test_stop_of_a_frozen_zone() {
    script app <<'EOS'
trap 'echo "got TERM" >>said' TERM
echo ready >>said
while :; do sleep 0.05; done
EOS
    shim "$CGROUP"
    start - stop_ms=300 -- "$WORLD/app/app"
    wait_for 3 said ready
    sd set frozen=1
    echo 1 >"$CGROUP/payload/cgroup.freeze"
    sd stop
    says '^stopped - .*exit=signal:9 ' wait 3 stopped
    ! said 'got TERM' || fail "it was not frozen"
}

run_tests
