#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `bluegreen logs`: the last lines, times, following across a rotation; the index beside the log; the copy to journald,
# which the test plays; `top` and what status shows of usage.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

CLI=$BUILD/bluegreen

# An app that says what is written into its FIFO, and is healthy as long as it runs.
ready_talker() {
    mkdir -p "$WORLD/srv"
    mkfifo -m 666 "$WORLD/srv/say"
    cat >"$WORLD/srv/talker" <<'END'
#!/bin/sh
echo "begins as $1"
while :; do cat "$2"; done
END
    chmod 755 "$WORLD/srv/talker"
    app_conf web <<END
[app]
name = web
user = web
run = $WORLD/srv/talker %r $WORLD/srv/say
[files]
read = $WORLD/srv
[health]
interval = 50ms
passes = 1
END
    agent_start
    bg deploy web v1 >/dev/null
    # the reader is there once the first line is
    wait_for 5 says 'begins as v1'
}

# says REGEX: the log has such a line.
says() {
    bg logs web -n all 2>/dev/null | grep -q -- "$1"
}

say() {
    printf '%s\n' "$@" >"$WORLD/srv/say"
}

LOG() {
    echo "$WORLD/state/zones/web.blue/log"
}

test_lines() {
    ready_talker
    seq 1 30 >"$WORLD/srv/say"
    wait_for 5 says '^30$'
    expect_eq "$(seq 21 30)" "$(bg logs web)" "ten without anything said"
    expect_eq "$(seq 29 30)" "$(bg logs web -n 2)" "two"
    expect_eq "" "$(bg logs web -n 0)" "none"
    expect_eq "begins as v1
$(seq 1 30)" "$(bg logs web --limit all)" "all"
    expect_eq 31 "$(bg logs web -n 1000 | wc -l)" "more than there are"
    expect_eq "$(seq 29 30)" "$(bg logs web blue -n 2)" "the zone by name"
    expect_status 1 bg logs web green
    expect_match 'there is no log of zone green' "$OUTPUT"
    expect_status 1 bg logs nope
    expect_status 2 bg logs web -n many
    expect_status 2 bg logs web --since yestermorn
    expect_status 1 as_user nosy "$CLI" logs web
    expect_eq 30 "$(as_user oper "$CLI" logs web -n 1)" "an operator"
}

# Without its end, with control characters, with bytes that are no text.
test_bytes() {
    ready_talker
    printf 'a\0b\033[31mc\377\n' >"$WORLD/srv/say"
    printf 'no end' >"$WORLD/srv/say"
    wait_for 5 says 'no end'
    expect_eq "$(printf 'a\0b\033[31mc\377\nno end' | od -c)" "$(bg logs web -n 2 | od -c)" "byte for byte"
    bg logs web -n 2 --json >"$WORLD/out"
    expect_eq 2 "$(wc -l <"$WORLD/out")" "objects"
    expect_eq "no end" "$(tail -n 1 "$WORLD/out" | json .line)" "the last line"
    expect_eq 'a?b' "$(head -n 1 "$WORLD/out" | json '.line[0:3]')" "the first line"
    expect_match '^20[0-9-]*T[0-9:.]*Z$' "$(tail -n 1 "$WORLD/out" | json .time)" "its time"
}

test_since() {
    ready_talker
    say early
    wait_for 5 says early
    sleep 2.5
    local now
    now=$(date +%s.%3N)
    say late
    wait_for 5 says late
    expect_eq late "$(bg logs web --since "@$now")" "an exact time"
    expect_eq late "$(bg logs web --since 1s)" "a second ago"
    expect_eq "begins as v1
early
late" "$(bg logs web --since 1h)" "an hour ago"
    expect_eq late "$(bg logs web --since 1h -n 1)" "and the last line of it"
    expect_eq "" "$(bg logs web --since "@$((${now%.*} + 100))")" "the future"
    expect_eq late "$(bg logs web --since "$(date -d "@$now" '+%Y-%m-%d %H:%M:%S')" | tail -n 1)" "a date"
    # it was written when it was written
    local told
    told=$(date -d "$(bg logs web -n 1 --json | json .time)" +%s)
    if [ "$told" -lt "${now%.*}" ] || [ "$told" -gt "$((${now%.*} + 3))" ]; then
        fail "late came at $told, told at $now"
    fi
    # without an index nothing is kept back, and that is said
    rm "$(LOG).index"
    expect_eq "early
late" "$(bg logs web --since 2s 2>"$WORLD/err" | tail -n 2)" "without an index"
    expect_match 'not known when' "$(cat "$WORLD/err")"
}

# More than one file holds: the older one is kept, and both are shown as one text.
fill_up() {
    seq -f '%09.0f and some more to make it long enough' "$1" "$2" >"$WORLD/srv/say"
}

test_rotation() {
    ready_talker
    fill_up 1 300000 # 14 MB
    wait_for 20 says '^000300000'
    [ -s "$(LOG).1" ] || fail "there is no older log"
    bg logs web -n all >"$WORLD/out"
    expect_eq 300001 "$(wc -l <"$WORLD/out")" "lines of both"
    expect_eq "$(seq -f '%09.0f' 1 300000 | md5sum)" "$(tail -n 300000 "$WORLD/out" | cut -c 1-9 | md5sum)" "in their order"
    bg logs web -n 200000 | head -n 1 >"$WORLD/out"
    expect_match '^000100001 ' "$(cat "$WORLD/out")" "a line of the older"
    expect_eq 300001 "$(bg logs web --since 1h | wc -l)" "since, over both"
    expect_eq 300001 "$(bg logs web -n all --json | jq -r .line | wc -l)" "JSON of both"
}

test_follow() {
    ready_talker
    say before
    wait_for 5 says before
    "$CLI" logs web -f -n 1 >"$WORLD/out" 2>"$WORLD/err" &
    local pid=$!
    wait_for 5 grep -q before "$WORLD/out"
    say after
    wait_for 5 grep -q after "$WORLD/out"
    expect_eq "before
after" "$(cat "$WORLD/out")" "what was seen"
    # over a rotation, every line once
    fill_up 1 300000
    wait_for 20 grep -q '^000300000' "$WORLD/out"
    expect_eq 300002 "$(wc -l <"$WORLD/out")" "lines"
    expect_eq "$(seq -f '%09.0f' 1 300000 | md5sum)" "$(tail -n 300000 "$WORLD/out" | cut -c 1-9 | md5sum)" "in their order"
    # over a restart of the agent
    agent_kill9
    say alone
    wait_for 5 grep -q alone "$WORLD/out"
    agent_start
    fill_up 1 300000
    say last
    wait_for 20 grep -q '^last$' "$WORLD/out"
    kill -0 "$pid" || fail "it ended: $(cat "$WORLD/err")"
    kill "$pid"
}

test_follow_json() {
    ready_talker
    "$CLI" logs web --follow --json >"$WORLD/out" &
    local pid=$!
    wait_for 5 grep -q begins "$WORLD/out"
    say one two
    wait_for 5 grep -q two "$WORLD/out"
    kill "$pid"
    expect_eq "begins as v1
one
two" "$(jq -r .line "$WORLD/out")" "lines"
    expect_eq 3 "$(jq -r '.time | fromdateiso8601? // sub("\\.[0-9]+Z$"; "Z") | tostring' "$WORLD/out" | wc -l)" "times"
}

# The log of a zone outlives the zone.
test_after_the_end() {
    ready_talker
    say remember
    wait_for 5 says remember
    bg stop web >/dev/null
    expect_eq remember "$(bg logs web -n 1)" "of a stopped app"
    bg start web >/dev/null
    wait_for 5 agent_answers
    expect_match 'remember' "$(bg logs web -n all)" "after a start"
}

# --- journald ------------------------------------------------------------------------------------------------------

# What comes is in $WORLD/journal.
journald() {
    mkdir -p /run/systemd/journal
    rm -f /run/systemd/journal/stdout
    python3 - "$WORLD/journal" <<'END' &
import socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind("/run/systemd/journal/stdout")
listener.listen(8)
while True:
    stream, _ = listener.accept()
    with open(sys.argv[1], "ab", buffering=0) as out:
        while data := stream.recv(65536):
            out.write(data)
END
    JOURNALD=$!
    wait_for 5 test -S /run/systemd/journal/stdout
}

journal_has() {
    grep -q -- "$1" "$WORLD/journal" 2>/dev/null
}

test_journal() {
    journald
    ready_talker
    wait_for 5 journal_has '^begins as v1$'
    expect_eq "web

6
1
0
0
0
begins as v1" "$(cat "$WORLD/journal")" "identifier, priority, and what was said"
    fill_up 1 100000
    wait_for 20 says '^000100000'
    # all of it, or a line that says that it is not; the log has it in any case
    wait_for 10 journal_caught_up
    # it goes away and comes back
    kill "$JOURNALD"
    wait "$JOURNALD" 2>/dev/null || :
    say "nobody listens"
    wait_for 5 says "nobody listens"
    rm "$WORLD/journal"
    journald
    wait_for 15 journal_hears_again
    rm -rf /run/systemd
}

journal_caught_up() {
    journal_has '^000100000' || { say "more" && journal_has 'output is missing here'; }
}

journal_hears_again() {
    say "hello again"
    sleep 0.5
    journal_has '^hello again$'
}

# A journald that accepts and never reads: neither the app nor the log waits for it.
test_journal_hangs() {
    mkdir -p /run/systemd/journal
    python3 -c '
import socket, time
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind("/run/systemd/journal/stdout")
listener.listen(8)
time.sleep(1000)' &
    wait_for 5 test -S /run/systemd/journal/stdout
    ready_talker
    fill_up 1 100000
    wait_for 20 says '^000100000'
    expect_eq 100001 "$(bg logs web -n all | wc -l)" "lines in the log"
    # and the shim sleeps
    local shim before after
    shim=$(status_of .zones.blue.shim_pid)
    before=$(cut -d' ' -f14,15 "/proc/$shim/stat")
    sleep 1
    after=$(cut -d' ' -f14,15 "/proc/$shim/stat")
    expect_eq "$before" "$after" "CPU time of the shim in a second of silence"
    rm -rf /run/systemd
}

# --- figures --------------------------------------------------------------------------------------------------------

test_usage() {
    ready_talker
    expect_eq object "$(status_of '.zones.blue.usage | type')" "usage of a zone that runs"
    expect_eq null "$(bg status web --json | jq -c .zones.green.usage)" "usage of one that does not"
    expect_eq "[]" "$(bg status web --json | jq -c .zones.blue.processes)" "processes"
    wait_for 5 uses_memory
    expect_match 'memory' "$(bg status web)"
    expect_match 'web +blue\*' "$(bg top)"
    expect_match 'web +blue\*' "$(bg top web)"
    expect_eq 1 "$(bg top --json | jq '.apps | length')" "top as JSON"
    expect_status 1 bg top nope
}

# A shell and a cat: some 100 KiB of their own.
uses_memory() {
    [ "$(status_of .zones.blue.usage.memory)" -gt 50000 ]
}

# On a terminal it goes on until q, and leaves the screen as it was.
test_top_on_a_terminal() {
    command -v script >/dev/null || skip "script(1) is not installed: tools/deps test"
    ready_talker
    local seen
    seen=$({ sleep 2.6; printf q; } |
        TERM=xterm script --quiet --return --flush --command "$CLI top; echo status-\$?" /dev/null)
    expect_match 'status-0' "$seen"
    expect_match $'\033\\[\\?1049h.*\033\\[\\?1049l' "$seen"
    [ "$(grep -c 'blue\*' <<<"$seen")" -ge 2 ] || fail "it was shown once only: $seen"
}

run_tests "$@"
