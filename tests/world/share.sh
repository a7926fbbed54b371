#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Services of the host that are shared with an app ([share]): ports of the loopback, directories with sockets.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

# What a server says: who asks.
# shellcheck disable=SC2016
WHO='echo "from $SOCAT_PEERADDR"; cat'

# A database of the host's own.
database() {
    local port
    for port in "$@"; do
        background socat "TCP4-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr" SYSTEM:"$WHO"
    done
    for port in "$@"; do
        wait_for 5 eval "ss -Hltn | grep -q ':$port '"
    done
}

# asks COLOUR ADDRESS: what it hears.
asks() {
    echo | timeout 3 ip netns exec "bg-web-$1" socat -t 0.5 - "$2" 2>/dev/null | head -n 1 || :
}

# The same from inside, with the app's view and rights.
app_asks() {
    # shellcheck disable=SC2217
    bg exec web -- /usr/bin/timeout 3 /usr/bin/socat -t 0.5 - "$1" </dev/null 2>&1 | head -n 1 || :
}

test_both_zones_use_the_same_database() {
    ready_web '[share]' 'host = 5432, 53/udp'
    database 5432 5433
    background socat UDP4-LISTEN:53,bind=127.0.0.1,fork,reuseaddr SYSTEM:"$WHO"
    bg deploy web v1 >/dev/null
    bg stage web v2 >/dev/null
    # As a client on the host, for services that ask no more of one.
    expect_eq 'from 127.0.0.1' "$(asks blue TCP4:10.201.0.1:5432)"
    expect_eq 'from 127.0.0.1' "$(asks green TCP4:10.201.0.5:5432)"
    expect_eq 'from 127.0.0.1' "$(asks blue UDP4:10.201.0.1:53)"
    expect_eq 'from 127.0.0.1' "$(app_asks TCP4:host.bluegreen:5432)"
    # Nothing else of the loopback, nothing by another's cable, nothing from outside.
    expect_eq "" "$(asks blue TCP4:10.201.0.1:5433)" "a port that is not shared"
    expect_eq "" "$(asks blue TCP4:10.201.0.5:5432)" "by the other zone's end"
    expect_eq "" "$(asks blue TCP4:203.0.113.10:5432)" "by the host's address"
    expect_eq "" "$(asks blue TCP4:127.0.0.1:5432)" "the zone's own loopback"
    ip -n bg-web-blue route add 127.0.0.0/8 via 10.201.0.1 dev eth0 onlink table 7
    ip -n bg-web-blue rule add to 127.0.0.0/8 table 7 pref 0
    expect_eq "" "$(asks blue TCP4:127.0.0.1:5432)" "the host's loopback by its own address"
    expect_eq "" "$(echo | timeout 3 ip netns exec client socat -t 0.5 - TCP4:203.0.113.10:5432 2>/dev/null)"
    expect_eq "" "$(echo | timeout 3 ip netns exec client socat -t 0.5 - TCP4:10.201.0.1:5432 2>/dev/null)"
}

test_services_on_every_address() {
    ready_web '[share]' 'host = 5432'
    background socat TCP4-LISTEN:5432,fork,reuseaddr SYSTEM:"$WHO"
    background socat TCP4-LISTEN:5433,fork,reuseaddr SYSTEM:"$WHO"
    bg deploy web v1 >/dev/null
    expect_eq 'from 127.0.0.1' "$(asks blue TCP4:10.201.0.1:5432)"
    # What listens to everybody is not shared but reached as by anybody.
    expect_eq 'from 10.201.0.2' "$(asks blue TCP4:10.201.0.1:5433)"
    expect_eq 'from 10.201.0.2' "$(asks blue TCP4:203.0.113.10:5432)"
}

# A name server on the host's loopback is no use to a zone, unless it is shared.
test_the_hosts_own_name_server() {
    rm -f /run/systemd/resolve/resolv.conf /run/NetworkManager/no-stub-resolv.conf /run/dnsmasq/resolv.conf
    rm -f /etc/resolv.conf
    printf 'search example.org\nnameserver 127.0.0.1\nnameserver ::1\n' >/etc/resolv.conf
    ready_web '[share]' 'host = 53/udp, 53/tcp'
    background socat UDP4-LISTEN:53,bind=127.0.0.1,fork,reuseaddr SYSTEM:"$WHO"
    bg deploy web v1 >/dev/null
    expect_eq "search example.org nameserver 10.201.0.1" \
        "$(bg exec web -- /bin/cat /etc/resolv.conf | grep -v '^#' | tr '\n' ' ' | sed 's/ $//')"
    expect_eq 'from 127.0.0.1' "$(asks blue UDP4:10.201.0.1:53)"
}

# What is shared with a zone keeps it from nothing that zones reach: published ports, its own and another app's.
test_published_ports_as_well() {
    local address port
    ready_web '[share]' 'host = 5432'
    web_conf api 90
    release_install api v1
    database 5432
    bg deploy web v1 >/dev/null
    bg deploy api v1 >/dev/null
    for address in 203.0.113.10 10.201.0.1 '[2001:db8:1::10]'; do
        for port in 80 90; do
            expect_eq 'ok v1' "$(ip netns exec bg-web-blue curl -s -m 2 "http://$address:$port/healthz")" "$address:$port"
        done
    done
    expect_eq 'from 127.0.0.1' "$(asks blue TCP4:10.201.0.1:5432)"
}

test_without_share_nothing_is() {
    ready_web
    database 5432
    bg deploy web v1 >/dev/null
    expect_eq "" "$(asks blue TCP4:10.201.0.1:5432)"
    web_conf web 80 '[share]' 'host = 5432'
    expect_match 'applied now: \[share\] host' "$(bg reload)"
    expect_eq 'from 127.0.0.1' "$(asks blue TCP4:10.201.0.1:5432)"
    web_conf web 80
    bg reload >/dev/null
    expect_eq "" "$(asks blue TCP4:10.201.0.1:5432)"
}

test_what_is_shared_is_in_no_fence() {
    ready_web '[share]' 'host = 5432' '[egress]' 'policy = closed' 'allow = 192.0.2.9:25' 'standby = closed'
    database 5432
    background socat TCP4-LISTEN:7000,fork,reuseaddr SYSTEM:"$WHO"
    bg deploy web v1 >/dev/null
    bg stage web v2 >/dev/null
    local colour host=10.201.0.1
    for colour in blue green; do
        expect_eq 'from 127.0.0.1' "$(asks "$colour" "TCP4:$host:5432")" "$colour"
        expect_eq "" "$(asks "$colour" "TCP4:$host:7000")" "$colour"
        host=10.201.0.5
    done
    agent_kill9
    expect_eq 'from 127.0.0.1' "$(asks green TCP4:10.201.0.5:5432)"
    agent_start
    expect_eq 'from 127.0.0.1' "$(asks green TCP4:10.201.0.5:5432)"
}

test_sockets() {
    rm -rf /run/db
    mkdir /run/db
    chmod 755 /run/db
    background socat UNIX-LISTEN:/run/db/.s,mode=666,fork SYSTEM:'echo first; cat'
    local server=$!
    ready_web '[share]' 'socket = /run/db'
    bg deploy web v1 >/dev/null
    expect_eq first "$(app_asks UNIX:/run/db/.s)"
    # A server that starts again makes its socket anew.
    kill "$server"
    rm -f /run/db/.s
    background socat UNIX-LISTEN:/run/db/.s,mode=666,fork SYSTEM:'echo second; cat'
    wait_for 5 test -S /run/db/.s
    expect_eq second "$(app_asks UNIX:/run/db/.s)"
    # It is there to be connected to, no more; and of /run nothing else is.
    chmod 777 /run/db
    expect_match 'Read-only file system' "$(bg exec web -- /bin/sh -c 'echo >/run/db/file' 2>&1)"
    expect_eq 'db world' "$(bg exec web -- /bin/ls /run | tr '\n' ' ' | sed 's, $,,')"
}

test_a_directory_that_is_not_there() {
    rm -rf /run/db
    ready_web '[share]' 'socket = /run/db'
    expect_status 2 bg deploy web v1
    expect_match '\[share\] socket: /run/db does not exist' "$OUTPUT"
    touch /run/db
    expect_status 2 bg deploy web v1
    expect_match '\[share\] socket: /run/db is not a directory' "$OUTPUT"
    rm /run/db
    mkdir /run/db
    bg deploy web v1 >/dev/null
}

run_tests
