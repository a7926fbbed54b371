#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How the shim looks after an app's processes: restarts, stops, what an app says of itself, checks, and all that with an
# agent that is away, dead or slow. tests/drivers/shim_driver.c stands for the agent. The last tests are with the agent
# itself.
# shellcheck disable=SC2016 # ${IFS} is for the shell of the app: commands of the driver are split at blanks
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

DIR=$WORLD/shim
LOG=$DIR/log
CGROUP=/sys/fs/cgroup/zone

# shim [CGROUP]: a shim, and the first connection to it.
shim() {
    mkdir -p "$DIR" "$WORLD/app"
    chmod 755 "$WORLD" "$WORLD/app"
    cp "$TOOLS/notify" "$TOOLS/hostile" "$WORLD/app/"
    # For whatever process of the app says something.
    touch "$WORLD/app/said"
    chmod 666 "$WORLD/app/said"
    [ $# -eq 0 ] || mkdir "$1"
    coproc D { exec "$BUILD/tests/drivers/shim_driver" "$BUILD/bluegreen-zone" "$DIR" "$@" 2>>"$WORLD/driver.log"; }
    sd launch
    SHIM=${REPLY#ok }
    expect_match '^ok ' "$REPLY" launch
    says '^hello - pid=0 phase=0 ' connect
}

# One command; the answer is in $REPLY.
sd() {
    echo "$*" >&"${D[1]}" || fail "$*: the driver has ended: $(cat "$WORLD/driver.log")"
    IFS= read -r -t 20 REPLY <&"${D[0]}" || fail "$*: no answer: $(cat "$WORLD/driver.log")"
}

# says REGEX COMMAND...
says() {
    local regex=$1
    shift
    sd "$@"
    expect_match "$regex" "$REPLY" "$*"
}

# start NAME [KEY=VALUE...] -- WORD...: as user web; NAME - is the main process.
start() {
    local name=$1
    shift
    [ "$name" = - ] || set -- "name=$name" "$@"
    says "^started $name pid=-?[1-9]" start "uid=$(id -u web)" "$@"
    # -1: it has ended since.
    [[ $REPLY =~ pid=(-?[0-9]+) ]]
    PID=${BASH_REMATCH[1]}
}

# A script that every user may run, from stdin.
script() {
    mkdir -p "$WORLD/app"
    { printf '#!/bin/bash\ncd %s\n' "$WORLD/app"; cat; } >"$WORLD/app/$1"
    chmod 755 "$WORLD/app" "$WORLD/app/$1"
}

said() {
    grep -q -x -- "$1" "$WORLD/app/said"
}

said_times() {
    [ "$(grep -c -x -- "$1" "$WORLD/app/said")" = "$2" ]
}

alive() {
    [ -d "/proc/$1" ] && ! grep -q '^State:.[ZX]' "/proc/$1/status" 2>/dev/null
}

gone() {
    ! alive "$1"
}

# The pids outside of all processes with this in their command line.
running() {
    pgrep -f -- "$1" || :
}

runs_nowhere() {
    [ -z "$(running "$1")" ]
}

# How many the shim has.
descriptors() {
    find "/proc/$SHIM/fd" -mindepth 1 | wc -l
}

# run COUNT TEXT
run() {
    [ "$(running "$2" | wc -l)" = "$1" ]
}

test_policies() {
    shim "$CGROUP"
    start - -- /bin/true
    says '^exited - pid=0 phase=2 restarts=0 exit=code:0 ' wait 3 exited -
    says '^running - .*phase=1 restarts=1 ' wait 3 running -
    # on-failure
    start once restart=1 -- /bin/true
    says '^ended once pid=0 phase=4 restarts=0 exit=code:0 ' wait 3 ended once
    start twice restart=1 -- /bin/false
    says '^exited twice pid=0 phase=2 restarts=0 exit=code:1 ' wait 3 exited twice
    says '^running twice .*restarts=1 ' wait 3 running twice
    # A signal is a failure.
    start long restart=1 -- /bin/sleep 100
    kill -TERM "$PID"
    says '^exited long .*exit=signal:15 ' wait 3 exited long
    # no
    start never restart=2 -- /bin/false
    says '^ended never pid=0 phase=4 restarts=0 exit=code:1 ' wait 3 ended never
    # Whoever is over can be started again, and is told of as long as it is over.
    says '^hello ' connect
    says '^process never pid=0 phase=4 .*exit=code:1 ' wait 2 process never
    start never restart=2 -- /bin/sleep 100
    sd stop never
    says '^stopped never pid=0 phase=0 ' wait 3 stopped never
}

test_back_off_grows_to_its_maximum() {
    shim "$CGROUP"
    local began=$EPOCHREALTIME took
    start - delay_ms=100 max_ms=250 -- /bin/false
    local i
    for i in 1 2 3 4; do
        says "^running - .*restarts=$i " wait 3 running -
    done
    # 100 + 200 + 250 + 250
    took=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))
    if [ "$took" -lt 790 ] || [ "$took" -ge 1600 ]; then fail "four restarts took $took ms"; fi
}

test_a_start_that_fails() {
    shim "$CGROUP"
    says '^failed - pid=0 phase=0 .*error=2 ' start -- /no/such/program
    says '^failed w .*error=2 ' start name=w -- /no/such/program
    says '^hello - pid=0 phase=0 ' connect
    says '^error unknown' last w
    # Killed before its exec: that is no start.
    says '^failed - .*error=125 stage=29 ' start filter=kill -- /bin/sleep 100
    says '^failed w .*error=125 stage=29 ' start name=w filter=kill deadline_ms=1000 -- /bin/sleep 100
    # But who was executed and ends at once was started.
    says '^started t pid' start name=t deadline_ms=1000 -- /bin/false
    says '^ended t .*exit=code:1 ' wait 3 ended t
    # The program goes away while the app runs.
    script app <<<'echo ready >>said; sleep 0.2'
    start - -- "$WORLD/app/app"
    wait_for 3 said ready
    rm "$WORLD/app/app"
    says '^exited - .*exit=code:0 ' wait 3 exited -
    says '^exited - .*restarts=1 exit=code:127 ' wait 3 exited -
    expect_match 'bluegreen-zone: start main: execute .*app: ENOENT' "$(cat "$LOG")" "the log"
    script app <<<'sleep 100'
    says '^running - ' wait 3 running -
}

test_stop_signal() {
    script app <<'EOS'
trap 'echo "$1 got TERM" >>said; exit 0' TERM
trap 'echo "$1 got QUIT" >>said; exit 0' QUIT
echo "$1 ready" >>said
while :; do sleep 0.05; done
EOS
    shim "$CGROUP"
    start - stop_signal=3 -- "$WORLD/app/app" main
    start worker -- "$WORLD/app/app" worker
    wait_for 3 said 'main ready'
    wait_for 3 said 'worker ready'
    sd stop worker
    says '^stopped worker pid=0 phase=0 .*exit=code:0 ' wait 3 stopped worker
    said 'worker got TERM'
    says '^hello - pid=[1-9][0-9]* phase=1 ' connect
    sd stop
    says '^stopped - pid=0 phase=0 .*exit=code:0 ' wait 3 stopped -
    said 'main got QUIT'
    ! said 'main got TERM' || fail "a signal too many"
}

# What they start leaves its session, forks twice, and ignores what it is told.
stubborn() {
    script stubborn <<'EOS'
trap '' TERM INT HUP
setsid bash -c '(trap "" TERM; setsid sleep 4321 & echo $! >>said; exec sleep 4321) & exit' &
sleep 4321 &
echo "$1 ready" >>said
wait
wait
sleep 4321
EOS
}

test_stop_timeout_kills_all_of_it() {
    stubborn
    shim "$CGROUP"
    start - -- /bin/sleep 5555
    local main=$PID
    start worker stop_ms=400 -- "$WORLD/app/stubborn" worker
    wait_for 3 said 'worker ready'
    wait_for 3 run 3 '^sleep 4321'
    local began=$EPOCHREALTIME took
    sd stop worker
    says '^stopped worker pid=0 phase=0 .*exit=signal:9 ' wait 3 stopped worker
    took=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))
    [ "$took" -ge 390 ] || fail "killed after $took ms"
    expect_eq '' "$(running 'sleep 4321')" "what it had started"
    alive "$main" || fail "the main process was hit"
    # Nobody is in the way of whoever tidies up.
    rmdir "$CGROUP/payload/worker"
    says '^hello - pid=[1-9]' connect
    says '^error unknown' last worker
}

test_leftovers_are_gone_before_the_next_start() {
    script app <<'EOS'
[ -e left ] && [ -d "/proc/$(cat left)" ] && echo "met a leftover" >>said
echo started >>said
setsid sleep 4321 &
echo $! >left
exit 1
EOS
    chmod 777 "$WORLD/app"
    shim "$CGROUP"
    chmod 777 "$WORLD/app"
    start - max_ms=100 -- "$WORLD/app/app"
    local i
    for i in 1 2 3 4; do
        says "^running - .*restarts=$i " wait 3 running -
    done
    sd stop
    says '^stopped - ' wait 3 stopped -
    ! said 'met a leftover' || fail "a leftover met the next one"
    said started
    expect_eq '' "$(running 'sleep 4321')" "leftovers"
}

test_several_processes() {
    shim "$CGROUP"
    start - -- /bin/sleep 100
    local main=$PID
    start worker -- /bin/sleep 100
    local worker=$PID
    start cron -- /bin/sleep 100
    expect_eq "0::/zone/payload/main 0::/zone/payload/worker 0::/zone/payload/cron" \
        "$(tail -qn 1 "/proc/$main/cgroup" "/proc/$worker/cgroup" "/proc/$PID/cgroup" | xargs)" "cgroups"
    says '^refused - .*error=16 ' start name=worker -- /bin/true
    says "^hello - pid=$main phase=1 " connect
    says "^process worker pid=$worker phase=1 " wait 1 process
    says "^process cron pid=$PID phase=1 " wait 1 process
    # One restarts, nobody else notices.
    kill -KILL "$worker"
    says '^exited worker .*exit=signal:9 ' wait 3 exited
    says '^running worker ' wait 3 running
    if ! alive "$main" || ! alive "$PID"; then fail "another one was hit"; fi
    # There is nothing to end.
    sd stop nobody
    says '^stopped nobody pid=0 phase=0 ' wait 1 stopped
    sd stop
    says '^stopped - ' wait 3 stopped -
    says '^hello - pid=0 phase=0 ' connect
    says '^error unknown' last worker
}

test_table_of_processes_is_bounded() {
    shim "$CGROUP"
    start - -- /bin/sleep 100
    local i
    for ((i = 1; i < 24; i++)); do
        start "w$i" -- /bin/sleep 100
    done
    says '^refused - .*error=11 ' start name=w24 -- /bin/sleep 100
    says '^hello - pid=[1-9]' connect
    says '^process w23 pid=[1-9]' wait 2 process w23
    sd stop w7
    says '^stopped w7 ' wait 3 stopped w7
    start w24 -- /bin/sleep 100
    sd stop
    says '^stopped - ' wait 5 stopped -
}

test_exits_while_nobody_listens() {
    shim "$CGROUP"
    start - delay_ms=100 -- /bin/sleep 100
    local main=$PID
    start once restart=1 -- /bin/sh -c 'sleep\ 0.2;exit\ 7'
    start worker restart=2 -- /bin/sleep 0.2
    sd hangup
    kill -SEGV "$main"
    sleep 0.6
    says '^hello - pid=[1-9][0-9]* phase=1 restarts=1 exit=signal:11 ' connect
    says '^process worker pid=0 phase=4 restarts=0 exit=code:0 ' wait 1 process worker
}

# An agent that hangs: thousands of messages would be for it.
test_agent_that_does_not_read() {
    script chatter <<'EOS'
./notify -n 800 'READY=1' 'RELOADING=1'
./notify 'READY=1'
echo "$1 done" >>said
sleep 100
EOS
    shim "$CGROUP"
    start - notify -- "$WORLD/app/chatter" main
    start worker notify -- "$WORLD/app/chatter" worker
    start over restart=2 -- /bin/sleep 0.5
    wait_for 20 said 'main done'
    wait_for 20 said 'worker done'
    sleep 0.6
    says '^notified - pid=0 phase=1 .*ready=1 ' last
    says '^notified worker pid=0 phase=1 .*ready=1 ' last worker
    says '^ended over pid=0 phase=4 .*exit=code:0 ' last over
    # It listens again.
    says '^done ' set oom=0
}

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

# sleeps SECONDS: the shim does not wake up in that time.
sleeps() {
    local switches
    sleep 0.2
    switches=$(awk '/^voluntary/ { print $2 }' "/proc/$SHIM/status")
    sleep "$1"
    expect_eq "$switches" "$(awk '/^voluntary/ { print $2 }' "/proc/$SHIM/status")" "how often the shim has slept"
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
    local main=$PID
    start worker -- "$WORLD/app/family" worker
    wait_for 3 said 'main ready'
    wait_for 3 said 'worker ready'
    kill -KILL "$PID"
    says '^exited worker .*exit=signal:9 ' wait 3 exited
    wait_for 3 run 1 'sleep 4321'
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

# --- with the agent ----------------------------------------------------------------------------------

zone_log() {
    cat "$WORLD/state/zones/web.blue/log"
}

logged() {
    zone_log | grep -q -x -- "$1"
}

# An app without ports from a script on stdin, which finds notify beside itself; LINEs are appended to its configuration.
ready_script() {
    script web
    release_install web v1 "$WORLD/app/web"
    cp "$TOOLS/notify" "$WORLD/srv/web/v1/bin/notify"
    {
        printf '[app]\nname = web\nuser = web\nrun = %s\n' "$WORLD/srv/web/%r/bin/web"
        printf '%s\n' "$@"
    } | app_conf web
    agent_start
}

is() {
    [ "$(status_of "$1")" = "$2" ]
}

test_agent_learns_of_exits_after_its_death() {
    ready_web '[restart]' 'delay = 100ms'
    bg deploy web v1
    local app shim
    app=$(status_of .zones.blue.pid)
    shim=$(status_of .zones.blue.shim_pid)
    agent_kill9
    kill -SEGV "$app"
    wait_for 3 gone "$app"
    sleep 0.3
    agent_start
    expect_eq "11 1 $shim" "$(status_of '[.zones.blue | .last_exit.signal, .restarts, .shim_pid | tostring] | join(" ")')"
    wait_for 5 answers v1
}

test_agent_makes_a_zone_anew_whose_shim_died() {
    ready_web
    bg deploy web v1
    local shim
    shim=$(status_of .zones.blue.shim_pid)
    kill -KILL "$shim"
    wait_for 10 is '.zones.blue | .state == "live" and .verdict == "healthy" and .shim_pid != '"$shim" true
    wait_for 5 answers v1
    expect_eq blue "$(status_of .live)" "the live zone"
}

test_agent_runs_several_processes() {
    ready_web '[process queue]' 'run = /bin/sleep 4321' '[process mail]' 'run = /bin/sleep 4322' '[restart]' 'delay = 100ms'
    bg deploy web v1
    wait_for 5 is '[.zones.blue.processes[] | select(.pid != null) | .name] | sort | join(" ")' 'mail queue'
    local app
    app=$(status_of .zones.blue.pid)
    # One ends, is started again, and nobody else notices.
    kill -KILL "$(running '^/bin/sleep 4321')"
    wait_for 5 is '.zones.blue.processes[] | select(.name == "queue") | .restarts' 1
    wait_for 5 run 1 '^/bin/sleep 4321'
    expect_eq "$app" "$(status_of .zones.blue.pid)" "the main process"
    # A new agent knows them.
    agent_kill9
    agent_start
    expect_eq 'mail queue' "$(status_of '[.zones.blue.processes[] | select(.pid != null) | .name] | sort | join(" ")')"
    run 1 '^/bin/sleep 4321' || fail "the queue did not survive the agent"
    bg stop web
    expect_eq '' "$(running '^/bin/sleep 432')" "what runs after stop"
}

test_agent_waits_for_what_the_app_says() {
    ready_script '[health]' 'notify = yes' 'interval = 100ms' 'start_timeout = 10s' <<'EOS'
cd "$(dirname "$0")"
sleep 1
echo saying
./notify READY=1
exec sleep 4321
EOS
    bg deploy web v1
    logged saying || fail "healthy before it had said so: $(zone_log)"
    expect_eq live "$(status_of .zones.blue.state)" "the zone"
}

test_agent_fails_what_never_says() {
    ready_script '[health]' 'notify = yes' 'interval = 100ms' 'start_timeout = 1s' <<'EOS'
exec sleep 4321
EOS
    ! bg deploy web v1 || fail "it was deployed"
    wait_for 5 runs_nowhere '^sleep 4321' # what has failed is ended behind the command
}

test_agent_sees_the_watchdog() {
    ready_script '[health]' 'notify = yes' 'watchdog = 1s' 'interval = 100ms' '[restart]' 'delay = 100ms' <<'EOS'
cd "$(dirname "$0")"
echo "every $WATCHDOG_USEC"
./notify READY=1
exec sleep 4321
EOS
    bg deploy web v1
    logged 'every 1000000' || fail "no watchdog in the environment: $(zone_log)"
    wait_for 5 is .zones.blue.last_exit.signal 6
    wait_for 5 logged 'bluegreen-zone: main: the watchdog ends it'
}

test_agent_stops_with_the_signal_of_the_configuration() {
    ready_script 'stop_signal = SIGQUIT' 'stop_timeout = 5s' <<'EOS'
trap 'echo got TERM; exit 0' TERM
trap 'echo got QUIT; exit 0' QUIT
echo ready
while :; do sleep 0.05; done
EOS
    bg deploy web v1
    wait_for 5 logged ready
    bg stop web
    logged 'got QUIT' || fail "it says: $(zone_log)"
    ! logged 'got TERM' || fail "it says: $(zone_log)"
}

test_agent_leaves_what_is_not_to_be_started_again() {
    ready_web '[restart]' 'policy = on-failure' '[process once]' 'run = /bin/true'
    bg deploy web v1
    wait_for 5 is '.zones.blue.processes[] | select(.name == "once") | .last_exit.code' 0
    sleep 0.5
    expect_eq 'null 0' "$(status_of '.zones.blue.processes[] | select(.name == "once") | "\(.pid) \(.restarts)"')"
}

run_tests
