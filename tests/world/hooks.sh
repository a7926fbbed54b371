#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Hooks and the test gate: commands and pages around an operation, in the zone and on the host, and what their success,
# failure and hanging means for it.
# Hooks have dollars of their own.
# shellcheck disable=SC2016
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/hooks_lib.sh
. "$ROOT/tests/drivers/hooks_lib.sh"

# --- in their order ----------------------------------------------------------------------------------

test_order() {
    ready_hooks "$(all_hooks)"
    bg deploy web v2 >"$WORLD/out"
    expect_eq "pre_start test pre_switch post_switch" "$(notes)" "deploy"
    expect_match 'hook test passed' "$(cat "$WORLD/out")"
    expect_eq "web-green" "$(cut -d' ' -f2 "$NOTES/log" | sort -u)" "the new release's zone"
    # v1 was staged without hooks: rolling back to it has none
    rm "$NOTES/log"
    bg rollback web >/dev/null
    expect_eq "" "$(notes)" "rollback to a release without hooks"
    bg switch web >/dev/null
    expect_eq "pre_switch post_switch" "$(notes)" "switch"
    bg deploy web v1 >/dev/null
    rm "$NOTES/log"
    bg rollback web >/dev/null
    wait_for 5 noted "pre_rollback post_rollback on_rollback"
    expect_eq "web-green" "$(cut -d' ' -f2 "$NOTES/log" | sort -u)" "the zone that is switched back to"
    rm "$NOTES/log"
    bg stage web v2 >/dev/null
    expect_eq "pre_start" "$(notes)" "stage"
    bg test web >/dev/null
    expect_eq "pre_start test" "$(notes)" "test"
}

test_order_on_host() {
    ready_hooks "$(all_hooks plain 'host: ')"
    bg deploy web v2 >/dev/null
    bg deploy web v1 >/dev/null
    bg rollback web >/dev/null
    local once="pre_start test pre_switch post_switch"
    wait_for 5 noted "$once $once pre_rollback post_rollback on_rollback"
    expect_eq "$(hostname)" "$(cut -d' ' -f2 "$NOTES/log" | sort -u)" "where"
}

# Each of the hooks that tell somebody gets the reason, also where the agent died before it could tell.
test_telling_why() {
    local place
    ready_hooks
    hook_script tell 'echo "$BLUEGREEN_HOOK $BLUEGREEN_RELEASE_FROM $BLUEGREEN_RELEASE_TO $BLUEGREEN_REASON" >>'"$NOTES/why"
    hook_script no 'exit 7'
    for place in '' 'host: '; do
        configure '[hooks]' "$(HOOK on_rollback tell "$place")" "$(HOOK on_failure tell "$place")"
        bg deploy web v2 >/dev/null
        bg deploy web v1 >/dev/null
        rm -f "$NOTES/why"
        bg rollback web >/dev/null
        wait_for 5 grep -qx 'on_rollback v1 v2 asked for by root (uid 0)' "$NOTES/why"
        configure '[hooks]' "$(HOOK pre_switch no)" "$(HOOK on_failure tell "$place")"
        expect_status 1 bg deploy web v1
        wait_for 5 grep -q 'on_failure v2 v1 hook pre_switch failed: .*7' "$NOTES/why"
    done
    configure '[hooks]' "$(HOOK post_rollback hang)" "$(HOOK on_rollback tell)" 'timeout = 60s'
    hook_script hang 'exec sleep 4000'
    bg deploy web v2 >/dev/null
    bg deploy web v1 >/dev/null
    rm -f "$NOTES/why"
    bg rollback web >/dev/null 2>&1 &
    wait_for 5 some_sleepers 1
    agent_kill9
    agent_start
    expect_eq v2 "$(release_seen)"
    wait_for 5 grep -qx 'on_rollback v1 v2 asked for by root (uid 0)' "$NOTES/why"
    wait_for 5 no_sleepers
}

test_no_test_and_stop_after() {
    ready_hooks "$(all_hooks)" '[test]' 'http = /'
    bg deploy web v2 --no-test >"$WORLD/out"
    expect_eq "pre_start pre_switch post_switch" "$(notes)" "--no-test"
    expect_no_match 'hook test|/: HTTP' "$(cat "$WORLD/out")"
    rm "$NOTES/log"
    bg deploy web v1 --stop-after health >/dev/null
    expect_eq "pre_start" "$(notes)" "--stop-after health"
    is_state blue healthy || fail "blue is not staged: $(bg status web)"
    expect_eq v2 "$(release_seen)" "what is live"
    bg abort web >/dev/null
    rm "$NOTES/log"
    bg deploy web v1 --stop-after test >/dev/null
    expect_eq "pre_start test" "$(notes)" "--stop-after test"
    expect_eq v2 "$(release_seen)" "what is live"
    bg switch web >/dev/null
    expect_eq v1 "$(release_seen)" "after the switch"
}

# What was to stop half-way is done, and a later start of the agent does not take it for interrupted.
test_stopped_operation_is_over() {
    ready_hooks
    bg deploy web v2 --stop-after health >"$WORLD/out"
    expect_match 'v2 is staged in green' "$(cat "$WORLD/out")"
    agent_kill9
    agent_start
    wait_for 5 is_state green healthy
    expect_match 'stopped after step health' "$(last_of deploy .reason)" "history"
    bg switch web >/dev/null
    expect_eq v2 "$(release_seen)" "after the switch"
}

# --- failing -----------------------------------------------------------------------------------------

# Every hook that decides, failing, in the zone and on the host: nothing is switched, the reason and the output are
# shown, the reason is kept, and who wants to be told is told it.
test_failing_before_the_switch() {
    local hook place
    ready_hooks
    hook_script bad 'echo first line' 'echo "it is wrong" >&2' 'exit 3'
    hook_script told "printf '%s' \"\$BLUEGREEN_REASON\" >$NOTES/reason"
    for place in '' 'host: '; do
        for hook in pre_start test pre_switch; do
            configure '[hooks]' "$(HOOK "$hook" bad "$place")" "$(HOOK on_failure told "$place")"
            expect_status 1 bg deploy web v2
            expect_match "hook $hook failed: exit status 3: it is wrong" "$OUTPUT"
            expect_match 'first line' "$OUTPUT" "the whole output"
            expect_eq v1 "$(release_seen)" "what is live"
            is_state green failed || fail "green is not failed: $(bg status web)"
            expect_match "hook $hook failed: exit status 3: it is wrong" "$(last_of deploy .reason)" "history"
            expect_match "hook $hook failed: exit status 3: it is wrong" "$(cat "$NOTES/reason")" "BLUEGREEN_REASON"
            rm "$NOTES/reason"
        done
    done
}

test_failing_test_of_a_staged_release() {
    ready_hooks '[hooks]' "$(HOOK test bad)"
    hook_script bad 'exit 1'
    bg stage web v2 >/dev/null
    expect_status 1 bg test web
    expect_match 'hook test failed: exit status 1' "$OUTPUT"
    is_state green healthy || fail "the staged release is gone: $(bg status web)"
}

test_failing_pre_rollback() {
    ready_hooks '[hooks]' "$(HOOK pre_rollback bad)"
    hook_script bad 'exit 1'
    bg deploy web v2 >/dev/null
    bg deploy web v1 >/dev/null
    expect_status 1 bg rollback web
    expect_match 'hook pre_rollback failed: exit status 1' "$OUTPUT"
    expect_eq v1 "$(release_seen)" "what is live"
    # who insists gets it
    bg rollback web --force >"$WORLD/out"
    expect_match 'going on by force' "$(cat "$WORLD/out")"
    expect_eq v2 "$(release_seen)" "after the forced rollback"
}

test_failing_post_rollback() {
    ready_hooks '[hooks]' "$(HOOK post_rollback bad)"
    hook_script bad 'echo nobody told' 'exit 1'
    bg deploy web v2 >/dev/null
    bg deploy web v1 >/dev/null
    expect_status 0 bg rollback web
    expect_eq v2 "$(release_seen)" "rolled back all the same"
    expect_match 'post_rollback: exit status 1: nobody told' \
        "$(bg history web --json | json '[.entries[] | select(.incident == "hook")] | last | .reason')" "history"
}

test_failing_post_switch() {
    local place
    ready_hooks
    hook_script bad 'echo "orders fail"' 'exit 1'
    for place in '' 'host: '; do
        configure '[hooks]' "$(HOOK post_switch bad "$place")"
        expect_status 1 bg deploy web v2
        expect_match 'hook post_switch failed: exit status 1: orders fail' "$OUTPUT"
        wait_for 10 answers_and_settled v1
        expect_match 'orders fail' "$(last_of deploy .reason)" "history"
        expect_match 'done' "$(bg history web | grep rollback | tail -n 1)" "the way back"
        wait_for 10 is_state green standby
    done
}

test_missing_executable() {
    local place
    ready_hooks
    for place in '' 'host: '; do
        hook_script gone
        configure '[hooks]' "$(HOOK pre_switch gone "$place")"
        rm "$WORLD/srv/hooks/gone"
        expect_status 2 bg deploy web v2
        expect_match "pre_switch: .*$WORLD/srv/hooks/gone does not exist" "$OUTPUT"
        expect_eq v1 "$(release_seen)" "what is live"
    done
    # one that the release should have brought: known before anything happens, although it comes behind the switch
    for place in '' 'host: '; do
        configure '[hooks]' "post_switch = $place$WORLD/srv/web/%r/bin/check"
        expect_status 2 bg deploy web v2
        expect_match "post_switch: .*$WORLD/srv/web/v2/bin/check does not exist" "$OUTPUT"
    done
    # one that goes when the release has been staged already
    for place in '' 'host: '; do
        hook_script gone
        configure '[hooks]' "$(HOOK pre_switch gone "$place")"
        bg stage web v2 >/dev/null
        rm "$WORLD/srv/hooks/gone"
        expect_status 1 bg switch web
        expect_match 'hook pre_switch failed: .*(execute|No such file)' "$OUTPUT"
        expect_eq v1 "$(release_seen)" "what is live"
        bg abort web >/dev/null
    done
}

# A hook that has gone does not keep down what serves.
test_missing_executable_of_what_serves() {
    hook_script gone
    ready_hooks
    configure '[hooks]' "$(HOOK post_rollback gone 'host: ')"
    bg deploy web v2 >/dev/null
    rm "$WORLD/srv/hooks/gone"
    kill -KILL "$(status_of .zones.green.shim_pid)"
    wait_for 10 answers v2
}

# It exists and may be executed, but what it names as its interpreter is not there.
test_without_an_interpreter() {
    local hook
    ready_hooks
    printf '#!/nonexistent\n' >"$WORLD/srv/web/v2/bin/broken"
    chmod 755 "$WORLD/srv/web/v2/bin/broken"
    for hook in pre_start test pre_switch; do
        configure '[hooks]' "$hook = $WORLD/srv/web/%r/bin/broken"
        expect_status 1 bg deploy web v2
        expect_match "execute .*/broken" "$OUTPUT"
        expect_eq v1 "$(release_seen)" "what is live"
    done
}

# --- hanging -----------------------------------------------------------------------------------------

# Whatever it has started and however, at the deadline it is gone, in the zone and on the host.
test_hanging() {
    local place
    ready_hooks
    hook_script hang 'trap "" TERM INT HUP' 'echo "it begins"' 'sleep 4000 &' 'setsid sleep 4001 &' \
        '(setsid bash -c "trap \"\" TERM; sleep 4002 & wait" &)' 'sleep 4003'
    for place in '' 'host: '; do
        configure '[hooks]' "$(HOOK test hang "$place")" 'timeout = 2s'
        local began=$EPOCHSECONDS
        expect_status 1 bg deploy web v2
        expect_match 'hook test failed: killed after 2 s: it begins' "$OUTPUT"
        [ $((EPOCHSECONDS - began)) -le 8 ] || fail "it took $((EPOCHSECONDS - began)) s"
        wait_for 3 no_sleepers
        expect_eq v1 "$(release_seen)" "what is live"
    done
}

# The agent answers meanwhile, and another app's operation goes on.
test_the_agent_does_not_wait() {
    ready_hooks
    hook_script hang 'sleep 4000'
    web_conf other 81
    release_install other v1
    local place
    for place in '' 'host: '; do
        configure '[hooks]' "$(HOOK test hang "$place")"
        bg deploy web v2 >/dev/null 2>&1 &
        local pid=$!
        wait_for 10 some_sleepers 1
        bg deploy other v1 >/dev/null
        bg status web --json | json '.operation.step == "test"' >/dev/null
        expect_status 0 bg abort web
        wait "$pid" && fail "an aborted deploy succeeded"
        bg stop other >/dev/null
        bg remove other >/dev/null
        wait_for 5 no_sleepers
    done
}

# A hook that writes without end is slowed down, not followed.
test_flood() {
    local place ticks
    ready_hooks
    hook_script flood 'yes "a line that comes again and again"'
    for place in '' 'host: '; do
        configure '[hooks]' "$(HOOK test flood "$place")" 'timeout = 2s'
        ticks=$(awk '{ print $14 + $15 }' "/proc/$(agent_pid)/stat")
        expect_status 1 bg deploy web v2
        expect_match 'killed after 2 s: a line that' "$OUTPUT"
        ticks=$(($(awk '{ print $14 + $15 }' "/proc/$(agent_pid)/stat") - ticks))
        [ "$ticks" -lt 100 ] || fail "the agent worked for $ticks ticks of 10 ms"
    done
}

# --- rights and environment ------------------------------------------------------------------------------

test_environment() {
    local place address
    ready_hooks
    hook_script tell "env >$NOTES/env" "pwd >$NOTES/pwd" "curl -s \"\$BLUEGREEN_URL/healthz\" >$NOTES/page"
    for place in '' 'host: '; do
        configure '[hooks]' "$(HOOK pre_switch tell "$place")"
        bg deploy web v2 >/dev/null
        address=$(status_of .zones.green.addresses[0])
        local variable
        for variable in HOOK=pre_switch REASON= RELEASE_FROM=v1 RELEASE_TO=v2 APP=web ZONE=green RELEASE=v2 \
            ADDRESS="$address" ADDRESS6="$(status_of .zones.green.addresses[1])" LIVE_ADDRESS="$(status_of .zones.blue.addresses[0])" \
            URL="http://$address:8080" PREVIEW_URL="http://$address:8080"; do
            expect_eq "BLUEGREEN_$variable" "$(grep "^BLUEGREEN_${variable%%=*}=" "$NOTES/env")" "of ${place:-the zone}"
        done
        expect_eq USER=web "$(grep ^USER= "$NOTES/env")" "the app's own environment"
        expect_match 'ok v2' "$(cat "$NOTES/page")" "the page under BLUEGREEN_URL"
        expect_eq / "$(cat "$NOTES/pwd")" "the working directory"
        bg deploy web v1 --no-test >/dev/null
        bg rollback web >/dev/null
        bg deploy web v1 >/dev/null
    done
}

# As the app's user, without rights, without the agent's descriptors.
test_rights() {
    local place
    ready_hooks
    hook_script tell "{ id -u; id -G; grep -E '^(Cap|NoNewPrivs)' /proc/self/status; ls /proc/self/fd | wc -l;
        readlink /proc/self/fd/0; ls /proc | grep -c '^[0-9]'; } >$NOTES/rights" \
        "cat /proc/1/environ /proc/1/mem >/dev/null 2>&1 && echo readable >>$NOTES/rights" \
        'echo opened again >/proc/self/fd/1' 'exit 5'
    for place in '' 'host: '; do
        configure '[hooks]' "$(HOOK test tell "$place")"
        expect_status 1 bg deploy web v2
        expect_match 'exit status 5: opened again' "$OUTPUT"
        local rights
        rights=$(cat "$NOTES/rights")
        expect_eq "$(id -u web)" "$(sed -n 1p <<<"$rights")" "the user"
        expect_eq "$(id -G web)" "$(sed -n 2p <<<"$rights")" "the groups"
        expect_eq 0 "$(grep -c '^Cap[A-Za-z]*:.*[1-9a-f]' <<<"$rights" || :)" "capabilities in $rights"
        expect_match 'NoNewPrivs:\s*1' "$rights"
        # 0, 1, 2 and that of ls
        expect_eq 4 "$(grep -A1 NoNewPrivs <<<"$rights" | tail -n 1)" "descriptors"
        expect_match /dev/null "$rights" "stdin"
        expect_no_match readable "$rights" "PID 1"
    done
    # of the host's processes it sees its own
    [ "$(tail -n 1 "$NOTES/rights")" -le 6 ] || fail "it sees $(tail -n 1 "$NOTES/rights") processes"
}

# How it ends by a signal is told, and what it has left in the background goes with it.
test_signal_and_leftovers() {
    local place
    ready_hooks
    hook_script killed 'kill -SEGV $$'
    hook_script leaves 'setsid sleep 4000 &' 'sleep 4001 &' 'exit 0'
    for place in '' 'host: '; do
        configure '[hooks]' "$(HOOK test killed "$place")"
        expect_status 1 bg deploy web v2
        expect_match 'hook test failed: ended by signal 11' "$OUTPUT"
        configure '[hooks]' "$(HOOK test leaves "$place")"
        bg deploy web v2 --stop-after test >/dev/null
        wait_for 3 no_sleepers
        bg abort web >/dev/null
    done
}

# --- pages -----------------------------------------------------------------------------------------------

test_pages() {
    ready_hooks '[test]' 'http = /healthz 200 ok v2 | /env BLUEGREEN_ZONE=green | /nothing 404 | /'
    bg deploy web v2 >"$WORLD/out"
    expect_match '/healthz: HTTP 200' "$(cat "$WORLD/out")"
    expect_match '/nothing: HTTP 404' "$(cat "$WORLD/out")"
    # the text of v2 is not that of v1
    expect_status 1 bg deploy web v1
    expect_match 'test page /healthz: HTTP 200 OK, but without the text "ok v2"' "$OUTPUT"
    expect_eq v2 "$(release_seen)" "what is live"
    expect_match 'test page /healthz: HTTP 200 OK, but without' "$(last_of deploy .reason)" "history"
    configure '[test]' 'http = / | /nothing 200 302-303'
    expect_status 1 bg deploy web v1
    expect_match 'test page /nothing: HTTP 404 .*, and 200 or 302-303 is wanted' "$OUTPUT"
    configure 'timeout = 500ms' '[test]' 'http = /slow/1/1000/5000'
    expect_status 1 bg deploy web v1
    expect_match 'test page /slow/1/1000/5000: no complete answer within 500 ms' "$OUTPUT"
    # a text far behind in a page
    configure '[test]' 'http = /bytes/1/300000 200 no such text'
    expect_status 1 bg deploy web v1
    expect_match 'test page /bytes/1/300000: HTTP 200 OK, but without the text' "$OUTPUT"
    # a failing page comes before the hook, which is not asked then
    rm -f "$NOTES/log"
    configure '[test]' 'http = /nothing' '[hooks]' "$(HOOK test plain)"
    expect_status 1 bg deploy web v1
    expect_eq "" "$(notes)" "hooks"
    expect_eq v2 "$(release_seen)" "what is live"
}

# One release's gate is tried again and again without a new one.
test_test_verb() {
    ready_hooks '[test]' 'http = /healthz 200 ok'
    expect_status 1 bg test web
    bg stage web v2 >/dev/null
    expect_status 0 bg test web
    expect_status 0 bg test web
    bg switch web >/dev/null
    expect_eq v2 "$(release_seen)" "after the switch"
    configure
    bg stage web v1 >/dev/null
    expect_status 1 bg test web
    expect_match 'nothing to test' "$OUTPUT"
    is_state blue healthy || fail "the staged release is gone"
    # Refused, and not failed: on_failure is for those who have to get up.
    expect_eq 0 "$(bg history web --verb test --failed --json | jq '.entries | length')"
}

run_tests "$@"
