#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A configuration that is read again: what takes effect at once, what waits for the next release, and what is refused.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

FILE=$WORLD/etc/apps/web.conf

ready_reload() {
    ready_web '[drain]' 'timeout = 300ms' "$@"
    bg deploy web v1 >/dev/null
}

test_nothing_changed_is_silent() {
    ready_reload
    expect_status 0 bg reload
    expect_eq "done" "$OUTPUT"
    # Blanks and comments are no change.
    printf '\n; a comment\n' >>"$FILE"
    sed -i 's|^interval = 200ms|interval  =  200ms|' "$FILE"
    expect_status 0 bg reload
    expect_eq "done" "$OUTPUT"
}

test_key_by_key() {
    ready_reload
    sed -i 's|^interval.*|interval = 100ms|; s|^timeout = 300ms|timeout = 7s|' "$FILE"
    printf '[limits]\nopen_files = 512\n' >>"$FILE"
    expect_status 0 bg reload
    expect_match 'web: applied now: \[health\] interval, \[drain\] timeout; waits for the next release: \[limits\] open_files' \
        "$OUTPUT"
    # What was applied is no news; what waits still does.
    expect_status 0 bg reload
    expect_match '^web: waits for the next release: \[limits\] open_files$' "$OUTPUT"
    # A key that is taken away is its default again.
    sed -i '/^interval/d' "$FILE"
    expect_status 0 bg reload
    expect_match 'web: applied now: \[health\] interval; waits' "$OUTPUT"
    # The next release has all of it.
    expect_status 0 bg deploy web v2
    expect_status 0 bg reload
    expect_eq "done" "$OUTPUT"
}

test_one_wrong_file_changes_nothing() {
    ready_reload '[failover]' 'auto = no'
    web_conf api 81 '[restart]' 'polcy = no'
    sed -i 's|^failures.*||; s|^interval.*|interval = 10s|' "$FILE"
    expect_status 2 bg reload
    expect_match 'api.conf: \[restart\] polcy: unknown key; did you mean policy\?' "$OUTPUT"
    rm "$WORLD/etc/apps/api.conf"
    # Nothing of web's was taken meanwhile: it is news now.
    expect_status 0 bg reload
    expect_match 'web: applied now: \[health\] interval' "$OUTPUT"
}

unhealthy() {
    [ "$(status_of ".zones.$(status_of .live).verdict")" = unhealthy ]
}

healthy() {
    [ "$(status_of ".zones.$(status_of .live).verdict")" = healthy ]
}

# The timers are armed anew: twenty seconds are not waited for.
test_an_interval_holds_at_once() {
    ready_reload
    sed -i 's|^interval.*|interval = 20s|' "$FILE"
    bg deploy web v2 >/dev/null
    sleep 1
    kill -STOP "$(status_of .zones.green.pid)"
    sleep 1
    healthy || fail "it was checked within two seconds"
    sed -i 's|^interval.*|interval = 100ms\ntimeout = 100ms|' "$FILE"
    expect_status 0 bg reload
    expect_match 'web: applied now: \[health\] interval, \[health\] timeout' "$OUTPUT"
    wait_for 5 unhealthy
}

test_a_path_is_asked_for_at_once_and_a_port_is_not() {
    ready_reload
    sed -i 's|^http = :8080/healthz|http = :8080/nowhere\nstatus = 299|' "$FILE"
    expect_status 0 bg reload
    expect_match 'applied now: \[health\] http, \[health\] status' "$OUTPUT"
    wait_for 5 unhealthy
    sed -i 's|^http = :8080/nowhere|http = :8080/healthz|; /^status/d' "$FILE"
    bg reload >/dev/null
    wait_for 5 healthy
    sed -i 's|^http = :8080/healthz|http = :9090/healthz|' "$FILE"
    expect_status 0 bg reload
    expect_match '^web: waits for the next release: \[health\] http$' "$OUTPUT"
    sleep 1
    healthy || fail "the other port is asked"
}

# It is the same for a new agent, which lays today's file over what the zone was staged with.
test_a_new_agent_has_the_same() {
    ready_reload
    sed -i 's|^http = :8080/healthz|http = :8080/nowhere\nstatus = 299|' "$FILE"
    bg reload >/dev/null
    wait_for 5 unhealthy
    agent_kill9
    agent_start
    wait_for 5 unhealthy
    grep -q nowhere "$WORLD/state/zones/web.blue/app.conf" && fail "what it was staged with was changed"
    expect_status 0 bg reload
    expect_eq "done" "$OUTPUT"
}

# What the file says now and what the zone was staged with may not go together.
test_what_does_not_go_together_waits() {
    ready_reload '[bake]' 'time = 10m' "guard = /bin/true" 'interval = 5s'
    sed -i 's|^time = 10m|time = 4s|; /^guard/d; /^interval = 5s/d' "$FILE"
    expect_status 0 bg reload
    expect_match 'web: all of it waits for the next release, because it does not go together .*\[bake\] interval: ' "$OUTPUT"
}

test_a_standby_is_frozen_and_thawed() {
    ready_reload
    bg deploy web v2 >/dev/null
    wait_for 5 is_state blue standby
    printf '[standby]\nfreeze = yes\n' >>"$FILE"
    expect_status 0 bg reload
    expect_match 'applied now: \[standby\] freeze' "$OUTPUT"
    wait_for 5 is_state blue frozen
    sed -i 's|^freeze.*|freeze = no|' "$FILE"
    bg reload >/dev/null
    is_state blue standby || fail "it is still frozen"
}

# A drain that runs keeps the time that it began with.
test_a_running_drain_keeps_its_time() {
    ready_reload
    sed -i 's|^timeout = 300ms|timeout = 2s|' "$FILE"
    on_client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    wait_for 5 grep -q answer "$WORLD/held"
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 10 is_state blue draining
    sed -i 's|^timeout = 2s|timeout = 1h|' "$FILE"
    expect_status 0 bg reload
    expect_match 'applied now: \[drain\] timeout' "$OUTPUT"
    sleep 1
    is_state blue draining || fail "it was cut short"
    wait_for 5 is_state blue standby
    expect_match closed "$(cat "$WORLD/held")"
}

run_tests "$@"
