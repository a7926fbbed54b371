#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# README's example of [feed], as it stands there: a release breaks in its bake, and nothing is missing.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

# The block of README.md behind this mark, with the places of this world.
block() {
    awk -v mark="<!-- feed example: $1 -->" '$0 == mark { fences = 1; next } !fences { next }
        /^```/ { if (fences++ == 2) exit; next } { print }' "$ROOT/README.md" |
        sed "s|/srv/shop|$WORLD/srv/shop|g; s|/var/lib/shop|$WORLD/data|g; s|^user = shop|user = web|"
}

bluegreen() {
    bg "$@"
}

all_done() {
    bg feed shop | grep -qE '^feed +in step, 200 transactions$'
}

test_readme() {
    command -v python3 >/dev/null || skip "python3 is not installed: tools/deps test"
    world_net
    mkdir -p "$WORLD/srv/shop/v1"
    block program >"$WORLD/srv/shop/v1/shop"
    block configuration | app_conf shop
    block commands >"$WORLD/commands"
    expect_match 'python' "$(head -1 "$WORLD/srv/shop/v1/shop")"
    expect_match 'deploy shop v2' "$(cat "$WORLD/commands")"
    agent_start
    cd "$WORLD"
    # shellcheck source=/dev/null
    . "$WORLD/commands" >"$WORLD/said"
    cat "$WORLD/said"
    expect_eq v1 "$(bg status shop --json | json '.zones[.live].release')" "it went back"
    expect_match 'bake' "$(bg history shop)"
    wait_for 3 all_done
    expect_eq 200 "$(wc -l <acknowledged)"
    expect_eq '0 0' "$(tail -2 "$WORLD/said" | paste -sd ' ')" "missing"
    expect_eq 1 "$(bg history shop --json | json '[.entries[] | select(.verb == "rollback")] | length')" "rollbacks"
}

run_tests
