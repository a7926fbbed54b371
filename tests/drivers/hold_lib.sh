# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For world tests of [switch] mode = hold (sourced behind tests/world/lib.sh): an app of which one may run at a time, and
# clients that notice when one is refused.

SHARED=$WORLD/shared

# The app is a single writer: with another one running it writes that down and gives up. Before it listens it takes
# $SHARED/delay seconds. With $SHARED/bad.RELEASE there it does not start. LINEs: more configuration.
ready_hold() {
    local release
    mkdir -p "$SHARED"
    chown web "$SHARED"
    echo 0.1 >"$SHARED/delay"
    world_net
    for release in v1 v2 v3; do
        release_install web "$release"
        mv "$WORLD/srv/web/$release/bin/web" "$WORLD/srv/web/$release/bin/web.real"
        cat >"$WORLD/srv/web/$release/bin/web" <<EOF
#!/bin/bash
exec 9>>$SHARED/lock
flock -n 9 || { echo "\$BLUEGREEN_RELEASE" >>$SHARED/violated; exit 9; }
echo "\$BLUEGREEN_RELEASE" >>$SHARED/started
sleep "\$(cat $SHARED/delay)"
[ ! -e $SHARED/bad.\$BLUEGREEN_RELEASE ] || exit 7
exec "\$0.real" --udp 8053 "\$@"
EOF
        chmod 755 "$WORLD/srv/web/$release"/bin/*
    done
    conf_hold "$@"
    agent_start
    bg deploy web v1 >/dev/null
}

conf_hold() {
    web_conf web 80 'start_timeout = 8s' '[files]' "write = $SHARED" '[drain]' 'timeout = 2s' \
        '[restart]' 'delay = 100ms' 'max_delay = 100ms' 'limit = 2' 'window = 5s' '[switch]' 'mode = hold' "$@"
    sed -i 's|^http = 80.*|&\ndns = 53 -> 8053/udp|; s|^user = web|&\nstop_timeout = 5s|' "$WORLD/etc/apps/web.conf"
}

# Sixteen clients, outside and on the host, both families, new connections and kept ones, and UDP.
clients_start() {
    CLIENTS="out here ${1:-udp}"
    load_start out --url "$URL4" --url "$URL6" --new 6 --keepalive 2 --rate 400
    local_start here --url http://127.0.0.1:80 --url "$URL6" --new 6 --keepalive 2 --rate 400
    [ "${1:-udp}" != udp ] || udp_start
}

local_start() {
    local name=$1
    shift
    rm -f "$WORLD/load.$name" "$WORLD/load.$name.status"
    {
        status=0
        "$TOOLS/load" --json --duration 600 "$@" >"$WORLD/load.$name" &
        echo $! >"$WORLD/load.$name.pid"
        wait $! || status=$?
        echo "$status" >"$WORLD/load.$name.status"
    } </dev/null &
    sleep 0.2
}

# A datagram whose answer is on its way at the moment of a hold is lost, as at any switch: one for each of the four flows
# and each of six bounces. Of those that wait none is.
udp_start() {
    rm -f "$WORLD/load.udp" "$WORLD/load.udp.status"
    {
        status=0
        ip netns exec client "$TOOLS/udpload" --json --duration 600 --to 203.0.113.10:53 --steady 2 --fresh 2 --rate 50 \
            --timeout 9000 --max-lost 24 >"$WORLD/load.udp" &
        echo $! >"$WORLD/load.udp.pid"
        wait $! || status=$?
        echo "$status" >"$WORLD/load.udp.status"
    } </dev/null &
    sleep 0.2
}

clients_end() {
    local name failed=0
    for name in ${CLIENTS/tcp/}; do
        load_end "$name" >"$WORLD/report.$name" || failed=1
        echo "$name: $(cat "$WORLD/report.$name")"
    done
    [ "$failed" = 0 ] || fail "a client was failed"
}

never_two() {
    [ ! -e "$SHARED/violated" ] || fail "two ran at once: $(tr '\n' ' ' <"$SHARED/violated")"
}

plugged() {
    ip neigh show dev "bg$1" | grep -q "10.201.0.$((4 * ($1 - 1) + 2)) .*PERMANENT" && return 1
    return 0
}
