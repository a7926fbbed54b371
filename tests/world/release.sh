#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The main job: deploy, switch, roll back, drain, cut, abort, stop, start, remove; under load, and refused where it must be.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

test_first_deploy_answers_on_every_path() {
    ready_web
    expect_status 0 bg deploy web v1
    expect_eq v1 "$(release_seen "$URL4")" "from outside, IPv4"
    expect_eq v1 "$(release_seen "$URL6")" "from outside, IPv6"
    expect_eq v1 "$(curl -s -m 5 http://127.0.0.1/healthz | cut -d' ' -f2)" "from the host, 127.0.0.1"
    expect_eq v1 "$(curl -s -m 5 http://203.0.113.10/healthz | cut -d' ' -f2)" "from the host, its own address"
    expect_match 203.0.113.2 "$(on_client curl -s -m 5 "$URL4/peer")" "the source address the app sees"
    expect_eq blue "$(status_of .live)"
    expect_eq live "$(status_of .zones.blue.state)"
    expect_eq running "$(status_of .state)"
    expect_match '^[0-9]+$' "$(status_of .zones.blue.pid)"
    expect_eq web "$(ps -o user= -p "$(status_of .zones.blue.pid)" | tr -d ' ')"
}

test_deploy_and_rollback_lose_no_request() {
    ready_web
    bg deploy web v1
    load_start new --new 3 --keepalive 4 --requests-per-connection 25 --body 3000 --url "$URL4" --url "$URL6"
    bg deploy web v2 --json >"$WORLD/deploy.json"
    expect_eq v2 "$(release_seen "$URL4")"
    bg rollback web --json >"$WORLD/rollback.json"
    expect_eq v1 "$(release_seen "$URL4")"
    load_end new >"$WORLD/report.json" || { cat "$WORLD/report.json"; fail "requests failed"; }
    expect_eq 0 "$(json .failed <"$WORLD/report.json")"
    json '.releases.v1.requests > 0 and .releases.v2.requests > 0' <"$WORLD/report.json" || fail "not both releases answered"
    tail -n 1 "$WORLD/deploy.json" | json '.from == "blue" and .to == "green" and .release == "v2" and .cut == 0'
    tail -n 1 "$WORLD/rollback.json" | json '.from == "green" and .to == "blue" and .release == "v1" and .transaction_us > 0
        and .generation_after > .generation_before and (.drained | type) == "number" and .duration_ms >= 0'
    wait_for 5 is_state green standby
}

test_forty_switches_lose_no_request() {
    ready_web '[drain]' 'timeout = 100ms' 'then = leave'
    bg deploy web v1
    bg deploy web v2
    load_start many --new 3 --keepalive 4 --body 2000 --url "$URL4" --url "$URL6"
    for ((i = 0; i < 40; i++)); do
        bg rollback web >/dev/null
    done
    load_end many >"$WORLD/report.json" || { cat "$WORLD/report.json"; fail "requests failed"; }
    json '.failed == 0 and .releases.v1.requests > 0 and .releases.v2.requests > 0' <"$WORLD/report.json"
}

test_stage_then_switch() {
    ready_web
    bg deploy web v1
    bg stage web v2
    expect_eq healthy "$(status_of .zones.green.state)"
    expect_eq v1 "$(release_seen "$URL4")"
    expect_status 1 bg rollback web
    expect_match 'never live' "$OUTPUT"
    expect_status 0 bg switch web
    expect_eq v2 "$(release_seen "$URL4")"
}

test_an_unhealthy_release_never_gets_traffic_and_says_why() {
    ready_web
    bg deploy web v1
    sed -i "s|/healthz|/nothing-here|; s|^interval.*|&\nstart_timeout = 2s|" "$WORLD/etc/apps/web.conf"
    expect_status 1 bg deploy web v2
    expect_match 'bluegreen: deploy web v2: not healthy in time' "$OUTPUT"
    expect_match 'HTTP 404' "$OUTPUT"
    expect_match 'The last lines of' "$OUTPUT"
    expect_eq failed "$(status_of .zones.green.state)"
    expect_eq v1 "$(release_seen "$URL4")"
    wait_for 5 gone green
}

gone() {
    [ ! -e "/run/netns/bg-web-$1" ]
}

test_an_app_that_exits_at_once_fails_early_with_its_log() {
    ready_web
    sed -i "s|--port 8080|--port 8080 --fail-start|" "$WORLD/etc/apps/web.conf"
    expect_status 1 bg deploy web v1
    expect_match 'exits again and again' "$OUTPUT"
    expect_match 'The last lines of' "$OUTPUT"
}

# The zone's log outlives what runs in it, but what another release said there explains nothing.
test_what_a_failed_release_said_is_its_own() {
    ready_web
    sed -i "s|--port 8080|--port 8080 --fail-start|" "$WORLD/etc/apps/web.conf"
    expect_status 1 bg deploy web v1
    printf '#!/bin/sh\nexit 7\n' >"$WORLD/srv/web/v2/bin/web"
    expect_status 1 bg deploy web v2
    expect_match 'code 7' "$OUTPUT"
    expect_no_match 'The last lines of' "$OUTPUT"
    expect_match . "$(bg logs web blue)" "what the first one said is still there"
}

test_a_missing_release_costs_the_standby_nothing() {
    ready_web
    bg deploy web v1
    bg deploy web v2
    bg drain web
    expect_status 2 bg deploy web v9
    expect_match 'apps/web.conf: \[app\] run: .*/v9' "$OUTPUT"
    expect_eq standby "$(status_of .zones.blue.state)"
    bg rollback web
}

test_rollback_is_refused_when_the_standby_is_sick() {
    ready_web '[drain]' 'timeout = 1s'
    bg deploy web v1
    bg deploy web v2
    bg drain web
    kill -STOP "$(status_of .zones.blue.pid)"
    sed -i 's|^interval.*|&|' "$WORLD/etc/apps/web.conf"
    wait_for 30 is_state blue unhealthy
    expect_status 1 bg rollback web
    expect_match 'is not healthy' "$OUTPUT"
    expect_eq v2 "$(release_seen "$URL4")"
    kill -CONT "$(status_of .zones.blue.pid)"
    wait_for 10 is_state blue standby
    expect_status 0 bg rollback web
}

test_drain_counts_and_cuts_with_a_reset() {
    ready_web '[drain]' 'timeout = 1s'
    bg deploy web v1
    on_client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    local held=$!
    wait_for 5 grep -q answer "$WORLD/held"
    expect_eq 1 "$(status_of .zones.blue.connections.tcp)"
    bg deploy web v2 --json >"$WORLD/deploy.json"
    tail -n 1 "$WORLD/deploy.json" | json '.cut == 1' || fail "receipt: $(tail -n 1 "$WORLD/deploy.json")"
    wait "$held" || :
    expect_match 'closed reset' "$(cat "$WORLD/held")"
}

test_drain_leaves_connections_where_configured() {
    ready_web '[drain]' 'timeout = 300ms' 'then = leave'
    bg deploy web v1
    on_client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    wait_for 5 grep -q answer "$WORLD/held"
    bg deploy web v2 --json >"$WORLD/deploy.json"
    tail -n 1 "$WORLD/deploy.json" | json '.cut == 0'
    expect_no_match closed "$(cat "$WORLD/held")"
    expect_eq 1 "$(status_of .zones.blue.connections.tcp)"
}

test_a_second_operation_is_refused_with_who_and_what() {
    ready_web
    bg deploy web v1
    sed -i "s|--port 8080|--port 8080 --start-delay 3000|" "$WORLD/etc/apps/web.conf"
    bg deploy web v2 >"$WORLD/first" 2>&1 &
    wait_for 5 operating health
    expect_status 1 bg deploy web v1
    expect_match 'busy' "$OUTPUT"
    expect_match 'root \(uid 0\)' "$OUTPUT"
    expect_match 'deploy v2' "$OUTPUT"
    expect_status 0 bg abort web
    expect_eq v1 "$(release_seen "$URL4")"
    wait_for 5 gone green
    wait $! && fail "the aborted deploy ended well"
    expect_match 'aborted by root' "$(cat "$WORLD/first")"
}

test_rollback_during_the_drain_makes_the_old_zone_live_again() {
    ready_web '[drain]' 'timeout = 60s'
    bg deploy web v1
    on_client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    wait_for 5 grep -q answer "$WORLD/held"
    bg deploy web v2 >"$WORLD/first" 2>&1 &
    local first=$!
    wait_for 10 is_state blue draining
    expect_eq v2 "$(release_seen "$URL4")"
    expect_status 0 bg rollback web
    expect_eq v1 "$(release_seen "$URL4")"
    expect_eq live "$(status_of .zones.blue.state)"
    expect_no_match closed "$(cat "$WORLD/held")" "the connection that was draining"
    wait "$first" && fail "the deploy that was rolled back ended well"
    expect_match 'switched back' "$(cat "$WORLD/first")"
}

test_abort_during_the_drain_switches_back() {
    ready_web '[drain]' 'timeout = 60s'
    bg deploy web v1
    on_client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    wait_for 5 grep -q answer "$WORLD/held"
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 10 is_state blue draining
    expect_status 0 bg abort web
    expect_eq v1 "$(release_seen "$URL4")"
}

test_abort_removes_what_is_staged() {
    ready_web
    bg deploy web v1
    bg stage web v2
    expect_status 0 bg abort web
    wait_for 5 is_state green absent
    expect_status 1 bg abort web
    expect_match 'nothing to abort' "$OUTPUT"
}

test_stop_start_and_remove() {
    ready_web
    bg deploy web v1
    bg deploy web v2
    bg drain web
    expect_status 0 bg stop web
    expect_eq null "$(bg status web --json | jq -c .live)"
    expect_eq stopped "$(status_of .state)"
    expect_eq stopped "$(status_of .zones.green.state)"
    expect_eq '' "$(release_seen "$URL4")"
    expect_status 1 bg deploy web v1
    expect_match 'is stopped' "$OUTPUT"
    expect_status 0 bg start web
    expect_eq v2 "$(release_seen "$URL4")"
    wait_for 10 is_state blue standby
    wait_for 10 bg rollback web
    expect_eq v1 "$(release_seen "$URL4")"
    expect_status 1 bg remove web
    expect_match 'is serving' "$OUTPUT"
    expect_status 0 bg remove web --force
    expect_eq '' "$(find /run/netns -name 'bg-*')"
    expect_no_match 'zone.web' "$(nft list table inet bluegreen)"
    expect_eq empty "$(status_of .state)"
}

test_only_operators_may_change_anything() {
    ready_web
    expect_status 1 as_user nosy "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" deploy web v1
    expect_match 'uid [0-9]+ may look but not deploy' "$OUTPUT"
    expect_match 'group bluegreen' "$OUTPUT"
    expect_status 0 as_user nosy "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" status web
    expect_status 0 as_user oper "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" deploy web v1
    bg history web --json | grep -q 'oper (uid' || fail "history does not name oper"
}

test_two_apps_one_port_number_on_two_addresses() {
    world_net
    web_conf web 203.0.113.10:80
    web_conf api 198.51.100.7:80
    sed -i 's/^user.*/user = api/' "$WORLD/etc/apps/api.conf"
    release_install web v1
    release_install api a1
    agent_start
    bg deploy web v1
    bg deploy api a1
    expect_eq v1 "$(release_seen http://203.0.113.10)"
    expect_eq a1 "$(release_seen http://198.51.100.7)"
    expect_eq '' "$(release_seen "$URL6")" "a port of two IPv4 addresses, asked over IPv6"
}

test_zone_addresses_are_closed_to_the_outside() {
    ready_web
    bg deploy web v1
    local address
    address=$(status_of '.zones.blue.addresses[0]')
    expect_status 28 on_client curl -s -m 2 "http://$address:8080/healthz"
    expect_eq v1 "$(ip netns exec bg-web-blue curl -s -m 5 "http://$address:8080/healthz" | cut -d' ' -f2)"
}

test_udp_moves_or_keeps_as_configured() {
    ready_web
    sed -i "s|--port 8080|--port 8080 --udp 8080|; s|^http = 80 .*|&\nsteady = 5300 -> 8080/udp\npinned = 5301 -> 8080/udp keep|" \
        "$WORLD/etc/apps/web.conf"
    bg deploy web v1
    on_client "$TOOLS/udpload" --json --to 203.0.113.10:5300 --steady 2 --fresh 1 --rate 50 --duration 6 --max-lost 2 >"$WORLD/move" &
    local move=$!
    on_client "$TOOLS/udpload" --json --to 203.0.113.10:5301 --steady 2 --rate 50 --duration 6 --max-lost 2 >"$WORLD/keep" &
    local keep=$!
    sleep 1
    bg stage web v2
    bg switch web >/dev/null &
    wait "$move" || fail "moving: $(cat "$WORLD/move")"
    wait "$keep" || fail "pinned: $(cat "$WORLD/keep")"
    json '.releases.v2 != null' <"$WORLD/move" || fail "steady UDP did not move: $(cat "$WORLD/move")"
    json '.releases.v2 == null' <"$WORLD/keep" || fail "pinned UDP moved: $(cat "$WORLD/keep")"
}

test_a_host_firewall_that_would_drop_is_found_before_the_first_switch() {
    ready_web
    nft add table ip filter
    nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
    expect_status 1 bg deploy web v1
    expect_match 'chain FORWARD' "$OUTPUT"
    expect_match 'ctstate DNAT -j ACCEPT' "$OUTPUT"
    nft insert rule ip filter FORWARD ct status dnat accept
    nft insert rule ip filter FORWARD ct state established,related accept
    expect_status 0 bg deploy web v1
    expect_eq v1 "$(release_seen "$URL4")"
}

test_force_goes_on_past_the_firewall() {
    ready_web
    nft add table ip filter
    nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
    expect_status 0 bg deploy web v1 --force
}

test_ports_may_change_with_a_release() {
    ready_web
    bg deploy web v1
    sed -i 's/^http = 80 .*/&\nmore = 81 -> 8080\/tcp/' "$WORLD/etc/apps/web.conf"
    bg deploy web v2
    expect_eq v2 "$(release_seen http://203.0.113.10:81)"
    bg rollback web
    expect_eq '' "$(release_seen http://203.0.113.10:81)" "a port that the release rolled back to does not have"
    expect_eq v1 "$(release_seen "$URL4")"
}

test_an_app_that_crashes_is_started_again_and_its_exit_known() {
    ready_web
    bg deploy web v1
    local pid
    pid=$(status_of .zones.blue.pid)
    kill -SEGV "$pid"
    wait_for 5 restarted "$pid"
    expect_eq 11 "$(status_of .zones.blue.last_exit.signal)"
    expect_eq 1 "$(status_of .zones.blue.restarts)"
    wait_for 5 answers v1
}

restarted() {
    local now
    now=$(bg status web --json | jq -r .zones.blue.pid)
    [ "$now" != null ] && [ "$now" != "$1" ]
}

# An answer that comes after the switch must not pin its client to the zone that gave it, also where the published port is
# the zone's own port: the answer's reverse would be what the client sends next.
test_late_udp_answers_do_not_pin_clients() {
    command -v socat >/dev/null || fail "socat is missing: tools/deps test"
    world_net
    # shellcheck disable=SC2016 # the app's own variable
    printf '#!/bin/bash\nexec socat UDP4-RECVFROM:8080,fork SYSTEM:"sleep 0.3; echo $BLUEGREEN_RELEASE"\n' >"$WORLD/answerer"
    release_install web v1 "$WORLD/answerer"
    release_install web v2 "$WORLD/answerer"
    app_conf web <<CONF
[app]
name = web
user = web
run = $WORLD/srv/web/%r/bin/web
[ports]
same = 8080 -> 8080/udp
[health]
interval = 100ms
[drain]
timeout = 100ms
CONF
    agent_start
    bg deploy web v1
    bg deploy web v2
    bg drain web
    # One flow: every datagram from the same port of the client.
    for ((i = 1; i <= 10; i++)); do
        echo "$i $(echo "$i" | on_client timeout 2 socat -t 0.8 - UDP4:203.0.113.10:8080,sourceport=40000)"
    done >"$WORLD/client" &
    local client=$! i
    wait_for 10 grep -q '^2 v2$' "$WORLD/client"
    sleep 0.15 # a datagram was received, its answer is not on its way yet
    bg rollback web
    wait "$client"
    expect_eq "v1 v1 v1 v1" "$(tail -n 4 "$WORLD/client" | cut -d' ' -f2 | xargs)" "the last answers"
}

run_tests
