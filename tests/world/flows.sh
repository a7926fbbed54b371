#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What follows a switch: connection tracking and the zones' sockets.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/traffic_lib.sh
. "$ROOT/tests/drivers/traffic_lib.sh"

unreplied_to_blue() { # FAMILY ADDRESS
    conntrack -L -p tcp -f "$1" 2>/dev/null | grep -q "SYN_SENT.*UNREPLIED.*src=$2 "
}

test_unreplied_tcp_is_released() {
    ready
    # blue is dead: packets to it vanish.
    ip -n bg-web-blue link set eth0 down
    ip netns exec client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    ip netns exec client "$TOOLS/hold_connection" --no-stdin --request /healthz '[2001:db8:1::10]:80' >"$WORLD/held6" 2>&1 &
    wait_for 5 unreplied_to_blue ipv4 10.201.0.2
    wait_for 5 unreplied_to_blue ipv6 fd00:b9::2
    t live web green
    t apply
    t release 1
    wait_for 5 grep -q 'answer 200 green' "$WORLD/held"
    wait_for 5 grep -q 'answer 200 green' "$WORLD/held6"
}

test_established_connections_stay() {
    ready
    ip netns exec client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    local held=$!
    wait_for 5 grep -q 'answer 200 blue' "$WORLD/held"
    t live web green
    t apply
    t release 1
    expect_eq "ok green" "$(on_client curl -sf -m 2 "$URL4"/healthz)"
    kill -USR1 "$held"
    wait_for 5 answered_twice blue
}

steady_udp() { # NAME PORT
    ip netns exec client "$TOOLS/udpload" --json --duration 600 --steady 1 --rate 100 --to "203.0.113.10:$2" >"$WORLD/udp.$1" 2>&1 &
    UDP_PID=$!
}

test_udp_moves_or_keeps() {
    ready
    steady_udp moves 80
    local moves=$UDP_PID
    steady_udp keeps 53
    local keeps=$UDP_PID
    sleep 0.3
    t count-udp 1
    expect_eq 2 "$ANSWER" "UDP flows of blue"
    t live web green
    t apply
    sleep 0.2
    # Without the release both would stay.
    t count-udp 1
    expect_eq 2 "$ANSWER" "UDP flows of blue before the release"
    t release 1
    sleep 0.3
    t count-udp 1
    expect_eq 1 "$ANSWER" "UDP flows of blue after the release"
    t count-udp 2
    expect_eq 1 "$ANSWER" "UDP flows of green"
    kill -TERM "$moves" "$keeps"
    wait "$moves" "$keeps" || true
    expect_eq "blue green" "$(jq -r '.releases | keys | join(" ")' "$WORLD/udp.moves")" "who answered the one that moves"
    expect_eq "blue" "$(jq -r '.releases | keys | join(" ")' "$WORLD/udp.keeps")" "who answered the one that is kept"
}

# A flow that is never answered (syslog, statsd) and is to stay, beside an unreplied TCP connection that is not.
test_one_way_udp_is_kept() {
    ready
    ip -n bg-web-blue link set eth0 down
    on_client bash -c 'echo x >/dev/udp/203.0.113.10/53'
    on_client timeout 5 bash -c 'echo x >/dev/tcp/203.0.113.10/80' 2>/dev/null &
    wait_for 5 unreplied_to_blue ipv4 10.201.0.2
    t live web green
    t apply
    t release 1
    # Its next SYN reached green, which answered.
    wait_for 5 sh -c '! conntrack -L -p tcp 2>/dev/null | grep -q SYN_SENT'
    expect_eq 1 "$(conntrack -L -p udp --dport 53 2>/dev/null | grep -c UNREPLIED)" "one-way flows"
}

test_udp_from_before_the_publishing() {
    two_zones
    driver_start
    t open
    describe_zones
    t apply
    background env BLUEGREEN_RELEASE=host "$BUILD/demo/web" --port 9999 --udp 80
    local host=$!
    wait_for 5 curl -sf -o /dev/null http://127.0.0.1:9999/healthz
    steady_udp old 80
    local flow=$UDP_PID
    # Somebody else's port 80 is not ours to touch: a flow of the host to the client host.
    on_client "$BUILD/demo/web" --port 9998 --udp 80 >/dev/null 2>&1 &
    sleep 0.3
    "$TOOLS/udpload" --json --duration 600 --steady 1 --rate 20 --to 203.0.113.2:80 >"$WORLD/udp.other" 2>&1 &
    sleep 0.3
    local other
    other=$(conntrack -L -p udp -o id --dst 203.0.113.2 2>/dev/null | grep -o 'id=[0-9]*' | head -1)
    [ -n "$other" ] || fail "no flow to the client: $(conntrack -L -p udp 2>&1)"
    t live web blue
    t apply
    sleep 0.2
    kill "$host"
    t release-ports web blue
    sleep 0.3
    kill -TERM "$flow"
    wait "$flow" || true
    expect_eq "blue host" "$(jq -r '.releases | keys | join(" ")' "$WORLD/udp.old")" "who answered"
    expect_match "$other" "$(conntrack -L -p udp -o id --dst 203.0.113.2 2>/dev/null)" "the other flow"
}

# --- sockets --------------------------------------------------------------------------------------------

hold() { # NAME ADDRESS:PORT
    ip netns exec client "$TOOLS/hold_connection" --no-stdin --request /healthz "$2" >"$WORLD/held.$1" 2>&1 &
    wait_for 5 grep -q answer "$WORLD/held.$1"
}

test_sockets_counted_and_destroyed() {
    ready
    t sockets count bg-web-blue web blue
    expect_eq 0 "$ANSWER" "connections of an idle zone"
    hold one 203.0.113.10:80
    hold two 203.0.113.10:80
    hold six '[2001:db8:1::10]:80'
    # The zone with itself, as our probes are.
    ip netns exec bg-web-blue "$TOOLS/hold_connection" --no-stdin --request /healthz 10.201.0.2:8080 >"$WORLD/held.self" 2>&1 &
    wait_for 5 grep -q answer "$WORLD/held.self"
    ip netns exec bg-web-blue ss -Htn state established '( sport = :8080 )' >&2
    t sockets count bg-web-blue web blue
    expect_eq 3 "$ANSWER" "connections"
    t sockets count bg-web-green web blue
    expect_eq 0 "$ANSWER" "connections of the other zone"
    t sockets destroy bg-web-blue web blue
    expect_eq 3 "$ANSWER" "connections ended"
    local name
    for name in one two six; do
        wait_for 5 grep -q 'closed reset' "$WORLD/held.$name"
    done
    grep -q closed "$WORLD/held.self" && fail "the probe's connection was ended too"
    t sockets count bg-web-blue web blue
    expect_eq 0 "$ANSWER" "connections left"
    expect_eq "ok blue" "$(on_client curl -sf -m 2 "$URL4"/healthz)" "the listening socket"
}

test_sockets_of_a_family_each() {
    two_zones
    ip netns exec bg-web-blue "$BUILD/demo/web" --port 9004 --listen 10.201.0.2 &
    ip netns exec bg-web-blue "$BUILD/demo/web" --port 9006 --listen fd00:b9::2 &
    driver_start
    t open
    t zone web blue 1 10.201.0.2 fd00:b9::2
    t port web blue '90 -> 9004/tcp'
    t port web blue '91 -> 9006/tcp'
    t live web blue
    t apply
    wait_for 5 on_client curl -sf -o /dev/null http://203.0.113.10:90/healthz
    wait_for 5 on_client curl -sf -o /dev/null -g 'http://[2001:db8:1::10]:91/healthz'
    hold four 203.0.113.10:90
    hold six '[2001:db8:1::10]:91'
    t sockets count bg-web-blue web blue
    expect_eq 2 "$ANSWER" "connections"
    t sockets destroy bg-web-blue web blue
    expect_eq 2 "$ANSWER" "connections ended"
    wait_for 5 grep -q 'closed reset' "$WORLD/held.four"
    wait_for 5 grep -q 'closed reset' "$WORLD/held.six"
}

test_no_ports_no_sockets() {
    two_zones
    driver_start
    t zone web blue 1 10.201.0.2 fd00:b9::2
    t port web blue '80 -> 8080/udp'
    t sockets count bg-web-blue web blue
    expect_eq 0 "$ANSWER" "connections of a zone without TCP ports"
}

run_tests
