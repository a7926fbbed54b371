#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# [feed]: what the live zone was sent is in the other one, too, through switches, rollbacks and deaths.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck source=tests/drivers/feed_lib.sh
. "$ROOT/tests/drivers/feed_lib.sh"

test_standby_has_all_in_order() {
    ready_feed
    on_client curl -sf -d x "$URL4/add/first" >/dev/null
    bg deploy web v2 >/dev/null
    write_start
    sleep 2
    write_end
    nobody_failed
    nothing_missing
    expect_eq first "$(ids_of blue | head -1)"
    expect_eq '' "$(diff "$DATA/ids.blue" "$DATA/ids.green")" "order"
}

test_switches_under_load() {
    ready_feed
    write_start
    bg deploy web v2
    sleep 0.5
    bg rollback web
    sleep 0.5
    bg rollback web
    sleep 0.5
    bg rehearse web
    bg drain web
    bg deploy web v3
    sleep 0.5
    write_end
    nobody_failed
    nothing_missing
    expect_eq 0 "$(status_of .feed.diverged)"
    expect_eq 0 "$(status_of .feed.lost)"
}

# What is not fed does not pass the role.
test_other_ports_do_not_pass() {
    ready_feed
    sed -i 's|^http = 80.*|&\nplain = 81 -> 8081/tcp|; s|^mode = http|&\nports = http|' "$WORLD/etc/apps/web.conf"
    bg deploy web v2 >/dev/null
    expect_match '61000' "$(nft list map inet bluegreen ports.web.green)"
    expect_match 'tcp . 81 : 8081' "$(nft list map inet bluegreen ports.web.green)"
    on_client curl -sf "$URL4/count" >/dev/null
    wait_for 3 has_passed
}

has_passed() {
    [ "$(status_of .feed.passed)" = 1 ]
}

test_seed() {
    mkdir -p "$WORLD/srv/web"
    cat >"$WORLD/srv/web/seed" <<END
#!/bin/bash
cat $DATA/ids.green >$DATA/ids.blue
END
    chmod 755 "$WORLD/srv/web/seed"
    ready_feed "seed = host: $WORLD/srv/web/seed"
    bg deploy web v2 >/dev/null
    conf_feed
    bg reload >/dev/null
    on_client curl -sf -d x "$URL4/add/before" >/dev/null
    conf_feed '[feed]' 'mode = http' "seed = host: $WORLD/srv/web/seed"
    bg reload >/dev/null
    on_client curl -sf -d x "$URL4/add/fed" >/dev/null
    expect_status 1 bg rollback web
    expect_match 'nobody knows|would miss' "$OUTPUT"
    bg feed web seed
    wait_for 3 in_step
    bg rollback web >/dev/null
    on_client curl -sf -d x "$URL4/add/after" >/dev/null
    wait_for 3 grep -q after "$DATA/ids.green"
    expect_eq 'before fed after' "$(ids_of green | paste -sd ' ')"
    expect_eq 'before fed after' "$(ids_of blue | paste -sd ' ')"
}

# What the standby lacks is said, and can be read.
test_failover() {
    ready_feed '[failover]' 'auto = yes'
    bg deploy web v2 >/dev/null
    on_client curl -sf -d x "$URL4/add/1" >/dev/null
    wait_for 3 grep -q ^1 "$DATA/ids.blue"
    bg feed web pause
    on_client curl -sf -d x "$URL4/add/2" >/dev/null
    wait_for 2 is_behind_by 1 # history says what the feed told last
    kill -9 "$(status_of .zones.green.shim_pid)"
    wait_for 5 answers v1
    wait_for 3 has_lost
    expect_match 'lost .*POST /add/2' "$(bg feed web diff)"
    expect_match '1 transaction of the feed missed' "$(bg history web)"
    bg feed web resume
    bg feed web apply 2
    expect_eq '1 2' "$(ids_of blue | paste -sd ' ')"
}

test_standby_is_away() {
    ready_feed
    bg deploy web v2 >/dev/null
    bg stop web >/dev/null
    wait_for 2 no_role
    bg start web >/dev/null
    write_start
    sleep 0.5
    write_end
    nobody_failed
    nothing_missing
}

# The other one cannot keep up: nobody is switched past what it lacks, unless told to.
test_late_tail() {
    ready_feed 'wait = 300ms'
    bg deploy web v2 >/dev/null
    bg feed web pause
    for id in 1 2 3; do
        on_client curl -sf -d x "$URL4/add/$id" >/dev/null
    done
    expect_status 1 bg rollback web
    expect_match 'v1 would miss 3 transactions' "$OUTPUT"
    expect_status 1 bg rollback web --lose 2
    expect_eq green "$(status_of .live)"
    on_client curl -sf -d x "$URL4/add/4" >/dev/null
    wait_for 1 is_paused
    bg feed web resume
    wait_for 5 in_step
    bg rollback web >/dev/null
    expect_eq '1 2 3 4' "$(ids_of blue | paste -sd ' ')"
    bg feed web pause
    on_client curl -sf -d x "$URL4/add/5" >/dev/null
    bg rollback web --lose 1
    expect_match '1 transaction of the feed missed' "$(bg history web)"
    wait_for 1 has_lost
    expect_match 'lost .*POST /add/5' "$(bg feed web diff)"
    expect_match '5 transactions can be read, as they were written' "$(bg feed web verify)"
}

test_on_and_off_by_reload() {
    ready_feed
    conf_feed
    write_start
    bg reload
    sleep 0.5
    wait_for 3 no_role
    conf_feed '[feed]' 'mode = http'
    bg reload
    wait_for 3 role_pid
    sleep 0.5
    write_end
    nobody_failed
    expect_eq broken "$(status_of .feed.state)"
}

# What the feed says of itself, at each of its moments.
test_tells_the_truth() {
    ready_feed 'wait = 300ms'
    wait_for 2 says 'in step, 0 transactions: green does not run'
    expect_status 1 bg feed web
    on_client curl -sf -d x "$URL4/add/1" >/dev/null
    wait_for 2 says 'behind 1 \([0-9.]+ s\): green does not run'
    expect_eq 'false null' "$(status_of '"\(.feed.backup) \(.zones.green.release)"')"
    bg deploy web v2 >/dev/null
    wait_for 2 says 'in step, 1 transaction$'
    bg feed web >/dev/null
    expect_eq '{"transactions":[]}' "$(bg feed web diff --json)"
    expect_status 1 bg feed web skip 1
    expect_match 'transaction 1 is not waiting: blue has all up to 1' "$OUTPUT"
    expect_status 1 bg feed web apply 1
    expect_match '1 is neither in doubt nor lost; "bluegreen feed web diff"' "$OUTPUT"
    bg feed web pause
    on_client curl -sf -d x "$URL4/add/2" >/dev/null
    on_client curl -sf -d x "$URL4/add/3" >/dev/null
    wait_for 2 says 'paused: .*"bluegreen feed web resume" goes on'
    expect_status 1 bg feed web skip 3
    expect_match 'what blue is to do next is 2' "$OUTPUT"
    expect_match '3 transactions can be read, as they were written' "$(bg feed web verify)"
    bg stop web >/dev/null
    expect_status 1 bg feed web
    expect_match 'it does not run, so nothing is fed' "$OUTPUT"
}

says() {
    bg feed web | grep -qE "^feed +$1"
}

# Live died in the middle of it: nobody knows, until somebody says.
test_in_doubt() {
    ready_feed 'wait = 300ms'
    bg deploy web v2 >/dev/null
    echo 3000 >"$DATA/ids.green.slow"
    on_client curl -s -o "$WORLD/answer" -d x "$URL4/add/1" &
    local client=$!
    wait_for 2 grep -q . "$DATA/ids.green.slow"
    sleep 0.5
    kill -9 "$(status_of .zones.green.pid)"
    wait "$client"
    rm "$DATA/ids.green.slow"
    expect_match 'in doubt .*may have been done or not' "$(cat "$WORLD/answer")"
    wait_for 2 says 'in doubt 1: nobody knows .*"bluegreen feed web diff"'
    local id
    id=$(bg feed web diff --json | json '.transactions[0] | select(.kind == "in doubt") | .sequence')
    wait_for 5 is_state green live
    expect_status 1 bg rollback web
    expect_match 'v1 would miss 1 transaction .*"bluegreen feed web diff"' "$OUTPUT"
    bg feed web apply "$id" >/dev/null
    wait_for 3 in_step
    expect_eq 1 "$(ids_of blue)"
    bg rollback web >/dev/null
}

# Both did it, and answered differently: what of it is shown.
test_diverged() {
    ready_feed 'compare = body'
    bg deploy web v2 >/dev/null
    on_client curl -sf -d x "$URL4/add/1" >/dev/null
    wait_for 2 says 'diverged 1'
    expect_match 'live: X-Release: v2; kept 1' "$(bg feed web diff)"
    expect_match 'other: X-Release: v1; kept 1' "$(bg feed web diff)"
    bg rollback web >/dev/null
}

# A release that is well and only late stays staged, and is gone to when it is there.
test_late_deploy_stays_staged() {
    ready_feed 'wait = 300ms'
    bg feed web pause
    on_client curl -sf -d x "$URL4/add/1" >/dev/null
    expect_status 1 bg deploy web v2
    expect_match 'v2 would miss 1 transaction .*v2 is staged in green: "bluegreen switch web"' "$OUTPUT"
    expect_eq 'blue healthy' "$(status_of '"\(.live) \(.zones.green.state)"')"
    bg feed web resume
    wait_for 3 in_step
    bg switch web >/dev/null
    expect_eq green "$(status_of .live)"
    expect_eq 1 "$(ids_of green)"
}

has_lost() {
    [ "$(status_of .feed.lost)" = 1 ]
}

is_paused() {
    [ "$(bg feed web status --json | json .feed.state)" = paused ]
}

is_behind_by() {
    [ "$(status_of .feed.behind)" = "$1" ]
}

test_remove_leaves_nothing() {
    ready_feed
    bg deploy web v2 >/dev/null
    expect_eq bluegreen-feed "$(stat -c %U "$WORLD/state/feed/web")"
    bg remove web --force >/dev/null
    no_role || fail "a role is left"
    expect_eq '' "$(ls "$WORLD/state/feed")"
}

run_tests
