#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How long what is not live is kept: the standby ([standby] keep), and what is left of a staging that failed.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

# v1 is the standby of v2; VALUE is of keep, LINEs are sections more.
ready_standby() {
    local keep=$1
    shift
    ready_web '[drain]' 'timeout = 300ms' "$@" '[standby]' "keep = $keep"
    bg deploy web v1 >/dev/null
    bg deploy web v2 >/dev/null
}

gone() {
    is_state blue absent && [ "$(status_of .zones.blue.pid)" = null ]
}

removed_reason() {
    bg history web --json | json '[.entries[] | select(.incident == "removed")] | last | .reason'
}

test_until_next_it_stays() {
    ready_standby until-next
    sleep 2
    expect_eq standby "$(status_of .zones.blue.state)"
    expect_eq null "$(status_of .zones.blue.kept_until)"
}

test_after_its_time_it_goes() {
    ready_standby 3s
    wait_for 3 is_state blue standby
    [ "$(status_of .zones.blue.kept_until)" != null ] || fail "nobody says until when it is kept"
    expect_match 'kept until .*, for a rollback' "$(bg status web)"
    sleep 1
    expect_eq standby "$(status_of .zones.blue.state)" "it went too early"
    wait_for 5 gone
    expect_eq v2 "$(release_seen)"
    expect_match 'v1 was removed after 3s, as \[standby\] keep says' "$(removed_reason)"
    expect_eq "" "$(find /sys/fs/cgroup -path '*web.blue*' -name cgroup.procs | head -n 1)" "a cgroup is left"
    [ ! -e "$WORLD/state/zones/web.blue/app.conf" ] || fail "its configuration is still there"
    # Whoever would need it is told why there is none; also by a new agent.
    expect_status 1 bg rollback web
    expect_match 'v1 was removed after 3s, as \[standby\] keep says' "$OUTPUT"
    agent_kill9
    agent_start
    expect_status 1 bg rehearse web
    expect_match 'v1 was removed after 3s' "$OUTPUT"
    expect_match 'v1 was removed after 3s' "$(status_of .zones.blue.detail)"
    # It is forgotten with the next release.
    release_install web v3
    expect_status 0 bg deploy web v3
    expect_eq v3 "$(release_seen)"
    expect_eq "" "$(status_of .zones.blue.detail | grep removed)"
}

test_no_means_that_it_goes_when_it_is_drained() {
    ready_standby no
    wait_for 5 gone
    expect_match 'v1 was removed when it was drained, as \[standby\] keep = no says' "$(removed_reason)"
    expect_eq v2 "$(release_seen)"
}

test_a_new_agent_counts_on() {
    ready_standby 4s
    wait_for 3 is_state blue standby
    local until
    until=$(status_of .zones.blue.kept_until)
    agent_kill9
    sleep 2
    agent_start
    # Its state was written at the same moment, within what writing takes.
    local late=$(($(date -d "$(status_of .zones.blue.kept_until)" +%s%3N) - $(date -d "$until" +%s%3N)))
    [ "${late#-}" -lt 500 ] || fail "the time began anew: $late ms later"
    wait_for 4 gone
}

# Until the bake has passed it is the way back.
test_not_before_the_bake_has_passed() {
    ready_standby no '[bake]' 'time = 4s'
    wait_for 3 is_state blue standby
    sleep 1
    expect_eq standby "$(status_of .zones.blue.state)"
    wait_for 6 gone
    expect_match 'v2 has passed its bake' "$(cat "$WORLD/agent.log")"
}

test_one_that_was_bad_stays_for_a_look() {
    ready_standby no '[bake]' 'time = 1m'
    kill -9 "$(status_of .zones.green.pid)"
    wait_for 10 answers v1
    wait_for 5 is_state green standby
    sleep 2
    expect_eq standby "$(status_of .zones.green.state)"
    expect_match 'bad: ' "$(status_of .zones.green.detail)"
}

is_verdict() {
    [ "$(status_of ".zones.$1.verdict")" = "$2" ]
}

test_not_while_what_is_live_fails() {
    ready_standby 2s
    kill -STOP "$(status_of .zones.green.pid)"
    sed -i 's|^interval.*|&\ntimeout = 200ms|' "$WORLD/etc/apps/web.conf"
    bg reload >/dev/null
    wait_for 15 is_verdict green unhealthy # the probe that was under way has the former timeout
    sleep 2
    expect_eq standby "$(status_of .zones.blue.state)"
    kill -CONT "$(status_of .zones.green.pid)"
    wait_for 8 gone
}

# It hangs, and its last verdict is still good: the probe that would tell waits for an answer.
test_not_while_what_is_live_hangs() {
    ready_standby 1s
    kill -STOP "$(status_of .zones.green.pid)"
    sed -i 's|^interval.*|&\ntimeout = 20s|' "$WORLD/etc/apps/web.conf"
    bg reload >/dev/null
    sleep 3.5
    expect_eq healthy "$(status_of .zones.green.verdict)"
    expect_eq standby "$(status_of .zones.blue.state)"
    kill -CONT "$(status_of .zones.green.pid)"
    wait_for 8 gone
}

test_a_frozen_one_goes_too() {
    ready_standby 3s
    printf 'freeze = yes\n' >>"$WORLD/etc/apps/web.conf"
    bg reload >/dev/null
    wait_for 3 is_state blue frozen
    wait_for 5 gone
}

test_contradictions() {
    ready_web '[standby]' 'keep = no' '[failover]' 'auto = yes'
    expect_status 2 bg deploy web v1
    expect_match 'keep: without a standby there is nothing to fail over to' "$OUTPUT"
    web_conf web 80 '[standby]' 'keep = no' '[drain]' 'then = leave'
    expect_status 2 bg deploy web v1
    expect_match 'keep: .*then = leave' "$OUTPUT"
    web_conf web 80 '[standby]' 'keep = 400d'
    expect_status 2 bg deploy web v1
    expect_match 'keep: 400d is out of range; it is 1s to 365d' "$OUTPUT"
}

# Nothing of it runs; its log and the reason are there until something else is staged.
test_what_is_left_of_a_failed_staging() {
    ready_web '[drain]' 'timeout = 300ms'
    bg deploy web v1 >/dev/null
    printf '#!/bin/bash\necho "no database"\nexit 4\n' >"$WORLD/srv/web/v2/bin/web"
    sed -i 's|^interval.*|&\nstart_timeout = 3s|' "$WORLD/etc/apps/web.conf"
    bg deploy web v2 >/dev/null 2>&1 && fail "it is live"
    wait_for 5 is_state green failed
    agent_kill9
    agent_start
    expect_eq failed "$(status_of .zones.green.state)"
    expect_eq v2 "$(status_of .zones.green.release)"
    [ -n "$(status_of .zones.green.detail)" ] || fail "the reason is gone"
    expect_eq null "$(status_of .zones.green.pid)"
    expect_match 'no database' "$(bg logs web green)"
    expect_eq v1 "$(release_seen)"
    release_install web v3
    expect_status 0 bg deploy web v3
    expect_eq live "$(status_of .zones.green.state)"
}

run_tests "$@"
