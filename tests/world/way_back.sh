#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent's way back from a bad release, with something else under way: a test, somebody who watches, its own death.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

SHARED=$WORLD/shared

# v1 is the standby of v2, which is in its bake; LINEs are of sections more. Hook test of v1 takes ten seconds.
ready_way_back() {
    ready_web '[bake]' 'time = 5m' '[drain]' 'timeout = 1s' '[hooks]' "test = $WORLD/srv/web/%r/bin/look" "$@"
    mkdir -p "$SHARED"
    chown web "$SHARED"
    printf '#!/bin/bash\nexec sleep 10\n' >"$WORLD/srv/web/v1/bin/look"
    printf '#!/bin/bash\nexit 0\n' >"$WORLD/srv/web/v2/bin/look"
    chmod 755 "$WORLD"/srv/web/v[12]/bin/look
    bg deploy web v1 --no-test >/dev/null
    bg finish web >/dev/null
    bg deploy web v2 >/dev/null
    wait_for 5 is_state blue standby
}

testing() {
    [ "$(bg status web --json | jq -r '.operation.step')" = test ]
}

break_live() {
    kill -9 "$(status_of ".zones.$(status_of .live).pid")"
}

test_a_test_gives_way_to_it() {
    ready_way_back
    bg test web >"$WORLD/test" 2>&1 &
    local test=$!
    wait_for 5 testing
    break_live
    wait_for 3 answers v1
    wait "$test" && fail "the test passed"
    expect_match 'it gives way, because v2 is bad: 1 exit or restart' "$(cat "$WORLD/test")"
    expect_eq false "$(bg history web --json | jq '[.entries[] | select(.verb == "test")] | last | .done')"
    wait_for 10 ended_by rollback 'bluegreen (bake)'
}

test_a_test_gives_way_to_a_failover() {
    ready_way_back '[failover]' 'auto = yes'
    bg finish web >/dev/null
    sed -i 's|^interval.*|interval = 200ms\nfailures = 2\ntimeout = 200ms|' "$WORLD/etc/apps/web.conf"
    bg reload >/dev/null
    bg test web >"$WORLD/test" 2>&1 &
    local test=$!
    wait_for 5 testing
    kill -STOP "$(status_of .zones.green.pid)"
    wait_for 4 answers v1
    wait "$test" && fail "the test passed"
    expect_match 'it gives way, because v2 is bad: ' "$(cat "$WORLD/test")"
    wait_for 10 ended_by failover 'bluegreen (failover)'
    expect_eq 1 "$(bg history web --json | jq '[.entries[] | select(.verb == "failover")] | length')"
}

# Whoever watches sees the end of it, and that it is bad.
test_who_is_attached_sees_its_end() {
    ready_way_back
    on_client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    wait_for 5 grep -q answer "$WORLD/held"
    bg attach web --json >"$WORLD/attached" 2>&1 &
    local attach=$!
    wait_for 5 grep -q '"bake"' "$WORLD/attached"
    break_live
    wait "$attach" && fail "attach said that all was well: $(cat "$WORLD/attached")"
    expect_match '"step": ?"switch"' "$(cat "$WORLD/attached")" "the switch back"
    expect_match '"step": ?"drain"' "$(cat "$WORLD/attached")" "its drain"
    expect_match 'v1 is live again, by bluegreen \(bake\)' "$(cat "$WORLD/attached")"
    expect_eq standby "$(status_of .zones.green.state)" "it did not wait for the drain"
}

test_a_first_release_tells_that_there_is_none() {
    mkdir -p "$SHARED"
    chown web "$SHARED"
    ready_web '[bake]' 'time = 5m' '[files]' "write = $SHARED" '[hooks]' "on_failure = $WORLD/srv/web/%r/bin/told"
    # shellcheck disable=SC2016 # for the program
    printf '#!/bin/bash\necho "$BLUEGREEN_HOOK $BLUEGREEN_REASON" >>%s/told\n' "$SHARED" >"$WORLD/srv/web/v1/bin/told"
    chmod 755 "$WORLD/srv/web/v1/bin/told"
    bg deploy web v1 >/dev/null
    expect_match 'v1 is in its bake .*; a breach will only be told: there is nothing to switch back to: zone green is absent' \
        "$(cat "$WORLD/agent.log")"
    break_live
    wait_for 5 grep -q 'v1 is bad and STAYS LIVE: there is nothing to switch back to' "$WORLD/agent.log"
    wait_for 5 grep -q 'on_failure v1 is bad and stays live: there is nothing to switch back to' "$SHARED/told"
    expect_match 'bad: .*; there is nothing to switch back to' "$(status_of .bake.verdict)"
    wait_for 5 answers v1
    sleep 1
    expect_eq 1 "$(wc -l <"$SHARED/told")" "told once"
    # And when its time is over, or is ended, that is no pass.
    bg attach web >"$WORLD/attached" 2>&1 &
    local attach=$!
    sleep 0.5
    bg finish web >/dev/null
    wait "$attach" && fail "attach said that all was well"
    expect_match 'the bake of v1 was finished by root.*; it is bad and stays live' "$(cat "$WORLD/attached")"
}

# The agent may die behind any record: the breach stands before the end, so that no new one takes it for well.
test_a_failed_post_switch_is_not_forgotten() {
    ready_way_back
    printf '#!/bin/bash\nexit 1\n' >"$WORLD/srv/web/v2/bin/post"
    chmod 755 "$WORLD/srv/web/v2/bin/post"
    bg rollback web >/dev/null
    wait_for 5 is_state green standby
    sed -i "s|^test = .*|&\npost_switch = $WORLD/srv/web/%r/bin/post|; s|^time = 5m|time = 0|" "$WORLD/etc/apps/web.conf"
    bg deploy web v2 --no-test >/dev/null 2>&1 && fail "it passed"
    wait_for 5 answers v1
    # In the journal the bake's breach stands before the end of the deploy, and the mark, too.
    local journal
    journal=$(find "$WORLD/state" -name 'journal*' -type f | head -n 1)
    awk '/ bake /&&/exit/{b=NR} / mark .*bad/{m=NR} / end .*verb=deploy.*done=0/{e=NR} END{exit !(b && m && e && b<e && m<e)}' \
        "$journal" || fail "the order: $(tail -n 12 "$journal")"
}

run_tests "$@"
