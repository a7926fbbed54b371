# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For world tests of an agent beside somebody else's firewall. A test sources tests/world/lib.sh, then this.

need() {
    local program
    for program; do
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
}

integrate() { # yes|no
    printf '[agent]\ninstance = world\n[firewall]\nintegrate = %s\n' "$1" | agent_conf
}

# The host, an app that is live, and load on it.
live_under_load() { # yes|no
    integrate "$1"
    ready_web
    expect_status 0 bg deploy web v1
    load_new
}

load_new() {
    load_start all --new 2 --keepalive 2 --requests-per-connection 200 --url "$URL4" --url "$URL6"
}

# Everything that was asked was answered.
nothing_failed() {
    local report
    report=$(load_end all) || fail "requests failed: $report"
    expect_eq 0 "$(jq .failed <<<"$report")" "failed requests"
    [ "$(jq .requests <<<"$report")" -gt 100 ] || fail "hardly anything was asked: $report"
    expect_eq "ok v1" "$(on_client curl -sf -m 3 "$URL4"/healthz)" "a new connection, IPv4"
    expect_eq "ok v1" "$(on_client curl -sf -m 3 -g "$URL6/healthz")" "a new connection, IPv6"
}

# Somebody who says "here" answers the live zone there.
zone_reaches() { # a socat address
    [ "$(echo | timeout 2 ip netns exec bg-web-blue socat -t 0.5 - "$1,connect-timeout=1" 2>/dev/null | head -n 1)" = here ]
}

closed_for_new() {
    ! on_client curl -sf -m 1 -o /dev/null "$URL4"/healthz
}

firewall_said() { # REGEX
    status_of '.firewall // ""' | grep -Eq "$1"
}

firewall_silent() {
    [ "$(status_of '.firewall == null')" = true ]
}

incidents() {
    bg history web --incidents --json | jq -s '[.. | objects | select(.incident? == "firewall")] | length'
}

our_rules() { # iptables|ip6tables CHAIN
    "$1" -S "$2" 2>/dev/null | grep -c -- '--comment "bluegreen: .*-j ACCEPT' || :
}

rules_are() { # COUNT iptables|ip6tables CHAIN
    [ "$(our_rules "$2" "$3")" = "$1" ]
}

refused_from() { # ADDRESS
    ! on_client curl -sf -m 1 --interface "$1" -o /dev/null "$URL4"/healthz
}
