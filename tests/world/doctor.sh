#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bluegreen doctor: nothing is found on a healthy host; each breakage is, and the very line it gives mends it.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

ready() {
    ready_web "$@"
    ip route add default via 203.0.113.2
    bg deploy web v1 >/dev/null
    wait_for 5 answers v1
}

# doctor STATUS [APP]: asks it; the answer is in $SAID
doctor() {
    local want=$1 got=0
    shift
    SAID=$(bg doctor --json "$@") || got=$?
    [ "$got" = "$want" ] || fail "doctor $*: expected exit status $want, got $got, saying: $(jq -c '.findings[] | select(.level != "ok")' <<<"$SAID")"
}

# finding LEVEL ID: its text; fails where there is none
finding() {
    jq -er --arg level "$1" --arg id "$2" \
        '[.findings[] | select(.level == $level and .id == $id)] | if length == 0 then error("none") else .[0].text end' \
        <<<"$SAID" 2>/dev/null || fail "no $1 $2 among: $(jq -c '.findings[]' <<<"$SAID")"
}

nothing_of() {
    local found
    found=$(jq -c --arg id "$1" '.findings[] | select(.id == $id and .level != "ok")' <<<"$SAID")
    [ -z "$found" ] || fail "$1: $found"
}

# mend ID: runs the lines that its findings give
mend() {
    local line
    while read -r line; do
        echo "+ $line" >&2
        bash -c "$line" >&2
    done < <(jq -r --arg id "$1" '.findings[] | select(.id == $id and .level != "ok") | .mend[]' <<<"$SAID")
}

# What the agent has: open files, children, and among them dead ones.
held() {
    local pid
    pid=$(agent_pid)
    echo "$(find "/proc/$pid/fd" -mindepth 1 | wc -l) $(pgrep -P "$pid" | wc -l) $(pgrep -P "$pid" -r Z | wc -l)"
}

test_doctor_finds_nothing_on_a_healthy_host() {
    ready
    doctor 0
    expect_eq '0 0' "$(jq -r '"\(.faults) \(.warnings)"' <<<"$SAID")"
    local id
    for id in forwarding conntrack table firewall path listening host-port journal roles shim configuration; do
        expect_eq ok "$(jq -r --arg id "$id" '[.findings[] | select(.id == $id) | .level] | unique | join(" ")' <<<"$SAID")" "$id"
    done
    doctor 0 web
    expect_status 0 bg doctor
    expect_match 'ok' "$OUTPUT"
    # It leaves nothing behind, in the agent neither.
    local before
    before=$(held)
    for _ in 1 2 3 4 5; do
        bg doctor >/dev/null
    done
    expect_eq "$before" "$(held)" "files and children of the agent"
    expect_eq '' "$(nft list tables | grep doctor)"
    expect_eq '' "$(ip -o link show | grep bgdoctor)"
    expect_status 1 bg doctor nosuch
    expect_match 'there is no app nosuch' "$OUTPUT"
    answers v1
}


# What the finding says, and that its lines mend it. found LEVEL ID PATTERN
found_and_mended() {
    local level=$1 id=$2
    expect_match "$3" "$(finding "$level" "$id")"
    mend "$id"
    bg doctor --json >"$WORLD/after" || :
    SAID=$(cat "$WORLD/after")
    nothing_of "$id"
}

# The fences' chains, of both zones and with names of any length, are as they were made.
test_doctor_fences() {
    local name
    world_net
    for name in web webs; do
        web_conf "$name" "8${#name}" '[egress]' 'standby = closed'
        release_install "$name" v1
        release_install "$name" v2
    done
    agent_start
    for name in web webs; do
        bg deploy "$name" v1 >/dev/null
        bg stage "$name" v2 >/dev/null
        SAID=$(bg doctor --json) || :
        nothing_of table
    done
    nft list table inet bluegreen | grep -q 'counter name "fenced.webs.green"'
}

test_doctor_forwarding() {
    ready
    echo 0 >/proc/sys/net/ipv4/ip_forward
    doctor 6
    expect_match 'sysctl -w net.ipv4.ip_forward=1' "$SAID"
    found_and_mended fault forwarding 'IPv4 packets that come in through .* are not forwarded'
    nothing_of path
    echo 0 >/proc/sys/net/ipv4/conf/lan0/forwarding
    doctor 6
    expect_match 'sysctl -w net.ipv4.conf.lan0.forwarding=1' "$SAID"
    found_and_mended fault forwarding 'through lan0 are not forwarded'
    echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
    doctor 6
    found_and_mended fault forwarding 'IPv6 packets are not forwarded'
    doctor 0
}

test_doctor_sysctls() {
    ready
    # Two ways out, and a strict check of source addresses.
    ip link add wan1 type veth peer name wan2
    ip link set wan2 up
    ip addr add 192.168.77.1/24 dev wan1
    ip link set wan1 up
    ip route add default via 192.168.77.2 metric 100
    echo 1 >/proc/sys/net/ipv4/conf/wan1/rp_filter
    echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
    echo 0 >/proc/sys/net/netfilter/nf_conntrack_tcp_loose
    doctor 7
    expect_match 'sysctl -w net.ipv4.conf.wan1.rp_filter=2' "$SAID"
    found_and_mended warning rp-filter 'wan1 takes only what would be answered through itself'
    found_and_mended warning route-localnet 'route_localnet is set for all interfaces'
    found_and_mended warning conntrack-loose 'nf_conntrack_tcp_loose is 0'
    echo 0 >/proc/sys/net/ipv4/conf/bg1/route_localnet
    doctor 6
    found_and_mended fault route-localnet 'route_localnet is off for bg1'
    # The table of connections has one size for the whole machine: a file in its place.
    echo 4 >"$WORLD/max"
    mount --bind "$WORLD/max" /proc/sys/net/netfilter/nf_conntrack_max
    echo 4 >"$WORLD/count"
    mount --bind "$WORLD/count" /proc/sys/net/netfilter/nf_conntrack_count
    doctor 6
    found_and_mended fault conntrack 'holds 4 of 4 \(100 %\)'
    umount /proc/sys/net/netfilter/nf_conntrack_max /proc/sys/net/netfilter/nf_conntrack_count
    doctor 0
}

test_doctor_firewalls() {
    ready
    nft -f - <<'END'
table inet filter {
    chain forward { type filter hook forward priority 0; policy drop; }
}
END
    doctor 6
    expect_match 'chain forward: its policy' "$(finding fault path)"
    expect_match 'nft insert rule inet filter forward ct status dnat accept' \
        "$(jq -r '.findings[] | select(.id == "path") | .mend[]' <<<"$SAID")"
    found_and_mended fault firewall 'table inet filter, chain forward .* drops new TCP'
    doctor 7
    found_and_mended warning egress 'table inet filter, chain forward .* drops what zones begin by themselves'
    doctor 0
    nft delete table inet filter
    # No look at the rules can be sure of these: how long a packet is, is its sender's affair. A packet is.
    nft -f - <<'END'
table ip fence {
    chain inner { meta length 40-100 ct state new counter drop; }
    chain forward { type filter hook forward priority 10; jump inner; }
}
END
    doctor 6
    nothing_of firewall
    found_and_mended fault path 'first packet of a probe from outside to 203.0.113.10, port 80/tcp, was dropped by table ip fence, chain inner: its rule with handle [0-9]+'
    nft delete table ip fence
    nft -f - <<'END'
table inet fence {
    chain back { type filter hook postrouting priority 10; meta length 40-100 tcp sport 8080 drop; }
}
END
    doctor 6
    found_and_mended fault path "the zone's answer to a probe from outside"
    nft delete table inet fence
    doctor 0
}

test_doctor_docker() {
    ready
    command -v iptables-nft >/dev/null || skip "iptables-nft is not installed"
    mkdir -p "$WORLD/bin"
    ln -sf "$(command -v iptables-nft)" "$WORLD/bin/iptables"
    PATH=$WORLD/bin:$PATH
    iptables -P FORWARD DROP
    iptables -N DOCKER-USER
    iptables -A FORWARD -j DOCKER-USER
    iptables -A DOCKER-USER -j RETURN
    iptables -t nat -N DOCKER
    iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
    iptables -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80
    doctor 6
    expect_match 'table ip nat, chain DOCKER translates port 80/tcp, too \(a container publishes it\)' \
        "$(finding warning translated)"
    # The first line asks docker which container it is.
    bash -c "$(jq -r '.findings[] | select(.id == "translated") | .mend[]' <<<"$SAID" | grep ^nft)"
    doctor 6
    nothing_of translated
    expect_match 'table ip filter, chain FORWARD: its policy' "$(finding fault path)"
    expect_match 'iptables -I DOCKER-USER -m conntrack --ctstate DNAT -j ACCEPT' "$SAID"
    found_and_mended fault firewall 'made by Docker\) drops new TCP'
    doctor 7
    found_and_mended warning egress 'made by Docker\) drops what zones begin by themselves'
    doctor 0
}

# reaches ADDRESS: a socat address; true if somebody answers the live zone there.
reaches() {
    [ "$(echo | timeout 2 ip netns exec bg-web-blue socat -t 0.5 - "$1,connect-timeout=1" 2>/dev/null | head -n 1)" = here ]
}

# Clients come in, and what zones want themselves is dropped: other hosts, and what is shared with them.
test_doctor_egress() {
    local address
    background socat TCP4-LISTEN:5432,bind=127.0.0.1,fork,reuseaddr SYSTEM:'echo here; cat'
    ready '[share]' 'host = 5432'
    background on_client socat TCP6-LISTEN:25,ipv6only=0,fork,reuseaddr SYSTEM:'echo here; cat'
    nft -f - <<'END'
table inet filter {
    chain input { type filter hook input priority 0; policy drop; ct state established,related accept; iif lo accept; meta l4proto ipv6-icmp accept; }
    chain forward { type filter hook forward priority 0; policy drop; ct state established,related accept; ct status dnat accept; }
}
END
    for address in TCP4:203.0.113.2:25 'TCP6:[2001:db8:1::2]:25' TCP4:10.201.0.1:5432; do
        ! reaches "$address" || fail "$address is reached"
    done
    doctor 7
    nothing_of firewall
    expect_match 'table inet filter, chain input .* drops what zones send to port 5432/tcp of the host' \
        "$(finding warning egress)"
    found_and_mended warning egress 'To let them through:'
    for address in TCP4:203.0.113.2:25 'TCP6:[2001:db8:1::2]:25' TCP4:10.201.0.1:5432; do
        wait_for 3 reaches "$address"
    done
    # Nobody misses what [egress] forbids.
    nft flush table inet filter
    nft add rule inet filter forward ct status dnat accept
    nft add rule inet filter forward ct state established,related accept
    doctor 7
    web_conf web 80 '[egress]' 'policy = closed'
    bg reload >/dev/null
    doctor 0
}

test_doctor_other_ways() {
    ready
    # Not every kernel has it.
    if iptables-legacy -P FORWARD DROP 2>/dev/null; then
        doctor 6
        expect_match 'iptables-legacy has loaded tables \(filter\)' "$(finding note iptables-legacy)"
        expect_match 'got no answer, and no rule of nf_tables dropped it' "$(finding fault path)"
        # The lines that come after these only look.
        bash -c "$(jq -r '.findings[] | select(.id == "path") | .mend[]' <<<"$SAID" | grep '^iptables-legacy -I')"
        doctor 0
    fi
    # An app that has no IPv6 is worth a warning.
    web_conf web 80
    sed -i 's/--port 8080/--listen 0.0.0.0 --port 8080/' "$WORLD/etc/apps/web.conf"
    bg deploy web v2 >/dev/null
    doctor 7
    expect_match 'clients that come over IPv6 to 2001:db8:1::10, port 80/tcp, are refused by the app' "$(finding warning path)"
    printf '[agent]\ninstance = other\n' | agent_conf
    doctor 7
    expect_match 'take effect when the agent is started again' "$(finding note configuration)"
}

listens_on() {
    [ -n "$(ss -Hltn "sport = :$1")" ]
}

# A service of the host's that nobody reaches while somebody looks at a release.
test_doctor_preview_port() {
    ready '[preview]' 'port = 8081'
    background "$BUILD/demo/web" --port 8081
    wait_for 5 listens_on 8081
    doctor 7 web
    expect_match "port 8081/tcp, which is a preview of web" "$(finding warning host-port)"
}

test_doctor_routes_and_ports() {
    ready
    ip route add 10.201.200.0/24 via 203.0.113.2
    doctor 6
    expect_match 'ip route del 10.201.200.0/24 dev lan0' "$SAID"
    found_and_mended fault address-pools 'overlaps the host.s route 10.201.200.0/24'
    # A host process on the published port, of another user and of root.
    echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start
    setpriv --reuid web --regid web --init-groups "$BUILD/demo/web" --port 80 &
    wait_for 5 listens_on 80
    doctor 7
    expect_match "^web \(pid [0-9]+\) listens on the host's port 80/tcp, which is published" "$(finding warning host-port)"
    found_and_mended warning host-port 'listens'
    # What the app was to listen on, and does not.
    web_conf web 80
    sed -i 's/^http = 80.*/&\nextra = 81 -> 9999\/tcp/' "$WORLD/etc/apps/web.conf"
    # No connection of the probes is left that the drain would wait for.
    local began=$SECONDS
    bg deploy web v2 >/dev/null
    [ $((SECONDS - began)) -lt 15 ] || fail "the drain took $((SECONDS - began)) s"
    doctor 6 web
    expect_match 'nothing listens on port 9999 in zone green' "$(finding fault listening)"
    expect_match 'port 81/tcp, came to the live zone and was refused there' "$(finding fault path)"
    expect_match '"app":"web"' "$SAID"
}

test_doctor_agent_and_files() {
    mkdir -p "$WORLD/state"
    mount -t tmpfs -o size=4m tmpfs "$WORLD/state"
    trap 'umount -l "$WORLD/state"' EXIT
    cp /bin/true "$WORLD/hook"
    ready '[hooks]' "post_switch = host:$WORLD/hook"
    doctor 0
    chmod a-x "$WORLD/hook"
    doctor 6
    expect_match 'would refuse this' "$(finding warning configuration)"
    expect_match "chmod a\\+x $WORLD/hook" "$SAID"
    expect_match 'post_switch of release v1 \(zone blue\) cannot be run: .*: nobody may execute it' "$(finding fault hook)"
    bash -c "$(jq -r '.findings[] | select(.id == "hook") | .mend[0]' <<<"$SAID")"
    doctor 0
    head -c 16m /dev/zero >"$WORLD/state/filler" 2>/dev/null || :
    doctor 6
    expect_match 'has [0-9]+ KiB left' "$(finding fault disk)"
    # What could not be written is known, until it can be.
    local tries=0
    while bg lock web -m 'until nobody can write it down' >/dev/null 2>&1 && bg unlock web >/dev/null 2>&1; do
        [ "$((tries += 1))" -lt 100 ] || fail "a full disk takes 200 records"
    done
    doctor 6
    expect_match 'the last record could not be written to the journal' "$(finding fault journal)"
    rm "$WORLD/state/filler"
    wait_for 15 finds_nothing
    bg unlock web >/dev/null 2>&1 || :
    doctor 0
    local shim
    shim=$(status_of .zones.blue.shim_pid)
    kill -STOP "$shim"
    wait_for 5 grep -q '^State:.T' "/proc/$shim/status"
    doctor 6
    expect_match "kill -CONT $shim" "$SAID"
    found_and_mended fault shim 'the shim of zone blue .* is stopped'
    echo '# more' >>"$WORLD/etc/apps/web.conf"
    doctor 0
    found_and_mended_by_reload
    echo 'nonsense = 1' >>"$WORLD/etc/apps/web.conf"
    doctor 7
    expect_match 'would refuse this: .*web.conf' "$(finding warning configuration)"
}

finds_nothing() {
    bg doctor >/dev/null 2>&1
}

found_and_mended_by_reload() {
    expect_match 'was changed since the agent read its files' "$(finding note configuration)"
    expect_eq 'bluegreen reload' "$(jq -r '.findings[] | select(.id == "configuration") | .mend[]' <<<"$SAID")"
    bg reload >/dev/null
    doctor 0
    nothing_of configuration
}

# What of it is left when it is cut short: nothing, and the agent goes on meanwhile.
test_doctor_cut_short() {
    ready
    # A probe that nobody answers takes seconds.
    echo 0 >/proc/sys/net/ipv4/ip_forward
    "$BUILD/bluegreen" doctor >/dev/null 2>&1 &
    local client=$!
    wait_for 5 looks
    expect_status 1 bg doctor
    expect_match 'looks for somebody else' "$OUTPUT"
    local began=$EPOCHREALTIME
    bg status >/dev/null
    [ "$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))" -lt 1000 ] || fail "status took too long meanwhile"
    kill -9 "$client"
    # Long before it would have ended by itself.
    wait_for 2 no_table
    wait_for 10 no_trace
    "$BUILD/bluegreen" doctor >/dev/null 2>&1 &
    wait_for 5 looks
    agent_kill9
    wait_for 2 no_table
    wait_for 10 no_trace
    agent_start
    doctor 0
}

looks() {
    ip link show bgdoctor >/dev/null 2>&1
}

no_table() {
    ! nft list tables | grep -q doctor
}

no_trace() {
    ! looks && no_table
}

test_doctor_rights() {
    ready
    expect_status 0 as_user oper "$BUILD/bluegreen" doctor web
    expect_status 1 as_user nosy "$BUILD/bluegreen" doctor
    expect_match 'may look but not doctor' "$OUTPUT"
    agent_stop
    expect_status 3 bg doctor
    expect_match 'systemctl status bluegreend' "$OUTPUT"
}

# Where the kernel cannot keep the table ours, somebody may change it.
test_doctor_table() {
    # shellcheck source=tests/drivers/traffic_lib.sh
    . "$ROOT/tests/drivers/traffic_lib.sh"
    ready open-unowned
    t compare
    expect_eq 0 "$ANSWER" "differences, saying: $SAID"
    local change
    for change in 'flush chain inet bluegreen zone.web.blue' 'add rule inet bluegreen zone.web.blue drop' \
        'flush map inet bluegreen published' 'flush chain inet bluegreen app.web'; do
        nft "$change"
        t compare
        expect_eq 1 "$ANSWER" "differences after $change, saying: $SAID"
        t repair
        t compare
        expect_eq 0 "$ANSWER" "differences after repair, saying: $SAID"
    done
    nft delete table inet bluegreen
    t compare
    [ "$ANSWER" -gt 0 ] || fail "nothing differs from a table that is gone"
}

run_tests
