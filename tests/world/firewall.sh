#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The look at the host's firewall: what it says must be what packets do, and its lines must mend it.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/traffic_lib.sh
. "$ROOT/tests/drivers/traffic_lib.sh"

# What inspect says must be what packets do, and its lines must mend it. blocked COUNT: it is, by COUNT chains.
blocked() {
    refused_at on_client curl -sf -m 1 "$URL4"/healthz
    expect_eq "ok blue" "$(ip netns exec bg-web-blue curl -sf -m 2 http://10.201.0.2:8080/healthz)" "our own probe"
    t inspect
    expect_eq "$1" "$ANSWER" "findings, saying: $SAID"
}

open_for_all() {
    t inspect
    expect_eq 0 "$ANSWER" "findings, saying: $SAID"
    expect_eq "ok blue" "$(on_client curl -sf -m 2 "$URL4"/healthz)" "IPv4"
    expect_eq "ok blue" "$(on_client curl -sf -m 2 -g "$URL6/healthz")" "IPv6"
    expect_eq blue "$(udp_release 203.0.113.10:80)" "UDP"
}

# Runs the lines that the finding gives.
mend() {
    local line
    while read -r line; do
        case $line in
        "nft "* | "iptables "* | "ip6tables "*)
            echo "+ $line" >&2
            # shellcheck disable=SC2086 # words, as somebody would type them
            $line
            ;;
        esac
    done <<<"$SAID"
}

test_firewall_policy_drop() {
    ready
    open_for_all
    nft -f - <<'END'
table inet filter {
    chain input { type filter hook input priority 0; policy drop; ct state established,related accept; }
    chain forward { type filter hook forward priority 0; policy drop; }
}
END
    blocked 1
    expect_match 'table inet filter, chain forward \(hook forward, priority 0\)' "$SAID"
    expect_match 'new TCP and UDP flows .* answers: its policy is drop' "$SAID"
    mend
    open_for_all
}

test_firewall_that_looks_open() {
    ready
    nft -f - <<'END'
table ip filter {
    set friends { type ipv4_addr; flags interval; elements = { 10.64.0.0/10, 192.168.0.0-192.168.3.255 }; }
    map kinds { type inet_proto : verdict; elements = { icmp : accept, tcp : jump others }; }
    chain others { ip saddr 192.168.0.0/16 return; counter; }
    chain forward {
        type filter hook forward priority 10; policy accept;
        ct state vmap { established : accept, related : accept, invalid : drop }
        iifname { "docker0", "virbr*" } accept
        iif "lo" accept
        ip daddr @friends accept
        ip protocol vmap @kinds
        ip protocol icmp accept
        oifname "docker*" accept
        meta mark and 0xff == 0x100 accept
        ct status snat drop
        limit rate 3/minute log prefix "dropped "
        reject with icmp admin-prohibited
    }
}
END
    blocked 1
    expect_match 'table ip filter, chain forward \(hook forward, priority 10\) drops new TCP and UDP' "$SAID"
    expect_no_match 'answers' "$SAID"
    expect_eq "ok blue" "$(on_client curl -sf -m 2 -g "$URL6/healthz")" "IPv6"
    mend
    open_for_all
}

test_firewall_that_lets_through() {
    local rules
    ready
    for rules in 'ct status dnat accept; ct state established,related accept' \
        'ct state established,related accept; iifname "lan0" accept' \
        'ct state established,related accept; ip daddr 10.201.0.0/16 accept; ip6 daddr fd00:b9::/48 accept' \
        'ct state established,related accept; oifgroup 4802 accept' \
        'ct state established,related accept; oifname "bg*" accept' \
        'ct state established,related accept; ct state new meta l4proto { tcp, udp } accept' \
        'ct state established,related accept; ip saddr 203.0.113.0/24 accept; ip6 saddr 2001:db8::/32 accept' \
        'ct state established,related accept; tcp dport { 22, 8080 } accept; udp dport 8000-8100 accept' \
        'ct state established,related accept; jump more' \
        'ct state vmap { established : accept, new : goto more }'; do
        # shellcheck disable=SC2001 # every rule on a line of its own
        nft -f - <<END
table inet filter {
    chain more {
        limit rate 1000/second accept
    }
    chain forward {
        type filter hook forward priority 0; policy drop;
        $(sed 's/; /\n/g' <<<"$rules")
    }
}
END
        echo "rules: $rules" >&2
        open_for_all
        nft delete table inet filter
    done
}

# The ports that clients name are let through where they have been translated already.
test_firewall_with_the_wrong_ports() {
    ready
    nft -f - <<'END'
table inet filter {
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        tcp dport { 22, 80, 443 } accept
        udp dport 8080 accept
    }
}
END
    refused_at on_client curl -sf -m 1 "$URL4"/healthz
    t inspect
    expect_eq 1 "$ANSWER" "findings, saying: $SAID"
    expect_match 'chain forward .* drops new TCP connections to the zones: its policy is drop' "$SAID"
    mend
    open_for_all
}

# Before translation the zone is not to be seen yet.
test_firewall_before_translation() {
    ready
    nft -f - <<'END'
table inet raw {
    chain early {
        type filter hook prerouting priority -300; policy drop;
        iif lo accept
        iifname "bg*" accept
        tcp dport { 22, 443 } ct state new accept
        meta l4proto { icmp, ipv6-icmp } accept
    }
}
END
    nft add rule inet raw early tcp dport != 22 ct status dnat accept
    refused_at on_client curl -sf -m 1 "$URL4"/healthz
    t inspect
    # Our ports are not in its list, and nothing is translated yet.
    expect_eq 1 "$ANSWER" "findings, saying: $SAID"
    expect_match 'hook prerouting, priority -300\) drops new TCP and UDP flows to the zones: ' "$SAID"
    nft flush chain inet raw early
    nft add rule inet raw early iifname '"bg*"' accept
    nft add rule inet raw early meta l4proto ipv6-icmp accept
    t inspect
    expect_match 'drops new TCP and UDP flows' "$SAID"
    expect_match 'nft insert rule inet raw early tcp dport PORT accept' "$SAID"
    nft insert rule inet raw early meta l4proto '{ tcp, udp }' th dport 80 accept
    t inspect
    expect_match 'drops new TCP and UDP flows to the zones by port (53|81|82): ' "$SAID"
    nft insert rule inet raw early meta l4proto '{ tcp, udp }' th dport '{ 53, 81-82 }' accept
    t inspect
    expect_eq 0 "$ANSWER" "findings, saying: $SAID"
}

need_iptables() {
    if ! command -v iptables-nft >/dev/null || ! command -v ip6tables-nft >/dev/null; then
        skip "iptables-nft is not installed"
    fi
    local name
    mkdir -p "$WORLD/bin"
    for name in iptables ip6tables; do
        ln -sf "$(command -v "$name"-nft)" "$WORLD/bin/$name"
    done
    PATH=$WORLD/bin:$PATH
}

# What Docker 20 to 28 puts there.
docker_rules() {
    "$1" -P FORWARD DROP
    local chain
    for chain in DOCKER DOCKER-USER DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2; do
        "$1" -N "$chain"
    done
    "$1" -A FORWARD -j DOCKER-USER
    "$1" -A FORWARD -j DOCKER-ISOLATION-STAGE-1
    "$1" -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    "$1" -A FORWARD -o docker0 -j DOCKER
    "$1" -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
    "$1" -A FORWARD -i docker0 -o docker0 -j ACCEPT
    "$1" -A DOCKER ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
    "$1" -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
    "$1" -A DOCKER-ISOLATION-STAGE-1 -j RETURN
    "$1" -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
    "$1" -A DOCKER-ISOLATION-STAGE-2 -j RETURN
    "$1" -A DOCKER-USER -j RETURN
}

test_firewall_docker() {
    ready
    need_iptables
    docker_rules iptables
    docker_rules ip6tables
    blocked 2
    expect_match 'table ip filter, chain FORWARD \(hook forward, priority 0, made by Docker\)' "$SAID"
    expect_match 'iptables -I DOCKER-USER -m conntrack --ctstate DNAT -j ACCEPT' "$SAID"
    expect_match 'iptables -I DOCKER-USER -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT' "$SAID"
    mend
    open_for_all
}

# The forward chain of ufw's default, `deny routed`; its own rule for a routed port.
test_firewall_ufw() {
    ready
    need_iptables
    local command chain
    for command in iptables ip6tables; do
        local p=ufw
        [ "$command" = iptables ] || p=ufw6
        "$command" -P FORWARD DROP
        for chain in before-logging-forward before-forward user-forward after-forward after-logging-forward reject-forward; do
            "$command" -N "$p"-"$chain"
            [ "$chain" = user-forward ] || "$command" -A FORWARD -j "$p"-"$chain"
        done
        "$command" -A "$p"-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        "$command" -A "$p"-before-forward -j "$p"-user-forward
        "$command" -A "$p"-after-logging-forward -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
    done
    iptables -I ufw-before-forward 2 -p icmp -m icmp --icmp-type 8 -j ACCEPT
    blocked 2
    expect_match 'made by ufw\) drops new TCP and UDP flows to the zones: its policy' "$SAID"
    expect_match 'ufw route allow proto tcp to 10\.201\.0\.0/16' "$SAID"
    expect_match 'ufw route allow proto udp to fd00:b9::/48' "$SAID"
    # What that command adds.
    iptables -A ufw-user-forward -d 10.201.0.0/16 -p tcp -j ACCEPT
    t inspect
    expect_match 'ip filter.*new UDP flows' "$SAID"
    iptables -A ufw-user-forward -d 10.201.0.0/16 -p udp -j ACCEPT
    ip6tables -A ufw6-user-forward -d fd00:b9::/48 -p tcp -j ACCEPT
    ip6tables -A ufw6-user-forward -d fd00:b9::/48 -p udp -j ACCEPT
    open_for_all
}

test_firewall_iptables() {
    ready
    need_iptables
    iptables -A FORWARD -m state --state ESTABLISHED -j ACCEPT
    iptables -A FORWARD -m comment --comment "nothing new" -m conntrack ! --ctstate ESTABLISHED,RELATED -j REJECT
    blocked 1
    expect_match 'made by iptables\) drops new TCP and UDP flows to the zones: chain FORWARD drops them' "$SAID"
    mend
    open_for_all
    iptables -F
    iptables -t mangle -A PREROUTING -p tcp -m tcp --dport 1:65535 -j DROP
    t inspect
    expect_eq 1 "$ANSWER" "findings, saying: $SAID"
    expect_match 'table ip mangle, chain PREROUTING .* drops new TCP connections to the zones: chain PREROUTING' "$SAID"
    iptables -t mangle -F
    iptables -t mangle -A PREROUTING -p tcp -m tcp --dport 81:65535 -j DROP
    t inspect
    expect_match 'drops new TCP connections to the zones by port 8[12]: ' "$SAID"
    iptables -t mangle -F
    iptables -t mangle -A PREROUTING -p tcp -m multiport --dports 22,443,8000:8100 -j DROP
    t inspect
    expect_eq 0 "$ANSWER" "findings about other ports, saying: $SAID"
    expect_eq "ok blue" "$(on_client curl -sf -m 2 "$URL4"/healthz)" "our port"
    iptables -t mangle -A PREROUTING -p tcp -m multiport ! --dports 22,443 -j DROP
    t inspect
    expect_match 'drops new TCP connections to the zones: ' "$SAID"
    refused_at on_client curl -sf -m 1 "$URL4"/healthz
    iptables -t mangle -F
    iptables -t mangle -A POSTROUTING -o bg+ -m conntrack --ctstate NEW -j DROP
    blocked 1
    expect_match 'table ip mangle, chain POSTROUTING \(hook postrouting' "$SAID"
    mend
    open_for_all
}

# firewalld's forward chain where forwarded ports are strict (StrictForwardPorts=yes); without it, it accepts translated packets.
test_firewall_firewalld() {
    ready
    nft -f - <<'END'
table inet firewalld {
    chain filter_FORWARD_POLICIES_pre { }
    chain filter_FWD_public_pre { }
    chain filter_FWD_public {
        jump filter_FORWARD_POLICIES_pre
        jump filter_FWD_public_pre
        reject with icmpx type admin-prohibited
    }
    chain filter_FORWARD_ZONES { goto filter_FWD_public; }
    chain filter_FORWARD {
        type filter hook forward priority 10; policy accept;
        ct state { established, related } accept
        iifname "lo" accept
        ct state invalid drop
        ip6 daddr { ::/96, ::ffff:0.0.0.0/96, 2002::/24, 2002:a00::/24 } reject with icmpv6 type addr-unreachable
        jump filter_FORWARD_ZONES
        reject with icmpx type admin-prohibited
    }
}
END
    blocked 1
    expect_match 'made by firewalld\) drops new TCP and UDP flows to the zones: chain filter_FWD_public drops them' "$SAID"
    expect_match "rule family=ipv4 destination address=10\.201\.0\.0/16 accept" "$SAID"
    # What the policy adds.
    nft add rule inet firewalld filter_FORWARD_POLICIES_pre ip daddr 10.201.0.0/16 accept
    nft add rule inet firewalld filter_FORWARD_POLICIES_pre ip6 daddr fd00:b9::/48 accept
    open_for_all
    nft flush chain inet firewalld filter_FORWARD_POLICIES_pre
    nft insert rule inet firewalld filter_FORWARD ct status dnat accept
    open_for_all
}

run_tests
