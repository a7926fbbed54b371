#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The life of two apps at random, against a small model of it: commands, good and bad releases, releases that turn sick, and
# kills of everything, also in the middle of a command. Before each step the model says which results and which states are
# right after it; after each step status must be one of them and true, and clients must have noticed nothing that they
# need not. tests/unit/test_life.c is the same against the tables.
#
# SEED chooses the steps (it is printed), STEPS or MODEL_SECONDS how many: SEED=7 STEPS=200 tests/world/enter THIS.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/life_lib.sh
. "$ROOT/tests/drivers/life_lib.sh"

pick() { # WORD...: one of them, in PICKED (a subshell would draw the same number again and again)
    local n=$((RANDOM % $# + 1))
    PICKED=${!n}
}

# --- the model ---------------------------------------------------------------------------------------------

sick() {
    [ -e "$SHARED/sick.$1" ]
}

untested() {
    [ -e "$SHARED/untested.$1" ]
}

# The state of $APP taken apart: RUN (empty, running, stopped), L and O (the releases), KIND (the other zone's state), MARK.
take_apart() {
    local rest
    RUN=${STATE%% *}
    rest=${STATE#*live=}
    rest=${rest%% other=*}
    L=${rest#* }
    [ "$L" != none ] || L=''
    rest=${STATE#*other=}
    rest=${rest% baking}
    KIND=${rest%% *} O=${rest#* }
    MARK=${O#"${O%%+*}"}
    O=${O%%+*}
    [ "$KIND" != unhealthy ] || KIND='(standby|healthy)'
    # Of a stopped app status does not say which of the two was live.
    [ "$RUN" != stopped ] || L=${SERVED_LAST[$APP]}
    [ "$RUN" != running ] || SERVED_LAST[$APP]=$L
}

# Regular expressions for a running app: live RELEASE, other STATE RELEASE. Whether a standby is unhealthy at the moment is
# its checks' affair, and of marks the failover says more than can be foreseen from outside.
running() {
    echo "running live=(live|unhealthy) $1 other=${2/standby/(standby|unhealthy)} $3(\+left)?( baking)?"
}

# predict VERB [RELEASE]: in $RESULT yes, no or any; in $NEXT the states, one a line. $SAME is always among those of a step
# in which somebody is killed.
predict() {
    RESULT=no NEXT=$SAME
    case $1 in
    reload | drain | history | logs) RESULT=yes ;;
    finish) RESULT=any ;;
    remove) RESULT=yes NEXT='empty live=none other=absent none, absent none' ;;
    deploy | stage) predict_staging "$@" ;;
    switch | rollback) predict_switch "$1" ;;
    *) if [ -z "$L" ]; then RESULT=any NEXT='.*'; else "predict_$1"; fi ;;
    esac
}

predict_staging() {
    [ "$RUN" != stopped ] || return 0
    [ "${NEEDS[$APP]}" -ge "$CONTRACTED" ] || return 0 # the file is as it was before the contract
    predict_new_release "$@"
    # The live release has to be well for an expand, and its end may be what was interrupted: only its outcomes are known.
    [ "${NEEDS[$APP]}" -le "$EXPANDED" ] && [ "$SCHEMA" != broken ] && return
    RESULT=any NEXT="$NEXT"$'\n'"$SAME"$'\n'"$(running "$L" '(absent|failed)' '.*')"
}

predict_new_release() {
    if [ -z "$L" ]; then
        [ "$1" = deploy ] && ! sick "$2" && ! untested "$2" && RESULT=yes NEXT="running live=live $2 other=.*" && return
        RESULT=any NEXT='empty .*'
    elif sick "$2"; then
        NEXT=$(running "$L" failed "$2")
    elif [ "$1" = stage ]; then
        RESULT=yes NEXT=$(running "$L" healthy "$2")
    elif untested "$2"; then
        NEXT=$(running "$L" failed "$2")
    else
        RESULT=yes NEXT=$(running "$2" standby "$L")
    fi
}

predict_switch() {
    [ -n "$L" ] || { RESULT=any NEXT='.*'; return; }
    [ "$RUN" = running ] && [[ $KIND =~ standby|healthy ]] && ! { [ "$1" = rollback ] && [ "$KIND" = healthy ]; } &&
        [ "$MARK" != +bad ] || return 0
    sick "$O" && return
    RESULT=yes NEXT=$(running "$O" standby "$L")
    # It has turned well this moment, or what it holds is not known to have been live.
    [[ $KIND != '('* ]] || { RESULT=any NEXT="$NEXT"$'\n'"$SAME"; }
}

predict_abort() {
    [[ $KIND = healthy && $RUN = running ]] && RESULT=yes NEXT=$(running "$L" absent none)
    [[ $KIND != '('* ]] || { RESULT=any NEXT="$SAME"$'\n'"$(running "$L" absent none)"; }
}

# What only older releases need goes, and with it the standby that is one.
predict_schema() {
    RESULT=any NEXT="$SAME"$'\n'"$(running "$L" absent none)"
}

predict_stop() {
    [ "$RUN" = running ] || return 0
    RESULT=yes NEXT="stopped live=none other=(.*, )?stopped $L(\+left)?(, .*)?"
}

predict_start() {
    [ "$RUN" = stopped ] && ! sick "$L" || return 0
    RESULT=yes NEXT="running live=(live|unhealthy) $L other=.*"
}

predict_test() {
    [ "$RUN" = running ] && [[ $KIND =~ standby|healthy ]] && ! sick "$O" && ! untested "$O" || return 0
    RESULT=yes
    [[ $KIND != '('* ]] || RESULT=any
}

predict_rehearse() {
    [ "$RUN" = running ] && [ "$KIND" = standby ] && [ "$MARK" != +bad ] && ! sick "$O" && ! sick "$L" && RESULT=yes
    [[ $KIND != '('* ]] || RESULT=any
}

# What follows when the live release is sick or was lost: the agent may go over to the standby.
may_fail_over() {
    [ "$RUN" = running ] || return 0
    NEXT="$NEXT"$'\n'"$(running "$O" standby "$L")"
    sick "$L" && NEXT="$NEXT"$'\n'"running live=(live|unhealthy) .*"
    :
}

# What may be left when the agent dies in a command: what was there, what was to be, or that with the staged zone given up.
may_be_undone() {
    RESULT=any NEXT="$NEXT"$'\n'"$SAME"$'\n'"${SAME%% other=*} other=(absent|failed) .*"
}

# --- the steps ----------------------------------------------------------------------------------------------

# command NOW|LATER VERB [ARG...]
order() {
    local when=$1 status=0 said=$WORLD/said
    shift
    if [ "$when" = later ]; then
        timeout 40 "$BUILD/bluegreen" --socket "$BLUEGREEN_SOCKET" "$@" >"$said.later" 2>&1 &
        BEHIND=$!
        return
    fi
    timeout 40 "$BUILD/bluegreen" --socket "$BLUEGREEN_SOCKET" "$@" >"$said" 2>&1 || status=$?
    case $RESULT$status in
    yes0 | no1 | any0 | any1) ;;
    *) fail "bluegreen $*: exit status $status, but it should have said $RESULT; it said: $(cat "$said")" ;;
    esac
}

strike() { # WHAT
    local pid=null
    case $1 in
    agent) agent_kill9 && agent_start ;;
    term) agent_stop && agent_start ;;
    hup) kill -HUP "$AGENT" ;;
    rules) nft flush ruleset 2>/dev/null || : ;;
    api | probe)
        [ "$1" = api ] && pid=bluegreen-api || pid=bluegreen-probe
        pid=$(pgrep -P "$AGENT" -f -- "$pid") || pid=null
        ;;
    live-*) pid=$(bg status "$APP" --json | jq -r '. as $a | .zones[.live // "none"].'"${1/live-/}") ;;
    other-*) pid=$(bg status "$APP" --json | jq -r '. as $a | .zones[["blue", "green"] - [.live] | .[0]].'"${1/other-/}") ;;
    esac
    [ "${pid:-null}" = null ] || kill -KILL "$pid" 2>/dev/null || :
    wait_for 10 agent_answers
}

# Files that only the world sees: a release is sick, or its test fails, from now on or no more.
toggle() {
    local file=$SHARED/$1
    if [ -e "$file" ]; then rm "$file"; else touch "$file"; fi
}

clients_may_notice() {
    NOTICED=yes
}

a_command() {
    local verb
    pick deploy deploy deploy deploy stage stage switch rollback rollback abort stop start start remove finish reload drain test \
        rehearse schema schema
    verb=$PICKED
    # Most of the time what can be done, or little would happen.
    pick likely likely any
    [ "$PICKED" = any ] || case "$RUN $KIND" in
    empty*) verb=deploy ;;
    stopped*) verb=start ;;
    *standby*) pick rollback rollback switch "$verb" "$verb" && verb=$PICKED ;;
    *healthy*) pick switch abort "$verb" "$verb" && verb=$PICKED ;;
    esac
    local arguments=("$verb" "$APP")
    case $verb in
    deploy | stage) pick v1 v2 && arguments+=("$PICKED") && predict "$verb" "$PICKED" ;;
    remove) arguments+=(--force) && predict remove ;;
    schema) arguments+=(contract --yes) && predict schema ;;
    reload) arguments=(reload) && predict reload ;;
    *) predict "$verb" ;;
    esac
    [[ $verb != stop && $verb != start && $verb != remove && -n $L ]] || clients_may_notice
    may_fail_over_if_sick
    pick alone alone struck
    if [ "$PICKED" = alone ]; then
        echo "  ${arguments[*]} ($RESULT)"
        order now "${arguments[@]}"
        return
    fi
    may_be_undone
    [ "$RUN" != stopped ] || clients_may_notice
    order later "${arguments[@]}"
    sleep "0.0$((RANDOM % 10))"
    pick agent agent agent api probe
    echo "  ${arguments[*]}, and kill $PICKED"
    strike "$PICKED"
}

may_fail_over_if_sick() {
    if [ -n "$L" ] && sick "$L"; then may_fail_over; fi
}

a_strike() {
    RESULT=any NEXT=$SAME
    pick agent term hup rules api probe live-pid other-pid live-shim_pid other-shim_pid
    echo "  kill $PICKED"
    case $PICKED in
    live-*) clients_may_notice && may_fail_over ;;
    other-shim*) NEXT="$NEXT"$'\n'"${SAME%% other=*} other=failed .*" ;;
    esac
    may_fail_over_if_sick
    strike "$PICKED"
}

a_turn() {
    local file
    pick sick.v1 sick.v2 sick.v1 sick.v2 untested.v1 untested.v2 more more less
    case $PICKED in
    more | less)
        needs_other "$PICKED"
        return
        ;;
    esac
    file=$PICKED
    # Mostly well: else little happens.
    pick toggle toggle well
    if [ "$PICKED" = well ]; then rm -f "$SHARED"/sick.* "$SHARED"/untested.*; else toggle "$file"; fi
    echo "  $PICKED $file; now: $(cd "$SHARED" && echo *.*)"
    RESULT=any NEXT=$SAME
    [ -z "$L" ] || may_fail_over
}

# The file says that the next release needs more of the schema than the one before, or less.
needs_other() {
    if [ "$1" = more ]; then NEEDS[$APP]=$((NEEDS[$APP] + 1)); else NEEDS[$APP]=$((NEEDS[$APP] - (NEEDS[$APP] > 1))); fi
    sed -i "s/^needs = .*/needs = ${NEEDS[$APP]}/" "$WORLD/etc/apps/$APP.conf"
    echo "  needs ${NEEDS[$APP]}"
    RESULT=any NEXT=$SAME
    may_fail_over_if_sick
}

# In SCHEMA, EXPANDED and CONTRACTED.
look_at_schema() {
    local document
    document=$(bg status "$APP" --json | jq -r '.schema | "\(.state // "none") \(.expanded // 0) \(.contracted // 0)"') || return 1
    read -r SCHEMA EXPANDED CONTRACTED <<<"$document"
}

# Nothing is under way that nobody does, what was contracted for stays so, and live can run on what there is.
schema_is_true() {
    local needs
    look_at_schema || return 1
    WHY="the schema is $SCHEMA, and nothing runs"
    [[ $SCHEMA != *ing ]] || return 1
    WHY="a contract for ${CONTRACTS[$APP]:-0} became one for $CONTRACTED"
    [[ $STATE == empty* ]] || [ "$CONTRACTED" -ge "${CONTRACTS[$APP]:-0}" ] || return 1
    CONTRACTS[$APP]=$CONTRACTED
    [[ $STATE == running* ]] || return 0
    needs=$(bg schema "$APP" --json | jq -r --arg live "$LIVE" '.items[] | select(.name == "needs") | .[$live]') || return 1
    WHY="$RELEASE is live and needs ${needs:-?} of a schema that is expanded to $EXPANDED and contracted for $CONTRACTED"
    [ "${needs:-none}" != none ] && [ "$needs" -ge "$CONTRACTED" ] && [ "$needs" -le "$EXPANDED" ]
}

# The other app's releases are the same files: it has the same trouble.
one_step() {
    pick web web api && APP=$PICKED
    look && wait_for 20 quiet
    take_apart
    look_at_schema
    # Both are in flux while one is sick: "same" leaves open which verdict is told.
    SAME=$(sed -E 's/[+]/\\+/g; s/live=(live|unhealthy)/live=(live|unhealthy)/; s/other=(standby|unhealthy|healthy)/other=(\1|standby|unhealthy)/; s/ baking//' <<<"$STATE")
    # Of an app that never was live no more is foreseen than that it does not become it by itself.
    [ "$RUN" != empty ] || SAME='empty live=none .*'
    case $SAME in *other=*+left* | *other=*+bad*) ;; *) SAME="$SAME(\\+left)?" ;; esac
    NOTICED='' BEHIND=''
    echo "step $1: $APP is $STATE"
    pick command command command command strike turn
    "a_$PICKED"
    settle "$1"
}

quiet() {
    look && [[ $STATE != *busy* && $STATE != *draining* && $STATE != *starting* && $STATE != *staging* ]]
}

right() {
    quiet && grep -qxE -- "$NEXT" <<<"$STATE"
}

settle() {
    local other
    if [ -n "$BEHIND" ]; then
        wait "$BEHIND" || [ $? -ne 124 ] || fail "a command never ended: $(cat "$WORLD/said.later")"
    fi
    wait_for 20 right 2>/dev/null || fail "step $1: $APP is '$STATE', and should be one of:
$NEXT"
    for other in web api; do
        APP=$other
        wait_for 10 quiet || fail "step $1: $APP is stuck: $STATE"
        wait_for 10 all_is_well || fail "step $1: $APP: $WHY; it is '$STATE'"
    done
    expect_no_gaps "$1"
    ! grep -E 'this is a bug|AddressSanitizer|runtime error' "$WORLD/agent.log" || fail "step $1: a bug"
}

all_is_well() {
    look && status_is_true && nothing_is_left && schema_is_true
}

# --- clients ---------------------------------------------------------------------------------------------------

# Asks again and again; a line for each request that failed while the app had to serve.
client_of() { # APP
    while :; do
        on_client curl -s -f -m 5 -o /dev/null "http://203.0.113.10:${PORT[$1]}/bytes/1/2000" ||
            echo "$(date +%T.%N) curl: $?" >>"$WORLD/gaps.$1"
        sleep 0.02
    done
}

expect_no_gaps() {
    local app
    for app in web api; do
        APP=$app
        look
        if [ -n "$NOTICED" ] || [[ $STATE != running* ]] || [ -z "${SERVED[$app]:-}" ]; then
            # A request may still be on its way to what has gone.
            sleep 0.15
            : >"$WORLD/gaps.$app"
        elif [ -s "$WORLD/gaps.$app" ]; then
            fail "step $1: clients of $app noticed something: $(cat "$WORLD/gaps.$app")"
        fi
        SERVED[$app]=
        [[ $STATE != running* ]] || SERVED[$app]=yes
    done
}

# --- the test --------------------------------------------------------------------------------------------------

test_life_at_random() {
    RANDOM=${SEED:=20261}
    echo "SEED=$SEED"
    world_net
    local app step
    for app in web api; do
        life_conf "$app" '[failover]' 'auto = yes' '[restart]' 'limit = 100' 'delay = 100ms' 'max_delay = 100ms' \
            '[schema]' 'needs = 1' 'expand = host:/bin/true' 'contract = host:/bin/true'
    done
    declare -gA SERVED=() SERVED_LAST=() CONTRACTS=() NEEDS=([web]=1 [api]=1)
    agent_start
    for app in web api; do
        bg deploy "$app" v1 >/dev/null
        client_of "$app" 2>/dev/null &
    done
    SECONDS=0
    for ((step = 1; step <= ${STEPS:-100000} && (${STEPS:-0} || SECONDS < ${MODEL_SECONDS:-60}); step++)); do
        one_step "$step"
    done
    echo "$((step - 1)) steps"
    bg remove web --force >/dev/null
    bg remove api --force >/dev/null
    for APP in web api; do
        wait_for 10 all_is_well || fail "after the end: $WHY"
    done
}

run_tests
