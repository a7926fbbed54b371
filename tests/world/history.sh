#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The history: steps with their times, receipts, what hooks wrote, what releases served; filters; and the same events in
# the system's journal.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

# The last entry of a verb, by a jq filter.
last_of() {
    bg history web --json --verbose | json "[.entries[] | select(.verb == \"$1\")] | last | $2"
}

# As many connections of clients, each its own.
connect_times() {
    local i
    for ((i = 0; i < $1; i++)); do
        on_client curl -s -m 5 -o /dev/null -H 'Connection: close' "$URL4/healthz"
    done
}

# A check that is on its way, now or when an agent was killed, counts as a client's.
expect_about() {
    { [ "$2" -ge "$1" ] && [ "$2" -le $(($1 + 2)) ]; } || fail "$3: $2 connections, and there were $1"
}

hook_install() { # NAME RELEASE, the script from stdin
    { echo '#!/bin/bash'; cat; } >"$WORLD/srv/web/$2/bin/$1"
    chmod 755 "$WORLD/srv/web/$2/bin/$1"
}

# v3 cannot be deployed: its test fails.
# shellcheck disable=SC2120 # more lines of the configuration, for who wants them
ready_three() {
    local release
    ready_web '[hooks]' "test = $WORLD/srv/web/%r/bin/test"
    release_install web v3
    for release in v1 v2; do
        hook_install test "$release" <<<'exit 0'
    done
    hook_install test v3 <<<'echo "it is wrong"; exit 3'
}

# --- steps, receipts, hooks ---------------------------------------------------------------------------------------

test_steps_and_the_receipt() {
    ready_web '[drain]' 'timeout = 300ms'
    bg deploy web v1
    on_client curl -s -m 60 "$URL4/stream?seconds=60" -o /dev/null 2>/dev/null &
    on_client bash -c 'exec 3<>/dev/tcp/203.0.113.10/80; sleep 60' &
    sleep 0.3
    bg deploy web v2
    wait_for 5 is_state blue standby
    last_of deploy '[.steps[].step] | index("build") != null and index("start") > index("build")
        and index("health") > index("start") and index("switch") > index("health") and index("pre-switch") == null'
    last_of deploy '[.steps[] | select(.step == "health") | .duration_ms] | length == 1 and .[0] > 0'
    last_of deploy '([.steps[].duration_ms] | add) <= .duration_ms'
    last_of deploy '.receipt | .transaction_us > 0 and .generation_after > .generation_before and .cut >= 1
        and .left == 0 and .drain_ms >= 300'
    # One of it, whole, for people.
    local number
    number=$(last_of deploy .sequence)
    expect_status 0 bg history web "$number"
    expect_match "^$number web deploy v2" "$OUTPUT"
    expect_match 'steps .*build +[0-9.]+ m?s' "$OUTPUT"
    expect_match 'switched +in [0-9]+ .*rule set generation' "$OUTPUT"
    expect_match 'connections +[0-9]+ ended by themselves, [1-9][0-9]* cut, 0 left' "$OUTPUT"
    expect_match 'result +done' "$OUTPUT"
    # The table has its number, and one line for each.
    bg history web >"$WORLD/table"
    grep -Eq "^ +$number .*deploy +blue (->|→) green +v2 .* done$" "$WORLD/table" || { cat "$WORLD/table"; fail "no such row"; }
    awk 'length > 100 { exit 1 }' "$WORLD/table" || { cat "$WORLD/table"; fail "too wide"; }
}

test_a_failure_has_the_steps_up_to_it() {
    ready_web
    bg deploy web v1
    sed -i "s|/healthz|/nothing-here|; s|^interval.*|&\nstart_timeout = 1s|" "$WORLD/etc/apps/web.conf"
    expect_status 1 bg deploy web v2
    last_of deploy '(.done | not) and (.steps | last | .step == "health" and .duration_ms >= 900) and .receipt == null'
}

test_what_hooks_wrote() {
    ready_web '[hooks]' "pre_switch = $WORLD/srv/web/%r/bin/hook" "test = $WORLD/srv/web/%r/bin/test" \
        "on_failure = $WORLD/srv/web/%r/bin/sorry"
    # shellcheck disable=SC2016 # the hook's own
    # shellcheck disable=SC2016 # for the program
    hook_install hook v1 <<<'for i in 1 2 3; do echo "line $i of 100% = $BLUEGREEN_RELEASE_TO"; done; sleep 0.2'
    hook_install test v1 <<<'exit 0'
    hook_install test v2 <<<'echo "it is wrong"; exit 3'
    hook_install sorry v1 <<<'exit 0'
    hook_install hook v2 <<<'exit 0'
    hook_install sorry v2 <<<'echo "sorry"'
    bg deploy web v1
    expect_status 1 bg deploy web v2
    last_of deploy '[.hooks[] | "\(.hook) \(.done) \(.output)"] == ["test false it is wrong", "on_failure true sorry"]'
    last_of deploy '.hooks[0].reason == "exit status 3: it is wrong" and .hooks[0].zone == "green"'
    bg history web --json --verbose | json '.entries[0].hooks | [.[].hook] == ["test", "pre_switch"]
        and .[1].output == "line 1 of 100% = v1\nline 2 of 100% = v1\nline 3 of 100% = v1" and .[1].duration_ms >= 200'
    bg history web --json | json '[.entries[].hooks] | all(. == null)'
    expect_status 0 bg history web "$(last_of deploy .sequence)"
    expect_match 'test: failed in .*: exit status 3' "$OUTPUT"
    expect_match '^    it is wrong$' "$(grep 'it is wrong$' <<<"$OUTPUT" | tail -n 1)"
    # It outlives the agent.
    agent_kill9
    agent_start
    last_of deploy '.hooks[1].output == "sorry"'
}

# --- filters ----------------------------------------------------------------------------------------------------------

verbs_of() {
    bg history web --json "$@" | jq -r '[.entries[] | if .done then .verb else .verb + "!" end] | join(" ")'
}

test_filters() {
    ready_three
    bg deploy web v1
    sleep 1.1
    local middle
    middle=$(date +%s.%N)
    bg deploy web v2
    bg rollback web
    expect_status 1 bg deploy web v3
    expect_eq 'deploy deploy rollback deploy!' "$(verbs_of)"
    expect_eq 'deploy deploy deploy!' "$(verbs_of --verb deploy)"
    expect_eq 'deploy!' "$(verbs_of --failed)"
    expect_eq 'rollback' "$(verbs_of --verb rollback)"
    expect_eq 'deploy rollback' "$(verbs_of --release v2)" "what is about it, and what ended it"
    expect_match 'v2 was live for' "$(bg history web --release v2)"
    expect_eq 'deploy!' "$(verbs_of --release v3)"
    expect_eq 'deploy' "$(verbs_of --until "@$middle")"
    expect_eq 'deploy rollback' "$(verbs_of --since "@$middle" --no-incidents -n 3 | cut -d' ' -f1-2)"
    expect_eq 'deploy deploy' "$(verbs_of --release v1 --verb deploy)" "its own, and v2's, which ended it"
    # The newest of what is wanted, not what of the newest is wanted.
    expect_eq v2 "$(bg history web --json --verb deploy --release v1 -n 1 | jq -r '[.entries[].release] | join(" ")')"
    expect_eq v1 "$(bg history web --json --verb rollback --release v2 -n 1 | jq -r '[.entries[].release] | join(" ")')"
    expect_eq '' "$(verbs_of --incidents --no-incidents 2>/dev/null || :)"
    expect_eq '' "$(verbs_of --failed --verb rollback)"
    expect_match 'nothing like that' "$(bg history web --release v9)"
    expect_match 'nothing like that' "$(bg history web 999999)"
    expect_status 2 bg history web --verb explode
    expect_match "'explode' is no verb of the history" "$OUTPUT"
    expect_match 'deploy, .*rollback, .*failover, .*served' "$OUTPUT"
    local verb
    for verb in deploy stage test switch rollback rehearse failover schema stop start remove lock unlock release served; do
        expect_status 0 bg history web --verb "$verb"
    done
    # Nobody has heard of it: a slip of the pen is not an app to which nothing has happened.
    expect_status 1 bg history wbe
    expect_match 'there is no app wbe; its configuration would be .*/apps/wbe.conf' "$OUTPUT"
    expect_status 1 bg history wbe --failed
    web_conf api 81
    bg reload
    expect_match 'nothing has been done yet' "$(bg history api)"
    expect_status 2 bg history web --since yesterday-or-so
    expect_status 2 bg history web --since 1h --until 2h
    expect_status 2 bg history web x
    expect_status 2 bg history --incidents --no-incidents
    expect_status 2 bg status --failed
}

# The history of an app outlives it.
test_of_a_removed_app() {
    ready_web
    bg deploy web v1
    bg remove web --force --yes
    rm "$WORLD/etc/apps/web.conf"
    bg reload
    expect_status 1 bg status web
    expect_eq 'deploy remove' "$(verbs_of)"
    expect_match 'nothing like that' "$(bg history web --failed)"
}

# --- what was served --------------------------------------------------------------------------------------------------

test_what_a_release_served() {
    ready_web
    bg deploy web v1
    connect_times 3
    bg deploy web v2
    connect_times 7
    sleep 1 # some checks
    status_of '.served | .release == "v2" and .zone == "green" and .until == null and .requests == null'
    expect_about 7 "$(status_of .served.connections)" "status"
    expect_match 'served +[789] connections since' "$(bg status web)"
    bg rollback web
    expect_about 7 "$(last_of rollback '.served[0].connections')" "v2"
    expect_about 3 "$(last_of deploy '.served[0].connections')" "v1"
    last_of rollback '.served | length == 1 and .[0].release == "v2" and .[0].duration_ms >= 1000 and .[0].requests == null'
    bg history web --json | json '.entries[0].served == []'
    expect_match 'v2 was live for [1-9][0-9.]* s and served [789] connections' "$(bg history web)"
    # In rows of their own.
    bg history web --verb served --json | json '[.entries[].release] == ["v1", "v2"] and .entries[1].verb == "served"
        and .entries[1].to == "green" and .entries[1].served[0].connections >= 7'
    bg stop web --yes
    last_of stop '.served[0].release == "v1" and .served[0].connections <= 1'
    bg status web --json | json '.served == null'
}

# The agent that ends in between takes nothing of it along, neither those of clients nor its own.
test_it_outlives_the_agent() {
    ready_web
    bg deploy web v1
    connect_times 4
    sleep 0.5
    agent_kill9
    connect_times 2
    agent_start
    connect_times 3
    sleep 0.5
    local since
    since=$(status_of .served.since)
    expect_about 9 "$(status_of .served.connections)" "after a start"
    agent_stop
    agent_start
    expect_eq "$since" "$(status_of .served.since)"
    bg deploy web v2
    expect_about 9 "$(last_of deploy '.served[0].connections')" "in the history"
    # What it had served when it was live before does not count again.
    bg rollback web
    connect_times 2
    agent_kill9
    agent_start
    connect_times 1
    sleep 0.2 # what status tells may be 0.1 s old
    expect_about 3 "$(status_of .served.connections)" "live again, after a start"
}

is_another() {
    local pid
    pid=$(status_of .zones.blue.shim_pid) && [ "$pid" != "$1" ] && [ "$(status_of .zones.blue.verdict)" = healthy ]
}

# A zone that is lost is built again, and its namespace counts from nothing.
test_it_outlives_the_zone() {
    ready_web
    bg deploy web v1
    connect_times 5
    local shim
    shim=$(status_of .zones.blue.shim_pid)
    kill -9 "$shim"
    wait_for 10 is_another "$shim"
    wait_for 5 answers v1 # one or more connections
    connect_times 2
    local served
    served=$(status_of .served.connections)
    if [ "$served" -lt 8 ] || [ "$served" -gt 15 ]; then fail "$served connections"; fi
    agent_kill9
    agent_start
    [ "$(status_of .served.connections)" -ge 8 ] || fail "$(status_of .served.connections) connections after a start"
}

test_requests_by_the_guard() {
    ready_web '[bake]' 'time = 5m' 'guard = '"$WORLD"'/srv/web/%r/bin/guard' 'interval = 1s'
    hook_install guard v1 <<<'exit 0'
    hook_install guard v2 <<<'echo "all is well"; echo "requests=20311"; [ ! -e /tmp/bad ]'
    sed -i 's/^time = 5m/time = 0/' "$WORLD/etc/apps/web.conf"
    bg deploy web v1
    sed -i 's/^time = 0/time = 5m/' "$WORLD/etc/apps/web.conf"
    bg deploy web v2
    wait_for 5 requests_known
    bg rollback web
    last_of rollback '.served[0].requests == 20311'
    expect_match 'served .*, 20311 requests' "$(bg history web)"
}

requests_known() {
    [ "$(bg status web --json | jq .served.requests)" = 20311 ]
}

# --- the system's journal ---------------------------------------------------------------------------------------------

# What comes is in $WORLD/entries, one JSON object a line.
journald() {
    mkdir -p /run/systemd/journal
    rm -f /run/systemd/journal/socket
    python3 - "$WORLD/entries" <<'END' &
import json, os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind("/run/systemd/journal/socket")
while True:
    data, fields = listener.recv(1 << 20), {}
    while data:
        name, _, data = data.partition(b"\n")
        if b"=" in name:
            name, _, value = name.partition(b"=")
        else:
            length = int.from_bytes(data[:8], "little")
            value, data = data[8:8 + length], data[9 + length:]
        fields[name.decode()] = value.decode()
    with open(sys.argv[1], "a") as out:
        out.write(json.dumps(fields) + "\n")
END
    JOURNALD=$!
    wait_for 5 test -S /run/systemd/journal/socket
}

entry() { # FILTER: one of those that came is so
    jq -es "any(.[]; $1)" "$WORLD/entries" >/dev/null 2>&1
}

test_events_in_the_system_journal() {
    journald
    ready_three
    bg deploy web v1
    bg deploy web v2
    bg rollback web
    expect_status 1 bg deploy web v3
    wait_for 5 entry '.BLUEGREEN_RELEASE == "v3" and .BLUEGREEN_RESULT == "failed"'
    entry '.BLUEGREEN_VERB == "deploy" and .BLUEGREEN_APP == "web" and .BLUEGREEN_RELEASE == "v2" and .BLUEGREEN_FROM == "blue"
        and .BLUEGREEN_TO == "green" and .BLUEGREEN_RESULT == "done" and (.BLUEGREEN_DURATION_MS | tonumber) > 0
        and (.BLUEGREEN_STEPS | test("switch:")) and .PRIORITY == "5" and (.MESSAGE_ID | test("^[0-9a-f]{32}$"))
        and .SYSLOG_IDENTIFIER == "bluegreen-history" and (.MESSAGE | test("web: deploy v2 is done"))' || fail "no deploy"
    entry '.BLUEGREEN_VERB == "deploy" and .BLUEGREEN_RELEASE == "v2" and .BLUEGREEN_RESULT == null
        and (.BLUEGREEN_WHO | test("root"))' || fail "no begin"
    entry '.BLUEGREEN_RESULT == "failed" and .PRIORITY == "4" and (.BLUEGREEN_REASON | length) > 0' || fail "no failure"
    entry '.BLUEGREEN_RELEASE == "v2" and .BLUEGREEN_CONNECTIONS != null' || fail "not what was served"
    # Each number is of one operation, and each kind has its own id.
    jq -es '[.[] | select(.BLUEGREEN_VERB == "rollback") | .BLUEGREEN_OPERATION] | length == 2 and .[0] == .[1]' "$WORLD/entries"
    jq -es '[.[] | .MESSAGE_ID] | unique | length == 4' "$WORLD/entries"
    # It goes away and comes back.
    kill "$JOURNALD"
    wait "$JOURNALD" 2>/dev/null || :
    bg deploy web v2
    rm "$WORLD/entries"
    journald
    bg rollback web
    wait_for 5 entry '.BLUEGREEN_VERB == "rollback" and .BLUEGREEN_RESULT == "done"'
}

# One that takes nothing keeps nobody waiting; what it missed is said when it does.
test_a_journald_that_hangs() {
    local i began
    mkdir -p /run/systemd/journal
    rm -f /run/systemd/journal/socket
    python3 -c '
import socket, time, os
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind("/run/systemd/journal/socket")
while not os.path.exists("/run/world/go-on"):
    time.sleep(0.05)
while True:
    with open("/run/world/late", "ab") as out:
        out.write(listener.recv(1 << 20))' &
    wait_for 5 test -S /run/systemd/journal/socket
    ready_web
    bg deploy web v1
    bg deploy web v2
    began=$SECONDS
    for ((i = 0; i < 12; i++)); do
        bg rollback web >/dev/null
    done
    [ $((SECONDS - began)) -lt 20 ] || fail "it took $((SECONDS - began)) s"
    touch "$WORLD/go-on"
    wait_for 5 test -s "$WORLD/late"
    sleep 0.3
    bg rollback web
    wait_for 5 grep -aq '^BLUEGREEN_MISSED=[1-9]' "$WORLD/late"
}

run_tests "$@"
