# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For world tests of the traffic module without an agent: the driver of traffic_driver.c, and zones made by commands as
# ARCHITECTURE.md describes them. A test sources tests/world/lib.sh, then this.
#
#   ready [open-unowned]   a host with zones web/blue and web/green, the demo app in each, blue live
#   t COMMAND...           a command of the driver; ANSWER and SAID are what it said
#   t_refused REGEX COMMAND...

DRIVER=$BUILD/tests/drivers/traffic_driver
export URL4=http://203.0.113.10:80 URL6='http://[2001:db8:1::10]:80'

# --- the driver -----------------------------------------------------------------------------------------

driver_start() {
    coproc DRIVER_IO { exec "$DRIVER"; }
    # Bash forgets the coprocess's variables when it ends.
    DRIVER_IN=${DRIVER_IO[1]} DRIVER_OUT=${DRIVER_IO[0]} DRIVER_PID=$DRIVER_IO_PID
}

driver_kill9() {
    kill -9 "$DRIVER_PID"
    wait "$DRIVER_PID" 2>/dev/null || true
}

# Sends one command; ANSWER is what follows "ok", SAID the lines before it. Fails on "error".
t() {
    local line
    SAID=
    echo "$*" >&"$DRIVER_IN"
    while read -r -t 60 line <&"$DRIVER_OUT"; do
        case $line in
        ok*)
            ANSWER=${line#ok}
            ANSWER=${ANSWER# }
            return 0
            ;;
        error*)
            ANSWER=$line
            echo "$*: $line" >&2
            return 1
            ;;
        *) SAID=$SAID$line$'\n' ;;
        esac
    done
    echo "the driver did not answer to: $*" >&2
    return 2
}

# The command must be refused, with this in its words.
t_refused() {
    local pattern=$1
    shift
    if t "$@" 2>/dev/null; then
        fail "$*: was not refused, but answered: $ANSWER"
    fi
    expect_match "$pattern" "$ANSWER" "refusal of $*"
}

# --- zones ----------------------------------------------------------------------------------------------

# zone_net NAME NUMBER: network namespace NAME with the addresses of zone NUMBER
zone_net() {
    local name=$1 number=$2 base=$((4 * ($2 - 1)))
    local link=bg$number host4=10.201.0.$((base + 1)) zone4=10.201.0.$((base + 2)) host6 zone6
    printf -v host6 'fd00:b9::%x' $((base + 1))
    printf -v zone6 'fd00:b9::%x' $((base + 2))
    ip netns add "$name"
    ip link add "$link" type veth peer name eth0 netns "$name"
    ip link set "$link" group 4802 up
    ip -n "$name" link set lo up
    ip -n "$name" link set eth0 up
    ip addr add "$host4/32" dev "$link"
    ip addr add "$host6/128" dev "$link" nodad
    ip route add "$zone4/32" dev "$link"
    ip route add "$zone6/128" dev "$link"
    ip -n "$name" addr add "$zone4/32" dev eth0
    ip -n "$name" addr add "$zone6/128" dev eth0 nodad
    ip -n "$name" route add default via "$host4" dev eth0 onlink
    ip -n "$name" route add default via "$host6" dev eth0 onlink
    # Known neighbours: the first packet does not wait for IPv6's link-local address to become usable (2 s).
    local outer inner
    outer=$(cat "/sys/class/net/$link/address")
    inner=$(ip -n "$name" -o link show eth0 | grep -o 'ether [0-9a-f:]*' | cut -d' ' -f2)
    ip neigh replace "$zone4" lladdr "$inner" nud permanent dev "$link"
    ip neigh replace "$zone6" lladdr "$inner" nud permanent dev "$link"
    ip -n "$name" neigh replace "$host4" lladdr "$outer" nud permanent dev eth0
    ip -n "$name" neigh replace "$host6" lladdr "$outer" nud permanent dev eth0
    echo 1 >"/proc/sys/net/ipv4/conf/$link/route_localnet"
}

# zone_app NAME RELEASE: the demo app in it, TCP and UDP 8080, IPv4 and IPv6
zone_app() {
    background env BLUEGREEN_RELEASE="$2" BLUEGREEN_ZONE="$2" ip netns exec "$1" "$BUILD/demo/web" --port 8080 --udp 8080
    wait_for 5 ip netns exec "$1" curl -sf -o /dev/null http://127.0.0.1:8080/healthz
}

# A host with two zones of the app web, each with its app.
two_zones() {
    world_net
    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
    ip route add default via 203.0.113.2
    zone_net bg-web-blue 1
    zone_net bg-web-green 2
    zone_app bg-web-blue blue
    zone_app bg-web-green green
}

describe_zones() {
    t zone web blue 1 10.201.0.2 fd00:b9::2
    t zone web green 2 10.201.0.6 fd00:b9::6
    local colour
    for colour in blue green; do
        t port web "$colour" '80 -> 8080/tcp'
        t port web "$colour" '80 -> 8080/udp'
        t port web "$colour" '[2001:db8:1::10]:81 -> 8080/tcp'
        t port web "$colour" '198.51.100.7:82 -> 8080/tcp'
        t port web "$colour" '53 -> 8080/udp keep'
    done
}

# Zones, tables, and blue live.
ready() {
    two_zones
    driver_start
    t "${1:-open}"
    describe_zones
    t live web blue
    t apply
}

release_at() { # URL [CURL ARGUMENT...]
    local url=$1
    shift
    curl -sf -m 2 "$@" "$url/healthz"
}

# udp_release ADDRESS:PORT [ARG...]: who answers, from the client host
udp_release() {
    local to=$1
    shift
    on_client "$TOOLS/udpload" --json --fresh 1 --duration 0.3 --rate 50 --to "$to" "$@" | jq -r '.releases | keys | join(" ")'
}

# The held connection has had its second answer, by the same release.
answered_twice() {
    [ "$(grep -c "answer 200 $1" "$WORLD/held")" = 2 ]
}

refused_at() { # CURL...: no answer at all
    if "$@" >/dev/null 2>&1; then
        fail "$* got an answer"
    fi
}
