#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# [feed] and the step `tail` of a switch: what the other zone lacks goes there before it is live.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/feed_lib.sh
. "$ROOT/tests/drivers/feed_lib.sh"

# A standby that is slower than live lacks some at any moment: without the hold they would be lost, or come behind those
# that the new live zone has done by then.
test_hold_under_load() {
    ready_feed
    bg deploy web v2 >/dev/null
    echo 40 >"$DATA/ids.blue.slow"
    write_start 8 60
    wait_for 5 is_behind 20
    bg rollback web
    expect_eq blue "$(status_of .live)"
    rm "$DATA/ids.blue.slow"
    sleep 1
    write_end
    nobody_failed
    nothing_missing
    expect_eq 0 "$(status_of .feed.lost)" "lost"
    expect_eq '' "$(diff "$DATA/ids.blue" "$DATA/ids.green")" "order"
    expect_no_match 'missed' "$(bg history web)"
}

# As many as that are committed, and the standby has none of them; from now on it takes that many ms for each.
make_late() { # COUNT MS
    bg feed web pause
    write_start 8 800
    wait_for 10 is_behind "$1"
    write_end
    echo "$2" >"$DATA/ids.blue.slow"
    mv "$WORLD/acks" "$WORLD/acks.before"
    bg feed web resume
}

slowest() {
    sed -n 's/.*slowest_ms //p' "$WORLD/figures"
}

# Nobody is held up for what the standby can be given before.
test_catches_up_first() {
    ready_feed
    bg deploy web v2 >/dev/null
    make_late 300 10
    write_start 4 20 100
    expect_status 0 bg rollback web
    expect_match 'tail .* clients are served until it has nearly all' "$OUTPUT"
    write_end
    nobody_failed
    nothing_missing
    expect_eq '' "$(diff "$DATA/ids.blue" "$DATA/ids.green")" "order"
    [ "$(slowest)" -lt 2200 ] || fail "a client waited for $(slowest) ms"
}

# One that will not be there in time: that is said, with the number, and no client has noticed.
test_too_late() {
    ready_feed 'wait = 1s'
    bg deploy web v2 >/dev/null
    make_late 200 100
    write_start 4 20
    expect_status 1 bg rollback web
    expect_match 'v1 would miss [0-9]+ transactions .*: after 1000 ms it would still take some [0-9]+ s to apply them' \
        "$OUTPUT"
    write_end
    nobody_failed
    [ "$(slowest)" -lt 800 ] || fail "a client waited for $(slowest) ms"
    expect_eq green "$(status_of .live)"
    bg rollback web --lose 100000 >/dev/null
    expect_match '[0-9]+ transactions of the feed missed' "$(bg history web)"
}

# --- groups ------------------------------------------------------------------------------------------------

# web, which is fed, and domain, whose pre_switch takes two seconds.
ready_both() {
    local release
    ready_feed
    sed -i '/^user = /a group_name = shop' "$WORLD/etc/apps/web.conf"
    web_conf domain 81 '[hooks]' 'pre_switch = host: /bin/sleep 2' 'pre_rollback = host: /bin/sleep 2'
    sed -i '/^user = /a group_name = shop' "$WORLD/etc/apps/domain.conf"
    for release in v1 v2; do
        release_install domain "$release"
    done
    bg reload >/dev/null
    bg deploy domain v1 >/dev/null
    bg stage web v2 >/dev/null
    bg stage domain v2 >/dev/null
}

# Clients wait for the feed, and not for what the others of a group do first.
test_group() {
    ready_both
    write_start
    bg switch --group shop
    sleep 0.3
    bg rollback --group shop
    write_end
    nobody_failed
    nothing_missing
    expect_eq 0 "$(status_of .feed.lost)"
    [ "$(slowest)" -lt 1500 ] || fail "a client waited for $(slowest) ms"
}

# One whose standby is late keeps all of them where they are, and its clients do not wait on.
test_group_with_a_late_one() {
    ready_both
    bg switch --group shop >/dev/null
    bg feed web pause
    on_client curl -sf -d x "$URL4/add/1" >/dev/null
    expect_status 1 bg rollback --group shop
    expect_match 'rollback web v1: v1 would miss 1 transaction .*: an operator has paused it' "$OUTPUT"
    expect_match 'None of group shop moved' "$OUTPUT"
    expect_match 'group shop: web: v1 would miss 1 transaction' "$(bg history domain)"
    expect_eq 'v2 v2' "$(status_of '.zones[.live].release') $(bg status domain --json | json '.zones[.live].release')"
    on_client curl -sf -m 2 -d x "$URL4/add/2" >/dev/null
    bg feed web resume
    wait_for 3 in_step
    bg rollback --group shop >/dev/null
    expect_eq '1 2' "$(ids_of blue | paste -sd ' ')"
}

is_behind() {
    [ "$(status_of .feed.behind)" -ge "$1" ]
}

run_tests
