#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The bake: a release that has just become live is watched, and switched back from by the agent at the first breach.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

SHARED=$WORLD/shared

# v1 is live, and the file is as v2 is to be deployed with: LINEs are of [bake].
ready_bake() {
    mkdir -p "$SHARED"
    chown web "$SHARED"
    world_net
    release_install web v1
    release_install web v2
    conf_bake 'time = 0'
    agent_start
    bg deploy web v1 >/dev/null
    conf_bake "$@"
}

conf_bake() {
    web_conf web 80 '[files]' "write = $SHARED" '[drain]' 'timeout = 1s' '[hooks]' \
        "on_rollback = $WORLD/srv/web/%r/bin/told" '[bake]' "$@"
    local release
    for release in v1 v2; do
        # shellcheck disable=SC2016 # for the program
        printf '#!/bin/bash\necho "$BLUEGREEN_HOOK $BLUEGREEN_RELEASE_FROM $BLUEGREEN_RELEASE_TO $BLUEGREEN_REASON" >>%s/told\n' \
            "$SHARED" >"$WORLD/srv/web/$release/bin/told"
        chmod 755 "$WORLD/srv/web/$release/bin/told"
    done
}

# A guard that fails, with a word, once there is a file.
guard_install() {
    # shellcheck disable=SC2016 # for the program
    printf '#!/bin/bash\necho x >>%s/guarded\n[ ! -e %s/bad ] || { echo "too slow"; exit 3; }\n' \
        "$SHARED" "$SHARED" >"$WORLD/srv/web/v2/bin/guard"
    chmod 755 "$WORLD/srv/web/v2/bin/guard"
}

# A process of v2 beside its app, a perl program from stdin.
worker_install() {
    { echo '#!/usr/bin/perl'; cat; } >"$WORLD/srv/web/v2/bin/worker"
    chmod 755 "$WORLD/srv/web/v2/bin/worker"
    printf '[process worker]\nrun = %s\n' "$WORLD/srv/web/v2/bin/worker" >>"$WORLD/etc/apps/web.conf"
}

baking() {
    [ "$(bg status web --json | jq -r '.bake != null')" = "$1" ]
}

rests() {
    is_state "$1" standby || is_state "$1" unhealthy
}

# The agent has switched back to v1 because of this, and says so everywhere.
expect_switched_back() {
    wait_for "${2:-10}" answers v1
    wait_for 5 baking false
    wait_for 10 nothing_runs
    expect_eq blue "$(status_of .live)"
    wait_for 10 ended_by rollback 'bluegreen (bake)'
    expect_match "$1" "$(last_of rollback .reason)" "history"
    expect_match "$1" "$(grep 'v2 is bad' "$WORLD/agent.log")" "log"
    expect_match "bad: .*$1" "$(status_of .zones.green.detail)" "status"
    wait_for 5 rests green
    wait_for 5 grep -Eq "on_rollback v2 v1 .*$1" "$SHARED/told"
    # Its zone and its log are there for a look.
    [ -s "$WORLD/state/zones/web.green/app.log" ] || bg logs web green >/dev/null || fail "the log of v2 is gone"
}

test_it_passes() {
    ready_bake 'time = 3s' 'interval = 1s' "guard = $WORLD/srv/web/%r/bin/guard"
    guard_install
    expect_status 0 bg deploy web v2
    baking true || fail "not in its bake"
    expect_match 'of [0-9]+ probes failed, 0 restarts' "$(status_of .bake.verdict)"
    wait_for 6 baking false
    expect_eq v2 "$(release_seen "$URL4")"
    expect_match 'v2 has passed its bake: 0 of 1[0-9] probes failed, 0 restarts, the guard ran [12] times?' \
        "$(cat "$WORLD/agent.log")"
    [ ! -e "$SHARED/told" ] || fail "somebody was told: $(cat "$SHARED/told")"
    # What happens later is no breach.
    kill -9 "$(status_of .zones.green.pid)"
    sleep 1.5
    expect_eq v2 "$(release_seen "$URL4")"
}

test_without_the_section_there_is_none() {
    ready_bake 'time = 0'
    bg deploy web v2
    baking false || fail "in a bake"
    kill -9 "$(status_of .zones.green.pid)"
    sleep 1.5
    expect_eq green "$(status_of .live)"
}

test_an_exit() {
    ready_bake 'time = 5m'
    bg deploy web v2
    kill -9 "$(status_of .zones.green.pid)"
    expect_switched_back '1 exit or restart since it became live'
}

test_exits_that_are_allowed() {
    ready_bake 'time = 5m' 'restarts = 1' 'errors = 100%'
    sed -i 's|^interval.*|&\nfailures = 100|' "$WORLD/etc/apps/web.conf"
    bg deploy web v2
    kill -9 "$(status_of .zones.green.pid)"
    sleep 2
    expect_eq green "$(status_of .live)"
    expect_match '1 restart' "$(status_of .bake.verdict)"
    kill -9 "$(status_of .zones.green.pid)"
    expect_switched_back '2 exits or restarts'
}

test_unhealthy() {
    ready_bake 'time = 5m' 'errors = 100%'
    sed -i 's|--port 8080|--port 8080 --unhealthy-after 3|' "$WORLD/etc/apps/web.conf"
    bg deploy web v2
    expect_switched_back 'it became unhealthy: HTTP 503'
}

test_failed_probes() {
    ready_bake 'time = 5m'
    sed -i 's|--port 8080|--port 8080 --unhealthy-after 3|; s|^interval.*|&\nfailures = 100|' "$WORLD/etc/apps/web.conf"
    bg deploy web v2
    expect_switched_back 'of [0-9]+ probes failed \(\[bake\] errors = 10%\), the last of them: HTTP 503'
}

test_a_guard() {
    ready_bake 'time = 5m' 'interval = 1s' "guard = $WORLD/srv/web/%r/bin/guard"
    guard_install
    bg deploy web v2
    wait_for 5 test -e "$SHARED/guarded"
    answers v2 || fail "v2 is not live any more"
    touch "$SHARED/bad"
    expect_switched_back 'the guard hook failed: exit status 3: too slow'
}

test_a_full_listening_queue() {
    ready_bake 'time = 5m'
    worker_install <<'EOS'
use IO::Socket::INET;
my $s = IO::Socket::INET->new(LocalPort => 9000, Listen => 1) or die;
sleep 1000;
EOS
    bg deploy web v2
    sleep 1
    answers v2 || fail "v2 is not live any more"
    for ((i = 0; i < 6; i++)); do
        nsenter --net=/run/netns/bg-web-green curl -s -m 2 http://127.0.0.1:9000 >/dev/null &
    done
    expect_switched_back 'connections? found its listening queue full'
}

test_resets() {
    ready_bake 'time = 5m' 'resets = 5'
    bg deploy web v2
    for ((i = 0; i < 5; i++)); do
        nsenter --net=/run/netns/bg-web-green curl -s -m 2 http://127.0.0.1:1 >/dev/null || :
    done
    sleep 1.5
    answers v2 || fail "v2 is not live any more"
    expect_match '5 resets in the last minute' "$(status_of .bake.verdict)"
    nsenter --net=/run/netns/bg-web-green curl -s -m 2 http://127.0.0.1:1 >/dev/null || :
    expect_switched_back 'it sent 6 TCP resets within a minute'
}

test_out_of_memory() {
    ready_bake 'time = 5m' 'restarts = unlimited'
    worker_install <<'EOS'
sleep 3;
my $x = "a";
$x x= 512 << 20;
sleep 1000;
EOS
    printf '[limits]\nmemory = 48M\n' >>"$WORLD/etc/apps/web.conf"
    bg deploy web v2 >"$WORLD/deploy" 2>&1 || skip "no limits here: $(head -n 1 "$WORLD/deploy")"
    expect_switched_back 'memory ran out: the kernel killed' 20
}

test_a_lost_zone() {
    ready_bake 'time = 5m'
    bg deploy web v2
    kill -9 "$(status_of .zones.green.shim_pid)"
    expect_switched_back 'its zone was lost'
}

test_a_failing_post_switch_hook() {
    ready_bake 'time = 0'
    printf '#!/bin/bash\necho "cache is cold"; exit 1\n' >"$WORLD/srv/web/v2/bin/post"
    chmod 755 "$WORLD/srv/web/v2/bin/post"
    sed -i "s|^on_rollback|post_switch = $WORLD/srv/web/%r/bin/post\n&|" "$WORLD/etc/apps/web.conf"
    expect_status 1 bg deploy web v2
    expect_switched_back 'hook post_switch failed: exit status 1: cache is cold'
}

# Nothing of the way back costs a request. Those that v2 itself fails are not the switch's.
test_a_breach_under_load() {
    ready_bake 'time = 5m' 'interval = 1s' "guard = $WORLD/srv/web/%r/bin/guard"
    guard_install
    load_start breach --new 3 --keepalive 4 --requests-per-connection 25 --body 3000 --url "$URL4" --url "$URL6"
    bg deploy web v2
    touch "$SHARED/bad"
    expect_switched_back 'too slow'
    load_end breach >"$WORLD/report.json" || { cat "$WORLD/report.json"; fail "requests failed"; }
    json '.failed == 0 and .releases.v1.requests > 0 and .releases.v2.requests > 0' <"$WORLD/report.json"
}

test_a_bad_release_takes_force() {
    ready_bake 'time = 5m' 'errors = 100%'
    bg deploy web v2
    kill -9 "$(status_of .zones.green.pid)"
    expect_switched_back 'exit or restart'
    wait_for 5 is_healthy green
    local verb
    for verb in rollback switch rehearse; do
        expect_status 1 bg "$verb" web
        expect_match 'v2 is bad.*1 exit or restart' "$OUTPUT"
    done
    # A new agent knows it, too.
    agent_kill9
    agent_start
    wait_for 5 is_healthy green
    expect_status 1 bg rollback web
    expect_match 'v2 is bad' "$OUTPUT"
    expect_status 0 bg rollback web --force
    expect_eq v2 "$(release_seen "$URL4")"
    baking false || fail "a rollback began a bake"
    # Once something else was staged in its place nothing is held against that.
    bg rollback web
    bg deploy web v2
    bg rollback web
    expect_status 0 bg rollback web
}

test_no_way_back() {
    ready_bake 'time = 6s' 'errors = 100%'
    bg deploy web v2
    wait_for 5 is_state blue standby
    kill -STOP "$(status_of .zones.blue.pid)"
    kill -9 "$(status_of .zones.blue.shim_pid)"
    mv "$WORLD/srv/web/v1" "$WORLD/srv/web/v1.away"
    wait_for 10 is_state blue unhealthy
    kill -9 "$(status_of .zones.green.pid)"
    wait_for 5 grep -q 'v2 is bad and STAYS LIVE: .*v1' "$WORLD/agent.log"
    expect_eq green "$(status_of .live)"
    expect_match 'bad: 1 exit' "$(status_of .bake.verdict)"
    expect_match 'not healthy|v1' "$(last_of rollback .reason)"
    wait_for 20 baking false
    expect_match 'the bake of v2 is over; it is bad and stays live' "$(cat "$WORLD/agent.log")"
    expect_eq 1 "$(grep -c 'STAYS LIVE' "$WORLD/agent.log")"
}

# As soon as there is one again.
test_the_way_back_opens_later() {
    ready_bake 'time = 5m' 'errors = 100%'
    bg deploy web v2
    wait_for 5 is_state blue standby
    kill -STOP "$(status_of .zones.blue.pid)"
    wait_for 30 is_state blue unhealthy
    kill -9 "$(status_of .zones.green.pid)"
    wait_for 5 grep -q 'STAYS LIVE' "$WORLD/agent.log"
    expect_eq green "$(status_of .live)"
    kill -CONT "$(status_of .zones.blue.pid)"
    expect_switched_back '1 exit' 20
}

test_a_first_release_has_nowhere_to_go() {
    world_net
    web_conf web 80 '[bake]' 'time = 5m'
    release_install web v1
    agent_start
    bg deploy web v1
    baking true || fail "not in its bake"
    kill -9 "$(status_of .zones.blue.pid)"
    wait_for 5 grep -q 'v1 is bad and STAYS LIVE: there is nothing to switch back to' "$WORLD/agent.log"
    expect_match 'bake-breach' "$(bg history web --json)"
    wait_for 5 answers v1
}

test_an_agent_that_is_killed_goes_on() {
    ready_bake 'time = 8s'
    bg deploy web v2
    local until
    until=$(status_of .bake.until)
    agent_kill9
    sleep 1
    agent_start
    baking true || fail "not in its bake any more"
    expect_eq "$until" "$(status_of .bake.until)" "the end of the bake"
    kill -9 "$(status_of .zones.green.pid)"
    expect_switched_back '1 exit'
}

test_what_happens_without_an_agent_counts() {
    ready_bake 'time = 5m'
    bg deploy web v2
    agent_kill9
    nsenter --net=/run/netns/bg-web-green true
    kill -9 "$(pgrep -u web -f 'v2/bin/web' | head -n 1)"
    sleep 1
    agent_start
    expect_switched_back '1 exit or restart'
}

test_a_bake_that_ended_without_an_agent() {
    ready_bake 'time = 3s'
    bg deploy web v2
    agent_kill9
    sleep 4
    agent_start
    wait_for 10 grep -q 'v2 has passed its bake' "$WORLD/agent.log"
    expect_eq v2 "$(release_seen "$URL4")"
    agent_kill9
    agent_start
    baking false || fail "it began again"
}

# Found by one agent, ended by the next.
test_an_agent_that_is_killed_in_a_breach() {
    ready_bake 'time = 5m' 'errors = 100%'
    bg deploy web v2
    wait_for 5 is_state blue standby
    kill -STOP "$(status_of .zones.blue.pid)"
    wait_for 30 is_state blue unhealthy
    kill -9 "$(status_of .zones.green.pid)"
    wait_for 5 grep -q 'STAYS LIVE' "$WORLD/agent.log"
    kill -CONT "$(status_of .zones.blue.pid)"
    agent_kill9
    agent_start
    expect_switched_back '1 exit' 20
}

# The switch has happened, what follows it has not.
test_an_agent_that_is_killed_on_its_way_back() {
    ready_bake 'time = 5m'
    sed -i "s|^on_rollback|post_rollback = $WORLD/srv/web/%r/bin/slow\n&|" "$WORLD/etc/apps/web.conf"
    printf '#!/bin/bash\ntouch %s/slow\nsleep 20\n' "$SHARED" | tee "$WORLD/srv/web/v1/bin/slow" >"$WORLD/srv/web/v2/bin/slow"
    chmod 755 "$WORLD"/srv/web/v?/bin/slow
    bg deploy web v1 >/dev/null
    bg deploy web v2 >/dev/null
    expect_eq blue "$(status_of .live)" # the place of the former v1
    kill -9 "$(status_of .zones.blue.pid)"
    wait_for 10 test -e "$SHARED/slow"
    agent_kill9
    agent_start
    answers v1 || fail "another release is live"
    baking false || fail "still in its bake"
    expect_eq true "$(last_of rollback .done)"
    expect_match '1 exit or restart' "$(last_of rollback .reason)"
    expect_match 'bad: 1 exit or restart' "$(status_of .zones.blue.detail)"
}

test_a_rollback_by_hand_ends_it() {
    ready_bake 'time = 5m'
    bg deploy web v2
    expect_status 0 bg rollback web
    baking false || fail "still in its bake"
    expect_eq v1 "$(release_seen "$URL4")"
    expect_match 'the bake of v2 has ended: v1 is live again, by root' "$(cat "$WORLD/agent.log")"
    wait_for 5 grep -q 'on_rollback v2 v1 asked for by root (uid 0)' "$SHARED/told"
    # v2 is not bad for that.
    expect_status 0 bg rollback web
}

# One that hangs is in nobody's way.
test_a_hanging_guard_does_not_delay_a_rollback() {
    ready_bake 'time = 5m' 'interval = 1s' "guard = $WORLD/srv/web/%r/bin/guard"
    printf '#!/bin/bash\ntouch %s/guarded\nsleep 50\n' "$SHARED" | tee "$WORLD/srv/web/v1/bin/guard" \
        >"$WORLD/srv/web/v2/bin/guard"
    printf '#!/bin/bash\ntouch %s/asked\n' "$SHARED" | tee "$WORLD/srv/web/v1/bin/ask" >"$WORLD/srv/web/v2/bin/ask"
    chmod 755 "$WORLD"/srv/web/v?/bin/*
    sed -i "s|^on_rollback|pre_rollback = $WORLD/srv/web/%r/bin/ask\n&|" "$WORLD/etc/apps/web.conf"
    bg deploy web v1 >/dev/null
    bg deploy web v2 >/dev/null
    wait_for 5 test -e "$SHARED/guarded"
    local began=$SECONDS
    expect_status 0 bg rollback web
    [ $((SECONDS - began)) -lt 10 ] || fail "the rollback took $((SECONDS - began)) s"
    [ -e "$SHARED/asked" ] || fail "pre_rollback was not asked"
}

test_a_deployment_ends_it() {
    ready_bake 'time = 5m'
    release_install web v3
    cp "$WORLD/srv/web/v2/bin/told" "$WORLD/srv/web/v3/bin/told"
    bg deploy web v2
    # One that is refused before it touched the standby does not.
    expect_status 2 bg deploy web v9
    baking true || fail "the bake ended for nothing"
    wait_for 5 is_state blue standby
    expect_status 0 bg deploy web v3
    expect_match 'the bake of v2 has ended: v3 takes the place' "$(cat "$WORLD/agent.log")"
    baking true || fail "v3 is not in its bake"
    kill -9 "$(status_of .zones.blue.pid)"
    wait_for 10 answers v2
    expect_eq green "$(status_of .live)"
}

test_stop_and_finish_end_it() {
    ready_bake 'time = 5m'
    bg deploy web v2
    expect_status 0 bg finish web
    baking false || fail "still in its bake"
    bg rollback web
    bg switch web
    baking true || fail "a switch began no bake"
    bg stop web
    baking false || fail "in a bake without an app"
    bg start web
    expect_eq v2 "$(release_seen "$URL4")"
    baking false || fail "a start began a bake"
}

# It waits for the end of what runs, and is not forgotten.
test_a_breach_while_another_operation_runs() {
    ready_bake 'time = 5m' 'errors = 100%'
    printf '#!/bin/bash\nsleep 4\nexit 1\n' >"$WORLD/srv/web/v1/bin/pre"
    chmod 755 "$WORLD/srv/web/v1/bin/pre"
    cp "$WORLD/srv/web/v1/bin/pre" "$WORLD/srv/web/v2/bin/pre"
    bg rollback web 2>/dev/null || :
    bg deploy web v1
    sed -i "s|^on_rollback|pre_rollback = $WORLD/srv/web/%r/bin/pre\n&|" "$WORLD/etc/apps/web.conf"
    bg deploy web v1 --force
    bg deploy web v2 --force
    bg rollback web >"$WORLD/rollback" 2>&1 &
    local rollback=$!
    sleep 1
    kill -9 "$(status_of ".zones.$(status_of .live).pid")"
    wait_for 3 answers v1
    wait "$rollback" && fail "the rollback passed its hook"
    expect_match 'gives way, because v2 is bad: 1 exit' "$(cat "$WORLD/rollback")"
    wait_for 10 ended_by rollback 'bluegreen (bake)'
}

# It is watched from the switch on, and nobody waits for the rest of a hook to leave it.
test_a_breach_while_post_switch_runs() {
    ready_bake 'time = 5m'
    sed -i "s|^on_rollback|post_switch = $WORLD/srv/web/%r/bin/post\n&|" "$WORLD/etc/apps/web.conf"
    printf '#!/bin/bash\nsleep 4000\n' >"$WORLD/srv/web/v2/bin/post"
    chmod 755 "$WORLD/srv/web/v2/bin/post"
    bg deploy web v2 >"$WORLD/deploy" 2>&1 &
    local deploy=$!
    wait_for 10 grep -q 'hook post_switch of v2 runs' "$WORLD/deploy"
    baking true || fail "not watched"
    kill -9 "$(status_of .zones.green.pid)"
    expect_switched_back '1 exit or restart' 3
    wait "$deploy" && fail "the deployment says that it is done"
    expect_match 'deploy web v2: 1 exit or restart' "$(cat "$WORLD/deploy")"
    pgrep -f 'sleep 4000' && fail "the hook is left"
    expect_eq false "$(last_of deploy .done)"
}

# The time is that without the hook.
test_the_time_counts_from_the_end_of_post_switch() {
    ready_bake 'time = 3s'
    sed -i "s|^on_rollback|post_switch = $WORLD/srv/web/%r/bin/post\n&|" "$WORLD/etc/apps/web.conf"
    printf '#!/bin/bash\nsleep 4\n' >"$WORLD/srv/web/v2/bin/post"
    chmod 755 "$WORLD/srv/web/v2/bin/post"
    expect_status 0 bg deploy web v2
    baking true || fail "the bake ended with the hook"
    expect_status 0 bg attach web
    expect_match 'v2 has passed its bake' "$(cat "$WORLD/agent.log")"
    expect_eq v2 "$(release_seen)"
}

# Who waits for a turn would take the place of the way back.
test_a_breach_comes_before_who_waits() {
    ready_bake 'time = 5m'
    release_install web v3
    cp "$WORLD/srv/web/v1/bin/told" "$WORLD/srv/web/v3/bin/told"
    sed -i "s|^on_rollback|pre_start = $WORLD/srv/web/%r/bin/pre\npost_switch = $WORLD/srv/web/%r/bin/post\n&|" \
        "$WORLD/etc/apps/web.conf"
    printf '#!/bin/bash\nsleep 2\nexit 1\n' >"$WORLD/srv/web/v2/bin/post"
    printf '#!/bin/bash\nexit 1\n' >"$WORLD/srv/web/v3/bin/pre"
    printf '#!/bin/bash\n' | tee "$WORLD/srv/web/v2/bin/pre" >"$WORLD/srv/web/v3/bin/post"
    chmod 755 "$WORLD"/srv/web/v[23]/bin/{pre,post}
    bg deploy web v2 >"$WORLD/deploy" 2>&1 &
    wait_for 10 grep -q 'hook post_switch of v2 runs' "$WORLD/deploy"
    expect_status 1 bg deploy web v3 --wait
    expect_match 'v2 is bad, and v1 is about to be live again' "$OUTPUT"
    expect_match 'its turn has come' "$OUTPUT"
    expect_eq v1 "$(release_seen)"
    wait_for 10 ended_by rollback 'bluegreen (bake)'
}

test_a_frozen_standby_is_thawed() {
    ready_bake 'time = 5m'
    printf '[standby]\nfreeze = yes\n' >>"$WORLD/etc/apps/web.conf"
    bg deploy web v1
    bg deploy web v2
    wait_for 10 is_state "$(status_of 'if .live == "blue" then "green" else "blue" end')" frozen
    kill -9 "$(status_of ".zones.$(status_of .live).pid")"
    wait_for 10 answers v1
    wait_for 10 ended_by rollback 'bluegreen (bake)'
}

run_tests "$@"
