#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What each process may do: capabilities, no_new_privs, system call filters, as the kernel shows them.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, KILL 5, SETGID 6, SETUID 7, SETPCAP 8, NET_ADMIN 12, SYS_CHROOT 18, SYS_ADMIN 21,
# SYS_RESOURCE 24
MONITOR=$((1 << 0 | 1 << 1 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 12 | 1 << 18 | 1 << 21 | 1 << 24))
# SYS_PTRACE: the monitor does not use it and hands it on to the shim.
HANDED_ON=$((1 << 19))
# No FOWNER.
SHIM=$((MONITOR & ~(1 << 3) | HANDED_ON))

# kernel_says PID FIELD...: the fields of its status, one line.
kernel_says() {
    local pid=$1 field
    shift
    for field; do
        sed -n "s/^$field:\t//p" "/proc/$pid/status"
    done | xargs
}

capabilities() {
    kernel_says "$1" CapEff CapPrm CapBnd CapInh CapAmb
}

# expect_capabilities SET PID WHAT [HANDED_ON]: of SET, what the test itself has; some machines withhold one.
expect_capabilities() {
    local have set more
    have=$((16#$(kernel_says self CapEff)))
    set=$(printf %016x $(($1 & have)))
    more=$(printf %016x $((($1 | ${4:-0}) & have)))
    expect_eq "$set $more" "$(kernel_says "$2" CapEff CapPrm)" "capabilities of $3"
    expect_eq "0000000000000000 0000000000000000" "$(kernel_says "$2" CapInh CapAmb)" "inherited and ambient in $3"
}

none="0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000"

# The children of the monitor that run as this user.
role() {
    pgrep -P "$(agent_pid)" -u "$1"
}

test_roles_are_no_commands() {
    local role
    for role in api probe feed; do
        expect_status 2 "$BUILD/bluegreen-$role" root
        expect_match 'is started by bluegreend' "$OUTPUT"
    done
}

test_each_process_has_its_rights() {
    local pid user
    ready_web
    bg deploy web v1
    expect_capabilities "$MONITOR" "$(agent_pid)" "the monitor" "$HANDED_ON"
    expect_eq "$(kernel_says "$(agent_pid)" CapPrm)" "$(kernel_says "$(agent_pid)" CapBnd)" "the monitor's bounding set"
    expect_capabilities "$SHIM" "$(status_of .zones.blue.shim_pid)" "the shim"
    for user in bluegreen-api bluegreen-probe; do
        expect_eq "$none" "$(capabilities "$(role "$user")")" "capabilities of $user"
    done
    pid=$(status_of .zones.blue.pid)
    expect_eq "$none" "$(capabilities "$pid")" "capabilities of the app"
    expect_eq web "$(stat -c %U "/proc/$pid")" "user of the app"
}

# Each filter is one more than that of who started it.
test_each_process_has_its_filter() {
    ready_web
    bg deploy web v1
    expect_eq "1 2 1" "$(kernel_says "$(agent_pid)" NoNewPrivs Seccomp Seccomp_filters)" "the monitor"
    expect_eq "1 2 1" "$(kernel_says "$(status_of .zones.blue.shim_pid)" NoNewPrivs Seccomp Seccomp_filters)" "the shim"
    expect_eq "1 2 2" "$(kernel_says "$(role bluegreen-api)" NoNewPrivs Seccomp Seccomp_filters)" "the api role"
    expect_eq "1 2 2" "$(kernel_says "$(role bluegreen-probe)" NoNewPrivs Seccomp Seccomp_filters)" "the probe role"
    expect_eq "1 2 2" "$(kernel_says "$(status_of .zones.blue.pid)" NoNewPrivs Seccomp Seccomp_filters)" "the app"
}

# What an operator runs in a zone, and what the app runs beside its main process.
test_commands_and_workers_have_no_more_than_the_app() {
    local fields='^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)' app
    ready_web '[process worker]' 'run = /bin/sleep 1000'
    bg deploy web v1
    app=$(grep -E "$fields" "/proc/$(status_of .zones.blue.pid)/status")
    expect_eq "$app" "$(grep -E "$fields" "/proc/$(status_of '.zones.blue.processes[0].pid')/status")" "the worker"
    expect_eq "$app" "$(bg exec web -- grep -E "$fields" /proc/self/status)" "a command"
}

# The agent's own is left: it holds for all that the agent starts.
test_an_app_without_a_filter_of_its_own() {
    ready_web '[sandbox]' 'syscalls = off'
    bg deploy web v1
    expect_eq "1 2 1" "$(kernel_says "$(status_of .zones.blue.pid)" NoNewPrivs Seccomp Seccomp_filters)" "the app"
}

# Roles hold what they were given, and nothing that they could use otherwise.
test_roles_hold_sockets_only() {
    local user pid fd
    ready_web
    bg deploy web v1
    for user in bluegreen-api bluegreen-probe; do
        pid=$(role "$user")
        for fd in "/proc/$pid/fd"/*; do
            case "${fd##*/} $(readlink "$fd")" in
            [01]' /dev/null' | 2' '* | *' socket:'* | *'anon_inode:[eventpoll]' | *'anon_inode:[timerfd]') ;;
            # libcurl wakes itself up by one
            *'anon_inode:[eventfd]' | *' pipe:'*) ;;
            *) fail "$user holds ${fd##*/}: $(readlink "$fd")" ;;
            esac
        done
        expect_eq / "$(readlink "/proc/$pid/cwd")" "directory of $user"
    done
}

# A machine that withholds what the agent can do without.
test_what_is_withheld_is_done_without() {
    local pid
    world_net
    web_conf web 80
    release_install web v1
    agent_start
    agent_stop
    background setpriv --bounding-set=-sys_resource,-fowner "$BUILD/bluegreend" --config "$WORLD/etc" \
        --state "$WORLD/state" --run "$WORLD/run"
    AGENT=$!
    echo "$AGENT" >"$WORLD/agent.pid"
    wait_for 10 agent_answers
    expect_capabilities "$((MONITOR & ~(1 << 24 | 1 << 3)))" "$(agent_pid)" "the monitor" "$HANDED_ON"
    bg deploy web v1
    expect_eq v1 "$(release_seen)" "answer"
}

test_what_cannot_be_done_without_is_named() {
    mkdir -p "$WORLD/etc/apps" "$WORLD/state" "$WORLD/run"
    expect_status 1 setpriv --bounding-set=-setpcap "$BUILD/bluegreend" --config "$WORLD/etc" --state "$WORLD/state" \
        --run "$WORLD/run"
    expect_match 'bounding set.*CAP_SETPCAP' "$OUTPUT" "complaint"
}

run_tests "$@"
