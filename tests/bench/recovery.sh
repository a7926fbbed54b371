#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent is killed with SIGKILL and started again, ROUNDS times (5), with one app and with APPS of them (100), each with
# both zones running: how long it takes from its start to its first answer to a command, by when it has looked at all
# that runs, and from the kill to the next good answer to a client outside, beside the same of nginx and HAProxy as
# proxies, killed and started in the same way and in turn. A client asks all the time meanwhile; what fails of it makes
# the exit status 1. Then what each of them costs with so many apps: memory, and CPU while nobody asks for anything.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/../world/lib.sh"
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
set -e

APPS=${APPS:-100} ROUNDS=${ROUNDS:-5}
SECTION='Killed with SIGKILL and started again'
COST='What many apps cost'
IDLE=5 # seconds
declare -A AT=([bluegreen]=http://203.0.113.10:9000 [haproxy]=http://10.88.1.2:8001 [nginx]=http://10.88.1.2:8004)

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

# ports N: as many as there are apps.
ports() {
    seq 9000 $((9000 + $1 - 1))
}

# nginx_conf N, haproxy_conf N: N ports, each with two servers of its own, and one that answers by itself.
nginx_conf() {
    local port
    nginx_head
    printf 'server { listen 8004; location / { return 200 "x\\n"; } }\n'
    for port in $(ports "$1"); do
        printf 'upstream app%s { server 10.88.1.2:8004; server 10.88.1.2:8004 backup; }\n' "$port"
        printf 'server { listen %s; location / { proxy_pass http://app%s; } }\n' "$port" "$port"
    done
    echo '}'
}

haproxy_conf() {
    local port
    haproxy_head "$WORLD/haproxy.sock"
    printf 'frontend f\n  mode http\n  bind :8001\n  http-request return status 200\n'
    for port in $(ports "$1"); do
        printf 'listen app%s\n  mode http\n  option httpchk\n  bind :%s\n  default-server check inter 1s\n' "$port" \
            $((port + 1000))
        printf '  server blue 10.88.1.2:8001\n  server green 10.88.1.2:8001 backup\n'
    done
}

# proxy_start NAME N: by no pipe, whose pid would be lost with it.
proxy_start() {
    "${1}_in" proxy "$1" < <("${1}_conf" "$2")
    PROXY[$1]=$!
}

served_again() {
    until on_client curl -sf -m 1 -o /dev/null "$1"; do :; done
}

# pids_of NAME: the processes that are there once, however many zones there are.
pids_of() {
    if [ "$1" = bluegreen ]; then
        echo "$AGENT"
        pgrep -P "$AGENT" 'bluegreen-(api|probe)'
    else
        tree_of "${PROXY[$1]}"
    fi
}

# note_cpu ROUND NAME APPS: what it has used by now.
note_cpu() {
    local pids
    mapfile -t pids < <(pids_of "$2")
    note "$1" "$2-$3" cpu "$(awk "BEGIN { print $(cpu_of "${pids[@]}") / 1e6 }")"
}

# measure_proxy ROUND NAME APPS
measure_proxy() {
    local round=$1 name=$2 apps=$3 pids begun
    mapfile -t pids < <(tree_of "${PROXY[$name]}")
    kill -KILL "${pids[@]}"
    wait "${PROXY[$name]}" 2>/dev/null || :
    begun=$(now)
    proxy_start "$name" "$apps"
    served_again "${AT[$name]}"
    note "$round" "$name-$apps" served "$(since "$begun")"
    note_cpu "$round" "$name" "$apps"
}

# measure_agent ROUND APPS
measure_agent() {
    local round=$1 who=bluegreen-$2 begun
    agent_kill9
    begun=$(now)
    served_again "${AT[bluegreen]}"
    note "$round" "$who" served "$(since "$begun")"
    begun=$(now)
    "$BUILD/bluegreend" --config "$WORLD/etc" --state "$WORLD/state" --run "$WORLD/run" >>"$WORLD/agent.log" 2>&1 </dev/null &
    AGENT=$!
    until bg status app0 >/dev/null 2>&1; do :; done
    note "$round" "$who" answers "$(since "$begun")"
    note_cpu "$round" bluegreen "$2"
}

# note_asking APPS: what it takes them to tell everything of all apps.
note_asking() {
    local i name before pids
    for name in bluegreen haproxy; do
        mapfile -t pids < <(pids_of "$name")
        before=$(cpu_of "${pids[@]}")
        for i in 1 2 3 4 5; do
            case $name in
            bluegreen) bg status ;;
            haproxy) socat - "UNIX-CONNECT:$WORLD/haproxy.sock" <<<'show stat' ;;
            esac >"$WORLD/told"
        done
        note 0 "$name-$1" asked "$(awk "BEGIN { print ($(cpu_of "${pids[@]}") - $before) / 1e6 / $i }")"
    done
}

# measure_cost APPS: of all of them in the same seconds.
measure_cost() {
    local apps=$1 name pids shims
    local -A before=()
    for name in bluegreen nginx haproxy; do
        mapfile -t pids < <(pids_of "$name")
        note 0 "$name-$apps" memory "$(pss_of "${pids[@]}")"
        before[$name]=$(cpu_of "${pids[@]}")
    done
    sleep "$IDLE"
    for name in bluegreen nginx haproxy; do
        mapfile -t pids < <(pids_of "$name")
        note 0 "$name-$apps" idle "$(awk "BEGIN { print ($(cpu_of "${pids[@]}") - ${before[$name]}) / 1e6 / $IDLE }")"
    done
    note_asking "$apps"
    mapfile -t shims < <(pgrep -x bluegreen-zone)
    note 0 "shims-$apps" memory "$(pss_of "${shims[@]}")"
}

title() {
    case $1 in
    bluegreen) echo "bluegreen, $2" ;;
    shims) echo "bluegreen, the shims of $2" ;;
    *) echo "$1, $2" ;;
    esac
}

# one APPS TEXT
one() {
    local name who what
    for name in bluegreen nginx haproxy shims; do
        who=$name-$1
        what=$(title "$name" "$2")
        row "$who" "$(median "$who" answers | short)" "$(median "$who" served | short)" "$(median "$who" cpu | short)" \
            "$(median "$who" memory | short)" "$(median "$who" idle | short)" \
            "$(median "$who" asked | short)"
        figure "$SECTION" 'ms to its first answer to a command' "$what" "$(median "$who" answers)"
        figure "$SECTION" 'ms to the next answer to a client' "$what" "$(median "$who" served)"
        figure "$SECTION" 'ms of CPU for it' "$what" "$(median "$who" cpu)"
        figure "$COST" 'PSS, KiB' "$what" "$(median "$who" memory)"
        figure "$COST" 'ms of CPU a second, when idle' "$what" "$(median "$who" idle)"
        figure "$COST" 'ms of CPU to tell of all apps' "$what" "$(median "$who" asked)"
    done
}

# all_of APPS: everything with so many apps.
all_of() {
    local apps=$1 round name
    load_start all --new 1 --keepalive 1 --url "${AT[bluegreen]}"
    for ((round = 0; round < ROUNDS; round++)); do
        measure_agent "$round" "$apps"
        for name in nginx haproxy; do
            measure_proxy "$round" "$name" "$apps"
        done
    done
    load_end all >"$WORLD/load.json" || { cat "$WORLD/load.json" >&2; exit 1; }
    note 0 load requests "$(jq .requests "$WORLD/load.json")"
    sleep 1 # what was busy with the above rests
    measure_cost "$apps"
}

echo "killed and started again, medians of $ROUNDS in turn, ms; memory, KiB; CPU when idle, ms a second; CPU when asked, ms"
has curl nginx haproxy socat || exit 0
declare -A PROXY=()
world_net
networks
agent_start
apps_ready 0 1 1s
for name in nginx haproxy; do
    proxy_start "$name" 1
    wait_for 5 on_client curl -sf -m 1 -o /dev/null "${AT[$name]}"
done
all_of 1
apps_ready 1 "$APPS" 1s
all_of "$APPS"
row '' 'answers' 'serves' 'its CPU' 'PSS' 'idle' 'asked'
one 1 'one app'
one "$APPS" "$APPS apps"
echo "  no request failed of $(awk '$2 == "load" { sum += $4 } END { print sum }' "$NOTES") of clients meanwhile"
