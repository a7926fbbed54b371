#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Hooks and the test gate when the operation is aborted or taken back, or the agent killed or ended, while one runs.
# Hooks have dollars of their own.
# shellcheck disable=SC2016
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/hooks_lib.sh
. "$ROOT/tests/drivers/hooks_lib.sh"

test_abort() {
    local place hook pid
    ready_hooks
    hook_script hang 'sleep 4000 &' 'setsid sleep 4001 &' 'sleep 4002'
    for place in '' 'host: '; do
        for hook in pre_start test pre_switch; do
            configure '[hooks]' "$(HOOK "$hook" hang "$place")" "$(HOOK on_failure plain)"
            rm -f "$NOTES/log"
            "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" deploy web v2 >"$WORLD/out" 2>&1 &
            pid=$!
            wait_for 10 some_sleepers 3
            bg abort web >/dev/null
            wait "$pid" && fail "an aborted deploy succeeded"
            expect_match "aborted by root.* in step ${hook/_/-}" "$(cat "$WORLD/out")"
            wait_for 5 no_sleepers
            expect_eq v1 "$(release_seen)" "what is live"
            expect_eq "$hook" "$(notes)" "an abort is no failure that has to be told"
        done
    done
    # behind the switch it is the way back
    configure '[hooks]' "$(HOOK post_switch hang)"
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 10 some_sleepers 3
    expect_eq v2 "$(release_seen)" "what is live"
    bg abort web >/dev/null
    wait_for 10 answers_and_settled v1
    wait_for 5 no_sleepers
}

rolled_back() { # VERB N: the Nth rollback
    wait "$pid" && fail "$1 says that it is done"
    expect_eq v1 "$(release_seen)" "what is live"
    expect_match "$1 web v2: ended in step post-switch, because root.* asked for a rollback" "$(cat "$WORLD/out")"
    expect_match '^ended in step post-switch, because root' "$(last_of "$1" .reason)"
    expect_eq false "$(bg history web --json | jq "[.entries[] | select(.verb == \"$1\")] | last | .done")"
    expect_eq "$2" "$(bg history web --json | jq '[.entries[] | select(.verb == "rollback" and .done)] | length')"
    expect_match '^root' "$(bg history web --json | json '[.entries[] | select(.verb == "rollback")] | last | .who')"
    wait_for 5 no_sleepers
    expect_no_match '^bad' "$(status_of .zones.green.detail)"
    expect_no_match on_failure "$(notes)" "somebody has decided, nothing has failed"
}

# The switch has happened: the hook behind it keeps nobody from the way back, also where it bakes.
test_rollback_while_post_switch_runs() {
    local place pid n=0
    ready_hooks
    hook_script hang 'sleep 4002'
    for place in '' 'host: '; do
        configure '[hooks]' "$(HOOK post_switch hang "$place")" "$(HOOK on_failure plain)" '[bake]' 'time = 5m'
        bg deploy web v2 >"$WORLD/out" 2>&1 &
        pid=$!
        wait_for 10 some_sleepers 1
        expect_eq v2 "$(release_seen)" "what is live"
        expect_status 0 bg rollback web
        rolled_back deploy $((n += 1))
        expect_eq false "$(bg status web --json | jq '.bake != null')" "there is a bake"
        wait_for 10 is_state green standby
        bg switch web >"$WORLD/out" 2>&1 &
        pid=$!
        wait_for 10 some_sleepers 1
        expect_status 0 bg rollback web
        rolled_back switch $((n += 1))
    done
}

# There is nothing to go back to, so what was switched to stays, and its hook goes on.
test_rollback_behind_the_first_switch() {
    ready_hooks
    bg remove web --force >/dev/null
    hook_script hang 'sleep 4002'
    configure '[hooks]' "$(HOOK post_switch hang)"
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 10 some_sleepers 1
    expect_status 1 bg rollback web
    expect_match 'there is nothing to switch to' "$OUTPUT"
    some_sleepers 1 || fail "the hook was ended"
    expect_eq post-switch "$(status_of .operation.step)"
}

# There is nothing to go back to, so what was switched to stays.
test_abort_behind_the_first_switch() {
    ready_hooks
    bg remove web --force >/dev/null
    hook_script hang 'sleep 4002'
    configure '[hooks]' "$(HOOK post_switch hang)"
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 10 some_sleepers 1
    bg abort web >/dev/null || :
    wait_for 5 no_sleepers
    sleep 0.3
    kill -0 "$AGENT"
    expect_eq v2 "$(release_seen)" "what is live"
}

test_agent_killed() {
    local place hook
    ready_hooks
    hook_script hang 'sleep 4000 &' 'setsid sleep 4001 &' '(setsid bash -c "trap \"\" TERM; sleep 4002 & wait" &)' \
        'sleep 4003'
    for place in '' 'host: '; do
        for hook in pre_start test pre_switch; do
            configure '[hooks]' "$(HOOK "$hook" hang "$place")"
            bg deploy web v2 >/dev/null 2>&1 &
            wait_for 10 some_sleepers 4
            agent_kill9
            # on the host they are gone with the agent; in the zone the next one ends them
            [ -z "$place" ] || wait_for 2 no_sleepers
            agent_start
            wait_for 5 no_sleepers
            expect_eq v1 "$(release_seen)" "what is live"
            is_state green failed || fail "green is not failed: $(bg status web)"
        done
    done
}

# The zone stays, the hook in it does not.
test_agent_killed_in_a_rollback() {
    local place
    ready_hooks
    hook_script hang 'sleep 4000 &' 'setsid sleep 4001 &' 'sleep 4002'
    for place in '' 'host: '; do
        configure '[hooks]' "$(HOOK pre_rollback hang "$place")"
        bg deploy web v2 >/dev/null
        bg deploy web v1 >/dev/null
        bg rollback web >/dev/null 2>&1 &
        wait_for 10 some_sleepers 3
        agent_kill9
        [ -z "$place" ] || wait_for 2 no_sleepers
        agent_start
        wait_for 5 no_sleepers
        expect_eq v1 "$(release_seen)" "what is live"
        wait_for 5 is_state green standby
    done
}

# What was switched stays switched: the hook has not said no.
test_agent_killed_in_post_switch() {
    local place
    ready_hooks
    hook_script hang 'sleep 4000 &' 'setsid sleep 4001 &' 'sleep 4002'
    for place in '' 'host: '; do
        configure '[hooks]' "$(HOOK post_switch hang "$place")"
        bg deploy web v2 >/dev/null 2>&1 &
        wait_for 10 some_sleepers 3
        agent_kill9
        agent_start
        wait_for 5 no_sleepers
        expect_eq v2 "$(release_seen)" "what is live"
        configure
        bg rollback web >/dev/null
        expect_eq v1 "$(release_seen)" "after the rollback"
    done
}

test_agent_ends() {
    local place
    ready_hooks
    hook_script hang 'sleep 4000 &' 'setsid sleep 4001 &' 'sleep 4002'
    for place in '' 'host: '; do
        configure '[hooks]' "$(HOOK test hang "$place")"
        bg deploy web v2 >/dev/null 2>&1 &
        wait_for 10 some_sleepers 3
        agent_stop || :
        wait_for 5 no_sleepers
        agent_start
        expect_eq v1 "$(release_seen)" "what is live"
    done
}

run_tests "$@"
