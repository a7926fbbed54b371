#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Load of clients that others wrote, and of our own that check every byte, while releases change places: no request fails.
# And the same clients when it is done the naive way: each of them sees it.
#
#   SWITCHES=10000 tests/world/enter tests/world/load.sh many_switches      without: as many as 10 s have room for
#
# Seen on 6.18, 2 CPUs: with nothing else to do 10 000 switches of eight apps in 236 s, nothing failed; with much other
# work 10 028 in 811 s, ab 70 098 requests answered, hey 39 643, h2load 57 500, wrk 70 324, 0 failed, our own client, for
# the first 600 s of it, 1 241 933 and 0.
#
# What counts as a failure, as each client says it:
#   wrk      "Socket errors", all four together, and "Non-2xx or 3xx responses"
#   ab       "Failed requests", "Non-2xx responses"; or that it gave up before its end
#   hey      "Error distribution", and all responses but 200
#   h2load   "failed" and "timeout" of its line "requests"; over HTTP/1.1, as the app speaks it. With --duration it does not
#            survive a server that closes a connection, so it makes as many short runs as it has time for
#   load     everything that is not the right answer to the last byte
#   talk     a connection that is not whole in both directions until the client ends it
# Clients differ in what they see. ab takes an answer for whole that is as long as its first one was, so its "Document
# Length" is looked at. hey counts an answer that ends or is reset in the middle as good. And a server that closes a kept
# connection cleanly, which it may do at any time, is a failure for wrk, ab and h2load, whose next request is always on its
# way already; hey asks again on a new connection, after a reset too, and load after a clean close only.
# test_control_what_each_sees has it. So kept connections are left to the old zone here ([drain] then = leave); that those
# that rest can be ended without anybody noticing is shown in drain.sh.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/hold_lib.sh
. "$ROOT/tests/drivers/hold_lib.sh"

TOOL_SECONDS=4
# Clients have a machine of their own elsewhere: here they leave the CPU to who switches.
TOOLS_FROM='on_client nice'
TOOLS_OF_OTHERS=()
for tool in wrk ab hey h2load; do
    if command -v "$tool" >/dev/null; then TOOLS_OF_OTHERS+=("$tool"); fi
done

# --- the clients of others ------------------------------------------------------------------------------

# client_of_others TOOL new|kept URL: its command, for TOOL_SECONDS
client_of_others() {
    local kept=$2 url=$3 until close=()
    case $1 in
    wrk)
        [ "$kept" = kept ] || close=(-H 'Connection: close')
        $TOOLS_FROM wrk --threads 1 --connections 2 --timeout 30s --duration "$TOOL_SECONDS" "${close[@]}" "$url"
        ;;
    ab)
        [ "$kept" = new ] || close=(-k)
        $TOOLS_FROM ab -q -r -c 2 -t "$TOOL_SECONDS" -n 100000000 "${close[@]}" "$url"
        ;;
    hey)
        [ "$kept" = kept ] || close=(-disable-keepalive)
        $TOOLS_FROM hey -c 2 -z "${TOOL_SECONDS}s" "${close[@]}" "$url"
        ;;
    h2load)
        close=(-n 5000)
        [ "$kept" = kept ] || close=(-n 500 -H 'Connection: close')
        until=$((${EPOCHREALTIME/./} + TOOL_SECONDS * 1000000))
        while [ "${EPOCHREALTIME/./}" -lt "$until" ]; do
            $TOOLS_FROM timeout 30 h2load --h1 -t 1 -c 2 "${close[@]}" "$url" || echo "requests: 1 failed, with status $?"
        done
        ;;
    esac || echo "ended with status $?"
}

# tools_start new|kept URL: all that are installed
tools_start() {
    local tool
    [ ${#TOOLS_OF_OTHERS[@]} -ge 2 ] || skip "of wrk, ab, hey and h2load fewer than two are installed: tools/deps test"
    TOOL_PIDS=()
    for tool in "${TOOLS_OF_OTHERS[@]}"; do
        client_of_others "$tool" "$1" "$2/bytes/7/1000" >"$WORLD/tool.$tool" 2>&1 &
        TOOL_PIDS+=($!)
    done
    sleep 0.5
}

# All of them are still at it.
tools_run() {
    all_run "${TOOL_PIDS[@]}"
}

all_run() {
    local pid
    for pid; do
        kill -0 "$pid" 2>/dev/null || return 1
    done
}

# good_and_failed TOOL: how many requests were answered well, how many failed, by what it has printed
good_and_failed() {
    case $1 in
    wrk) awk '/ requests in / { good = $1; whole = 1 }
              /Socket errors:/ { gsub(",", ""); bad += $4 + $6 + $8 + $10 }
              /Non-2xx or 3xx responses:/ { bad += $NF; good -= $NF }
              END { print good + 0, whole ? bad + 0 : bad + 1 }' "$WORLD/tool.wrk" ;;
    ab) awk '/^Complete requests:/ { good = $3; whole = 1 }
             /^Document Length:/ && $3 != 1000 { bad++ }
             /^Failed requests:/ { bad += $3 } /^Non-2xx responses:/ { bad += $3 }
             END { print (good > bad ? good - bad : 0), whole ? bad + 0 : bad + 1 }' "$WORLD/tool.ab" ;;
    hey) awk '/^Status code distribution:/ { part = "status"; whole = 1 } /^Error distribution:/ { part = "error"; whole = 1 }
              /^  \[/ { gsub("[][]", "", $1); if (part == "error") bad += $1; else if ($1 == 200) good += $2; else bad += $2 }
              END { print good + 0, whole ? bad + 0 : bad + 1 }' "$WORLD/tool.hey" ;;
    h2load) awk '/^requests:/ { whole = 1; gsub(",", ""); for (i = 2; i <= NF; i++) {
                     if ($i == "succeeded") good += $(i - 1); if ($i == "failed" || $i == "timeout") bad += $(i - 1) } }
                 END { print good + 0, whole ? bad + 0 : bad + 1 }' "$WORLD/tool.h2load" ;;
    esac
}

# tools_end: waits for them; ANSWERED and MISSED are what each of them says
tools_end() {
    local tool good bad
    wait "${TOOL_PIDS[@]}"
    declare -gA ANSWERED=() MISSED=()
    for tool in "${TOOLS_OF_OTHERS[@]}"; do
        read -r good bad < <(good_and_failed "$tool")
        echo "$tool: $good answered, $bad failed"
        ANSWERED[$tool]=$good
        MISSED[$tool]=$bad
    done
}

tools_lost_nothing() {
    local tool
    tools_end
    for tool in "${TOOLS_OF_OTHERS[@]}"; do
        [ "${MISSED[$tool]}" = 0 ] || fail "$tool: ${MISSED[$tool]} failed: $(tail -n 40 "$WORLD/tool.$tool")"
        GOOD[$tool]=$((${GOOD[$tool]-0} + ANSWERED[$tool]))
    done
}

# Each has had answers, in all of its runs: who waits for one that never comes says nothing of it at its end.
tools_had_answers() {
    local tool
    for tool in "${!GOOD[@]}"; do
        [ "${GOOD[$tool]}" -ge 20 ] || return 1
    done
}

tools_all_lost_something() {
    local tool
    tools_end
    for tool in "${TOOLS_OF_OTHERS[@]}"; do
        [ "${MISSED[$tool]}" -gt 0 ] || fail "$tool did not notice: $(tail -n 40 "$WORLD/tool.$tool")"
    done
}

# --- the releases ---------------------------------------------------------------------------------------

# v1 live in blue, v2 staged in green; beside the app a server that talks; UDP that moves and UDP that stays.
ready_load() {
    local release
    world_net
    web_conf web 80 '[drain]' 'timeout = 0' 'then = leave' '[process talk]' "run = $WORLD/srv/web/%r/bin/talk serve 9090"
    sed -i 's|--port 8080|--port 8080 --udp 8080|
        s|^http = 80 .*|&\ntalk = 81 -> 9090/tcp\nmoving = 80 -> 8080/udp move\nstaying = 53 -> 8080/udp keep|' \
        "$WORLD/etc/apps/web.conf"
    for release in v1 v2; do
        release_install web "$release"
        cp "$TOOLS/talk" "$WORLD/srv/web/$release/bin/talk"
    done
    # To count a zone's sockets the kernel looks at all of its table, which the zones share with these clients, else.
    echo 4096 >/proc/sys/net/ipv4/tcp_child_ehash_entries
    agent_start
    bg deploy web v1 >/dev/null
    # Thousands of new connections a second, each of which is remembered for two minutes else.
    echo 10 >/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_time_wait
    bg stage web v2 >/dev/null
}

# One that fails ends the test wherever it stands: `set -e` does not hold in a condition.
moved() { # VERB [ARG...]
    bg "$1" "$APP" "${@:2}" >"$WORLD/said.$APP" 2>&1 || fail "bluegreen $1 $APP ${*:2}: $(cat "$WORLD/said.$APP")"
    SWITCHED=$((SWITCHED + 1))
}

# There and back, by both verbs.
there_and_back() {
    moved switch
    moved rollback
}

# under_tools new|kept URL CMD...: CMD as often as there is time for, with others on this machine: once at least while all
# clients are at it and have answers, or they begin again.
under_tools() {
    local kept=$1 url=$2 done=0 rounds=0
    shift 2
    while [ "$done" = 0 ] || ! tools_had_answers; do
        [ "$rounds" -lt 5 ] || fail "in $rounds rounds the clients had ended before $1 had, or had hardly an answer"
        rounds=$((rounds + 1))
        tools_start "$kept" "$url"
        "$@"
        while tools_run; do
            done=$((done + 1))
            "$@"
        done
        tools_lost_nothing
    done
    echo "$done times under load: $*"
}

# load_lost_nothing NAME: the report of our own client; both releases have answered it
load_lost_nothing() {
    local report
    report=$(load_end "$1") || fail "requests failed: $report"
    jq -c '{requests, failed, retried, keepalive_connections, v1: .releases.v1.requests, v2: .releases.v2.requests}' <<<"$report"
    json '.failed == 0 and .releases.v1.requests > 10 and .releases.v2.requests > 10' <<<"$report" >/dev/null ||
        fail "a release hardly answered: $report"
}

talk_start() { # NAME CONNECTIONS
    ip netns exec client "$TOOLS/talk" --duration 3600 --connections "$2" 203.0.113.10:81 '[2001:db8:1::10]:81' >"$WORLD/talk.$1" 2>&1 &
    TALK[$1]=$!
    sleep 0.3
}

# talk_end NAME RELEASE: it was this one all the time, in both directions
talk_end() {
    kill -TERM "${TALK[$1]}"
    wait "${TALK[$1]}" || fail "long connections failed: $(cat "$WORLD/talk.$1")"
    jq -c 'del(.served_by)' "$WORLD/talk.$1"
    expect_eq "$2" "$(jq -r '.served_by | unique | join(" ")' "$WORLD/talk.$1")" "who served them"
    json '.sent > 10000 and .received > 10000' <"$WORLD/talk.$1" >/dev/null
}

declare -A TALK=() GOOD=()
SWITCHED=0
APP=web

# --- nobody notices -------------------------------------------------------------------------------------

test_all_clients_are_installed() {
    local tool missing=
    for tool in wrk ab hey h2load; do
        command -v "$tool" >/dev/null || missing+=" $tool"
    done
    [ -z "$missing" ] || skip "the other tests do without:$missing (tools/deps test)"
}

test_new_connections() {
    ready_load
    load_start own --new 2 --rate 200 --url "$URL4" --url "$URL6"
    under_tools new "$URL4" there_and_back
    load_lost_nothing own
}

# Each of these connections lives from the first switch to the last.
test_kept_connections() {
    ready_load
    load_start v1 --keepalive 2 --rate 200 --requests-per-connection 1000000000 --url "$URL4" --url "$URL6"
    moved switch
    load_start v2 --keepalive 2 --rate 200 --requests-per-connection 1000000000 --url "$URL4" --url "$URL6"
    moved rollback
    under_tools kept "$URL4" there_and_back
    local release
    for release in v1 v2; do
        load_end "$release" >"$WORLD/said" || fail "requests failed: $(cat "$WORLD/said")"
        jq -c '{requests, failed, retried, keepalive_connections, releases}' "$WORLD/said"
        expect_eq "2 0 $release" "$(jq -r '"\(.keepalive_connections) \(.retried) \(.releases | keys | join(" "))"' \
            "$WORLD/said")" "connections, retries, releases"
    done
}

# Both sides talk when they like, over switches, a reload, the agent's death, and a shared share of new connections.
test_long_connections() {
    ready_load
    talk_start one 8
    there_and_back
    moved switch
    talk_start two 8
    moved rollback
    there_and_back
    there_and_back
    moved switch --canary 50%
    moved abort
    bg reload >/dev/null
    agent_kill9
    agent_start
    there_and_back
    talk_end one v1
    talk_end two v2
}

# Downloads that begin before a switch and end after several, and are whole: 12 MB at 2 MB/s, and answers that trickle.
test_slow_downloads() {
    local curl trickle rounds=1
    ready_load
    downloads_start
    while there_and_back && moved switch && ! all_run "$curl" "$trickle"; do
        [ "$rounds" -lt 5 ] || fail "in $rounds rounds the downloads were over before the switches were"
        rounds=$((rounds + 1))
        wait "$curl" "$trickle" || fail "answers failed: $(cat "$WORLD/trickle")"
        moved rollback
        downloads_start
    done
    wait "$curl"
    wait "$trickle" || fail "answers failed: $(cat "$WORLD/trickle")"
    jq -c '{requests, failed, releases: (.releases | keys)}' "$WORLD/trickle"
    expect_match 'X-Release: v1' "$(cat "$WORLD/head")"
    expect_eq v2 "$(release_seen)"
    on_client curl -s -m 30 -o "$WORLD/fast" "$URL4/bytes/11/12000000"
    expect_eq 12000000 "$(stat -c %s "$WORLD/slow")" "bytes"
    cmp "$WORLD/slow" "$WORLD/fast"
}

downloads_start() {
    on_client curl -s -m 30 --limit-rate 2M -D "$WORLD/head" -o "$WORLD/slow" "$URL4/bytes/11/12000000" &
    curl=$!
    on_client "$TOOLS/load" --json --keepalive 8 --requests-per-connection 1 --duration 1 --slow 6000 --body 300000 \
        --url "$URL4" --url "$URL6" >"$WORLD/trickle" &
    trickle=$!
    sleep 0.5
}

# A flow that moves may lose the answer that is on its way in the moment of a switch; nothing else is lost.
test_udp() {
    local name
    ready_load
    udp_client moving 80 --steady 2
    udp_client staying 53 --steady 2
    udp_client fresh 53 --fresh 2
    sleep 0.5
    while [ "$SWITCHED" -lt 20 ]; do
        there_and_back
    done
    sleep 0.3
    for name in moving staying fresh; do
        kill -TERM "$(cat "$WORLD/$name.pid")"
    done
    for name in moving staying fresh; do
        wait_for 15 test -s "$WORLD/$name.status"
        echo "$name: $(jq -c '{sent, answered, lost, refused, releases: (.releases | keys)}' "$WORLD/$name")"
    done
    expect_eq 'v1 0 0' "$(jq -r '"\(.releases | keys | join(" ")) \(.lost) \(.refused)"' "$WORLD/staying")" "who stays"
    expect_eq 'v1 v2 0 0' "$(jq -r '"\(.releases | keys | join(" ")) \(.lost) \(.refused)"' "$WORLD/fresh")" "who is new"
    json ".releases.v1.answered > 0 and .releases.v2.answered > 0 and .refused == 0 and .lost <= 2 * $SWITCHED" \
        <"$WORLD/moving" >/dev/null || fail "who moves: $(cat "$WORLD/moving")"
}

udp_client() { # NAME PORT ARG...
    local name=$1 port=$2
    shift 2
    {
        ip netns exec client "$TOOLS/udpload" --json --duration 600 --rate 100 --timeout 3000 --to "203.0.113.10:$port" "$@" \
            >"$WORLD/$name" 2>&1 &
        echo $! >"$WORLD/$name.pid"
        status=0
        wait $! || status=$?
        echo "$status" >"$WORLD/$name.status"
    } &
}

test_canaries() {
    ready_load
    load_start own --new 2 --keepalive 1 --rate 200 --url "$URL4" --url "$URL6"
    under_tools new "$URL6" shares
    load_lost_nothing own
}

shares() {
    moved switch --canary 10%
    moved switch --canary 50% --sticky
    moved abort
    moved switch --canary 90%
    moved switch
    moved rollback
}

# One release stops before the next one starts; the clients wait for as long.
test_holds() {
    ready_hold
    load_start own --new 2 --rate 200 --url "$URL4" --url "$URL6"
    under_tools new "$URL4" bounce
    load_lost_nothing own
    never_two
}

# With time between for clients that do not wait.
bounce() {
    moved deploy v2
    sleep 0.5
    moved rollback
    sleep 0.5
}

# Four apps, or eight if many are wanted, each back and forth for itself; our own client asks all of them, half over each
# family, and two of the clients of others at a time one of them.
test_many_switches() {
    local began=${EPOCHREALTIME/./} count=${#TOOLS_OF_OTHERS[@]} round=0 tool apps urls loops=()
    local tools=("${TOOLS_OF_OTHERS[@]}" "${TOOLS_OF_OTHERS[@]}")
    ready_load
    more_apps $((${SWITCHES:+4} + 3))
    : >"$WORLD/switched"
    # shellcheck disable=SC2046 # words
    load_start own --duration 3600 --new 4 --keepalive 4 --requests-per-connection 500 --rate 300 \
        $(printf -- '--url %s ' "${urls[@]}")
    talk_start one 4
    for APP in "${apps[@]}"; do
        back_and_forth &
        loops+=($!)
    done
    while more_are_wanted || [ "$round" -lt 2 ] || { ! tools_had_answers && [ "$round" -lt 8 ]; }; do
        TOOLS_OF_OTHERS=("${tools[@]:round * 2 % count:2}")
        tools_start new "${urls[round % ${#urls[@]}]}"
        tools_lost_nothing
        all_run "${loops[@]}" || fail "a switch failed"
        round=$((round + 1))
    done >"$WORLD/rounds"
    touch "$WORLD/enough"
    wait_for_all "${loops[@]}"
    tools_had_answers || fail "one of them had hardly an answer: $(cat "$WORLD/rounds")"
    echo "$(stat -c %s "$WORLD/switched") switches in $(((${EPOCHREALTIME/./} - began) / 1000000)) s"
    for tool in "${!GOOD[@]}"; do
        echo "$tool: ${GOOD[$tool]} answered, 0 failed"
    done
    load_lost_nothing own
    talk_end one v1
}

# more_apps N: beside web; fills apps and urls.
more_apps() {
    local i app release
    apps=(web)
    urls=("$URL4")
    for ((i = 1; i <= $1; i++)); do
        app=web$i
        apps+=("$app")
        urls+=("${URL4%:80}:810$i")
        [ $((i % 2)) = 0 ] || urls[i]="${URL6%:80}:810$i"
        web_conf "$app" "810$i" '[drain]' 'timeout = 0' 'then = leave'
        for release in v1 v2; do
            release_install "$app" "$release"
        done
    done
    bg reload >/dev/null
    for app in "${apps[@]:1}"; do
        bg deploy "$app" v1 >/dev/null
        bg stage "$app" v2 >/dev/null
    done
}

# A byte for each that was done.
back_and_forth() {
    until [ -e "$WORLD/enough" ]; do
        there_and_back
        printf .. >>"$WORLD/switched"
    done
}

wait_for_all() {
    local pid
    for pid; do
        wait "$pid" || fail "a switch failed"
    done
}

more_are_wanted() {
    if [ -n "${SWITCHES-}" ]; then
        [ "$(stat -c %s "$WORLD/switched")" -lt "$SWITCHES" ]
    else
        [ "${EPOCHREALTIME/./}" -lt $((began + 10000000)) ]
    fi
}

# --- controls: everybody would notice ----------------------------------------------------------------------

# The rule is deleted, then added: two transactions, and between them there is no rule.
test_control_two_transactions() {
    # shellcheck source=tests/drivers/traffic_lib.sh
    . "$ROOT/tests/drivers/traffic_lib.sh"
    ready open-unowned
    tools_start new "$URL4"
    load_start own --new 2 --rate 200 --url "$URL4"
    while tools_run; do # until the first one has ended
        nft flush chain inet bluegreen app.web
        nft add rule inet bluegreen app.web goto zone.web.green
        nft flush chain inet bluegreen app.web
        nft add rule inet bluegreen app.web goto zone.web.blue
    done
    tools_all_lost_something
    own_noticed
}

own_noticed() {
    if load_end own >"$WORLD/said"; then fail "our own client did not notice: $(cat "$WORLD/said")"; fi
    jq -c '{requests, failed, failures}' "$WORLD/said"
    [ "$(jq .failed "$WORLD/said")" -gt 0 ] || fail "it ended without a failed request: $(cat "$WORLD/said")"
}

# The app is stopped, then started.
test_control_stop_and_start() {
    ready_load
    tools_start new "$URL4"
    load_start own --new 2 --rate 200 --url "$URL4"
    talk_start one 2
    bg stop web >/dev/null
    bg start web >/dev/null
    wait_for 5 answers v1
    tools_all_lost_something
    own_noticed
    kill -TERM "${TALK[one]}" 2>/dev/null || :
    if wait "${TALK[one]}"; then fail "the long connections did not notice: $(cat "$WORLD/talk.one")"; fi
    expect_eq 2 "$(jq .failed "$WORLD/talk.one")" "long connections that failed"
}

# What is said above of clean closes, and of answers that are not whole.
test_control_what_each_sees() {
    local whole
    TOOL_SECONDS=1
    TOOLS_FROM=
    background env BLUEGREEN_RELEASE=v1 BLUEGREEN_ZONE=blue "$BUILD/demo/web" --port 8081
    wait_for 5 curl -sf -o /dev/null http://127.0.0.1:8081/healthz
    whole=$(curl -si http://127.0.0.1:8081/bytes/7/1000 | wc -c)
    through_relay 8082 --cut "$whole"
    echo "kept connections closed cleanly after an answer"
    sees 8082 'wrk ab h2load' hey
    through_relay 8083 --cut 900
    echo "closed in the middle of an answer"
    sees 8083 'wrk ab h2load' hey
    through_relay 8084 --reset 900
    echo "reset in the middle of an answer"
    sees 8084 'wrk ab h2load' hey
}

through_relay() { # PORT ARG...
    local port=$1
    shift
    background "$TOOLS/relay" "$@" "$port" 127.0.0.1:8081
    wait_for 5 listens "$port"
}

listens() {
    ss -Hltn "sport = $1" | grep -q .
}

# sees PORT 'WHO...' 'WHO DOES NOT...'
sees() {
    local tool
    tools_start kept "http://127.0.0.1:$1"
    tools_end
    for tool in "${TOOLS_OF_OTHERS[@]}"; do
        case " $2 | $3 " in
        *" $tool "*"|"*) [ "${MISSED[$tool]}" -gt 0 ] || fail "$tool did not notice: $(cat "$WORLD/tool.$tool")" ;;
        *) expect_eq 0 "${MISSED[$tool]}" "failures that $tool counts" ;;
        esac
    done
}

# Long connections through a relay that spoils what the server says.
test_control_long_connections() {
    background env BLUEGREEN_RELEASE=v1 "$TOOLS/talk" serve 8081
    wait_for 5 listens 8081
    through_relay 8082
    "$TOOLS/talk" --duration 0.5 127.0.0.1:8082 >/dev/null
    talk_notices 8083 'wrong bytes' --flip 2000
    talk_notices 8084 'closed by the other side' --cut 2000
    talk_notices 8085 'reset by peer' --reset 2000
}

talk_notices() { # PORT WHAT ARG...
    through_relay "$1" "${@:3}"
    expect_status 1 "$TOOLS/talk" --connections 2 --duration 1 "127.0.0.1:$1"
    expect_eq 2 "$(jq .failed <<<"$OUTPUT")" "connections that failed"
    expect_match "$2" "$OUTPUT"
}

run_tests
