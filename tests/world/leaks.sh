#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Zones that are made and removed over and over leave the machine, the agent and the shim as they were: counted.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck source=tests/drivers/counts_lib.sh
. "$ROOT/tests/drivers/counts_lib.sh"

test_five_hundred_zones_leave_nothing() {
    not_sanitized "what was freed stays resident"
    local driver=("$BUILD/tests/drivers/zone_driver" world "$WORLD/run" "$WORLD/state" "$BUILD/bluegreen-zone") before
    mkdir -p "$WORLD/run" "$WORLD/state"
    coproc D { exec "${driver[@]}" 2>>"$WORLD/driver.log"; }
    ask() {
        echo "$*" >&"${D[1]}"
        IFS= read -r -t 60 REPLY <&"${D[0]}" || fail "$*: no answer: $(cat "$WORLD/driver.log")"
        [[ $REPLY == ok* ]] || fail "$*: $REPLY"
    }
    # The first ones allocate what is kept.
    ask cycle 20 web blue 1
    sleep 1
    before=$(kernel_counts)
    local descriptors memory
    descriptors=$(descriptors_of "$D_PID")
    memory=$(anonymous_kib "$D_PID")
    local round
    for round in 1 2 3 4 5; do
        ask cycle 50 web blue 1
        ask cycle 50 web green 2
        echo "after $((100 * round)) zones: $(descriptors_of "$D_PID") descriptors, $(anonymous_kib "$D_PID") KiB"
    done
    expect_counts "$before" "after 500 zones"
    expect_eq "$descriptors" "$(descriptors_of "$D_PID")" "descriptors"
    [ "$(anonymous_kib "$D_PID")" -le $((memory + 64)) ] || fail "memory grew from $memory to $(anonymous_kib "$D_PID") KiB"
    expect_eq "" "$(ps -o pid= --ppid "$D_PID")" "children left"
}

# Memory and descriptors of the monitor and of its roles, a line each.
agent_weighs() {
    local name pid
    for name in monitor bluegreen-api bluegreen-probe; do
        pid=$AGENT
        [ "$name" = monitor ] || pid=$(pgrep -P "$AGENT" -f -- "$name")
        echo "$name $(anonymous_kib "$pid") $(descriptors_of "$pid")"
    done
}

# ROUNDS=100 is two hundred deploys.
test_agent_that_deployed_and_removed_sixty_times() {
    not_sanitized "what was freed stays resident"
    local before weight i name kib descriptors was_kib was_descriptors
    exec
    ready_web
    sed -i 's/^interval.*/interval = 50ms/; s/^passes.*/passes = 1/' "$WORLD/etc/apps/web.conf"
    cycle() {
        for ((i = 0; i < $1; i++)); do
            bg deploy web v1 >/dev/null
            bg deploy web v2 >/dev/null
            bg remove web --force >/dev/null
        done
    }
    # Long enough for the arenas of malloc and the ring of finished operations to have their size.
    cycle 20
    sleep 1
    before=$(kernel_counts)
    weight=$(agent_weighs)
    cycle "${ROUNDS:-60}"
    expect_counts "$before" "after ${ROUNDS:-60} rounds of two zones"
    while read -r name kib descriptors was_kib was_descriptors; do
        echo "$name: $was_kib KiB and $was_descriptors descriptors before, $kib and $descriptors after"
        expect_eq "$was_descriptors" "$descriptors" "descriptors of $name"
        [ "$kib" -le $((was_kib + 96)) ] || fail "memory of $name grew from $was_kib to $kib KiB"
    done < <(join --nocheck-order <(agent_weighs) - <<<"$weight")
}

test_shim_that_ran_a_hundred_commands() {
    local shim descriptors memory i
    ready_web
    bg deploy web v1
    shim=$(pgrep -x bluegreen-zone)
    run_some() {
        for ((i = 0; i < $1; i++)); do
            bg exec web blue -- /bin/true || fail "exec"
        done
    }
    run_some 10
    descriptors=$(descriptors_of "$shim")
    memory=$(anonymous_kib "$shim")
    run_some 100
    expect_eq "$descriptors" "$(descriptors_of "$shim")" "descriptors of the shim"
    [ "$(anonymous_kib "$shim")" -le $((memory + 16)) ] || fail "memory grew from $memory to $(anonymous_kib "$shim") KiB"
    # That of the last one goes when the next is made.
    [ "$(find /sys/fs/cgroup/world/web.blue/payload -mindepth 1 -type d | wc -l)" -le 2 ] || fail "cgroups of commands are left"
}

# Starts of the app are the shim's own work.
test_shim_that_started_the_app_sixty_times() {
    local shim descriptors memory
    mkdir -p "$WORLD/run" "$WORLD/state"
    coproc D { exec "$BUILD/tests/drivers/zone_driver" world "$WORLD/run" "$WORLD/state" "$BUILD/bluegreen-zone"; }
    printf 'create web blue 1\nstart 0 0 / 1000 100 /bin/sleep 1000\n' >&"${D[1]}"
    IFS= read -r -t 10 REPLY <&"${D[0]}" && IFS= read -r -t 10 REPLY <&"${D[0]}"
    [[ $REPLY == ok* ]] || fail "start: $REPLY"
    shim=$(pgrep -x bluegreen-zone)
    descriptors=$(descriptors_of "$shim")
    memory=$(anonymous_kib "$shim")
    # Ended and started by hand: no pause between.
    local i
    for ((i = 0; i < 60; i++)); do
        printf 'stop\nwait 5 stopped\nstart 0 0 / 1000 100 /bin/sleep 1000\n' >&"${D[1]}"
        IFS= read -r -t 10 REPLY <&"${D[0]}" && IFS= read -r -t 10 REPLY <&"${D[0]}" && IFS= read -r -t 10 REPLY <&"${D[0]}"
        [[ $REPLY == ok* ]] || fail "start $i: $REPLY"
    done
    expect_eq "$descriptors" "$(descriptors_of "$shim")" "descriptors of the shim"
    [ "$(anonymous_kib "$shim")" -le $((memory + 16)) ] || fail "memory grew from $memory to $(anonymous_kib "$shim") KiB"
}

run_tests
