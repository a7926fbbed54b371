#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Clients that misbehave on the control socket, each kind of them (tests/tools/abuse.c): the others are served in time, the
# monitor and the api role hold no more than before, and the log says little about it.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/counts_lib.sh
. "$ROOT/tests/drivers/counts_lib.sh"

abuse() { # USER KIND SECONDS [COUNT]
    as_user "$1" "$TOOLS/abuse" "$BLUEGREEN_SOCKET" "${@:2}"
}

figure() { # NAME LINE
    sed -n "s/.* $1 \([0-9]*\).*/\1/p" <<<"$2 "
}

ready_abuse() {
    ready_web
    bg deploy web v1 >/dev/null
    bg deploy web v2 >/dev/null
    # What is allocated once.
    abuse nosy many 0.2 100 >/dev/null
    abuse nosy malformed 0.2 >/dev/null
    abuse nosy deaf 1 20 >/dev/null
    sleep 0.5
}

# beside USER KIND SECONDS [COUNT]: an operator who behaves is beside them; what both saw. 100 ms is a lot for one who
# gets the next turn, and a second is what a machine that does other things besides may make of it.
beside() {
    local polite lines
    lines=$(wc -l <"$WORLD/agent.log")
    background abuse "$@" >"$WORLD/rude" 2>&1
    local rude=$!
    sleep 0.2
    polite=$(abuse oper polite "${POLITE_SECONDS:-1}") || fail "beside $2: $polite"
    wait "$rude" || fail "$(cat "$WORLD/rude")"
    cat "$WORLD/rude"
    echo "   beside: p50 $(figure p50 "$polite") us, p99 $(figure p99 "$polite") us, the slowest $(figure max "$polite") us"
    [ "$(figure p99 "$polite")" -lt "${PATIENCE_US:-1000000}" ] || fail "an operator waits beside $2: $polite"
    lines=$(($(wc -l <"$WORLD/agent.log") - lines))
    [ "$lines" -le 10 ] || fail "$2 made $lines lines in the log: $(tail -n 3 "$WORLD/agent.log")"
}

# Somebody who may only look, and needs not even be that; then those who may operate, who have more places but not for
# ever. Half a message is waited for for ten seconds, unread answers for thirty: some try both meanwhile.
test_others_are_served() {
    local kind slow deaf
    ready_abuse
    background abuse oper slow 14 10 >"$WORLD/slow"
    slow=$!
    background abuse oper deaf 40 10 >"$WORLD/deaf"
    deaf=$!
    echo "first, only they: $(abuse oper polite 1)"
    for kind in "malformed 1" "noise 1 3000" "huge 1" "half 1" "pipelined 1 500" "many 1 2000" "vanish 1" "slow 1 40" \
        "deaf 1 40"; do
        # shellcheck disable=SC2086 # words
        beside nosy $kind
    done
    for kind in "malformed 1" "noise 1 500" "huge 1" "half 1" "pipelined 1 500"; do
        # shellcheck disable=SC2086 # words
        beside oper $kind
    done
    wait "$slow" && wait "$deaf"
    cat "$WORLD/slow" "$WORLD/deaf"
    expect_eq 10 "$(figure closed "$(cat "$WORLD/slow")")" "slow ones that were left"
    [ "$(figure first_ms "$(cat "$WORLD/slow")")" -ge 9000 ] || fail "somebody slow was left too early"
    expect_eq 10 "$(figure closed "$(cat "$WORLD/deaf")")" "deaf ones that were left"
    expect_eq v2 "$(release_seen)"
}

# They begin commands in the zone: those end with whoever began them.
test_operators_that_vanish() {
    ready_abuse
    abuse oper vanish 1
    wait_for 5 no_commands
    expect_eq v2 "$(release_seen)"
}

no_commands() {
    ! pgrep -x sleep >/dev/null
}

peak_kib() {
    awk '/^VmHWM/ { print $2 }' "/proc/$1/status"
}

# Memory and descriptors, when they are there and when they are gone; and the journal, which is none of their business.
test_nothing_is_kept() {
    not_sanitized "what was freed stays resident"
    local api monitor before_api before_monitor fds_api fds_monitor kind journal
    ready_abuse
    api=$(api_pid) monitor=$(agent_pid)
    fds_api=$(descriptors_of "$api") fds_monitor=$(descriptors_of "$monitor")
    before_api=$(anonymous_kib "$api") before_monitor=$(anonymous_kib "$monitor")
    journal=$(stat -c %s "$WORLD/state/journal")
    for kind in "deaf 2 200" "pipelined 1 1000" "many 0.5 3000" "huge 1" "malformed 1" "noise 1 2000" "vanish 1" "slow 1 200"; do
        # shellcheck disable=SC2086 # words
        abuse nosy $kind
    done
    abuse oper deaf 2 100
    echo "api: $before_api KiB before, $(anonymous_kib "$api") after, $(peak_kib "$api") in all at its peak"
    echo "monitor: $before_monitor KiB before, $(anonymous_kib "$monitor") after, $(peak_kib "$monitor") in all at its peak"
    expect_eq "$api" "$(api_pid)" "the role"
    # 16 MiB may stay unread, and a role has some itself.
    [ "$(peak_kib "$api")" -le 40960 ] || fail "the api role grew to $(peak_kib "$api") KiB"
    [ "$(anonymous_kib "$api")" -le $((before_api + 1024)) ] || fail "the api role kept memory"
    [ "$(anonymous_kib "$monitor")" -le $((before_monitor + 256)) ] || fail "the monitor kept memory"
    wait_for 5 has_descriptors "$api" "$fds_api" || fail "descriptors of the api role: $(descriptors_of "$api"), were $fds_api"
    wait_for 5 has_descriptors "$monitor" "$fds_monitor" || fail "descriptors of the monitor: $(descriptors_of "$monitor"), were $fds_monitor"
    expect_eq "$journal" "$(stat -c %s "$WORLD/state/journal")" "the journal's size"
}

has_descriptors() {
    [ "$(descriptors_of "$1")" -le "$2" ]
}

# A script of root's that went wild leaves places and turns for others, and for root itself whatever others take. It has
# twice as many places as another user, so others may have to wait for twice as many turns.
test_root_is_bound_too() {
    local kind PATIENCE_US=2000000
    ready_abuse
    for kind in "slow 2 300" "deaf 2 300" "many 2 3000" "pipelined 1 500" "vanish 1" "huge 1" "half 1" "noise 1 500"; do
        # shellcheck disable=SC2086 # words
        beside root $kind
    done
    background abuse oper slow 3 300 >"$WORLD/slow"
    background abuse nosy slow 3 300 >>"$WORLD/slow"
    sleep 0.5
    abuse root polite 1 || fail "root waits beside others"
}

# Where the kernel is slow to count connections, as it is on a busy host, not everybody who asks waits for a count.
test_counting_is_bounded() {
    local said
    command -v strace >/dev/null || skip "strace is not installed"
    ready_abuse
    background strace -qq -o /dev/null -e trace=sendto -e inject=sendto:delay_enter=100000 -p "$(agent_pid)"
    sleep 0.5
    said=$(abuse oper polite 3) || fail "$said"
    echo "$said"
    [ "$(figure p50 "$said")" -lt 50000 ] || fail "each status was counted for: $said"
}

# Whoever may not is told so, however often, and nothing comes of it.
test_unauthorised() {
    local journal said
    ready_abuse
    journal=$(stat -c %s "$WORLD/state/journal")
    for _ in $(seq 20); do
        for said in 'deploy web v1' 'rollback web' 'stop web --yes' 'remove web --force' 'reload' 'exec web -- true'; do
            # shellcheck disable=SC2086 # words
            ! as_user nosy "$BUILD/bluegreen" --socket "$BLUEGREEN_SOCKET" $said >"$WORLD/said" 2>&1 || fail "$said"
            expect_match 'may look but not' "$(cat "$WORLD/said")"
        done
    done
    expect_eq v2 "$(release_seen)"
    expect_eq "$journal" "$(stat -c %s "$WORLD/state/journal")" "the journal's size"
    said=$(grep -c nosy "$WORLD/agent.log" || :)
    [ "$said" -le 20 ] || fail "$said lines in the log: $(grep nosy "$WORLD/agent.log" | tail -n 2)"
}

run_tests "$@"
