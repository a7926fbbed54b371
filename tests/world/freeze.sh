#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A standby that is frozen: when, that nothing runs in it, and that it is back when it is needed.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

SHARED=$WORLD/shared

# A process beside the app that counts while it gets CPU.
ready_freeze() {
    mkdir -p "$SHARED"
    chown web "$SHARED"
    ready_web '[files]' "write = $SHARED" \
        '[process pulse]' "run = $WORLD/srv/web/%r/bin/pulse $SHARED/pulse-%z" 'when = always' \
        '[drain]' 'timeout = 300ms' "$@"
    sed -i 's|^user = web|&\nstop_timeout = 20s|' "$WORLD/etc/apps/web.conf"
    local release
    for release in v1 v2; do
        # shellcheck disable=SC2016 # for the program
        printf '#!/bin/bash\ntrap "echo ended >>$1.end; exit 0" TERM\nwhile :; do echo x >>"$1"; sleep 0.02; done\n' \
            >"$WORLD/srv/web/$release/bin/pulse"
        chmod 755 "$WORLD/srv/web/$release/bin/pulse"
    done
}

beats() {
    stat -c %s "$SHARED/pulse-$1"
}

beating() {
    local before
    before=$(beats "$1")
    sleep 0.3
    [ "$(beats "$1")" -gt "$before" ]
}

frozen_cgroups() {
    find /sys/fs/cgroup -path '*/payload/cgroup.events' -exec grep -l 'frozen 1' {} + | wc -l
}

ready_frozen() {
    ready_freeze '[standby]' 'freeze = yes'
    bg deploy web v1
    bg deploy web v2
    wait_for 10 is_state blue frozen
}

test_a_drained_standby_is_frozen() {
    ready_frozen
    ! beating blue || fail "the frozen zone goes on"
    beating green || fail "the live zone stands still"
    expect_eq 1 "$(frozen_cgroups)" "frozen payloads"
    expect_eq v2 "$(release_seen "$URL4")"
}

# rests_again_with_another PID: than this, which has died.
rests_again_with_another() {
    wait_for 10 is_state blue frozen
    [ "$(status_of .zones.blue.pid)" != "$1" ] && [ "$(status_of .zones.blue.pid)" != null ]
}

test_a_process_that_dies_frozen_is_started_again() {
    ready_frozen
    local pid
    pid=$(status_of .zones.blue.pid)
    kill -KILL "$pid"
    wait_for 10 rests_again_with_another "$pid"
    grep -q "main of v1 ended while it was frozen; the zone goes on" "$WORLD/agent.log" || fail "nothing was said of it"
    # The same while no agent looks.
    pid=$(status_of .zones.blue.pid)
    agent_kill9
    kill -KILL "$pid"
    agent_start
    wait_for 10 rests_again_with_another "$pid"
    bg rollback web
    expect_eq v1 "$(release_seen "$URL4")"
}

test_without_the_key_it_is_not() {
    ready_freeze
    bg deploy web v1
    bg deploy web v2
    wait_for 10 is_state blue standby
    sleep 1
    expect_eq standby "$(status_of .zones.blue.state)"
    beating blue || fail "the standby stands still"
}

test_rollback_thaws_probes_and_switches() {
    ready_frozen
    load_start roll --new 2 --keepalive 2 --url "$URL4"
    local began
    began=$(date +%s%N)
    bg rollback web --json >"$WORLD/rollback.json"
    echo "rollback to a frozen standby: $((($(date +%s%N) - began) / 1000)) us until its drain has ended"
    grep -h 'thawed in' "$WORLD/agent.log"
    expect_eq v1 "$(release_seen "$URL4")"
    beating blue || fail "the live zone stands still"
    load_end roll >"$WORLD/report.json" || { cat "$WORLD/report.json"; fail "requests failed"; }
    wait_for 10 is_state green frozen
    expect_status 0 bg rollback web
    expect_match 'gate +green +v2 is thawed' "$OUTPUT"
    expect_match 'gate +green +v2 is healthy: HTTP 200' "$OUTPUT" # and by that time it was
    expect_eq v2 "$(release_seen "$URL4")"
    wait_for 10 is_state blue frozen
}

# What was healthy when it was frozen may not be any more.
test_a_sick_one_does_not_pass_the_gate() {
    world_net
    web_conf web 80 '[standby]' 'freeze = yes' '[drain]' 'timeout = 300ms'
    sed -i 's|--port 8080|--port 8080 --unhealthy-after 6|' "$WORLD/etc/apps/web.conf"
    release_install web v1
    release_install web v2
    agent_start
    bg deploy web v1
    local began=$SECONDS
    sed -i 's| --unhealthy-after 6||' "$WORLD/etc/apps/web.conf"
    bg deploy web v2
    wait_for 5 is_state blue frozen
    sleep $((7 - (SECONDS - began)))
    expect_eq frozen "$(status_of .zones.blue.state)"
    expect_status 1 bg rollback web
    expect_match 'HTTP 503' "$OUTPUT"
    expect_eq v2 "$(release_seen "$URL4")"
    wait_for 5 is_state blue unhealthy
    expect_status 0 bg rollback web --force
}

test_a_new_agent_leaves_it_frozen() {
    ready_frozen
    agent_kill9
    agent_start
    sleep 0.5
    expect_eq frozen "$(status_of .zones.blue.state)"
    ! beating blue || fail "the frozen zone goes on"
    bg rollback web
    expect_eq v1 "$(release_seen "$URL4")"
}

test_one_that_somebody_thawed_is_taken_as_it_is() {
    ready_frozen
    agent_stop
    find /sys/fs/cgroup -path '*web*blue*payload/cgroup.freeze' | while read -r file; do echo 0 >"$file"; done
    agent_start
    wait_for 10 is_state blue frozen # standby first, then frozen again
    expect_match 'standby|frozen' "$(cat "$WORLD/agent.log")"
    ! beating blue || fail "the frozen zone goes on"
}

test_its_place_is_taken_gracefully() {
    ready_frozen
    release_install web v3
    cp "$WORLD/srv/web/v1/bin/pulse" "$WORLD/srv/web/v3/bin/pulse"
    local began=$SECONDS
    bg deploy web v3
    [ $((SECONDS - began)) -lt 15 ] || fail "it took $((SECONDS - began)) s: nobody listened to the signal"
    expect_eq ended "$(cat "$SHARED/pulse-blue.end")"
    expect_eq v3 "$(release_seen "$URL4")"
}

test_stop_and_start_with_a_frozen_one() {
    ready_frozen
    bg stop web
    expect_eq stopped "$(status_of .zones.blue.state)"
    bg start web
    expect_eq v2 "$(release_seen "$URL4")"
    wait_for 10 is_state blue frozen
}

# As after a reboot: zones, rules and cgroups are gone, the journal says frozen.
test_it_is_built_again_after_a_loss() {
    ready_frozen
    kill -9 "$(status_of .zones.blue.shim_pid)"
    wait_for 10 grep -q 'blue: v1 was started again in a new zone' "$WORLD/agent.log"
    wait_for 10 is_state blue frozen
    bg rollback web
    expect_eq v1 "$(release_seen "$URL4")"
}

test_a_command_in_it_keeps_it_awake() {
    ready_freeze '[standby]' 'freeze = yes'
    bg deploy web v1
    bg exec web blue -- sleep 4 >"$WORLD/exec" 2>&1 &
    local command=$!
    bg deploy web v2
    wait_for 5 is_state blue standby
    sleep 1
    expect_eq standby "$(status_of .zones.blue.state)"
    wait "$command" || fail "the command ended with $?: $(cat "$WORLD/exec")"
    wait_for 10 is_state blue frozen
    expect_status 125 bg exec web blue -- true
    expect_match 'is frozen' "$OUTPUT"
}

run_tests "$@"
