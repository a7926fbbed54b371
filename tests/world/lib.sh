# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a world test needs. A test file is bash, is run by tests/world/enter, sources this, defines functions
# test_NAME, and ends with run_tests. Each test runs in a subshell of its own, under `set -e`, with no agent, an
# empty configuration and an empty state; what it started is ended after it. Run one file by hand with
#
#   tests/world/enter tests/world/NAME.sh [TEST...]          VERBOSE=1 shows what passing tests said, and times
#
# Output: `ok NAME`, `not ok NAME` followed by indented diagnostics, `skip NAME REASON`; the last line is the plan
# `1..N`, so that a file that died half-way is told from one that ended.
#
# Network
#   world_net             makes the hosts. The world's own network is the bluegreen host:
#                           lan0    203.0.113.10/24, 198.51.100.7/32, 2001:db8:1::10/64
#                         the network `client`, at the other end of the cable, is an outside client:
#                           eth0    203.0.113.2/24, 203.0.113.3/24, 2001:db8:1::2/64
#                         with routes through the host to 198.51.100.7 and to the zones' pools
#   on_client CMD...      runs CMD on the client
#
# Agent ($BUILD/bluegreend; configuration in $WORLD/etc, state in $WORLD/state, sockets in $WORLD/run)
#   agent_start [ARG...]  starts it and waits until it answers; its log is $WORLD/agent.log
#   agent_stop            SIGTERM, and waits; the status is the agent's
#   agent_kill9           SIGKILL, and waits
#   agent_pid, api_pid    the monitor's pid, the api role's
#   bg ARG...             the CLI, talking to this agent
#   agent_conf            writes bluegreen.conf from stdin
#   app_conf NAME         writes an app's configuration from stdin
#   release_install APP RELEASE [BINARY]
#                         makes $WORLD/srv/APP/RELEASE/bin/web, the demo app (or BINARY in its place)
#   web_conf NAME PORT [LINE...]
#                         app_conf of the demo app on PORT (TCP, with a health check); LINEs are appended
#
# The demo app as app web, on the ports that outside clients see
#   $URL4 $URL6           the host's addresses, port 80
#   ready_web [LINE...]   both hosts, the app's configuration (LINEs appended), releases v1 and v2, the agent
#   release_seen [URL]    the release that answers a client outside, or nothing
#   answers RELEASE       it is this one
#   status_of FILTER      jq filter on the app's status
#   is_state COLOUR STATE its zone has this state
#   is_healthy COLOUR     its checks pass
#   operating STEP [APP]  an operation is there
#   has_no_share          no zone is a canary
#   last_of VERB FILTER   jq filter on the newest entry of that verb in the history
#   slow_start MS         releases that are deployed from now on take so long until they listen
#   live_in_kernel APP    the zone that the rule set sends new connections to
#
# Tools
#   wait_for SECONDS CMD...    polls until CMD succeeds; says so and fails when it does not
#   json FILTER                jq -er FILTER on stdin
#   ended_by VERB WHO          the newest VERB of web in the history is WHO's
#   load_start NAME ARG...     starts the load client on the client host; report in $WORLD/load.NAME
#   load_end NAME              ends it, prints its JSON report; fails if a request failed
#   background CMD...          starts CMD; $! is its pid; ended after the test
#   has_ended PID              for wait_for
#   as_user USER CMD...        runs CMD as USER with its groups (oper, nosy, web, ...)
#
# Assertions; each says what it found and fails the test
#   expect_eq WANT GOT [WHAT]      expect_match REGEX TEXT [WHAT]      expect_no_match REGEX TEXT [WHAT]
#   expect_status N CMD...         exit status; the output is left in $OUTPUT
#   fail TEXT                      skip REASON (ends the test)
#   not_sanitized REASON           skips in a build with sanitizers (make sanitize)

set -u
: "${WORLD:?run this through tests/world/enter}" "${BUILD:?}"
ROOT=$(dirname "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")")
export ROOT
# What follows kills every process it sees: it must see those of a private world only.
case "$WORLD $(tr '\0' ' ' </proc/1/cmdline)" in
"/run/world "*"/enter --inside "*) ;;
*)
    echo "$0: not in a private world; run: tests/world/enter $0" >&2
    exit 1
    ;;
esac
export BLUEGREEN_LIBEXEC=${BLUEGREEN_LIBEXEC:-$BUILD}
export BLUEGREEN_SOCKET=$WORLD/run/control.sock
TOOLS=$BUILD/tests/tools
# shellcheck source=tests/assert.sh
. "$ROOT/tests/assert.sh"
OUTPUT=

# --- network ---------------------------------------------------------------------------------------

world_net() {
    ip netns add client
    ip link add lan0 type veth peer name eth0 netns client
    ip addr add 203.0.113.10/24 dev lan0
    ip addr add 198.51.100.7/32 dev lan0
    ip addr add 2001:db8:1::10/64 dev lan0 nodad
    ip link set lan0 up
    ip -n client link set lo up
    ip -n client addr add 203.0.113.2/24 dev eth0
    ip -n client addr add 203.0.113.3/24 dev eth0
    ip -n client addr add 2001:db8:1::2/64 dev eth0 nodad
    ip -n client link set eth0 up
    # The two ends of a cable see each other a moment after both are up.
    wait_for 5 cable_is_up
    ip -n client route add 198.51.100.7/32 via 203.0.113.10
    ip -n client route add 10.201.0.0/16 via 203.0.113.10
    ip -n client route add fd00:b9::/48 via 2001:db8:1::10
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

# --- agent -----------------------------------------------------------------------------------------

# shellcheck disable=SC2120
agent_start() {
    mkdir -p "$WORLD/etc/apps" "$WORLD/state" "$WORLD/run"
    [ -e "$WORLD/etc/bluegreen.conf" ] || printf '[agent]\ninstance = world\n' | agent_conf
    "$BUILD/bluegreend" --config "$WORLD/etc" --state "$WORLD/state" --run "$WORLD/run" "$@" \
        >>"$WORLD/agent.log" 2>&1 </dev/null &
    AGENT=$!
    echo "$AGENT" >"$WORLD/agent.pid"
    wait_for 10 agent_answers || return 1
}

agent_answers() {
    # An agent that has ended will not answer, however long we wait.
    kill -0 "$AGENT" 2>/dev/null || { WAIT_OVER="the agent has ended"; return 1; }
    "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" status >/dev/null 2>&1
}

agent_pid() {
    cat "$WORLD/agent.pid"
}

api_pid() {
    pgrep -P "$(agent_pid)" -x bluegreen-api
}

agent_stop() {
    kill -TERM "$AGENT" && wait "$AGENT"
}

agent_kill9() {
    kill -KILL "$AGENT"
    wait "$AGENT" 2>/dev/null || :
}

bg() {
    "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" "$@"
}

agent_conf() {
    mkdir -p "$WORLD/etc/apps"
    cat >"$WORLD/etc/bluegreen.conf"
}

app_conf() {
    mkdir -p "$WORLD/etc/apps"
    cat >"$WORLD/etc/apps/$1.conf"
}

release_install() {
    mkdir -p "$WORLD/srv/$1/$2/bin"
    # A copy, not a link: the app's user may not be able to reach the build directory. Never over a running one.
    cp "${3:-$BUILD/demo/web}" "$WORLD/srv/$1/$2/bin/web.new"
    chmod 755 "$WORLD/srv/$1/$2/bin/web.new"
    mv "$WORLD/srv/$1/$2/bin/web.new" "$WORLD/srv/$1/$2/bin/web"
}

web_conf() {
    local name=$1 port=$2
    shift 2
    {
        printf '[app]\nname = %s\nuser = web\nrun = %s --port 8080\n' "$name" "$WORLD/srv/$name/%r/bin/web"
        printf '[ports]\nhttp = %s -> 8080/tcp\n' "$port"
        printf '[health]\nhttp = :8080/healthz\ninterval = 200ms\npasses = 2\n'
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } | app_conf "$name"
}

# --- the demo app ----------------------------------------------------------------------------------

# For the tests, which shellcheck reads apart from this file.
# shellcheck disable=SC2034
URL4=http://203.0.113.10:80
# shellcheck disable=SC2034
URL6='http://[2001:db8:1::10]:80'

ready_web() {
    world_net
    web_conf web 80 "$@"
    release_install web v1
    release_install web v2
    agent_start
}

# shellcheck disable=SC2120
release_seen() {
    on_client curl -s -m 5 -D - -o /dev/null "${1:-$URL4}/healthz" | tr -d '\r' | sed -n 's/^X-Release: //p'
}

answers() {
    [ "$(release_seen)" = "$1" ]
}

status_of() {
    bg status web --json | json "$1"
}

nothing_runs() {
    status_of '.operation == null' >/dev/null
}

is_state() {
    [ "$(status_of ".zones.$1.state")" = "$2" ]
}

is_healthy() {
    [ "$(status_of ".zones.$1.verdict")" = healthy ]
}

operating() {
    [ "$(bg status "${2:-web}" --json | jq -r '.operation.step')" = "$1" ]
}

has_no_share() {
    [ "$(bg status web --json | jq -r .canary)" = null ]
}

last_of() {
    bg history web --json | json "[.entries[] | select(.verb == \"$1\")] | last | $2"
}

slow_start() {
    sed -i "s|--port 8080|--port 8080 --start-delay $1|" "$WORLD/etc/apps/web.conf"
}

live_in_kernel() {
    local chain
    chain=$(nft list chain inet bluegreen "app.$1" 2>/dev/null) || return 0
    if [[ $chain == *"@green.$1 goto"* ]]; then
        [[ $(nft list set inet bluegreen "green.$1") == *elements* ]] && echo green || echo blue
    else
        sed -n "s/^\t\tgoto zone\.$1\.//p" <<<"$chain"
    fi
}

# holds COLOUR NUMBER: that many connections.
holds() {
    [ "$(status_of ".zones.$1.connections.tcp")" = "$2" ]
}

# until_held RELEASE: a client that has asked that release for something once and stays. What happens to it is in
# $WORLD/held, its process in HELD. With a share given it is by chance who answers, so it may take more than one.
until_held() {
    local tries
    for ((tries = 0; tries < 20; tries++)); do
        ip netns exec client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 \
            >"$WORLD/held" 2>&1 &
        HELD=$!
        wait_for 5 grep -q answer "$WORLD/held"
        ! grep -q "answer 200 $1" "$WORLD/held" || return 0
        release_held
    done
    fail "nobody gets to $1"
}

# If it is not gone already.
release_held() {
    kill -TERM "$HELD" 2>/dev/null || :
}

# --- tools -----------------------------------------------------------------------------------------

wait_for() {
    local limit=$1 until
    shift
    WAIT_OVER=
    until=$(($(date +%s%N) + limit * 1000000000))
    while ! "$@"; do
        if [ -n "$WAIT_OVER" ] || [ "$(date +%s%N)" -ge "$until" ]; then
            echo "waited ${limit} s in vain for: $*${WAIT_OVER:+ ($WAIT_OVER)}" >&2
            return 1
        fi
        sleep 0.02
    done
}

json() {
    jq -er "$1"
}

# Clients are served before the entry is written.
ended_by() {
    bg history web --json | jq -e --arg verb "$1" --arg who "$2" \
        '[.entries[] | select(.verb == $verb)] | last | .who == $who' >/dev/null
}

has_ended() {
    ! kill -0 "$1" 2>/dev/null
}

background() {
    "$@" &
}

as_user() {
    local user=$1
    shift
    setpriv --reuid "$user" --regid "$user" --init-groups "$@"
}

load_start() {
    local name=$1
    shift
    rm -f "$WORLD/load.$name" "$WORLD/load.$name.status"
    {
        status=0
        ip netns exec client "$TOOLS/load" --json --duration 600 "$@" >"$WORLD/load.$name" &
        echo $! >"$WORLD/load.$name.pid"
        wait $! || status=$?
        echo "$status" >"$WORLD/load.$name.status"
    } </dev/null &
    # The connections of the load are what the next step is to be tried on.
    sleep 0.3
}

load_end() {
    kill -TERM "$(cat "$WORLD/load.$1.pid")" || echo "the load $1 had ended by itself" >&2
    wait_for 15 test -s "$WORLD/load.$1.status"
    cat "$WORLD/load.$1"
    return "$(cat "$WORLD/load.$1.status")"
}

skip() {
    printf '%s\n' "$*" >"$WORLD/skipped"
    exit 77
}

is_sanitized() {
    grep -q -e -fsanitize= "$BUILD/flags" 2>/dev/null
}

not_sanitized() {
    ! is_sanitized || skip "built with sanitizers: $*"
}

# --- running ---------------------------------------------------------------------------------------

# What has leaked is told by who ends by himself: the agent, and with it the api role.
end_for_leaks() {
    local tries agents
    agents=$(pgrep -f "bluegreend --config") || return 0
    # shellcheck disable=SC2086 # a list
    kill -TERM $agents 2>/dev/null
    for ((tries = 0; tries < 500; tries++)); do
        pgrep -x bluegreend >/dev/null || return 0
        sleep 0.02
    done
}

# Ends every process of the world but this script and its parents, and empties the state.
world_reset() {
    local pid keep=" 1 $$ " tries
    ! is_sanitized || end_for_leaks
    pid=$$
    while [ "$pid" -gt 1 ]; do
        pid=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status")
        keep="$keep$pid "
    done
    for ((tries = 0; tries < 100; tries++)); do
        local left=
        for pid in /proc/[0-9]*; do
            pid=${pid#/proc/}
            [[ $keep == *" $pid "* ]] && continue
            # A zombie is only waiting to be collected.
            grep -q '^State:.[ZX]' "/proc/$pid/status" 2>/dev/null && continue
            kill -9 "$pid" 2>/dev/null && left=$pid
        done
        [ -z "$left" ] && break
        sleep 0.02
    done
    # Nobody owns the agent's tables any more; the names of its zones are left over.
    nft flush ruleset 2>/dev/null
    conntrack -F >/dev/null 2>&1
    local name
    for name in /run/netns/*; do
        [ -e "$name" ] && { umount -l "$name" 2>/dev/null; rm -f "$name"; }
    done
    for name in /sys/class/net/*; do
        name=${name##*/}
        [ "$name" = lo ] || ip link del "$name" 2>/dev/null
    done
    for name in ipv4/ip_forward ipv6/conf/all/forwarding; do
        [ ! -e "/proc/sys/net/$name" ] || echo 0 >"/proc/sys/net/$name"
    done
    # A process that was just killed may keep its cgroup busy for a moment.
    for ((tries = 0; tries < 50; tries++)); do
        find /sys/fs/cgroup -mindepth 1 -depth -type d ! -path /sys/fs/cgroup/harness -exec rmdir {} + 2>/dev/null
        [ -z "$(find /sys/fs/cgroup -mindepth 1 -type d ! -path /sys/fs/cgroup/harness)" ] && break
        sleep 0.02
    done
    find "$WORLD" -mindepth 1 -maxdepth 1 ! -name '.*' -exec rm -rf {} +
    find /tmp -mindepth 1 -maxdepth 1 -user root -name 'bluegreen*' -exec rm -rf {} +
}

report_failure() {
    sed 's/^/    /' "$1"
    if [ -s "$WORLD/agent.log" ]; then
        echo "    --- the last lines of the agent's log"
        tail -n 40 "$WORLD/agent.log" | sed 's/^/    /'
    fi
}

run_one() {
    local name=$1 status=0 log=$WORLD/.test.log began=$EPOCHREALTIME
    world_reset
    # In a subshell that is not part of a condition, or bash would ignore `set -e` in it.
    set +e
    (
        set -e
        "test_$name"
    ) >"$log" 2>&1 </dev/null
    status=$?
    case $status in
    0) echo "ok $name" ;;
    77) echo "skip $name $(cat "$WORLD/skipped" 2>/dev/null)" ;;
    *)
        echo "not ok $name"
        FAILED=1
        [ -s "$log" ] || echo "exit status $status" >"$log"
        report_failure "$log"
        ;;
    esac
    [ "${VERBOSE:-0}" = 0 ] && return
    [ "$status" != 0 ] || sed 's/^/    /' "$log"
    echo "    $(((${EPOCHREALTIME/./} - ${began/./}) / 1000)) ms"
}

# Runs the tests named as arguments of the script, or all of the file in their order.
run_tests() {
    local name names n=0
    FAILED=0
    if [ ${#SCRIPT_ARGS[@]} -gt 0 ]; then
        names=("${SCRIPT_ARGS[@]#test_}")
    else
        mapfile -t names < <(sed -n 's/^test_\([a-zA-Z0-9_]*\)().*/\1/p' "$0")
    fi
    for name in "${names[@]}"; do
        run_one "$name"
        n=$((n + 1))
    done
    world_reset
    echo "1..$n"
    exit "$FAILED"
}
SCRIPT_ARGS=("$@")
