#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# [feed] under torture: an app with an SQLite data base of its own in each zone takes writes from many clients while the
# feed, the agent, the shims and the app are killed, in no order, and releases are switched, rolled back and deployed. At
# the end each acknowledged write is in both zones, once, in the same order for each account; and nothing else is there
# but what nobody was promised or refused. The same with a feed that writes its journal behind its answers must lose some.
#
#     WRITES=100000 SEED=7 BUILD=build tests/world/enter tests/world/feed_torture.sh [TEST...]
#
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
FEED_APP=$TOOLS/ledger
# shellcheck source=tests/drivers/feed_lib.sh
. "$ROOT/tests/drivers/feed_lib.sh"

SEED=${SEED:-7}
WRITES=${WRITES:-10000}

# --- clients -----------------------------------------------------------------------------------------

# clerks_start [ARG...]: of tests/tools/clerk.c
clerks_start() {
    ip netns exec client "$TOOLS/clerk" "$@" 203.0.113.10 80 24 "$WRITES" "$SEED" >"$WORLD/said" 2>"$WORLD/figures" &
    CLERK=$!
    BEGAN=$EPOCHREALTIME
}

clerks_run() {
    kill -0 "$CLERK" 2>/dev/null
}

clerks_end() {
    wait "$CLERK"
    cat "$WORLD/figures"
    echo "$WRITES writes in $(((${EPOCHREALTIME/./} - ${BEGAN/./}) / 1000)) ms"
    sort "$WORLD/events" | uniq -c
}

# --- what happens to them ----------------------------------------------------------------------------

note() {
    echo "$1" >>"$WORLD/events"
}

kill_role() {
    note "kill feed"
    kill -9 "$(role_pid)" 2>/dev/null || :
}

kill_agent() {
    note "kill agent"
    agent_kill9
    [ $((RANDOM % 2)) = 0 ] || sleep 0.4
    agent_start
}

# kill_shim ZONE, kill_app ZONE
kill_shim() {
    local pid
    note "kill shim"
    pid=$(status_of ".zones.$1.shim_pid") || return 0
    kill -9 "$pid" 2>/dev/null || :
}

kill_app() {
    local pid
    note "kill app"
    pid=$(pgrep -f -- "^[^ ]*/bin/web --port 8080 $DATA/ids.$1\$" | head -1)
    [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || :
}

live_zone() {
    status_of '.live' || echo blue
}

other_zone() {
    [ "$(live_zone)" = green ] && echo blue || echo green
}

# Which of them succeed depends on what was killed before; refusals must not harm.
order() {
    if timeout 30 "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" "$@" >>"$WORLD/orders" 2>&1; then
        note "$1: done"
    else
        note "$1: refused or failed"
    fi
}

kill_one() {
    case $((RANDOM % 7)) in
    0 | 1) kill_role ;;
    2) kill_agent ;;
    3) kill_app "$(live_zone)" ;;
    4) kill_app "$(other_zone)" ;;
    5) kill_shim "$(live_zone)" ;;
    6) kill_shim "$(other_zone)" ;;
    esac
}

# An order, and something that is killed in the middle of it.
disturbed() {
    order "$@" &
    local ordered=$!
    sleep 0.0$((RANDOM % 9))
    kill_one
    wait "$ordered" || :
}

disturb() {
    case $((RANDOM % 8)) in
    0 | 1 | 2) kill_one ;;
    3) order rollback web ;;
    4) order deploy web "v$((RANDOM % 3 + 1))" ;;
    5) disturbed rollback web ;;
    6) disturbed deploy web "v$((RANDOM % 3 + 1))" ;;
    7) disturbed switch web ;;
    esac
}

# torment: until the clients have what they want
torment() {
    RANDOM=$SEED
    while clerks_run; do
        sleep 0.$((RANDOM % 5 + 1))
        disturb
    done
}

# --- what is there at the end ------------------------------------------------------------------------

# Column 3 of the clients' notes: 201 was promised; 503 and no connection are promised not to be there; all else is not
# known.
sort_notes() {
    awk '$3 == 201 { print $1 }' "$WORLD/said" | sort >"$WORLD/acked"
    awk '$3 == 201 || $3 == 0 || $3 == 502 || $3 == 504 { print $1 }' "$WORLD/said" | sort -u >"$WORLD/possible"
    awk '$3 != 201 && $3 != 0 && $3 != 502 && $3 != 504 && $3 != 503 && $3 != -1' "$WORLD/said" >"$WORLD/odd"
    expect_eq '' "$(head -3 "$WORLD/odd")" "answers that should not be"
    [ -s "$WORLD/acked" ] || fail "nothing was acknowledged"
}

dump() {
    as_user web "$TOOLS/ledger" --dump "$DATA/ids.$1" >"$WORLD/rows.$1"
    cut -d' ' -f1 "$WORLD/rows.$1" | sort >"$WORLD/ids.$1"
}

# Nobody who was answered before another one began is behind that one: of an account, in the order of its rows.
in_time() {
    awk 'NR == FNR { if ($3 == 201) { began[$1] = $4; ended[$1] = $5 }; next }
        !($1 in ended) { next }
        ended[$1] < newest[$2] { print $1 " of account " $2 " is behind " which[$2] ", which began after it"; exit }
        began[$1] > newest[$2] { newest[$2] = began[$1]; which[$2] = $1 }' "$WORLD/said" "$1"
}

# Rows of acknowledged writes, account by account, each in its order.
order_of() {
    awk 'NR == FNR { acked[$1]; next } $1 in acked' "$WORLD/acked" "$WORLD/rows.$1" | sort -s -k2,2n
}

missing() {
    comm -13 "$WORLD/ids.$1" "$WORLD/acked"
}

same_rows() {
    local zone
    sort_notes
    for zone in blue green; do
        dump "$zone"
        expect_eq '' "$(missing "$zone" | head -3)" "missing in $zone"
        expect_eq '' "$(uniq -d "$WORLD/ids.$zone" | head -3)" "twice in $zone"
        expect_eq '' "$(comm -23 "$WORLD/ids.$zone" "$WORLD/possible" | head -3)" "in $zone, and refused or never sent"
        echo "$zone: $(wc -l <"$WORLD/ids.$zone") rows"
    done
}

same_in_both() {
    local zone
    same_rows
    for zone in blue green; do
        expect_eq '' "$(in_time "$WORLD/rows.$zone")" "order in $zone"
        order_of "$zone" >"$WORLD/order.$zone"
    done
    expect_eq '' "$(diff "$WORLD/order.blue" "$WORLD/order.green" | head -3)" "order of the accounts"
}

# The feed's own account of it: no fewer than were promised, no more than promises and doubts.
figures_agree() {
    local committed acked possible
    committed=$(status_of .feed.committed)
    acked=$(wc -l <"$WORLD/acked")
    possible=$(awk '$3 == 201 || $3 == 0 || $3 == 502 || $3 == 504' "$WORLD/said" | wc -l)
    echo "acknowledged $acked, committed $committed, acknowledged or unknown $possible"
    [ "$committed" -ge "$acked" ] || fail "the feed says less than was acknowledged"
    [ "$committed" -le "$possible" ] || fail "the feed says more than was sent"
    expect_eq 0 "$(status_of .feed.lost)" "lost"
    expect_match "[0-9]+ transactions can be read, as they were written" "$(bg feed web verify 2>&1 || :)"
    bg feed web || :
}

# A deploy that failed has left no other zone, and then there is nothing to compare with.
runs_again() {
    wait_for 30 nothing_runs
    [ "$(status_of '[.zones[] | .state] | sort | join(" ")')" = "live standby" ] || bg deploy web v1 >/dev/null
}

survive() {
    ready_feed 'in_doubt = apply' "$@"
    bg deploy web v2 >/dev/null
    : >"$WORLD/events"
}

all_is_there() {
    runs_again
    wait_for 30 has_all
    same_in_both
    figures_agree
}

# --- the tests ---------------------------------------------------------------------------------------

test_lanes_by_account() {
    survive 'lanes = 8' 'key = path 2'
    clerks_start
    torment
    clerks_end
    all_is_there
}

# One after the other, with clients that repeat what was not answered, by their own key.
test_clients_try_again() {
    survive
    clerks_start --again
    torment
    clerks_end
    all_is_there
    expect_eq "$(wc -l <"$WORLD/acked")" "$(wc -l <"$WORLD/ids.blue")" "rows"
    expect_eq '' "$(diff "$WORLD/ids.blue" "$WORLD/ids.green" | head -3)" "rows that one zone has alone"
}

has_failed_over() {
    [ "$(bg history web --json | json '[.entries[] | select(.verb == "failover" and .done)] | length')" = "$1" ]
}

stands_by() {
    [ "$(status_of '[.zones[] | .state] | sort | join(" ")')" = "live standby" ]
}

nothing_is_lost() {
    [ "$(status_of .feed.lost)" = 0 ]
}

lost_ones() {
    bg feed web diff --json | json '.transactions[] | select(.kind == "lost") | .sequence'
}

# Nobody waits for the tail then: what the new live zone lacks is on record, and can be done there later. The order is
# another one then, so only what is there is compared.
test_failover() {
    local number lost=0
    ready_feed 'in_doubt = apply' '[failover]' 'auto = yes'
    bg deploy web v2 >/dev/null
    : >"$WORLD/events"
    touch "$DATA/ids.blue.slow"
    WRITES=60 clerks_start
    clerks_end
    cp "$WORLD/said" "$WORLD/before"
    kill_shim green
    SEED=$((SEED + 1)) WRITES=1000 clerks_start
    wait_for 10 has_failed_over 1
    rm "$DATA/ids.blue.slow"
    clerks_end
    cat "$WORLD/before" >>"$WORLD/said"
    wait_for 10 stands_by
    wait_for 30 has_all
    for number in $(lost_ones); do
        bg feed web apply "$number" >/dev/null
        lost=$((lost + 1))
    done
    [ "$lost" -gt 0 ] || fail "the failover has missed nothing: this test sees nothing"
    echo "$lost were lost"
    wait_for 5 nothing_is_lost
    same_rows
}

# What the above is worth: a feed that answers first and writes later has all as long as nothing dies, and not after that.
kills_of_the_feed() {
    local kills
    for ((kills = 0; kills < 4; kills++)); do
        sleep 0.5
        kill_role
    done
    sleep 0.5
    kill -TERM "$CLERK"
    clerks_end
    wait_for 30 has_all
}

test_a_journal_behind_the_answers_loses() {
    local zone
    another_feed feed_behind
    survive
    expect_match 'feed_behind$' "$(readlink "/proc/$(role_pid)/exe")" "the feed that runs"
    clerks_start
    sleep 1
    kill -TERM "$CLERK"
    clerks_end
    sleep 2 # what it has not written yet it does not tell either
    wait_for 30 has_all
    same_in_both
    SEED=$((SEED + 1)) WRITES=1000000 clerks_start
    kills_of_the_feed
    sort_notes
    for zone in blue green; do
        dump "$zone"
        echo "$zone lacks $(missing "$zone" | wc -l)"
    done
    [ -n "$(missing "$(other_zone)")" ] || fail "a journal behind the answers has lost nothing: this test sees nothing"
    expect_eq '' "$(missing "$(live_zone)" | head -3)" "missing in the live zone"
}

test_a_journal_before_the_answers_does_not() {
    survive
    WRITES=1000000 clerks_start
    kills_of_the_feed
    same_in_both
    figures_agree
}

run_tests
