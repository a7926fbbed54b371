#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The harness itself: the world is private, the clients see every failure they are made to see.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

web() {
    background env BLUEGREEN_RELEASE="${RELEASE:-v1}" BLUEGREEN_ZONE=blue "$BUILD/demo/web" "$@"
    WEB=$!
}

serve() {
    web --port 80 --udp 80
    wait_for 5 curl -sf -o /dev/null http://203.0.113.10/healthz
}

test_world_is_private() {
    expect_eq "lo" "$(ls /sys/class/net)" "interfaces"
    expect_eq "0::/harness" "$(tail -n 1 /proc/self/cgroup)" "own cgroup"
    expect_eq "bluegreen-world" "$(hostname)" "host name"
    expect_eq "" "$(ls /run/netns)" "network namespaces"
    expect_eq "cgroup2fs" "$(stat -f -c %T /sys/fs/cgroup)" "file system of cgroups"
    expect_eq "" "$(nft list ruleset)" "rule set"
    mkdir /sys/fs/cgroup/ours
    rmdir /sys/fs/cgroup/ours
    [ -d "$WORLD" ] || fail "no directory $WORLD"
}

# What a nested world does to /etc must not reach us, as what we do must not reach the machine.
test_etc_is_private() {
    expect_eq /etc "$(awk '$5 == "/etc" { print $5 }' /proc/self/mountinfo)" "a mount of our own"
    echo ours >/etc/bluegreen-of-a-test
    expect_status 0 "$ROOT/tests/world/enter" sh -c 'grep -q ours /etc/bluegreen-of-a-test && rm /etc/bluegreen-of-a-test &&
        echo theirs >/etc/bluegreen-of-another && echo theirs >>/etc/passwd && rm /etc/hosts'
    expect_eq ours "$(cat /etc/bluegreen-of-a-test)"
    [ ! -e /etc/bluegreen-of-another ] || fail "a file in /etc"
    expect_no_match theirs "$(cat /etc/passwd)"
    [ -e /etc/hosts ] || fail "/etc/hosts is gone"
    rm /etc/bluegreen-of-a-test
}

test_users() {
    expect_match '\(bluegreen\)' "$(id oper)" "groups of oper"
    expect_no_match '\(bluegreen\)' "$(id nosy)" "groups of nosy"
    local user
    for user in bluegreen-api bluegreen-probe bluegreen-feed web api; do
        id "$user" >/dev/null || fail "no user $user"
    done
    expect_eq oper "$(as_user oper id -un)" "becoming oper"
}

test_exit_status_and_nesting() {
    expect_status 7 "$ROOT/tests/world/enter" sh -c 'exit 7'
    expect_eq "" "$(find /sys/fs/cgroup -maxdepth 1 -name 'bluegreen-world.*')" "cgroups left by a nested world"
}

test_killed_world_leaves_nothing() {
    "$ROOT/tests/world/enter" sh -c 'setsid sleep 4321 & sleep 4321' &
    local pid=$!
    wait_for 5 pgrep -f '^sleep 4321' >/dev/null
    kill -KILL "$pid"
    wait_for 5 sh -c '! pgrep -f "^sleep 4321"' >/dev/null
    # The next world removes the cgroup that the dead one could not.
    wait "$pid" || :
    "$ROOT/tests/world/enter" true
    expect_eq "" "$(find /sys/fs/cgroup -maxdepth 1 -name 'bluegreen-world.*')" "cgroups left"
}

test_interrupted_world_leaves_nothing() {
    "$ROOT/tests/world/enter" sh -c 'setsid sleep 4322 & sleep 4322' &
    local pid=$! status=0
    wait_for 5 pgrep -f '^sleep 4322' >/dev/null
    kill -TERM "$pid"
    wait "$pid" || status=$?
    expect_eq 143 "$status" "exit status"
    expect_eq "" "$(pgrep -f '^sleep 4322')" "processes left"
    expect_eq "" "$(find /sys/fs/cgroup -maxdepth 1 -name 'bluegreen-world.*')" "cgroups left"
}

test_load_passes() {
    local report
    world_net
    serve
    report=$(on_client "$TOOLS/load" --json --duration 1 --new 2 --keepalive 2 \
        --url http://203.0.113.10:80 --url 'http://[2001:db8:1::10]:80' --url http://198.51.100.7:80)
    expect_eq 0 "$(json .failed <<<"$report")" "failed"
    expect_eq true "$(json '.requests > 100' <<<"$report")" "more than 100 requests in: $report"
    expect_eq v1 "$(json '.releases | keys[0]' <<<"$report")" "release"
    expect_eq "203.0.113.3" "$(on_client curl -s --interface 203.0.113.3 http://203.0.113.10/peer | cut -d' ' -f1)" \
        "the client's address as the app sees it"
}

test_load_sees_a_kill() {
    local report
    world_net
    serve
    load_start run --new 2 --keepalive 2 --url http://203.0.113.10:80
    kill -KILL "$WEB"
    sleep 0.3
    report=$(load_end run) && fail "the load client did not notice that the app was killed: $report"
    expect_eq true "$(json '.failures.refused > 0' <<<"$report")" "refused in: $report"
}

# The app behind a relay that spoils its answers as its arguments say.
relay() {
    web --port 8081
    wait_for 5 curl -sf -o /dev/null http://127.0.0.1:8081/healthz
    background "$TOOLS/relay" "$@" 8082 127.0.0.1:8081
    wait_for 5 listening 8082
}

listening() {
    ss -Hltn "sport = $1" | grep -q .
}

# The load client must report failures of this kind and of no other.
relay_fails() {
    local report kind=$1 workers=$2
    shift 2
    relay "$@"
    report=$("$TOOLS/load" --json --duration 0.5 "$workers" 1 --rate 20 --url http://127.0.0.1:8082) &&
        fail "the load client accepted it: $report"
    expect_eq true "$(json ".failures.$kind > 0 and .failures.$kind == .failed" <<<"$report")" "only $kind in: $report"
}

test_load_passes_through_the_relay() {
    relay
    "$TOOLS/load" --duration 0.5 --keepalive 1 --new 1 --rate 20 --url http://127.0.0.1:8082
}

test_load_sees_a_wrong_byte() {
    relay_fails content --keepalive --flip 900
}

test_load_sees_a_short_answer() {
    relay_fails short --keepalive --cut 900
}

test_load_sees_a_reset() {
    relay_fails reset --keepalive --reset 900
}

test_load_sees_a_byte_too_many() {
    relay_fails content --new --append
}

test_load_sees_a_bad_status() {
    relay_fails status --keepalive --flip 9
}

test_load_sees_a_missing_release() {
    relay_fails header --keepalive --flip 41
}

test_load_retries_a_clean_close_once() {
    local report
    # The first answer of each connection is whole; the second never begins.
    web --port 8081
    wait_for 5 curl -sf -o /dev/null http://127.0.0.1:8081/healthz
    background "$TOOLS/relay" --cut "$(curl -si http://127.0.0.1:8081/bytes/1/1000 | wc -c)" 8082 127.0.0.1:8081
    wait_for 5 listening 8082
    report=$("$TOOLS/load" --json --duration 1 --keepalive 4 --url http://127.0.0.1:8082)
    expect_eq true "$(json '.failed == 0 and .retried > 0' <<<"$report")" "$report"
    echo "$report"
}

test_load_fails_without_a_server() {
    expect_status 1 "$TOOLS/load" --json --duration 0.3 --new 1 --url http://127.0.0.1:9
    expect_eq true "$(json '.failed == .requests and .failures.refused > 0' <<<"$OUTPUT")" "all refused: $OUTPUT"
}

test_graceful_stop_of_the_app() {
    local report status=0
    world_net
    serve
    # Slow answers are under way; whoever asks later is refused, whoever was served must be served to the end.
    load_start run --keepalive 4 --slow 500 --url http://203.0.113.10:80
    kill -TERM "$WEB"
    wait "$WEB" || status=$?
    expect_eq 0 "$status" "exit status of the app"
    report=$(load_end run) || :
    expect_eq true "$(json '.failed == .failures.refused' <<<"$report")" "nothing but refused: $report"
    expect_eq true "$(json '.releases.v1.requests >= 4' <<<"$report")" "answers under way ended: $report"
}

test_udpload() {
    local report
    world_net
    serve
    report=$(on_client "$TOOLS/udpload" --json --duration 1 --steady 2 --fresh 2 --to 203.0.113.10:80)
    expect_eq true "$(json '.lost == 0 and .sent > 50 and .releases.v1.answered == .sent' <<<"$report")" "$report"
    expect_status 1 on_client "$TOOLS/udpload" --json --duration 0.3 --steady 1 --fresh 1 --to 203.0.113.10:81
    expect_eq true "$(json '.refused > 0 and .answered == 0' <<<"$OUTPUT")" "refused: $OUTPUT"
    background on_client "$TOOLS/udpload" --json --duration 1 --steady 1 --to 203.0.113.10:80 >"$WORLD/udp"
    local pid=$!
    sleep 0.3
    nft 'add table inet t; add chain inet t c { type filter hook input priority 0; }; add rule inet t c udp dport 80 drop'
    wait "$pid" && fail "lost datagrams were not noticed: $(cat "$WORLD/udp")"
    expect_eq true "$(json '.lost > 0 and .answered > 0' <"$WORLD/udp")" "lost: $(cat "$WORLD/udp")"
}

test_hold_connection() {
    local status=0
    world_net
    serve
    mkfifo "$WORLD/paths"
    on_client "$TOOLS/hold_connection" --request /bytes/1/10 203.0.113.10:80 <"$WORLD/paths" >"$WORLD/held" &
    local pid=$!
    exec 9>"$WORLD/paths"
    wait_for 5 grep -q '^answer 200 v1 10$' "$WORLD/held"
    echo /healthz >&9
    wait_for 5 grep -q '^answer 200 v1 6$' "$WORLD/held"
    # Socket destruction is what cutting a connection does.
    ss -K state established sport = 80 >/dev/null
    wait "$pid" || status=$?
    expect_eq 3 "$status" "exit status: $(cat "$WORLD/held")"
    expect_match 'closed reset [0-9]+' "$(cat "$WORLD/held")"
    exec 9>&-
    on_client "$TOOLS/hold_connection" --no-stdin 203.0.113.10:80 >"$WORLD/held" &
    pid=$!
    wait_for 5 grep -q '^open' "$WORLD/held"
    kill -TERM "$WEB"
    wait "$pid"
    expect_match 'closed fin [0-9]+' "$(cat "$WORLD/held")"
}

test_app_refuses_nonsense() {
    local answer request
    web --port 8080
    wait_for 5 curl -sf -o /dev/null http://127.0.0.1:8080/healthz
    for request in 'foo' 'GET / HTTP/1.1' 'GET x HTTP/1.1\r\nHost: a' 'GET / HTTP/1.1\r\nHost : a' \
        'GET / HTTP/1.1\r\nHost: a\r\nHost: b' 'GET / HTTP/1.1\r\nHost: a\r\n folded: x' \
        'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2' \
        'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1' 'GET / HTTP/1.1\r\nHost: a\001'; do
        exec 8<>/dev/tcp/127.0.0.1/8080
        # shellcheck disable=SC2059 # the escapes are meant
        printf "$request\r\n\r\n" >&8
        answer=$(timeout 5 cat <&8)
        exec 8>&-
        expect_match '^HTTP/1.1 400 ' "$answer" "answer to $request"
    done
    # Two requests in one packet, in their order.
    exec 8<>/dev/tcp/127.0.0.1/8080
    printf 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /bytes/1/0 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' >&8
    answer=$(timeout 5 cat <&8)
    expect_match $'Content-Length: 6.*ok v1\nHTTP/1.1 200.*Content-Length: 0.*Connection: close' "$answer" "pipelined"
}

run_tests
