#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The whole agent, measured as its users meet it: memory with ten apps, wake-ups when idle, a switch as a whole command, and
# 200 switches under full load. Run by `make bench` inside a private world. Prints figures; judges none, except that the
# requests that failed are counted and any makes the exit status 1.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/../world/lib.sh"
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
set -e

APPS=10 SWITCHES=${SWITCHES:-200}
MEMORY='Memory with ten apps, two zones each'
URL4=http://203.0.113.10:80
URL6='http://[2001:db8:1::10]:80'

rss() {
    awk '/^VmRSS/ { print $2 }' "/proc/$1/status"
}

switches_of() {
    awk '/ctxt_switches/ { sum += $2 } END { print sum }' "/proc/$1/status"
}

# Prints min / median / max of the numbers on stdin.
spread() {
    sort -n | awk '{ v[NR] = $1 } END { printf "min %s  median %s  max %s", v[1], v[int((NR + 1) / 2)], v[NR] }'
}

# Probes a minute apart: nothing is due while the idle agent is looked at.
ten_apps() {
    agent_start
    apps_ready 0 "$APPS" 60s
    bg status >/dev/null
}

measure_memory() {
    local monitor api probe name
    monitor=$(agent_pid)
    api=$(api_pid)
    probe=$(pgrep -P "$monitor" bluegreen-probe)
    printf 'memory, %d apps with two running zones each\n' "$APPS"
    printf '  monitor       RSS %5d kB  PSS %5d kB\n' "$(rss "$monitor")" "$(pss_of "$monitor")"
    printf '  api role      RSS %5d kB  PSS %5d kB\n' "$(rss "$api")" "$(pss_of "$api")"
    printf '  together      RSS %5d kB  (goal: at most 8192)\n' "$(($(rss "$monitor") + $(rss "$api")))"
    printf '  probe role    RSS %5d kB  PSS %5d kB\n' "$(rss "$probe")" "$(pss_of "$probe")"
    for name in monitor api probe; do
        figure "$MEMORY" 'RSS, KiB' "bluegreen: $name" "$(rss "${!name}")"
        figure "$MEMORY" 'PSS, KiB' "bluegreen: $name" "$(pss_of "${!name}")"
    done
    figure "$MEMORY" 'RSS, KiB' 'bluegreen: a shim' "$(pgrep bluegreen-zone | while read -r pid; do rss "$pid"; done | middle)"
    printf '  a shim        RSS %s kB of %d shims  (goal: at most 1024)\n' \
        "$(for pid in $(pgrep bluegreen-zone); do rss "$pid"; done | spread)" "$(pgrep -c bluegreen-zone)"
}

measure_idle() {
    local monitor before after
    monitor=$(agent_pid)
    sleep 2 # let the last drains end
    before=$(for pid in "$monitor" $(pgrep -P "$monitor" 'bluegreen-(api|probe)'); do switches_of "$pid"; done)
    sleep 10
    after=$(for pid in "$monitor" $(pgrep -P "$monitor" 'bluegreen-(api|probe)'); do switches_of "$pid"; done)
    printf 'idle, 10 s with no probe due: wake-ups of monitor, api, probe: %s\n' \
        "$(paste <(echo "$before") <(echo "$after") | awk '{ printf "%d ", $2 - $1 }')"
}

# `bluegreen status` and `bluegreen switch` as whole processes, beside the floor of starting a process that does nothing.
measure_commands() {
    local i begun
    for ((i = 0; i < 50; i++)); do
        begun=$EPOCHREALTIME; bg status app0 >/dev/null
        echo $((${EPOCHREALTIME/./} - ${begun/./})) >>"$WORLD/bench.status"
    done
    printf 'command, whole process, us\n  floor (/bin/true)  %s\n' "$(for ((i = 0; i < 50; i++)); do
        begun=$EPOCHREALTIME; /bin/true; echo $((${EPOCHREALTIME/./} - ${begun/./})); done | spread)"
    printf '  status             %s\n' "$(spread <"$WORLD/bench.status")"
}

# What a program that stays connected meets.
measure_round_trips() {
    local method agent floor
    for method in Version Status; do
        read -r agent floor < <("$TOOLS/roundtrip" "$WORLD/run/control.sock" 2000 "io.bluegreen.Agent.$method")
        printf 'a round trip on the control socket, %s: %s us, floor (another process that sends it back) %s us\n' \
            "$method" "$agent" "$floor"
        figure 'A round trip on the control socket' "us, $method" bluegreen "$agent"
        figure 'A round trip on the control socket' "us, $method" 'floor: a process that echoes' "$floor"
    done
}

measure_switches() {
    local i
    web_conf web 80 '[drain]' 'timeout = 200ms' 'then = leave'
    release_install web v1
    release_install web v2
    bg deploy web v1 >/dev/null
    bg deploy web v2 >/dev/null
    load_start full --new 4 --keepalive 8 --requests-per-connection 200 --body 1000 --url "$URL4" --url "$URL6"
    sleep 1
    for ((i = 0; i < SWITCHES; i++)); do
        bg rollback web --json 2>/dev/null | tail -n 1 >>"$WORLD/receipts"
    done
    local failed=0
    load_end full >"$WORLD/load.json" || failed=1
    printf '%d switches under full load (4 clients with new connections, 8 with keep-alive, IPv4 and IPv6)\n' "$SWITCHES"
    printf '  transaction, us                %s\n' "$(jq .transaction_us "$WORLD/receipts" | spread)"
    printf '  requests %s, failed %s, p50 %s us, p99 %s us\n' "$(jq .requests "$WORLD/load.json")" \
        "$(jq .failed "$WORLD/load.json")" "$(jq '.latency_us.p50 // .p50_us' "$WORLD/load.json")" \
        "$(jq '.latency_us.p99 // .p99_us' "$WORLD/load.json")"
    figure 'Switches under full load' 'us, the transaction' bluegreen "$(jq .transaction_us "$WORLD/receipts" | middle)"
    figure 'Switches under full load' 'requests' 'bluegreen: all' "$(jq .requests "$WORLD/load.json")"
    figure 'Switches under full load' 'requests' 'bluegreen: failed' "$(jq .failed "$WORLD/load.json")"
    return "$failed"
}

world_net
ten_apps
measure_memory
measure_idle
measure_commands
measure_round_trips
measure_switches
