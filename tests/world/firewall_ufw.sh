#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The real ufw beside a running agent: before it and after it, reloaded under load, mended by its administrator's line or
# by [firewall] integrate.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/firewall_lib.sh
. "$ROOT/tests/drivers/firewall_lib.sh"

ufw_on() {
    need ufw iptables-nft
    # As it was installed, whatever an earlier test told it; its own sysctls are not what is tested.
    [ -d "$WORLD/.ufw" ] || cp -a /etc/ufw "$WORLD/.ufw"
    cp -a "$WORLD/.ufw/." /etc/ufw
    sed -i 's/^IPT_SYSCTL=.*/IPT_SYSCTL=/' /etc/default/ufw
    ufw --force enable >&2
    ufw allow 22/tcp >&2
}

# In whatever order ufw makes its chains.
ufw_rules() {
    {
        iptables-save
        ip6tables-save | sed 's/^/six /'
    } | grep -- '-A ' | sort
}

test_ufw_refuses_with_its_line() {
    ufw_on
    integrate no
    ready_web
    expect_status 1 bg deploy web v1
    expect_match 'ufw route allow proto tcp to 10\.201\.0\.0/16' "$OUTPUT"
    expect_match 'ufw route allow proto tcp to fd00:b9::/48' "$OUTPUT"
    grep -o 'ufw route allow .*' <<<"$OUTPUT" >"$WORLD/lines"
    sh -e "$WORLD/lines" >&2
    expect_status 0 bg deploy web v1
    expect_eq true "$(status_of '.firewall == null')" "nothing is wrong"
    load_new
    ufw reload >&2
    nothing_failed
}

test_ufw_integrated() {
    ufw_on
    ufw reload >&2 # it adds some rules of its own with the first one
    ufw_rules >"$WORLD/before"
    live_under_load yes
    expect_match '-A ufw-user-forward -d 10.201.0.0/16 -m conntrack --ctstate DNAT -m comment --comment "bluegreen: to 10.201.0.0/16" -j ACCEPT' \
        "$(iptables -S ufw-user-forward)"
    expect_eq "2 2" "$(our_rules iptables ufw-user-forward) $(our_rules ip6tables ufw6-user-forward)" "rules of ours"
    ufw reload >&2
    ufw route deny from 203.0.113.3 >/dev/null
    wait_for 5 rules_are 2 iptables ufw-user-forward
    wait_for 5 rules_are 2 ip6tables ufw6-user-forward
    nothing_failed
    # What the administrator refuses is refused, also what came after our rules, and ufw works on.
    wait_for 5 refused_from 203.0.113.3
    ufw status | grep -q '203.0.113.3'
    ufw route delete deny from 203.0.113.3 >/dev/null
    expect_eq true "$(status_of '.firewall == null')" "nothing is wrong"
    expect_eq 0 "$(incidents)" "incidents"
    # As it was before, once nobody wants it any more; and again, with a new agent.
    integrate no
    expect_status 0 bg reload
    expect_eq "0 0" "$(our_rules iptables ufw-user-forward) $(our_rules ip6tables ufw6-user-forward)" "rules of ours"
    integrate yes
    expect_status 0 bg reload
    expect_eq "2 2" "$(our_rules iptables ufw-user-forward) $(our_rules ip6tables ufw6-user-forward)" "rules of ours"
    agent_stop
    integrate no
    agent_start
    grep -q 'our accept was taken out, as it is not wanted: table ip filter, chain ufw-user-forward; table ip6' "$WORLD/agent.log"
    ufw_rules >"$WORLD/after"
    diff "$WORLD/before" "$WORLD/after"
}

# ufw forwards what goes to the zones then, and still nothing that they begin, nor does it let them to its host.
test_ufw_and_what_zones_begin() {
    local address lines=$WORLD/lines
    ufw_on
    integrate yes
    ready_web '[share]' 'host = 5432'
    background on_client socat TCP6-LISTEN:25,ipv6only=0,fork,reuseaddr SYSTEM:'echo here; cat'
    background socat TCP4-LISTEN:5432,bind=127.0.0.1,fork,reuseaddr SYSTEM:'echo here; cat'
    expect_status 0 bg deploy web v1
    expect_status 7 bg doctor web --json
    jq -r '.findings[] | select(.id == "egress") | .mend[]' <<<"$OUTPUT" >"$lines"
    expect_eq "3" "$(grep -c '^ufw ' "$lines")" "lines"
    ! zone_reaches TCP4:203.0.113.2:25 || fail "ufw lets zones out, and the doctor says no"
    sh -e "$lines" >&2
    expect_status 0 bg doctor web
    for address in TCP4:203.0.113.2:25 'TCP6:[2001:db8:1::2]:25' TCP4:10.201.0.1:5432; do
        wait_for 3 zone_reaches "$address"
    done
}

test_ufw_that_comes_later_is_noticed() {
    integrate no
    ready_web
    expect_status 0 bg deploy web v1
    ufw_on
    closed_for_new
    wait_for 10 firewall_said 'table ip6? filter, chain FORWARD .*made by ufw\) drops new TCP connections to the zones'
    expect_match 'firewall .*made by ufw' "$(bg status web)"
    grep -q 'clients outside do not reach the apps.*made by ufw.*' "$WORLD/agent.log"
    grep -q '    ufw route allow proto tcp to 10.201.0.0/16' "$WORLD/agent.log"
    expect_eq 1 "$(incidents)" "incidents"
    # A change that changes nothing of it says nothing.
    nft add table ip others
    sleep 3
    expect_eq 1 "$(incidents)" "incidents after a change of something else"
    ufw route allow proto tcp to 10.201.0.0/16 >/dev/null
    ufw route allow proto tcp to fd00:b9::/48 >/dev/null
    wait_for 10 firewall_silent
    grep -q "the host's firewall lets clients through to the apps again" "$WORLD/agent.log"
    expect_eq "ok v1" "$(on_client curl -sf -m 3 "$URL4"/healthz)"
}

test_ufw_that_comes_later_is_integrated() {
    live_under_load yes
    ufw_on
    wait_for 5 rules_are 2 iptables ufw-user-forward
    sleep 1
    nothing_failed
    expect_eq 0 "$(incidents)" "incidents"
    agent_stop
    "$BUILD/bluegreend" --config "$WORLD/etc" --state "$WORLD/state" --run "$WORLD/run" --teardown >>"$WORLD/agent.log" 2>&1
    expect_eq "0 0" "$(our_rules iptables ufw-user-forward) $(our_rules ip6tables ufw6-user-forward)" "rules after a teardown"
}

run_tests
