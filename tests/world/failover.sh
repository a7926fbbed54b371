#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Failover: the live release fails and the one before it takes over, once. And its rehearsal, under load.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

SHARED=$WORLD/shared

# v1 and v2 are deployed, v2 is live. An app exits when it starts with $SHARED/crash.RELEASE there. LINEs: more
# configuration.
ready_failover() {
    mkdir -p "$SHARED"
    chown web "$SHARED"
    world_net
    local release
    for release in v1 v2 v3; do
        release_install web "$release"
        mv "$WORLD/srv/web/$release/bin/web" "$WORLD/srv/web/$release/bin/web.real"
        # shellcheck disable=SC2016 # for the program
        printf '#!/bin/bash\n[ ! -e %s/crash.$BLUEGREEN_RELEASE ] || exit 7\nexec "$0.real" "$@"\n' "$SHARED" \
            >"$WORLD/srv/web/$release/bin/web"
        # shellcheck disable=SC2016 # for the program
        printf '#!/bin/bash\necho "$BLUEGREEN_HOOK $BLUEGREEN_RELEASE_FROM $BLUEGREEN_RELEASE_TO $BLUEGREEN_REASON" >>%s/told\n' \
            "$SHARED" >"$WORLD/srv/web/$release/bin/told"
        chmod 755 "$WORLD/srv/web/$release"/bin/*
    done
    conf_failover "$@"
    agent_start
    bg deploy web v1 >/dev/null
    bg deploy web v2 >/dev/null
    wait_for 5 rests blue
}

# A standby, also one that is to be frozen: that it is as soon as it is drained.
rests() {
    [[ "$(status_of ".zones.$1.state")" = @(standby|frozen) ]]
}

conf_failover() {
    web_conf web 80 '[files]' "write = $SHARED" '[drain]' 'timeout = 300ms' \
        '[restart]' 'delay = 100ms' 'max_delay = 100ms' 'limit = 3' 'window = 5s' \
        '[hooks]' "on_failover = $WORLD/srv/web/%r/bin/told" "post_rollback = $WORLD/srv/web/%r/bin/told" \
        '[failover]' 'auto = yes' "$@"
}

crash() {
    touch "$SHARED/crash.$1"
    kill -9 "$(status_of ".zones.$2.pid")"
}

sick() {
    [ "$(status_of ".zones.$1.verdict")" = unhealthy ]
}

failovers() {
    bg history web --json | jq '[.entries[] | select(.verb == "failover" and .done)] | length'
}

# v1 is live again because of this.
expect_failed_over() {
    wait_for "${2:-10}" answers v1
    wait_for 10 nothing_runs # its hook, behind the switch
    expect_eq blue "$(status_of .live)"
    expect_eq 'bluegreen (failover)' "$(last_of failover .who)"
    expect_match "v2 fails: .*$1" "$(last_of failover .reason)" "history"
    expect_match "FAILOVER to v1 .*$1" "$(cat "$WORLD/agent.log")" "log"
    expect_match "failed over from it: .*$1" "$(status_of .zones.green.detail)" "status"
    wait_for 5 grep -Eq "on_failover v2 v1 .*$1" "$SHARED/told"
    grep -q '^post_rollback v2 v1' "$SHARED/told" || fail "post_rollback: $(cat "$SHARED/told")"
}

test_live_in_a_crash_loop() {
    ready_failover
    crash v2 green
    expect_failed_over 'exits again and again|refused'
}

test_live_is_unhealthy() {
    ready_failover
    kill -STOP "$(status_of .zones.green.pid)"
    expect_failed_over 'no answer|timed out|timeout' 30
}

test_live_is_lost() {
    ready_failover
    local began
    began=$(date +%s%N)
    kill -9 "$(status_of .zones.green.shim_pid)"
    expect_failed_over 'its zone was lost'
    echo "failed over within $((($(date +%s%N) - began) / 1000000)) ms"
    # What was lost is built again, and is the standby from now on.
    wait_for 10 is_healthy green
    wait_for 10 is_state green standby
}

test_live_is_lost_and_cannot_be_built_again() {
    ready_failover
    mv "$WORLD/srv/web/v2" "$WORLD/srv/web/v2.away"
    kill -9 "$(status_of .zones.green.shim_pid)"
    expect_failed_over 'its zone was lost'
}

test_not_unless_it_is_configured() {
    ready_failover
    sed -i 's|^auto.*|auto = no|' "$WORLD/etc/apps/web.conf"
    bg deploy web v1 >/dev/null
    bg deploy web v2 >/dev/null
    local live
    live=$(status_of .live)
    crash v2 "$live"
    wait_for 10 sick "$live"
    sleep 2
    expect_eq "$live" "$(status_of .live)"
    expect_eq 0 "$(failovers)"
}

test_one_exit_is_no_failover() {
    ready_failover
    kill -9 "$(status_of .zones.green.pid)"
    sleep 2
    expect_eq green "$(status_of .live)"
    expect_eq 0 "$(failovers)"
}

test_no_healthy_standby() {
    ready_failover
    kill -STOP "$(status_of .zones.blue.pid)"
    wait_for 30 sick blue
    crash v2 green
    wait_for 10 grep -q 'v2 fails and there is no failover: the standby v1 is not healthy' "$WORLD/agent.log"
    sleep 1
    expect_eq green "$(status_of .live)"
    expect_eq 1 "$(grep -c 'there is no failover' "$WORLD/agent.log")"
    # As soon as it is.
    kill -CONT "$(status_of .zones.blue.pid)"
    expect_failed_over 'exits again and again|refused'
}

test_no_standby() {
    ready_failover
    bg stage web v3 >/dev/null
    crash v2 green
    wait_for 10 grep -q 'there is no failover: zone blue is healthy, so there is no standby' "$WORLD/agent.log"
    sleep 1
    expect_eq green "$(status_of .live)"
}

# Both fail, one after the other, and it does not go to and fro.
failed_over_twice() {
    [ "$(failovers)" = 2 ]
}

test_once_for_each_deployment() {
    ready_failover
    crash v2 green
    expect_failed_over 'exits again and again|refused'
    rm "$SHARED/crash.v2"
    wait_for 20 is_healthy green
    # A new agent knows of it.
    agent_kill9
    agent_start
    wait_for 10 is_healthy green
    crash v1 blue
    wait_for 10 grep -q 'v1 fails and there is no failover: it was done once since the last deploy' "$WORLD/agent.log"
    expect_eq blue "$(status_of .live)"
    expect_eq 1 "$(failovers)"
    # By hand it can be had, without force, and that is no new deployment.
    expect_status 0 bg rollback web
    expect_eq v2 "$(release_seen "$URL4")"
    rm "$SHARED/crash.v1"
    wait_for 20 is_healthy blue
    crash v2 green
    wait_for 10 sick green
    sleep 1
    expect_eq green "$(status_of .live)"
    expect_eq 1 "$(failovers)"
    rm "$SHARED/crash.v2"
    wait_for 20 is_healthy green
    # A deployment is.
    bg deploy web v3 >/dev/null
    expect_eq blue "$(status_of .live)"
    wait_for 5 is_state green standby
    crash v3 blue
    wait_for 10 answers v2
    wait_for 5 failed_over_twice # its end is recorded behind the hooks
}

test_a_frozen_standby_is_thawed_and_probed_first() {
    ready_failover '[standby]' 'freeze = yes'
    wait_for 10 is_state blue frozen
    crash v2 green
    expect_failed_over 'exits again and again|refused'
    expect_match 'v1 is thawed to see whether it can take over' "$(cat "$WORLD/agent.log")"
}

test_a_frozen_standby_that_is_sick() {
    ready_failover '[standby]' 'freeze = yes'
    wait_for 10 is_state blue frozen
    # It is bound to fail when it goes on.
    kill -9 "$(status_of .zones.blue.pid)"
    touch "$SHARED/crash.v1"
    crash v2 green
    wait_for 10 grep -q 'no failover: the standby v1 is not healthy' "$WORLD/agent.log"
    expect_eq green "$(status_of .live)"
}

test_never_to_a_bad_release() {
    ready_failover '[bake]' 'time = 3s'
    sed -i 's|^time = 3s|time = 5m|' "$WORLD/etc/apps/web.conf"
    bg finish web >/dev/null
    bg rollback web >/dev/null # v1 is live; v2 was in its bake, and is deployed again to fail in it
    bg deploy web v2 >/dev/null
    kill -9 "$(status_of .zones.green.pid)"
    wait_for 10 answers v1
    wait_for 10 is_healthy green
    crash v1 blue
    wait_for 10 grep -q 'v1 fails and there is no failover: the standby v2 is bad: 1 exit or restart' "$WORLD/agent.log"
    sleep 1
    expect_eq blue "$(status_of .live)"
    expect_eq 0 "$(failovers)"
}

test_in_a_bake_it_is_the_bake_that_switches_back() {
    ready_failover '[bake]' 'time = 5m' 'restarts = unlimited' 'errors = 100%'
    crash v2 green
    wait_for 10 answers v1
    sleep 0.5
    wait_for 10 ended_by rollback 'bluegreen (bake)'
    expect_eq 0 "$(failovers)"
}

# hang_in HOOK: it does not end by itself, in both releases, which are deployed again.
hang_in() {
    local release
    for release in v1 v2; do
        printf '#!/bin/bash\n[ -e %s/no-hang ] || exec sleep 4000\n' "$SHARED" >"$WORLD/srv/web/$release/bin/hang"
        chmod 755 "$WORLD/srv/web/$release/bin/hang"
    done
    touch "$SHARED/no-hang"
    sed -i "s|^on_failover|$1 = $WORLD/srv/web/%r/bin/hang\n&|" "$WORLD/etc/apps/web.conf"
    bg deploy web v1 >/dev/null
    bg deploy web v2 >/dev/null
    wait_for 5 is_state "$2" standby
    rm "$SHARED/no-hang"
}

# Somebody was on the same way, and a hook in theirs.
test_live_fails_while_a_rollback_waits_for_its_hook() {
    ready_failover
    hang_in pre_rollback blue
    bg rollback web >"$WORLD/rollback" 2>&1 &
    local rollback=$!
    wait_for 5 grep -q 'hook pre_rollback of v1 runs' "$WORLD/rollback"
    crash v2 green
    expect_failed_over '7'
    wait "$rollback" && fail "the rollback says that it is done"
    expect_match 'gives way, because v2 is bad' "$(cat "$WORLD/rollback")"
}

# Without a bake, too, nobody waits for it: as if it had failed.
test_live_fails_while_post_switch_runs() {
    ready_failover
    hang_in post_switch blue
    touch "$SHARED/no-hang"
    bg rollback web >/dev/null
    wait_for 5 is_state green standby
    rm "$SHARED/no-hang"
    bg deploy web v2 >"$WORLD/deploy" 2>&1 &
    local deploy=$!
    wait_for 10 grep -q 'hook post_switch of v2 runs' "$WORLD/deploy"
    crash v2 green
    wait_for 10 answers v1
    wait "$deploy" && fail "the deployment says that it is done"
    wait_for 10 ended_by rollback 'bluegreen (bake)'
    expect_eq false "$(last_of deploy .done)"
}

test_not_when_somebody_stops_it() {
    ready_failover
    bg stop web >/dev/null
    sleep 1
    expect_eq stopped "$(status_of .state)"
    expect_eq 0 "$(failovers)"
    # A start gives it the time that it had when it was staged.
    bg start web >/dev/null
    sleep 1
    expect_eq green "$(status_of .live)"
    expect_eq 0 "$(failovers)"
}

# Everything is built again, as after a reboot: which of the two is up first does not matter.
test_a_slow_start_after_a_reboot_is_no_failure() {
    ready_failover
    sed -i 's|--port 8080|--port 8080 --start-delay 3000|' "$WORLD/etc/apps/web.conf"
    bg deploy web v3 >/dev/null
    expect_eq blue "$(status_of .live)"
    local pid
    for pid in $(status_of .zones.blue.shim_pid) $(status_of .zones.green.shim_pid); do
        echo "$pid" >>"$WORLD/pids"
    done
    agent_kill9
    xargs kill -9 <"$WORLD/pids"
    agent_start
    sleep 2
    expect_eq blue "$(status_of .live)"
    wait_for 10 answers v3
    expect_eq 0 "$(failovers)"
}

test_an_agent_that_comes_back_to_a_failing_app() {
    ready_failover
    agent_kill9
    touch "$SHARED/crash.v2"
    kill -9 "$(pgrep -u web -f 'v2/bin/web' | head -n 1)"
    sleep 1
    agent_start
    expect_failed_over 'exits again and again|refused'
}

test_an_agent_that_is_killed_in_a_failover() {
    ready_failover
    # shellcheck disable=SC2016 # for the program
    printf '#!/bin/bash\necho "$BLUEGREEN_HOOK" >>%s/told\nsleep 20\n' "$SHARED" >"$WORLD/srv/web/v1/bin/told"
    crash v2 green
    wait_for 10 grep -qs post_rollback "$SHARED/told"
    agent_kill9
    expect_eq v1 "$(release_seen "$URL4")"
    agent_start
    answers v1 || fail "another release is live"
    expect_eq true "$(last_of failover .done)"
    expect_match 'v2 fails: .*(exits again|refused)' "$(last_of failover .reason)"
    expect_match 'failed over from it: v2 fails' "$(status_of .zones.green.detail)"
    # And it stays at one.
    rm "$SHARED/crash.v2"
    wait_for 20 is_healthy green
    crash v1 blue
    wait_for 10 grep -q 'it was done once since the last deploy' "$WORLD/agent.log"
    expect_eq blue "$(status_of .live)"
}

written_again() {
    [ "$(grep -c 'the journal can be written again' "$WORLD/agent.log")" = "$(grep -c 'the journal cannot be written' "$WORLD/agent.log")" ]
}

test_without_a_journal_it_goes_ahead() {
    mkdir -p "$WORLD/state"
    mount -t tmpfs -o size=2m small "$WORLD/state"
    ready_failover
    dd if=/dev/zero of="$WORLD/state/filler" bs=4k 2>/dev/null || :
    for ((i = 0; i < 200; i++)); do
        bg rollback web >/dev/null
        grep -q 'the journal cannot be written' "$WORLD/agent.log" && break
    done
    grep -q 'the journal cannot be written' "$WORLD/agent.log" || fail "the journal never became full"
    local live=blue other=v2
    [ "$(status_of .live)" = blue ] || { live=green; other=v1; }
    wait_for 10 is_healthy blue
    wait_for 10 is_healthy green
    [ "$other" = v2 ] && crash v1 "$live"
    [ "$other" = v1 ] && crash v2 "$live"
    wait_for 10 answers "$other"
    wait_for 5 grep -q FAILOVER "$WORLD/agent.log"
    # When there is room again what happened is in it.
    rm "$WORLD/state/filler"
    wait_for 15 written_again
    agent_kill9
    agent_start
    answers "$other" || fail "another release is live"
    expect_match 'failed over from it' "$(status_of ".zones.$live.detail")"
    agent_stop
    umount -l "$WORLD/state"
}

# --- the rehearsal ---------------------------------------------------------------------------------------

ready_rehearsal() {
    ready_failover
    wait_for 5 is_healthy blue
}

test_a_rehearsal_under_load() {
    ready_rehearsal
    load_start rehearse --new 3 --keepalive 4 --body 2000 --requests-per-connection 25 --url "$URL4" --url "$URL6"
    expect_status 0 bg rehearse web
    echo "$OUTPUT"
    expect_match 'v1 served for [0-9]+ ms and v2 is live again; transactions [0-9]+ us there, [0-9]+ us back' "$OUTPUT"
    expect_match 'at most [1-9][0-9]* connections in v1, [0-9]+ in v2; both healthy' "$OUTPUT"
    expect_eq v2 "$(release_seen "$URL4")"
    load_end rehearse >"$WORLD/report.json" || { cat "$WORLD/report.json"; fail "requests failed"; }
    json '.failed == 0 and .releases.v1.requests > 0 and .releases.v2.requests > 0' <"$WORLD/report.json"
    expect_match 'v1 served for' "$(last_of rehearse .reason)" "history"
    expect_match 'root \(uid 0\)' "$(last_of rehearse .who)"
    wait_for 5 is_state blue standby
}

# A held connection is not cut while the other zone serves, however short the drain is.
test_a_rehearsal_cuts_nothing() {
    ready_rehearsal
    on_client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    wait_for 5 grep -q answer "$WORLD/held"
    expect_status 0 bg rehearse web
    expect_no_match closed "$(cat "$WORLD/held")"
    sleep 1
    expect_no_match closed "$(cat "$WORLD/held")"
    expect_eq live "$(status_of .zones.green.state)"
}

# Somebody's own rules change while the other zone serves, so the first transaction of the way back is too late.
test_a_rehearsal_beside_another_firewall() {
    ready_rehearsal
    background bg rehearse web >"$WORLD/rehearsal" 2>&1
    local rehearsal=$!
    wait_for 5 is_state blue live
    nft add table inet somebody
    wait "$rehearsal" || fail "$(cat "$WORLD/rehearsal")"
    expect_match 'v2 is live again' "$(cat "$WORLD/rehearsal")"
    expect_eq 'live green' "$(status_of .zones.green.state) $(live_in_kernel web)"
    wait_for 5 is_state blue standby
}

test_a_rehearsal_needs_a_healthy_standby() {
    ready_rehearsal
    kill -STOP "$(status_of .zones.blue.pid)"
    wait_for 30 sick blue
    expect_status 1 bg rehearse web
    expect_match 'not healthy' "$OUTPUT"
    expect_eq v2 "$(release_seen "$URL4")"
}

test_a_standby_that_fails_in_the_rehearsal() {
    ready_rehearsal
    bg rehearse web >"$WORLD/rehearsal" 2>&1 &
    local rehearsal=$!
    wait_for 5 answers v1
    crash v1 blue
    wait "$rehearsal" && fail "it passed: $(cat "$WORLD/rehearsal")"
    expect_eq v2 "$(release_seen "$URL4")"
    expect_eq green "$(status_of .live)"
    expect_eq false "$(bg history web --json | jq '[.entries[] | select(.verb == "rehearse")] | last | .done')"
    wait_for 5 not_draining blue
}

not_draining() {
    ! is_state "$1" draining
}

test_a_standby_that_is_lost_in_the_rehearsal() {
    ready_rehearsal
    bg rehearse web >"$WORLD/rehearsal" 2>&1 &
    local rehearsal=$!
    wait_for 5 answers v1
    kill -9 "$(status_of .zones.blue.shim_pid)"
    wait "$rehearsal" && fail "it passed: $(cat "$WORLD/rehearsal")"
    expect_eq v2 "$(release_seen "$URL4")"
    expect_match "shim died" "$(cat "$WORLD/rehearsal")"
}

# Going back to what fails would be no rehearsal any more.
test_the_usual_zone_fails_in_the_rehearsal() {
    ready_rehearsal
    bg rehearse web >"$WORLD/rehearsal" 2>&1 &
    local rehearsal=$!
    wait_for 5 answers v1
    crash v2 green
    wait "$rehearsal" && fail "it passed: $(cat "$WORLD/rehearsal")"
    expect_match 'v2 is not healthy, so v1 stays live: the app exits again and again' "$(tr '\n' ' ' <"$WORLD/rehearsal")"
    expect_eq v1 "$(release_seen "$URL4")"
    wait_for 5 not_draining green
}

test_a_rehearsal_is_aborted() {
    ready_rehearsal
    bg rehearse web >"$WORLD/rehearsal" 2>&1 &
    local rehearsal=$!
    wait_for 5 answers v1
    expect_status 0 bg abort web
    wait "$rehearsal" && fail "it passed: $(cat "$WORLD/rehearsal")"
    expect_eq v2 "$(release_seen "$URL4")"
}

test_an_agent_that_is_killed_in_the_rehearsal() {
    ready_rehearsal
    bg rehearse web >"$WORLD/rehearsal" 2>&1 &
    wait_for 5 answers v1
    agent_kill9
    expect_eq v1 "$(release_seen "$URL4")"
    agent_start
    wait_for 10 answers v2
    wait_for 5 is_state green live
    expect_match 'the agent ended in the middle of it' "$(last_of rehearse .reason)"
    # Twice, and it is the same.
    wait_for 5 is_state blue standby
    bg rehearse web >"$WORLD/rehearsal" 2>&1 &
    wait_for 5 answers v1
    agent_kill9
    agent_start
    agent_kill9
    agent_start
    wait_for 10 answers v2
    wait_for 5 is_state blue standby
}

test_a_rehearsal_with_a_frozen_standby() {
    ready_failover '[standby]' 'freeze = yes'
    wait_for 10 is_state blue frozen
    expect_status 0 bg rehearse web
    expect_eq v2 "$(release_seen "$URL4")"
    wait_for 10 is_state blue frozen
}

test_no_rehearsal_in_a_bake() {
    ready_failover '[bake]' 'time = 5m'
    expect_status 1 bg rehearse web
    expect_match 'baking' "$OUTPUT"
}

run_tests "$@"
