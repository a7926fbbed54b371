#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# [ports] ... listen: the app gets its sockets (sd_listen_fds), which stay while it is started again: clients wait.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

# LINEs: more configuration.
ready_listen() {
    ready_web "$@"
    conf_listen "$@"
    bg deploy web v1 >/dev/null
}

conf_listen() {
    web_conf web 80 "$@"
    sed -i 's|^http = 80.*|http = 80 -> 8080/tcp listen\ndns = 53 -> 8053/udp listen|; s|--port 8080|& --udp 8053|' \
        "$WORLD/etc/apps/web.conf"
}

pid_of_live() {
    status_of ".zones.$(status_of .live).pid"
}

restarted() {
    [ "$(status_of ".zones.$(status_of .live).restarts")" = "$1" ]
}

test_protocol() {
    ready_listen
    local pid environment
    pid=$(pid_of_live)
    environment=$(tr '\0' '\n' <"/proc/$pid/environ" | grep ^LISTEN_ | sort)
    expect_eq "LISTEN_FDNAMES=http:dns
LISTEN_FDS=2
LISTEN_PID=$(awk '/^NSpid:/ { print $NF }' "/proc/$pid/status")" "$environment"
    # What it got, in this order, and nothing else of the shim's.
    expect_match '^socket:' "$(readlink "/proc/$pid/fd/3")"
    expect_match '^socket:' "$(readlink "/proc/$pid/fd/4")"
    expect_eq 2 "$(find "/proc/$pid/fd" -lname 'socket:*' | wc -l)" "sockets"
    # Both families, and the kernel's longest queue.
    expect_match "LISTEN +0 +$(cat /proc/sys/net/core/somaxconn) +\*:8080" "$(ip netns exec bg-web-blue ss -Hltn)"
    answers v1
    expect_eq v1 "$(release_seen "$URL6")"
    expect_eq 1 "$(on_client "$TOOLS/udpload" --json --to 203.0.113.10:53 --duration 0.3 --fresh 1 --rate 10 | jq 'if .answered > 0 and .lost == 0 then 1 else . end')"
    # A worker or a command gets none.
    expect_eq '' "$(bg exec web -- /usr/bin/env | grep ^LISTEN_)"
}

# The app ends and is started again under load, gracefully: whoever comes meanwhile waits.
test_restart_under_load() {
    ready_listen
    load_start out --url "$URL4" --url "$URL6" --new 8 --rate 200
    local i
    for i in 1 2 3; do
        kill -TERM "$(pid_of_live)"
        wait_for 5 restarted "$i"
        sleep 0.3
    done
    load_end out >"$WORLD/report" || :
    cat "$WORLD/report"
    # A connection that the app had accepted and not read from is its own to end.
    json '.failures | .refused == 0 and .connect == 0 and .timeout == 0 and .reset == 0 and .short <= 6' <"$WORLD/report"
}

# The same without: clients are refused, which is what the above would see.
test_restart_without() {
    ready_web
    bg deploy web v1 >/dev/null
    load_start out --url "$URL4" --url "$URL6" --new 8 --rate 200
    kill -TERM "$(pid_of_live)"
    wait_for 5 restarted 1
    sleep 0.3
    expect_status 1 load_end out
    expect_match '"refused":[1-9]' "$OUTPUT"
}

# Killed where it stands: those that it had accepted are lost, those in the queue are not.
test_killed_with_a_full_queue() {
    ready_listen
    local pid i
    pid=$(pid_of_live)
    kill -STOP "$pid"
    for i in {1..20}; do
        on_client curl -s -m 8 -o /dev/null -w '%{http_code}\n' "$URL4/healthz" >>"$WORLD/codes" &
    done
    sleep 0.5
    kill -9 "$pid"
    wait_for 8 all_answered
    expect_eq '20 200' "$(sort "$WORLD/codes" | uniq -c | xargs)"
}

all_answered() {
    [ "$(wc -l <"$WORLD/codes")" = 20 ]
}

# Stopped, it is refused at once: nobody waits for what will not come.
test_stopped() {
    ready_listen
    bg stop web >/dev/null
    expect_status 7 on_client curl -s -m 3 "$URL4/healthz"
    bg start web >/dev/null
    answers v1
}

# What an app does to its sockets is undone before the next start.
test_shut_down_by_the_app() {
    [ -x /usr/bin/python3 ] || skip "no python3"
    mkdir -p "$WORLD/shared"
    chown web "$WORLD/shared"
    ready_listen '[files]' "write = $WORLD/shared" '[restart]' 'delay = 100ms'
    mv "$WORLD/srv/web/v2/bin/web" "$WORLD/srv/web/v2/bin/web.real"
    cat >"$WORLD/srv/web/v2/bin/web" <<EOF
#!/bin/bash
if mkdir $WORLD/shared/once 2>/dev/null; then
    exec /usr/bin/python3 -c 'import socket; socket.socket(fileno=3).shutdown(2)'
fi
exec "\$0.real" "\$@"
EOF
    chmod 755 "$WORLD/srv/web/v2/bin/web"
    bg deploy web v2 >/dev/null
    [ -d "$WORLD/shared/once" ] || fail "it was not shut down"
    expect_eq 1 "$(status_of .zones.green.restarts)"
    answers v2
}

test_configuration() {
    ready_web
    web_conf web 80
    sed -i 's|^http = 80.*|http = 80 -> 8080/tcp listen|; s|^http = :8080/healthz|tcp = :8080|' "$WORLD/etc/apps/web.conf"
    expect_status 2 bg reload
    expect_match 'port 8080 is listened to before the app runs .*connecting always works' "$OUTPUT"
    sed -i 's|tcp listen|tcp listen listen|; s|^tcp = :8080|http = :8080/healthz|' "$WORLD/etc/apps/web.conf"
    expect_status 2 bg reload
    expect_match 'listen: write it once' "$OUTPUT"
}

run_tests
