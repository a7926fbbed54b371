# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a soak that failed leaves behind, so that its cause can be found when the world is gone (sourced behind
# soak_report_lib.sh): all that the agent, the kernel and the clients had then, in $BUILD/soak.failed.SEED, and in file
# `explained` what happened around each request that failed without need.

# Of a moment in unix ms, as it stands in the agent's log.
clock_of() {
    local ms=$1
    printf '%(%T)T.%03d' "$((ms / 1000))" "$((ms % 1000))"
}

# What the steps and the agent say of the time around it, with 3 s before and 1 s after, as there was and as it came.
around() { # BEGAN ENDED (ms)
    awk -v from="$(clock_of $(($1 - 3000)))" -v to="$(clock_of $(($2 + 1000)))" '
        match($0, /[0-9][0-9]:[0-9][0-9]:[0-9][0-9][.][0-9][0-9][0-9]/) {
            at = substr($0, RSTART, RLENGTH)
            if (at >= from && at <= to) print at " " (FILENAME ~ /steps$/ ? "SOAK " : "") $0
        }' "$SOAK/steps" "$WORLD/agent.log" | sort -s -k1,1
}

explain_undue() {
    local clients began ended text
    all_undue | head -n 12 | while read -r clients _ began ended text; do
        echo "=== $clients, $(clock_of "$began") to $(clock_of "$ended"): $text"
        awk -v from="$((began - 5000))" -v to="$((ended + 1000))" '$1 <= to && $2 >= from { print "event", $0 }' "$SOAK/events"
        around "$began" "$ended"
    done
}

keep() { # NAME CMD...
    timeout 10 "${@:2}" >"$KEPT/$1" 2>&1 || echo "exit status $?" >>"$KEPT/$1"
}

# Who waits where: the monitor's and its roles'.
keep_processes() {
    local pid
    keep processes ps -eo pid,ppid,stat,wchan:24,lstart,args
    for pid in $(agent_pid) $(pgrep -P "$(agent_pid)") $(pgrep -x bluegreen-feed); do
        echo "--- $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")"
        cat "/proc/$pid/stack" "/proc/$pid/status"
        ls -l "/proc/$pid/fd"
    done >"$KEPT/roles" 2>&1
}

keep_network() {
    local zone
    keep ruleset nft -a list ruleset
    keep conntrack conntrack -L -o extended
    keep links ip -d -s link
    keep addresses ip addr
    keep routes sh -c 'ip route show table all; ip -6 route show table all; ip neigh'
    keep sockets ss -tuneap
    for zone in $(ip netns list | cut -d' ' -f1); do
        keep "sockets.$zone" ip netns exec "$zone" ss -tuneapi
    done
}

# Keeps it if STATUS is not 0, once: as it was when something was first seen to be wrong, or at the end.
soak_keep() { # STATUS
    [ "$1" != 0 ] && [ -z "${KEPT:-}" ] || return 0
    set +e
    KEPT=$BUILD/soak.failed.$SEED
    rm -rf "$KEPT" && mkdir -p "$KEPT"
    explain_undue >"$KEPT/explained"
    keep_processes
    keep_network
    keep status "$BUILD/bluegreen" --socket "$BLUEGREEN_SOCKET" status --json
    keep history "$BUILD/bluegreen" --socket "$BLUEGREEN_SOCKET" history --json --limit 1000
    cp -r "$SOAK" "$WORLD/agent.log" "$WORLD/etc" "$WORLD/state" "$WORLD/acks" "$WORLD/figures" "$DATA" "$KEPT/" 2>/dev/null
    echo "all that is needed to find out why is in $KEPT; of the first failures:"
    head -n 60 "$KEPT/explained"
    set -e
}
