#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent is killed wherever a deploy or a rollback of a fed app commits something (tests/drivers/die_at.c), under load.
# Whatever came of the operation, clients have noticed nothing, and every acknowledged request is in both zones, once, in
# the order in which it was done. POINTS=N[-M] picks some.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/feed_lib.sh
. "$ROOT/tests/drivers/feed_lib.sh"
# shellcheck source=tests/drivers/die_at_lib.sh
. "$ROOT/tests/drivers/die_at_lib.sh"

ready_mortal() {
    local release
    mkdir -p "$DATA"
    chown web "$DATA"
    world_net
    conf_feed '[feed]' 'mode = http'
    sed -i 's/^interval.*/interval = 50ms/; s/^passes.*/passes = 1/; s/^timeout = 2s/timeout = 300ms/' \
        "$WORLD/etc/apps/web.conf"
    for release in v1 v2; do
        release_install web "$release" "$TOOLS/keeper"
    done
    mortal_start
    bg deploy web v1 >/dev/null
    bg deploy web v2 >/dev/null
}

# Both zones are there, and nothing runs. A release that a deploy left failed is deployed again.
make_pair() {
    wait_for 10 nothing_runs
    status_of '[.zones[].state] | sort | join(" ") == "live standby"' >/dev/null || other_deployed
    wait_for 10 pair_is_well
}

other_deployed() {
    bg finish web >/dev/null 2>&1 || :
    bg deploy web "$(status_of '.zones[.live].release')" --force >/dev/null
}

pair_is_well() {
    status_of '([.zones[].state] | sort) == ["live", "standby"] and ([.zones[].verdict] == ["healthy", "healthy"])
        and .operation == null' >/dev/null && has_all
}

live_is_told_right() {
    [ "$(status_of .live)" = "$(live_in_kernel web)" ] && status_of '.feed.live == .live' >/dev/null
}

# COMMAND...: once unharmed, to count the points, then once more for each of them.
kill_everywhere() {
    local number phase points first=1 last=1000 kills=0
    [ -z "${POINTS:-}" ] || first=${POINTS%-*} last=${POINTS#*-}
    make_pair
    arm 0 none
    "$@" >/dev/null
    wait_for 5 nothing_runs
    mapfile -t points <"$DIE_AT_LOG"
    disarm
    printf '  %s\n' "${points[@]}" | cut -c 1-110
    [ "$(printf '%s\n' "${points[@]}" | grep -c ^nft)" -gt 0 ] || fail "no transaction"
    for number in "${!points[@]}"; do
        if [ $((number + 1)) -lt "$first" ] || [ $((number + 1)) -gt "$last" ]; then continue; fi
        for phase in $PHASES; do
            [ "$phase ${points[number]%% *}" != "torn nft" ] || phase=before
            make_pair
            arm $((number + 1)) "$phase"
            "$@" >/dev/null 2>&1 || :
            wait_for 4 dead || { disarm; fail "point $((number + 1)) $phase never came: $(tr '\n' ';' <"$DIE_AT_LOG")"; }
            disarm
            wait "$AGENT" 2>/dev/null || :
            sleep 0.1
            mortal_start
            wait_for 5 live_is_told_right || fail "killed at $((number + 1)), $phase: ${points[number]}: $(status_of '"\(.live), fed \(.feed.live)"'), by the kernel $(live_in_kernel web)"
            kills=$((kills + 1))
        done
    done
    make_pair
    echo "killed $kills times"
}

killed_under_load() {
    ready_mortal
    write_start 4 100
    kill_everywhere "$@"
    write_end
    grep -v ' 201$' "$WORLD/acks" | head -5
    nobody_failed
    nothing_missing
    # Twice perhaps is what the other zone was in the middle of when a deploy took it away; nothing_missing says that it
    # was not.
    expect_eq 0 "$(status_of '"\(.feed.lost + .feed.in_doubt)"')" "lost or in doubt"
    expect_eq '' "$(diff "$DATA/ids.blue" "$DATA/ids.green" | head -5)" "order"
}

test_rollback() {
    PHASES='torn synced' killed_under_load bg rollback web
}

# A release into the other zone, whose place keeps its state.
test_deploy() {
    PHASES=synced killed_under_load deploy_other
}

deploy_other() {
    bg finish web >/dev/null 2>&1 || :
    bg deploy web "$(status_of '.zones[.live].release' | tr 12 21)" --force
}

run_tests
