#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Groups: apps web and domain are switched and rolled back in one transaction, or not at all.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/group_lib.sh
. "$ROOT/tests/drivers/group_lib.sh"

# Hooks of domain's v2 only: `test -e FILE || COMMAND`.
SHARED=$WORLD/shared

# hook_of RELEASE SCRIPT: $WORLD/srv/hooks/RELEASE, which the hook lines below run.
hook_of() {
    mkdir -p "$WORLD/srv/hooks"
    printf '#!/bin/bash\n%s\n' "$2" >"$WORLD/srv/hooks/$1"
    chmod 755 "$WORLD/srv/hooks/$1"
}

ready_hooks() { # HOOK: domain's
    local release
    install -d -m 777 "$SHARED"
    for release in v1 v2 v3; do
        hook_of "$release" true
    done
    CONF=([domain]="[hooks]
$1 = host:$WORLD/srv/hooks/%r
on_failure = host:/bin/bash -c 'echo domain \$BLUEGREEN_REASON >>$SHARED/told'"
        [web]="[hooks]
on_failure = host:/bin/bash -c 'echo web \$BLUEGREEN_REASON >>$SHARED/told'
on_rollback = host:/bin/bash -c 'echo back \$BLUEGREEN_REASON >>$SHARED/told'")
    ready_group
}

# --- together ----------------------------------------------------------------------------------------------

test_one_transaction_for_all() {
    ready_group
    stage_all v2
    pairs_start v1 v2
    expect_status 0 bg switch --group shop
    echo "$OUTPUT"
    expect_match 'group shop: 2 apps moved in one transaction of [0-9]+ us' "$OUTPUT"
    expect_match 'web: v2 is live on green, before it blue' "$OUTPUT"
    expect_match 'domain: v2 is live on green, before it blue' "$OUTPUT"
    sleep 0.2
    pairs_end
    expect_eq 0 "$MIXED" "domain and web of different releases"
    [ "$ASKED" -gt 100 ] || fail "too few pairs to mean anything: $ASKED"
    all_serve v2
    local app
    for app in web domain; do
        expect_eq 'true together with group shop' "$(last_of "$app" switch '"\(.done) \(.reason)"')" "history of $app"
        expect_eq shop "$(of "$app" .group)"
    done
    wait_for 5 all_are standby blue
    # And back: exactly that.
    pairs_start v2 v1
    expect_status 0 bg rollback --group shop --json
    expect_eq 'domain:v1:v2 web:v1:v2' "$(tail -n 1 <<<"$OUTPUT" | jq -r \
        '[.items[] | select(.kind == "app") | "\(.name):\(.blue):\(.green)"] | sort | join(" ")')" "rows"
    sleep 0.2
    pairs_end
    expect_eq 0 "$MIXED" "domain and web of different releases"
    all_serve v1
}

# The same clients do see two switches that are not one.
test_the_clients_would_see_two_transactions() {
    ready_group
    stage_all v2
    pairs_start v1 v2
    bg switch web >/dev/null
    bg switch domain >/dev/null
    pairs_end
    [ "$MIXED" -gt 0 ] || fail "$ASKED pairs, and nobody saw web of v2 with domain of v1"
}

test_the_first_releases_come_together() {
    CONF=()
    prepare_group
    stage_all v1
    expect_status 1 bg rollback --group shop
    expect_match 'was not switched as a group' "$OUTPUT"
    expect_status 0 bg switch --group shop
    expect_match 'web: v1 is live on blue, before it nothing' "$OUTPUT"
    all_serve v1
    agent_kill9
    agent_start
    all_serve v1
    # There is nothing before it.
    expect_status 1 bg rollback --group shop
    expect_match 'nothing to switch to' "$OUTPUT"
}

test_who_has_nothing_staged_stays() {
    ready_group
    bg stage web v2 >/dev/null
    expect_status 0 bg switch --group shop
    expect_match 'domain stays as it is: nothing is staged' "$OUTPUT"
    expect_match '1 app moved' "$OUTPUT"
    expect_eq 'v2 v1' "$(seen)"
    # Nothing else to move now.
    expect_status 1 bg switch --group shop
    expect_match 'nothing is staged in group shop' "$OUTPUT"
    # Back goes what had come, and it alone.
    expect_status 0 bg rollback --group shop
    expect_eq 'v1 v1' "$(seen)"
    expect_eq 0 "$(bg history domain --json | jq '[.entries[] | select(.verb == "rollback")] | length')"
}

# --- refused ------------------------------------------------------------------------------------------------

test_a_group_that_is_none() {
    ready_group
    expect_status 1 bg switch --group market
    expect_match 'no app is in a group market' "$OUTPUT"
    expect_status 2 bg switch --group shop web
    expect_status 2 bg switch
    expect_status 2 bg switch --group 'No/Name'
    expect_status 2 bg stop --group shop
}

test_what_was_moved_since_is_not_undone_together() {
    ready_group
    stage_all v2
    bg switch --group shop >/dev/null
    bg rollback domain >/dev/null
    expect_status 1 bg rollback --group shop
    expect_match 'group shop moved .*since then of domain: it was switched by itself.*bluegreen rollback APP' "$OUTPUT"
    expect_eq 'v2 v1' "$(seen)"
    # There and back again is as it was, also for an agent that only has the journal.
    bg switch domain >/dev/null
    agent_kill9
    agent_start
    wait_for 5 all_are standby blue
    expect_status 0 bg rollback --group shop
    expect_eq 'v1 v1' "$(seen)"
    # Twice back is forward again, as it is for one app.
    expect_status 0 bg rollback --group shop
    expect_eq 'v2 v2' "$(seen)"
    bg deploy web v3 >/dev/null
    bg deploy web v2 >/dev/null
    expect_status 1 bg rollback --group shop
    expect_match 'of web: another release was put into one of its zones' "$OUTPUT"
}

test_busy_is_refused_or_waits() {
    ready_hooks test
    hook_of v2 "sleep 1.5"
    stage_all v2
    bg test domain >"$WORLD/test" 2>&1 &
    wait_for 5 at_step domain test
    expect_status 1 bg switch --group shop
    expect_match 'domain is busy' "$OUTPUT"
    expect_eq 'v1 v1' "$(seen)"
    expect_eq null "$(of web '.operation | tostring' | tr -d '"')"
    expect_status 0 bg switch --group shop --wait
    expect_eq 'v2 v2' "$(seen)"
}

# --- all or none --------------------------------------------------------------------------------------------

sick() {
    [ "$(of "$1" ".zones.$2.verdict")" = unhealthy ]
}

test_one_that_is_not_healthy_keeps_all() {
    ready_group
    stage_all v2
    kill -STOP "$(of domain .zones.green.pid)"
    wait_for 30 sick domain green
    expect_status 1 bg switch --group shop
    expect_match 'switch domain v2: .*not healthy' "$OUTPUT"
    expect_match 'None of group shop moved' "$OUTPUT"
    expect_eq 'v1 v1' "$(seen)"
    expect_match '^false group shop: domain: v2 is not healthy' "$(last_of web switch '"\(.done) \(.reason)"')"
    # What was staged is staged still.
    kill -CONT "$(of domain .zones.green.pid)"
    wait_for 10 all_are healthy green
    expect_status 0 bg switch --group shop
    expect_eq 'v2 v2' "$(seen)"
}

test_a_hook_that_says_no_keeps_all() {
    ready_hooks pre_switch
    hook_of v2 'echo no >&2; exit 3'
    stage_all v2
    expect_status 1 bg switch --group shop
    expect_match 'switch domain v2: hook pre_switch failed: exit status 3' "$OUTPUT"
    expect_eq 'v1 v1' "$(seen)"
    wait_for 5 grep -q '^domain hook pre_switch failed' "$SHARED/told"
    wait_for 5 grep -q '^web group shop: domain: hook pre_switch failed' "$SHARED/told"
    # Whoever insists gets all of them.
    expect_status 0 bg switch --group shop --force
    expect_eq 'v2 v2' "$(seen)"
}

at_step() {
    [ "$(of "$1" '.operation.step // "none"')" = "$2" ]
}

test_the_abort_of_one_is_the_abort_of_all() {
    ready_hooks pre_switch
    hook_of v2 'sleep 4711'
    stage_all v2
    bg switch --group shop >"$WORLD/switch" 2>&1 &
    local switch=$!
    wait_for 5 at_step web meet
    wait_for 5 at_step domain pre-switch
    expect_match 'web: ready; waits for 1 more of group shop' "$(cat "$WORLD/switch")"
    expect_status 0 bg abort web
    wait "$switch" && fail "it was not aborted: $(cat "$WORLD/switch")"
    expect_match 'aborted by root .* in step meet' "$(cat "$WORLD/switch")"
    expect_eq 'v1 v1' "$(seen)"
    wait_for 5 none_runs 'sleep 4711'
    all_are healthy green || fail "what was staged is gone"
}

none_runs() {
    ! pgrep -f "^$1$" >/dev/null
}

test_one_that_is_lost_while_the_others_wait() {
    ready_hooks pre_switch
    hook_of v2 'sleep 4712'
    stage_all v2
    bg switch --group shop >"$WORLD/switch" 2>&1 &
    local switch=$!
    wait_for 5 at_step web meet
    kill -9 "$(of web .zones.green.shim_pid)"
    wait "$switch" && fail "it moved: $(cat "$WORLD/switch")"
    expect_match "switch web v2: the zone's shim died" "$(cat "$WORLD/switch")"
    expect_eq 'v1 v1' "$(seen)"
}

# --- back together --------------------------------------------------------------------------------------------

bad_v2_was_left() {
    wait_for 10 all_serve v1
    expect_match '^true '"$1" "$(last_of domain rollback '"\(.done) \(.reason)"')"
    expect_match '^true with domain: '"$1" "$(last_of web rollback '"\(.done) \(.reason)"')"
    expect_match '^bad: ' "$(of domain .zones.green.detail)"
    expect_no_match '^bad: ' "$(of web .zones.green.detail)"
}

test_a_hook_behind_the_switch_takes_all_back() {
    ready_hooks post_switch
    hook_of v2 'exit 4'
    stage_all v2
    expect_status 1 bg switch --group shop
    expect_match 'domain: switch domain v2: hook post_switch failed: exit status 4' "$OUTPUT"
    bad_v2_was_left 'hook post_switch failed'
    wait_for 5 grep -q '^back with domain: hook post_switch failed' "$SHARED/told"
}

step_of_domain() {
    [ "$(bg status domain --json | jq -r '.operation.step')" = "$1" ]
}

test_rollback_while_a_hook_behind_the_switch_runs() {
    ready_hooks post_switch
    hook_of v2 'exec sleep 4000'
    stage_all v2
    bg switch --group shop >"$WORLD/switch" 2>&1 &
    local switch=$!
    wait_for 10 step_of_domain post-switch
    all_serve v2
    expect_status 0 bg rollback --group shop
    expect_match 'group shop: 2 apps moved in one transaction' "$OUTPUT"
    wait "$switch" && fail "the switch says that it is done"
    expect_match 'domain: switch domain v2: ended in step post-switch, because root' "$(cat "$WORLD/switch")"
    all_serve v1
    expect_eq 'true root' "$(last_of domain rollback '"\(.done) \(.who[0:4])"')"
    expect_eq 1 "$(bg history domain --json | jq '[.entries[] | select(.verb == "rollback")] | length')"
    pgrep -f 'sleep 4000' && fail "the hook is left"
    [ ! -e "$SHARED/told" ] || expect_no_match '^domain' "$(cat "$SHARED/told")"
}

test_rollback_of_one_while_its_hook_behind_the_switch_runs() {
    ready_hooks post_switch
    hook_of v2 'exec sleep 4000'
    stage_all v2
    bg switch --group shop >"$WORLD/switch" 2>&1 &
    wait_for 10 step_of_domain post-switch
    expect_status 0 bg rollback domain
    serves domain v1
    serves web v2
}

test_a_breach_takes_all_back() {
    install -d -m 777 "$SHARED"
    CONF=([domain]="[bake]
time = 5m
guard = host:/usr/bin/test ! -e $SHARED/bad
interval = 1s" [web]=$'[bake]\ntime = 5m')
    ready_group
    stage_all v2
    bg switch --group shop >/dev/null
    all_serve v2
    pairs_start v2 v1
    touch "$SHARED/bad"
    bad_v2_was_left 'the guard hook failed'
    sleep 0.1
    pairs_end
    expect_eq 0 "$MIXED" "domain and web of different releases"
    expect_eq null "$(of web '.bake | tostring' | tr -d '"')"
    grep -q 'STAYS LIVE' "$WORLD/agent.log" && fail "it was said to stay live"
    :
}

# One that cannot go back must not keep the other.
test_a_breach_without_a_way_back_for_the_other() {
    CONF=([domain]=$'[bake]\ntime = 5m')
    ready_group
    stage_all v2
    bg switch --group shop >/dev/null
    kill -STOP "$(of web .zones.blue.pid)"
    wait_for 30 sick web blue
    kill -9 "$(of domain .zones.green.pid)"
    wait_for 10 serves domain v1
    expect_eq 'v2 v1' "$(seen)"
}

# The other's standby has been silent for a while, and is found out only when it is asked to take over.
test_a_breach_while_the_other_is_failing() {
    CONF=([domain]=$'[bake]\ntime = 5m')
    ready_group
    stage_all v2
    bg switch --group shop >/dev/null
    wait_for 5 all_are standby blue
    kill -STOP "$(of web .zones.blue.pid)"
    sleep 0.9
    kill -9 "$(of domain .zones.green.pid)"
    wait_for 10 serves domain v1
    wait_for 5 grep -q 'group shop: goes back without web: ' "$WORLD/agent.log"
    expect_eq 'v2 v1' "$(seen)"
    expect_eq 'false' "$(last_of web rollback '.done | tostring' | tr -d '"')"
    expect_no_match 'web.*STAYS LIVE' "$(cat "$WORLD/agent.log")"
}

# --- without a journal ----------------------------------------------------------------------------------------

test_a_rollback_goes_ahead_without_a_journal() {
    mkdir -p "$WORLD/state"
    mount -t tmpfs -o size=2m small "$WORLD/state"
    ready_group
    stage_all v2
    bg switch --group shop >/dev/null
    wait_for 5 all_are standby blue
    dd if=/dev/zero of="$WORLD/state/filler" bs=4k 2>/dev/null || :
    local times
    for ((times = 0; times < 60; times++)); do
        grep -q 'the journal cannot be written' "$WORLD/agent.log" && break
        bg rollback web >/dev/null
    done
    grep -q 'the journal cannot be written' "$WORLD/agent.log" || fail "the journal never became full"
    [ "$(seen)" = 'v2 v2' ] || bg rollback web >/dev/null
    expect_eq 'v2 v2' "$(seen)"
    expect_status 0 bg rollback --group shop
    expect_eq 'v1 v1' "$(seen)"
    # The kernel knows what the journal could not be told.
    agent_kill9
    rm "$WORLD/state/filler"
    agent_start
    expect_eq 'v1 v1' "$(seen)"
    agent_stop
    umount -l "$WORLD/state"
}

run_tests "$@"
