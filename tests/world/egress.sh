#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What zones may reach by themselves ([egress]): the fence of what is not live, when it opens and closes, what is ended
# then, a closed policy. The network `client` is what lies outside, with a mail server and others.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

OUTSIDE4=203.0.113.2 OUTSIDE6='[2001:db8:1::2]'

# Servers that answer "reached": outside on ports 25 and 26, TCP and UDP, and on the host on port 7000.
servers() {
    local port
    for port in 25 26; do
        background on_client socat "TCP6-LISTEN:$port,ipv6only=0,fork,reuseaddr" SYSTEM:'echo reached; cat'
        background on_client socat "UDP6-LISTEN:$port,ipv6only=0,fork,reuseaddr" SYSTEM:'echo reached; cat'
    done
    background socat TCP6-LISTEN:7000,ipv6only=0,fork,reuseaddr SYSTEM:'echo reached; cat'
    wait_for 5 listening
}

listening() {
    [ "$(on_client ss -Hltun | wc -l)" -ge 4 ] && ss -Hltn | grep -q ':7000'
}

# v1 live in blue, v2 staged in green; the lines are sections more.
ready_staged() {
    ready_web "$@"
    servers
    bg deploy web v1 >/dev/null
    bg stage web v2 >/dev/null
}

# reaches COLOUR ADDRESS: a socat address; true if somebody answers. UDP is answered to the first datagram.
reaches() {
    [ "$(echo | timeout 3 ip netns exec "bg-web-$1" socat -t 0.5 - "$2" 2>/dev/null | head -n 1)" = reached ]
}

reaches_not() {
    ! reaches "$1" "$2" || fail "$1 reaches $2"
}

# Everything that a zone could want, but for what goes to port 26.
EVERYTHING="TCP4:$OUTSIDE4:25 TCP6:$OUTSIDE6:25 UDP4:$OUTSIDE4:25 UDP6:$OUTSIDE6:25 TCP4:203.0.113.10:7000
TCP6:[2001:db8:1::10]:7000"

reaches_everything() {
    local what
    for what in $EVERYTHING; do
        # The servers are busy for a moment after each datagram.
        wait_for 5 reaches "$1" "$what" || fail "$1 does not reach $what"
    done
}

reaches_nothing() {
    local what
    for what in $EVERYTHING; do
        reaches_not "$1" "$what"
    done
}

# What connecting says, and that it is said at once.
refusal() {
    local began=${EPOCHREALTIME/./} said
    said=$(ip netns exec "bg-web-$1" socat -u OPEN:/dev/null "$2",connect-timeout=5 2>&1) && fail "$1 reaches $2"
    [ $((${EPOCHREALTIME/./} - began)) -lt 2000000 ] || fail "it took too long to be refused: $said"
    echo "$said"
}

test_open_is_the_default() {
    ready_staged
    reaches_everything blue
    reaches_everything green
    expect_no_match 'counter fenced' "$(nft list table inet bluegreen)"
}

test_staged_release_reaches_nothing() {
    ready_staged '[egress]' 'standby = closed'
    reaches_everything blue
    reaches_nothing green
    expect_match 'Connection refused' "$(refusal green "TCP4:$OUTSIDE4:25")"
    expect_match 'Connection refused' "$(refusal green "TCP6:$OUTSIDE6:25")"
    expect_match 'No route to host|Permission denied' \
        "$(echo x | timeout 3 ip netns exec bg-web-green socat -t 1 - "UDP4:$OUTSIDE4:25" 2>&1)"
    expect_eq v1 "$(release_seen)"
    # It is checked all the same, and clients of the live one are served.
    expect_eq healthy "$(status_of .zones.green.state)"
    expect_eq open "$(status_of .zones.blue.fence)"
    expect_eq closed "$(status_of .zones.green.fence)"
    [ "$(status_of .zones.green.refused)" -ge 8 ] || fail "refused: $(status_of .zones.green.refused)"
    expect_eq 0 "$(status_of .zones.blue.refused)"
    expect_match 'green .*fenced' "$(bg status web)"
}

test_fenced_from_the_first_packet() {
    ready_web '[hooks]' "pre_start = /bin/bash -c '! echo >/dev/tcp/$OUTSIDE4/25'" '[egress]' 'standby = closed'
    servers
    bg deploy web v1 >/dev/null
    # The hook can tell: without a fence it stops the deploy.
    web_conf web 80 '[hooks]' "pre_start = /bin/bash -c '! echo >/dev/tcp/$OUTSIDE4/25'"
    expect_status 1 bg deploy web v2
    expect_match 'pre_start' "$OUTPUT"
}

test_another_apps_port_is_behind_the_fence_too() {
    ready_staged '[egress]' 'standby = closed'
    web_conf shop 8088
    release_install shop v1
    bg deploy shop v1 >/dev/null
    local from
    for from in http://203.0.113.10:8088 'http://[2001:db8:1::10]:8088' http://203.0.113.10:80; do
        ip netns exec bg-web-blue curl -sf -m 3 -o "$WORLD/page" "$from/healthz" || fail "blue does not reach $from"
        ip netns exec bg-web-green curl -sf -m 3 -o "$WORLD/page" "$from/healthz" && fail "green reaches $from"
    done
    # Its own fence is nobody else's.
    ip netns exec bg-shop-blue curl -sf -m 3 -o "$WORLD/page" http://203.0.113.10:80/healthz ||
        fail "shop does not reach web"
}

# Tries all the time: each line of the log is when it began, when it ended, and how.
tries() {
    # shellcheck disable=SC2016
    ip netns exec "bg-web-$1" bash -c 'while :; do
        began=${EPOCHREALTIME/./}
        if (exec 3<>/dev/tcp/'"$OUTSIDE4"'/25) 2>/dev/null; then how=yes; else how=no; fi
        echo "$began ${EPOCHREALTIME/./} $how"
    done' >"$WORLD/tries.$1"
}

test_fence_opens_with_the_switch_and_closes_with_the_drain() {
    local held before switched released closed
    ready_staged '[egress]' 'standby = closed' '[drain]' 'timeout = 20s'
    web_conf shop 8088
    release_install shop v1
    mkfifo "$WORLD/in"
    exec 9<>"$WORLD/in"
    ip netns exec client "$TOOLS/hold_connection" --request /healthz 203.0.113.10:80 <"$WORLD/in" >"$WORLD/held" 9>&- &
    held=$!
    wait_for 5 grep -q answer "$WORLD/held"
    background tries blue
    background tries green
    sleep 0.5
    before=${EPOCHREALTIME/./}
    bg switch web >/dev/null 9>&- &
    wait_for 5 answers v2
    switched=${EPOCHREALTIME/./}
    sleep 0.5
    is_state blue draining || fail "it does not drain"
    # Whatever changes the rules meanwhile.
    bg stage shop v1 >/dev/null
    sleep 0.2
    released=${EPOCHREALTIME/./}
    kill -TERM "$held"
    wait_for 5 is_state blue standby
    closed=${EPOCHREALTIME/./}
    sleep 0.3
    # Before the switch never, after it always.
    awk -v before="$before" -v switched="$switched" '
        $3 == "yes" && $2 < before { print "before the switch:", $0; bad = 1 }
        $3 == "no" && $1 > switched { print "after the switch:", $0; bad = 1 }
        $3 == "no" && yes { print "closed again:", $0; bad = 1 }
        $3 == "yes" { yes++ } $3 == "no" { no++ }
        END { print yes + 0, "times yes,", no + 0, "times no"; exit bad || yes < 10 || no < 10 }' "$WORLD/tries.green" ||
        fail "green was fenced when it should not be, or was not"
    # As long as somebody may need it, and not longer.
    awk -v released="$released" -v closed="$closed" '
        $3 == "no" && $2 < released { print "while it drained:", $0; bad = 1 }
        $3 == "yes" && $1 > closed { print "after the drain:", $0; bad = 1 }
        $3 == "yes" { yes++ } $3 == "no" { no++ }
        END { print yes + 0, "times yes,", no + 0, "times no"; exit bad || yes < 10 || no < 3 }' "$WORLD/tries.blue" ||
        fail "blue was fenced when it should not be, or was not"
    # The way back is the same.
    bg rollback web >/dev/null
    reaches_everything blue
    wait_for 5 is_state green standby
    reaches_nothing green
}

# Something in a zone that has a connection open: what comes by it is in $WORLD/NAME.
opens() {
    mkfifo "$WORLD/$3.in"
    # Both ends, so that it does not end by itself.
    ip netns exec "bg-web-$1" socat - "$2" <>"$WORLD/$3.in" >"$WORLD/$3" 2>"$WORLD/$3.error" &
    echo hello >"$WORLD/$3.in"
    wait_for 5 grep -q hello "$WORLD/$3"
}

echoes() {
    # Nobody may be there to read it any more.
    timeout 1 bash -c "echo $2 >'$WORLD/$1.in'" 2>/dev/null || return 1
    wait_for "${3:-2}" grep -q "$2" "$WORLD/$1" 2>/dev/null
}

test_what_the_old_zone_has_open_is_cut() {
    ready_web '[egress]' 'standby = closed' '[share]' 'host = 5432'
    servers
    background socat TCP4-LISTEN:5432,bind=127.0.0.1,fork,reuseaddr SYSTEM:cat
    bg deploy web v1 >/dev/null
    opens blue "TCP4:$OUTSIDE4:25" mail4
    local mail4=$!
    opens blue "TCP6:$OUTSIDE6:25" mail6
    local mail6=$!
    opens blue TCP4:10.201.0.1:5432 database
    opens blue "UDP4:$OUTSIDE4:25" datagrams4
    opens blue "UDP6:$OUTSIDE6:25" datagrams6
    # A service of the host's, though nobody is there.
    echo x | ip netns exec bg-web-blue socat -u - UDP4:203.0.113.10:7001
    bg deploy web v2 >/dev/null
    wait_for 5 is_state blue standby
    wait_for 2 has_ended "$mail4"
    wait_for 2 has_ended "$mail6"
    expect_match 'Connection reset|Broken pipe|Software caused connection abort' "$(cat "$WORLD/mail4.error")"
    echoes database still || fail "the database is not reached any more"
    echoes datagrams4 later 1 && fail "datagrams still come through"
    echoes datagrams6 later 1 && fail "datagrams still come through"
    expect_match 'web/blue: fenced, with 2 connections and 3 UDP flows' "$(cat "$WORLD/agent.log")"
    # What serves now keeps everything.
    reaches_everything green
    expect_eq v2 "$(release_seen)"
}

test_closed_policy() {
    ready_staged '[egress]' 'policy = closed' "allow = $OUTSIDE4:25/tcp, [2001:db8:1::2/128]:20-25" \
        'standby = closed' 'standby_allow = 203.0.113.10:7000/tcp'
    wait_for 5 reaches blue "TCP4:$OUTSIDE4:25"
    wait_for 5 reaches blue "TCP6:$OUTSIDE6:25"
    wait_for 5 reaches blue "UDP6:$OUTSIDE6:25"
    reaches_not blue "UDP4:$OUTSIDE4:25"
    reaches_not blue "TCP4:$OUTSIDE4:26"
    reaches_not blue "TCP6:$OUTSIDE6:26"
    reaches_not blue TCP4:203.0.113.10:7000
    reaches_not green "TCP4:$OUTSIDE4:25"
    reaches_not green "TCP6:$OUTSIDE6:25"
    wait_for 5 reaches green TCP4:203.0.113.10:7000
    # Clients come in, whatever may go out, and a client's connection outlives an emptied connection table.
    mkfifo "$WORLD/in"
    exec 9<>"$WORLD/in"
    ip netns exec client "$TOOLS/hold_connection" --request /healthz 203.0.113.10:80 <"$WORLD/in" >"$WORLD/held" 9>&- &
    local held=$!
    wait_for 5 grep -q answer "$WORLD/held"
    conntrack -F 2>/dev/null
    echo /slow/1/1000/500 >&9
    wait_for 5 grep -q 'answer 200 v1 1000' "$WORLD/held"
    expect_eq closed "$(status_of .zones.blue.fence)"
    kill -TERM "$held"
    bg switch web >/dev/null
    wait_for 5 reaches green "TCP4:$OUTSIDE4:25"
    reaches_not green TCP4:203.0.113.10:7000
    # The history tells what was refused while a release was not live, not what its policy refused while it was.
    expect_match 'v2 tried [0-9]+ times to reach what .egress. keeps it from, while it was not live' "$(bg history web)"
    wait_for 5 is_state blue standby
    bg rollback web >/dev/null
    expect_no_match 'v1 tried' "$(bg history web)"
}

test_reload_takes_effect_at_once() {
    ready_staged
    opens blue "TCP4:$OUTSIDE4:26" other
    local other=$!
    wait_for 5 reaches green "TCP4:$OUTSIDE4:25"
    web_conf web 80 '[egress]' 'standby = closed' 'policy = closed' "allow = $OUTSIDE4:25"
    expect_match 'applied now: .*\[egress\] standby' "$(bg reload)"
    reaches_not green "TCP4:$OUTSIDE4:25"
    wait_for 5 reaches blue "TCP4:$OUTSIDE4:25"
    reaches_not blue "TCP4:$OUTSIDE4:26"
    wait_for 2 has_ended "$other"
    web_conf web 80
    bg reload >/dev/null
    reaches_everything green
    reaches_everything blue
}

test_new_agents_find_and_keep_it() {
    ready_staged '[egress]' 'standby = closed'
    agent_kill9
    reaches_everything blue
    reaches_nothing green
    agent_start
    reaches_everything blue
    reaches_nothing green
    # Killed while the old one drains, with something open that it may not keep.
    mkfifo "$WORLD/in"
    exec 9<>"$WORLD/in"
    ip netns exec client "$TOOLS/hold_connection" --request /healthz 203.0.113.10:80 <"$WORLD/in" >"$WORLD/held" 9>&- &
    local held=$!
    wait_for 5 grep -q answer "$WORLD/held"
    opens blue "TCP4:$OUTSIDE4:25" mail
    local mail=$!
    bg switch web >/dev/null 2>&1 9>&- &
    wait_for 5 is_state blue draining
    agent_kill9
    reaches_everything green
    wait_for 5 reaches blue "TCP4:$OUTSIDE4:25"
    kill -TERM "$held"
    wait "$held" || :
    agent_start
    wait_for 5 is_state blue standby
    wait_for 2 has_ended "$mail"
    reaches_nothing blue
    reaches_everything green
}

test_a_canary_is_not_fenced() {
    ready_staged '[egress]' 'standby = closed'
    bg switch web --canary 20% >/dev/null
    wait_for 5 reaches green "TCP4:$OUTSIDE4:25"
    wait_for 5 reaches blue "TCP4:$OUTSIDE4:25"
    opens green "TCP4:$OUTSIDE4:26" mail
    local mail=$!
    bg abort web >/dev/null
    wait_for 10 has_ended "$mail"
    reaches_not green "TCP4:$OUTSIDE4:25"
    wait_for 5 reaches blue "TCP4:$OUTSIDE4:25"
    expect_eq closed "$(status_of .zones.green.fence)"
}

# The fence is closed, and what is open not ended yet.
test_killed_between_the_fence_and_the_cut() {
    export DIE_AT_CONTROL=$WORLD/die-at DIE_AT_LOG=$WORLD/points
    ready_staged '[egress]' 'standby = closed'
    opens blue "TCP4:$OUTSIDE4:25" mail
    local mail=$!
    agent_kill9
    LD_PRELOAD=$BUILD/tests/drivers/die_at.so agent_start
    # The first batch is the switch, the second one the fence.
    echo 2 synced nft >"$DIE_AT_CONTROL"
    bg switch web >/dev/null 2>&1 || :
    wait_for 5 has_ended "$AGENT"
    rm "$DIE_AT_CONTROL"
    reaches_nothing blue
    echoes mail still || fail "it was cut before"
    agent_start
    wait_for 2 has_ended "$mail"
    is_state blue standby
    reaches_everything green
}

# What a new agent reads may allow less than what is open.
test_a_new_agent_ends_what_may_not_be() {
    ready_staged
    opens green "TCP4:$OUTSIDE4:25" mail
    local mail=$!
    opens blue "TCP4:$OUTSIDE4:26" other
    local other=$!
    agent_kill9
    web_conf web 80 '[egress]' 'standby = closed'
    agent_start
    wait_for 2 has_ended "$mail"
    reaches_nothing green
    echoes other still || fail "blue lost what it had open"
    kill -0 "$other"
}

# Its process tries at once, whenever it starts.
test_what_starts_again_is_fenced_from_its_start() {
    ready_web '[process early]' "run = /bin/bash -c 'echo early >/dev/tcp/$OUTSIDE4/26 || echo refused'" \
        '[restart]' 'policy = no' '[egress]' 'standby = closed'
    background on_client socat -u TCP4-LISTEN:26,fork,reuseaddr "OPEN:$WORLD/sink,creat,append"
    wait_for 5 eval 'on_client ss -Hltn | grep -q :26'
    bg deploy web v1 >/dev/null
    bg deploy web v2 >/dev/null
    wait_for 5 is_state blue standby
    [ "$(status_of .zones.green.refused)" -ge 1 ] || fail "green did not try"
    expect_match 'v2 tried 1 time to reach what \[egress\] keeps it from' "$(bg history web)"
    local shim
    shim=$(status_of .zones.blue.shim_pid)
    kill -9 "$shim"
    wait_for 10 made_again "$shim"
    wait_for 5 is_state blue standby
    sleep 0.5
    [ ! -s "$WORLD/sink" ] || fail "somebody reached the outside: $(cat "$WORLD/sink")"
    # The live one, made again, may.
    shim=$(status_of .zones.green.shim_pid)
    kill -9 "$shim"
    wait_for 10 made_again "$shim"
    wait_for 5 grep -q early "$WORLD/sink"
}

made_again() {
    local now
    now=$(status_of .zones.blue.shim_pid) || return 1
    [ "$(status_of '[.zones[].shim_pid] | index('"$1"')')" = null ] && [ "$now" != null ]
}

# An app that takes its time to end is kept from the same as before, but for what was live and not fenced.
test_fence_stands_until_nothing_runs() {
    local release
    ready_web '[egress]' 'standby = closed'
    for release in v1 v2; do
        # shellcheck disable=SC2016 # for the program
        printf '#!/bin/bash\ntrap "sleep 3; exit 0" TERM\n"${0%%slow}web" "$@" &\nwait\nsleep 3\n' \
            >"$WORLD/srv/web/$release/bin/slow"
        chmod 755 "$WORLD/srv/web/$release/bin/slow"
    done
    sed -i 's|/bin/web --port|/bin/slow --port|; s|^user = web|&\nstop_timeout = 8s|' "$WORLD/etc/apps/web.conf"
    background socat TCP4-LISTEN:7000,fork,reuseaddr SYSTEM:'read -r line; echo reached'
    bg deploy web v1 >/dev/null
    bg stage web v2 >/dev/null
    bg abort web >/dev/null
    sleep 0.3
    ! is_let_through green || fail "what was staged reaches outside while it is stopped"
    wait_for 8 is_state green absent
    wait_for 8 no_fence_of green
    bg stop web >/dev/null &
    sleep 0.5
    is_let_through blue || fail "what was live is fenced while it is stopped"
    wait $!
    no_fence_of blue
    sed -i 's|^standby = closed|policy = closed|' "$WORLD/etc/apps/web.conf"
    bg reload >/dev/null
    bg start web >/dev/null
    bg stop web >/dev/null &
    sleep 0.5
    ! is_let_through blue || fail "a closed policy is open while the app is stopped"
    wait $!
}

is_let_through() {
    [ "$(echo | timeout 5 ip netns exec "bg-web-$1" socat -t 3 - TCP4:203.0.113.10:7000 2>/dev/null)" = reached ]
}

no_fence_of() {
    ! nft list chain inet bluegreen "fence.web.$1" >/dev/null 2>&1
}

run_tests
