#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the way to an app costs: the same nginx (a body of 100 bytes) over
#
#   direct      one veth, nothing between: what no one can beat
#   routed      two veths and a host that forwards without a rule: what any way through a host costs
#   bluegreen   a published port, the rule set, a zone with its sandbox
#   haproxy and nginx as proxies, of TCP and of HTTP (these keep connections to the server, so a new connection
#               of a client is none of the server)
#
# in turn, ROUNDS times (5) one second each, with wrk (16 connections, or 1) and iperf3. CPU per request, load generator
# and server included, is of the keep-alive runs: `cpu` is what /proc/stat says of the whole machine, so it means little
# where something else runs; `own` is what the cgroup of the private world was charged, without what ksoftirqd does for
# it. Ratios are the median of those within a round.
#
# Seen on 6.18, 2 CPUs with nothing else to do, four rounds, to direct:
#
#               keep-alive  new  p50   p99   bulk  CPU per request of this world
#   routed      0.95        0.87 1.17  1.53  0.91  1.13
#   bluegreen   0.88        0.83 1.26  0.92  0.76  1.23
#   HAProxy     0.50 0.47   0.58 0.77  ...   0.40  2.01 2.35     TCP, HTTP
#   nginx       0.56 0.42   0.59 0.86  ...   0.39  1.90 2.50     stream, HTTP
#
# so keep-alive is 1.55 of the best proxy's and bulk 1.92. With other work requests a second are those of whoever gets
# the CPUs (0.89, 0.75 and 0.72 of direct at loads 4, 5 and 8), while CPU per request hardly moves: 1.25, the best proxy
# 1.6 times ours. Half of what we cost is the second veth, which only a client on the same machine meets.
#
# What of it is ours, by leaving out one thing after the other (CPU of this world per request, ten rounds; +- 3 %):
#
#   direct 20.2 us, routed 23.0, a zone's link without any rule 22.5, with connection tracking 24.5, and with translation
#   24.3, all rules 25.0, these without both filter chains 24.8
#
# Tried for less, in pairs with our path, requests a second (+- 10 %) and CPU per request: no reverse path filter on
# the zone's link 0.91 and 1.04; no early demultiplexing 0.98 and 1.00; no checksum test in connection tracking 0.95
# and 0.99; receive packet steering on the host's links 0.79 and 1.19; receive offload (GRO) on the zone's link 1.03
# and 1.08, on all links 0.91; threaded NAPI 1.00 and 1.08; a queue of 10 000 packets, no difference; no filter of
# system calls 0.99; a server in the zone's network without the sandbox 1.02. Nothing of it is worth having. Software
# flow tables: not in this kernel (CONFIG_NF_FLOW_TABLE).
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/../world/lib.sh"
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
set -e

STREAM=no
PLACE=/mnt # /run, where the world has its directory, is another one in a zone
PATHS=(direct routed bluegreen)
METRICS=(keepalive new p50 p99 bulk cpu own)
declare -A TITLES=([keepalive]='requests a second, kept connections' [new]='requests a second, new connections'
    [p50]='us, p50' [p99]='us, p99' [bulk]='Gbit/s' [own]='us of CPU a request')

declare -A AT=([direct]=10.88.0.2:8080 [routed]=10.88.2.2:8080 [bluegreen]=203.0.113.10:80
    [haproxy-tcp]=10.88.1.2:8001 [haproxy-http]=10.88.1.2:8002
    [nginx-stream]=10.88.1.2:8003 [nginx-http]=10.88.1.2:8004)
# A proxy of HTTP has no way for iperf3.
declare -A BULK=([direct]=10.88.0.2:5201 [routed]=10.88.2.2:5201 [bluegreen]=203.0.113.10:5201
    [haproxy-tcp]=10.88.1.2:5001 [nginx-stream]=10.88.1.2:5003)

# The proxies have a host of their own: they do not pay for our rule set.
networks() {
    local name
    for name in proxy server; do
        ip netns add "$name"
        ip -n "$name" link set lo up
    done
    cable client direct 10.88.0.1 server 10.88.0.2
    cable client left 10.88.1.1 proxy 10.88.1.2
    cable proxy right 10.88.2.1 server 10.88.2.2
    ip -n client route add 10.88.2.0/24 via 10.88.1.2
    ip -n server route add 10.88.1.0/24 via 10.88.2.1
    ip netns exec proxy sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
        echo 1 >/proc/sys/net/ipv4/tcp_tw_reuse
        echo "10000 65535" >/proc/sys/net/ipv4/ip_local_port_range'
}

server_conf() {
    nginx_head
    printf 'server {\nlisten 8080 backlog=1024;\ndefault_type text/plain;\nreturn 200 "%099d\\n";\n}\n}\n' 0
}

nginx_conf() {
    local module
    module=$(nginx_stream_module)
    [ "$STREAM" = no ] || [ -z "$module" ] || echo "load_module $module;"
    nginx_head
    printf 'upstream server { server 10.88.2.2:8080; keepalive 64; keepalive_requests 1000000000; }\n'
    printf 'server { listen 8004 backlog=1024; location / { proxy_pass http://server; proxy_http_version 1.1;
            proxy_set_header Connection ""; } }\n}\n'
    [ "$STREAM" = no ] || printf 'stream {\nserver { listen 8003 backlog=1024; proxy_pass 10.88.2.2:8080; }\n'
    [ "$STREAM" = no ] || printf 'server { listen 5003; proxy_pass 10.88.2.2:5201; }\n}\n'
}

haproxy_conf() {
    haproxy_head "$WORLD/haproxy.sock"
    printf 'listen tcp\n  mode tcp\n  bind :8001\n  server s 10.88.2.2:8080\n'
    printf 'listen bulk\n  mode tcp\n  bind :5001\n  server s 10.88.2.2:5201\n'
    printf 'listen http\n  mode http\n  bind :8002\n  http-reuse always\n  server s 10.88.2.2:8080\n'
}

app() {
    mount -t tmpfs -o mode=755 none "$PLACE"
    mkdir -p "$PLACE/srv/bench/v1"
    { echo "pid /tmp/nginx.pid;"; server_conf; } >"$PLACE/srv/bench/v1/nginx.conf"
    app_conf bench <<END
[app]
name = bench
user = web
run = $(command -v nginx) -e stderr -c $PLACE/srv/bench/%r/nginx.conf -g "daemon off\\x3b"
stop_signal = SIGQUIT
[ports]
http = 80 -> 8080/tcp
bulk = 5201 -> 5201/tcp
[health]
http = :8080/
interval = 1m
passes = 1
END
    agent_start
    bg deploy bench v1 >/dev/null
}

servers() {
    server_conf | nginx_in server server
    background ip netns exec server iperf3 -s >/dev/null
    background ip netns exec bg-bench-blue iperf3 -s >/dev/null
    if has haproxy; then
        haproxy_conf | haproxy_in proxy haproxy
        PATHS+=(haproxy-tcp haproxy-http)
    fi
    if has_nginx_stream; then
        STREAM=yes
        PATHS+=(nginx-stream)
    fi
    nginx_conf | nginx_in proxy nginx
    PATHS+=(nginx-http)
}

answers_on() {
    [ "$(on_client curl -s -m 2 "http://$1/" | wc -c)" = 100 ]
}

# Ticks of all CPUs in which something ran: all but idle, iowait and what the hypervisor took.
busy() {
    awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 }' /proc/stat
}

# Microseconds of CPU that this world was charged.
own() {
    awk '/^usage_usec/ { print $2 }' /sys/fs/cgroup/cpu.stat
}

# wrk's times, in microseconds, of its line for the percentile $1.
percentile() {
    awk -v line="$1%" '$1 == line { print $2 * ($2 ~ /us$/ ? 1 : $2 ~ /ms$/ ? 1000 : 1000000) }' "$WORLD/wrk"
}

run_wrk() {
    on_client wrk --latency -t 1 -d 1s "${@:2}" "http://${AT[$1]}/" >"$WORLD/wrk"
    # Part of it is judged after all: figures of answers that did not come are none.
    if grep -E 'Socket errors|Non-2xx' "$WORLD/wrk"; then
        echo "  $1: these requests failed" >&2
        FAILED=1
    fi
}

per_second() {
    awk '/^Requests\/sec:/ { print $2 }' "$WORLD/wrk"
}

run_iperf3() {
    on_client iperf3 -J -t 1 -c "${1%:*}" -p "${1#*:}" >"$WORLD/iperf3" || { jq -r .error "$WORLD/iperf3" >&2; return; }
    jq '.end.sum_received.bits_per_second / 1e9' "$WORLD/iperf3"
}

measure() {
    local round=$1 path=$2 before after own_before own_after
    before=$(busy)
    own_before=$(own)
    run_wrk "$path" -c 16
    after=$(busy)
    own_after=$(own)
    note "$round" "$path" keepalive "$(per_second)"
    note "$round" "$path" cpu "$(awk -v ticks="$((after - before))" -v hertz="$(getconf CLK_TCK)" \
        '/ requests in / { print ticks / hertz * 1e6 / $1 }' "$WORLD/wrk")"
    note "$round" "$path" own "$(awk -v us="$((own_after - own_before))" \
        '/ requests in / { print us / $1 }' "$WORLD/wrk")"
    run_wrk "$path" -c 16 -H 'Connection: close'
    note "$round" "$path" new "$(per_second)"
    run_wrk "$path" -c 1
    note "$round" "$path" p50 "$(percentile 50)"
    note "$round" "$path" p99 "$(percentile 99)"
    [ -z "${BULK[$path]-}" ] || note "$round" "$path" bulk "$(run_iperf3 "${BULK[$path]}")"
}

subject_of() {
    case $1 in direct | routed) echo "floor: $1" ;; *) echo "$1" ;; esac
}

figures() {
    local path metric
    local -a cells
    row '' 'keep-alive/s' 'new conn./s' 'p50 us' 'p99 us' 'Gbit/s' 'cpu us' 'own us'
    for path in "${PATHS[@]}"; do
        cells=()
        for metric in "${METRICS[@]}"; do
            cells+=("$(median "$path" "$metric" | short)")
        done
        row "$path" "${cells[@]}"
        for metric in "${METRICS[@]}"; do
            [ -z "${TITLES[$metric]-}" ] ||
                figure 'The way to an app' "${TITLES[$metric]}" "$(subject_of "$path")" "$(median "$path" "$metric")"
        done
    done
    echo '  as ratios to direct'
    for path in "${PATHS[@]:1}"; do
        cells=()
        for metric in "${METRICS[@]}"; do
            cells+=("$(ratio "$path" direct "$metric" | short)")
        done
        row "$path" "${cells[@]}"
    done
}

# The proxy that is best in it, of those that were there.
best_proxy() {
    local path order=-rg
    case $1 in p50 | p99 | cpu | own) order=-g ;; esac
    for path in "${PATHS[@]:3}"; do
        echo "$(median "$path" "$1") $path"
    done | grep '^[0-9]' | sort "$order" | awk 'NR == 1 { print $2 }'
}

against_proxies() {
    local metric best
    local -a cells names
    [ "${#PATHS[@]}" -gt 3 ] || return 0
    echo '  bluegreen to the proxy that is best in it'
    for metric in "${METRICS[@]}"; do
        best=$(best_proxy "$metric")
        names+=("$best")
        cells+=("$(ratio bluegreen "$best" "$metric" | short)")
    done
    row bluegreen "${cells[@]}"
    row 'to' "${names[@]}"
}

FAILED=0
ROUNDS=${ROUNDS:-5}
echo "data path, nginx with a body of 100 bytes, medians of $ROUNDS rounds in turn"
has nginx wrk iperf3 curl jq || exit 0
world_net
networks
app
servers
for path in "${PATHS[@]}"; do
    wait_for 5 answers_on "${AT[$path]}"
done
for ((round = 0; round < ROUNDS; round++)); do
    for path in "${PATHS[@]}"; do
        measure "$round" "$path"
    done
done
figures
against_proxies
exit "$FAILED"
