#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a zone may use and what it is given: limits, figures, freezing, whom the kernel takes when memory runs out,
# directories, several processes. tests/drivers/zone_driver.c stands for the agent. What takes controllers of cgroup v2
# is skipped where there are none, and run in the VM.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/zone_lib.sh
. "$ROOT/tests/drivers/zone_lib.sh"
PAYLOAD=/sys/fs/cgroup/world/web.blue/payload

needs_controllers() {
    ok controllers
    local name
    for name; do
        [[ "$REPLY " == *" $name "* ]] || skip "cgroup v2 has no controller $name here"
    done
}

no_controllers() {
    ok controllers
    [ "$REPLY" = "ok " ] || skip "cgroup v2 has controllers here"
}

# usage FIELD
usage() {
    ok usage
    [[ $REPLY =~ $1\ ([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}

usage_line() {
    ok usage
    echo "$REPLY"
}

at_least() {
    [ "$(usage "$1")" -ge "$2" ]
}

# An app of perl's, from stdin.
perl_app() {
    mkdir -p "$WORLD/app"
    { echo '#!/usr/bin/perl'; cat; } >"$WORLD/app/$1"
    chmod 755 "$WORLD/app/$1"
}

# 48 MiB of its own, a child that shares them, some CPU time.
memory_app() {
    perl_app memory <<'EOS'
my $x = "a";
$x x= 48 << 20;
fork;
for (1 .. 1000000) { $n += $_ }
sleep 100;
EOS
    start "$WORLD/app/memory"
    wait_for 20 at_least tasks 2
    wait_for 20 at_least memory $((48 << 20))
}

ticker() {
    script ticker <<'EOS'
trap 'echo bye; exit 0' TERM
i=0
while :; do
    i=$((i + 1))
    echo "tick $i"
    read -r -t 0.05 <> <(:)
done
EOS
    start "$WORLD/app/ticker"
    wait_for 5 log_has '^tick 3$'
}

last_tick() {
    tail -n 1 "$LOG" | cut -d' ' -f2
}

# --- without controllers -----------------------------------------------------------------------------

test_limits_that_cannot_be_kept_are_refused() {
    driver
    no_controllers
    ok describe
    expect_match 'without limits: cgroup v2 has no controllers here' "$REPLY" "description"
    ok create web blue 1
    ok limit
    refused 95 limit memory=67108864 cpu=500
    expect_match '\[limits\] this host has no cgroup v2 controllers memory cpu for zones \(it has: none\).*required = no' \
        "$REPLY" "refusal"
    refused 95 limit tasks=100
    expect_match 'controllers pids ' "$REPLY" "refusal"
    # Asked for no swap on a kernel that cannot give any: that is kept.
    ok limit swap=0
    # The agent goes on where required = no: the app runs.
    start /bin/sleep 100
}

test_usage_is_estimated() {
    driver
    no_controllers
    ok create web blue 1
    memory_app
    # CPU time and tasks need no controller.
    expect_match '^ok known 0 1 1 ' "$(usage_line)"
    wait_for 5 at_least cpu 1000
    expect_eq 2 "$(usage tasks)" "tasks"
    [ "$(usage memory)" -lt $((400 << 20)) ] || fail "far too much: $(usage memory)"
    ok stop
    ok wait 5 stopped
    expect_eq 0 "$(usage tasks)" "tasks after the end"
}

test_usage_without_cgroups() {
    umount -l /sys/fs/cgroup
    trap 'mount -t cgroup2 cgroup2 /sys/fs/cgroup' EXIT
    driver
    ok create web blue 1
    memory_app
    expect_match '^ok known 0 0 1 ' "$(usage_line)"
    expect_eq 2 "$(usage tasks)" "tasks"
    refused 95 limit memory=67108864
    expect_match 'no cgroup v2 for zones' "$REPLY" "refusal"
    refused 95 freeze
}

test_memory_for_another_zone() {
    driver
    ok available
    local available=${REPLY#ok } host
    host=$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)
    [ "$available" -gt 0 ] || fail "nothing"
    [ "$available" -le $(((host << 10) + (64 << 20))) ] || fail "$available bytes of $host KiB"
}

# --- open files --------------------------------------------------------------------------------------

test_open_files() {
    script count <<'EOS'
echo "files $(ulimit -Sn) $(ulimit -Hn)"
sleep 100
EOS
    driver
    ok create web blue 1
    ok set open_files 333
    start "$WORLD/app/count"
    wait_for 5 log_has '^files 333 333$'
    ok stop
    ok wait 5 stopped
    ok set open_files 1073741817
    refused 1 start 1 1 / 1000 100 /bin/true
    expect_match 'start web/blue: .*\[limits\] open_files' "$REPLY" "what it says"
    expect_eq 0 "$(field pid)" "pid after the refusal"
}

# --- freezing ----------------------------------------------------------------------------------------

test_freeze_and_thaw() {
    driver
    ok create web blue 1
    ticker
    ok freeze
    expect_eq 1 "$(cat "$PAYLOAD/cgroup.freeze")" "cgroup.freeze"
    expect_match 'frozen 1' "$(cat "$PAYLOAD/cgroup.events")" "cgroup.events"
    sleep 0.1
    local before
    before=$(last_tick)
    sleep 0.4
    expect_eq "$before" "$(last_tick)" "ticks of a frozen app"
    ok freeze
    ok set process worker
    refused 16 start 1 1 / 1000 100 /bin/true
    expect_match 'frozen' "$REPLY" "refusal"
    ok thaw
    wait_for 5 log_has "^tick $((before + 3))$"
    ok start 1 1 / 1000 100 /bin/sleep 100
}

test_frozen_zone_stops_gracefully() {
    driver
    ok create web blue 1
    ticker
    ok freeze
    ok stop
    ok wait 3 stopped
    log_has '^bye$' || fail "no last words: $(tail -n 2 "$LOG")"
    expect_eq 0 "$(cat "$PAYLOAD/cgroup.freeze")" "cgroup.freeze"
}

test_frozen_zone_is_adopted_frozen() {
    driver
    ok create web blue 1
    ticker
    ok freeze
    kill -9 "$DRIVER_PID"
    wait "$DRIVER_PID" 2>/dev/null || :
    driver
    ok adopt web blue 1
    refused 16 start 1 1 / 1000 100 /bin/true
    local before
    before=$(last_tick)
    ok thaw
    wait_for 5 log_has "^tick $((before + 3))$"
    # Thawed by somebody else while no agent looked: what is, is what the next one believes.
    ok freeze
    ok release
    echo 0 >"$PAYLOAD/cgroup.freeze"
    ok adopt web blue 1
    ok set process worker
    ok start 1 1 / 1000 100 /bin/sleep 100
}

test_frozen_zone_can_be_destroyed() {
    driver
    ok create web blue 1
    ticker
    ok freeze
    ok destroy
    [ ! -e "$PAYLOAD" ] || fail "its cgroup is left"
    expect_eq "" "$(pgrep -x bluegreen-zone; pgrep -f app/ticker)" "processes left"
}

# --- whom the kernel takes ---------------------------------------------------------------------------

score() {
    cat "/proc/$1/oom_score_adj"
}

test_live_zone_is_taken_last() {
    script family <<'EOS'
sleep 1001 &
(echo 700 >/proc/self/oom_score_adj; exec sleep 1002) &
echo up
wait
EOS
    driver
    ok create web blue 1
    start "$WORLD/app/family"
    wait_for 5 log_has '^up$'
    wait_for 5 pgrep -f '^sleep 1002$'
    local child own
    child=$(pgrep -f '^sleep 1001$')
    own=$(pgrep -f '^sleep 1002$')
    expect_eq "500 500 700" "$(score "$APP") $(score "$child") $(score "$own")" "scores of a zone that is not live"
    # Not every machine lets root lower them.
    (echo 500 >/proc/self/oom_score_adj && echo 0 >/proc/self/oom_score_adj) 2>/dev/null || skip "oom_score_adj stays"
    ok live yes
    expect_eq "0 0 700" "$(score "$APP") $(score "$child") $(score "$own")" "scores of a live zone"
    # What the shim starts again has the new one; the setting of the first start is of yesterday.
    kill -9 "$APP"
    ok wait 5 exited
    ok wait 5 running
    expect_eq 0 "$(score "$(field pid)")" "score after a restart"
    ok live no
    expect_eq 500 "$(score "$(field pid)")" "score of a zone that is live no more"
}

# --- state directories -------------------------------------------------------------------------------

test_state_directories() {
    local web at=$WORLD/srv
    web=$(id -u web):$(id -g web)
    mkdir -m 755 "$at"
    driver
    ok create web blue 1
    ok file state "$at/new/deep/data" /var/lib/web-data
    ok file write "$at"
    refused 2 start 1 1 / 1000 100 /bin/no-such-file # made before anything is started
    expect_eq "1:1 750" "$(stat -c '%u:%g %a' "$at/new/deep/data")" "the directory"
    expect_eq "0:0 755" "$(stat -c '%u:%g %a' "$at/new/deep")" "what is above it"
    expect_eq "data" "$(ls -A "$at/new/deep")" "what else is there"
    # What is there stays as it is.
    chmod 777 "$at/new/deep/data"
    refused 2 start "${web%:*}" "${web#*:}" / 1000 100 /bin/no-such-file
    expect_eq "1:1 777" "$(stat -c '%u:%g %a' "$at/new/deep/data")" "the directory, the second time"
    # An app that owns a directory above plants a link.
    mkdir -m 755 "$at/app"
    chown "$web" "$at/app"
    mkdir "$WORLD/precious"
    ln -s "$WORLD/precious" "$at/app/link"
    ok file none
    ok file state "$at/app/link/evil"
    refused 40 start "${web%:*}" "${web#*:}" / 1000 100 /bin/true
    expect_match "state directory $at/app/link/evil: .*name the place you mean" "$REPLY" "refusal"
    [ ! -e "$WORLD/precious/evil" ] || fail "the link was followed"
    : >"$at/file"
    ok file none
    ok file state "$at/file/below"
    refused 20 start 1 1 / 1000 100 /bin/true
    expect_match 'no directory' "$REPLY" "refusal"
    # What a crash left half made.
    mkdir "$at/.bluegreen-new"
    ok file none
    ok file state "$at/again"
    ok start "${web%:*}" "${web#*:}" / 1000 100 /bin/sleep 100
    expect_eq "again app file new" "$(find "$at" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | xargs)" "what is there"
    expect_eq "$web 750" "$(stat -c '%u:%g %a' "$at/again")" "the directory"
}

test_files_that_cannot_be_shown() {
    local at=$WORLD/srv
    mkdir -p "$at"
    ln -s "$WORLD/app" "$at/link"
    driver
    ok create web blue 1
    ok file read "$at/missing"
    refused 2 start 1 1 / 1000 100 /bin/true
    expect_match "start web/blue: .*$at/missing: No such file.*\[files\]" "$REPLY" "a source that is missing"
    ok file none
    ok file read "$at/link"
    refused 40 start 1 1 / 1000 100 /bin/true
    expect_match "start web/blue: .*$at/link: .*name in \[files\] the place you mean" "$REPLY" "a link"
    expect_eq 0 "$(field pid)" "pid"
}

# --- several processes -------------------------------------------------------------------------------

test_several_processes() {
    driver
    ok create web blue 1
    start /bin/sleep 1001
    ok set process worker
    start /bin/sleep 1002
    local worker=$APP
    expect_eq "0::/world/web.blue/payload/worker" "$(tail -n 1 "/proc/$worker/cgroup")" "the worker's cgroup"
    refused 16 start 1 1 / 1000 100 /bin/true
    expect_match 'start web/blue worker: it runs already' "$REPLY" "the second start"
    ok processes
    expect_eq "ok worker:$worker" "$REPLY" "processes beside main"
    kill -9 "$worker"
    ok wait 5 exited worker
    ok wait 5 running worker
    ok status worker
    expect_match 'restarts 1 exit signal 9 ' "$REPLY" "the worker's status"
    expect_eq 0 "$(field restarts)" "main's restarts"
    # Another agent learns of both.
    ok release
    ok adopt web blue 1
    ok status worker
    expect_match 'ok pid [1-9].* restarts 1 exit signal 9 ' "$REPLY" "the worker's status, for another agent"
    ok stop worker
    ok wait 5 stopped worker
    [ "$(field pid)" != 0 ] || fail "main ended with the worker"
    ok stop
    ok wait 5 stopped main
    expect_eq "" "$(pgrep -x sleep)" "processes left"
}

test_process_that_runs_once() {
    script check <<'EOS'
echo "all is well, $1"
exit 3
EOS
    driver
    ok create web blue 1
    start /bin/sleep 1001
    ok set deadline 2000
    ok set process one
    start "$WORLD/app/check" first
    ok wait 5 ended one
    expect_eq "ok ended one all is well, first" "$REPLY" "its last line"
    ok processes
    expect_eq "ok" "$REPLY" "what is known afterwards"
    ok set process two
    start "$WORLD/app/check" second
    ok wait 5 ended two
    expect_eq "main two" "$(find "$PAYLOAD" -mindepth 1 -type d -printf '%f\n' | sort | xargs)" "cgroups that are left"
    # One that takes too long: not to be confused with one that somebody kills.
    ok set deadline 200
    start /bin/sleep 1002
    ok wait 5 ended two
    expect_eq "ok ended two (late) " "$REPLY" "one that takes too long"
    ok set deadline 20000
    start /bin/sleep 1002
    kill -KILL "$APP"
    ok wait 5 ended two
    expect_eq "ok ended two " "$REPLY" "one that is killed"
    expect_eq "" "$(pgrep -f '^/bin/sleep 1002$')" "processes beyond their deadline"
    refused 22 set process a-name-that-is-longer-than-any-process-has
    ok set process ../evil
    refused 22 start 1 1 / 1000 100 /bin/true
}

# --- the filter --------------------------------------------------------------------------------------

test_filter_is_loaded() {
    local profile
    driver
    ok create web blue 1
    for profile in 0 1 2 3; do
        ok set syscalls "$profile"
        start /bin/sleep 100
        local filters
        filters=$(awk '/^Seccomp:/ { print $2 }' "/proc/$APP/status")
        expect_eq "$([ "$profile" = 3 ] && echo 0 || echo 2)" "$filters" "filters with profile $profile"
        ok stop
        ok wait 5 stopped
    done
}

# --- with controllers --------------------------------------------------------------------------------

test_limits_are_set() {
    driver
    needs_controllers memory cpu pids
    ok describe
    expect_match 'limits of memory cpu pids' "$REPLY" "description"
    ok create web blue 1
    start /bin/sleep 100
    ok limit memory=67108864 memory_high=60000000 swap=0 cpu=500 cpu_weight=50 tasks=40
    expect_eq "67108864 59998208 1 50000 100000 50 40" "$(cd "$PAYLOAD" && cat memory.max memory.high \
        memory.oom.group cpu.max cpu.weight pids.max | xargs)" "limits"
    # Run-time systems look here.
    expect_eq "67112960" "$(cat "/proc/$APP/root/sys/fs/cgroup/memory.max")" "the limit as the app sees it"
    expect_eq "50000 100000" "$(cat "/proc/$APP/root/sys/fs/cgroup/cpu.max")" "the CPU as the app sees it"
    ok set process worker
    start /bin/sleep 100
    expect_eq "67112960" "$(cat "/proc/$APP/root/sys/fs/cgroup/memory.max")" "the limit as a later process sees it"
    ok limit
    expect_eq "max max max 100000 100 max" "$(cd "$PAYLOAD" && cat memory.max memory.high cpu.max cpu.weight \
        pids.max | xargs)" "lifted limits"
    expect_eq "max" "$(cat "$PAYLOAD/main/memory.max")" "the app's"
}

test_usage_is_known() {
    driver
    needs_controllers memory pids
    ok create web blue 1
    memory_app
    expect_eq 1 "$(usage known)" "known"
    expect_eq 2 "$(usage tasks)" "tasks"
    [ "$(usage memory)" -lt $((90 << 20)) ] || fail "what two processes share counts twice: $(usage memory)"
    [ "$(usage cpu)" -gt 0 ] || fail "no CPU time"
    expect_eq 0 "$(usage ooms)" "processes killed"
}

test_memory_runs_out() {
    perl_app greedy <<'EOS'
exec "sleep", "1001" if fork == 0;
select(undef, undef, undef, 0.1) until -e $ARGV[0];
my $x = "a" x (256 << 20);
sleep 100;
EOS
    mkdir -m 755 "$WORLD/flag"
    driver
    needs_controllers memory
    ok file read "$WORLD/flag"
    ok create web blue 1
    ok limit memory=67108864 swap=0
    start "$WORLD/app/greedy" "$WORLD/flag/go"
    ok set process worker
    start /bin/sleep 1002
    local worker=$APP
    touch "$WORLD/flag/go"
    ok wait 60 oom
    ok wait 20 exited main
    ok status
    expect_match 'exit signal 9 ' "$REPLY" "how it ended"
    ok status worker
    [[ $REPLY != "ok pid $worker "* ]] || fail "the worker lived on: the app is a group"
    [ "$(usage ooms)" -ge 3 ] || fail "$(usage ooms) processes were killed, of 3"
    # It runs into it again and again; each time is told once, and the shim lives.
    ok wait 60 running main
    ok wait 60 oom
    [ "$(field shim)" != 0 ] || fail "the shim is gone"
}

test_tasks_are_limited() {
    script forks <<'EOS'
for i in {1..30}; do sleep 1000 & done 2>/dev/null
wait
EOS
    driver
    needs_controllers pids
    ok create web blue 1
    ok limit tasks=10
    start "$WORLD/app/forks"
    wait_for 30 at_least tasks 10
    expect_eq 10 "$(usage tasks)" "tasks"
    ok usage
    expect_match 'hits [0-9]+ [1-9]' "$REPLY" "hits of memory's and of the tasks' limit"
    ok set process worker
    refused 11 start 1 1 / 1000 100 /bin/true
    expect_match '\[limits\] tasks' "$REPLY" "refusal"
}

test_cpu_is_limited() {
    driver
    needs_controllers cpu
    ok create web blue 1
    ok limit cpu=100
    script spin <<<'while :; do :; done'
    start "$WORLD/app/spin"
    local before
    before=$(usage cpu)
    sleep 3
    local used=$(($(usage cpu) - before))
    [ "$used" -lt 900000 ] || fail "used $used us in 3 s with a tenth of a CPU"
    wait_for 10 at_least throttled 100000
}

test_limited_above() {
    driver
    needs_controllers memory
    ok create web blue 1
    echo 134217728 >/sys/fs/cgroup/world/memory.max
    ok available
    [ "${REPLY#ok }" -le 134217728 ] || fail "$REPLY bytes, of 134217728"
    echo max >/sys/fs/cgroup/world/memory.max
}

run_tests
