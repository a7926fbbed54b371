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

is_behind() {
    [ "$(status_of .feed.behind)" -ge "$1" ]
}

run_tests
