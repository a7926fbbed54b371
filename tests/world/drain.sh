#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A drain for real: connections that rest are ended without anybody noticing, and nothing else is.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# held NAME REQUEST: a client that has asked for this once and stays; what happens is in $WORLD/NAME.
held() {
    on_client "$TOOLS/hold_connection" --no-stdin --request "$2" 203.0.113.10:80 >"$WORLD/$1" 2>&1 &
}

answered() {
    local name
    for name; do
        grep -q answer "$WORLD/$name" || return 1
    done
}

ended() {
    grep -q "closed $2" "$WORLD/$1"
}

draining_with() {
    [ "$(bg status web --json | jq -r '.drain | "\(.connections) \(.nudged)"')" = "$1" ]
}

test_connections_that_rest_are_ended_cleanly_and_others_are_not_touched() {
    ready_web '[drain]' 'timeout = 60s' 'nudge = yes' 'nudge_after = 500ms'
    bg deploy web v1
    held idle1 /healthz
    held idle2 /bytes/1/200000
    held busy /slow/7/100000/4000
    on_client "$TOOLS/hold_connection" --no-stdin 203.0.113.10:80 >"$WORLD/silent" 2>&1 &
    wait_for 5 answered idle1 idle2
    wait_for 5 grep -q open "$WORLD/silent"
    bg deploy web v2 --json >"$WORLD/deploy" 2>&1 &
    local deploy=$!
    wait_for 10 ended idle1 fin
    wait_for 10 ended idle2 fin
    # One answer is on its way, and one client has only connected.
    wait_for 5 draining_with '2 2'
    expect_no_match closed "$(cat "$WORLD/busy" "$WORLD/silent")"
    wait_for 10 answered busy
    expect_match 'answer 200 v1 100000' "$(cat "$WORLD/busy")"
    wait_for 10 ended busy fin
    bg finish web
    wait "$deploy"
    wait_for 5 ended silent reset
    tail -n 1 "$WORLD/deploy" | json '.nudged == 3 and .drained == 3 and .cut == 1'
    bg history web --json | json '.entries | last | .receipt.nudged == 3'
}

test_nothing_is_nudged_unless_it_was_asked_for() {
    ready_web '[drain]' 'timeout = 2s'
    bg deploy web v1
    held idle /healthz
    wait_for 5 answered idle
    sleep 0.5
    bg deploy web v2 --json >"$WORLD/deploy"
    wait_for 5 ended idle reset
    tail -n 1 "$WORLD/deploy" | json '.nudged == 0 and .cut == 1'
}

# The worst moment: clients whose next request comes just when they are nudged, of an app that takes its time to close
# and reads nothing before it does. A reset is a failure, and so is every answer that is not whole.
test_clients_that_ask_at_the_moment_of_the_nudge_lose_nothing() {
    local i report
    ready_web '[drain]' 'timeout = 30s' 'nudge = yes' 'nudge_after = 100ms'
    sed -i 's/--port 8080/--port 8080 --rude-close 5/' "$WORLD/etc/apps/web.conf"
    bg deploy web v1
    bg deploy web v2
    load_start nudged --url "$URL4" --keepalive 60 --rate 3.7 --requests-per-connection 1000000
    wait_for 10 all_connected
    for ((i = 0; i < 3; i++)); do
        bg rollback web --json >"$WORLD/rollback.$i"
    done
    report=$(load_end nudged) || fail "$report"
    jq -c '{requests, retried, failed}' <<<"$report"
    # They moved without being cut, several times over, and some in the very moment. In doubt one does not rest: of 180 a
    # few may have asked and acknowledged in the same tick of the clock.
    tail -q -n 1 "$WORLD"/rollback.* | jq -s -c '{nudged: map(.nudged) | add, cut: map(.cut) | add}' >"$WORLD/sum"
    cat "$WORLD/sum"
    json '.failed == 0 and .requests > 200 and .retried > 0' <<<"$report"
    json '.nudged >= 150 and .cut <= 3' <"$WORLD/sum"
}

all_connected() {
    [ "$(status_of .zones.green.connections.tcp)" = 60 ]
}

# What only looks like keep-alive: the app's turn was the last, and there is more to come.
cat_server() {
    mkdir -p "$WORLD/srv/talk/$1/bin"
    cat >"$WORLD/srv/talk/$1/bin/talk" <<'EOF'
#!/usr/bin/python3
import socket, sys, threading

def serve(connection):
    with connection:
        while True:
            data = connection.recv(100)
            if not data and sys.argv[1] == "deaf":
                continue
            if not data:
                return
            connection.sendall(b"you said " + data)

def listen(port):
    server = socket.create_server(("", port))
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],)).start()

for port in (8080, 9090):
    threading.Thread(target=listen, args=(port,)).start()
EOF
    chmod 755 "$WORLD/srv/talk/$1/bin/talk"
}

# talk_conf KIND [LINE...]
talk_conf() {
    local kind=$1
    shift
    {
        printf '[app]\nname = web\nuser = web\nrun = %s %s\n' "$WORLD/srv/talk/%r/bin/talk" "$kind"
        printf '[ports]\nhttp = 80 -> 8080/tcp\nsocket = 81 -> 9090/tcp\n'
        printf '[health]\ninterval = 200ms\npasses = 1\n'
        printf '%s\n' "$@"
    } | app_conf web
}

# A client that says hello, and another thing when it is told to.
talker() {
    cat >"$WORLD/talker.py" <<'EOF'
import os, signal, socket, sys

def say(words):
    connection.sendall(words)
    print("heard", connection.recv(100).decode() or "the end", flush=True)

connection = socket.create_connection(("203.0.113.10", int(sys.argv[1])))
say(b"hello")
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
print("pid", os.getpid(), flush=True)
signal.sigwait([signal.SIGUSR1])
try:
    say(b"again")
    print("heard", connection.recv(100).decode() or "the end", flush=True)
except ConnectionResetError:
    print("reset", flush=True)
EOF
    on_client python3 "$WORLD/talker.py" "$1" >"$WORLD/talker.$2" 2>&1 &
    wait_for 5 grep -q pid "$WORLD/talker.$2"
}

say_again() {
    kill -USR1 "$(sed -n 's/^pid //p' "$WORLD/talker.$1")"
}

test_only_the_ports_that_are_named_are_nudged() {
    world_net
    cat_server v1
    cat_server v2
    talk_conf polite '[drain]' 'timeout = 60s' 'nudge = http' 'nudge_after = 200ms'
    agent_start
    bg deploy web v1
    talker 80 http
    talker 81 socket
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 10 draining_with '1 1'
    sleep 1
    say_again socket
    wait_for 5 grep -q 'you said again' "$WORLD/talker.socket"
    expect_eq '1 1' "$(bg status web --json | jq -r '.drain | "\(.connections) \(.nudged)"')"
    # The one that was nudged has seen a clean end.
    say_again http
    wait_for 5 grep -q 'the end' "$WORLD/talker.http"
    expect_no_match reset "$(cat "$WORLD/talker.http")"
}

# An app that does not care for the end of what it reads keeps its clients, and hears them.
test_an_app_that_goes_on_all_the_same_is_let_go_on() {
    world_net
    cat_server v1
    cat_server v2
    talk_conf deaf '[drain]' 'timeout = 60s' 'nudge = yes' 'nudge_after = 200ms' '[sandbox]' 'syscalls = baseline'
    agent_start
    bg deploy web v1
    talker 80 http
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 10 draining_with '1 1'
    bg connections web --json | json '.connections[0].nudged'
    sleep 1.5
    say_again http
    wait_for 5 grep -q 'you said again' "$WORLD/talker.http"
}

# A rollback takes the drain back before anybody could be heard again.
test_a_rollback_takes_a_nudge_back() {
    world_net
    cat_server v1
    cat_server v2
    talk_conf deaf '[drain]' 'timeout = 60s' 'nudge = yes' 'nudge_after = 200ms' '[sandbox]' 'syscalls = baseline'
    agent_start
    bg deploy web v1
    talker 80 http
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 10 draining_with '1 1'
    bg rollback web
    say_again http
    wait_for 5 grep -q 'you said again' "$WORLD/talker.http"
}

# real_conf COMMAND: an app that is a program of the system's.
real_conf() {
    mkdir -p "$WORLD/srv/real/v1" "$WORLD/srv/real/v2"
    echo hello | tee "$WORLD/srv/real/v1/index.html" >"$WORLD/srv/real/v2/index.html"
    {
        printf '[app]\nname = web\nuser = web\nrun = %s\n[ports]\nhttp = 80 -> 8080/tcp\n' "$1"
        printf '[health]\ninterval = 200ms\npasses = 1\n'
        printf '[drain]\ntimeout = 60s\nnudge = yes\nnudge_after = 500ms\n'
        printf '[files]\nread = %s\n' "$WORLD/srv/real/%r"
    } | app_conf web
}

# Two clients, one of which asked once and one three times; then the drain ends by itself, long before its time.
clients_of_the_old_one_leave_cleanly() {
    world_net
    agent_start
    bg deploy web v1
    held once /index.html
    on_client python3 -c 'if True:
        import http.client, sys
        c = http.client.HTTPConnection("203.0.113.10")
        for i in range(3):
            c.request("GET", "/index.html")
            print(c.getresponse().read().decode().strip(), flush=True)
        print("the end" if c.sock.recv(100) == b"" else "more", flush=True)' >"$WORLD/thrice" 2>&1 &
    wait_for 10 answered once
    wait_for 10 grep -q hello "$WORLD/thrice" || fail "$(cat "$WORLD/thrice")"
    bg deploy web v2 --json >"$WORLD/deploy"
    tail -n 1 "$WORLD/deploy" | json '.nudged == 2 and .cut == 0 and .duration_ms < 30000'
    wait_for 2 ended once fin
    wait_for 2 grep -q 'the end' "$WORLD/thrice"
    expect_eq hello "$(on_client curl -s -m 5 "$URL4/index.html")"
}

test_nginx() {
    [ -x /usr/sbin/nginx ] || skip "nginx is not installed"
    real_conf "/usr/sbin/nginx -e stderr -p /tmp -c $WORLD/srv/real/%r/nginx.conf"
    tee "$WORLD/srv/real/v1/nginx.conf" >"$WORLD/srv/real/v2/nginx.conf" <<'EOF'
daemon off;
worker_processes 2;
pid /tmp/nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    keepalive_timeout 600s;
    server {
        listen 8080;
        listen [::]:8080;
        location / { return 200 "hello\n"; }
    }
}
EOF
    clients_of_the_old_one_leave_cleanly
}

test_python_http_server() {
    /usr/bin/python3 -m http.server --help 2>/dev/null | grep -q -- --protocol ||
        skip "its http.server has no --protocol"
    real_conf "/usr/bin/python3 -m http.server 8080 --protocol HTTP/1.1 --directory $WORLD/srv/real/%r"
    clients_of_the_old_one_leave_cleanly
}

# A body that comes in pieces, with longer pauses than a connection may rest.
test_a_slow_upload_is_not_touched() {
    ready_web '[drain]' 'timeout = 60s' 'nudge = yes' 'nudge_after = 100ms'
    bg deploy web v1
    on_client python3 -c 'if True:
        import socket, time
        s = socket.create_connection(("203.0.113.10", 80))
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        s.recv(1000)
        print("begun", flush=True)
        s.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n")
        for i in range(12):
            time.sleep(0.4)
            s.sendall(b"x")
        print(s.recv(1000).decode().split("\r\n")[0], flush=True)' >"$WORLD/upload" 2>&1 &
    wait_for 10 grep -q begun "$WORLD/upload"
    bg deploy web v2 --json >"$WORLD/deploy"
    wait_for 5 grep -q 'HTTP/1.1 200' "$WORLD/upload"
    tail -n 1 "$WORLD/deploy" | json '.cut == 0 and .drained == 1 and .duration_ms > 2000'
}

# flow_of POLICY: v1 is live, and somebody sends to it twenty times a second.
flow_of() {
    ready_web '[drain]' 'timeout = 500ms'
    sed -i "s|--port 8080|--port 8080 --udp 8081|; s|-> 8080/tcp|&\ndata = 80 -> 8081/udp $1|" \
        "$WORLD/etc/apps/web.conf"
    bg deploy web v1
    on_client python3 -c 'if True:
        import socket, time
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(1)
        s.connect(("203.0.113.10", 80))
        while True:
            s.send(b"x")
            try:
                print(s.recv(100).split()[0].decode(), flush=True)
            except socket.timeout:
                print("nothing", flush=True)
            time.sleep(0.05)' >"$WORLD/flow" 2>&1 &
    wait_for 5 grep -q v1 "$WORLD/flow"
    bg connections web --json | json '.connections[] | select(.protocol == "udp") |
        .port == "data" and .target == 8081 and .state == "replied" and .zone == "blue"'
    bg deploy web v2 >"$WORLD/deploy"
}

flow_is_at() {
    [ "$(tail -n 1 "$WORLD/flow")" = "$1" ]
}

test_udp_that_moves_follows_at_once() {
    flow_of move
    wait_for 2 flow_is_at v2
    # The answer that is on its way in that moment may be lost, as datagrams may.
    [ "$(grep -c nothing "$WORLD/flow")" -le 1 ]
}

# Also past the end of the drain, which does not wait for it; as long as there is something that it could stay with.
test_udp_that_is_kept_stays_until_its_zone_goes() {
    flow_of keep
    wait_for 5 is_state blue standby
    sleep 1
    expect_eq v1 "$(tail -n 1 "$WORLD/flow")"
    expect_no_match 'v2|nothing' "$(cat "$WORLD/flow")"
    expect_eq udp "$(bg connections web blue --json | jq -r '.connections[].protocol')"
    bg stage web v1
    wait_for 3 flow_is_at v2
}

run_tests
