#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The agent, its api role and its probe role under valgrind's memcheck, over ROUNDS times two deploys and what takes them
# away: no error; at their ends every block freed and every descriptor closed but those that they were given; and as many
# blocks in use by the agent behind the last round as behind the first ones. How the roles grow is what
# tests/world/leaks.sh weighs, from outside.
#
# Run by `make valgrind`, in a build without the roles' allow-lists, which valgrind could not live under.
set -u
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/../world/lib.sh"
# shellcheck source=tests/drivers/counts_lib.sh
. "$ROOT/tests/drivers/counts_lib.sh"

# What is executed is looked at, too, but for what is not one of the roles; what is only forked ends without cleaning up
# after who forked it.
memcheck() {
    local skipped='*/bluegreen-zone,*/bluegreen-scope,/bin/*,/sbin/*,/usr/*,/run/*'
    LD_PRELOAD=$BUILD/tests/drivers/valgrind_calls.so exec valgrind --leak-check=full --show-leak-kinds=all \
        --errors-for-leak-kinds=all --suppressions="$ROOT/tests/sanitize/valgrind.supp" --track-fds=yes \
        --num-callers=40 --vgdb-prefix="$WORLD/vgdb" --log-file="$WORLD/valgrind.%p.log" --trace-children=yes \
        --trace-children-skip="$skipped" --child-silent-after-fork=yes "$@"
}

# Instead of lib.sh's.
agent_start() {
    printf '[agent]\ninstance = world\n' | agent_conf
    mkdir -p "$WORLD/state" "$WORLD/run"
    memcheck "$BUILD/bluegreend" --config "$WORLD/etc" --state "$WORLD/state" --run "$WORLD/run" \
        >>"$WORLD/agent.log" 2>&1 </dev/null &
    AGENT=$!
    echo "$AGENT" >"$WORLD/agent.pid"
    wait_for 300 agent_answers
}

role_pid() {
    pgrep -P "$AGENT" -f -- "$1"
}

# Of the monitor. The roles have no rights to what vgdb(1) talks through.
blocks_in_use() {
    vgdb --vgdb-prefix="$WORLD/vgdb" --pid="$AGENT" leak_check summary any 2>"$WORLD/vgdb.log" | tr -d , |
        sed -n 's/.* bytes in \([0-9]*\) .*blocks.*/\1/p' | awk '{ n += $1 } END { print n + 0 }'
}

cycle() {
    local i
    for ((i = 0; i < $1; i++)); do
        bg deploy web v1 >/dev/null
        bg deploy web v2 >/dev/null
        bg remove web --force >/dev/null
    done
}

# Of the role $1, whose process was $2 and has ended, or is about to.
expect_clean() {
    local log=$WORLD/valgrind.$2.log
    wait_for 60 grep -q 'ERROR SUMMARY' "$log"
    sed -n "s/^==[0-9]*== */$1: /p" "$log" | grep -E 'in use at exit|total heap|ERROR SUMMARY|DESCRIPTORS'
    grep -q 'ERROR SUMMARY: 0 errors' "$log" || fail "$1: $(cat "$log")"
    # What it was given, it has still.
    expect_eq "" "$(sed -n '/Open file descriptor/{N;/inherited/!p}; /Open AF/{N;/inherited/!p}' "$log")" \
        "descriptors of $1 at its end"
}

test_deploys_under_valgrind() {
    local rounds=${ROUNDS:-100} blocks descriptors api probe
    ready_web
    # The first ones fill what is kept of operations that have ended.
    cycle 5
    blocks=$(blocks_in_use)
    descriptors=$(descriptors_of "$AGENT")
    cycle "$rounds"
    echo "$((2 * rounds)) deploys: $blocks blocks before, $(blocks_in_use) after; $descriptors descriptors"
    [ "$blocks" -gt 0 ] || fail "vgdb said nothing: $(cat "$WORLD/vgdb.log")"
    expect_eq "$blocks" "$(blocks_in_use)" "blocks that the monitor has in use"
    expect_eq "$descriptors" "$(descriptors_of "$AGENT")" "descriptors of the monitor"
    api=$(role_pid bluegreen-api) probe=$(role_pid bluegreen-probe)
    # A monitor that ends kills the probe; without one, the roles leave by themselves.
    agent_kill9
    expect_clean api "$api"
    expect_clean probe "$probe"
    # An error is told with where it was.
    ! grep -q '^==[0-9]*== *at 0x' "$WORLD/valgrind.$AGENT.log" || fail "monitor: $(cat "$WORLD/valgrind.$AGENT.log")"
}

test_agent_that_ends_frees_everything() {
    ready_web
    cycle 2
    bg deploy web v1
    agent_stop || fail "the agent's exit status: $?"
    expect_clean monitor "$AGENT"
}

# Whatever the unit's tests do with it, each feed role ends by itself, for they close its channel.
test_feed_role_of_its_unit() {
    local log roles=0
    (memcheck "$BUILD/tests/unit/test_feed_role") || fail "test_feed_role failed"
    for log in "$WORLD"/valgrind.*.log; do
        grep -q 'Command: .*/bluegreen-feed ' "$log" || continue
        roles=$((roles + 1))
        log=${log##*/valgrind.}
        expect_clean feed "${log%.log}"
    done
    [ "$roles" -gt 0 ] || fail "no feed role was looked at"
}

run_tests
