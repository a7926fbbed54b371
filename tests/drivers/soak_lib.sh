# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2034 # PICKED and others are for who sources this
#
# For the soak (sourced behind tests/world/lib.sh): five apps of different kinds, the load on each of them, and what is
# written down of both. What befalls them is in soak_events_lib.sh, what is made of it in soak_report_lib.sh.
#
#   web    80, new and kept connections, long downloads; a bake, and a schema
#   api    81, canaries, a preview at 8081; failover by itself
#   one    82, mode = hold
#   udp    53/udp: an echo
#   fed    84, [feed]: writers that remember what was acknowledged
#
# Written to $SOAK: seen.CLIENTS, what they saw (tests/tools/seconds.h); events, a line each:
#
#   BEGAN ENDED KIND APP CUT NAME     milliseconds of unix time; KIND is op or fault; APP is "-" where it is not about one;
#                                     CUT is "cut" where requests that were under way to APP then may fail, or "-"

SOAK=$WORLD/soak
SHARED=$WORLD/shared
DATA=$WORLD/data
SOAK_APPS=(web api one udp fed)
SOAK_CLIENTS=(web web.long api one udp fed control) # downloads apart: they take as long as they are told to
declare -A SOAK_URL=([web]=http://203.0.113.10:80 [api]=http://203.0.113.10:81 [one]=http://203.0.113.10:82
    [udp]=http://203.0.113.10:83 [fed]=http://203.0.113.10:84)

now_ms() {
    echo "$((${EPOCHREALTIME/./} / 1000))"
}

# For the time in what is written down.
now_text() {
    local now=$EPOCHREALTIME
    printf '%(%T)T.%.3s' "${now%.*}" "${now#*.}"
}

pick() { # WORD...: one of them, in PICKED (a subshell would draw the same number again and again)
    local n=$((RANDOM % $# + 1))
    PICKED=${!n}
}

# --- apps ---------------------------------------------------------------------------------------------------

# A release is sick while $SHARED/sick.APP.RELEASE is there: its check fails, and it serves all the same, so that whatever
# a client does not get then is the agent's fault. v3 always is; v4 does not start.
soak_releases() { # APP [PROGRAM]
    local release
    # shellcheck disable=SC2016 # for the program
    printf '#!/bin/bash\n[ ! -e %s/sick.%s.$1 ] && exec 3<>/dev/tcp/127.0.0.1/8080\n' "$SHARED" "$1" >"$SHARED/check.$1"
    chmod 755 "$SHARED/check.$1"
    for release in v1 v2 v3; do
        release_install "$1" "$release" "${2:-$BUILD/demo/web}"
    done
    release_install "$1" v4 /bin/false
    touch "$SHARED/sick.$1.v3"
}

soak_conf() { # APP PORT [LINE...]
    local app=$1
    web_conf "$app" "$2" "exec = $SHARED/check.$app %r" 'failures = 2' 'timeout = 4s' 'start_timeout = 6s' \
        '[files]' "read = $SHARED" '[restart]' 'delay = 100ms' 'max_delay = 200ms' 'limit = 200' "${@:3}"
    sed -i 's/^interval.*/interval = 400ms/; s/^passes.*/passes = 1/; /^http = :8080/d' "$WORLD/etc/apps/$app.conf"
}

# How long a drain may take is what a reload changes.
# shellcheck disable=SC2120
soak_configure() { # [SECONDS]
    local drain=${1:-8}
    soak_conf web 80 '[drain]' "timeout = ${drain}s" '[bake]' 'time = 3s' '[schema]' "needs = $NEEDS" \
        'expand = host:/bin/true' 'contract = host:/bin/true'
    soak_conf api 81 '[drain]' "timeout = ${drain}s" '[failover]' 'auto = yes' '[preview]' 'port = 8081'
    soak_conf one 82 '[drain]' "timeout = ${drain}s" '[switch]' 'mode = hold' 'hold_max = 4s'
    # A client's system tries again 1, 3, 7 and 15 s after its first packet: a hold that fails is over before the third.
    sed -i 's/^start_timeout.*/start_timeout = 2s/; s/^user = .*/&\nstop_timeout = 2s/' "$WORLD/etc/apps/one.conf"
    soak_conf udp 83 '[drain]' "timeout = ${drain}s"
    sed -i 's|^http = 83.*|&\ndns = 53 -> 8053/udp|; s|^run = .*|& --udp 8053|' "$WORLD/etc/apps/udp.conf"
    # A segment of the journal is 1 MiB then, half a minute: many of them come and go.
    soak_conf fed 84 '[drain]' "timeout = ${drain}s" '[feed]' 'mode = http' 'in_doubt = apply' 'journal_max = 64M'
    sed -i "s|^run = .*|& $DATA/ids.%z|; s|^read = .*|&\nwrite = $DATA|" "$WORLD/etc/apps/fed.conf"
    sed -i '/^user = /a group_name = shop' "$WORLD/etc/apps/web.conf" "$WORLD/etc/apps/api.conf"
}

soak_ready() {
    local app
    mkdir -p "$SOAK" "$SHARED" "$DATA"
    touch "$SOAK/events" "$SOAK/rude"
    chown web "$DATA"
    NEEDS=1
    for app in web api one udp; do
        soak_releases "$app"
    done
    soak_releases fed "$TOOLS/keeper"
    printf '[agent]\ninstance = world\n' | agent_conf
    soak_configure
    agent_start
    for app in "${SOAK_APPS[@]}"; do
        bg deploy "$app" v1 >/dev/null
        bg deploy "$app" v2 >/dev/null
    done
}

# --- clients ------------------------------------------------------------------------------------------------

soak_load() { # CLIENTS ARG...
    load_start "$1" --duration 100000 --seconds "$SOAK/seen.$1" --url "${SOAK_URL[${1%.*}]}" "${@:2}"
}

soak_clients_start() {
    local six='http://[2001:db8:1::10]'
    soak_load web --url "$six:80" --new 2 --keepalive 2 --rate 20
    soak_load web.long --url "$six:80" --keepalive 2 --requests-per-connection 2 --body 400000 --slow 1500 --rate 1
    soak_load api --url "$six:81" --new 2 --keepalive 2 --rate 12
    soak_load one --url "$six:82" --new 2 --keepalive 1 --rate 12
    # On a machine that has others to serve for a second no datagram is lost, but late.
    ip netns exec client "$TOOLS/udpload" --to 203.0.113.10:53 --duration 100000 --steady 2 --fresh 2 --rate 20 \
        --timeout 3000 --json --seconds "$SOAK/seen.udp" >"$WORLD/udp.json" &
    UDP=$!
    on_client "$TOOLS/writer" 203.0.113.10 84 4 80 "$SOAK/seen.fed" >"$WORLD/acks" 2>"$WORLD/figures" &
    WRITER=$!
    sleep 2
}

# Those who misbehave on the control socket, one kind after another until they are told to stop; and clients "control",
# an operator who does not.
soak_rude_start() {
    local user
    while [ ! -e "$SOAK/enough" ]; do
        for user in nosy oper root; do
            as_user "$user" "$TOOLS/abuse" "$BLUEGREEN_SOCKET" all 1 20 >>"$SOAK/rude" 2>&1 || :
            [ -e "$SOAK/enough" ] || sleep 1
        done
    done &
    RUDE=$!
    touch "$SOAK/seen.control"
    chown oper "$SOAK/seen.control"
    setpriv --reuid oper --regid oper --init-groups \
        "$TOOLS/abuse" "$BLUEGREEN_SOCKET" polite 100000 100 "$SOAK/seen.control" >/dev/null &
    POLITE=$!
}

soak_rude_end() {
    touch "$SOAK/enough"
    wait "$RUDE" || :
    kill -TERM "$POLITE"
    wait "$POLITE" || :
}

soak_clients_end() {
    local name
    for name in web web.long api one; do
        load_end "$name" >"$SOAK/load.$name.json" || :
    done
    kill -TERM "$UDP" "$(pgrep -x writer)"
    wait "$UDP" "$WRITER" || :
}

# --- what is well -------------------------------------------------------------------------------------------

answers_outside() { # APP
    on_client curl -sf -m 3 -o /dev/null "${SOAK_URL[$1]}/healthz"
}

# Runs, and does nothing that would end by itself; WHY says what it does otherwise.
soak_at_rest() { # APP
    WHY=$(bg status "$1" --json 2>&1 | jq -r '.live as $l | select((.state == "running" and .operation == null and .bake == null
        and .zones[$l].state == "live" and ([.zones[].state] | index("draining", "starting", "staging") | not)) | not)
        | "\(.state), \([.zones[] | "\(.state) \(.release): \(.detail)"]), \(.operation), \(.bake)"')
    [ -z "$WHY" ] && WHY="no answer outside" && answers_outside "$1" && return
    sleep 0.2 # who asks without a pause is a load of its own
    false
}

soak_settle() {
    local app
    for app in "${SOAK_APPS[@]}"; do
        wait_for 40 soak_at_rest "$app" 2>/dev/null || fail "$app does not come to rest: $WHY"
    done
}

# Whatever else goes on: each of them serves, and nobody has said that there is a bug.
soak_serves() {
    local app
    for app in "${SOAK_APPS[@]}"; do
        wait_for 40 serves_again "$app" 2>/dev/null || fail "$app does not serve: $(bg status "$app")"
    done
    ! grep -E 'this is a bug|AddressSanitizer|runtime error|journal is damaged' "$WORLD/agent.log" || fail "a bug"
    [ ! -s "$SOAK/wrong" ] || fail "$(cat "$SOAK/wrong")"
}

live_of() { # APP FILTER, of its live zone
    bg status "$1" --json | jq -r '.zones[.live // "none"]'"$2 // empty"
}

other_of() { # APP FILTER
    bg status "$1" --json | jq -r '.zones[["blue", "green"] - [.live] | .[0]]'"$2 // empty"
}
