#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bad input and bad surroundings: a clear word, the right exit status, nothing lost.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

daemon() {
    "$BUILD/bluegreend" --config "$WORLD/etc" --state "$WORLD/state" --run "$WORLD/run" "$@"
}

test_a_bad_file_is_named_and_the_old_configuration_stays() {
    ready_web
    bg deploy web v1
    cp "$WORLD/etc/apps/web.conf" "$WORLD/good"
    printf '[drian]\ntimeout = 3s\n' >>"$WORLD/etc/apps/web.conf"
    expect_status 2 bg reload
    expect_match 'web.conf' "$OUTPUT"
    expect_match 'drian' "$OUTPUT"
    expect_match 'drain' "$OUTPUT"
    expect_status 2 bg deploy web v1
    expect_eq blue "$(bg status web --json | json .live)"
    cp "$WORLD/good" "$WORLD/etc/apps/web.conf"
    expect_status 0 bg reload
}

test_check_needs_no_agent() {
    web_conf web 80
    expect_status 0 bg check "$WORLD/etc/apps/web.conf"
    sed -i 's/^interval.*/interval = 200/' "$WORLD/etc/apps/web.conf"
    expect_status 2 bg check "$WORLD/etc/apps/web.conf"
    expect_match '\[health\] interval' "$OUTPUT"
    expect_status 2 daemon --check
    bg check --json "$WORLD/etc/apps/web.conf" >"$WORLD/out" 2>/dev/null || :
    json '.ok == false and .problems[0].section == "health" and .problems[0].key == "interval"' <"$WORLD/out"
    sed -i 's/^user.*/user = nobodyhere/; s/^interval.*/interval = 1s/' "$WORLD/etc/apps/web.conf"
    expect_status 2 daemon --check
    expect_match '\[app\] user' "$OUTPUT"
}

# What may be so and is not what most want: told, and no failure.
test_a_feed_without_a_fence_is_told() {
    ready_web
    expect_status 1 bg feed web status
    expect_match 'it does not run, so nothing is fed' "$OUTPUT"
    printf '[feed]\nmode = http\nseed = /bin/true\n' >>"$WORLD/etc/apps/web.conf"
    expect_status 0 bg check "$WORLD/etc/apps/web.conf"
    expect_match 'warning: .*web.conf: \[egress\] standby' "$OUTPUT"
    bg check --json "$WORLD/etc/apps/web.conf" >"$WORLD/out" 2>"$WORLD/said"
    json '.ok and (.warnings | length) == 1 and .warnings[0].section == "egress"' <"$WORLD/out"
    # What it does not do is said where it is configured.
    expect_match 'note: .*web.conf: \[feed\] mode: ids.*HTTP/2.*Idempotency-Key: bluegreen.conf\(5\)' "$(cat "$WORLD/said")"
    json '(.notes | length) == 1 and .notes[0].key == "mode"' <"$WORLD/out"
    expect_status 0 bg reload
    expect_match 'warning: web: \[egress\] standby' "$OUTPUT"
    printf '[egress]\nstandby = closed\n' >>"$WORLD/etc/apps/web.conf"
    expect_status 0 bg reload
    expect_eq "" "$(grep warning <<<"$OUTPUT")" "warnings of a feed with a fence"
    printf '[standby]\nfreeze = yes\n' >>"$WORLD/etc/apps/web.conf"
    expect_status 2 bg reload
    expect_match '\[standby\] freeze: a frozen standby cannot do what it is fed' "$OUTPUT"
}

test_two_apps_on_one_port_are_refused() {
    ready_web
    web_conf api 80
    expect_status 2 bg reload
    expect_match 'api' "$OUTPUT"
    expect_match 'web' "$OUTPUT"
    release_install api v1
    bg deploy web v1
    expect_status 1 bg deploy api v1
    expect_match 'already published by app web' "$OUTPUT"
}

test_a_pool_that_overlaps_the_hosts_routes_is_refused() {
    world_net
    printf '[agent]\ninstance = world\n[network]\nipv4 = 203.0.0.0/16\n' | agent_conf
    expect_status 2 daemon
    expect_match '203.0.113.0/24' "$OUTPUT"
    expect_match 'etc/bluegreen.conf.*\[network\] ipv4' "$OUTPUT"
    expect_eq 0 "$(cat /proc/sys/net/ipv4/ip_forward)" "forwarding after a refused start"
    expect_status 2 daemon --check
}

test_a_second_agent_is_refused() {
    ready_web
    expect_status 1 daemon
    expect_match 'another agent' "$OUTPUT"
}

test_an_agent_elsewhere_that_shares_the_namespace_or_its_names_is_refused() {
    ready_web
    bg deploy web v1
    expect_status 1 "$BUILD/bluegreend" --config "$WORLD/etc" --state "$WORLD/state2" --run "$WORLD/run2"
    expect_match 'another agent works in this network namespace' "$OUTPUT"
    expect_status 1 unshare --net --mount "$BUILD/bluegreend" --config "$WORLD/etc" --state "$WORLD/state2" --run "$WORLD/run2"
    expect_match 'keeps the names of its zones in this /run/netns' "$OUTPUT"
    ip netns exec bg-web-blue true
}

test_modes_exclude_each_other() {
    expect_status 2 daemon --check --teardown
    expect_match 'exclude each other' "$OUTPUT"
}

test_what_is_no_socket_is_not_replaced() {
    world_net
    web_conf web 80
    printf '[agent]\ninstance = world\n' | agent_conf
    mkdir -p "$WORLD/run" "$WORLD/state"
    echo precious >"$WORLD/run/control.sock"
    expect_status 1 daemon
    expect_match 'no socket' "$OUTPUT"
    expect_eq precious "$(cat "$WORLD/run/control.sock")"
}

test_reload_refuses_a_missing_user_and_executable() {
    ready_web
    bg deploy web v1
    sed -i 's/^user.*/user = nosuchuser/' "$WORLD/etc/apps/web.conf"
    expect_status 2 bg reload
    expect_match 'apps/web.conf: \[app\] user' "$OUTPUT"
    expect_status 2 bg deploy web v1
    expect_match 'apps/web.conf: \[app\] user' "$OUTPUT"
}

# A release directory may belong to somebody else than root: what the agent reads there must not be led astray.
test_env_files_cannot_lead_the_agent_astray() {
    ready_web
    sed -i "s|^user.*|&\nenv_file = $WORLD/srv/web/%r/.env|" "$WORLD/etc/apps/web.conf"
    ln -s /etc/shadow "$WORLD/srv/web/v1/.env"
    expect_status 2 bg deploy web v1
    expect_match 'symbolic link' "$OUTPUT"
    expect_no_match 'root:' "$OUTPUT"
    rm "$WORLD/srv/web/v1/.env"
    mkfifo "$WORLD/srv/web/v1/.env"
    expect_status 2 timeout 5 "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" deploy web v1
    rm "$WORLD/srv/web/v1/.env"
    echo 'secret without equals' >"$WORLD/srv/web/v1/.env"
    expect_status 2 bg deploy web v1
    expect_no_match 'secret' "$OUTPUT"
    expect_match 'line 1' "$OUTPUT"
    echo 'A=1' >"$WORLD/srv/web/v1/.env"
    expect_status 0 bg deploy web v1
}

test_without_root() {
    expect_status 1 as_user nosy "$BUILD/bluegreend" --state /tmp/bluegreen-x --run /tmp/bluegreen-x
    expect_match 'root' "$OUTPUT"
}

test_without_an_agent() {
    expect_status 3 bg status
    expect_match 'systemctl start bluegreend' "$OUTPUT"
}

test_without_the_group_root_still_operates() {
    world_net
    printf '[agent]\ninstance = world\ngroup = nosuchgroup\n' | agent_conf
    web_conf web 80
    release_install web v1
    agent_start
    grep -q nosuchgroup "$WORLD/agent.log" || fail "the agent did not say that the group is missing"
    expect_status 0 bg deploy web v1
    expect_status 1 as_user oper "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" stop web
}

test_wrong_usage() {
    ready_web
    expect_status 2 bg deploy web
    expect_status 2 bg deplyo web v1
    expect_match 'deploy' "$OUTPUT"
    expect_status 2 bg deploy web ../v1
    expect_status 2 bg --nonsense status
    expect_status 1 bg deploy nosuch v1
    expect_match 'nosuch' "$OUTPUT"
    expect_status 1 bg rollback web
    expect_match 'nothing to switch to' "$OUTPUT"
}

# Garbage, half messages, a megabyte, nothing at all: others are served as before.
test_hostile_clients_harm_nobody_else() {
    command -v socat >/dev/null || fail "socat is missing: tools/deps test"
    ready_web
    local socket=$WORLD/run/control.sock before after
    before=$(awk '/VmRSS/ { print $2 }' "/proc/$(pgrep -x bluegreen-api)/status")
    for ((i = 0; i < 20; i++)); do
        head -c 1000000 /dev/urandom | timeout 2 socat -u - "UNIX-CONNECT:$socket" 2>/dev/null || :
        printf '{"method":"io.bluegreen.Agent.Status"' | timeout 2 socat -u - "UNIX-CONNECT:$socket" || :
        timeout 5 socat -u "UNIX-CONNECT:$socket" - >/dev/null 2>&1 </dev/null &
        expect_status 0 timeout 5 "$BUILD/bluegreen" --socket "$socket" status web
    done
    after=$(awk '/VmRSS/ { print $2 }' "/proc/$(pgrep -x bluegreen-api)/status")
    [ $((after - before)) -lt 4096 ] || fail "the api role grew from $before to $after kB"
    expect_status 0 bg deploy web v1
}

test_a_hundred_idle_connections_do_not_lock_root_out() {
    command -v socat >/dev/null || fail "socat is missing: tools/deps test"
    ready_web
    for ((i = 0; i < 100; i++)); do
        as_user nosy socat -u "UNIX-CONNECT:$WORLD/run/control.sock" - >/dev/null 2>&1 </dev/null &
    done
    wait_for 10 agent_refuses_nosy
    expect_status 0 timeout 5 "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" status
}

agent_refuses_nosy() {
    ! as_user nosy "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" status >/dev/null 2>&1
}

run_tests
