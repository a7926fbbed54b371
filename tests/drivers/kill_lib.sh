# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2034 # VERB and others are for the tests
#
# The agent is killed at every point of an operation where it commits something: at each append to the journal (before it,
# with half of it written, written, synced) and at each nftables batch (before it, taken). The points are listed nowhere:
# each operation is done once unharmed while tests/drivers/die_at.c counts them, and then once more for each of them. What
# recovers from a kill before an append or a batch is itself killed behind every record that it writes.
#
# After each kill and a new start: clients noticed nothing, the operation is done or undone and its history says which,
# status says what the kernel says, nothing is left behind, and the next deploy works. POINTS=N[-M] PHASE=... picks some.
#
# Sourced behind tests/world/lib.sh by the tests that have the operations (tests/world/kills*.sh):
#
#   NAME_prepare, NAME_do     the operation; NAME_right, if there is one: what must hold besides, or $WHY
#   VERB                      its verb in the history, "-" if it is in none; DONE=false: it has to fail
#   ready APP... [-- LINE...] v1 of each is live, with load on web
#   pair old|new              $OLD or $NEW is live, the other one is a standby that is well
#   kill_everywhere NAME [STATE...]
#                             STATEs are right besides those of before and after; `before`: so is that of before
# shellcheck source=tests/drivers/life_lib.sh
. "$ROOT/tests/drivers/life_lib.sh"
# shellcheck source=tests/drivers/die_at_lib.sh
. "$ROOT/tests/drivers/die_at_lib.sh"

# Dies behind its first batch, then behind the first record that it writes, then the second, until recovery comes through.
start_again_and_again() {
    local times
    for ((times = 0; times < 30; times++)); do
        if [ "$times" = 0 ]; then arm 1 synced nft; else arm "$times" synced journal; fi
        if mortal_start 2>/dev/null; then
            disarm
            sleep 0.05 # it may be dying of what it began before that
            dead || return 0
        fi
        DEATHS=$((DEATHS + 1))
    done
    disarm
    mortal_start
}

# --- what is there ----------------------------------------------------------------------------------------

# What the journal says came of the operation: "" for nothing, or true or false.
outcome() {
    bg history "$APP" --json | jq -r --argjson since "$SINCE" --arg verb "$VERB" \
        '[.entries[] | select(.sequence > $since and .verb == $verb)] | if length == 0 then "" else last.done end'
}

last_sequence() {
    bg history --json 2>/dev/null | jq '[.entries[].sequence] | max // 0'
}

# --- one kill ----------------------------------------------------------------------------------------------

check() { # WHAT
    wait_for 8 in_one_of "$MAY" 2>/dev/null || fail "$1: half done: '$STATE' is none of:
$MAY"
    wait_for 3 status_is_true || fail "$1: $WHY"
    wait_for 5 nothing_is_left || fail "$1: left behind, or missing: $WHY; $(bg status "$APP" --json)"
    local said
    said=$(outcome)
    case $STATE in
    "$BEFORE") [ "$BEFORE" = "$AFTER" ] || [ "$said" != true ] || fail "$1: done by the history, but nothing has changed" ;;
    # Of what was removed the journal need not tell, and what has to fail is never done.
    "$AFTER") [ "$VERB" = - ] || [ "$said" = "${DONE:-true}" ] || [ "$VERB$said" = remove ] || fail "$1: it is done, but the history says '$said'" ;;
    *) [ "$said" != true ] || fail "$1: done by the history, but it is '$STATE'" ;;
    esac
    ! declare -F "${1%%[ ,]*}_right" >/dev/null || "${1%%[ ,]*}_right" || fail "$1: $WHY"
    ! grep -E 'this is a bug|AddressSanitizer|runtime error|journal is damaged' "$WORLD/agent.log" || fail "$1: a bug"
}

kill_at() { # NAME NUMBER PHASE
    "$1_prepare"
    SINCE=$(last_sequence)
    arm "$2" "$3"
    "$1_do" >"$WORLD/said" 2>&1 || :
    wait_for 4 dead 2>/dev/null || { disarm; fail "$1, point $2 $3: it never came; $(tr '\n' ';' <"$DIE_AT_LOG")"; }
    disarm
    wait "$AGENT" 2>/dev/null || :
    if [ "$3" = before ]; then start_again_and_again; else mortal_start; fi
    check "$1 killed at point $2, $3 ($(tail -n 1 "$DIE_AT_LOG.all" 2>/dev/null))"
    KILLS=$((KILLS + 1))
}

count_points() { # NAME [STATE...]: unharmed; leaves POINTS_FOUND, BEFORE, AFTER and MAY
    local name=$1 state
    shift
    MAY=other=standby
    "${name}_prepare"
    look && plain_state
    BEFORE=$STATE
    SINCE=$(last_sequence)
    arm 0 none
    "${name}_do" >"$WORLD/said" 2>&1 || fail "unharmed, $name failed: $(cat "$WORLD/said")"
    wait_for 8 quiet
    mapfile -t POINTS_FOUND <"$DIE_AT_LOG"
    disarm
    look && plain_state
    AFTER=$STATE
    MAY=$AFTER
    for state in "$@"; do
        [ "$state" = before ] && state=$BEFORE
        MAY="$MAY"$'\n'"$state"
    done
    check "$name, unharmed"
}

# Nothing runs, drains or (unless that is the point) bakes any more.
quiet() {
    look && [[ $STATE != *busy* && $STATE != *draining* && ($STATE != *baking* || -n ${KEEP_BAKING:-}) ]]
}

kill_everywhere() { # NAME [STATE...]: `before` stands for the state before
    local name=$1 number phase first=1 last=1000 phases
    [ -z "${POINTS:-}" ] || first=${POINTS%-*} last=${POINTS#*-}
    KILLS=0 DEATHS=0
    count_points "$@"
    echo "$name: ${#POINTS_FOUND[@]} points, from '$BEFORE' to '$AFTER'"
    printf '  %s\n' "${POINTS_FOUND[@]}" | cut -c 1-110
    [ ${#POINTS_FOUND[@]} -gt 0 ] || fail "$name commits nothing"
    for number in "${!POINTS_FOUND[@]}"; do
        if [ $((number + 1)) -lt "$first" ] || [ $((number + 1)) -gt "$last" ]; then continue; fi
        phases=${PHASES:-before torn written synced}
        [ "${POINTS_FOUND[number]}" != nft ] || phases="before synced"
        for phase in ${PHASE:-$phases}; do
            echo "${POINTS_FOUND[number]}" >"$DIE_AT_LOG.all"
            kill_at "$name" $((number + 1)) "$phase"
        done
    done
    "${name}_prepare"
    load_end all >"$WORLD/report.json" || { cat "$WORLD/report.json"; fail "requests failed"; }
    json '.failed == 0' <"$WORLD/report.json" >/dev/null
    echo "$name: killed $KILLS times, and $DEATHS times while it recovered; $(json .requests <"$WORLD/report.json") requests, none failed"
}

# --- the apps ----------------------------------------------------------------------------------------------

# ready APP... [-- LINE...]: v1 of each is live, with load on web.
ready() {
    local app apps=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        apps+=("$1")
        shift
    done
    [ $# -eq 0 ] || shift
    world_net
    for app in "${apps[@]}"; do
        life_conf "$app" "$@"
    done
    mortal_start
    for app in "${apps[@]}"; do
        bg deploy "$app" v1 >/dev/null
    done
    load_start all --new 1 --keepalive 1 --requests-per-connection 10 --rate 200 --body 500 --url "$URL4"
}

# What is live is $OLD or $NEW, with the other one as a standby that is well; nothing drains or bakes.
pair() { # the part that is live: old or new
    rm -f "$SHARED"/sick.* "$SHARED"/untested.*
    OLD='' NEW=''
    look
    [ "$LIVE" != - ] || bg deploy "$APP" v1 >/dev/null
    look
    [ "$RELEASE" = v1 ] && OLD=v2 || OLD=v1
    bg finish "$APP" >/dev/null
    bg deploy "$APP" "$OLD" --force >"$WORLD/said" 2>&1 || fail "the next deploy failed: $(cat "$WORLD/said")"
    NEW=$OLD
    [ "$NEW" = v1 ] && OLD=v2 || OLD=v1
    bg finish "$APP" >/dev/null
    [ "$1" = new ] || { NEW=$OLD; [ "$NEW" = v1 ] && OLD=v2 || OLD=v1; }
    wait_for 5 both_well
}

both_well() {
    bg status "$APP" --json | jq -e '[.zones[] | .verdict] == ["healthy", "healthy"] and .operation == null and .bake == null
        and ([.zones[].state] | sort) == ["live", "standby"]' >/dev/null
}
