#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent, its roles and the shims are killed, the host is rebooted, the disk is full: traffic flows on and status is true.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

test_killed_agent_adopts_zones_and_traffic_does_not_notice() {
    ready_web
    bg deploy web v1
    bg deploy web v2
    bg drain web
    local blue green
    blue=$(status_of .zones.blue.pid) green=$(status_of .zones.green.pid)
    load_start all --new 3 --keepalive 4 --body 2000 --url "$URL4"
    for ((i = 0; i < 5; i++)); do
        agent_kill9
        sleep 0.2
        agent_start
    done
    expect_eq "$blue" "$(status_of .zones.blue.pid)" "blue's pid"
    expect_eq "$green" "$(status_of .zones.green.pid)" "green's pid"
    expect_eq green "$(status_of .live)"
    expect_eq standby "$(status_of .zones.blue.state)"
    wait_for 5 bg rollback web
    load_end all >"$WORLD/report.json" || { cat "$WORLD/report.json"; fail "requests failed"; }
    json '.failed == 0' <"$WORLD/report.json"
}

# A deploy is killed at moments spread over its whole length: live must answer throughout, the next agent's status must be
# true, and the next deploy must work.
test_agent_killed_anywhere_in_a_deploy() {
    ready_web '[drain]' 'timeout = 200ms'
    bg deploy web v1
    load_start all --new 2 --keepalive 2 --requests-per-connection 10 --url "$URL4"
    local i live seen
    for ((i = 0; i < 24; i++)); do
        bg deploy web v2 >/dev/null 2>&1 &
        sleep "0.$(printf %03d $((i * 30)))"
        agent_kill9
        wait $! || :
        agent_start
        live=$(status_of .live)
        seen=$(release_seen)
        expect_eq "$(status_of ".zones.$live.release")" "$seen" "after $((i * 30)) ms: the live zone's release"
        expect_eq live "$(status_of ".zones.$live.state")" "after $((i * 30)) ms: the live zone's state"
        expect_eq null "$(bg status web --json | jq -c .operation)"
        if [ "$seen" = v2 ]; then
            bg deploy web v1 >/dev/null || fail "after $((i * 30)) ms the next deploy failed"
        fi
    done
    bg deploy web v2
    load_end all >"$WORLD/report.json" || { cat "$WORLD/report.json"; fail "requests failed"; }
    json '.failed == 0' <"$WORLD/report.json"
}

test_agent_killed_in_a_drain_goes_on_draining() {
    ready_web '[drain]' 'timeout = 3s'
    bg deploy web v1
    on_client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    wait_for 5 grep -q answer "$WORLD/held"
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 10 is_state blue draining
    agent_kill9
    agent_start
    expect_eq draining "$(status_of .zones.blue.state)"
    expect_eq 1 "$(status_of .zones.blue.connections.tcp)"
    wait_for 10 is_state blue standby
    expect_match 'closed reset' "$(cat "$WORLD/held")"
}

test_an_exit_while_the_agent_was_dead_is_known() {
    ready_web
    bg deploy web v1
    local pid
    pid=$(status_of .zones.blue.pid)
    agent_kill9
    kill -SEGV "$pid"
    sleep 1
    agent_start
    expect_eq 11 "$(status_of .zones.blue.last_exit.signal)"
    wait_for 5 answers v1
}

test_killed_shim_its_zone_is_rebuilt() {
    ready_web
    bg deploy web v1
    bg deploy web v2
    bg drain web
    kill -KILL "$(status_of .zones.green.shim_pid)"
    wait_for 10 answers v2
    expect_eq green "$(status_of .live)"
    kill -KILL "$(status_of .zones.blue.shim_pid)"
    wait_for 10 bg rollback web
    wait_for 10 answers v1
}

test_killed_roles_are_started_again() {
    ready_web
    bg deploy web v1
    local role
    for role in bluegreen-api bluegreen-probe; do
        pgrep -f -- "$role" >"$WORLD/pids"
        xargs kill -KILL <"$WORLD/pids"
        wait_for 5 bg status
        expect_status 0 bg deploy web v2
        expect_status 0 bg rollback web
    done
}

# What a reboot does: every process is gone, /run and the kernel's state are empty; disks stay.
reboot_host() {
    local name
    agent_kill9
    for name in blue green; do
        kill -KILL "$(cat "$WORLD/shim.$name")" 2>/dev/null || :
    done
    sleep 0.3
    nft flush ruleset
    for name in /run/netns/bg-*; do
        [ ! -e "$name" ] || { umount -l "$name"; rm -f "$name"; }
    done
    rm -rf "$WORLD/run"
    for name in /sys/class/net/bg*; do
        # The kernel takes it away with the other end's network, some time.
        [ ! -e "$name" ] || ip link del "${name##*/}" || [ ! -e "$name" ]
    done
}

note_shims() {
    status_of .zones.blue.shim_pid >"$WORLD/shim.blue"
    status_of .zones.green.shim_pid >"$WORLD/shim.green"
}

test_after_a_reboot_the_same_release_is_live_again() {
    ready_web
    bg deploy web v1
    bg deploy web v2
    bg drain web
    local address
    address=$(status_of '.zones.green.addresses | tostring')
    note_shims
    # What the file says today must not matter for what ran.
    sed -i 's/^http = 80 .*/http = 8888 -> 8080\/tcp/' "$WORLD/etc/apps/web.conf"
    reboot_host
    agent_start
    wait_for 10 answers v2
    expect_eq green "$(status_of .live)"
    expect_eq "$address" "$(status_of '.zones.green.addresses | tostring')" "addresses"
    wait_for 10 is_state blue standby
    wait_for 10 bg rollback web
    wait_for 10 answers v1
}

test_a_stopped_app_stays_stopped_over_a_reboot() {
    ready_web
    bg deploy web v1
    bg deploy web v2
    note_shims
    bg stop web
    reboot_host
    agent_start
    sleep 1
    expect_eq stopped "$(status_of .state)"
    expect_eq '' "$(find /run/netns -name 'bg-*')"
    bg start web
    expect_eq v2 "$(release_seen)"
}

test_journal_not_writable_rollback_goes_ahead_the_rest_is_refused() {
    world_net
    mkdir -p "$WORLD/state"
    mount -t tmpfs -o size=2m small "$WORLD/state"
    web_conf web 80
    release_install web v1
    release_install web v2
    agent_start
    bg deploy web v1
    bg deploy web v2
    bg drain web
    dd if=/dev/zero of="$WORLD/state/filler" bs=4k 2>/dev/null || :
    # The last page of the journal file may still take some lines: fill it up with operations that leave a record.
    local i status=0
    for ((i = 0; i < 100 && status == 0; i++)); do
        bg stage web v9 >/dev/null 2>&1 || :
        bg rollback web >"$WORLD/out" 2>&1 || status=$?
        expect_eq 0 "$status" "rollback with a full disk: $(cat "$WORLD/out")"
        grep -q 'the journal cannot be written' "$WORLD/agent.log" && break
    done
    grep -q 'the journal cannot be written' "$WORLD/agent.log" || fail "the journal never became full"
    local live
    live=$(status_of .live)
    expect_status 1 bg stop web
    expect_match 'could not be recorded' "$OUTPUT"
    expect_status 0 bg rollback web
    [ "$(status_of .live)" != "$live" ] || fail "the rollback did nothing"
    rm "$WORLD/state/filler"
    expect_status 0 bg stop web
    grep -q 'the journal can be written again' "$WORLD/agent.log" || fail "nobody said that it works again"
    agent_stop
    umount -l "$WORLD/state"
}

test_a_torn_journal_tail_is_cut_off_and_a_bad_line_refused() {
    ready_web
    bg deploy web v1
    agent_kill9
    printf 'deadbeef 99 17' >>"$WORLD/state/journal"
    agent_start
    expect_eq v1 "$(release_seen)"
    expect_eq blue "$(status_of .live)"
    agent_stop
    sed -i '2s/app=web/app=wob/' "$WORLD/state/journal"
    expect_status 1 "$BUILD/bluegreend" --config "$WORLD/etc" --state "$WORLD/state" --run "$WORLD/run"
    expect_match 'journal' "$OUTPUT"
    expect_match '2' "$OUTPUT"
    expect_eq v1 "$(release_seen)"
}

test_changed_pools_move_running_zones_at_the_next_start() {
    ready_web
    bg deploy web v1
    bg deploy web v2
    bg drain web
    printf '[agent]\ninstance = world\n[network]\nipv4 = 10.202.0.0/16\n' | agent_conf
    agent_stop
    agent_start
    wait_for 10 answers v2
    expect_match '^10.202.' "$(status_of '.zones.green.addresses[0]')"
    wait_for 10 bg rollback web
    wait_for 10 answers v1
}

test_many_descriptors_are_allowed_to_the_agent_and_not_to_the_app() {
    ready_web
    bg deploy web v1
    local soft hard
    soft=$(ulimit -Sn) hard=$(ulimit -Hn)
    expect_eq "$hard" "$(awk '/^Max open files/ { print $4 }' "/proc/$(agent_pid)/limits")" "the agent's soft limit"
    expect_eq "$soft" "$(awk '/^Max open files/ { print $4 }' "/proc/$(status_of .zones.blue.pid)/limits")" "the app's"
}

test_others_cannot_flush_the_rules() {
    ready_web
    bg deploy web v1
    load_start all --new 2 --keepalive 2 --url "$URL4"
    for ((i = 0; i < 5; i++)); do
        nft flush ruleset
        sleep 0.2
    done
    load_end all >"$WORLD/report.json" || { cat "$WORLD/report.json"; fail "requests failed"; }
    expect_eq v1 "$(release_seen)"
}

test_teardown_leaves_nothing() {
    ready_web
    bg deploy web v1
    bg deploy web v2
    agent_stop
    expect_status 0 "$BUILD/bluegreend" --config "$WORLD/etc" --state "$WORLD/state" --run "$WORLD/run" --teardown
    expect_eq '' "$(nft list tables)"
    expect_eq '' "$(find /run/netns -name 'bg-*')"
    expect_eq '' "$(find /sys/class/net -name 'bg*')"
    expect_eq '' "$(pgrep -f bluegreen-zone)"
    expect_eq '' "$(find /sys/fs/cgroup -mindepth 1 -type d -path '*web*')"
    expect_eq 0 "$(cat /proc/sys/net/ipv4/ip_forward)"
}

run_tests
