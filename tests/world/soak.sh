#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Everything at once, at random: five apps under load, operations of every kind, faults in the middle of them, clients that
# misbehave on the control socket. No request may fail but those that were under way where an app was killed; at the end
# every fed write that was acknowledged is in both zones, and nothing is left on the host.
#
# `make soak MINUTES=n SEED=n` is this file for longer. The tables at the end are the report; as Markdown it is in
# $BUILD/soak.md. What a failure leaves is in $BUILD/soak.failed.SEED.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/counts_lib.sh
. "$ROOT/tests/drivers/counts_lib.sh"
# shellcheck source=tests/drivers/feed_lib.sh
. "$ROOT/tests/drivers/feed_lib.sh"
# shellcheck source=tests/drivers/soak_lib.sh
. "$ROOT/tests/drivers/soak_lib.sh"
# shellcheck source=tests/drivers/soak_events_lib.sh
. "$ROOT/tests/drivers/soak_events_lib.sh"
# shellcheck source=tests/drivers/soak_report_lib.sh
. "$ROOT/tests/drivers/soak_report_lib.sh"
# shellcheck source=tests/drivers/soak_keep_lib.sh
. "$ROOT/tests/drivers/soak_keep_lib.sh"

# Of what feed_lib.sh asks.
status_of() {
    bg status fed --json | json "$1"
}

has_link_local() {
    ip -6 route show table local dev lan0 | grep -q '^local fe80'
}

# What was last said no to may have left the fed app without its other zone, or that one behind.
has_a_backup() {
    has_all && status_of '[.zones[].state] | sort == ["live", "standby"]' >/dev/null && return
    bg deploy fed "$([ "$(live_of fed .release)" = v1 ] && echo v2 || echo v1)" >/dev/null 2>&1 || :
    false
}

switches_done() {
    bg history --json --limit 1000 | jq '[.entries[] | select(.done and (.verb as $v
        | ["deploy", "switch", "rollback", "failover"] | index($v)))] | length'
}

# The host as it is without zones, before and after: names, links, mounts, cgroups, processes.
everything_goes() {
    local app
    for app in "${SOAK_APPS[@]}"; do
        bg remove "$app" --force >/dev/null
    done
    agent_stop
    "$BUILD/bluegreend" --config "$WORLD/etc" --state "$WORLD/state" --run "$WORLD/run" --teardown
    nft flush ruleset
    expect_counts "$BEFORE" "left on the host"
    expect_eq '' "$(pgrep -a bluegreen)" "processes left"
}

test_everything_at_once() {
    local step until
    RANDOM=${SEED:=$((EPOCHSECONDS % 32768))}
    echo "SEED=$SEED"
    trap 'soak_keep $?' EXIT
    mkdir -p "$WORLD/run/zones"
    world_net
    wait_for 5 has_link_local # its route comes a moment later than the address, and would be taken for something left
    BEFORE=$(kernel_counts)
    soak_ready
    soak_clients_start
    soak_settle
    soak_weigh
    soak_rude_start
    until=$((SECONDS + ${MINUTES:-0} * 60))
    [ -n "${MINUTES:-}" ] || until=$((SECONDS + 25))
    for ((step = 1; SECONDS < until; step++)); do
        soak_step "$step"
        [ "$SECONDS" -lt "$WEIGH_AT" ] || soak_weigh
        [ -z "$(all_undue)" ] || { soak_keep 1; break; } # now: what comes after covers it up
    done
    soak_rude_end
    soak_settle
    wait_for 60 has_a_backup
    soak_weigh
    soak_clients_end
    SWITCHES_DONE=$(switches_done)
    soak_says
    soak_tables as_text
    { soak_says; echo; soak_tables as_markdown; } >"$BUILD/soak.md"
    [ -z "$(all_undue)" ] || fail "requests failed that need not: $(all_undue | head -n 20)
$(tail -n 30 "$SOAK/steps")"
    nothing_missing
    everything_goes
}

# The judge: what was under way while its app was cut was due, what came before or after or was another app's was not.
test_what_is_due() {
    mkdir -p "$SOAK"
    echo '5000 7000 fault web cut live_app
9000 9500 op web - deploy
11000 12000 fault api - agent' >"$SOAK/events"
    cat >"$SOAK/seen.web" <<END
s 1 100:50 200:50
s 9 1000:99 9000:1
! 4000 4999 before
! 4900 5100 was cut
! 6000 6500 within
! 7001 7100 after
! 9100 9200 in an operation
! 11500 11600 other
END
    echo '! 6000 6100 of another' >"$SOAK/seen.api"
    expect_eq 'cut|within' "$(failures_of web due | sed 's/.* //' | paste -sd '|')"
    expect_eq 'before|after|operation|other' "$(failures_of web undue | sed 's/.* //' | paste -sd '|')"
    expect_eq 1 "$(failures_of api undue | wc -l)"
    printf '%(%T)T.500 bluegreend[1]: x: udp: switch v2 done in 1 ms\n' 1700000000 >"$WORLD/agent.log"
    local at
    at=$(($(date -d "today $(printf '%(%T)T' 1700000000)" +%s) * 1000 + 500))
    printf '! %s %s lost: a\n! %s %s lost: b\n! %s %s lost: c\n' $((at - 300)) $((at + 700)) $((at + 100)) $((at + 900)) \
        $((at - 1100)) $((at - 100)) >"$SOAK/seen.udp"
    printf '%(%T)T.500 bluegreend[1]: x: one/green: 1 connections of v2 cut, for others wait\n' 1700000000 >>"$WORLD/agent.log"
    printf '! %s %s reset: d\n! %s %s reset: e\n' $((at - 1)) "$at" $((at + 100)) $((at + 101)) >"$SOAK/seen.one"
    expect_eq 'd' "$(failures_of one due | sed 's/.* //' | paste -sd '|')"
    expect_eq 'a' "$(failures_of udp due | sed 's/.* //' | paste -sd '|')"
    expect_eq 200 "$(answers_of web)"
    expect_eq 'quiet 0.1 0.2' "$(latencies_of web | grep quiet)"
    expect_eq 'op 1.0 1.0' "$(latencies_of web | grep op)"
}

run_tests
