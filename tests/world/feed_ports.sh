#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# [feed]: which ports are fed and how; releases whose ports differ, IPv6, bytes and packets.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/feed_lib.sh
. "$ROOT/tests/drivers/feed_lib.sh"

# keeper's ARGUMENTS; a health check; then lines of [ports] and what comes behind.
conf_ports() {
    local arguments=$1 check=$2
    shift 2
    {
        printf '[app]\nname = web\nuser = web\nrun = %s %s %s\n' "$WORLD/srv/web/%r/bin/web" "$arguments" "$DATA/ids.%z"
        printf '[health]\n%s\ninterval = 100ms\npasses = 1\n[files]\nwrite = %s\n[drain]\ntimeout = 1s\n[ports]\n' \
            "$check" "$DATA"
        printf '%s\n' "$@"
    } | app_conf web
}

ready_ports() {
    local release
    mkdir -p "$DATA"
    chown web "$DATA"
    world_net
    conf_ports "$@"
    for release in v1 v2 v3; do
        release_install web "$release" "$TOOLS/keeper"
    done
    agent_start
    bg deploy web v1 >/dev/null
}

post() { # PORT ID
    on_client curl -sf -m 5 -d x "http://203.0.113.10:$1/add/$2" >/dev/null
}

has() { # ZONE ID...
    [ "$(ids_of "$1" | paste -sd ' ')" = "${*:2}" ]
}

# What came by a port goes to the one of the same number, whatever that is in the other release.
test_ports_that_differ() {
    local feed=('[feed]' 'mode = http')
    ready_ports '--port 8080,8081' 'http = :8080/healthz' 'http = 80 -> 8080/tcp' 'admin = 81 -> 8081/tcp' "${feed[@]}"
    conf_ports '--port 8082,9080,9081' 'http = :9080/healthz' 'more = 82 -> 8082/tcp' 'manage = 81 -> 9081/tcp' \
        'http = 80 -> 9080/tcp' "${feed[@]}"
    bg deploy web v2 >/dev/null
    post 80 a
    post 81 b
    wait_for 3 has green a@9080 b@9081
    wait_for 3 has blue a@8080 b@8081
    # What the other one has no port for is not left out in silence.
    post 82 c
    post 80 d
    wait_for 3 is_behind_for 'its release does not feed the port'
    expect_status 1 bg rollback web
    expect_match 'v1 would miss 2 transactions .*: transaction 3 is tried again: its release does not feed' "$OUTPUT"
    bg feed web skip 3
    wait_for 5 in_step
    has blue a@8080 b@8081 d@8080
    bg rollback web >/dev/null
    post 81 e
    wait_for 3 has green a@9080 b@9081 c@8082 d@9080 e@9081
    # One that has no number 81 any more; nothing of the zone that it takes the place of is left.
    conf_ports '--port 8080,8081' 'http = :8080/healthz' 'http = 80 -> 8080/tcp' "${feed[@]}"
    bg deploy web v3 >/dev/null
    post 80 f
    wait_for 3 has blue a@8080 b@8081 d@8080 e@8081 f@8080
}

is_behind_for() {
    [[ $(status_of '"\(.feed.state) \(.feed.reason)"') == behind*"$1"* ]]
}

# For new connections; those that are there, and those to the other port, do not notice.
test_ports_by_reload() {
    local ports=('http = 80 -> 8080/tcp' 'admin = 81 -> 8081/tcp' '[feed]' 'mode = http')
    ready_ports '--port 8080,8081' 'http = :8080/healthz' "${ports[@]}" 'ports = admin'
    bg deploy web v2 >/dev/null
    post 81 a
    post 80 not-fed
    write_start
    conf_ports '--port 8080,8081' 'http = :8080/healthz' "${ports[@]}" 'ports = http admin'
    bg reload
    sleep 0.5
    post 81 b
    post 80 c
    conf_ports '--port 8080,8081' 'http = :8080/healthz' "${ports[@]}" 'ports = http'
    bg reload
    sleep 0.5
    post 80 d
    post 81 not-fed
    conf_ports '--port 8080,8081' 'http = :8080/healthz' "${ports[@]}"
    bg reload
    sleep 0.5
    post 81 e
    write_end
    nobody_failed
    wait_for 3 in_step
    expect_eq 'a@8081 not-fed@8080 b@8081 c@8080 d@8080 not-fed@8081 e@8081' \
        "$(ids_of green | grep -v '^[0-9]' | paste -sd ' ')"
    expect_eq 'a@8081 b@8081 c@8080 d@8080 e@8081' "$(ids_of blue | grep -v '^[0-9]' | paste -sd ' ')"
}

test_ipv6() {
    ready_ports '--port 8080' 'http = :8080/healthz' 'http = 80 -> 8080/tcp' '[feed]' 'mode = http'
    bg deploy web v2 >/dev/null
    on_client curl -sf -m 5 -d x "$URL6/add/six" >/dev/null
    wait_for 3 has blue six
    has green six
}

# --- bytes and packets -------------------------------------------------------------------------------------

# A connection whose lines are "ID.N", until SIGTERM; what was answered is counted.
lines_start() { # ID ADDRESS...
    # shellcheck disable=SC2016 # for the program
    ip netns exec client "$BASH" -c 'exec 3<>"/dev/tcp/203.0.113.10/80" || exit 1
        trap over=yes TERM
        for ((n = 0; ; n++)); do
            [ -z "${over:-}" ] || break
            echo "$1.$n" >&3 && read -r -t 5 answer <&3 || exit 1
            echo "$1.$n"
            sleep 0.02
        done' - "$1" >"$WORLD/lines.$1" &
    echo $! >"$WORLD/lines.$1.pid"
}

lines_end() {
    local pid
    pid=$(cat "$WORLD/lines.$1.pid")
    kill -TERM "$pid" && wait "$pid"
}

send_line() {
    # shellcheck disable=SC2016 # for the program
    on_client "$BASH" -c 'exec 3<>"/dev/tcp/203.0.113.10/80" && echo "$1" >&3 && read -r -t 5 answer <&3' - "$1"
}

test_stream() {
    ready_ports '--lines 8080' 'tcp = :8080' 'log = 80 -> 8080/tcp' '[feed]' 'mode = stream'
    bg deploy web v2 >/dev/null
    lines_start one
    lines_start two
    sleep 0.5
    lines_end one
    lines_end two
    wait_for 5 in_step
    for id in one two; do
        [ -s "$WORLD/lines.$id" ] || fail "no lines"
        expect_eq '' "$(ids_of blue | grep "^$id" | diff - "$WORLD/lines.$id")" "$id in blue"
        expect_eq '' "$(ids_of green | grep "^$id" | diff - "$WORLD/lines.$id")" "$id in green"
    done
    # A switch ends connections; the next ones go the other way round.
    bg rollback web >/dev/null
    send_line after
    wait_for 5 in_step
    expect_eq after "$(ids_of green | tail -1)"
    expect_eq after "$(ids_of blue | tail -1)"
    bg feed web verify
}

send_packet() {
    echo "$1" | on_client socat -t 1 - UDP4:203.0.113.10:514 | grep -q kept
}

test_datagram() {
    ready_ports '--packets 8514' 'exec = /bin/true' 'log = 514 -> 8514/udp' '[feed]' 'mode = datagram'
    bg deploy web v2 >/dev/null
    for id in 1 2 3; do
        send_packet "$id"
    done
    wait_for 3 has green 1 2 3
    wait_for 3 has blue 1 2 3
    bg rollback web >/dev/null
    send_packet 4
    wait_for 3 has green 1 2 3 4
    wait_for 3 has blue 1 2 3 4
    expect_eq 4 "$(status_of .feed.committed)"
}

run_tests
