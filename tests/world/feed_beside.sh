#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# [feed] beside what else an app can have: a preview, what it shares with the host, others that are fed, a group, a
# service manager's way of following it.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck source=tests/drivers/feed_lib.sh
. "$ROOT/tests/drivers/feed_lib.sh"

# --- more than one of them -----------------------------------------------------------------------------------

# Apps a1 and on, each fed, with a state of its own; published at 81 and on. LINEs behind user = of each.
ready_several() { # COUNT LINE...
    local app release i
    mkdir -p "$DATA"
    chown web "$DATA"
    world_net
    APPS=()
    for ((i = 1; i <= $1; i++)); do
        app=a$i
        APPS+=("$app")
        for release in v1 v2; do
            release_install "$app" "$release" "$FEED_APP"
        done
        {
            printf '[app]\nname = %s\nuser = web\n' "$app"
            printf '%s\n' "${@:2}"
            printf 'run = %s --port 8080 %s\n' "$WORLD/srv/$app/%r/bin/web" "$DATA/$app.%z"
            printf '[ports]\nhttp = %d -> 8080/tcp\n[files]\nwrite = %s\n' $((80 + i)) "$DATA"
            printf '[health]\nhttp = :8080/healthz\ninterval = 200ms\npasses = 2\n[drain]\ntimeout = 1s\n'
            printf '[feed]\nmode = http\nin_doubt = apply\njournal_max = 16M\nbody_max = 1M\n'
        } | app_conf "$app"
    done
    agent_start
    for app in "${APPS[@]}"; do
        bg deploy "$app" v1 >/dev/null
    done
}

writers_start() { # PER_SECOND
    local i
    WRITERS=()
    for ((i = 1; i <= ${#APPS[@]}; i++)); do
        ip netns exec client "$TOOLS/writer" 203.0.113.10 $((80 + i)) 2 "$1" \
            >"$WORLD/acks.a$i" 2>"$WORLD/figures.a$i" &
        WRITERS+=($!)
    done
    sleep 0.3
}

writers_end() {
    local pid
    kill -TERM "${WRITERS[@]}"
    for pid in "${WRITERS[@]}"; do
        wait "$pid" || :
    done
    cat "$WORLD"/figures.a*
}

app_has_all() {
    bg status "$1" --json | json '.feed.behind == 0 and .feed.in_doubt == 0 and .feed.live == .live' | grep -qx true
}

# What each acknowledged is in both of its zones, once and in one order; nothing of another app is.
each_has_its_own() {
    local app zone
    for app in "${APPS[@]}"; do
        wait_for 15 app_has_all "$app"
        sed -n 's/ 201$//p' "$WORLD/acks.$app" | sort >"$WORLD/acked"
        [ -s "$WORLD/acked" ] || fail "$app acknowledged nothing"
        for zone in blue green; do
            expect_eq '' "$(cut -d' ' -f1 "$DATA/$app.$zone" | sort | comm -13 - "$WORLD/acked" | head -3)" \
                "missing in $app's $zone"
            expect_eq '' "$(cut -d' ' -f1 "$DATA/$app.$zone" | sort | uniq -d | head -3)" "twice in $app's $zone"
        done
    done
}

test_twelve_fed_apps() {
    local app
    ready_several 12
    for app in "${APPS[@]}"; do
        bg deploy "$app" v2 >/dev/null
    done
    expect_eq 12 "$(pgrep -cx bluegreen-feed)"
    writers_start 20
    agent_kill9
    agent_start
    for app in "${APPS[@]:0:6}"; do
        bg rollback "$app" >/dev/null
    done
    for app in "${APPS[@]:4:4}"; do
        kill -9 "$(role_pid "$app")"
    done
    sleep 1
    writers_end
    each_has_its_own
    expect_eq 12 "$(pgrep -cx bluegreen-feed)"
    # One that goes takes its own role along, and no other's.
    bg stop a1 >/dev/null
    wait_for 3 eval '! role_pid a1'
    expect_eq 11 "$(pgrep -cx bluegreen-feed)"
}

same_release() {
    bg status --json | jq -e '[.apps[] | .zones[.live].release] | unique | length == 1' >/dev/null
}

# A group moves as one, or not at all, also when a feed or the agent dies in the middle of its holding.
test_group_under_kills() {
    local round
    ready_several 2 'group_name = shop'
    bg stage a1 v2 >/dev/null
    bg stage a2 v2 >/dev/null
    writers_start 200
    bg switch --group shop >/dev/null
    for round in 1 2 3 4 5 6; do
        bg rollback --group shop >"$WORLD/said" 2>&1 &
        local mover=$!
        sleep "0.0$((round * 2 % 7))"
        if [ $((round % 3)) = 0 ]; then
            agent_kill9
            agent_start
        else
            kill -9 "$(role_pid "a$((round % 3))")"
        fi
        wait "$mover" || :
        wait_for 10 same_release || fail "round $round: $(bg status); $(cat "$WORLD/said")"
        wait_for 15 app_has_all a1
        wait_for 15 app_has_all a2
    done
    writers_end
    each_has_its_own
}

has_committed() {
    [ "$(status_of .feed.committed)" = "$1" ]
}

# --- beside other parts of an app's configuration ------------------------------------------------------------

test_preview() {
    ready_feed '[preview]' 'port = 8081'
    expect_match '\[preview\] port, from: what these clients change' "$("$BUILD/bluegreend" --check "$WORLD/etc/apps/web.conf" 2>&1)"
    bg stage web v2 >/dev/null
    on_client curl -sf -d x "$URL4/add/1" >/dev/null
    wait_for 3 grep -q ^1 "$DATA/ids.green"
    # The preview is past the feed: it shows what the standby has, and asks nobody else.
    expect_eq 1 "$(on_client curl -sf http://203.0.113.10:8081/count)"
    wait_for 3 has_committed 1
    expect_eq 0 "$(status_of .feed.passed)"
    bg switch web >/dev/null
    on_client curl -sf -d x "$URL4/add/2" >/dev/null
    wait_for 3 grep -q ^2 "$DATA/ids.blue"
    expect_eq 2 "$(on_client curl -sf http://203.0.113.10:8081/count)"
    expect_eq '1 2' "$(ids_of blue | paste -sd ' ')"
    expect_eq '1 2' "$(ids_of green | paste -sd ' ')"
}

test_share_and_egress() {
    ready_feed '[share]' 'host = 5432' '[egress]' 'policy = closed' 'standby = closed'
    background socat TCP4-LISTEN:5432,bind=127.0.0.1,fork,reuseaddr 'SYSTEM:echo hello'
    wait_for 5 eval "ss -Hltn | grep -q ':5432 '"
    bg deploy web v2 >/dev/null
    write_start
    expect_eq hello "$(echo | timeout 3 ip netns exec bg-web-green socat -t 0.5 - TCP4:10.201.0.5:5432)"
    bg rollback web >/dev/null
    write_end
    nobody_failed
    nothing_missing
}

# Whoever follows a deploy sees the copy of the state and the wait for the tail as steps of it.
test_attach() {
    ready_feed 'wait = 5s'
    bg deploy web v2 >/dev/null
    echo 2000 >"$DATA/ids.blue.slow"
    on_client curl -sf -d x "$URL4/add/1" >/dev/null
    bg rollback web >"$WORLD/said" 2>&1 &
    local mover=$!
    wait_for 3 status_of '.operation.verb == "rollback"' >/dev/null
    bg attach web >"$WORLD/followed" 2>&1 &
    local follower=$!
    wait "$mover" || fail "$(cat "$WORLD/said")"
    wait "$follower" || fail "$(cat "$WORLD/followed")"
    expect_match 'tail +blue +rollback v1, asked for by root.*web is live on blue with release v1' "$(cat "$WORLD/followed")"
    expect_eq 1 "$(ids_of blue | paste -sd ' ')"
}

run_tests
