#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How the shim looks after an app's processes: restarts and stops, with an agent that is away, dead or slow.
# tests/drivers/shim_driver.c stands for the agent. The last tests are with the agent itself.
# shellcheck disable=SC2016 # ${IFS} is for the shell of the app: commands of the driver are split at blanks
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/shim_lib.sh
. "$ROOT/tests/drivers/shim_lib.sh"

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

runs_nowhere() {
    [ -z "$(running "$1")" ]
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
