#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A port that a process of the host's serves is taken over by an app, and given back.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

# A host with its own server on port 80, the release "host".
host_serves() {
    background env BLUEGREEN_RELEASE=host "$BUILD/demo/web" --port 80
    wait_for 5 curl -sf -o /dev/null http://127.0.0.1:80/healthz
}

# The host, the app's configuration and releases, and the host's own server; no agent yet.
ready_host() {
    world_net
    web_conf web 80
    release_install web v1
    release_install web v2
    host_serves
}

hold() { # NAME CMD... ADDRESS:PORT: a connection that has had its first answer
    local name=$1
    shift
    "$@" >"$WORLD/held.$name" 2>&1 &
    echo "$!" >"$WORLD/pid.$name"
    wait_for 5 grep -q 'answer 200' "$WORLD/held.$name"
}

pid_of() { # NAME
    cat "$WORLD/pid.$1"
}

hold_from_outside() { # NAME ADDRESS:PORT
    hold "$1" ip netns exec client "$TOOLS/hold_connection" --no-stdin --request /healthz "$2"
}

hold_on_host() { # NAME ADDRESS:PORT
    hold "$1" "$TOOLS/hold_connection" --no-stdin --request /healthz "$2"
}

hold_four() {
    hold_from_outside four 203.0.113.10:80
    hold_from_outside six '[2001:db8:1::10]:80'
    hold_on_host local 127.0.0.1:80
    hold_on_host own 203.0.113.10:80
}

# answered NAME COUNT: the held connection has had so many answers of the host's server, and nothing else.
answered() {
    [ "$(grep -c 'answer 200 host' "$WORLD/held.$1")" = "$2" ] && ! grep -q closed "$WORLD/held.$1"
}

# Each of them still gets an answer.
all_answer() { # COUNT NAME...
    local count=$1 name
    shift
    for name; do
        kill -USR1 "$(pid_of "$name")"
        wait_for 5 answered "$name" "$count"
    done
}

end_held() { # NAME...
    local name
    for name; do
        kill "$(pid_of "$name")"
        wait "$(pid_of "$name")" 2>/dev/null || :
    done
}

host_connections() {
    status_of '.ports[0].host_connections'
}

host_has() {
    [ "$(host_connections)" = "$1" ]
}

takeover_rules() {
    nft list chain inet bluegreen takeover | grep -c 'tcp flags' || :
}

rules_are() {
    [ "$(takeover_rules)" = "$1" ]
}

# What the host's server sends over ten seconds, checked byte for byte by the load client.
downloads_start() {
    local name=$1
    shift
    load_start "$name" --keepalive 2 --requests-per-connection 1 --slow 4000 --body 200000 "$@"
}

test_connections_from_before_finish_with_the_host() {
    ready_host
    # Nothing on this host has asked for connection tracking before: no rules.
    expect_eq "" "$(nft list ruleset)" "rules before"
    hold_four
    agent_start
    conntrack -F >/dev/null 2>&1 # as idle as if nothing had been said since the agent came
    expect_status 0 bg deploy web v1
    expect_eq 4 "$(host_connections)" "connections of the host's process"
    expect_match '80 . 8080/tcp  http  4 connections are still a process of the host' "$(bg status web)"
    grep -q 'web: port 80/tcp was a process of the host.s: it keeps the 4 connections' "$WORLD/agent.log"
    all_answer 2 four six local own
    # New ones come to us, on every way.
    expect_eq "ok v1" "$(on_client curl -sf -m 2 "$URL4"/healthz)" "outside, IPv4"
    expect_eq "ok v1" "$(on_client curl -sf -m 2 -g "$URL6/healthz")" "outside, IPv6"
    expect_eq "ok v1" "$(curl -sf -m 2 http://127.0.0.1/healthz)" "local"
    expect_eq "ok v1" "$(curl -sf -m 2 "$URL4"/healthz)" "own address"
    # And stay there over a switch.
    expect_status 0 bg deploy web v2
    conntrack -F >/dev/null 2>&1
    all_answer 3 four six local own
    expect_eq "ok v2" "$(on_client curl -sf -m 2 "$URL4"/healthz)" "after the switch"
    end_held four six local own
    wait_for 5 rules_are 0
    wait_for 5 host_has 0
    grep -q 'port 80/tcp: no connection of a process of the host.s is left' "$WORLD/agent.log"
}

# Without the rules the same connections are reset: the test above can see it.
test_control_without_the_rules_they_are_reset() {
    ready_host
    hold_four
    agent_start
    expect_status 0 bg deploy web v1
    agent_kill9
    nft flush chain inet bluegreen takeover
    conntrack -F >/dev/null 2>&1
    kill -USR1 "$(pid_of four)"
    wait_for 5 grep -q 'closed reset' "$WORLD/held.four"
    kill -USR1 "$(pid_of local)"
    wait_for 5 grep -q 'closed reset' "$WORLD/held.local"
}

# A connection of a zone is picked up in mid-stream as soon as the host's process has none any more.
test_zones_connections_are_picked_up_again() {
    ready_host
    hold_from_outside four 203.0.113.10:80
    agent_start
    expect_status 0 bg deploy web v1
    end_held four
    wait_for 5 rules_are 0
    ip netns exec client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held.v1" 2>&1 &
    local held=$!
    wait_for 5 grep -q 'answer 200 v1' "$WORLD/held.v1"
    conntrack -F >/dev/null 2>&1
    kill -USR1 "$held"
    wait_for 5 sh -c "[ \"\$(grep -c 'answer 200 v1' '$WORLD/held.v1')\" = 2 ]"
}

# Load of every kind over the first deploy: nothing fails, first the host answers, then the app.
load_over_the_first_deploy() {
    load_start all --new 2 --keepalive 3 --requests-per-connection 100000 --url "$URL4" --url "$URL6"
    downloads_start slow --url "$URL4" --url "$URL6"
    sleep 0.5
    agent_start
    expect_status 0 bg deploy web v1
    sleep 0.5
    expect_status 0 bg deploy web v2
    sleep 0.5
    local report
    report=$(load_end all) || fail "requests failed: $report"
    expect_eq 0 "$(jq .failed <<<"$report")" "failed requests"
    for name in host v1 v2; do
        [ "$(jq ".releases.$name.requests // 0" <<<"$report")" -gt 20 ] || fail "$name hardly answered: $report"
    done
    report=$(load_end slow) || fail "downloads failed: $report"
    expect_eq 0 "$(jq .failed <<<"$report")" "failed downloads"
    [ "$(jq '.releases.host.requests // 0' <<<"$report")" -gt 0 ] || fail "the host's server sent nothing: $report"
}

test_load_where_nothing_was_tracked_before() {
    ready_host
    expect_eq "" "$(nft list ruleset)" "rules before"
    load_over_the_first_deploy
}

test_load_where_connections_were_tracked_before() {
    ready_host
    nft -f - <<'END'
table inet filter {
    chain input { type filter hook input priority 0; policy accept; ct state invalid drop; }
    chain forward { type filter hook forward priority 0; policy accept; ct state established,related accept; }
}
END
    load_over_the_first_deploy
}

# A real server of the distribution's: keep-alive connections, and a download that takes its time.
test_nginx_on_the_host() {
    command -v nginx >/dev/null || skip "nginx is not installed"
    world_net
    web_conf web 80
    release_install web v1
    mkdir -p "$WORLD/nginx"
    head -c 3000000 /dev/urandom >"$WORLD/nginx/big"
    echo fine >"$WORLD/nginx/healthz"
    chmod -R a+rX "$WORLD" "$WORLD/nginx"
    cat >"$WORLD/nginx.conf" <<END
daemon off;
error_log stderr;
pid $WORLD/nginx.pid;
events { }
http {
    access_log off;
    server {
        listen 80;
        listen [::]:80;
        root $WORLD/nginx;
        add_header X-Release host;
        location /big { limit_rate 1m; }
    }
}
END
    background nginx -c "$WORLD/nginx.conf"
    wait_for 5 curl -sf -o /dev/null http://127.0.0.1/healthz
    hold_four
    on_client curl -sf -m 20 -o "$WORLD/big4" "$URL4"/big &
    local four=$!
    on_client curl -sf -m 20 -g -o "$WORLD/big6" "$URL6"/big &
    local six=$!
    wait_for 5 test -s "$WORLD/big4"
    agent_start
    expect_status 0 bg deploy web v1
    expect_eq "ok v1" "$(on_client curl -sf -m 2 "$URL4"/healthz)" "a new connection"
    all_answer 2 four six local own
    wait "$four" || fail "the download over IPv4 ended with $?"
    wait "$six" || fail "the download over IPv6 ended with $?"
    cmp "$WORLD/nginx/big" "$WORLD/big4"
    cmp "$WORLD/nginx/big" "$WORLD/big6"
    conntrack -F >/dev/null 2>&1
    all_answer 3 four six local own
    # It leaves as it always does, and the port is ours alone.
    kill -QUIT "$(cat "$WORLD/nginx.pid")"
    wait_for 10 rules_are 0
    expect_eq "ok v1" "$(curl -sf -m 2 http://127.0.0.1/healthz)" "after its end"
}

test_an_agent_that_comes_later_looks_again() {
    ready_host
    hold_four
    agent_start
    expect_status 0 bg deploy web v1
    agent_kill9
    end_held six own
    agent_start
    conntrack -F >/dev/null 2>&1
    wait_for 5 host_has 2
    all_answer 2 four local
    end_held four local
    wait_for 5 rules_are 0
}

test_stop_gives_the_port_back() {
    ready_host
    agent_start
    expect_status 0 bg deploy web v1
    expect_eq "ok v1" "$(on_client curl -sf -m 2 "$URL4"/healthz)"
    expect_status 0 bg stop web
    expect_eq "ok host" "$(on_client curl -sf -m 2 "$URL4"/healthz)" "after stop"
    expect_eq "ok host" "$(curl -sf -m 2 http://127.0.0.1/healthz)" "after stop, local"
    hold_from_outside four 203.0.113.10:80
    expect_status 0 bg start web
    expect_eq "ok v1" "$(on_client curl -sf -m 2 "$URL4"/healthz)" "after start"
    conntrack -F >/dev/null 2>&1
    all_answer 2 four
    expect_status 0 bg remove web --force
    expect_eq "ok host" "$(on_client curl -sf -m 2 -g "$URL6/healthz")" "after remove"
    all_answer 3 four
    expect_eq 0 "$(takeover_rules)" "rules of a port that is nobody's"
}

# One address of the host is the app's, the other one stays the host's.
test_one_address_of_several() {
    world_net
    web_conf web 203.0.113.10:80
    release_install web v1
    host_serves
    hold_from_outside four 203.0.113.10:80
    hold_from_outside other 198.51.100.7:80
    agent_start
    expect_status 0 bg deploy web v1
    conntrack -F >/dev/null 2>&1
    expect_eq 1 "$(host_connections)" "connections on the app's address"
    all_answer 2 four other
    expect_eq "ok v1" "$(on_client curl -sf -m 2 "$URL4"/healthz)" "the app's address"
    expect_eq "ok host" "$(on_client curl -sf -m 2 http://198.51.100.7/healthz)" "the other address"
}

steady_udp() { # NAME PORT
    ip netns exec client "$TOOLS/udpload" --json --duration 600 --steady 1 --rate 50 --to "203.0.113.10:$2" >"$WORLD/udp.$1" 2>&1 &
    echo "$!" >"$WORLD/pid.$1"
}

udp_answered() { # NAME
    kill -TERM "$(pid_of "$1")"
    wait_for 5 test -s "$WORLD/udp.$1"
    jq -r '.releases | keys | join(" ")' "$WORLD/udp.$1"
}

# The host's own until the release comes that publishes it.
test_udp_port_that_comes_later() {
    world_net
    web_conf web 80
    release_install web v1
    release_install web v2
    background env BLUEGREEN_RELEASE=host "$BUILD/demo/web" --port 9999 --udp 53
    agent_start
    expect_status 0 bg deploy web v1
    udp_conf ""
    sed -i 's|^dns = .*|&\nhttp = 80 -> 8080/tcp|' "$WORLD/etc/apps/web.conf"
    steady_udp flow 53
    sleep 0.5
    expect_status 0 bg deploy web v2
    sleep 0.7
    expect_eq "host v2" "$(udp_answered flow)"
}

udp_conf() { # POLICY
    app_conf web <<END
[app]
name = web
user = web
run = $WORLD/srv/web/%r/bin/web --port 8080 --udp 8080
[ports]
dns = 53 -> 8080/udp$1
[health]
http = :8080/healthz
interval = 200ms
passes = 2
END
}

# UDP as its port's policy says: it moves with the publishing, or stays with the process that has it.
test_udp_moves_or_stays() {
    local policy
    world_net
    release_install web v1
    background env BLUEGREEN_RELEASE=host "$BUILD/demo/web" --port 9999 --udp 53
    agent_start
    for policy in "" " keep"; do
        udp_conf "$policy"
        bg reload
        steady_udp flow 53
        sleep 0.5
        expect_status 0 bg deploy web v1
        sleep 0.7
        expect_match v1 "$(on_client "$TOOLS/udpload" --json --fresh 1 --duration 0.3 --rate 50 --to 203.0.113.10:53 | jq -r '.releases | keys | join(" ")')" "a new flow, policy$policy"
        if [ -z "$policy" ]; then
            expect_eq "host v1" "$(udp_answered flow)" "a flow that moves"
        else
            expect_eq host "$(udp_answered flow)" "a flow that is kept"
        fi
        # And back: nothing goes to a zone that is not there.
        steady_udp back 53
        sleep 0.5
        expect_status 0 bg stop web
        sleep 0.7
        expect_eq "host v1" "$(udp_answered back)" "a flow over a stop, policy$policy"
        bg remove web --force
    done
}

run_tests
