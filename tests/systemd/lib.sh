# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What container.sh and vm.sh share. Each is one story on an installed bluegreen: the tests follow one another, and what
# one leaves behind is where the next begins. The file calls itself again inside of the guest, with --inside.
#
# Output: `ok NAME`, `not ok NAME` followed by indented diagnostics, `skip NAME REASON`; the last line is the plan.
#
# Outside
#   needs_guest TOOL...   ends as skipped, with the reason, where this machine cannot boot a guest
#   skip_all REASON       ends as skipped
#   needs_built           ends with an error where programs or tools are not built
# Inside
#   make_accounts         users web (the app's), oper (in group bluegreen), nosy
#   make_network          the host has 203.0.113.10, the network namespace `client` 203.0.113.2 and a route to it
#   web_conf NAME PORT [LINE...]   configuration of the demo app on PORT; LINEs are appended
#   release_install APP RELEASE    makes /srv/APP/RELEASE/bin/web
#   on_client CMD...               runs CMD on the client
#   as_user USER CMD...            runs CMD as USER with its groups
#   answer [PORT]                  the release that answers the client on PORT (80), or nothing
#   field APP FILTER               jq FILTER on the app's status
#   load_start ARG..., load_end    load from the client; load_end fails unless requests were made and none failed
#   agent_pid                      systemd's main pid of bluegreend
#   agent_is_back PID              whether systemd started another than PID, and it answers
#   zone_pids APP                  the pids of both shims and apps, one line
#   wait_for SECONDS CMD...        polls until CMD succeeds; says so and fails when it does not
#   expect_eq, expect_match, expect_no_match, expect_status, fail    as in tests/assert.sh
#   boot_again CMD...              CMD reboots; the file is run again with the next BOOT (VM only)
#   run_tests NAME...              runs test_NAME..., each in a subshell under `set -e`
#   finish                         the plan; exits 1 if a test failed

set -u
ROOT=$(dirname "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")")
BUILD=$(readlink -m "${BUILD:-$ROOT/build}")
export BUILD
PREFIX=${PREFIX:-/usr/local}
TOOLS=$BUILD/tests/tools
STATE=/var/lib/bluegreen-tests
OUTPUT=
# shellcheck source=tests/assert.sh
. "$ROOT/tests/assert.sh"

# --- outside ---------------------------------------------------------------------------------------------

skip_all() {
    echo "skip $(basename "$0" .sh) $*"
    echo "1..1"
    exit 0
}

needs_guest() {
    local tool
    [ "$(id -u)" = 0 ] || skip_all "needs root"
    [ -x /lib/systemd/systemd ] || skip_all "systemd is not installed"
    for tool; do
        command -v "$tool" >/dev/null || skip_all "$tool is not installed"
    done
    unshare --mount true 2>/dev/null || skip_all "mounting is not allowed here"
}

needs_built() {
    local file
    for file in "$BUILD"/{bluegreend,bluegreen,bluegreen-zone,bluegreen-api,bluegreen-probe,bluegreen-digest,bluegreen-feed} "$BUILD/demo/web" "$TOOLS/load"; do
        [ -x "$file" ] || { echo "$file is not built: make all tools" >&2; exit 1; }
    done
}

# --- machine ---------------------------------------------------------------------------------------------

make_accounts() {
    printf '%s\n' 'u web -' 'u oper -' 'u nosy -' 'm oper bluegreen' | systemd-sysusers - || return
    mkdir -p "$STATE"
}

make_network() {
    ip netns add client
    ip link add lan0 type veth peer name eth0 netns client
    ip addr add 203.0.113.10/24 dev lan0
    ip addr add 2001:db8:1::10/64 dev lan0 nodad
    ip link set lan0 up
    ip -n client link set lo up
    ip -n client addr add 203.0.113.2/24 dev eth0
    ip -n client addr add 2001:db8:1::2/64 dev eth0 nodad
    ip -n client link set eth0 up
    wait_for 10 cable_is_up
    # A load of new connections uses up the ports of one address in seconds otherwise.
    ip netns exec client sh -c 'echo 1 >/proc/sys/net/ipv4/tcp_tw_reuse
        echo "1024 65535" >/proc/sys/net/ipv4/ip_local_port_range'
}

cable_is_up() {
    ip -o link show lan0 | grep -q LOWER_UP && ip -n client -o link show eth0 | grep -q LOWER_UP
}

on_client() {
    ip netns exec client "$@"
}

as_user() {
    local user=$1
    shift
    setpriv --reuid "$user" --regid "$user" --init-groups "$@"
}

# --- bluegreen -------------------------------------------------------------------------------------------

web_conf() {
    local name=$1 port=$2
    shift 2
    mkdir -p /etc/bluegreen/apps
    {
        printf '[app]\nname = %s\nuser = web\nrun = /srv/%s/%%r/bin/web --port 8080\n' "$name" "$name"
        printf '[ports]\nhttp = %s -> 8080/tcp\n' "$port"
        printf '[health]\nhttp = :8080/healthz\ninterval = 200ms\npasses = 2\n'
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } >"/etc/bluegreen/apps/$name.conf"
}

release_install() {
    mkdir -p "/srv/$1/$2/bin"
    install -m 755 "$BUILD/demo/web" "/srv/$1/$2/bin/web"
}

answer() {
    on_client curl -sf -m 10 "http://203.0.113.10:${1:-80}/healthz" | sed -n 's/^ok //p'
}

answers() {
    [ "$(answer "${2:-80}")" = "$1" ]
}

field() {
    "$PREFIX/bin/bluegreen" status "$1" --json | jq -er "$2"
}

field_is() {
    [ "$(field "$1" "$2")" = "$3" ]
}

agent_pid() {
    systemctl show --property=MainPID --value bluegreend
}

agent_is_back() {
    [ "$(agent_pid)" != "$1" ] && [ "$(systemctl is-active bluegreend)" = active ] &&
        "$PREFIX/bin/bluegreen" status >/dev/null 2>&1
}

zone_pids() {
    field "$1" '[.zones.blue, .zones.green | .shim_pid, .pid] | join(" ")'
}

load_start() {
    rm -f "$STATE"/load.*
    {
        ip netns exec client "$TOOLS/load" --json --duration 600 "$@" >"$STATE/load.report" &
        echo $! >"$STATE/load.pid"
        status=0
        wait $! || status=$?
        echo "$status" >"$STATE/load.status"
    } </dev/null &
    # The connections of the load are what the next step is to be tried on.
    sleep 0.5
}

load_end() {
    kill -TERM "$(cat "$STATE/load.pid")" || echo "the load had ended by itself" >&2
    wait_for 30 test -s "$STATE/load.status"
    cat "$STATE/load.report"
    rm "$STATE/load.pid"
    [ "$(cat "$STATE/load.status")" = 0 ]
}

# --- tools -----------------------------------------------------------------------------------------------

wait_for() {
    local limit=$1 until
    shift
    until=$((SECONDS + limit))
    while ! "$@"; do
        [ "$SECONDS" -le "$until" ] || fail "waited $limit s in vain for: $*"
        sleep 0.05
    done
}

# --- running ---------------------------------------------------------------------------------------------

report_failure() {
    sed 's/^/    /' "$1"
    echo "    --- what the agent and systemd said of it meanwhile"
    journalctl --quiet --no-pager --output=short-monotonic --since="@${2%.*}" --lines=40 --unit=bluegreend |
        sed 's/^/    /'
}

run_one() {
    local name=$1 status log=$STATE/test.log began=$EPOCHREALTIME
    # In a subshell that is not part of a condition, or bash would ignore `set -e` in it.
    set +e
    (
        set -e -o pipefail
        "test_$name"
    ) >"$log" 2>&1 </dev/null
    status=$?
    if [ "$status" = 0 ]; then
        echo "ok $name"
        [ "${VERBOSE:-0}" = 0 ] || sed 's/^/    /' "$log"
    else
        echo "not ok $name"
        [ -s "$log" ] || echo "exit status $status" >"$log"
        report_failure "$log" "$began"
        touch "$STATE/failed"
    fi
    [ "${VERBOSE:-0}" = 0 ] || echo "    $(((${EPOCHREALTIME/./} - ${began/./}) / 1000)) ms"
    # A load that a failed test did not end would disturb the next one.
    [ ! -e "$STATE/load.pid" ] || kill -KILL "$(cat "$STATE/load.pid")" 2>/dev/null
    echo "$name" >>"$STATE/ran"
}

run_tests() {
    local name
    mkdir -p "$STATE"
    for name; do
        run_one "$name"
    done
}

boot_again() {
    sync
    touch "$JOB/again"
    "$@"
    sleep 120
    rm "$JOB/again"
    echo "the machine did not boot again: $*"
    exit 1
}

# How many, and whether all went well, is on disk: the guest may have booted in between.
finish() {
    echo "1..$(wc -l <"$STATE/ran")"
    [ ! -e "$STATE/failed" ]
    exit
}
