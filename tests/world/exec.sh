#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `bluegreen exec`: commands in a zone, as the app's user and in its sandbox, with pipes or a terminal between them and
# the caller; and `exec --root`, with the caller's own rights.
# Commands with dollars of their own; and bg is no job control here, and reads.
# shellcheck disable=SC2016,SC2216,SC2217
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

ready() {
    ready_web
    bg deploy web v1 >/dev/null
}

# on_terminal COMMAND TEXT: runs COMMAND on a terminal of its own, types TEXT; what is seen there is the output.
on_terminal() {
    { sleep 0.5; printf '%s' "$2"; sleep "${3:-0.5}"; } |
        script --quiet --return --flush --command "$1" /dev/null | tr -d '\r'
}

CLI=$BUILD/bluegreen
BG="$CLI --socket $WORLD/run/control.sock"

# No command of a former test is left in the zone: all it has is the app.
commands_left() {
    pgrep -c -f '^sleep 4[0-9][0-9][0-9]$'
}
no_commands() {
    [ "$(commands_left)" = 0 ]
}
one_command() {
    [ "$(commands_left)" -ge 1 ]
}

test_who_and_where() {
    ready
    expect_eq "$(id -u web)" "$(bg exec web -- id -u)" "the user"
    expect_eq web-blue "$(bg exec web -- hostname)" "the host name"
    expect_eq blue "$(bg exec web -- sh -c 'echo $BLUEGREEN_ZONE')" "the app's environment"
    expect_eq v1 "$(bg exec web -- /usr/bin/printenv BLUEGREEN_RELEASE)" "an absolute path"
    # the zone's network: its own address, and not the host's
    expect_match '10\.201\.' "$(bg exec web -- cat /proc/net/fib_trie)"
    expect_no_match '203\.0\.113\.10' "$(bg exec web -- cat /proc/net/fib_trie)"
    # the zone's processes: the shim is PID 1, the app is there, the agent is not
    expect_match 'bluegreen-zone|^.*web' "$(bg exec web -- sh -c 'cat /proc/[0-9]*/comm')"
    expect_no_match 'bluegreend' "$(bg exec web -- sh -c 'cat /proc/[0-9]*/comm')"
    # no rights
    expect_match '^CapEff:\s*0+$' "$(bg exec web -- grep CapEff /proc/self/status)"
    expect_match '^NoNewPrivs:\s*1$' "$(bg exec web -- grep NoNewPrivs /proc/self/status)"
    expect_eq "$(bg exec web -- cut -d: -f3 /proc/1/cgroup)" "$(bg exec web -- cut -d: -f3 /proc/1/cgroup)"
}

test_zone() {
    ready
    bg stage web v2 >/dev/null
    expect_eq v1 "$(bg exec web -- printenv BLUEGREEN_RELEASE)" "live"
    expect_eq v1 "$(bg exec web blue -- printenv BLUEGREEN_RELEASE)" "blue"
    expect_eq v2 "$(bg exec web green -- printenv BLUEGREEN_RELEASE)" "green"
    bg switch web >/dev/null
    expect_eq v2 "$(bg exec web -- printenv BLUEGREEN_RELEASE)" "live after the switch"
}

test_exit_status() {
    ready
    expect_status 0 bg exec web -- true
    expect_status 7 bg exec web -- sh -c 'exit 7'
    expect_status 143 bg exec web -- sh -c 'kill -TERM $$'
    expect_status 137 bg exec web -- sh -c 'kill -KILL $$'
    expect_status 127 bg exec web -- no-such-program
    expect_status 125 bg exec web -- /no/such/program
    expect_match '/no/such/program' "$OUTPUT"
    expect_status 125 bg exec web green -- true
    expect_match 'zone green of web is absent' "$OUTPUT"
    expect_status 125 bg exec nope -- true
    expect_match 'no app nope' "$OUTPUT"
}

test_descriptors() {
    ready
    expect_eq 'in: hello' "$(echo hello | bg exec web -- sed 's/^/in: /')" "stdin"
    expect_eq 'err' "$(bg exec web -- sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" "stderr apart"
    expect_eq "out
err" "$(bg exec web -- sh -c 'echo out; echo err >&2' 2>&1)" "both in their order"
    # a regular file, which the command must not get itself
    echo "from a file" >"$WORLD/in"
    bg exec web -- cat <"$WORLD/in" >"$WORLD/out"
    expect_eq "from a file" "$(cat "$WORLD/out")" "files"
    expect_match '^pipe:' "$(bg exec web -- readlink /proc/self/fd/0 <"$WORLD/in")"
    # a lot, both ways, unchanged
    head -c 20000000 /dev/urandom >"$WORLD/in"
    bg exec web -- cat <"$WORLD/in" >"$WORLD/out"
    cmp "$WORLD/in" "$WORLD/out" || fail "20 MB came back changed"
    # nobody reads any more: the command ends too
    expect_eq "y" "$(bg exec web -- yes | head -n 1)" "closed early"
    wait_for 5 no_yes
    # nothing but the three
    expect_eq "0 1 2 3" "$(bg exec web -- sh -c 'ls /proc/self/fd' | tr '\n' ' ' | sed 's/ $//')" "descriptors"
}

no_yes() {
    ! pgrep -x yes >/dev/null
}

# Whoever may not operate cannot; whoever is in the group can.
test_rights() {
    ready
    expect_status 125 as_user nosy "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" exec web -- id
    expect_match 'only root and members of group' "$OUTPUT"
    expect_eq "$(id -u web)" \
        "$(as_user oper "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" exec web -- id -u)" "an operator"
    expect_status 125 as_user oper "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" exec --root web -- id -u
    expect_match 'only root' "$OUTPUT"
}

# The client goes away, by Ctrl-C or by a crash: so does the command, and what it had started.
test_client_goes() {
    ready
    local signal pid
    for signal in INT KILL; do
        "$CLI" exec web -- sh -c 'sleep 4000 & sleep 4001 & wait' >/dev/null 2>&1 &
        pid=$!
        wait_for 5 two_commands
        kill -"$signal" "$pid"
        wait "$pid" || :
        wait_for 8 no_commands
    done
    # one that does not care for SIGTERM is killed
    "$CLI" exec web -- sh -c 'trap "" TERM; sleep 4002 & while :; do sleep 4003; done' >/dev/null 2>&1 &
    pid=$!
    wait_for 5 two_commands
    kill -KILL "$pid"
    wait_for 10 no_commands
    expect_eq live "$(status_of .zones.blue.state)" "the app does not notice"
    expect_eq 0 "$(status_of .zones.blue.restarts)" "restarts"
}

two_commands() {
    [ "$(commands_left)" -ge 2 ]
}

# What a command leaves behind goes with it, and its caller does not wait for it.
test_background() {
    ready
    expect_eq started "$(bg exec web -- sh -c 'sleep 4000 & echo started')" "output"
    wait_for 5 no_commands
}

test_agent_goes() {
    ready
    bg exec web -- sleep 4000 >"$WORLD/out" 2>&1 &
    local pid=$!
    wait_for 5 one_command
    agent_kill9
    local status=0
    wait "$pid" || status=$?
    expect_eq 125 "$status" "the client's exit status"
    agent_start
    wait_for 8 no_commands # nobody waits for it: the new agent ends it
    expect_eq v1 "$(bg exec web -- printenv BLUEGREEN_RELEASE)" "and runs others"
}

test_zone_goes() {
    ready
    bg exec web -- sleep 4000 >"$WORLD/out" 2>&1 &
    local pid=$! status=0
    wait_for 5 one_command
    bg stop web >/dev/null
    wait "$pid" || status=$?
    expect_eq 143 "$status" "exit status: it was asked to stop like all in the zone"
    no_commands || fail "the command outlives its zone"
}

test_several_at_once() {
    ready
    local i
    local clients=()
    for i in 1 2 3 4; do
        "$CLI" exec web -- sleep "400$i" >/dev/null 2>&1 &
        clients+=($!)
    done
    wait_for 8 four_commands
    expect_status 125 bg exec web -- true
    expect_match '4 commands run in zone blue' "$OUTPUT"
    kill "${clients[@]}"
    wait_for 8 no_commands
    expect_status 0 bg exec web -- true
}

four_commands() {
    [ "$(commands_left)" = 4 ]
}

test_terminal() {
    command -v script >/dev/null || skip "script(1) is not installed: tools/deps test"
    ready
    local seen
    seen=$(on_terminal "stty rows 33 cols 99; TERM=vt220 $BG exec web -- sh -c 'test -t 0 && test -t 1 && test -t 2 && stty size && echo \$TERM; tty </dev/tty >/dev/null || true; echo done'" '')
    expect_match '33 99' "$seen" "the size"
    expect_match 'vt220' "$seen" "TERM"
    expect_match 'done' "$seen"
    # what is typed arrives, and its echo is the command's terminal's
    seen=$(on_terminal "$BG exec web -- sh -c 'read line; echo got-\$line'" $'word\n')
    expect_match 'got-word' "$seen"
    # Ctrl-C is the command's: it handles it, and goes on
    seen=$(on_terminal "$BG exec web -- sh -c 'trap \"echo caught\" INT; sleep 2; echo after'" $'\003' 2.5)
    expect_match 'caught' "$seen"
    expect_match 'after' "$seen"
    # and without a trap it ends, as a program on a terminal does
    seen=$(on_terminal "$BG exec web -- sleep 4000; echo status-\$?" $'\003')
    expect_match 'status-130' "$seen"
    # the terminal is given back as it was
    seen=$(on_terminal "stty -g >$WORLD/before; $BG exec web -- true; stty -g >$WORLD/after; $BG exec web green -- true; stty -g >$WORLD/refused" '')
    expect_eq "$(cat "$WORLD/before")" "$(cat "$WORLD/after")" "the terminal's modes"
    expect_eq "$(cat "$WORLD/before")" "$(cat "$WORLD/refused")" "the terminal's modes after a refusal"
}

# The terminal itself stays ours: the command has another one.
test_terminal_is_its_own() {
    command -v script >/dev/null || skip "script(1) is not installed: tools/deps test"
    ready
    local seen
    seen=$(on_terminal "stat -Lc device-%t:%T /dev/stdin; $BG exec web -- stat -Lc device-%t:%T /proc/self/fd/0" '')
    expect_eq 2 "$(grep -o 'device-[0-9a-f:]*' <<<"$seen" | sort -u | wc -l)" "terminals in $seen"
    # in the background of a pipeline there is none to give
    seen=$(on_terminal "$BG exec web -- sh -c 'test -t 1 || echo piped' | cat" '')
    expect_match piped "$seen"
}

test_window_size_changes() {
    command -v script >/dev/null || skip "script(1) is not installed: tools/deps test"
    ready
    local seen
    seen=$(on_terminal "stty rows 20 cols 70; { sleep 1; stty rows 44 cols 111 </dev/tty; } & $BG exec web -- sh -c 'sleep 2; stty size'" '' 2.5)
    expect_match '44 111' "$seen"
}

# As root, in the zone's namespaces, and not in its sandbox.
test_root() {
    ready
    expect_eq 0 "$(bg exec --root web -- id -u)" "the user"
    expect_eq web-blue "$(bg exec --root web -- hostname)" "the host name"
    expect_match '10\.201\.' "$(bg exec --root web -- ip -4 addr show)"
    expect_no_match 'bluegreend' "$(bg exec --root web -- ps -e -o comm=)"
    expect_status 9 bg exec --root web -- sh -c 'exit 9'
    expect_status 137 bg exec --root web blue -- sh -c 'kill -KILL $$'
    expect_status 127 bg exec --root web -- no-such-program
    expect_status 125 bg exec --root web green -- true
    expect_match 'does not run in this zone' "$OUTPUT"
}

# The app owns what it sees below /run, and could play the name cache there, or the system's bus.
test_root_is_not_the_apps() {
    ready
    bg exec web -- sh -c 'mkdir -p /run/nscd && echo app >/run/nscd/socket'
    expect_eq /run/nscd/socket "$(bg exec web -- ls /run/nscd/socket)" "what the app has made"
    expect_eq "" "$(bg exec --root web -- ls -A /run)" "what root sees there"
    expect_status 2 bg exec --root web -- sh -c 'echo x >/run/x'
    expect_eq /run/nscd/socket "$(bg exec web -- ls /run/nscd/socket)" "what the app sees still"
    # nothing of the caller's: variables, descriptors
    expect_eq "HOME=/root LOGNAME=root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SHELL=/bin/sh TERM=vt220 USER=root" \
        "$(LD_PRELOAD='' TERM=vt220 LANG=/tmp/x LC_ALL='' FOO=bar bg exec --root web -- env | sort | xargs)" "variables"
    expect_eq "0 1 2 3" "$(bg exec --root web -- ls /proc/self/fd 7</etc/passwd | sort | xargs)" "descriptors"
}

# A command in an app that runs as root would be root's; an operator is not.
test_an_app_of_roots() {
    ready
    sed -i 's/^user = web/user = root/' "$WORLD/etc/apps/web.conf"
    bg deploy web v1 >/dev/null
    expect_status 125 as_user oper "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" exec web -- cat /etc/shadow
    expect_match 'only root may exec there' "$OUTPUT"
    expect_eq 0 "$(bg exec web -- id -u)" "root itself"
    # and his group is as good as himself
    sed -i 's/^user = root/user = web\ngroup = root/' "$WORLD/etc/apps/web.conf"
    if bg deploy web v1 >/dev/null; then
        expect_status 125 as_user oper "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" exec web -- id
        expect_match 'only root may exec there' "$OUTPUT"
    fi
}

# Whoever goes away does not get a place for another one before his command has ended.
test_no_more_by_going_away() {
    ready
    local i pid
    for i in 1 2 3 4; do
        "$CLI" exec web -- sh -c "trap '' TERM HUP; sleep 400$i; sleep 401$i" >/dev/null 2>&1 &
        pid=$!
        wait_for 5 runs "sleep 400$i"
        kill -KILL "$pid"
    done
    expect_status 125 bg exec web -- true
    expect_match '4 commands run in zone blue' "$OUTPUT"
    # nor by another agent
    agent_kill9
    agent_start
    expect_status 125 bg exec web -- true
    expect_match '4 commands run in zone blue' "$OUTPUT"
    wait_for 10 no_commands
    wait_for 2 bg exec web -- true
}

runs() {
    pgrep -f "^$1\$" >/dev/null
}

# Shells open these by name.
test_streams_can_be_opened_again() {
    ready
    expect_eq "err" "$(bg exec web -- sh -c 'echo out >/dev/stdout; echo err >/dev/stderr' 2>&1 >/dev/null)" "pipes"
    command -v script >/dev/null || skip "script(1) is not installed: tools/deps test"
    expect_match tty "$(on_terminal "$BG exec web -- sh -c 'echo tty >/dev/stderr'" '')" "a terminal"
}

run_tests "$@"
