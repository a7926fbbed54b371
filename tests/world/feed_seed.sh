#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# [feed] seed_on = release: releases with state of their own, which begin with a copy of what live has.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/feed_lib.sh
. "$ROOT/tests/drivers/feed_lib.sh"

# LINE: what the copy does before, of TO's state.
seed_does() {
    mkdir -p "$WORLD/srv/web"
    {
        # shellcheck disable=SC2016
        printf '#!/bin/bash\nto=$1\n%s\n' "${1:-:}"
        # shellcheck disable=SC2016
        printf 'from=$(cat %s/live)\ncat "%s/ids.$from" >"%s/ids.$to"\n' "$DATA" "$DATA" "$DATA"
    } >"$WORLD/srv/web/seed"
    chmod 755 "$WORLD/srv/web/seed"
}

ready_seed() {
    seed_does
    ready_feed "seed = host: $WORLD/srv/web/seed %r" "seed_on = release"
    sed -i 's/ids.%z/ids.%r/' "$WORLD/etc/apps/web.conf"
    bg reload >/dev/null
    bg remove web --force >/dev/null
    bg deploy web v1 >/dev/null
    is_live v1
}

is_live() {
    echo "$1" >"$DATA/live"
}

add() {
    on_client curl -sf -d x "$URL4/add/$1" >/dev/null
}

has() {
    [ "$(ids_of "$1" | paste -sd ' ')" = "$2" ]
}

test_deploy_seeds() {
    ready_seed
    for id in 1 2 3; do add "$id"; done
    bg deploy web v2 >"$WORLD/said"
    expect_match '  seed  .*copying what v1 has' "$(cat "$WORLD/said")"
    is_live v2
    expect_eq '1 2 3' "$(ids_of v2 | paste -sd ' ')"
    add 4
    wait_for 3 has v1 '1 2 3 4'
    bg deploy web v3 >/dev/null
    is_live v3
    add 5
    expect_eq '1 2 3 4 5' "$(ids_of v3 | paste -sd ' ')"
    wait_for 3 has v2 '1 2 3 4 5'
    bg rollback web >/dev/null
    expect_eq 0 "$(status_of .feed.diverged)"
}

# Staged, it has what live has, and what live does meanwhile; with transactions under way in the copy.
test_stage_under_load() {
    ready_seed
    seed_does 'sleep 1'
    write_start
    bg stage web v2 >/dev/null
    sleep 0.5
    bg switch web >/dev/null
    sleep 0.5
    write_end
    nobody_failed
    wait_for 15 has_all
    sed -n 's/ 201$//p' "$WORLD/acks" | sort >"$WORLD/acked"
    for release in v1 v2; do
        expect_eq '' "$(ids_of "$release" | sort -u | comm -13 - "$WORLD/acked" | head -3)" "missing in $release"
    done
}

# What is not copied is not switched to, and is not called a backup.
test_copy_fails() {
    ready_seed
    add 1
    seed_does 'echo the disk is full >&2; exit 3'
    expect_status 1 bg deploy web v2
    expect_match 'could not be seeded: exit status 3: the disk is full' "$OUTPUT"
    expect_eq blue "$(status_of .live)"
    expect_eq false "$(bg status web --json | jq .feed.backup)"
    seed_does
    bg deploy web v2 >/dev/null
    expect_eq 1 "$(ids_of v2)"
}

test_abort_in_copy() {
    ready_seed
    add 1
    seed_does 'sleep 20'
    background bg deploy web v2 >/dev/null
    wait_for 5 is_in_step seed
    bg abort web >/dev/null
    wait_for 5 nothing_runs
    expect_eq false "$(bg status web --json | jq .feed.backup)"
    seed_does
    bg deploy web v2 >/dev/null
    expect_eq 1 "$(ids_of v2)"
}

is_in_step() {
    [ "$(status_of .operation.step)" = "$1" ]
}

run_tests
