#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An app with ranges of ports, through the agent: configuration, releases, what status says, the drain.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

# media on 8000 to 8002 by TCP and UDP, each zone saying its name at each of its ports.
media_conf() { # [PORT LINE...]
    {
        printf '[app]\nname = media\nuser = web\n'
        printf 'run = %s serve %%z /tmp/log :: 9000 9001 9002\n' "$WORLD/srv/media/%r/bin/web"
        printf '[ports]\n'
        printf '%s\n' "$@"
        printf '[health]\ntcp = :9001\ninterval = 100ms\npasses = 1\n'
    } | app_conf media
}

ready_media() {
    world_net
    media_conf 'media = 8000-8002 -> 9000-9002/tcp' 'voice = 203.0.113.10:8000-8002 -> 9000-9002/udp'
    release_install media v1 "$TOOLS/witness"
    release_install media v2 "$TOOLS/witness"
    agent_start
}

asked() { # PROTOCOL PORT: the zone that answers
    on_client "$TOOLS/witness" ask "$1" 203.0.113.10 "$2" | cut -d' ' -f1
}

all_answer() { # ZONE
    local port
    for port in 8000 8001 8002; do
        expect_eq "$1" "$(asked tcp "$port")" "TCP port $port"
        expect_eq "$1" "$(asked udp "$port")" "UDP port $port"
    done
    expect_eq refused "$(asked tcp 8003)" "the port after the range"
}

test_releases() {
    ready_media
    bg deploy media v1
    all_answer blue
    bg deploy media v2
    all_answer green
    bg rollback media
    all_answer blue
    bg stop media
    expect_eq refused "$(asked tcp 8001)" "a stopped app"
}

test_status() {
    ready_media
    bg deploy media v1
    expect_match '8000-8002 (→|->) 9000-9002/tcp +media' "$(bg status media)"
    expect_match '203\.0\.113\.10:8000-8002 (→|->) 9000-9002/udp +voice' "$(bg status media)"
    expect_eq '["media","8000-8002",9000,3,"tcp"]' \
        "$(bg status media --json | jq -c '.ports[0] | [.name, .listen, .target, .count, .protocol]')" "JSON"
}

connections_are() {
    [ "$(bg status media --json | jq ".zones.blue.connections.$1")" = "$2" ]
}

# The last port of a range is waited for, and counted, as the first is.
test_drain() {
    ready_media
    bg deploy media v1
    on_client bash -c "exec 3<>/dev/tcp/203.0.113.10/8002; touch $WORLD/open; sleep 0.7; echo x >&3; cat <&3 >$WORLD/last" &
    wait_for 5 test -e "$WORLD/open"
    wait_for 5 connections_are tcp 1
    bg deploy media v2 --json >"$WORLD/receipt"
    expect_match '^blue ' "$(cat "$WORLD/last")" "the connection over the switch"
}

refused_conf() { # REGEX LINE...
    local pattern=$1
    shift
    media_conf "$@"
    expect_status 2 "$BUILD/bluegreend" --config "$WORLD/etc" --check
    expect_match "$pattern" "$OUTPUT"
}

test_refused() {
    agent_conf <<<'[agent]'
    refused_conf '3 published ports lead to 2 in the zone; write 9000-9002' 'a = 8000-8002 -> 9000-9001/tcp'
    refused_conf 'from the lower port to the higher' 'a = 8002-8000 -> 9000-9002/tcp'
    refused_conf '\[ports\] b: claims 8002-8003/tcp, which \[ports\] a claims too' \
        'a = 8000-8002 -> 9000-9002/tcp' 'b = 8002-8003 -> 9000-9001/tcp'
    refused_conf 'more than 4096 ports' 'a = 1-5000 -> 1-5000/tcp'
    refused_conf '\[ports\]: 6000 ports' 'a = 1-3000 -> 1-3000/tcp' 'b = 3001-6000 -> 1-3000/tcp'
    refused_conf 'no rule can lead connections to ::1 out of the host; publish on 127\.0\.0\.1' 'a = [::1]:80 -> 9000/tcp'
    media_conf 'a = 8000-8002 -> 9000-9002/tcp' 'b = 8000-8002 -> 9000-9002/udp'
    web_conf other 8002
    expect_status 2 "$BUILD/bluegreend" --config "$WORLD/etc" --check
    expect_match 'claims 8002/tcp, which .*media.conf claims too: \[ports\] a' "$OUTPUT"
}

run_tests
