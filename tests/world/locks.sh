#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who keeps others from changing an app, who waits for a turn, and that nobody waits for another app's.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

not_operating() {
    [ "$(bg status web --json | jq -r '.operation')" = null ]
}

queued() {
    [ "$(status_of .queued)" = "$1" ]
}

# The next deploy stays in a hook, and nothing else happens.
hang_next() {
    web_conf web 80 '[hooks]' 'pre_start = /bin/sleep 4000'
}

released() {
    bg history web --json | jq -r '[.entries[] | select(.verb == "deploy") | .release + (if .done then "" else "!" end)] | join(" ")'
}


# --- locks ------------------------------------------------------------------------------------------------

test_a_lock_bars_what_changes_and_says_why() {
    ready_web
    bg deploy web v1
    bg deploy web v2
    wait_for 5 is_state blue standby
    expect_status 0 bg lock web -m 'moving the host'
    expect_match 'web is locked: rollback, abort and finish still work' "$OUTPUT"
    local verb
    for verb in 'deploy web v1' 'stage web v1' 'deploy web v1 --wait' 'test web' 'switch web' 'stop web' 'start web' \
        'remove web --force' 'rehearse web' 'schema web expand' 'schema web contract' 'release web prune' \
        'release web fetch v1'; do
        # shellcheck disable=SC2086
        expect_status 1 bg $verb
        expect_match 'web is locked by root \(uid 0\) since [0-9][0-9]:[0-9][0-9]: moving the host; "bluegreen unlock web" when it is over' \
            "$OUTPUT" "$verb"
    done
    expect_eq v2 "$(release_seen)"
    # It is seen.
    expect_match 'locked +moving the host, since .*, by root \(uid 0\)' "$(bg status web)"
    expect_eq 'root (uid 0) moving the host' "$(status_of '.lock.who + " " + .lock.reason')"
    expect_match '^20[0-9-]+T[0-9:.]+Z$' "$(status_of .lock.since)"
    # Looking is free.
    for verb in 'status web' 'history web' 'logs web' 'exec web -- true' 'attach web' 'drain web' 'finish web' \
        'wait web live'; do
        # shellcheck disable=SC2086
        expect_status 0 bg $verb
    done
    expect_status 0 bg rollback web
    expect_eq v1 "$(release_seen)"
    expect_status 0 bg unlock web
    expect_match 'web is unlocked; it was locked by root \(uid 0\): moving the host' "$OUTPUT"
    expect_status 0 bg deploy web v2
    expect_eq v2 "$(release_seen)"
    expect_eq null "$(bg status web --json | jq -r .lock)"
    bg history web --json | json '[.entries[] | select(.verb == "lock" and .done and .who == "root (uid 0)"
        and .reason == "moving the host" and .to == null)] | length == 1' >/dev/null || fail "no lock in the history"
    bg history web --json | json '[.entries[] | select(.verb == "unlock" and .done)] | length == 1' >/dev/null ||
        fail "no unlock in the history"
}

test_a_lock_of_somebody_else_is_not_taken_over() {
    ready_web
    bg lock web -m first
    expect_status 1 bg lock web -m second
    expect_match 'web is locked by root .*: first' "$OUTPUT"
    expect_eq first "$(status_of .lock.reason)"
    bg unlock web
    expect_status 0 bg unlock web
    expect_match 'web is not locked' "$OUTPUT"
    expect_status 1 bg lock nope -m why
    expect_match 'there is no app nope' "$OUTPUT"
    expect_status 2 bg lock web
    expect_match "why\\?" "$OUTPUT"
    expect_status 1 as_user nosy "$BUILD/bluegreen" lock web -m why
    expect_match 'may look but not lock' "$OUTPUT"
    expect_status 1 as_user nosy "$BUILD/bluegreen" unlock web
    # An operator may, and is named.
    expect_status 0 as_user oper "$BUILD/bluegreen" lock web -m 'from outside'
    expect_match '^oper \(uid ' "$(status_of .lock.who)"
    expect_status 1 bg deploy web v1
    expect_match 'locked by oper' "$OUTPUT"
}

test_a_lock_outlives_the_agent() {
    ready_web
    bg lock web -m 'before its first release'
    agent_kill9
    agent_start
    expect_status 1 bg deploy web v1
    expect_match 'locked by root .*before its first release' "$OUTPUT"
    agent_stop || :
    agent_start
    expect_eq 'before its first release' "$(status_of .lock.reason)"
    bg unlock web
    agent_kill9
    agent_start
    expect_status 0 bg deploy web v1
}

test_the_agents_own_way_back_is_not_locked() {
    ready_web '[bake]' 'time = 1h' '[failover]' 'auto = yes'
    bg deploy web v1
    bg finish web
    bg deploy web v2
    wait_for 5 is_state blue standby
    bg lock web -m night
    kill -SEGV "$(status_of .zones.green.pid)"
    wait_for 10 answers v1
    expect_eq 'bluegreen (bake)' "$(bg history web --json | json '[.entries[] | select(.verb == "rollback")] | last | .who')"
    expect_eq night "$(status_of .lock.reason)"
}

test_a_failover_is_not_locked() {
    ready_web 'failures = 2' 'timeout = 500ms' '[failover]' 'auto = yes'
    bg deploy web v1
    bg deploy web v2
    wait_for 5 is_state blue standby
    bg lock web -m night
    kill -STOP "$(status_of .zones.green.pid)"
    wait_for 20 answers v1
    expect_eq true "$(bg history web --json | json '[.entries[] | select(.verb == "failover")] | last | .done')"
}

test_a_lock_leaves_what_runs_and_abort_works() {
    ready_web
    bg deploy web v1
    slow_start 20000
    bg deploy web v2 >"$WORLD/first" 2>&1 &
    local first=$! status=0
    wait_for 5 operating health
    expect_status 0 bg lock web -m 'stop that'
    expect_match 'the operation that runs goes on' "$OUTPUT"
    operating health || fail "the deploy did not go on"
    expect_status 0 bg abort web
    wait "$first" || status=$?
    expect_eq 1 "$status"
    expect_eq v1 "$(release_seen)"
}

# --- turns ------------------------------------------------------------------------------------------------

test_who_waits_comes_in_turn() {
    ready_web
    bg deploy web v1
    slow_start 1000
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 5 operating health
    bg deploy web v1 --wait >"$WORLD/second" 2>&1 &
    local second=$!
    wait_for 5 queued 1
    bg deploy web v2 --wait --json >"$WORLD/third" 2>&1 &
    local third=$!
    wait_for 5 queued 2
    expect_match 'waiting +2 for their turn' "$(bg status web)"
    # Without it nobody waits.
    expect_status 1 bg deploy web v1
    expect_match 'web is busy: root \(uid 0\) is doing "deploy v2"' "$OUTPUT"
    wait "$second" || fail "second: $(cat "$WORLD/second")"
    wait "$third" || fail "third: $(cat "$WORLD/third")"
    expect_eq 'v1 v2 v1 v2' "$(released)"
    expect_match 'queue .*waiting for: root \(uid 0\) is doing deploy v2 \(step health\).*turn .*its turn has come.*web is live' \
        "$(tr '\n' ' ' <"$WORLD/second")"
    head -n 1 "$WORLD/third" | json '.step == "queue" and .zone == null' >/dev/null || fail "$(cat "$WORLD/third")"
    grep -q 'is doing deploy v1' "$WORLD/third" || fail "it did not hear of the second: $(cat "$WORLD/third")"
    tail -n 1 "$WORLD/third" | json '.release == "v2"' >/dev/null || fail "$(cat "$WORLD/third")"
    expect_eq 0 "$(status_of .queued)"
}

test_everything_is_looked_at_anew_when_the_turn_comes() {
    ready_web
    bg deploy web v1
    slow_start 1500
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 5 operating health
    bg stage web v1 --wait >"$WORLD/second" 2>&1 &
    local second=$! status=0
    wait_for 5 queued 1
    # The file is read when it is its turn.
    sed -i 's|--start-delay 1500|--fail-start|' "$WORLD/etc/apps/web.conf"
    wait "$second" || status=$?
    expect_eq 1 "$status"
    expect_match 'exits again and again' "$(cat "$WORLD/second")"
    bg stop web
    bg start web >/dev/null
    expect_eq v2 "$(release_seen)"
}

test_a_drain_is_waited_for_too() {
    ready_web '[drain]' 'timeout = 2s'
    bg deploy web v1
    on_client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    wait_for 5 grep -q answer "$WORLD/held"
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 10 is_state blue draining
    expect_status 1 bg deploy web v1
    expect_match 'still draining' "$OUTPUT"
    expect_status 0 bg deploy web v1 --wait
    expect_match 'waiting: zone blue of web is still draining 1 connections' "$OUTPUT"
    expect_eq v1 "$(release_seen)"
}

test_who_goes_gives_the_turn_up() {
    ready_web
    bg deploy web v1
    hang_next
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 5 operating pre-start
    "$BUILD/bluegreen" deploy web v1 --wait >"$WORLD/second" 2>&1 &
    local second=$! status=0
    wait_for 5 queued 1
    kill -TERM "$second"
    wait "$second" || status=$?
    expect_eq 143 "$status"
    expect_match 'interrupted before its turn: the deploy was not begun, and will not be' "$(cat "$WORLD/second")"
    wait_for 2 queued 0
    operating pre-start || fail "the one that ran was ended"
    bg abort web
    wait_for 5 not_operating
    expect_eq 'v1 v2!' "$(released)"
    expect_eq v1 "$(release_seen)"
}

test_an_abort_ends_only_what_runs() {
    ready_web
    bg deploy web v1
    slow_start 20000
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 5 operating health
    bg stop web --wait >"$WORLD/second" 2>&1 &
    local second=$!
    wait_for 5 queued 1
    bg abort web
    wait "$second" || fail "second: $(cat "$WORLD/second")"
    expect_eq stopped "$(status_of .state)"
}

test_a_lock_meanwhile_refuses_who_waits() {
    ready_web
    bg deploy web v1
    hang_next
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 5 operating pre-start
    bg deploy web v1 --wait >"$WORLD/second" 2>&1 &
    local second=$! status=0
    wait_for 5 queued 1
    bg lock web -m 'enough for today'
    wait "$second" || status=$?
    expect_eq 1 "$status"
    expect_match 'web is locked by root .*enough for today' "$(cat "$WORLD/second")"
    operating pre-start || fail "the one that ran was ended"
    bg abort web
}

test_not_too_many_wait() {
    ready_web
    bg deploy web v1
    slow_start 20000
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 5 operating health
    local i
    for i in 1 2 3 4 5 6 7 8; do
        bg test web --wait >/dev/null 2>&1 &
        wait_for 5 queued "$i"
    done
    expect_status 1 bg test web --wait
    expect_match 'no more can wait for their turn: at most 8 for each app' "$OUTPUT"
    expect_status 2 bg finish web --wait
    bg abort web
    # Nothing is staged: each of them is refused for that in its turn.
    wait_for 10 queued 0
}

# --- two apps ---------------------------------------------------------------------------------------------

test_two_apps_do_not_wait_for_each_other() {
    ready_web
    bg deploy web v1
    web_conf other 81 '[hooks]' 'pre_start = /bin/sleep 4000'
    release_install other v1
    bg deploy other v1 >"$WORLD/other" 2>&1 &
    local other=$! status=0 began=${EPOCHREALTIME/./}
    wait_for 5 operating pre-start other
    bg lock other -m 'it hangs'
    expect_status 0 bg deploy web v2
    expect_status 0 bg deploy web v1 --wait
    [ $((${EPOCHREALTIME/./} - began)) -lt 8000000 ] || fail "it took $((${EPOCHREALTIME/./} - began)) us"
    operating pre-start other || fail "the other one is not in its hook: $(bg status other)"
    expect_no_match 'queue|waiting (for:|behind)' "$OUTPUT"
    bg abort other
    wait "$other" || status=$?
    expect_eq 1 "$status"
    expect_eq v1 "$(release_seen)"
}

run_tests "$@"
