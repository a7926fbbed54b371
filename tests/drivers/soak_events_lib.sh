# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What befalls the apps of the soak: operations (op_NAME APP) and faults (fault_NAME APP), at random, the ones in the
# middle of the others. A fault says in CUTS whose requests it may cut: the app whose process was killed while it had any.
# Everybody else's are to be answered. Sourced behind soak_lib.sh.

CUTS='' # an app
CUT='' # when: BEGAN ENDED; until it serves again, if this is not said

# --- operations ---------------------------------------------------------------------------------------------

op_deploy() {
    local live
    live=$(live_of "$1" .release)
    bg deploy "$1" "$([ "$live" = v1 ] && echo v2 || echo v1)"
}

op_rollback() {
    bg rollback "$1"
}

op_deploy_sick() {
    ! bg deploy "$1" v3
}

op_deploy_dead() {
    ! bg deploy "$1" v4
}

# A release that becomes sick when it is live: the agent goes back, by the bake or by failover.
op_turns_sick() {
    local release
    op_deploy "$1"
    release=$(live_of "$1" .release)
    touch "$SHARED/sick.$1.$release"
    wait_for 15 is_no_more "$1" "$release" 2>/dev/null || :
    rm "$SHARED/sick.$1.$release"
}

is_no_more() {
    [ "$(live_of "$1" .release)" != "$2" ]
}

op_canary() {
    local live
    live=$(live_of "$1" .release)
    bg stage "$1" "$([ "$live" = v1 ] && echo v2 || echo v1)"
    bg switch "$1" --canary 30%
    sleep 0.5
    if [ $((SOAK_STEP % 2)) = 0 ]; then share_ends "$1" switch; else share_ends "$1" abort; fi ||
        wait_for 20 share_ends "$1" abort
}

# A command may be cut off, with the api role or the agent; what it was to do is done all the same, or not begun.
share_ends() { # APP VERB
    bg "$2" "$1"
    bg status "$1" --json | jq -e '.canary == null' >/dev/null
}

op_preview() {
    bg stage "$1" v1
    on_client curl -sf -m 3 -o /dev/null http://203.0.113.10:8081/healthz
    bg abort "$1"
}

op_rehearse() {
    bg rehearse "$1"
}

# The next release needs more of the schema, and what only the former needed goes.
op_schema() {
    sed -i "s/^needs = .*/needs = $NEEDS/" "$WORLD/etc/apps/web.conf"
    bg deploy "$1" v1
    bg deploy "$1" v2
    wait_for 10 soak_at_rest "$1"
    bg schema "$1" contract --yes
}

# In the middle of it, whatever it is at then.
op_abort() {
    local live
    live=$(live_of "$1" .release)
    bg deploy "$1" "$([ "$live" = v1 ] && echo v2 || echo v1)" &
    sleep "0.$((SOAK_STEP % 7))"
    bg abort "$1"
    wait $! || :
}

# Those who follow it go away before its end.
op_left_alone() {
    op_deploy "$1" &
    local deploy=$!
    sleep 0.1
    timeout -s KILL 0.2 "$BUILD/bluegreen" --socket "$BLUEGREEN_SOCKET" attach "$1" || :
    timeout -s KILL 0.3 "$BUILD/bluegreen" --socket "$BLUEGREEN_SOCKET" wait "$1" baked || :
    wait "$deploy"
}

op_lock() {
    bg lock "$1" -m 'soaked'
    ! bg deploy "$1" v1 || echo "a lock was passed" >>"$SOAK/wrong"
    wait_for 20 unlocked "$1"
}

unlocked() {
    bg unlock "$1"
    bg status "$1" --json | jq -e '.lock == null' >/dev/null
}

op_exec() {
    [ "$(bg exec "$1" -- /bin/echo here)" = here ]
    timeout -s KILL 0.3 "$BUILD/bluegreen" --socket "$BLUEGREEN_SOCKET" exec "$1" -- /bin/sleep 60 || :
}

# web and api, which are a group: both or none.
op_group() {
    local app live
    wait_for 30 soak_at_rest api
    for app in web api; do
        live=$(live_of "$app" .release)
        bg stage "$app" "$([ "$live" = v1 ] && echo v2 || echo v1)"
    done
    bg switch --group shop
    sleep 0.5
    bg rollback --group shop
}

op_looks() {
    bg doctor --json
    bg history "$1" --json
    bg connections "$1"
    bg diff "$1"
}

op_feed() {
    bg feed fed pause
    sleep 0.5
    bg feed fed resume
    bg feed fed verify
}

op_reload_good() {
    soak_configure $((6 + SOAK_STEP % 4))
    bg reload
}

op_reload_bad() {
    printf '[nonsense]\nx = y\n' >>"$WORLD/etc/apps/api.conf"
    ! bg reload
    sed -i '/^\[nonsense\]/,$d' "$WORLD/etc/apps/api.conf"
    bg reload
}

# --- faults -------------------------------------------------------------------------------------------------

kill_one() { # PID
    [ -z "$1" ] || kill -KILL "$1" 2>/dev/null || :
}

fault_live_app() {
    CUTS=$1
    kill_one "$(live_of "$1" .pid)"
}

fault_live_shim() {
    CUTS=$1
    kill_one "$(live_of "$1" .shim_pid)"
}

# Its connections are its own as long as it drains or has a share, and what is under way may have made it the live one.
other_has_clients() {
    [[ " $SOAK_APP${SOAK_GROUP:+ web api} " == *" $1 "* || $(other_of "$1" .state) != standby ]] && CUTS=$1
}

fault_other_app() {
    other_has_clients "$1" || :
    kill_one "$(other_of "$1" .pid)"
}

fault_other_shim() {
    other_has_clients "$1" || :
    kill_one "$(other_of "$1" .shim_pid)"
}

fault_agent() {
    agent_kill9
    agent_start
}

fault_agent_restart() {
    agent_stop
    agent_start
}

fault_api() {
    kill_one "$(api_pid)"
}

fault_probe() {
    kill_one "$(pgrep -P "$AGENT" -x bluegreen-probe)"
}

fault_feed() {
    CUTS=fed
    kill_one "$(pgrep -x bluegreen-feed)"
}

# Copies of the agent that look at something, and who reads the apps' files: whatever runs now.
fault_helpers() {
    local pid
    for pid in $(pgrep -x bluegreen-copy) $(pgrep -x bluegreen-diges); do
        kill_one "$pid"
    done
}

# --- and what hangs instead of ending: nobody's requests end by it ---

hang() { # SECONDS PID
    [ -n "$2" ] || return 0
    kill -STOP "$2" || return 0
    sleep "$1"
    kill -CONT "$2" || :
}

fault_agent_hangs() {
    hang 1 "$AGENT"
}

# Until it is taken for dead, and another one is there.
fault_api_hangs() {
    hang 6 "$(api_pid)"
}

fault_probe_hangs() {
    hang 6 "$(pgrep -P "$AGENT" -x bluegreen-probe)"
}

fault_feed_hangs() {
    hang 1 "$(pgrep -x bluegreen-feed)"
}

# As nftables.service does when it is reloaded.
fault_firewall_reload() {
    cat >"$WORLD/nftables.conf" <<END
flush ruleset
table inet filter {
    chain input { type filter hook input priority filter; policy accept; }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        ct status dnat accept
    }
}
END
    nft -f "$WORLD/nftables.conf" || :
}

fault_firewall_flush() {
    nft flush ruleset || :
}

# Somebody's own table comes and goes.
fault_firewall_table() {
    nft -f - <<END || :
table inet somebody
flush table inet somebody
table inet somebody {
    chain pre { type filter hook prerouting priority -150; policy accept; ct state invalid counter; }
}
END
    sleep 0.3
    nft delete table inet somebody 2>/dev/null || :
}

# "APP": it has connections with a zone that is not live, after a switch or for a share. Which of them is with which nobody
# knows any more when the kernel has forgotten them: a client that speaks first may come to the other one (man 7 bluegreen).
with_two_zones() {
    bg status --json | jq -r '.apps[] | .live as $live
        | select(.canary != null or (.zones | to_entries | any(.key != $live and .value.connections.tcp > 0))) | .name'
}

# Without that firewall: it lets through what is established or came in, and after this the rest of an answer whose client
# has nothing to say is neither. A datagram that has not been answered at this moment never will be: nobody knows any more
# whose answer it is, and nobody sends it again (man 7 bluegreen). A kept connection may speak again a while later.
fault_conntrack() {
    local began app two
    nft delete table inet filter 2>/dev/null || :
    two=$(with_two_zones)
    began=$(now_ms)
    conntrack -F >/dev/null 2>&1 || :
    CUTS=udp CUT="$began $(now_ms)"
    for app in $(printf '%s\n' "$two" "$(with_two_zones)" | sort -u); do
        event "$began" "$((began + 2000))" fault "$app" cut conntrack_two_zones
    done
}

# --- one step -----------------------------------------------------------------------------------------------

declare -A OPS=(
    [web]='deploy deploy rollback rollback deploy_sick deploy_dead turns_sick canary rehearse schema looks reload_good
        reload_bad abort left_alone lock exec group'
    [api]='deploy rollback deploy_sick turns_sick canary canary preview rehearse looks abort left_alone'
    [one]='deploy rollback deploy_sick deploy_dead rollback abort exec'
    [udp]='deploy rollback rollback canary deploy_dead abort'
    [fed]='deploy rollback rollback deploy_dead rehearse feed abort left_alone lock'
)
FAULTS='live_app live_shim other_app other_shim agent agent agent_restart api probe feed firewall_reload firewall_flush
    firewall_table conntrack helpers agent_hangs api_hangs probe_hangs feed_hangs'

event() { # BEGAN ENDED KIND APP CUT NAME
    echo "$*" >>"$SOAK/events"
}

# By whichever zone.
serves_again() { # APP
    bg status "$1" --json | jq -e '.canary == null and .zones[.live // "none"].state == "live"' >/dev/null || return 1
    answers_outside "$1" && answers_outside "$1" && answers_outside "$1"
}

# In FAULT.
strike() { # NAME APP
    local began
    began=$(now_ms)
    echo "  $(now_text) $1 $2" >>"$SOAK/steps"
    "fault_$1" "$2" 2>>"$SOAK/steps"
    if [ -n "$CUTS" ]; then
        wait_for 40 serves_again "$CUTS" 2>/dev/null || fail "$CUTS does not serve again after $1: $(bg status "$CUTS")"
        # shellcheck disable=SC2086 # two words
        event ${CUT:-$began $(now_ms)} fault "$CUTS" cut "$1"
    else
        event "$began" "$(now_ms)" fault "$2" - "$1"
    fi
}

# An operation; two times out of three with a fault somewhere in it, on any app.
soak_step() { # NUMBER
    local began op
    SOAK_STEP=$1 CUTS='' CUT=''
    pick web web api api one udp fed fed && SOAK_APP=$PICKED
    # shellcheck disable=SC2086 # words
    pick ${OPS[$SOAK_APP]} && op=$PICKED
    [ "$op" = group ] && SOAK_GROUP=yes || SOAK_GROUP=''
    [ "$op" != schema ] || NEEDS=$((NEEDS + 1))
    # What the others are still at may go on.
    wait_for 40 soak_at_rest "$SOAK_APP" 2>/dev/null || fail "step $1: $SOAK_APP does not come to rest: $WHY"
    echo "step $1: $(now_text) $op $SOAK_APP" >>"$SOAK/steps"
    began=$(now_ms)
    ("op_$op" "$SOAK_APP") >"$SOAK/said" 2>&1 &
    local doing=$!
    if [ $((RANDOM % 3)) != 0 ]; then
        sleep "$((RANDOM % 2)).$((RANDOM % 10))"
        # shellcheck disable=SC2086 # words
        pick $FAULTS && local fault=$PICKED
        # shellcheck disable=SC2153 # of soak_lib.sh
        pick "$SOAK_APP" "$SOAK_APP" "${SOAK_APPS[@]}"
        strike "$fault" "$PICKED"
    fi
    wait_for 60 has_ended "$doing" || fail "step $1: $op $SOAK_APP never ends: $(cat "$SOAK/said")"
    wait "$doing" || echo "  said no: $(tail -n 1 "$SOAK/said")" >>"$SOAK/steps"
    event "$began" "$(now_ms)" op "$SOAK_APP" - "$op"
    rm -f "$SHARED/sick.$SOAK_APP.v1" "$SHARED/sick.$SOAK_APP.v2"
    wait_for 20 reloads # the agent or its role may have been killed just now
    soak_serves
    sleep "$((RANDOM % 2)).$((RANDOM % 10))"
}

reloads() {
    bg reload >/dev/null 2>&1
}

