# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2034 # MIXED and ASKED are for the tests
#
# For world tests of a group (sourced behind tests/world/lib.sh): apps web and domain of group shop, on ports 80 and 81,
# with releases v1, v2 and v3.
#
#   CONF[APP]             lines that are appended to an app's configuration, set before the following
#   prepare_group         hosts, configurations, releases, the agent
#   ready_group           the same, and v1 of both is live
#   stage_all RELEASE     stages it in both
#   of APP FILTER         jq filter on the app's status
#   last_of APP VERB FILTER   on its last entry of that verb in the history
#   serves APP RELEASE, all_serve RELEASE, seen        what clients get; seen: "RELEASE RELEASE" of web and domain
#   all_are STATE COLOUR  the zones of both
#   pairs_start OLD NEW   clients that ask one app and then the other, in either order, with a connection each, until
#   pairs_end             which leaves in $ASKED how many pairs there were, and in $MIXED how many got NEW and then OLD

declare -A CONF=() GROUP_PORT=([web]=80 [domain]=81)

prepare_group() {
    local app release
    world_net
    for app in web domain; do
        web_conf "$app" "${GROUP_PORT[$app]}" 'timeout = 500ms' '[drain]' 'timeout = 200ms' "${CONF[$app]:-}"
        sed -i '/^user = /a group_name = shop' "$WORLD/etc/apps/$app.conf"
        sed -i '0,/^interval/s/^interval.*/interval = 50ms/; s/^passes.*/passes = 1/' "$WORLD/etc/apps/$app.conf"
        for release in v1 v2 v3; do
            release_install "$app" "$release"
        done
    done
    ${AGENT_START:-agent_start}
}

ready_group() {
    prepare_group
    bg deploy web v1 >/dev/null
    bg deploy domain v1 >/dev/null
}

stage_all() {
    bg stage web "$1" >/dev/null
    bg stage domain "$1" >/dev/null
}

of() {
    bg status "$1" --json | json "$2"
}

last_of() {
    bg history "$1" --json | json "[.entries[] | select(.verb == \"$2\")] | last | $3"
}

serves() {
    [ "$(release_seen "http://203.0.113.10:${GROUP_PORT[$1]}")" = "$2" ]
}

all_serve() {
    serves web "$1" && serves domain "$1"
}

seen() {
    echo "$(release_seen http://203.0.113.10:80) $(release_seen http://203.0.113.10:81)"
}

all_are() {
    [ "$(of web ".zones.$2.state") $(of domain ".zones.$2.state")" = "$1 $1" ]
}

# A pair takes a millisecond or two: what happens between two transactions does not stay hidden for long.
pair_client() { # FIRST SECOND OLD NEW REPORT
    local port first=$1 second=$2 old=$3 new=$4 report=$5 line release asked=0 mixed=0 got
    while [ ! -e "$WORLD/pairs.stop" ]; do
        got=
        for port in "$first" "$second"; do
            release=none
            exec 3<>"/dev/tcp/203.0.113.10/$port" || exit 1
            printf 'GET /healthz HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n' >&3
            while read -r -t 5 line <&3; do
                [[ $line == X-Release:* ]] || continue
                release=${line#X-Release: }
                release=${release%$'\r'}
                break
            done
            exec 3>&-
            got="$got$release "
        done
        asked=$((asked + 1))
        [[ $got != *none* ]] || { echo "no answer: $got" >&2; exit 1; }
        [ "$got" != "$new $old " ] || mixed=$((mixed + 1))
    done
    echo "$asked $mixed" >"$report"
}
export -f pair_client
export WORLD

pairs_start() {
    local i ports
    rm -f "$WORLD"/pairs.*
    for i in 1 2 3 4; do
        ports='80 81'
        [ $((i % 2)) = 0 ] || ports='81 80'
        on_client bash -c "pair_client $ports $1 $2 $WORLD/pairs.report.$i" 2>>"$WORLD/pairs.errors" &
    done
    sleep 0.5
}

pairs_reported() {
    [ "$(cat "$WORLD"/pairs.report.* 2>/dev/null | wc -l)" = 4 ]
}

pairs_end() {
    touch "$WORLD/pairs.stop"
    wait_for 10 pairs_reported || { cat "$WORLD/pairs.errors"; fail "a client got no answer"; }
    ASKED=$(cat "$WORLD"/pairs.report.* | awk '{ n += $1 } END { print n }')
    MIXED=$(cat "$WORLD"/pairs.report.* | awk '{ n += $2 } END { print n }')
    echo "$ASKED pairs, $MIXED mixed"
}
