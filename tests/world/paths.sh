#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every path that a client may take, and those that nobody may take: client x family x protocol x target. One table, one
# test a row, all in one world. A path that works proves which zone answered and which source address it saw; one that
# must not proves that nothing arrived, and, with our rules lifted, that the same packets do arrive.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/traffic_lib.sh
. "$ROOT/tests/drivers/traffic_lib.sh"

WITNESS=$TOOLS/witness

# --- the world ------------------------------------------------------------------------------------------

in_zone() { # ZONE CMD...
    local zone=$1
    shift
    ip netns exec "bg-$zone" "$@"
}

# The app of a zone, under the zone's name.
zone_witness() { # ZONE NUMBER
    zone_net "bg-$1" "$2"
    background in_zone "$1" "$WITNESS" serve "$1" "$WORLD/$1.log" :: 8080 9000 9001 9002
}

# A zone whose root user leads 127.0.0.1 out of it, to the host: its link has route_localnet.
smuggler() {
    zone_net bg-smuggler 4
    ip -n bg-smuggler addr del 127.0.0.1/8 dev lo
    ip -n bg-smuggler route add 127.0.0.0/8 via 10.201.0.13 dev eth0 onlink src 10.201.0.14
    in_zone smuggler sh -c 'echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet'
    echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
}

ports_of() { # APP COLOUR SPEC...
    local app=$1 colour=$2 spec
    shift 2
    for spec; do
        t port "$app" "$colour" "$spec/tcp"
        t port "$app" "$colour" "$spec/udp"
    done
}

build_world() {
    world_net
    ip addr add 2001:db8:1::11/64 dev lan0 nodad
    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
    ip route add default via 203.0.113.2
    zone_witness web-blue 1
    zone_witness web-green 2
    zone_witness api-blue 3
    smuggler
    background "$WITNESS" serve host "$WORLD/host.log" 127.0.0.1 6000
    background "$WITNESS" serve host "$WORLD/host.log" ::1 6000
    background "$WITNESS" serve host "$WORLD/host.log" 203.0.113.10 5000
    # Not owned: the controls take rules out of the tables.
    driver_start
    t open-unowned
    t zone web blue 1 10.201.0.2 fd00:b9::2
    t zone web green 2 10.201.0.6 fd00:b9::6
    t zone api blue 3 10.201.0.10 fd00:b9::a
    local colour
    for colour in blue green; do
        ports_of web "$colour" '80 -> 8080' '8000-8002 -> 9000-9002' '198.51.100.7:82 -> 8080' \
            '[2001:db8:1::10]:82 -> 8080' '127.0.0.2:84 -> 8080'
    done
    ports_of api blue '203.0.113.10:82 -> 8080' '[2001:db8:1::11]:82 -> 8080' '443 -> 9002'
    t live web blue
    t live api blue
    t apply
    local port
    for port in 8080 9000 9001 9002; do
        wait_for 5 in_zone web-blue bash -c ": </dev/tcp/127.0.0.1/$port"
        wait_for 5 in_zone api-blue bash -c ": </dev/tcp/127.0.0.1/$port"
    done
}

# --- the table ------------------------------------------------------------------------------------------

# Who asks, by the command that makes it the client.
client_command() {
    case $1 in
    outside) CLIENT=(on_client) ;;
    host) CLIENT=() ;;
    smuggler) CLIENT=(in_zone smuggler) ;;
    live | other | api) # the zone that is live, the app's other one, another app's
        local -A zones=([live]=web-blue [other]=web-green [api]=api-blue)
        CLIENT=(in_zone "${zones[$1]}")
        ;;
    esac
}

# TARGET FAMILY: address, port
target_of() {
    case $1$2 in
    published4) echo 203.0.113.10 80 ;;
    published6) echo 2001:db8:1::10 80 ;;
    second4) echo 198.51.100.7 80 ;; # the same port at another address of the host
    second6) echo 2001:db8:1::11 80 ;;
    loopback4) echo 127.0.0.1 80 ;;
    range-first4) echo 203.0.113.10 8000 ;;
    range-first6) echo 2001:db8:1::10 8000 ;;
    range-last4) echo 203.0.113.10 8002 ;;
    range-last6) echo 2001:db8:1::10 8002 ;;
    range-loopback4) echo 127.0.0.1 8001 ;;
    one-address4) echo 198.51.100.7 82 ;;
    one-address6) echo 2001:db8:1::10 82 ;;
    same-port-api4) echo 203.0.113.10 82 ;;
    same-port-api6) echo 2001:db8:1::11 82 ;;
    other-loopback4) echo 127.0.0.2 84 ;;
    api4) echo 203.0.113.10 443 ;;
    api6) echo 2001:db8:1::10 443 ;;
    zone4) echo 10.201.0.2 8080 ;; # the zone itself
    zone6) echo fd00:b9::2 8080 ;;
    unpublished4) echo 203.0.113.10 8080 ;;
    unpublished6) echo 2001:db8:1::10 8080 ;;
    past-range4) echo 203.0.113.10 8003 ;;
    past-range6) echo 2001:db8:1::10 8003 ;;
    not-there4) echo 203.0.113.10 84 ;; # published at another address only
    not-there6) echo 2001:db8:1::10 84 ;;
    host-loopback4) echo 127.0.0.1 6000 ;;
    host-loopback6) echo ::1 6000 ;;
    own-loopback6) echo ::1 80 ;;
    host-service4) echo 203.0.113.10 5000 ;;
    esac
}

# CLIENT TARGET FAMILIES ANSWER SOURCE4 [SOURCE6]: who answers, and whom it sees. The host's end of the zone's link is what
# clients on the host, and in zones, are seen as.
ALLOWED='
outside published      46 web-blue 203.0.113.2 2001:db8:1::2
outside second         46 web-blue 203.0.113.2 2001:db8:1::2
outside range-first    46 web-blue 203.0.113.2 2001:db8:1::2
outside range-last     46 web-blue 203.0.113.2 2001:db8:1::2
outside one-address    46 web-blue 203.0.113.2 2001:db8:1::2
outside same-port-api  46 api-blue 203.0.113.2 2001:db8:1::2
outside api            46 api-blue 203.0.113.2 2001:db8:1::2
outside host-service   4  host     203.0.113.2
host    published      46 web-blue 10.201.0.1 fd00:b9::1
host    second         46 web-blue 10.201.0.1 fd00:b9::1
host    loopback       4  web-blue 10.201.0.1
host    range-first    46 web-blue 10.201.0.1 fd00:b9::1
host    range-last     46 web-blue 10.201.0.1 fd00:b9::1
host    range-loopback 4  web-blue 10.201.0.1
host    one-address    46 web-blue 10.201.0.1 fd00:b9::1
host    same-port-api  46 api-blue 10.201.0.9 fd00:b9::9
host    other-loopback 4  web-blue 10.201.0.1
host    zone           46 web-blue 10.201.0.1 fd00:b9::1
host    host-loopback  46 host     127.0.0.1 ::1
live    published      46 web-blue 10.201.0.1 fd00:b9::1
live    second         46 web-blue 10.201.0.1 fd00:b9::1
live    range-last     46 web-blue 10.201.0.1 fd00:b9::1
live    same-port-api  46 api-blue 10.201.0.9 fd00:b9::9
live    api            46 api-blue 10.201.0.9 fd00:b9::9
other   published      46 web-blue 10.201.0.1 fd00:b9::1
other   range-first    46 web-blue 10.201.0.1 fd00:b9::1
other   one-address    46 web-blue 10.201.0.1 fd00:b9::1
other   api            46 api-blue 10.201.0.9 fd00:b9::9
api     published      46 web-blue 10.201.0.1 fd00:b9::1
api     second         46 web-blue 10.201.0.1 fd00:b9::1
api     range-last     46 web-blue 10.201.0.1 fd00:b9::1
api     one-address    46 web-blue 10.201.0.1 fd00:b9::1
api     same-port-api  46 api-blue 10.201.0.9 fd00:b9::9
'
# CLIENT TARGET FAMILIES WHAT-IT-IS-TOLD CONTROL: nothing arrives. The control shows that it could: "lifted", the same without
# our rules; or CLIENT:TARGET, which does arrive.
FORBIDDEN='
outside  zone           46 silent  lifted
outside  unpublished    46 refused outside:published
outside  past-range     46 refused outside:range-last
outside  not-there      46 refused outside:one-address
outside  host-loopback  46 refused host:host-loopback
host     unpublished    46 refused host:published
host     past-range     46 refused host:range-last
host     not-there      46 refused host:one-address
host     own-loopback   6  refused host:host-loopback
other    zone           46 silent  lifted
api      zone           46 silent  lifted
api      unpublished    46 refused api:published
api      not-there      46 refused api:one-address
live     host-loopback  46 refused host:host-loopback
other    host-loopback  46 refused host:host-loopback
smuggler host-loopback  4  silent  lifted
'

# --- the tests ------------------------------------------------------------------------------------------

arrived() {
    cat "$WORLD"/*.log | wc -l
}

ask() { # CLIENT PROTOCOL FAMILY TARGET
    local address port
    client_command "$1"
    read -r address port < <(target_of "$4" "$3")
    "${CLIENT[@]}" "$WITNESS" ask "$2" "$address" "$port"
}

path_works() { # CLIENT PROTOCOL FAMILY TARGET ANSWER SOURCE
    local before
    before=$(arrived)
    expect_eq "$5 $6" "$(ask "$1" "$2" "$3" "$4")" "answer"
    expect_eq 1 "$(($(arrived) - before))" "arrivals"
    expect_match "^$2 $6 " "$(tail -n 1 "$WORLD/$5.log")" "what $5 saw"
}

# The rules that keep packets away, gone for one probe.
without_our_rules() {
    local chain status=0
    for chain in guard to-zone; do
        nft flush chain inet bluegreen "$chain"
    done
    "$@" || status=$?
    t repair
    expect_eq 1 "$ANSWER" "rules that were put back"
    return "$status"
}

path_is_closed() { # CLIENT PROTOCOL FAMILY TARGET TOLD CONTROL
    local before began=$EPOCHREALTIME
    before=$(arrived)
    expect_eq "$5" "$(ask "$1" "$2" "$3" "$4")" "what the client is told"
    # A refusal comes at once: nobody hangs.
    [ "$5" = silent ] || [ $((${EPOCHREALTIME/./} - ${began/./})) -lt 500000 ] || fail "the refusal took long"
    expect_eq 0 "$(($(arrived) - before))" "arrivals"
    case $6 in
    lifted) without_our_rules ask "$@" ;;
    *) ask "${6%:*}" "$2" "$3" "${6#*:}" ;;
    esac
    expect_eq 1 "$(($(arrived) - before))" "arrivals of the control"
}

test_the_same_port_of_two_apps_moves_alone() {
    t live web green
    t apply
    path_works outside tcp 4 one-address web-green 203.0.113.2
    path_works outside udp 4 same-port-api api-blue 203.0.113.2
    path_works outside tcp 6 same-port-api api-blue 2001:db8:1::2
    path_works api tcp 4 published web-green 10.201.0.5
    path_works live udp 6 published web-green fd00:b9::5 # hairpin of the zone that is live no more
    t live web blue
    t apply
    t release 2
}

test_all_ports_move_in_one_transaction() {
    local us before after target
    on_client "$WITNESS" watch tcp 203.0.113.10 800 80 8000 8001 8002 >"$WORLD/watch" &
    sleep 0.3
    t live web green
    t apply
    read -r us before after <<<"$ANSWER"
    expect_eq "$((before + 1))" "$after" "generation (the transaction took $us us)"
    wait $!
    # Whatever port is asked: once one has answered from the new zone, none does from the old one.
    expect_eq "web-blue 203.0.113.2
web-green 203.0.113.2" "$(cat "$WORLD/watch")" "answers over a switch"
    t release 1
    for target in published range-first range-last one-address; do
        path_works outside udp 4 "$target" web-green 203.0.113.2
    done
    t live web blue
    t apply
    t release 2
}

# Names that mean ::1 as well as 127.0.0.1. Most resolvers give ::1 first.
localhost_is_both() {
    printf '127.0.0.1 localhost both.example\n::1 localhost both.example\n' >/etc/hosts
    expect_match '^::1 ' "$(getent ahosts localhost)" "what localhost is first"
}

test_localhost_by_curl() {
    localhost_is_both
    local said
    expect_eq "web-blue 10.201.0.1" "$(curl -s -m 2 http://localhost/)" "answer"
    # Newer versions know localhost by themselves; for another name they ask the resolver.
    said=$(curl -sv -m 2 http://both.example/ 2>&1)
    expect_match 'Trying (\[::1\]|::1):80' "$said" "what curl tried"
    expect_match 'web-blue 10\.201\.0\.1' "$said" "answer"
}

test_localhost_by_python() {
    command -v python3 >/dev/null || skip "no python3"
    localhost_is_both
    expect_eq "web-blue 10.201.0.1" "$(python3 -c 'import socket
s = socket.create_connection(("localhost", 80), timeout=2)
s.sendall(b"?\n")
print(s.recv(99).decode().strip())')" "answer"
}

# --- running --------------------------------------------------------------------------------------------

cell() { # FUNCTION CLIENT TARGET FAMILIES ARG...
    local function=$1 client=$2 target=$3 families=$4 family protocol source
    shift 4
    for family in 4 6; do
        [[ $families == *$family* ]] || continue
        source=$2
        [ "$family" = 4 ] || source=${3:-$2}
        for protocol in tcp udp; do
            CELLS+=("${client}_${target//-/_}_$protocol$family")
            eval "test_${CELLS[-1]}() { $function $client $protocol $family $target $1 $source; }"
        done
    done
}

CELLS=()
while read -r -a ROW; do
    [ ${#ROW[@]} = 0 ] || cell path_works "${ROW[@]}"
done <<<"$ALLOWED"
while read -r -a ROW; do
    [ ${#ROW[@]} = 0 ] || cell path_is_closed "${ROW[@]}"
done <<<"$FORBIDDEN"
[ ${#SCRIPT_ARGS[@]} -gt 0 ] || mapfile -t SCRIPT_ARGS < <(
    printf '%s\n' "${CELLS[@]}"
    sed -n 's/^test_\([a-zA-Z0-9_]*\)().*/\1/p' "$0"
)

# One world for all: a cell takes some milliseconds, a world half a second.
# shellcheck disable=SC2218 # lib.sh has it too
world_reset
trap 'echo "not ok build_world"; sed "s/^/    /" "$WORLD/.build"; echo 1..1' EXIT
set -e
build_world >"$WORLD/.build" 2>&1
# A subshell has no coprocess, but the descriptors that were open in front of it.
exec {KEPT_IN}>&"$DRIVER_IN" {KEPT_OUT}<&"$DRIVER_OUT"
DRIVER_IN=$KEPT_IN DRIVER_OUT=$KEPT_OUT
set +e
trap - EXIT
world_reset() { :; }
run_tests
