#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The preview: the zone that is not live, by a port of its own and for chosen clients on the published one.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

PREVIEW4=http://203.0.113.10:8081
PREVIEW6='http://[2001:db8:1::10]:8081'

# Who answers at URL, to a client with this address.
seen_from() {
    on_client curl -s -m 5 --interface "$1" -D - -o /dev/null "$2/healthz" | tr -d '\r' | sed -n 's/^X-Release: //p'
}

# Refused at once, which is no timeout.
refused() {
    local status=0 began
    began=$(date +%s%N)
    on_client curl -s -m 5 -o /dev/null "$@" || status=$?
    expect_eq 7 "$status" "curl's status for $*"
    [ $((($(date +%s%N) - began) / 1000000)) -lt 1000 ] || fail "$* took a second to be refused"
}

test_port_reaches_the_zone_that_is_not_live() {
    ready_web '[preview]' 'port = 8081'
    refused "$PREVIEW4"
    bg stage web v1 >"$WORLD/staged"
    expect_match "http://$(hostname):8081" "$(tail -1 "$WORLD/staged")"
    expect_eq v1 "$(release_seen "$PREVIEW4")" "staged, and nothing is live"
    expect_eq v1 "$(release_seen "$PREVIEW6")"
    refused "$URL4"
    bg switch web >/dev/null
    refused "$PREVIEW4"
    bg stage web v2 >/dev/null
    expect_eq v1 "$(release_seen)"
    expect_eq v2 "$(release_seen "$PREVIEW4")"
    expect_eq v2 "$(release_seen "$PREVIEW6")"
    expect_eq v2 "$(curl -s http://127.0.0.1:8081/healthz -D - -o /dev/null | tr -d '\r' | sed -n 's/^X-Release: //p')"
    expect_eq green "$(status_of .preview.zone)"
    expect_eq "http://$(hostname):8081" "$(status_of .preview.url)"
    bg switch web >/dev/null
    expect_eq v2 "$(release_seen)"
    expect_eq v1 "$(release_seen "$PREVIEW4")" "the standby"
    bg stop web --yes >/dev/null
    refused "$PREVIEW4"
    bg start web >/dev/null
    wait_for 5 answers v2
    wait_for 5 is_state blue standby
    expect_eq v1 "$(release_seen "$PREVIEW4")"
}

# Two ports, one of them another one of the app's, on one address only.
test_named_port_on_one_address() {
    ready_web '[preview]' 'port = 8081 | 198.51.100.7:8444 -> admin'
    sed -i 's|^http = 80 .*|&\nadmin = 81 -> 8080/tcp|' "$WORLD/etc/apps/web.conf"
    bg deploy web v1 >/dev/null
    bg stage web v2 >/dev/null
    expect_eq v2 "$(release_seen http://198.51.100.7:8444)"
    expect_eq v2 "$(release_seen http://198.51.100.7:8081)"
    refused http://203.0.113.10:8444
    expect_eq v1 "$(release_seen http://203.0.113.10:81)"
}

test_clients_see_it_on_the_published_port() {
    ready_web '[preview]' 'from = 203.0.113.3 | 2001:db8:1:0:1::/80'
    ip -n client addr add 2001:db8:1:0:1::3/64 dev eth0 nodad
    bg stage web v1 >/dev/null
    expect_eq v1 "$(seen_from 203.0.113.3 "$URL4")" "before anything is live"
    refused --interface 203.0.113.2 "$URL4"
    bg switch web >/dev/null
    bg stage web v2 >/dev/null
    expect_eq v2 "$(seen_from 203.0.113.3 "$URL4")"
    expect_eq v1 "$(seen_from 203.0.113.2 "$URL4")"
    expect_eq v2 "$(seen_from 2001:db8:1:0:1::3 "$URL6")"
    expect_eq v1 "$(seen_from 2001:db8:1::2 "$URL6")"
    bg switch web >/dev/null
    expect_eq v1 "$(seen_from 203.0.113.3 "$URL4")" "the standby"
    expect_eq v2 "$(seen_from 203.0.113.2 "$URL4")"
    # From now on, in the zones that run.
    sed -i 's/^from = .*/from = 203.0.113.2/' "$WORLD/etc/apps/web.conf"
    expect_match 'applied now: \[preview\] from' "$(bg reload)"
    expect_eq v2 "$(seen_from 203.0.113.3 "$URL4")"
    expect_eq v1 "$(seen_from 203.0.113.2 "$URL4")"
}

# Where it would hang it is refused, and where it is thawed it answers.
test_frozen_standby_is_refused() {
    ready_web '[preview]' 'port = 8081' '[standby]' 'freeze = yes'
    bg deploy web v1 >/dev/null
    bg deploy web v2 >/dev/null
    wait_for 10 is_state blue frozen
    refused "$PREVIEW4"
    expect_eq null "$(bg status web --json | jq -c .preview)"
    sed -i 's/^freeze = yes/freeze = no/' "$WORLD/etc/apps/web.conf"
    bg reload >/dev/null
    wait_for 5 is_state blue standby
    expect_eq v1 "$(release_seen "$PREVIEW4")"
}

test_it_is_there_after_a_kill() {
    ready_web '[preview]' 'port = 8081' 'from = 203.0.113.3'
    bg deploy web v1 >/dev/null
    bg stage web v2 >/dev/null
    agent_kill9
    expect_eq v2 "$(release_seen "$PREVIEW4")"
    agent_start
    expect_eq v2 "$(release_seen "$PREVIEW4")"
    expect_eq v2 "$(seen_from 203.0.113.3 "$URL4")"
    expect_eq v1 "$(seen_from 203.0.113.2 "$URL4")"
    bg abort web >/dev/null
    refused "$PREVIEW4"
    expect_eq v1 "$(seen_from 203.0.113.3 "$URL4")"
}

test_hook_is_told_where() {
    ready_web '[preview]' 'port = 8081' '[hooks]' "pre_switch = host: /bin/sh -c \"echo \$BLUEGREEN_PREVIEW_URL >$WORLD/told\""
    touch "$WORLD/told"
    chown web "$WORLD/told"
    bg deploy web v1 >/dev/null
    expect_eq "http://$(hostname):8081" "$(cat "$WORLD/told")"
}

test_ports_that_clash_are_refused() {
    ready_web '[preview]' 'port = 8081'
    bg deploy web v1 >/dev/null
    web_conf api 8081
    ! bg reload >"$WORLD/said" 2>&1 || fail "two apps have one port"
    expect_match 'api.conf|web.conf: \[(ports\] http|preview\] port): claims 8081/tcp' "$(cat "$WORLD/said")"
    rm "$WORLD/etc/apps/api.conf"
    sed -i 's/^port = .*/port = 80/' "$WORLD/etc/apps/web.conf"
    ! bg reload >"$WORLD/said" 2>&1 || fail "the preview has the app's own port"
    expect_match '\[preview\] port: claims 80/tcp, which \[ports\] http claims too' "$(cat "$WORLD/said")"
    sed -i 's/^port = .*/port = 8082 -> nothing/' "$WORLD/etc/apps/web.conf"
    ! bg reload >"$WORLD/said" 2>&1 || fail "the preview leads nowhere"
    expect_match 'there is no port nothing in \[ports\]' "$(cat "$WORLD/said")"
}

# Nobody who looks at it meets a moment without it.
test_switches_under_a_load_of_the_preview() {
    ready_web '[preview]' 'port = 8081' '[drain]' 'timeout = 100ms' 'then = leave'
    bg deploy web v1 >/dev/null
    bg deploy web v2 >/dev/null
    load_start preview --new 2 --keepalive 1 --url "$PREVIEW4"
    for _ in 1 2 3 4; do
        bg switch web >/dev/null
    done
    load_end preview >"$WORLD/said" || fail "$(cat "$WORLD/said")"
    expect_eq 2 "$(json '.releases | length' <"$WORLD/said")" "releases that answered"
}

run_tests "$@"
