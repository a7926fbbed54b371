#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the shim does beside looking after an app: checks, commands, what is written to the log; and the shim itself: its
# end, its size, what it takes from whom.
# shellcheck disable=SC2016 # ${IFS} is for the shell of the app: commands of the driver are split at blanks
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/shim_lib.sh
. "$ROOT/tests/drivers/shim_lib.sh"

test_checks() {
    script check <<'EOS'
echo "first line"
printf '\n\033[31mred\tcaf\303\251 \377 last line\n\n\n'
exit "$1"
EOS
    shim "$CGROUP"
    start - -- /bin/sleep 100
    start check deadline_ms=3000 -- "$WORLD/app/check" 0
    says $'^ended check pid=0 phase=0 .*exit=code:0 .*error=0 .*output=\\?\\[31mred\tcaf\303\251 \\? last line$' wait 3 ended
    rmdir "$CGROUP/payload/check"
    start check deadline_ms=3000 -- "$WORLD/app/check" 3
    says '^ended check .*exit=code:3 ' wait 3 ended
    # A line without an end, and too long.
    start check deadline_ms=3000 -- /bin/bash -c 'printf${IFS}"y%.0s"${IFS}{1..1000}'
    says '^ended check .*output=y{159}$' wait 3 ended
    start check deadline_ms=3000 -- /bin/true
    says '^ended check .*output=$' wait 3 ended
    # It floods, and leaves somebody behind who holds the pipe.
    script check <<'EOS'
setsid sleep 4321 &
head -c 3000000 /dev/zero | tr '\0' 'z'
printf '\nthe end'
EOS
    start check deadline_ms=5000 -- "$WORLD/app/check"
    says '^ended check .*exit=code:0 .*output=the end$' wait 5 ended
    expect_eq '' "$(running 'sleep 4321')" "what it had started"
    rmdir "$CGROUP/payload/check"
    # It has ended before we could read anything of it.
    script check <<'EOS'
touch waits
while [ ! -e go ]; do sleep 0.02; done
head -c 20000 /dev/zero | tr '\0' 'z'
printf '\nthe end'
EOS
    chmod 777 "$WORLD/app"
    start check deadline_ms=5000 -- "$WORLD/app/check"
    wait_for 3 test -e "$WORLD/app/waits"
    kill -STOP "$SHIM"
    touch "$WORLD/app/go"
    wait_for 3 gone "$PID"
    kill -CONT "$SHIM"
    says '^ended check .*output=the end$' wait 3 ended
    # Nothing of it is in the app's log, or stays.
    expect_eq '' "$(cat "$LOG")" "the log"
    says '^hello - pid=[1-9]' connect
    says '^error unknown' last check
}

test_deadline_of_a_check() {
    stubborn
    shim "$CGROUP"
    start - -- /bin/sleep 5555
    start check deadline_ms=300 -- "$WORLD/app/stubborn" check
    says '^ended check .*exit=signal:9 .*error=110 ' wait 3 ended
    expect_eq '' "$(running 'sleep 4321')" "what it had started"
    rmdir "$CGROUP/payload/check"
    # One that is asked to end before.
    start check deadline_ms=60000 -- /bin/sleep 4321
    sd stop check
    says '^ended check .*exit=signal:15 .*error=0 ' wait 3 ended
}

test_commands_with_descriptors_of_their_own() {
    shim "$CGROUP"
    echo 'from the caller' >"$WORLD/app/file"
    chmod 666 "$WORLD/app/file"
    start exec-1 "stdio=$WORLD/app/file" -- /bin/sh -c 'read${IFS}x;echo${IFS}"<$x>";echo${IFS}err>&2;exit${IFS}9'
    says '^ended exec-1 pid=0 phase=0 .*exit=code:9 .*output=$' wait 3 ended
    expect_eq 'from the caller <from the caller> err' "$(xargs <"$WORLD/app/file")" "the file"
    says '^refused .*error=74 ' start "stdio=$WORLD/app/file" -- /bin/true
}

flags_of_stdout() {
    awk '/^flags/ { print $2 }' "/proc/$1/fdinfo/1"
}

test_output_of_all_goes_to_the_log() {
    shim "$CGROUP"
    script app <<'EOS'
echo "$1 says"
echo "$1 again" >/dev/stdout
echo "$1 complains" >&2
exec sleep 100
EOS
    start - -- "$WORLD/app/app" main
    start worker -- "$WORLD/app/app" worker
    wait_for 3 grep -q 'worker complains' "$LOG"
    expect_eq 6 "$(grep -c -E '^(main|worker) (says|again|complains)$' "$LOG")" "lines"
    # What one sets on its stdout (dd does not take that back) is not the other's.
    script third <<'EOS'
dd if=/dev/null oflag=nonblock status=none
echo "third says"
exec sleep 100
EOS
    local worker=$PID
    start third -- "$WORLD/app/third"
    wait_for 3 grep -q 'third says' "$LOG"
    expect_match '4...$' "$(flags_of_stdout "$PID")" "flags of who set O_NONBLOCK"
    expect_match '0...$' "$(flags_of_stdout "$worker")" "flags of the other"
}

test_system_asks_the_shim_to_end() {
    script app <<'EOS'
trap 'echo "got TERM" >>said; exit 0' TERM
echo ready >>said
while :; do sleep 0.05; done
EOS
    stubborn
    shim "$CGROUP"
    start - -- "$WORLD/app/app"
    start worker stop_ms=300 -- "$WORLD/app/stubborn" worker
    wait_for 3 said ready
    wait_for 3 said 'worker ready'
    says '^done ' set frozen=1
    echo 1 >"$CGROUP/payload/cgroup.freeze"
    kill -TERM "$SHIM"
    wait_for 3 gone "$SHIM"
    said 'got TERM'
    expect_eq '' "$(running 'sleep 4321')" "what was left"
    says '^stopped - ' wait 1 stopped -
}

test_app_cannot_end_the_shim() {
    shim "$CGROUP"
    says '^started ' start uid=0 -- /bin/sh -c 'kill${IFS}-TERM${IFS}1;kill${IFS}-KILL${IFS}1;sleep${IFS}100'
    sleep 0.3
    says '^hello - pid=[1-9][0-9]* phase=1 ' connect
}

test_shim_that_is_killed_takes_all_with_it() {
    stubborn
    shim "$CGROUP"
    start - -- "$WORLD/app/stubborn" main
    wait_for 3 said 'main ready'
    sd kill
    wait_for 3 gone "$SHIM"
    wait_for 3 run 0 'sleep 4321'
    says '^error EPIPE' wait 1 stopped
}

test_without_cgroups() {
    script family <<'EOS'
trap 'echo "$1 got TERM" >>said; exit 0' TERM
sleep 4321 &
echo "$1 ready" >>said
while :; do sleep 0.05; done
EOS
    shim
    start - -- "$WORLD/app/family" main
    local main=$PID left
    start worker -- "$WORLD/app/family" worker
    wait_for 3 said 'main ready'
    wait_for 3 said 'worker ready'
    wait_for 3 run 2 'sleep 4321'
    left=$(pgrep -P "$PID" -f 'sleep 4321')
    kill -KILL "$PID"
    says '^exited worker .*exit=signal:9 ' wait 3 exited
    wait_for 3 gone "$left" # by its pid: the next worker has such a one again soon
    alive "$main" || fail "the main process was hit"
    says '^running worker ' wait 3 running
    wait_for 3 said_times 'worker ready' 2
    sd stop worker
    says '^stopped worker .*exit=code:0 ' wait 3 stopped
    said 'worker got TERM'
    ! said 'main got TERM' || fail "the main process was told"
    sd stop
    says '^stopped - .*exit=code:0 ' wait 3 stopped
    said 'main got TERM'
    expect_eq '' "$(running 'sleep 4321')" "what was left"
    # Alone in the zone, it answers for everybody.
    stubborn
    start - stop_ms=300 -- "$WORLD/app/stubborn" alone
    wait_for 3 said 'alone ready'
    sd stop
    says '^stopped - .*exit=signal:9 ' wait 3 stopped
    expect_eq '' "$(running 'sleep 4321')" "what was left"
}

test_score_for_when_memory_runs_out() {
    shim "$CGROUP"
    start - oom=500 -- /bin/sleep 100
    expect_eq 500 "$(cat "/proc/$PID/oom_score_adj")" "oom_score_adj"
    says '^done ' set oom=600
    kill -KILL "$PID"
    says '^running - ' wait 3 running
    [[ $REPLY =~ pid=([0-9]+) ]]
    expect_eq 600 "$(cat "/proc/${BASH_REMATCH[1]}/oom_score_adj")" "oom_score_adj after the next start"
}

test_bytes_that_are_no_message() {
    shim "$CGROUP"
    start - -- /bin/sleep 100
    sd raw 00
    says '^refused .*error=74 ' wait 1 refused
    sd raw "$(printf '%064d' 0)"
    says '^refused .*error=74 ' wait 1 refused
    # STOP with a critical field that nobody knows, and a type that nobody knows.
    sd raw 42475a31010002001800000009000000ff80000000000000
    says '^refused .*error=95 ' wait 1 refused
    sd raw 42475a31010030001000000009000000
    says '^refused .*error=95 ' wait 1 refused
    says '^hello - pid=[1-9][0-9]* phase=1 ' connect
}

test_shim_is_small_and_sleeps() {
    script app <<'EOS'
./notify READY=1
exec sleep 100
EOS
    shim "$CGROUP"
    start - notify watchdog_ms=3600000 -- "$WORLD/app/app"
    says '^notified - ' wait 3 notified
    start worker -- /bin/sleep 100
    local i rss fds
    fds=$(descriptors)
    for ((i = 0; i < 40; i++)); do
        start "check-$i" deadline_ms=2000 -- /bin/true
        says "^ended check-$i " wait 2 ended
        rmdir "$CGROUP/payload/check-$i"
    done
    expect_eq "$fds" "$(descriptors)" "descriptors after 40 checks"
    rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$SHIM/status")
    [ "$rss" -le 1024 ] || fail "the shim takes $rss KiB"
    echo "rss $rss KiB"
    sleeps 2
}

run_tests
