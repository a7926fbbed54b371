#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who is connected: `bluegreen connections`, and what status and progress say of a drain.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# held NAME ARG...: a client that stays; what happens is in $WORLD/NAME.
held() {
    local name=$1
    shift
    on_client "$TOOLS/hold_connection" --no-stdin "$@" >"$WORLD/$name" 2>&1 &
}

connections() {
    bg connections web --json "$@" | jq -c .connections[]
}

test_each_connection_is_told_as_it_is() {
    local port row
    ready_web
    bg deploy web v1
    expect_match 'no client is connected' "$(bg connections web)"
    held idle --request /bytes/1/5000 203.0.113.10:80
    held silent '[2001:db8:1::10]:80'
    held busy --request /slow/7/100000/9000 203.0.113.10:80
    wait_for 5 grep -q answer "$WORLD/idle"
    wait_for 5 grep -q open "$WORLD/silent"
    wait_for 5 grep -q open "$WORLD/busy"
    sleep 1
    connections >"$WORLD/rows"
    cat "$WORLD/rows"
    expect_eq 3 "$(wc -l <"$WORLD/rows")"

    port=$(sed -n 's/^open //p' "$WORLD/idle")
    row=$(grep -F "203.0.113.2:$port\"" "$WORLD/rows")
    json '.zone == "blue" and .protocol == "tcp" and .port == "http" and .target == 8080' <<<"$row"
    json '.state == "established"' <<<"$row"
    json '.idle_ms >= 800 and .idle_ms < 20000 and .age_ms >= .idle_ms and (.age_exact | not)' <<<"$row"
    json '.bytes_in > 40 and .bytes_in < 200 and .bytes_out > 5000 and .bytes_out < 5500' <<<"$row"
    json '(.rests | not) and (.nudged | not) and .unread == 0 and .unconfirmed == 0' <<<"$row"

    port=$(sed -n 's/^open //p' "$WORLD/silent")
    row=$(grep -F "[2001:db8:1::2]:$port\"" "$WORLD/rows")
    json '.bytes_in == 0 and .bytes_out == 0 and .age_exact and .age_ms >= 800 and (.rests | not)' <<<"$row"

    port=$(sed -n 's/^open //p' "$WORLD/busy")
    row=$(grep -F "203.0.113.2:$port\"" "$WORLD/rows")
    json '.idle_ms < 700 and .bytes_out > 1000 and (.rests | not)' <<<"$row"
    # By the app's own word of when a connection rests.
    sed -i '$a [drain]\nnudge = yes\nnudge_after = 500ms' "$WORLD/etc/apps/web.conf"
    bg reload
    expect_eq 1 "$(connections | jq -c 'select(.rests)' | wc -l)"
    expect_match 'blue +tcp +http +203.0.113.2:[0-9]+ +established, rests +>[0-9.]+ m?s' "$(bg connections web)"
}

# An app that does not read, and a client that does not.
test_what_waits_for_either_side_is_told() {
    ready_web
    bg deploy web v1
    kill -STOP "$(status_of .zones.blue.pid)"
    held unread --request /healthz 203.0.113.10:80
    wait_for 5 grep -q open "$WORLD/unread"
    wait_for 5 unread_bytes
    kill -CONT "$(status_of .zones.blue.pid)"
    wait_for 5 grep -q answer "$WORLD/unread"
}

unread_bytes() {
    connections | jq -e 'select(.unread > 20)' >/dev/null
}

test_zones_limits_and_rights() {
    local i
    ready_web '[drain]' 'timeout = 60s'
    bg deploy web v1
    for i in 1 2 3; do
        held "old$i" --request /healthz 203.0.113.10:80
    done
    wait_for 5 grep -q answer "$WORLD/old3"
    bg deploy web v2 --json >"$WORLD/deploy" 2>&1 &
    wait_for 10 is_state blue draining
    held new --request /healthz 203.0.113.10:80
    wait_for 5 grep -q answer "$WORLD/new"
    expect_eq 'blue blue blue green' "$(connections | jq -r .zone | xargs)" "the zone that drains first"
    expect_eq green "$(connections green | jq -r .zone | xargs)"
    expect_eq 'blue blue' "$(bg connections web --limit 2 --json | jq -r '.connections[].zone' | xargs)"
    bg connections web --limit 2 --json | json '.text | startswith("2 more are left out")'
    expect_match '2 more are left out' "$(bg connections web -n 2)"
    # The drain is why one looks.
    expect_match '3 connections open; [01] in green .*bluegreen connections web.* lists them' "$(cat "$WORLD/deploy")"
    bg status web --json | json '.drain | .zone == "blue" and .connections == 3 and .most == 3 and .nudged == 0
        and .left_ms > 30000 and .left_ms < 60000 and .then == "cut"'
    expect_match "draining 3 of 3 connections left; cut in [0-9.]+ s" "$(bg status web)"
    expect_status 2 bg connections web red
    expect_status 2 bg connections web --limit 1001
    expect_status 1 bg connections nosuch
    expect_status 1 as_user nosy "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" connections web
    expect_match 'may look but not connections' "$OUTPUT"
    expect_status 0 as_user oper "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" connections web
    bg finish web
    wait_for 5 is_state blue standby
    bg status web --json | json '.drain == null'
}

test_ten_thousand_connections_are_listed_in_time() {
    local began
    ready_web '[limits]' 'open_files = 20000' 'required = no'
    bg deploy web v1
    on_client python3 -c 'if True:
        import resource, socket, time
        resource.setrlimit(resource.RLIMIT_NOFILE, (12000, 12000))
        all = [socket.create_connection(("203.0.113.10", 80)) for i in range(10000)]
        print("all", flush=True)
        time.sleep(60)' >"$WORLD/many" 2>&1 &
    wait_for 40 grep -q all "$WORLD/many"
    began=$(date +%s%N)
    bg connections web --limit 1000 --json >"$WORLD/rows"
    echo "10000 connections, 1000 of them shown: $((($(date +%s%N) - began) / 1000000)) ms"
    json '(.connections | length) == 1000 and (.text | startswith("9000 more"))' <"$WORLD/rows"
    [ $((($(date +%s%N) - began) / 1000000)) -lt 5000 ]
}

run_tests
