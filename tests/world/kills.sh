#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent is killed at every point of an operation where it commits something: at each append to the journal (before it,
# with half of it written, written, synced) and at each nftables batch (before it, taken). The points are not listed here:
# each operation is done once unharmed while tests/drivers/die_at.c counts them, and then once more for each of them. What
# recovers from a kill before an append or a batch is itself killed behind every record that it writes.
#
# After each kill and a new start: clients noticed nothing, the operation is done or undone and its history says which,
# status says what the kernel says, nothing is left behind, and the next deploy works. POINTS=N[-M] PHASE=... picks some.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/life_lib.sh
. "$ROOT/tests/drivers/life_lib.sh"

export DIE_AT_CONTROL=$WORLD/die-at DIE_AT_LOG=$WORLD/points

# --- the agent that dies ---------------------------------------------------------------------------------

# arm NUMBER PHASE [KIND]: from now on. A new file each time: points are counted from when it came.
arm() {
    : >"$DIE_AT_LOG"
    echo "$*" >"$DIE_AT_CONTROL.new"
    mv "$DIE_AT_CONTROL.new" "$DIE_AT_CONTROL"
}

disarm() {
    rm -f "$DIE_AT_CONTROL"
}

# LD_PRELOAD reaches the monitor alone: it gives none of its environment to what it starts.
mortal_start() {
    LD_PRELOAD=$BUILD/tests/drivers/die_at.so agent_start
}

dead() {
    ! kill -0 "$AGENT" 2>/dev/null
}

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
    ! grep -E 'this is a bug|AddressSanitizer|runtime error|journal is damaged' "$WORLD/agent.log" || fail "$1: a bug"
}

# NAME_prepare and NAME_do are the operation; $VERB is its verb in the history ("-" if it is in none). MAY has the states
# that are right besides those of before and after.
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

# --- the operations ------------------------------------------------------------------------------------------

deploy_prepare() { pair old; }
deploy_do() { bg deploy web "$NEW"; }
test_deploy() {
    ready web -- '[bake]' 'time = 250ms'
    VERB=deploy
    kill_everywhere deploy before 'running live=live old other=absent none' 'running live=live old other=failed new' \
        'running live=live old other=absent new'
}

# A release whose test fails: nothing of it may stay behind as staged, whenever the agent dies.
failing_prepare() { pair old && touch "$SHARED/untested.$NEW"; }
failing_do() { ! bg deploy web "$NEW"; }
test_failing() {
    ready web -- '[bake]' 'time = 0'
    VERB=deploy DONE=false
    kill_everywhere failing before 'running live=live old other=absent none' 'running live=live old other=failed new'
}

stage_prepare() { pair old; }
stage_do() { bg stage web "$NEW"; }
test_stage() {
    ready web
    VERB=stage
    kill_everywhere stage before 'running live=live old other=absent none' 'running live=live old other=failed new'
}

switch_prepare() { pair old && bg stage web "$NEW" >/dev/null; }
switch_do() { bg switch web; }
test_switch() {
    ready web
    VERB=switch
    kill_everywhere switch before
}

abort_prepare() { switch_prepare; }
abort_do() { bg abort web; }
test_abort() {
    ready web
    VERB=-
    kill_everywhere abort before
}

rollback_prepare() { pair new; }
rollback_do() { bg rollback web; }
test_rollback() {
    ready web
    VERB=rollback
    kill_everywhere rollback before
}

# The live release turns sick. It still is when the agent comes back, so there is one way to end only.
failover_prepare() { pair new; }
failover_do() { touch "$SHARED/sick.$NEW" && wait_for 5 gone_back; }
gone_back() { dead || { look && [ "$RELEASE" = "$OLD" ]; }; }
test_failover() {
    ready web -- '[failover]' 'auto = yes'
    VERB=failover
    kill_everywhere failover
}

# The same in its bake: the agent's own rollback.
breach_prepare() { pair old && bg deploy web "$NEW" >/dev/null && bg drain web >/dev/null; }
breach_do() { failover_do; }
test_breach() {
    ready web -- '[bake]' 'time = 5m'
    VERB=rollback PHASES='torn synced'
    kill_everywhere breach
}

finish_prepare() { breach_prepare; }
finish_do() { bg finish web; }
test_finish() {
    ready web -- '[bake]' 'time = 5m'
    VERB=-
    KEEP_BAKING=yes
    kill_everywhere finish before
}

# It takes seconds, whoever dies in it: of the phases of an append those that differ in what is on the disk, as in a breach.
rehearse_prepare() { pair new; }
rehearse_do() { bg rehearse web; }
test_rehearse() {
    ready web
    VERB=rehearse PHASES='torn synced'
    kill_everywhere rehearse
}

# Of these the app's own clients may notice something; those of the other app may not.
stop_prepare() { started && pair new; }
started() { look && { [[ $STATE != stopped* ]] || bg start "$APP" >/dev/null; }; }
stop_do() { bg stop api; }
test_stop() {
    ready web api
    APP=api VERB=stop
    kill_everywhere stop before
}

start_prepare() { stop_prepare && bg stop api >/dev/null; }
start_do() { bg start api; }
test_start() {
    ready web api
    APP=api VERB=start
    kill_everywhere start before
}

remove_prepare() { pair new; }
remove_do() { bg remove api --force; }
test_remove() {
    ready web api
    APP=api VERB=remove
    kill_everywhere remove before
}

run_tests
