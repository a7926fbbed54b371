#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent is killed with SIGKILL and started again, ROUNDS times (5), with one app and with APPS of them (50), each with
# both zones running: how long it takes from its start to its first answer to a command, and from the kill to the next
# good answer to a client outside, beside the same of nginx and HAProxy as proxies, killed and started in the same way
# and in turn. A client asks all the time meanwhile; what fails of it makes the exit status 1.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/../world/lib.sh"
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
set -e

APPS=${APPS:-50} ROUNDS=${ROUNDS:-5}
SECTION='Killed with SIGKILL and started again'
declare -A AT=([bluegreen]=$URL4 [haproxy]=http://10.88.1.2:8001 [nginx]=http://10.88.1.2:8004)

now() {
    echo "${EPOCHREALTIME/./}"
}

# The ms since $1, a time of now.
since() {
    awk "BEGIN { print ($(now) - $1) / 1000 }"
}

networks() {
    ip netns add proxy
    ip -n proxy link set lo up
    cable client left 10.88.1.1 proxy 10.88.1.2
}

nginx_start() {
    { nginx_head; printf 'server { listen 8004; location / { return 200 "x\\n"; } }\n}\n'; } | nginx_in proxy nginx
}

haproxy_start() {
    { haproxy_head "$WORLD/haproxy.sock"; printf 'frontend f\n  mode http\n  bind :8001\n  http-request return status 200\n'; } |
        haproxy_in proxy haproxy
}

# All of a proxy's processes: the one that the world has started, and its children.
proxy_kill9() {
    local pid=$1 child
    for child in $(pgrep -P "$pid"); do
        proxy_kill9 "$child"
    done
    kill -KILL "$pid" 2>/dev/null || :
}

served_again() {
    until on_client curl -sf -m 1 -o /dev/null "$1"; do :; done
}

measure_proxy() {
    local round=$1 name=$2 begun
    proxy_kill9 "${PROXY[$name]}"
    begun=$(now)
    "${name}_start"
    PROXY[$name]=$!
    served_again "${AT[$name]}"
    note "$round" "$name" served "$(since "$begun")"
}

measure_agent() {
    local round=$1 who=$2 begun
    agent_kill9
    begun=$(now)
    served_again "$URL4"
    note "$round" "$who" served "$(since "$begun")"
    begun=$(now)
    "$BUILD/bluegreend" --config "$WORLD/etc" --state "$WORLD/state" --run "$WORLD/run" >>"$WORLD/agent.log" 2>&1 </dev/null &
    AGENT=$!
    until bg status >/dev/null 2>&1; do :; done
    note "$round" "$who" answers "$(since "$begun")"
}

add_apps() {
    local i
    for ((i = $1; i < $2; i++)); do
        web_conf "app$i" "$((9000 + i))"
        release_install "app$i" v1
        release_install "app$i" v2
    done
    bg reload >/dev/null
    for ((i = $1; i < $2; i++)); do
        bg deploy "app$i" v1 >/dev/null
        bg deploy "app$i" v2 >/dev/null
    done
}

one() {
    printf '  %-24s %22s %26s\n' "$1" "$(median "$1" answers)" "$(median "$1" served)"
    figure "$SECTION" 'ms to its first answer to a command' "${2-$1}" "$(median "$1" answers)"
    figure "$SECTION" 'ms to the next answer to a client' "${2-$1}" "$(median "$1" served)"
}

echo "killed and started again, medians of $ROUNDS in turn, ms"
has curl nginx haproxy || exit 0
declare -A PROXY=()
world_net
networks
web_conf web 80
release_install web v1
agent_start
bg deploy web v1 >/dev/null
for name in nginx haproxy; do
    "${name}_start"
    PROXY[$name]=$!
    wait_for 5 on_client curl -sf -m 1 -o /dev/null "${AT[$name]}"
done
load_start all --new 1 --keepalive 1 --url "$URL4"
for ((round = 0; round < ROUNDS; round++)); do
    measure_agent "$round" bluegreen
    measure_proxy "$round" nginx
    measure_proxy "$round" haproxy
done
add_apps 0 "$((APPS - 1))"
for ((round = 0; round < ROUNDS; round++)); do
    measure_agent "$round" "bluegreen-$APPS"
done
load_end all >"$WORLD/load.json" || { cat "$WORLD/load.json" >&2; exit 1; }
printf '  %-24s %22s %26s\n' '' 'answers commands' 'serves clients'
one bluegreen 'bluegreen, one app'
one "bluegreen-$APPS" "bluegreen, $APPS apps"
one nginx
one haproxy
printf '  a client meanwhile: %s requests, %s failed\n' "$(jq .requests "$WORLD/load.json")" "$(jq .failed "$WORLD/load.json")"
