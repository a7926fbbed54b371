#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Drains over the end of the agent that began them: how long they may take, what stays open as long, and what the
# history tells. And the ends that are none: of a zone that is lost, or gets clients again.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# A client that has asked for something once and stays: what happens is in $WORLD/held, its process in HELD.
held() {
    ip netns exec client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    HELD=$!
    wait_for 5 grep -q "answer 200 $1" "$WORLD/held"
}

# Of the newest entry with this verb.
receipt_of() { # VERB FILTER
    bg history web --json | json "[.entries[] | select(.verb == \"$1\")] | last | .receipt | $2"
}

has_drained() { # VERB
    receipt_of "$1" '.cut != null' >/dev/null 2>&1
}

now_ms() {
    echo $((${EPOCHREALTIME/./} / 1000))
}

# --- the time ----------------------------------------------------------------------------------------------

test_the_deadline_counts_from_the_switch() {
    local switched took
    ready_web '[drain]' 'timeout = 5s'
    bg deploy web v1
    held v1
    bg deploy web v2 >"$WORLD/said" 2>&1 &
    wait_for 5 is_state blue draining
    switched=$(now_ms)
    sleep 1
    agent_kill9
    sleep 1.5
    # It keeps the time that it began with.
    sed -i 's/^timeout = 5s/timeout = 60s/' "$WORLD/etc/apps/web.conf"
    agent_start
    wait_for 10 grep -q 'closed reset' "$WORLD/held"
    took=$(($(now_ms) - switched))
    if [ "$took" -lt 4500 ] || [ "$took" -ge 6500 ]; then fail "it was cut $took ms after the switch"; fi
    wait_for 5 is_state blue standby
    bg history web
    receipt_of deploy '.cut == 1 and .left == 0 and .drained == null and .nudged == null
        and .drain_ms >= 4500 and .drain_ms < 6500'
    expect_match 'some may have ended by themselves .the agent was started again., 1 cut, 0 left, in 5' \
        "$(bg history web --verbose)"
}

test_a_time_that_was_over_without_an_agent() {
    ready_web '[drain]' 'timeout = 2s'
    bg deploy web v1
    held v1
    bg deploy web v2 >"$WORLD/said" 2>&1 &
    wait_for 5 is_state blue draining
    agent_kill9
    sleep 3
    expect_no_match closed "$(cat "$WORLD/held")"
    agent_start
    wait_for 5 grep -q 'closed reset' "$WORLD/held"
    expect_match 'web/blue: the drain goes on, for 0 ms at most' "$(cat "$WORLD/agent.log")"
    wait_for 5 is_state blue standby
    receipt_of deploy '.cut == 1 and .drain_ms >= 3000'
}

# The switch took place, and the agent died before it could say whose connections it waits for.
test_killed_behind_the_switch() {
    export DIE_AT_CONTROL=$WORLD/die-at DIE_AT_LOG=$WORLD/points
    ready_web '[drain]' 'timeout = 20s'
    bg deploy web v1
    held v1
    bg stage web v2
    agent_kill9
    LD_PRELOAD=$BUILD/tests/drivers/die_at.so agent_start
    echo 1 synced nft >"$DIE_AT_CONTROL"
    bg switch web >"$WORLD/said" 2>&1 || :
    wait_for 5 has_ended "$AGENT"
    rm "$DIE_AT_CONTROL"
    agent_start
    is_state blue draining || fail "blue is $(status_of .zones.blue.state)"
    agent_kill9
    agent_start
    is_state blue draining || fail "blue is $(status_of .zones.blue.state)"
    release_held
    wait_for 5 is_state blue standby
    # How long the transaction took is not known, so that there is no receipt; but whose drain it was is.
    grep -qE " drained app=web zone=blue operation=$(begun switch) drained=unknown cut=0 left=0 " \
        "$WORLD/state/journal" || fail "the drain belongs to nothing: $(grep ' drained ' "$WORLD/state/journal")"
}

# The number of the newest BEGIN of this verb.
begun() {
    awk -v verb="verb=$1" '$4 == "begin" && $6 == verb { number = $2 } END { print number }' "$WORLD/state/journal"
}

# --- what stays open --------------------------------------------------------------------------------------

# v1 live in blue, v2 has nearly all new connections, and one that stays.
ready_canary() {
    ready_web '[egress]' 'standby = closed' "$@"
    background socat TCP4-LISTEN:7000,fork,reuseaddr SYSTEM:'read -r line; echo reached'
    bg deploy web v1
    bg stage web v2
    bg switch web --canary 99%
    wait_for 5 answers v2
    until_held v2
}

reaches() {
    [ "$(echo | timeout 5 ip netns exec "bg-web-$1" socat -t 3 - TCP4:203.0.113.10:7000 2>/dev/null)" = reached ]
}

reaches_not() {
    ! reaches "$1"
}

test_a_canary_that_was_taken_back_drains_on() {
    local aborted
    ready_canary '[drain]' 'timeout = 30s'
    bg abort web >"$WORLD/said" 2>&1 &
    wait_for 5 has_no_share
    aborted=$(now_ms)
    for _ in 1 2; do
        agent_kill9
        agent_start
        sleep 0.5
        reaches green || fail "it is fenced while its last request may need what it began with"
        expect_eq '1 green' "$(bg status web --json | jq -r '.drain | "\(.connections) \(.zone)"')"
    done
    expect_no_match closed "$(cat "$WORLD/held")"
    release_held
    wait_for 5 reaches_not green
    [ "$(now_ms)" -lt $((aborted + 20000)) ] || fail "that took until its deadline"
    expect_eq healthy "$(status_of .zones.green.state)"
    reaches blue
    wait_for 5 has_drained rollback
    receipt_of rollback '.cut == 0 and .drained == null and .drain_ms > 1000'
    # Over is over, also for the next one.
    agent_kill9
    agent_start
    reaches_not green || fail "an old drain opened the fence"
    expect_eq null "$(bg status web --json | jq -c .drain)"
}

# Whatever the agent was just doing, the fence stays for the client, and closes behind it.
test_killed_at_any_moment_of_the_way_back() {
    export DIE_AT_CONTROL=$WORLD/die-at DIE_AT_LOG=$WORLD/points
    local number phase
    ready_canary '[drain]' 'timeout = 30s'
    for number in 1 2 3 4; do
        for phase in before synced; do
            agent_kill9
            LD_PRELOAD=$BUILD/tests/drivers/die_at.so agent_start
            [ "$(bg status web --json | jq -r .canary)" != null ] || bg switch web --canary 99% >"$WORLD/said" 2>&1
            release_held
            until_held v2
            echo "$number $phase" >"$DIE_AT_CONTROL"
            bg abort web >"$WORLD/said" 2>&1 &
            wait_for 5 has_ended "$AGENT" || fail "it did not die at $number $phase"
            rm "$DIE_AT_CONTROL"
            agent_start
            sleep 0.3
            reaches green || fail "it is fenced after a death at $number $phase: $(tail -n 1 "$WORLD/points")"
            expect_no_match closed "$(cat "$WORLD/held")"
            if has_no_share; then
                release_held
                wait_for 5 reaches_not green || fail "it is not fenced after $number $phase"
            fi
        done
    done
}

# And of giving the share: whoever got in meanwhile is not forgotten.
test_killed_at_any_moment_of_the_way_there() {
    export DIE_AT_CONTROL=$WORLD/die-at DIE_AT_LOG=$WORLD/points
    local number phase
    ready_canary '[drain]' 'timeout = 30s'
    for number in 1 2 3 4; do
        for phase in before synced; do
            release_held
            bg abort web >"$WORLD/said" 2>&1
            agent_kill9
            LD_PRELOAD=$BUILD/tests/drivers/die_at.so agent_start
            echo "$number $phase" >"$DIE_AT_CONTROL"
            bg switch web --canary 99% >"$WORLD/said" 2>&1 || :
            wait_for 5 has_ended "$AGENT" || fail "it did not die at $number $phase"
            rm "$DIE_AT_CONTROL"
            if nft list chain inet bluegreen app.web | grep -q numgen; then
                until_held v2
                reaches green || fail "it has clients, and is fenced, after a death at $number $phase"
            fi
            agent_start
            sleep 0.3
            if grep -q v2 "$WORLD/held" && kill -0 "$HELD" 2>/dev/null; then
                reaches green || fail "it is fenced after a death at $number $phase: $(tail -n 1 "$WORLD/points")"
            fi
            has_no_share || continue
            reaches_not green || fail "it is open after a death at $number $phase"
            bg switch web --canary 99% >"$WORLD/said" 2>&1
        done
    done
}

# What was found is not forgotten with the agent that found it.
test_killed_while_it_gives_up_a_bad_one() {
    export DIE_AT_CONTROL=$WORLD/die-at DIE_AT_LOG=$WORLD/points
    local point
    ready_web '[drain]' 'timeout = 30s'
    bg deploy web v1
    for point in '1 synced' '2 synced' '3 synced'; do
        bg stage web v2 >"$WORLD/said"
        agent_kill9
        LD_PRELOAD=$BUILD/tests/drivers/die_at.so agent_start
        wait_for 5 bg switch web --canary 20%
        echo "$point" >"$DIE_AT_CONTROL"
        kill -9 "$(status_of .zones.green.pid)"
        wait_for 8 has_ended "$AGENT" || fail "it did not die at $point"
        rm "$DIE_AT_CONTROL"
        agent_start
        wait_for 10 has_no_share || fail "it keeps its share after a death at $point"
        expect_match '^bad: 1 exit or restart' "$(status_of .zones.green.detail)"
        bg abort web
    done
}

# What is started again in its place has nothing to do with the clients that were lost.
test_a_lost_zone_drains_no_more() {
    local shim
    ready_web '[process early]' "run = /bin/bash -c 'echo early >/dev/tcp/203.0.113.2/26 || echo refused'" \
        '[restart]' 'policy = no' '[egress]' 'standby = closed' '[drain]' 'timeout = 30s'
    bg deploy web v1
    bg deploy web v2
    wait_for 5 is_state blue standby
    bg switch web --canary 99%
    until_held v1
    bg abort web >"$WORLD/said" 2>&1 &
    wait_for 5 has_no_share
    background on_client socat -u TCP4-LISTEN:26,fork,reuseaddr "OPEN:$WORLD/sink,creat,append"
    wait_for 5 eval 'on_client ss -Hltn | grep -q :26'
    shim=$(status_of .zones.blue.shim_pid)
    kill -9 "$shim"
    wait_for 10 made_again "$shim"
    wait_for 5 is_state blue standby
    sleep 0.5
    [ ! -s "$WORLD/sink" ] || fail "what was started again reached the outside: $(cat "$WORLD/sink")"
    receipt_of rollback '.cut + .drained == 1'
    expect_eq null "$(bg status web --json | jq -c .drain)"
}

made_again() {
    local now
    now=$(status_of .zones.blue.shim_pid) && [ "$now" != "$1" ] && [ "$now" != null ]
}

# Nothing brings back what was taken away while nobody could say so.
test_taken_back_without_a_journal() {
    world_net
    mkdir -p "$WORLD/state"
    mount -t tmpfs -o size=2m small "$WORLD/state"
    web_conf web 80
    release_install web v1
    release_install web v2
    agent_start
    bg deploy web v1
    bg stage web v2
    bg switch web --canary 20%
    dd if=/dev/zero of="$WORLD/state/filler" bs=4k 2>/dev/null || :
    for ((i = 0; i < 200; i++)); do
        bg lock web -m full >/dev/null 2>&1 || break
        bg unlock web >/dev/null 2>&1 || break
    done
    wait_for 2 grep -q 'the journal cannot be written' "$WORLD/agent.log"
    bg abort web
    has_no_share || fail "it keeps its share"
    rm "$WORLD/state/filler"
    wait_for 8 grep -q 'the journal can be written again' "$WORLD/agent.log"
    agent_kill9
    agent_start
    has_no_share || fail "a share that was taken away is there again"
    agent_stop
    umount -l "$WORLD/state"
}

# --- hold ---------------------------------------------------------------------------------------------------

test_what_has_stopped_for_the_other_is_fenced() {
    ready_web '[switch]' 'mode = hold' '[egress]' 'standby = closed'
    background socat TCP4-LISTEN:7000,fork,reuseaddr SYSTEM:'read -r line; echo reached'
    bg deploy web v1
    reaches blue
    bg deploy web v2
    expect_eq resting "$(status_of .zones.blue.state)"
    reaches_not blue || fail "the fence of what was live stands open"
    reaches green
    bg rollback web
    reaches blue
    reaches_not green || fail "the fence of what was live stands open"
}

# --- who waits ----------------------------------------------------------------------------------------------

test_who_waits_for_what_gets_clients_again() {
    ready_canary '[drain]' 'timeout = 30s'
    bg abort web >"$WORLD/aborted" 2>&1 &
    wait_for 5 has_no_share
    bg drain web >"$WORLD/drained" 2>&1 &
    sleep 0.3
    bg switch web --canary 10%
    wait_for 5 grep -q 'v2 has a share of the connections again' "$WORLD/aborted" || fail "$(cat "$WORLD/aborted")"
    wait_for 5 grep -q 'v2 has a share of the connections again' "$WORLD/drained" || fail "$(cat "$WORLD/drained")"
    # One that only watches goes on, whatever the share is: over the way back to the end of that drain.
    bg drain web >"$WORLD/drained" 2>&1 &
    local drained=$!
    sleep 0.3
    bg switch web --canary 20%
    bg abort web >"$WORLD/aborted" 2>&1 &
    wait_for 5 has_no_share
    sleep 0.3
    kill -0 "$drained" || fail "$(cat "$WORLD/drained")"
    release_held
    wait "$drained" || fail "$(cat "$WORLD/drained")"
    # It becomes live.
    bg switch web --canary 99%
    until_held v2
    bg abort web >"$WORLD/aborted" 2>&1 &
    wait_for 5 has_no_share
    sleep 0.3
    bg switch web
    wait_for 5 grep -q 'v2 became live in green (switch, asked for by ' "$WORLD/aborted" || fail "$(cat "$WORLD/aborted")"
}

# What is taken back serves its last requests, however short it is kept otherwise.
test_a_standby_is_not_removed_while_it_drains() {
    ready_web '[drain]' 'timeout = 30s' '[standby]' 'keep = 4s'
    bg deploy web v1
    bg deploy web v2
    wait_for 5 is_state blue standby
    bg switch web --canary 99%
    until_held v1
    sleep 4
    bg abort web >"$WORLD/said" 2>&1 &
    wait_for 5 has_no_share
    bg wait web drained --timeout 1s && fail "nothing drains"
    expect_no_match closed "$(cat "$WORLD/held")"
    expect_eq standby "$(status_of .zones.blue.state)"
    release_held
    bg wait web drained --timeout 5s
    wait_for 8 is_state blue absent
}

run_tests
