# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tests of vm.sh that want the controllers of cgroup v2: limits, what happens when memory runs out, and that both
# outlast the agent. Sourced by vm.sh, whose app web is live on green with v2, and on standby on blue with v1.
#
# What eats memory, processor or processes is put into a zone's cgroup from outside, where the app's own processes are:
# the kernel counts it as the app's.
: "${bluegreen=}" # vm.sh's

payload_of() {
    echo "/sys/fs/cgroup/bluegreen.slice/bluegreen-$1-$2.scope/payload"
}

# in_zone APP COLOUR CMD...: in its cgroup, and no more and no less likely to be killed than the app.
in_zone() {
    local payload pid
    payload=$(payload_of "$1" "$2") pid=$(field "$1" ".zones.$2.pid")
    shift 2
    # shellcheck disable=SC2016 # the inner shell expands it
    sh -c 'cat "/proc/$2/oom_score_adj" >/proc/self/oom_score_adj && echo 0 >"$1/main/cgroup.procs" && shift 2 &&
        exec "$@"' in_zone "$payload" "$pid" "$@"
}

# hold_memory APP COLOUR SIZE SECONDS: dd fills its buffer and then waits for a reader that does not read.
hold_memory() {
    # shellcheck disable=SC2016 # the inner shell expands it
    in_zone "$1" "$2" sh -c 'dd if=/dev/zero bs="$1" count=1 2>/dev/null | sleep "$2"' hold "$3" "$4"
}

# from_cgroup APP COLOUR ATTRIBUTE [KEY]
from_cgroup() {
    if [ $# -eq 3 ]; then
        cat "$(payload_of "$1" "$2")/$3"
    else
        sed -n "s/^$4 //p" "$(payload_of "$1" "$2")/$3"
    fi
}

# What limited is limited to, as the kernel has it.
limits_now() {
    local attribute
    for attribute in memory.max memory.swap.max memory.oom.group cpu.max cpu.weight pids.max; do
        echo "$attribute=$(from_cgroup limited blue $attribute 2>/dev/null)"
    done | xargs
}

LIMITS="memory.max=67108864 memory.swap.max= memory.oom.group=1 cpu.max=50000 100000 cpu.weight=50 pids.max=12"

# A kernel without swap has no such attribute, and one with it was told 0.
expect_limits() {
    expect_eq "$LIMITS" "$(limits_now | sed 's/memory.swap.max=0/memory.swap.max=/')" "limits of the zone"
}

test_limits_are_what_the_app_sees() {
    local inside
    web_conf limited 82 '[limits]' 'memory = 64M' 'swap = 0' 'cpu = 50%' 'cpu_weight = 50' 'tasks = 12'
    release_install limited v1
    "$bluegreen" reload
    "$bluegreen" deploy limited v1
    expect_eq v1 "$(answer 82)" "answer"
    expect_limits
    expect_eq "67108864 500 12 true" "$(field limited \
        '.zones.blue.usage | "\(.memory_limit) \(.cpu_limit_permille) \(.tasks_limit) \(.limited)"')" "limits in status"
    # A run-time system that sizes itself looks here, and sees a page more than its zone has.
    inside=/proc/$(field limited .zones.blue.pid)/root/sys/fs/cgroup
    expect_eq "67112960" "$(cat "$inside/memory.max")" "memory that the app sees"
    expect_eq "50000 100000" "$(cat "$inside/cpu.max")" "processor that the app sees"
    expect_match ' / /sys/fs/cgroup ro,' "$(cat "/proc/$(field limited .zones.blue.pid)/mountinfo")" "the mount it is on"
}

test_limits_hold() {
    local before used payload pids
    payload=$(payload_of limited blue)
    before=$(from_cgroup limited blue cpu.stat usage_usec)
    timeout 3 sh -c "echo 0 >$payload/main/cgroup.procs; while :; do :; done" || :
    used=$(($(from_cgroup limited blue cpu.stat usage_usec) - before))
    echo "used $used us of processor in 3 s"
    # Half of one, and what an emulated clock adds.
    if [ "$used" -lt 700000 ] || [ "$used" -gt 2100000 ]; then
        fail "the loop used $used us of 3 s, with cpu = 50%"
    fi
    [ "$(from_cgroup limited blue cpu.stat nr_throttled)" -gt 0 ] || fail "nobody was throttled"
    # shellcheck disable=SC2016 # the inner shell expands it
    pids=$(in_zone limited blue sh -c 'i=0; while [ $i -lt 15 ]; do sleep 5 >/dev/null & i=$((i + 1)); done' 2>&1 || :)
    expect_match "[Cc]annot fork" "$pids" "one process too many"
    # Older kernels count it where the process was, newer ones where the limit is.
    expect_match '^max [1-9]' "$(cat "$payload"/{,main/}pids.events | sort -r | head -n 1)" "how often a limit was met"
    [ "$(from_cgroup limited blue pids.current)" -le 12 ] || fail "$(from_cgroup limited blue pids.current) processes"
    wait_for 20 answers v1 82
}

has_come_back() {
    local pid
    pid=$(field limited .zones.blue.pid) && [ "$pid" != "$1" ] && [ -d "/proc/$pid" ] && answers v1 82
}

test_memory_that_runs_out_takes_the_whole_app_and_it_comes_back() {
    local app shim helper
    app=$(field limited .zones.blue.pid) shim=$(field limited .zones.blue.shim_pid)
    # Another process of the app, that does nothing.
    in_zone limited blue sleep 60 &
    helper=$!
    expect_status 137 in_zone limited blue dd if=/dev/zero of=/dev/null bs=96M count=1
    wait_for 60 has_come_back "$app"
    ! kill -0 "$helper" 2>/dev/null || fail "another process of the app was left alone"
    expect_eq "$shim true" "$(field limited '.zones.blue | "\(.shim_pid) \(.usage.oom_kills > 0)"')" "shim, counted"
    expect_eq 9 "$(field limited .zones.blue.last_exit.signal)" "signal that ended the app"
    expect_limits
    "$bluegreen" history limited
    expect_match 'out-of-memory.*memory = 64' "$("$bluegreen" history limited)" "the history"
    expect_match 'memory = 64' "$(journalctl --quiet --unit=bluegreend --output=cat --since=-60s)" "the log"
}

picture_of_limited() {
    field limited '[.live, .state, (.zones.blue | .shim_pid, .pid, .restarts, .usage.memory_limit, .usage.limited)]
        | map(tostring) | join(" ")'
}

# Restarts and kill -9 are in vm.sh.
test_the_agent_comes_and_goes_with_limits_on() {
    local before
    before=$(picture_of_limited)
    systemctl stop bluegreend
    expect_limits
    expect_eq v1 "$(answer 82)" "answer without an agent"
    systemctl daemon-reexec
    systemctl start bluegreend
    expect_eq "$before" "$(picture_of_limited)" "after stop, daemon-reexec and start"
    expect_limits
    expect_eq v1 "$(answer 82)" "answer"
}

test_memory_runs_out_while_the_agent_is_away() {
    local app kills
    app=$(field limited .zones.blue.pid) kills=$(field limited .zones.blue.usage.oom_kills)
    systemctl stop bluegreend
    # in_zone would ask the agent.
    expect_status 137 sh -c "echo 0 >$(payload_of limited blue)/main/cgroup.procs; exec dd if=/dev/zero of=/dev/null bs=96M count=1"
    wait_for 60 answers v1 82
    systemctl start bluegreend
    wait_for 30 has_come_back "$app"
    expect_eq "true 9" "$(field limited \
        ".zones.blue | \"\(.usage.oom_kills > $kills) \(.last_exit.signal)\"")" "counted, and the signal"
}

score_of() {
    cat "/proc/$(field web ".zones.$1.$2")/oom_score_adj"
}

# The slice of all zones gets less memory than both zones of an app want: what is on standby is taken, whoever asked for
# the last page.
test_the_standby_goes_before_the_live_zone() {
    local live standby before slice=/sys/fs/cgroup/bluegreen.slice
    # shellcheck disable=SC2016 # jq's own dollar
    live=$(field web .live) standby=$(field web '.live as $live | .zones | keys[] | select(. != $live)')
    expect_eq "0 500" "$(score_of "$live" pid) $(score_of "$standby" pid)" "scores of live and standby"
    expect_match '^-[0-9]+$' "$(score_of "$live" shim_pid)" "score of the shim"
    before=$(field web "[.zones.$live.pid, .zones.$live.restarts] | map(tostring) | join(\" \")")
    systemctl set-property --runtime bluegreen.slice MemoryMax=$(($(cat $slice/memory.current) + (40 << 20)))
    hold_memory web "$standby" 36M 60 &
    wait_for 30 holds web "$standby" 36
    hold_memory web "$live" 36M 1
    systemctl set-property --runtime bluegreen.slice MemoryMax=infinity
    expect_eq "$before" "$(field web "[.zones.$live.pid, .zones.$live.restarts] | map(tostring) | join(\" \")")" "live"
    expect_eq "$(field web ".zones.$live.release")" "$(answer)" "answer"
    expect_eq "true 0" "$(field web \
        ".zones | \"\(.$standby.usage.oom_kills > 0) \(.$live.usage.oom_kills)\"")" "killed on standby, and live"
    wait_for 60 field_is web ".zones.$standby.verdict" healthy
    # After a switch it is the other way round.
    "$bluegreen" rollback web
    expect_eq "500 0" "$(score_of "$live" pid) $(score_of "$standby" pid)" "scores after a rollback"
    "$bluegreen" rollback web
    expect_eq "0 500" "$(score_of "$live" pid) $(score_of "$standby" pid)" "scores after another one"
}

# holds APP COLOUR MEBIBYTES
holds() {
    [ "$(from_cgroup "$1" "$2" memory.current)" -ge $(($3 << 20)) ]
}

test_limits_are_back_after_a_reboot() {
    wait_for 60 answers v1 82
    expect_limits
}
