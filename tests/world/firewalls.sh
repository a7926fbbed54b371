#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Rules as Docker writes them, the real firewalld, nftables.service and conntrack -F beside a running agent: before it and
# after it, reloaded under load, mended by their administrator's line or by [firewall] integrate.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/firewall_lib.sh
. "$ROOT/tests/drivers/firewall_lib.sh"

# --- Docker ---------------------------------------------------------------------------------------------

# What Docker 20 to 28 puts there when it starts, chains that are there kept.
docker_starts() {
    need iptables-nft
    local command chain
    for command in iptables ip6tables; do
        "$command" -P FORWARD DROP
        for chain in DOCKER DOCKER-USER DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2; do
            "$command" -N "$chain" 2>/dev/null || :
        done
        "$command" -F DOCKER
        "$command" -F DOCKER-ISOLATION-STAGE-1
        "$command" -F DOCKER-ISOLATION-STAGE-2
        "$command" -F FORWARD
        "$command" -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        "$command" -A FORWARD -o docker0 -j DOCKER
        "$command" -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
        "$command" -A FORWARD -i docker0 -o docker0 -j ACCEPT
        "$command" -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
        "$command" -A DOCKER-ISOLATION-STAGE-1 -j RETURN
        "$command" -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
        "$command" -A DOCKER-ISOLATION-STAGE-2 -j RETURN
        "$command" -I FORWARD -j DOCKER-ISOLATION-STAGE-1
        "$command" -C DOCKER-USER -j RETURN 2>/dev/null || "$command" -A DOCKER-USER -j RETURN
        "$command" -I FORWARD -j DOCKER-USER
    done
}

test_docker_refused_and_mended() {
    docker_starts
    integrate no
    ready_web
    expect_status 1 bg deploy web v1
    expect_match 'iptables -I DOCKER-USER -m conntrack --ctstate DNAT -j ACCEPT' "$OUTPUT"
    grep -o 'ip6\?tables -I .*' <<<"$OUTPUT" >"$WORLD/lines"
    sh -e "$WORLD/lines" >&2
    expect_status 0 bg deploy web v1
    load_new
    docker_starts
    nothing_failed
}

# Whoever goes on by force is reminded of it, and a new agent says so again.
test_docker_forced() {
    docker_starts
    integrate no
    ready_web
    expect_status 0 bg deploy web v1 --force
    expect_eq "" "$(release_seen)" "who answers outside"
    expect_eq "ok v1" "$(curl -sf -m 2 http://127.0.0.1/healthz)" "on the host"
    wait_for 10 firewall_said 'made by Docker\) drops new TCP connections to the zones'
    expect_eq 1 "$(incidents)" "incidents"
    agent_stop
    agent_start
    wait_for 10 firewall_said 'made by Docker'
    # It is about what is published only.
    expect_status 0 bg stop web
    wait_for 10 firewall_silent
    # What this key adds is enough.
    agent_stop
    integrate yes
    agent_start
    expect_status 0 bg start web
    answers v1
}

test_docker_integrated() {
    docker_starts
    iptables -I DOCKER-USER -s 203.0.113.3 -j DROP
    live_under_load yes
    expect_eq "2 2" "$(our_rules iptables DOCKER-USER) $(our_rules ip6tables DOCKER-USER)" "rules of ours"
    # Docker starts again, and somebody's cleaning takes our rules.
    docker_starts
    iptables -F DOCKER-USER
    iptables -A DOCKER-USER -s 203.0.113.3 -j DROP
    iptables -A DOCKER-USER -j RETURN
    wait_for 5 rules_are 2 iptables DOCKER-USER
    nothing_failed
    wait_for 5 refused_from 203.0.113.3
    expect_eq "-A DOCKER-USER -j RETURN" "$(iptables -S DOCKER-USER | tail -1)" "the last rule"
    # A restart adds nothing to what is there.
    agent_stop
    agent_start
    expect_eq "2 2" "$(our_rules iptables DOCKER-USER) $(our_rules ip6tables DOCKER-USER)" "rules after a restart"
}

test_docker_that_comes_later() {
    live_under_load yes
    docker_starts
    wait_for 5 rules_are 2 iptables DOCKER-USER
    sleep 0.5
    nothing_failed
}

# --- firewalld ------------------------------------------------------------------------------------------

firewalld_starts() {
    need firewalld firewall-cmd dbus-daemon
    mkdir -p /run/dbus
    dbus-daemon --system --fork --nopidfile
    background firewalld --nofork --nopid >"$WORLD/firewalld.log" 2>&1
    wait_for 20 firewall-cmd --state >/dev/null 2>&1
}

firewalld_rules() {
    nft list chain inet firewalld filter_FORWARD_POLICIES_pre 2>/dev/null | grep -c 'comment "bluegreen: ' || :
}

test_firewalld_reloaded() {
    firewalld_starts
    # It accepts what was translated, by itself: nothing is needed.
    live_under_load no
    firewall-cmd --reload >&2
    nothing_failed
    expect_eq true "$(status_of '.firewall == null')" "nothing is wrong"
    expect_eq 0 "$(firewalld_rules)" "rules of ours"
    sleep 2.5
    expect_eq 0 "$(incidents)" "incidents, because of what it does while it reloads"
}

firewalld_has() {
    [ "$(firewalld_rules)" = "$1" ]
}

test_firewalld_integrated() {
    live_under_load yes
    firewalld_starts
    wait_for 5 firewalld_has 4
    # As it is with StrictForwardPorts=yes, which this version does not know.
    local handle
    handle=$(nft -a list chain inet firewalld filter_FORWARD | sed -n 's/.*ct status dnat accept # handle \([0-9]*\)/\1/p')
    nft delete rule inet firewalld filter_FORWARD handle "$handle"
    expect_eq "ok v1" "$(on_client curl -sf -m 3 "$URL4"/healthz)" "by our own rule"
    firewall-cmd --reload >&2
    wait_for 5 firewalld_has 4
    nothing_failed
}

# It forwards nothing that zones begin, and lets nothing of theirs to the host.
test_firewalld_and_what_zones_begin() {
    local address lines=$WORLD/lines
    integrate no
    ready_web '[share]' 'host = 5432'
    background on_client socat TCP6-LISTEN:25,ipv6only=0,fork,reuseaddr SYSTEM:'echo here; cat'
    background socat TCP4-LISTEN:5432,bind=127.0.0.1,fork,reuseaddr SYSTEM:'echo here; cat'
    firewalld_starts
    expect_status 0 bg deploy web v1
    expect_status 7 bg doctor web --json
    jq -r '.findings[] | select(.id == "egress") | .mend[]' <<<"$OUTPUT" >"$lines"
    ! zone_reaches TCP4:203.0.113.2:25 || fail "firewalld lets zones out, and the doctor says no"
    sh -e "$lines" >&2
    expect_status 0 bg doctor web
    for address in TCP4:203.0.113.2:25 'TCP6:[2001:db8:1::2]:25' TCP4:10.201.0.1:5432; do
        wait_for 3 zone_reaches "$address"
    done
}

# --- others ---------------------------------------------------------------------------------------------

# nftables.service when it is reloaded: nft -f /etc/nftables.conf, which begins with a flush.
nftables_conf() { # LINE
    cat >"$WORLD/nftables.conf" <<END
#!/usr/sbin/nft -f
flush ruleset
table inet filter {
    chain input { type filter hook input priority filter; policy accept; }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        $1
    }
}
END
}

test_nftables_service() {
    nftables_conf "ct status dnat accept"
    live_under_load no
    nft -f "$WORLD/nftables.conf"
    sleep 0.2
    nft -f "$WORLD/nftables.conf"
    sleep 0.2
    nft flush ruleset
    sleep 0.2
    nft -f "$WORLD/nftables.conf"
    nothing_failed
    sleep 1
    expect_eq true "$(status_of '.firewall == null')" "nothing is wrong"
    # One that closes is noticed, and integrate has no chain of its own there: the line says what to do.
    nftables_conf ""
    nft -f "$WORLD/nftables.conf"
    wait_for 10 firewall_said 'table inet filter, chain forward .* drops new TCP connections to the zones: its policy is drop'
    grep -q 'nft insert rule inet filter forward ct status dnat accept' "$WORLD/agent.log"
    nftables_conf "ct status dnat accept"
    nft -f "$WORLD/nftables.conf"
    wait_for 10 firewall_silent
}

# Connections that wait for their next request go on after any number of flushes, and new ones come in at once.
test_conntrack_flushed() {
    integrate no
    ready_web
    expect_status 0 bg deploy web v1
    local name i
    hold four 203.0.113.10:80
    hold six '[2001:db8:1::10]:80'
    for ((i = 2; i < 6; i++)); do
        conntrack -F >/dev/null 2>&1
        expect_eq "ok v1" "$(on_client curl -sf -m 3 "$URL4"/healthz)" "a new connection"
        for name in four six; do
            kill -USR1 "$(cat "$WORLD/pid.$name")"
            wait_for 5 answered "$name" "$i"
        done
    done
}

# So do those that are being answered, quickly, slowly, or at length: the packet that is next comes from the zone, and the
# client may have nothing to say that would make its connection known again. A fence does not take it for something new.
test_conntrack_flushed_in_flight() {
    flushed_in_flight
}

# A chain of the host's that takes it for something new has to let it through; the line is that of bluegreend(8).
test_conntrack_flushed_behind_a_strict_chain() {
    nftables_conf "ct status dnat accept; iifgroup 4802 accept"
    nft -f "$WORLD/nftables.conf"
    flushed_in_flight
}

flushed_in_flight() {
    integrate no
    ready_web '[egress]' 'policy = closed'
    expect_status 0 bg deploy web v1
    load_start quick --keepalive 3 --url "$URL4" --url "$URL6"
    load_start slow --keepalive 4 --slow 150 --url "$URL4" --url "$URL6"
    load_start long --keepalive 2 --body 300000 --url "$URL4" --url "$URL6"
    local name i report
    for ((i = 0; i < 10; i++)); do
        conntrack -F >/dev/null 2>&1
        sleep 0.2
    done
    for name in quick slow long; do
        report=$(load_end "$name") || fail "requests failed: $report"
        expect_eq 0 "$(jq .failed <<<"$report")" "failed requests"
        [ "$(jq .requests <<<"$report")" -gt 20 ] || fail "hardly anything was asked: $report"
    done
}

hold() { # NAME ADDRESS:PORT
    ip netns exec client "$TOOLS/hold_connection" --no-stdin --request /healthz "$2" >"$WORLD/held.$1" 2>&1 &
    echo $! >"$WORLD/pid.$1"
    wait_for 5 answered "$1" 1
}

answered() { # NAME COUNT
    [ "$(grep -c 'answer 200 v1' "$WORLD/held.$1")" = "$2" ]
}

run_tests
