#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# [switch] mode = hold: one release stops before the next one starts, and no client is refused meanwhile.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/hold_lib.sh
. "$ROOT/tests/drivers/hold_lib.sh"

test_bounces_under_load() {
    ready_hold
    clients_start
    local delay
    for delay in 0.1 0.5 2; do
        echo "$delay" >"$SHARED/delay"
        bg deploy web v2
        wait_for 5 answers v2
        bg rollback web
        wait_for 5 answers v1
    done
    clients_end
    never_two
    expect_eq blue "$(status_of .live)"
    echo "the longest that a client waited: $(jq -s 'map(.latency_us.max) | max / 1000 | floor' "$WORLD"/report.{out,here}) ms"
}

# The control: without a hold the same clients are refused.
test_stop_and_start_is_noticed() {
    ready_hold
    clients_start tcp
    bg stop web >/dev/null
    bg start web >/dev/null
    wait_for 5 answers v1
    expect_status 1 clients_end
    expect_match '"refused":[1-9]' "$(cat "$WORLD/report.out")"
}

# What makes no sense is refused, with the reason.
test_refusals() {
    ready_hold
    expect_status 1 bg stage web v2
    expect_match 'mode = hold: of web one release runs at a time, so nothing is staged beside v1' "$OUTPUT"
    expect_status 1 bg deploy web v2 --stop-after test
    expect_match 'nothing is staged beside v1' "$OUTPUT"
    bg deploy web v2 >/dev/null
    expect_status 1 bg rehearse web
    expect_match 'a rehearsal needs both' "$OUTPUT"
    expect_status 1 bg test web
    expect_match 'zone blue of web is resting' "$OUTPUT"
    conf_hold '[standby]' 'freeze = yes'
    expect_status 2 bg reload
    expect_match 'standby. freeze: with .switch. mode = hold' "$OUTPUT"
    conf_hold 'hold_max = 4s'
    expect_status 2 bg reload
    expect_match 'hold_max: clients wait 4000ms at the most' "$OUTPUT"
}

# Stopped and started again, and after a reboot, one of the two runs.
test_start_starts_one() {
    ready_hold
    bg deploy web v2 >/dev/null
    bg stop web >/dev/null
    expect_eq 'stopped stopped' "$(status_of '[.zones[].state] | join(" ")')"
    bg start web >/dev/null
    expect_eq 'resting live' "$(status_of '[.zones.blue.state, .zones.green.state] | join(" ")')"
    bg rollback web >/dev/null
    answers v1
    agent_stop
    world_loses_zones
    agent_start
    wait_for 5 answers v1
    expect_eq 'live resting' "$(status_of '[.zones.blue.state, .zones.green.state] | join(" ")')"
    expect_eq 1 "$(pgrep -c -x web.real)"
    bg rollback web >/dev/null
    answers v2
    never_two
}

# As a reboot does.
world_loses_zones() {
    local zone
    for zone in blue green; do
        kill -9 "$(pgrep -f "bluegreen-zone web.$zone ")"
        ip netns del "bg-web-$zone" 2>/dev/null || :
    done
    sleep 0.3
    rm -rf "$WORLD/run"
    nft flush ruleset 2>/dev/null || nft delete table inet bluegreen
}

# The live release fails, and the resting one takes its turn.
test_failover() {
    ready_hold '[failover]' 'auto = yes'
    bg deploy web v2 >/dev/null
    touch "$SHARED/bad.v2"
    kill -9 "$(status_of .zones.green.pid)"
    wait_for 15 answers v1
    expect_eq 'bluegreen (failover)' "$(last_of failover .who)"
    expect_eq resting "$(status_of .zones.green.state)"
    never_two
}

# A zone that is lost while it rests is made again when it is needed.
test_lost_while_it_rests() {
    ready_hold
    bg deploy web v2 >/dev/null
    kill -9 "$(status_of .zones.blue.shim_pid)"
    wait_for 5 gone
    expect_eq resting "$(status_of .zones.blue.state)"
    bg rollback web >/dev/null
    answers v1
    never_two
}

gone() {
    [ "$(bg status web --json | jq -r .zones.blue.shim_pid)" = null ]
}

# It does not start: the one that was live comes back, and nobody was failed.
test_bad_release() {
    ready_hold
    touch "$SHARED/bad.v2"
    clients_start tcp
    expect_status 1 bg deploy web v2
    expect_match 'step health|exits again and again|back' "$OUTPUT"
    clients_end
    never_two
    expect_eq blue "$(status_of .live)"
    expect_eq 'v1 v2 v1' "$(paste -sd ' ' "$SHARED/started" | sed 's/v2\( v2\)*/v2/')"
    answers v1
    # And now it is mended.
    rm "$SHARED/bad.v2"
    bg deploy web v2
    answers v2
    expect_eq resting "$(status_of .zones.blue.state)"
}

test_bad_way_back_of_a_rollback() {
    ready_hold
    bg deploy web v2 >/dev/null
    touch "$SHARED/bad.v1"
    clients_start tcp
    expect_status 1 bg rollback web
    clients_end
    never_two
    answers v2
    expect_eq resting "$(status_of .zones.blue.state)"
    rm "$SHARED/bad.v1"
    bg rollback web
    answers v1
}

test_takes_too_long() {
    ready_hold 'hold_max = 5s'
    clients_start tcp
    echo 6 >"$SHARED/delay"
    ( sleep 3; echo 0.1 >"$SHARED/delay" ) &
    expect_status 1 bg deploy web v2
    expect_match 'clients have waited for 5000 ms, which is .switch. hold_max' "$OUTPUT"
    clients_end
    never_two
    answers v1
}

# What it connects to itself while clients wait for it answers: its database, and who else it asks before it is ready.
test_what_it_connects_to_answers() {
    ready_hold '[egress]' 'standby = closed' # which it is not, once clients wait for it
    on_client "$BUILD/demo/web" --port 9000 &
    # shellcheck disable=SC2016 # for the program
    sed -i 's|^sleep .*|for server in 203.0.113.2 "[2001:db8:1::2]"; do curl -sf -m 2 "http://$server:9000/healthz" \|\| exit 8; done|' \
        "$WORLD/srv/web/v2/bin/web"
    grep -q 'exit 8' "$WORLD/srv/web/v2/bin/web"
    bg deploy web v2
    answers v2
    # And afterwards from where clients reach it.
    expect_match 'default via .* src 10\.201\.0\.6' "$(ip -n bg-web-green route)"
    expect_match 'default via .* src fd00:b9::6' "$(ip -n bg-web-green -6 route)"
}

# Flows that stay where they are at another switch would stay where nothing runs.
test_kept_flows_move() {
    ready_hold
    sed -i 's|^dns = 53 .*|& keep|' "$WORLD/etc/apps/web.conf"
    bg deploy web v2 >/dev/null
    on_client "$TOOLS/udpload" --json --duration 4 --to 203.0.113.10:53 --steady 2 --rate 20 --timeout 9000 \
        --max-lost 8 >"$WORLD/said" &
    sleep 0.5
    bg deploy web v3 >/dev/null
    sleep 0.5
    bg rollback web >/dev/null
    wait $! || fail "$(cat "$WORLD/said")"
    expect_eq 'v2 v3' "$(jq -r '.releases | keys | join(" ")' "$WORLD/said")"
    never_two
}

# What idles is cut when its share of the time is over.
test_idle_connection() {
    ready_hold 'hold_max = 6s'
    on_client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/idle" 2>&1 &
    sleep 0.3
    local began=$EPOCHREALTIME
    bg deploy web v2 | tee "$WORLD/said"
    local ms=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))
    grep -q '1 cut' "$WORLD/said" || fail "it was not cut"
    expect_match '1 connections of v1 cut, for others wait' "$(cat "$WORLD/agent.log")"
    if [ "$ms" -lt 1400 ] || [ "$ms" -ge 5000 ]; then fail "it took $ms ms"; fi
}

run_tests
