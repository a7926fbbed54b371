#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The canary: a share of the new connections, by chance or by client, and its ways on and back.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

# v1 is live, v2 is staged. LINEs are of sections more.
# shellcheck disable=SC2120
ready_canary() {
    ready_web '[drain]' 'timeout = 2s' "$@"
    bg deploy web v1 >/dev/null
    bg stage web v2 >/dev/null
}

# over SECONDS [URL]: how many new connections went to v2, and how many there were.
over() {
    on_client "$TOOLS/load" --json --new 4 --duration "$1" --url "${2:-$URL4}" >"$WORLD/measured" ||
        fail "$(cat "$WORLD/measured")"
    jq -r '[.releases.v2.requests // 0, ([.releases[].requests] | add)] | @tsv' "$WORLD/measured"
}

# expect_share PERCENT MEASURED TOTAL: within five standard deviations of that many draws.
expect_share() {
    awk -v p="$1" -v n="$2" -v all="$3" 'BEGIN {
        d = n - all * p / 100; s = sqrt(all * p / 100 * (1 - p / 100))
        exit !(all >= 1000 && d * d <= 25 * s * s)
    }' || fail "$2 of $3 new connections went over, which is no $1%"
}

history_of() { # VERB FIELD
    bg history web --json | json "[.entries[] | select(.verb == \"$1\")] | last | $2"
}

rules() {
    nft list chain inet bluegreen app.web | tr -d '\n\t'
}

# No share any more: one zone gets everything.
expect_only() {
    expect_no_match 'numgen|jhash' "$(rules)" "rules"
    expect_eq "$1" "$(live_in_kernel web)" "live in the kernel"
}

test_shares_are_what_they_should_be() {
    local n all
    ready_canary
    expect_match 'v2 in green has 10% of new connections: .*bluegreen switch web' "$(bg switch web --canary 10%)"
    expect_eq blue "$(status_of .live)" "the old one is what is live"
    expect_eq healthy "$(status_of .zones.green.state)"
    expect_eq '10 false green' "$(bg status web --json | jq -r '.canary | "\(.percent) \(.sticky) \(.zone)"')"
    expect_match 'canary +green has 10% of new connections since' "$(bg status web)"
    read -r n all < <(over 3)
    expect_share 10 "$n" "$all"
    bg switch web --canary 50 >/dev/null
    read -r n all < <(over 2 "$URL6")
    expect_share 50 "$n" "$all"
    expect_eq 'canary 50%' "$(history_of switch .reason)"
    expect_eq true "$(history_of switch '.receipt.transaction_us > 0')"
    bg switch web >/dev/null
    expect_eq green "$(status_of .live)"
    expect_eq null "$(bg status web --json | jq -c .canary)"
    expect_only green
    read -r n all < <(over 0.3)
    expect_eq "$all" "$n" "all are over"
}

# Each address always meets the same release, and one that is over stays when the share is raised.
test_sticky_clients_do_not_alternate() {
    local i ten forty address first
    ready_canary
    for i in $(seq 1 40); do
        ip -n client addr add "203.0.113.$((100 + i))/24" dev eth0
        ip -n client addr add "2001:db8:1::f:$i/64" dev eth0 nodad
    done
    bg switch web --canary 10% --sticky >/dev/null
    each_client ten
    each_client again
    diff "$WORLD/ten" "$WORLD/again"
    bg switch web --canary 40% >/dev/null
    expect_eq '40 true' "$(bg status web --json | jq -r '.canary | "\(.percent) \(.sticky)"')" "it stays sticky"
    each_client forty
    each_client again
    diff "$WORLD/forty" "$WORLD/again"
    while read -r address first; do
        [ "$first" != v2 ] || grep -qx "$address v2" "$WORLD/forty" || fail "$address went back when the share was raised"
    done <"$WORLD/ten"
    ten=$(grep -c v2 "$WORLD/ten") forty=$(grep -c v2 "$WORLD/forty")
    # 80 addresses: 8 and 32 are to be expected.
    if [ "$ten" -lt 1 ] || [ "$ten" -gt 22 ] || [ "$forty" -lt 13 ] || [ "$forty" -gt 54 ]; then
        fail "$ten and $forty of 80 clients were over at 10% and 40%"
    fi
}

# Who answers each of them, once.
each_client() {
    # shellcheck disable=SC2016
    on_client bash -c 'for i in {1..40}; do
            for from in "203.0.113.$((100 + i))" "2001:db8:1::f:$i"; do
                to=$0
                if [[ $from == *:* ]]; then to=$1; fi
                printf "%s %s\n" "$from" "$(curl -s -m 5 --interface "$from" -D - -o /dev/null "$to/healthz" |
                    sed -n "s/^X-Release: \(v[0-9]\).*/\1/p")"
            done
        done' "$URL4" "$URL6" >"$WORLD/$1"
}

# Raised, taken back, raised again, the agent killed, completed: nobody meets a failure.
test_no_request_fails() {
    ready_canary
    load_start all --new 2 --keepalive 2 --url "$URL4" --url "$URL6"
    bg switch web --canary 5% >/dev/null
    bg switch web --canary 30% --sticky >/dev/null
    bg abort web >/dev/null
    expect_eq healthy "$(status_of .zones.green.state)" "it stays staged"
    bg switch web --canary 60% >/dev/null
    agent_kill9
    agent_start
    expect_eq 60 "$(status_of .canary.percent)"
    bg rollback web >/dev/null
    bg switch web --canary 20% >/dev/null
    bg switch web >/dev/null
    load_end all >"$WORLD/said" || fail "$(cat "$WORLD/said")"
    json '.failed == 0 and .releases.v1.requests > 0 and .releases.v2.requests > 0' <"$WORLD/said" >/dev/null
}

# What the journal says and what the rules do is the same, and the old one is live.
consistent() {
    local share wanted=
    share=$(bg status web --json | jq -r '.canary.percent // 0')
    [ "$share" = 0 ] || wanted="numgen random mod 100 < $share goto zone.web.green"
    expect_eq "$wanted" "$(nft list chain inet bluegreen app.web | grep -o 'numgen.*' || :)" "the share in the rules"
    expect_eq blue "$(status_of .live)"
    expect_eq blue "$(live_in_kernel web)"
}

# The agent dies at any moment of setting a share and of taking it back.
test_kills_at_any_moment() {
    local i
    ready_canary
    load_start all --new 2 --keepalive 1 --url "$URL4"
    for i in 02 04 06 09 13 18 25 35; do
        bg switch web --canary "$((10#$i + 10))%" >/dev/null 2>&1 &
        sleep "0.0$i"
        agent_kill9
        wait $! || :
        agent_start
        consistent
        bg abort web >/dev/null 2>&1 &
        sleep "0.0$i"
        agent_kill9
        wait $! || :
        agent_start
        consistent
        if is_state green absent; then bg stage web v2 >/dev/null; fi
    done
    load_end all >"$WORLD/said" || fail "$(cat "$WORLD/said")"
}

test_abort_drains_and_leaves_it_staged() {
    ready_canary
    bg switch web --canary 99% >/dev/null
    until_held v2
    wait_for 5 holds green 1
    bg abort web >"$WORLD/said"
    expect_eq v1 "$(release_seen)"
    expect_eq healthy "$(status_of .zones.green.state)"
    wait_for 5 holds green 0
    expect_only blue
    expect_eq true "$(history_of rollback .done)"
    expect_match 'the canary v2 is taken back from 99%' "$(history_of rollback .reason)"
    expect_eq blue "$(history_of rollback .to)"
    # A second time it is the staged release that goes.
    bg abort web >/dev/null
    wait_for 5 is_state green absent
}

test_udp_flows_are_shared() {
    local said
    ready_web '[drain]' 'timeout = 2s'
    sed -i 's|--port 8080|--port 8080 --udp 8080|; s|^http = 80 .*|&\nudp = 80 -> 8080/udp|' "$WORLD/etc/apps/web.conf"
    bg deploy web v1 >/dev/null
    bg stage web v2 >/dev/null
    bg switch web --canary 50% >/dev/null
    said=$(on_client "$TOOLS/udpload" --json --fresh 4 --duration 3 --rate 100 --to 203.0.113.10:80)
    expect_eq 'v1 v2' "$(jq -r '.releases | keys | join(" ")' <<<"$said")"
    bg abort web >/dev/null
    said=$(on_client "$TOOLS/udpload" --json --fresh 2 --duration 1 --rate 50 --to 203.0.113.10:80)
    expect_eq v1 "$(jq -r '.releases | keys | join(" ")' <<<"$said")"
}

# The canary is watched as a release in its bake.
test_breach_takes_it_back() {
    ready_canary
    bg switch web --canary 20% >/dev/null
    kill -9 "$(status_of .zones.green.pid)"
    wait_for 5 has_no_share
    expect_only blue
    expect_eq v1 "$(release_seen)"
    expect_eq bake-breach "$(bg history web --json | json '[.entries[] | select(.incident)] | last | .incident')"
    expect_match 'the canary v2 is taken back from 20%: 1 exit or restart since it has a share' \
        "$(bg history web --json | json '[.entries[] | select(.incident)] | last | .reason')"
    expect_match 'bad: 1 exit or restart' "$(status_of .zones.green.detail)"
    ! bg switch web --canary 10% >"$WORLD/said" 2>&1 || fail "a bad release was given a share"
    expect_match 'v2 is bad: ' "$(cat "$WORLD/said")"
}

# Found bad while somebody is about to raise it or to give it all, which then does not happen.
test_breach_while_it_is_raised() {
    local share
    ready_web '[drain]' 'timeout = 2s'
    bg deploy web v1 >/dev/null
    # shellcheck disable=SC2016 # for the program
    printf '#!/bin/sh\nexec sleep "$(cat %s)"\n' "$WORLD/srv/web/v2/pause" >"$WORLD/srv/web/v2/bin/pre"
    chmod 755 "$WORLD/srv/web/v2/bin/pre"
    echo 0 >"$WORLD/srv/web/v2/pause"
    printf '[hooks]\npre_switch = %s\n' "$WORLD/srv/web/%r/bin/pre" >>"$WORLD/etc/apps/web.conf"
    bg stage web v2 >/dev/null
    for share in '--canary 60%' ''; do
        echo 0 >"$WORLD/srv/web/v2/pause"
        bg switch web --canary 20% >/dev/null
        echo 20 >"$WORLD/srv/web/v2/pause"
        # shellcheck disable=SC2086 # two words, or none
        bg switch web $share >"$WORLD/said" 2>&1 &
        wait_for 5 grep -q 'hook pre_switch of v2 runs' "$WORLD/said"
        kill -9 "$(status_of .zones.green.pid)"
        ! wait $! || fail "a bad release was given more"
        expect_match 'the canary v2 is taken back from 20%: 1 exit or restart' "$(tail -n 1 "$WORLD/said")"
        expect_eq null "$(bg status web --json | jq -c .canary)"
        expect_only blue
        expect_match 'bad: 1 exit or restart' "$(status_of .zones.green.detail)"
        bg stage web v2 --yes >/dev/null
    done
}

test_sickness_takes_it_back() {
    ready_web '[drain]' 'timeout = 1s'
    sed -i 's|^interval = 200ms|&\ntimeout = 200ms\nfailures = 2|' "$WORLD/etc/apps/web.conf"
    bg deploy web v1 >/dev/null
    bg stage web v2 >/dev/null
    bg switch web --canary 20% --sticky >/dev/null
    kill -STOP "$(status_of .zones.green.pid)"
    wait_for 5 has_no_share
    expect_only blue
    expect_eq unhealthy "$(status_of .zones.green.state)"
    expect_match 'taken back from 20%: it became unhealthy' \
        "$(bg history web --json | json '[.entries[] | select(.incident)] | last | .reason')"
}

# What the staged release may not reach it may as long as clients are in it.
test_fence_is_open_meanwhile() {
    ready_web '[drain]' 'timeout = 6s' 'nudge = no' '[egress]' 'standby = closed'
    bg deploy web v1 >/dev/null
    bg stage web v2 >/dev/null
    background socat TCP4-LISTEN:7000,fork,reuseaddr SYSTEM:'read -r line; echo reached'
    wait_for 5 reaches blue
    ! reaches green || fail "the staged release reaches what it must not"
    bg switch web --canary 99% >/dev/null
    reaches green
    reaches blue
    until_held v2
    wait_for 5 holds green 1
    bg abort web >/dev/null &
    local aborted=$!
    wait_for 5 has_no_share
    reaches green || fail "it is fenced while its connections drain"
    wait "$aborted"
    ! reaches green || fail "it is not fenced when its drain is over"
    reaches blue
}

reaches() {
    [ "$(echo | timeout 5 ip netns exec "bg-web-$1" socat -t 3 - TCP4:203.0.113.10:7000 2>/dev/null)" = reached ]
}

test_guard_takes_it_back() {
    ready_web '[bake]' 'time = 10m' 'interval = 1s' "guard = $WORLD/srv/web/%r/bin/guard"
    printf '#!/bin/sh\nexit 0\n' >"$WORLD/srv/web/v1/bin/guard"
    # shellcheck disable=SC2016
    printf '#!/bin/sh\necho "of $BLUEGREEN_CANARY percent too many failed"\nexit 1\n' >"$WORLD/srv/web/v2/bin/guard"
    chmod 755 "$WORLD"/srv/web/v[12]/bin/guard
    bg deploy web v1 >/dev/null
    bg finish web >/dev/null
    bg stage web v2 >/dev/null
    bg switch web --canary 20% >/dev/null
    wait_for 8 has_no_share
    expect_match 'guard hook failed: exit status 1: of 20 percent too many failed' \
        "$(bg history web --json | json '[.entries[] | select(.incident == "bake-breach")] | last | .reason')"
}

test_dead_shim_takes_it_back() {
    ready_canary
    bg switch web --canary 20% >/dev/null
    kill -9 "$(status_of .zones.green.shim_pid)"
    wait_for 5 is_state green failed
    expect_eq null "$(bg status web --json | jq -c .canary)"
    expect_only blue
    expect_match 'taken back from 20%: its shim died' \
        "$(bg history web --json | json '[.entries[] | select(.incident)] | last | .reason')"
    agent_kill9
    agent_start
    expect_eq null "$(bg status web --json | jq -c .canary)"
}

test_kill_of_both_takes_it_back() {
    local shim
    ready_canary
    bg switch web --canary 20% >/dev/null
    shim=$(status_of .zones.green.shim_pid)
    agent_kill9
    kill -9 "$shim"
    agent_start
    expect_eq null "$(bg status web --json | jq -c .canary)"
    expect_eq v1 "$(release_seen)"
    expect_only blue
}

test_what_does_not_go_together() {
    ready_web '[bake]' 'time = 10m'
    refuse_canary 'there is nothing to switch to'
    bg stage web v1 >/dev/null
    refuse_canary 'nothing is live on web'
    bg switch web >/dev/null
    bg finish web >/dev/null
    sed -i 's|^http = 80 .*|http = 81 -> 8080/tcp|' "$WORLD/etc/apps/web.conf"
    bg stage web v2 >/dev/null
    refuse_canary 'v2 does not publish all that v1 does \(\[ports\] http\)'
    sed -i 's|^http = 81 .*|http = 80 -> 8080/tcp|' "$WORLD/etc/apps/web.conf"
    bg stage web v2 --yes >/dev/null
    expect_match "a canary's share is 1% to 99%" "$(bg switch web --canary 0% 2>&1)"
    expect_match "a canary's share is 1% to 99%" "$(bg switch web --canary 100 2>&1)"
    expect_match "a canary's share is 1% to 99%" "$(bg switch web --canary some 2>&1)"
    expect_match 'a group moves as a whole' "$(bg switch --group all --canary 10% 2>&1)"
    expect_match "only a canary's clients" "$(bg switch web --sticky 2>&1)"
    bg switch web --canary 10% >/dev/null
    expect_match 'v2 has 10% of the new connections of web' "$(bg deploy web v1 --yes 2>&1)"
    expect_match 'v2 has 10% of the new connections of web' "$(bg rehearse web 2>&1)"
    # Neither a drain nor a bake, but not nothing.
    expect_match 'v1 is live on blue, and v2 has 10% of the new connections: "bluegreen switch web"' "$(bg finish web)"
    expect_match 'v2 in green has 20% of new connections' "$(bg switch web --canary 20%)"
    expect_match 'v2 in green has 30% of new clients' "$(bg switch web --canary 30% --sticky)"
    expect_match 'v2 has 30% of the new clients of web' "$(bg deploy web v1 --yes 2>&1)"
    bg switch web >/dev/null
    refuse_canary 'its bake goes on'
}

refuse_canary() {
    ! bg switch web --canary 10% >"$WORLD/said" 2>&1 || fail "it was not refused"
    expect_match "$1" "$(cat "$WORLD/said")"
}

run_tests "$@"
