#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a fed port costs. The same nginx as app (it answers with a field of the request, so that the client can tell each
# answer from any other; bodies of requests are 100 bytes), 16 kept connections, in turn, ROUNDS times (5), SECONDS (1)
# each:
#
#   direct          one veth, nothing between
#   nginx           as proxy
#   nginx mirror    the same, and what it gets goes to a second app, too: in no order, and unnoticed if it does not
#   fed             a published port of mode http, lanes = 16 by a field of the request, to a standby
#   one lane        lanes = 1: no two requests are with live at once, which is what strict order takes
#   unfed           GET through the same port: passed on, not fed
#
# fed with `sync = 100ms`, where nobody waits for the disk, as with nginx, and with `sync = each`, where each request
# waits twice; the journal is in a directory of /var/tmp, or of TMPDIR: what matters is the disk below it. CPU is of the
# way, without client and apps: nginx's workers, or the role with its thread, until the standby has it all. Its journal
# and what it sends to the standby are in it, so is the mirror's part.
#
# Then what live's clients notice of the standby: at a rate of RATE (500) a second for STANDBY_SECONDS (6), where each
# request counts from when it was due, while the standby is well, slow (50 ms each), stopped (refuses), frozen (SIGSTOP to
# all of it); and well `again`, which is by how much two runs of the same differ.
#
# Seen on 6.18, 2 CPUs with nothing else to do, medians of five rounds (ext4); one run, and what another an hour later
# differed by a fifth in rates, less in ratios:
#
#               requests/s  p50 us  p99 us  CPU us a request
#   nginx       52 959      287     671     18
#   mirror      12 024      1215    4095    79     it makes a connection for each copy
#   fed-100ms   18 782      767     1919    49     1.61 of the mirror's (1.32)
#   one-100ms   13 515      1151    2175    61     1.15 (0.92)
#   fed-each    9 613       1407    3327    91
#   one-each    2 983       5631    8191    189    what two waits for the disk allow
#   unfed-get   38 507      399     895     21     0.64 of nginx's (0.84)
#
# p99 of live with another standby to that with one that is well, both runs: slow 1.11 and 1.07, stopped 1.00 and 0.94,
# frozen 0.96 and 0.95; well again 1.00 and 1.13. It is 0.45 to 0.67 ms. Memory of the role 2.5 MiB at first, 3.8 after
# 290 000 requests. With much other work only CPU per request is worth reading.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/../world/lib.sh"
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
set -e

PLACE=/mnt # /run, where the world has its directory, is another one in a zone
ROUNDS=${ROUNDS:-5}
SECONDS_EACH=${SECONDS_EACH:-1}
RATE=${RATE:-500}
STANDBY_SECONDS=${STANDBY_SECONDS:-6}
WAYS=(direct nginx mirror fed-100ms one-100ms fed-each one-each direct-get nginx-get unfed-get)
METRICS=(rate p50 p99 cpu)
declare -A TITLES=([rate]='requests a second' [p50]='us, p50' [p99]='us, p99' [cpu]='us of CPU a request, apps apart')
declare -A AT=([direct]=10.88.0.2:8080 [nginx]=10.88.1.2:8001 [mirror]=10.88.1.2:8002)
FAILED=0

networks() {
    local name
    for name in proxy live other; do
        ip netns add "$name"
        ip -n "$name" link set lo up
    done
    cable client direct 10.88.0.1 live 10.88.0.2
    cable client left 10.88.1.1 proxy 10.88.1.2
    cable proxy right 10.88.2.1 live 10.88.2.2
    cable proxy further 10.88.3.1 other 10.88.3.2
    # What nginx mirrors takes a new connection each time: it is not to look for a free port.
    ip netns exec proxy sh -c 'echo 1 >/proc/sys/net/ipv4/tcp_tw_reuse
        echo "10000 65535" >/proc/sys/net/ipv4/ip_local_port_range'
}

# server_conf ANSWER: what is there for any request.
server_conf() {
    nginx_head
    # shellcheck disable=SC2016 # nginx's variables
    printf 'limit_req_zone $server_port zone=slow:1m rate=20r/s;\nserver {\nlisten %s backlog=1024;\n' "${2:-8080}"
    # shellcheck disable=SC2016
    printf 'default_type text/plain;\nlocation / { %s }\nlocation @answer { %s }\n}\n}\n' "$1" "$ANSWER"
}
# shellcheck disable=SC2016
ANSWER='return 200 "$http_x_ask\n";'

proxy_conf() {
    nginx_head
    printf 'proxy_http_version 1.1;\nproxy_set_header Connection "";\nclient_body_buffer_size 64k;\n'
    printf 'upstream live { server 10.88.2.2:8080; keepalive 64; keepalive_requests 1000000000; }\n'
    printf 'upstream other { server 10.88.3.2:8080; keepalive 64; keepalive_requests 1000000000; }\n'
    printf 'server { listen 8001 backlog=1024; location / { proxy_pass http://live; } }\n'
    # shellcheck disable=SC2016
    printf 'server { listen 8002 backlog=1024; location / { mirror /mirror; proxy_pass http://live; }
            location = /mirror { internal; proxy_pass http://other$request_uri; } }\n}\n'
}

# feed_conf SYNC LANES [JOURNAL]
feed_conf() {
    app_conf web <<END
[app]
name = web
user = web
run = $(command -v nginx) -e stderr -c $PLACE/srv/web/%z.conf -g "daemon off\\x3b"
stop_signal = SIGQUIT
[ports]
http = 80 -> 8080/tcp
[health]
tcp = :8080
interval = 1m
passes = 1
[feed]
mode = http
sync = $1
lanes = $2
key = header X-Lane
journal_max = ${3:-256M}
body_max = 1M
END
}

# standby_conf ANSWER [PORT]
standby_conf() {
    { echo "pid /tmp/nginx.pid;"; server_conf "$@"; } >"$PLACE/srv/web/$STANDBY.conf"
}

app() {
    local zone release
    mount -t tmpfs -o mode=755 none "$PLACE"
    mkdir -p "$PLACE/srv/web" "$WORLD/state"
    DISK=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
    chmod 755 "$DISK"
    trap 'rm -rf "$DISK"' EXIT
    mount --bind "$DISK" "$WORLD/state"
    for zone in blue green; do
        STANDBY=$zone standby_conf "$ANSWER"
    done
    feed_conf 100ms 16
    agent_start
    for release in v1 v2; do
        mkdir -p "$WORLD/srv/web/$release" "$PLACE/srv/web/$release"
        bg deploy web "$release" >/dev/null
    done
    STANDBY=$(status_of 'if .live == "blue" then "green" else "blue" end')
    ROLE=$(pgrep -x bluegreen-feed)
}

servers() {
    server_conf "$ANSWER" | nginx_in live live
    server_conf "$ANSWER" | nginx_in other other
    proxy_conf | nginx_in proxy proxy
    wait_for 5 test -s "$WORLD/proxy.pid"
    PROXY=$(cat "$WORLD/proxy.pid")
}

# Nanoseconds that a process and its children had the CPU.
cpu_of_all() {
    # shellcheck disable=SC2046 # a list
    cpu_of "$1" $(pgrep -P "$1")
}

is_in_step() {
    status_of '.feed.behind == 0 and .feed.waiting == 0' >/dev/null
}

committed() {
    status_of .feed.committed
}

# ask WAY ARG...: asks, and complains of what failed.
ask() {
    on_client "$TOOLS/asker" "${@:2}" "${AT[$1]-203.0.113.10:80}" >"$WORLD/asked" || {
        echo "  $1: $(jq -r '"\(.failed) of \(.requests) requests failed: \(.why)"' "$WORLD/asked")" >&2
        FAILED=1
    }
}

asked() {
    jq "$1" "$WORLD/asked"
}

# What the client counts, the journal has.
same_count() {
    [ "$(committed)" = "$(($1 + $(asked .requests)))" ]
}

# measure ROUND WAY
measure() {
    local round=$1 way=$2 kind=() whose=$ROLE before had=0
    [[ $way != *-get ]] || kind=(--get)
    [[ $way == nginx* || $way == mirror ]] && whose=$PROXY
    case $way in
    fed-* | one-* | unfed-*)
        feed_conf "${way#*-}" "$([[ $way == one-* ]] && echo 1 || echo 16)"
        [[ $way != unfed-* ]] || feed_conf 100ms 16
        bg reload >/dev/null
        had=$(committed)
        ;;
    esac
    before=$(cpu_of_all "$whose")
    ask "${way%-get}" "${kind[@]}" --seconds "$SECONDS_EACH"
    if [[ $way == fed-* || $way == one-* ]]; then
        wait_for 60 is_in_step
        wait_for 5 same_count "$had"
    fi
    note "$round" "$way" rate "$(asked .per_second)"
    note "$round" "$way" p50 "$(asked .p50_us)"
    note "$round" "$way" p99 "$(asked .p99_us)"
    [[ $way == direct* ]] ||
        note "$round" "$way" cpu "$(awk -v ns="$(($(cpu_of_all "$whose") - before))" -v n="$(asked .requests)" \
            'BEGIN { print ns / n / 1000 }')"
}

# standby_is STATE: whatever it was before.
standby_is() {
    local pids
    mapfile -t pids < <(zone_pids)
    kill -CONT "${pids[@]}"
    case $1 in
    well | again) standby_conf "$ANSWER" ;;
    slow) standby_conf 'limit_req zone=slow burst=1000 ; try_files /none @answer;' ;;
    stopped) standby_conf "$ANSWER" 8081 ;;
    esac
    kill -HUP "${pids[0]}"
    sleep 0.3
    [ "$1" = frozen ] || return 0
    mapfile -t pids < <(zone_pids)
    kill -STOP "${pids[@]}"
}

# nginx in the standby, its master first.
zone_pids() {
    local pid
    for pid in $(ip netns pids "bg-web-$STANDBY"); do
        [ "$(cat "/proc/$pid/comm")" != nginx ] || echo "$pid"
    done | sort -n
}

# What live's clients see while the standby is in this state.
measure_standby() {
    local round=$1 state=$2
    standby_is "$state"
    ask standby --rate "$RATE" --seconds "$STANDBY_SECONDS"
    note "$round" "$state" p50 "$(asked .p50_us)"
    note "$round" "$state" p99 "$(asked .p99_us)"
    note "$round" "$state" behind "$(status_of .feed.behind)"
    standby_is well
    wait_for 60 is_in_step
}

role_kib() {
    awk '/^VmRSS/ { print $2 }' "/proc/$ROLE/status"
}

# note_role WHEN
note_role() {
    note 0 "$1" memory "$(role_kib)"
    note 0 "$1" journal "$(status_of '.feed.journal_bytes / 1048576')"
    note 0 "$1" requests "$(committed)"
}

journal_at() {
    [ "$(status_of ".feed.journal_bytes <= $1")" = true ]
}

# Nothing of what the standby lacks may be kept for ever, and live goes on.
beyond_the_bound() {
    local max=16
    feed_conf 100ms 16 ${max}M
    bg reload >/dev/null
    standby_is stopped
    note_role after
    for _ in 1 2 3 4 5; do
        ask standby --seconds "$SECONDS_EACH" --body 4096
    done
    wait_for 5 journal_at $((max << 20))
    note_role bound
    echo "  the feed then is $(status_of '"\(.feed.state): \(.feed.reason)"')"
}

role_figures() {
    local when
    local -A titles=([begin]='at first' [after]='after the above' [bound]='standby away, journal at its bound')
    row role 'memory KiB' 'journal MiB' requests
    for when in begin after bound; do
        row "$when" "$(median "$when" memory)" "$(median "$when" journal | short)" "$(median "$when" requests)"
        figure "The feed's role" 'KiB of memory' "bluegreen, ${titles[$when]}" "$(median "$when" memory)"
    done
}

figures() {
    local way metric
    local -a cells
    row '' 'requests/s' 'p50 us' 'p99 us' 'CPU us' 'to mirror' 'its CPU'
    for way in "${WAYS[@]}"; do
        cells=()
        for metric in "${METRICS[@]}"; do
            cells+=("$(median "$way" "$metric" | short)")
        done
        cells+=("$(ratio "$way" "$(peer_of "$way")" rate | short)" "$(ratio "$way" "$(peer_of "$way")" cpu | short)")
        row "$way" "${cells[@]}"
        for metric in "${METRICS[@]}"; do
            figure "$(section_of "$way")" "${TITLES[$metric]}" "$(subject_of "$way")" "$(median "$way" "$metric")"
        done
    done
}

section_of() {
    [[ $1 == *-get ]] && echo 'Reads through a fed port' || echo 'Writes to a fed port'
}

subject_of() {
    case $1 in
    direct*) echo 'floor: direct' ;;
    mirror) echo 'nginx with mirror' ;;
    nginx*) echo nginx ;;
    fed-*) echo "bluegreen, sync = ${1#*-}, 16 lanes" ;;
    one-*) echo "bluegreen, sync = ${1#*-}, one lane" ;;
    unfed-*) echo bluegreen ;;
    esac
}

# What does the same elsewhere.
peer_of() {
    [[ $1 == *-get ]] && echo nginx-get || echo mirror
}

standby_subject() {
    [ "$1" = again ] && echo 'bluegreen, well, once more' || echo "bluegreen, $1"
}

standby_figures() {
    local state
    row standby 'p50 us' 'p99 us' 'p50 to well' 'p99 to well' behind
    for state in "${STATES[@]}"; do
        row "$state" "$(median "$state" p50 | short)" "$(median "$state" p99 | short)" \
            "$(ratio "$state" well p50 | short)" "$(ratio "$state" well p99 | short)" \
            "$(median "$state" behind | short)"
        figure "What live's clients see of the standby" "us, p50, at $RATE a second" "$(standby_subject "$state")" \
            "$(median "$state" p50)"
        figure "What live's clients see of the standby" "us, p99, at $RATE a second" "$(standby_subject "$state")" \
            "$(median "$state" p99)"
    done
}

STATES=(well again slow stopped frozen)
AT[direct-get]=${AT[direct]} AT[nginx-get]=${AT[nginx]}
echo "feed, nginx that answers with a field of the request, medians of $ROUNDS rounds in turn"
has nginx curl jq || exit 0
world_net
networks
app
servers
sleep 0.5
note_role begin
for ((round = 0; round < ROUNDS; round++)); do
    for way in "${WAYS[@]}"; do
        measure "$round" "$way"
    done
done
figures
for ((round = 0; round < ROUNDS; round++)); do
    for state in "${STATES[@]}"; do
        measure_standby "$round" "$state"
    done
done
standby_figures
beyond_the_bound
role_figures
exit "$FAILED"
