#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bad moments: each part killed while another is half-way, commands that meet what the one before them left. What was live
# answers, status says what the kernel says, nothing is stuck, nothing is left over. At random it is in model.sh.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

URL4=http://203.0.113.10
declare -A PORT=([web]=80 [api]=81)

release_of() { # APP, as the outside sees it
    on_client curl -s -m 3 -D - -o /dev/null "$URL4:${PORT[$1]}/healthz" | tr -d '\r' | sed -n 's/^X-Release: //p'
}

status_of() { # APP FILTER
    bg status "$1" --json | jq -r "$2"
}

is() { # APP FILTER VALUE
    [ "$(status_of "$1" "$2")" = "$3" ]
}

answers() { # APP RELEASE
    [ "$(release_of "$1")" = "$2" ]
}

ready() { # APP... [-- LINE...]
    local app apps=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        apps+=("$1")
        shift
    done
    [ $# -eq 0 ] || shift
    world_net
    for app in "${apps[@]}"; do
        web_conf "$app" "${PORT[$app]}" "$@"
        release_install "$app" v1
        release_install "$app" v2
    done
    agent_start
}

no_bug_logged() {
    ! grep -E 'this is a bug|AddressSanitizer|runtime error|LeakSanitizer' "$WORLD/agent.log" ||
        fail "the agent's log speaks of a bug"
}

gone() { # APP COLOUR
    [ ! -e "/run/netns/bg-$1-$2" ]
}

# --- what one command leaves to the next ---------------------------------------------------------------

# An app that does not listen to SIGTERM and is not healthy is still being ended when the next start comes.
test_a_start_after_a_failed_start_is_not_undone_by_it() {
    ready web
    sed -i 's/^interval.*/&\nstart_timeout = 1s/; s/^run.*/&\nstop_timeout = 1s/' "$WORLD/etc/apps/web.conf"
    bg deploy web v1
    bg stop web
    printf '#!/bin/sh\ntrap "" TERM\nwhile :; do sleep 1; done\n' >"$WORLD/srv/web/v1/bin/bad"
    chmod 755 "$WORLD/srv/web/v1/bin/bad"
    mv "$WORLD/srv/web/v1/bin/bad" "$WORLD/srv/web/v1/bin/web"
    expect_status 1 bg start web
    expect_match 'not healthy in time' "$OUTPUT"
    release_install web v1
    wait_for 10 bg start web
    expect_eq v1 "$(release_of web)"
    local pid
    pid=$(status_of web .zones.blue.pid)
    sleep 4
    expect_eq "$pid" "$(status_of web .zones.blue.pid)" "the app's pid some seconds later"
    expect_eq v1 "$(release_of web)"
    no_bug_logged
}

test_a_start_that_cannot_be_done_leaves_the_app_stopped() {
    ready web
    bg deploy web v1
    bg stop web
    mv "$WORLD/srv/web/v1" "$WORLD/srv/web/away"
    expect_status 1 bg start web
    sleep 1.5
    expect_eq stopped "$(status_of web .state)"
    expect_eq stopped "$(status_of web .zones.blue.state)"
    no_bug_logged
    mv "$WORLD/srv/web/away" "$WORLD/srv/web/v1"
    expect_status 0 bg start web
    expect_eq v1 "$(release_of web)"
}

test_a_zone_that_is_not_there_gets_no_traffic_even_by_force() {
    ready web
    bg deploy web v1
    bg deploy web v2
    bg drain web
    mv "$WORLD/srv/web/v1" "$WORLD/srv/web/away"
    kill -KILL "$(status_of web .zones.blue.shim_pid)"
    wait_for 5 gone web blue
    expect_status 1 bg rollback web --force
    expect_eq v2 "$(release_of web)"
    expect_eq green "$(status_of web .live)"
    mv "$WORLD/srv/web/away" "$WORLD/srv/web/v1"
    wait_for 10 bg rollback web
    expect_eq v1 "$(release_of web)"
}

test_what_was_removed_gives_its_port_back() {
    ready web api
    bg deploy web v1
    bg stop web
    bg remove web
    expect_eq '' "$(find "$WORLD/state/zones" -mindepth 1 -maxdepth 1 -name 'web.*')" "kept for web"
    expect_eq '' "$(status_of web '.zones[].release // empty')" "releases of web"
    sed -i 's/^http = 80 /http = 8888 /' "$WORLD/etc/apps/web.conf"
    sed -i 's/^http = 81 /http = 80 /' "$WORLD/etc/apps/api.conf"
    expect_status 0 bg reload
    expect_status 0 bg deploy api v1
    PORT[api]=80
    expect_eq v1 "$(release_of api)"
}

test_an_app_whose_file_goes_while_it_is_removed_is_forgotten() {
    ready web -- '[drain]' 'timeout = 1s'
    sed -i 's/^run.*/&\nstop_timeout = 1s/' "$WORLD/etc/apps/web.conf"
    bg deploy web v1
    # A request that takes its time keeps the app from ending at once.
    on_client curl -s -o /dev/null "$URL4/slow/1/1000/5000" &
    sleep 0.2
    bg remove web --force >"$WORLD/out" 2>&1 &
    local remover=$!
    wait_for 5 is web .operation.step halt
    rm "$WORLD/etc/apps/web.conf"
    bg reload
    wait "$remover"
    expect_status 1 bg status web
}

test_who_waits_for_a_drain_hears_of_the_end_whatever_it_is() {
    ready web -- '[drain]' 'timeout = 60s'
    bg deploy web v1
    on_client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    wait_for 5 grep -q answer "$WORLD/held"
    bg deploy web v2 >"$WORLD/deploy" 2>&1 &
    local deploy=$! drain
    wait_for 10 is web .zones.blue.state draining
    bg drain web >"$WORLD/drain" 2>&1 &
    drain=$!
    sleep 0.3
    bg remove web --force
    wait "$deploy" && fail "the deploy ended well although its zone was removed"
    wait "$drain" || :
    expect_no_match 'going down' "$(cat "$WORLD/deploy" "$WORLD/drain")"
    no_bug_logged
}

# The switch has happened, and with the shim its connections are gone: there is nothing to wait for and nothing failed.
test_a_draining_zone_that_is_lost_ends_its_drain_well() {
    ready web -- '[drain]' 'timeout = 60s'
    bg deploy web v1
    on_client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    wait_for 5 grep -q answer "$WORLD/held"
    bg deploy web v2 --json >"$WORLD/deploy" 2>&1 &
    local deploy=$!
    wait_for 10 is web .zones.blue.state draining
    kill -KILL "$(status_of web .zones.blue.shim_pid)"
    wait "$deploy" || fail "the deploy failed: $(cat "$WORLD/deploy")"
    tail -n 1 "$WORLD/deploy" | json '.to == "green" and .cut == 1'
    wait_for 10 is web .zones.blue.state standby
    wait_for 10 bg rollback web
    expect_eq v1 "$(release_of web)"
}

test_a_deploy_goes_on_when_its_file_is_removed() {
    ready web
    bg deploy web v1
    sed -i "s|--port 8080|--port 8080 --start-delay 1500|" "$WORLD/etc/apps/web.conf"
    bg deploy web v2 >"$WORLD/out" 2>&1 &
    local deploy=$!
    wait_for 5 is web .operation.step health
    rm "$WORLD/etc/apps/web.conf"
    bg reload
    wait "$deploy" || fail "the deploy failed: $(cat "$WORLD/out")"
    expect_eq v2 "$(release_of web)"
    bg reload
    expect_status 0 bg rollback web
    expect_status 1 bg deploy web v2
    expect_match 'does not exist' "$OUTPUT"
    expect_status 0 bg remove web --force
    expect_status 1 bg status web
    no_bug_logged
}

# The shim hangs: it is killed when its time is over, and the command that waits for it ends.
test_a_shim_that_hangs_holds_nothing_up_for_ever() {
    ready web
    sed -i 's/^run.*/&\nstop_timeout = 500ms/' "$WORLD/etc/apps/web.conf"
    bg deploy web v1
    bg deploy web v2
    bg drain web
    kill -STOP "$(status_of web .zones.blue.shim_pid)"
    expect_status 0 timeout 10 "$BUILD/bluegreen" --socket "$BLUEGREEN_SOCKET" deploy web v1
    kill -STOP "$(status_of web .zones.blue.shim_pid)"
    agent_kill9
    agent_start
    wait_for 10 answers web v1
    expect_eq v1 "$(status_of web '.zones[.live].release')"
    no_bug_logged
}

# --- the agent dies, or comes back to something else ------------------------------------------------------

test_an_agent_killed_in_a_start_leaves_an_app_that_can_be_started() {
    ready web
    bg deploy web v1
    bg deploy web v2
    bg drain web
    local delay
    for delay in 0.005 0.03 0.06 0.1 0.2; do
        bg stop web
        bg start web >/dev/null 2>&1 &
        sleep "$delay"
        agent_kill9
        wait $! || :
        agent_start
        if [ "$(status_of web .state)" = stopped ]; then
            expect_eq '' "$(status_of web '.zones[].pid // empty')" "after $delay s: pids of a stopped app"
            expect_status 0 bg start web
        fi
        wait_for 10 answers web v2
        wait_for 10 is web .zones.blue.state standby
    done
    no_bug_logged
}

test_a_rollback_that_could_not_be_recorded_survives_the_agent() {
    world_net
    mkdir -p "$WORLD/state"
    mount -t tmpfs -o size=1m small "$WORLD/state"
    web_conf web 80
    release_install web v1
    release_install web v2
    agent_start
    bg deploy web v1
    bg deploy web v2
    bg drain web
    dd if=/dev/zero of="$WORLD/state/filler" bs=4k 2>/dev/null || :
    local i
    for ((i = 0; i < 60; i++)); do
        bg rollback web >/dev/null
        grep -q 'the journal cannot be written' "$WORLD/agent.log" && break
    done
    grep -q 'the journal cannot be written' "$WORLD/agent.log" || fail "the journal never became full"
    # Whatever of the first of these was recorded: of these two, one is not what the journal says.
    for i in 1 2; do
        bg rollback web >/dev/null
        local release
        release=$(release_of web)
        agent_kill9
        agent_start
        expect_eq "$release" "$(release_of web)" "after the restart"
        expect_eq "$release" "$(status_of web '.zones[.live].release')" "status after the restart"
        expect_eq "$(live_in_kernel web)" "$(status_of web .live)"
        wait_for 10 is web '[.zones[].state] | sort | join(" ")' 'live standby'
    done
    rm "$WORLD/state/filler"
    bg rollback web >/dev/null
    local release
    release=$(release_of web)
    agent_kill9
    agent_start
    expect_eq "$release" "$(release_of web)" "with room again"
    agent_stop
    umount -l "$WORLD/state"
}

test_a_lost_kept_configuration_does_not_cost_the_live_zone() {
    ready web
    bg deploy web v1
    local pid
    pid=$(status_of web .zones.blue.pid)
    agent_kill9
    rm "$WORLD/state/zones/web.blue/app.conf"
    agent_start
    expect_eq v1 "$(release_of web)"
    expect_eq blue "$(status_of web .live)"
    expect_eq "$pid" "$(status_of web .zones.blue.pid)"
}

test_an_api_role_that_hangs_does_not_keep_the_agent() {
    ready web
    api_pid >"$WORLD/api.pid"
    kill -STOP "$(cat "$WORLD/api.pid")"
    kill -TERM "$AGENT"
    wait_for 8 has_ended "$AGENT"
}

test_broken_files_do_not_keep_what_runs_from_coming_back() {
    ready web api
    bg deploy web v1
    bg deploy api v2
    agent_kill9
    printf '[nonsense]\n' >"$WORLD/etc/apps/web.conf"
    agent_start
    expect_eq v1 "$(release_of web)"
    expect_eq v2 "$(release_of api)"
    expect_status 0 bg stop api
    expect_status 0 bg start api
    expect_eq v2 "$(release_of api)"
    expect_status 0 bg stop web
    expect_status 0 bg start web
    expect_eq v1 "$(release_of web)"
}

# --- what is left -------------------------------------------------------------------------------------------

nothing_is_left() {
    [ -z "$(find /run/netns -name 'bg-*'; find /sys/class/net -name 'bg*'; pgrep -f bluegreen-zone
        find "$WORLD/run/zones" "$WORLD/state/zones" -mindepth 1 2>/dev/null
        find /sys/fs/cgroup -mindepth 1 -type d ! -path '*/harness*'; grep bg- /proc/mounts)" ]
}

descriptors() {
    find "/proc/$AGENT/fd" -mindepth 1 | wc -l
}

test_the_monitors_descriptors_do_not_grow() {
    ready web
    local before i round
    bg status web
    for round in 1 2 3; do
        for i in v1 v2; do
            bg deploy web "$i"
        done
        bg rollback web
        kill -KILL "$(status_of web .zones.green.shim_pid)"
        wait_for 10 answers web v1
        kill -KILL "$(status_of web .zones.blue.pid)"
        wait_for 10 answers web v1
        bg stage web v2 || bg abort web
        bg remove web --force
        wait_for 10 nothing_is_left || fail "round $round: something is left over"
        [ "$round" != 1 ] || before=$(descriptors) # some are opened when they are first needed
    done
    expect_eq "$before" "$(descriptors)" "the monitor's open descriptors"
    no_bug_logged
}

run_tests
