#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A release, an upgrade, a crash of the agent and a rollback, under load: run by `sudo make demo`, which builds first
# and enters a private world (tests/world/enter). Nothing of it reaches this machine's network, users or files.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/../tests/world/lib.sh"
set -e -o pipefail

if [ -t 1 ]; then
    BOLD=$'\e[1m' DIM=$'\e[2m' BLUE=$'\e[34m' GREEN=$'\e[32m' RED=$'\e[31m' PLAIN=$'\e[0m'
else
    BOLD='' DIM='' BLUE='' GREEN='' RED='' PLAIN=''
fi
STEP=0

step() {
    STEP=$((STEP + 1))
    printf '\n%s%d. %s%s\n' "$BOLD" "$STEP" "$1" "$PLAIN"
}

say() {
    printf '   %s\n' "$@"
}

# Shows what another program prints, one line at a time, as it comes.
show() {
    sed -u -e "s/\\bblue\\b/${BLUE}blue${PLAIN}/g" -e "s/\\bgreen\\b/${GREEN}green${PLAIN}/g" -e 's/^/     /'
}

# shellcheck disable=SC2317 # called by the trap
ended() {
    local status=$?
    [ "$status" = 0 ] && return
    printf '\n%sThe demo failed in step %s.%s\n' "$RED" "$STEP" "$PLAIN"
    if [ -s "$WORLD/agent.log" ]; then
        echo "The last lines of the agent's log:"
        tail -n 40 "$WORLD/agent.log" | show
    fi
    # The load says why requests failed, if any did.
    if [ -e "$WORLD/load.pid" ]; then
        kill -TERM "$(cat "$WORLD/load.pid")" 2>/dev/null || :
        sleep 0.5
        show <"$WORLD/load.report"
    fi
    exit 1
}
trap ended EXIT

# Types a command of the CLI as a user would, and shows what it answers.
bluegreen() {
    printf '   %s$ bluegreen %s%s\n' "$DIM" "$*" "$PLAIN"
    bg "$@" 2>&1 | show
}

load_begin() {
    ip netns exec client "$TOOLS/load" --duration 300 --new 4 --keepalive 8 --rate 100 --body 2000 \
        --url http://203.0.113.10:80 --url 'http://[2001:db8:1::10]:80' \
        >"$WORLD/load.report" 2>"$WORLD/load.progress" </dev/null &
    LOAD=$!
    echo "$LOAD" >"$WORLD/load.pid"
}

# One line of how the load is doing; a failed request ends the demo here, not at its end.
load_so_far() {
    local lines
    lines=$(wc -l <"$WORLD/load.progress")
    kill -USR1 "$LOAD"
    wait_for 5 load_said_more "$lines"
    tail -n 1 "$WORLD/load.progress" | sed 's/^ *[0-9.]* s */load: /' | show
    tail -n 1 "$WORLD/load.progress" | grep -q ' 0 failed'
}

load_said_more() {
    [ "$(wc -l <"$WORLD/load.progress")" -gt "$1" ]
}

step "Two hosts, made of network namespaces"
world_net
say "client     203.0.113.2   2001:db8:1::2    asks" \
    "bluegreen  203.0.113.10  2001:db8:1::10   serves port 80, in two zones behind it"

step "The app's configuration, two releases, and the agent"
app_conf web <<CONF
[app]
name = web
user = web
run = $WORLD/srv/web/%r/bin/web --port 8080

[ports]
http = 80 -> 8080/tcp

[health]
http = :8080/healthz
interval = 200ms
passes = 2

[drain]
timeout = 5s
CONF
sed 's|run = .*/%r/|run = /srv/web/%r/|' "$WORLD/etc/apps/web.conf" | show
release_install web v1
release_install web v2
agent_start
say "" "bluegreend runs, pid $(agent_pid)."

step "The first release"
bluegreen deploy web v1
say "The client now gets: $(on_client curl -s http://203.0.113.10/healthz)"

step "Load: 4 clients that connect for each request, 8 that keep their connections; IPv4 and IPv6"
load_begin
sleep 1.5
load_so_far

step "Version 2: start it beside version 1, wait until it is healthy, switch, let version 1 finish"
bluegreen deploy web v2
load_so_far
bluegreen status web

step "kill -9 for the agent: the kernel carries the traffic, not the agent"
agent_kill9
say "bluegreend is dead. Two seconds of load without it:"
sleep 2
load_so_far
agent_start
say "bluegreend runs again, pid $(agent_pid), and found everything as it was:"
bluegreen status web

step "Rollback: version 1 is still there, healthy, and one transaction away"
bluegreen rollback web
sleep 1
load_so_far
bluegreen history web

step "What the clients saw"
kill -TERM "$LOAD"
STATUS=0
wait "$LOAD" || STATUS=$?
rm "$WORLD/load.pid"
show <"$WORLD/load.report"
for release in v1 v2; do
    grep -q "by release $release" "$WORLD/load.report" || { say "Release $release answered nothing."; exit 1; }
done
if [ "$STATUS" != 0 ]; then
    say "${RED}Requests failed.${PLAIN}"
    exit 1
fi
printf '\n%sTwo switches and a crash of the agent: every byte of every answer was right, none failed.%s\n' \
    "$BOLD$GREEN" "$PLAIN"
