#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A switch as whoever types it meets it, beside the ways that proxies have for it, in turn, ROUNDS times (20):
#
#   bluegreen       `bluegreen switch` to the standby, which must be healthy; journalled before and after
#   nginx           another upstream in a file, and `nginx -s reload`; a configuration of one server, the least there is
#   haproxy-server  `set server ... addr` on its runtime socket, by socat; no health, and nothing is written down
#   haproxy-map     `set map`, likewise
#
# All are whole processes. A client outside asks over new connections, one after the other, and checks each answer.
# Told are the time from the start of the command to the first answer of the new release; to its having done it:
# bluegreen's until it has said so, as it stays for the drain, which is no part of a switch; nginx's has sent a signal
# then, and its workers follow later; to its end; what one request takes; and for how long the old release was still
# heard after the new one.
#
# Seen on 6.18, 2 CPUs with nothing else to do, 12 rounds: first new answer after 2.7 ms, nginx 14.8 (and both releases
# were heard for 92 ms), HAProxy's runtime commands 5.3 and 3.9; to start a process that does nothing takes 1.5. With
# much other work (load 8 and 25) 10 ms and 46; nginx 2.5 times as long, HAProxy's commands 0.7 to 1.1 times. Of
# bluegreen's the transaction is 42 us and the agent's part 2 ms; the rest is starting the process. It says that it has
# done it somewhat later, when connection tracking has let go of what would stay behind.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/../world/lib.sh"
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
set -e

WAYS=(bluegreen)
declare -A AT=([bluegreen]=203.0.113.10:80 [nginx]=10.88.1.2:8004 [haproxy-server]=10.88.1.2:8001
    [haproxy-map]=10.88.1.2:8002)
declare -A PORT=([v1]=7001 [v2]=7002) # of the releases behind the proxies
declare -A TURN=()

networks() {
    ip netns add proxy
    ip -n proxy link set lo up
    cable client left 10.88.1.1 proxy 10.88.1.2
}

app() {
    web_conf web 80
    release_install web v1
    release_install web v2
    agent_start
    bg deploy web v1 >/dev/null
    bg deploy web v2 >/dev/null
}

nginx_upstream() {
    echo "upstream server { server 127.0.0.1:${PORT[$1]}; }" >"$WORLD/upstream.conf"
}

nginx_conf() {
    nginx_head
    printf 'include %s/upstream.conf;\nserver { listen 8004; location / { proxy_pass http://server; } }\n}\n' "$WORLD"
}

haproxy_conf() {
    local name
    haproxy_head "$WORLD/haproxy.sock"
    printf 'listen server\n  mode http\n  bind :8001\n  server s 127.0.0.1:%s\n' "${PORT[v2]}"
    printf 'frontend map\n  mode http\n  bind :8002\n  use_backend %%[str(live),map(%s/map)]\n' "$WORLD"
    for name in v1 v2; do
        printf 'backend %s\n  mode http\n  server s 127.0.0.1:%s\n' "$name" "${PORT[$name]}"
    done
    echo live v2 >"$WORLD/map"
}

proxies() {
    local name
    for name in v1 v2; do
        BLUEGREEN_RELEASE=$name background ip netns exec proxy "$BUILD/demo/web" --port "${PORT[$name]}" >/dev/null 2>&1
    done
    if has nginx; then
        nginx_upstream v2
        nginx_conf | nginx_in proxy nginx
        WAYS+=(nginx)
    fi
    if has haproxy socat; then
        haproxy_conf | haproxy_in proxy haproxy
        WAYS+=(haproxy-server haproxy-map)
    fi
}

runtime() {
    socat - "UNIX-CONNECT:$WORLD/haproxy.sock" <<<"$1"
}

# Passes on what the command says, and takes the time when it says that the release is live.
told() {
    local line
    while IFS= read -r line; do
        [[ $line != *'"step":"switch"'* ]] || echo "${EPOCHREALTIME/./}" >"$WORLD/live"
        printf '%s\n' "$line"
    done
}

# switch_by WAY RELEASE
switch_by() {
    case $1 in
    bluegreen) bg switch web --json | told ;;
    nginx)
        nginx_upstream "$2"
        nginx -e stderr -c "$WORLD/nginx.conf" -s reload
        ;;
    haproxy-server) runtime "set server server/s addr 127.0.0.1 port ${PORT[$2]}" ;;
    haproxy-map) runtime "set map $WORLD/map live $2" ;;
    esac
}

# of_load FILTER: of the client's report; .old and .new are what it heard of these releases, .begun is when the command
# began, after the client, in ms
of_load() {
    jq --arg old "$old" --arg new "$new" --argjson begun "$begun" '.old = .releases[$old].new | .new = .releases[$new].new |
        .begun = $begun / 1e3 - .started_unix_ms | '"$1" "$WORLD/report"
}

measure() {
    local round=$1 way=$2 new=v1 old=v2 begun ended
    if [ "${TURN[$way]-v2}" = v1 ]; then new=v2 old=v1; fi
    TURN[$way]=$new
    load_start "$way" --new 1 --body 100 --url "http://${AT[$way]}"
    begun=${EPOCHREALTIME/./}
    switch_by "$way" "$new" >"$WORLD/said" 2>&1 || { cat "$WORLD/said"; FAILED=1; }
    ended=${EPOCHREALTIME/./}
    [ "$way" = bluegreen ] || echo "$ended" >"$WORLD/live"
    sleep 0.3 # whoever still hears the old release does so now
    load_end "$way" >"$WORLD/report" || { jq -c '{failed, failures, samples}' "$WORLD/report"; FAILED=1; }
    note "$round" "$way" transaction "$(jq -s 'last.transaction_us // empty' "$WORLD/said" 2>/dev/null)"
    note "$round" "$way" first "$(of_load '.new.first_s * 1e3 - .begun')"
    note "$round" "$way" request "$(of_load '.latency_us.p50 / 1e3')"
    note "$round" "$way" live "$(awk "BEGIN { print ($(cat "$WORLD/live") - $begun) / 1000 }")"
    note "$round" "$way" end "$(awk "BEGIN { print ($ended - $begun) / 1000 }")"
    note "$round" "$way" both "$(of_load '[0, .old.last_s - .new.first_s] | max * 1e3')"
}

floor() {
    local i begun
    for ((i = 0; i < ROUNDS; i++)); do
        begun=${EPOCHREALTIME/./}
        /bin/true
        echo "$((${EPOCHREALTIME/./} - begun)) 1000" | awk '{ print $1 / $2 }'
    done | middle
}

tenths() {
    awk 'NF { printf "%.1f", $1 }'
}

row() {
    printf '  %-15s %16s %12s %10s %12s %20s\n' "$@"
}

figures() {
    local way metric
    local -a cells
    row 'ms to' 'first new answer' 'having done' 'its end' 'one request' 'old and new heard'
    row 'floor: true' '' '' "$(floor | tenths)" '' ''
    for way in "${WAYS[@]}"; do
        cells=()
        for metric in first live end request both; do
            cells+=("$(median "$way" "$metric" | tenths)")
        done
        row "$way" "${cells[@]}"
        figure 'A switch as a command' 'ms to the first new answer' "$way" "$(median "$way" first)"
        figure 'A switch as a command' 'ms in which both are heard' "$way" "$(median "$way" both)"
    done
    figure 'A switch as a command' 'ms to the first new answer' 'floor: a process that does nothing' "$(floor)"
    printf '  the transaction of bluegreen: %.0f us\n' "$(median bluegreen transaction)"
    for way in "${WAYS[@]:1}"; do
        printf '  %s to bluegreen, first new answer: %.2f\n' "$way" "$(ratio "$way" bluegreen first)"
    done
}

FAILED=0
set -o pipefail
ROUNDS=${ROUNDS:-20}
echo "a switch as a command, medians of $ROUNDS in turn"
has curl jq || exit 0
world_net
networks
app
proxies
for way in "${WAYS[@]}"; do
    wait_for 5 eval "on_client curl -sf -m 2 -o /dev/null http://${AT[$way]}/healthz"
done
for ((round = 0; round < ROUNDS; round++)); do
    for way in "${WAYS[@]}"; do
        measure "$round" "$way"
    done
done
figures
exit "$FAILED"
