#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Many apps, many ports, many tracked connections: a switch, a start and the counts of a drain stay bounded.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/traffic_lib.sh
. "$ROOT/tests/drivers/traffic_lib.sh"

APPS=1000

# Sends the lines of a file, each a command, and reads as many answers.
t_all() {
    local line to
    # What runs in the background has no coprocess, but a copy of its descriptor.
    exec {to}>&"$DRIVER_IN"
    cat "$1" >&"$to" &
    while read -r; do
        read -r -t 60 line <&"$DRIVER_OUT"
        [ "$line" = ok ] || fail "$line"
    done <"$1"
    wait $!
    exec {to}>&-
}

# Apps FIRST to LAST with ten ports each, both zones, blue live.
describe_apps() {
    local app colour
    for ((app = $1; app <= $2; app++)); do
        for colour in blue:1 green:2; do
            printf 'zone a%d %s %d 10.%d.%d.%d fd00:b9:%d::%x\n' "$app" "${colour%:*}" $((2 * app + ${colour#*:})) \
                $((64 + app / 256)) $((app % 256)) $((4 * ${colour#*:})) "${colour#*:}" "$app"
            printf 'port a%d %s %d-%d -> 1-10/tcp\n' "$app" "${colour%:*}" $((1000 + 10 * app)) $((1009 + 10 * app))
        done
        printf 'live a%d blue\n' "$app"
    done >"$WORLD/apps"
    t_all "$WORLD/apps"
}

milliseconds() { # CMD...: how long it took, into TOOK
    local began=$EPOCHREALTIME
    "$@"
    TOOK=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))
}

# A rule with a verdict in place of the set's elements takes 110 times as long here as with two apps: the kernel walks
# through every app's chains. What is left is looking once at each chain.
test_thousand_apps() {
    local few many
    driver_start
    t open
    describe_apps 1 2
    t apply
    t switch a1 200 0
    few=${ANSWER#* }
    describe_apps 3 "$APPS"
    milliseconds t apply
    echo "$APPS apps with $((10 * APPS)) ports: $TOOK ms" >&2
    expect_eq $((10 * APPS)) "$(nft list map inet bluegreen published | grep -o goto | wc -l)" "published ports"
    t switch a500 201 0
    many=${ANSWER#* }
    echo "a switch: $few us with 2 apps, $many us with $APPS" >&2
    expect_eq green "$(live_in_kernel a500)"
    expect_eq blue "$(live_in_kernel a501)"
    [ "$many" -lt $((40 * few)) ] || fail "a switch takes $many us, with two apps it takes $few us"
    # An agent that starts again puts its own table in place of the one it finds.
    driver_kill9
    driver_start
    t open
    describe_apps 1 "$APPS"
    milliseconds t apply
    echo "start: $TOOK ms" >&2
    [ "$TOOK" -lt 10000 ] || fail "the start took $TOOK ms"
    expect_eq blue "$(live_in_kernel a500)"
}

# The agent itself: what it says of all of them comes in portions, and clients that go in the middle leave nothing behind.
test_status_of_a_thousand_apps() {
    local app i
    world_net
    web_conf web 80
    release_install web v1
    for ((app = 1; app < APPS; app++)); do
        printf '[app]\nname = a%d\nuser = web\nrun = %s\n[ports]\nhttp = %d -> 8080/tcp\n' "$app" "$WORLD/srv/web/%r/bin/web" \
            $((1000 + app)) >"$WORLD/etc/apps/a$app.conf"
    done
    milliseconds agent_start
    echo "start with $APPS configured apps: $TOOK ms" >&2
    bg deploy web v1 >/dev/null
    for ((i = 0; i < 3; i++)); do
        timeout 0.05 "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" status >/dev/null 2>&1 || :
    done
    milliseconds bg status --json >"$WORLD/status"
    echo "status of all: $TOOK ms" >&2
    expect_eq "$APPS" "$(jq '[.apps[].name] | unique | length' "$WORLD/status")"
    expect_eq running "$(jq -r '.apps[] | select(.name == "web").state' "$WORLD/status")"
    ! grep 'api role' "$WORLD/agent.log" || fail "the api role did not stand it"
}

# Marks: the number of the zone, and the highest bit for UDP that moves.
test_full_connection_tracking() {
    local room
    ready
    room=$(cat /proc/sys/net/netfilter/nf_conntrack_max)
    [ "$room" -gt 210000 ] || skip "connection tracking has room for $room only"
    "$TOOLS/flows" 0x00010000 tcp 150000 10.9.0.1 80
    "$TOOLS/flows" 0x00020000 tcp 40000 10.9.1.1 80
    "$TOOLS/flows" 0x00010000 waiting 100 10.9.2.1 80
    "$TOOLS/flows" 0x80010000 udp 9000 10.9.3.1 80
    "$TOOLS/flows" 0x00010000 udp 900 10.9.4.1 53
    milliseconds t count-udp 1
    echo "count: $TOOK ms" >&2
    expect_eq 9900 "$ANSWER" "UDP flows of blue"
    [ "$TOOK" -lt 5000 ] || fail "counting took $TOOK ms"
    t switch web 1 0
    echo "switch: ${ANSWER% *} us" >&2
    [ "${ANSWER% *}" -lt 100000 ] || fail "the switch took ${ANSWER% *} us"
    milliseconds t release 1
    echo "release: $TOOK ms" >&2
    [ "$TOOK" -lt 5000 ] || fail "the release took $TOOK ms"
    # What waits is gone with what moves; what is established, or is to stay, is not.
    expect_eq 0 "$(conntrack -L -s 10.9.2.1 2>/dev/null | wc -l)" "waiting connections of blue"
    expect_eq 0 "$(conntrack -L -s 10.9.3.1 2>/dev/null | wc -l)" "UDP flows that move"
    t count-udp 1
    expect_eq 900 "$ANSWER" "UDP flows that stay"
    [ "$(conntrack -C)" -ge 190900 ] || fail "established connections were forgotten: $(conntrack -C) are left"
    expect_eq "ok green" "$(on_client curl -sf -m 2 "$URL4"/healthz)" "a new connection"
}

run_tests
