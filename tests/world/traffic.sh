#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The traffic module against the kernel: tables, switches, paths, what others do to the rule set.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/traffic_lib.sh
. "$ROOT/tests/drivers/traffic_lib.sh"

# --- the tables -----------------------------------------------------------------------------------------

# What differs only in how it is shown: flags, counters, the parser's own condition, order.
shown() {
    nft list table inet bluegreen | sed -e '/^\tflags/d' -e 's/meta l4proto { tcp, udp } //; s/meta nfproto ipv[46] //' \
        -e 's/ # progname.*//; s/packets [0-9]* bytes [0-9]*//' | tr -d '\n\t' | sed 's/}/}\n/g' | sort
}

# same_in_the_kernel SHARE random|sticky
same_in_the_kernel() {
    driver_start
    describe_zones
    t preview-port web blue '8081 -> 8080/tcp'
    t from web blue 203.0.113.0/24
    t from web blue 2001:db8:5::/48
    t preview web blue
    t live web green
    t canary web "$1" "$2"
    t fence web green open
    t fence web blue closed
    t allow web blue 192.0.2.0/24:25/tcp '[2001:db8::/32]:53-60' 198.51.100.9 203.0.113.0/24/udp
    t share web blue 10.201.0.1:5432/tcp 10.201.0.1:53/udp
    t render
    printf '%s' "$SAID" >"$WORLD/rendered.nft"
    nft -c -f "$WORLD/rendered.nft"
    nft -f "$WORLD/rendered.nft"
    shown >"$WORLD/of-text"
    nft flush ruleset
    t open
    t apply
    shown >"$WORLD/of-netlink"
    diff "$WORLD/of-text" "$WORLD/of-netlink"
    expect_match 'goto zone.web.green' "$(cat "$WORLD/of-netlink")"
    expect_match '8081 : goto preview.web' "$(cat "$WORLD/of-netlink")"
    expect_match '"bg1" : goto fence.web.blue' "$(cat "$WORLD/of-netlink")"
}

test_rendered_text_is_what_the_kernel_has() {
    same_in_the_kernel 10 sticky
    expect_match 'jhash ip6 saddr mod 100 seed 0x1 < 10 goto zone.web.blue' "$(cat "$WORLD/of-netlink")"
}

test_rendered_text_of_a_random_share_is_what_the_kernel_has() {
    same_in_the_kernel 99 random
    expect_match 'numgen random mod 100 < 99 goto zone.web.blue' "$(cat "$WORLD/of-netlink")"
}

test_differences_lead_to_the_same_as_a_whole() {
    driver_start
    t open
    t apply
    describe_zones
    t apply
    t fence web blue closed
    t share web blue 10.201.0.1:5432/tcp
    t apply
    t live web blue
    t fence web blue open
    t fence web green closed
    t allow web green 192.0.2.0/24:25
    t apply
    t zone api green 4 10.201.0.14 fd00:b9::e
    t port api green '443 -> 8443/tcp'
    t port api green '9 -> 9/udp'
    t live api green
    t apply
    t gone web green
    t apply
    # A zone made again with other ports, live at once.
    t zone web green 2 10.201.0.6 fd00:b9::6
    t port web green '80 -> 8081/tcp'
    t port web green '8000 -> 8000/tcp'
    t live web green
    t fence web green open
    t share web green 10.201.0.5:5432/tcp
    t apply
    t fence web green closed
    t share web green 10.201.0.5:53/udp
    t apply
    t gone web blue
    t forget api
    t pools 10.64.0.0/16 fd00:ba::/48
    t apply
    shown >"$WORLD/of-differences"
    t replace 1 0
    shown >"$WORLD/of-whole"
    diff "$WORLD/of-whole" "$WORLD/of-differences"
    expect_no_match 'api|\.blue|10\.201\.0\.0' "$(cat "$WORLD/of-whole")"
    t apply
    expect_eq "0 0 0" "$ANSWER" "transaction where nothing changes"
}

test_a_switch_is_one_generation() {
    ready
    t live web green
    t apply
    local us before after
    read -r us before after <<<"$ANSWER"
    expect_eq "$((before + 1))" "$after" "generation"
    [ "$us" -gt 0 ] || fail "no time was measured"
    expect_eq green "$(live_in_kernel web)"
}

test_wrong_states_change_nothing() {
    driver_start
    t open
    describe_zones
    t live web blue
    t apply
    nft list ruleset >"$WORLD/before"
    t zone api blue 3 10.201.0.10 fd00:b9::a
    t port api blue '80 -> 1/tcp'
    t live api blue
    t_refused 'tcp port 80 is published twice, by (web and api|api and web)' apply
    t live api green
    t_refused 'live zone of api does not exist' apply
    t forget api
    t zone api blue 1 10.201.0.10 fd00:b9::a
    t_refused "number 1, which is another zone's" apply
    nft list ruleset >"$WORLD/after"
    diff "$WORLD/before" "$WORLD/after"
    t forget api
    t apply
    expect_eq "0 0 0" "$ANSWER" "transaction"
}

test_thousand_apps() {
    local app
    driver_start
    t open
    for ((app = 1; app <= 1000; app++)); do
        printf 'zone a%d blue %d 10.%d.%d.2 fd00:b9::%x\n' "$app" $((2 * app + 1)) $((64 + app / 256)) $((app % 256)) "$app"
        printf 'zone a%d green %d 10.%d.%d.6 fd00:b9:1::%x\n' "$app" $((2 * app + 2)) $((64 + app / 256)) $((app % 256)) "$app"
        printf 'port a%d blue %d -> 1/tcp\nport a%d blue %d -> 1/udp\n' "$app" "$app" "$app" "$app"
        printf 'port a%d blue %d -> 2/tcp\nport a%d green %d -> 1/tcp\n' "$app" $((app + 20000)) "$app" "$app"
        printf 'live a%d blue\n' "$app"
    done >"$WORLD/apps"
    while read -r line; do t "$line"; done <"$WORLD/apps"
    t apply
    echo "1000 apps, 2000 zones, 3000 published ports at once: $ANSWER" >&2
    expect_eq 3000 "$(nft list map inet bluegreen published | grep -o goto | wc -l)" "published ports"
    expect_eq 2000 "$(nft list table inet bluegreen | grep -c '^	chain zone\.')" "zone chains"
    t live a500 green
    t apply
    echo "one switch among them: $ANSWER" >&2
    expect_eq green "$(live_in_kernel a500)"
    expect_eq 2998 "$(nft list map inet bluegreen published | grep -o goto | wc -l)" "published ports"
}

test_remove() {
    ready
    t remove
    expect_eq "" "$(nft list ruleset)" "rule set"
    t remove
    t apply
    expect_eq blue "$(on_client curl -sf -m 2 "$URL4"/healthz | cut -d' ' -f2)" "release"
}

# --- paths: see paths.sh --------------------------------------------------------------------------------

test_zone_reaches_outside_masqueraded() {
    ready
    background ip netns exec client "$BUILD/demo/web" --port 7000
    wait_for 5 on_client curl -sf -o /dev/null http://127.0.0.1:7000/healthz
    expect_match '203\.0\.113\.10' "$(ip netns exec bg-web-blue curl -sf -m 2 http://203.0.113.2:7000/peer)" "egress"
    expect_match '2001:db8:1::10' "$(ip netns exec bg-web-blue curl -sf -m 2 -g 'http://[2001:db8:1::2]:7000/peer')" "egress, IPv6"
}

# --- load -----------------------------------------------------------------------------------------------

test_switches_under_load() {
    ready
    load_start all --new 3 --keepalive 2 --requests-per-connection 50 --url "$URL4" --url "$URL6"
    t switch web 400 10
    local report
    report=$(load_end all) || fail "requests failed: $report"
    expect_eq 0 "$(jq .failed <<<"$report")" "failed requests"
    [ "$(jq .releases.blue.requests <<<"$report")" -gt 100 ] || fail "blue hardly answered: $report"
    [ "$(jq .releases.green.requests <<<"$report")" -gt 100 ] || fail "green hardly answered: $report"
}

# What the test above would see if a switch were two transactions.
test_control_two_transactions_fail() {
    ready open-unowned
    load_start all --new 4 --url "$URL4"
    local i
    for ((i = 0; i < 40; i++)); do
        nft flush chain inet bluegreen app.web
        nft add rule inet bluegreen app.web goto zone.web.green
    done
    local report
    report=$(load_end all) && fail "no request failed: $report"
    [ "$(jq .failed <<<"$report")" -gt 0 ] || fail "no request failed: $report"
}

# New UDP flows all the time, and a witness on the host at the same port: what reaches it met no rule of ours.
udp_flood() {
    background "$TOOLS/witness" serve host "$WORLD/host.log" 203.0.113.10 80
    wait_for 5 test -e "$WORLD/host.log"
    ip netns exec client "$TOOLS/udpload" --json --fresh 3 --duration 600 --rate 20000 --to 203.0.113.10:80 \
        >"$WORLD/udp" 2>&1 &
    UDP_PID=$!
    sleep 0.3
}

test_no_packet_misses_a_switch() {
    ready
    udp_flood
    t switch web 40000 0
    kill -TERM "$UDP_PID"
    wait "$UDP_PID" || :
    expect_eq "" "$(cat "$WORLD/host.log")" "packets that met no rule ($(jq .sent "$WORLD/udp") in 40 000 switches)"
    [ "$(jq .releases.blue.answered "$WORLD/udp")" -gt 50 ] || fail "blue hardly answered: $(cat "$WORLD/udp")"
    [ "$(jq .releases.green.answered "$WORLD/udp")" -gt 50 ] || fail "green hardly answered: $(cat "$WORLD/udp")"
}

# The same witness when a switch is two transactions.
test_control_packets_miss_two_transactions() {
    ready open-unowned
    udp_flood
    local i
    for ((i = 0; i < 500; i++)); do
        [ ! -s "$WORLD/host.log" ] || return 0
        nft flush chain inet bluegreen app.web
        nft add rule inet bluegreen app.web goto zone.web.green
    done
    fail "no packet missed the rules"
}

test_whole_table_replaced_under_load() {
    ready
    load_start all --new 4 --keepalive 1 --requests-per-connection 1000 --url "$URL4" --url "$URL6"
    ip netns exec client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    local held=$! report
    wait_for 5 grep -q answer "$WORLD/held"
    t replace 300 3
    kill -USR1 "$held"
    wait_for 5 answered_twice blue
    report=$(load_end all) || fail "requests failed: $report"
    expect_eq 0 "$(jq .failed <<<"$report")" "failed requests"
}

# An agent that was killed while it replaced a table that is only watched leaves its helper.
test_leftover_spare_is_removed() {
    driver_start
    nft add table inet bluegreen-spare
    t open-unowned
    expect_eq "table inet bluegreen-keeper" "$(nft list tables)" "tables"
    describe_zones
    t live web blue
    t apply
    t replace 3 0
    expect_eq "table inet bluegreen
table inet bluegreen-keeper" "$(nft list tables | sort)" "tables"
}

test_adopted_after_kill9() {
    ready
    load_start all --new 2 --keepalive 2 --requests-per-connection 1000 --url "$URL4"
    driver_kill9
    sleep 0.3
    expect_eq blue "$(live_in_kernel web)" "orphaned table"
    driver_start
    t open
    # Adopted before the first apply already.
    nft flush ruleset
    expect_eq blue "$(live_in_kernel web)" "adopted table"
    describe_zones
    t live web green
    t apply
    wait_for 5 answers green
    sleep 0.3 # the load's clients have waited as long, if not longer
    local report
    report=$(load_end all) || fail "requests failed: $report"
    expect_eq 0 "$(jq .failed <<<"$report")" "failed requests"
    [ "$(jq .releases.green.requests <<<"$report")" -gt 0 ] || fail "green did not answer: $report"
}

test_switches_while_others_change_rules() {
    ready
    (while :; do nft -f - <<<"add table ip others; add chain ip others a; flush ruleset"; done) 2>/dev/null &
    load_start all --new 2 --url "$URL4"
    t switch web 200 5
    local report
    report=$(load_end all) || fail "requests failed: $report"
    expect_eq 0 "$(jq .failed <<<"$report")" "failed requests"
}

# --- others ---------------------------------------------------------------------------------------------

test_others_cannot_touch_an_owned_table() {
    ready
    t owned
    [ "$ANSWER" = 1 ] || skip "this kernel has no persistent owned tables"
    shown >"$WORLD/before"
    nft flush ruleset
    expect_status 1 nft delete table inet bluegreen
    expect_match 'not permitted' "$OUTPUT"
    expect_status 1 nft flush chain inet bluegreen app.web
    expect_status 1 nft add rule inet bluegreen app.web drop
    expect_status 1 nft delete table inet bluegreen-keeper
    shown >"$WORLD/after"
    diff "$WORLD/before" "$WORLD/after"
    expect_eq "ok blue" "$(on_client curl -sf -m 2 "$URL4"/healthz)"
    t repair
    expect_eq 0 "$ANSWER" "repair of an owned table"
}

test_second_agent_is_refused() {
    ready
    t owned
    [ "$ANSWER" = 1 ] || skip "this kernel has no persistent owned tables"
    OUTPUT=$(echo open | "$DRIVER")
    expect_match 'error -16 .*belongs to another running process.*is another bluegreend at work' "$OUTPUT"
    t switch web 2 0
}

test_without_rights() {
    OUTPUT=$(echo open | setpriv --bounding-set=-all --reuid nosy --clear-groups "$DRIVER")
    expect_match 'error -1 .*(root|NET_ADMIN)' "$OUTPUT"
}

test_watched_table_is_repaired() {
    ready open-unowned
    t owned
    expect_eq 0 "$ANSWER" "owned"
    t watch
    expect_eq 0 "$ANSWER" "our own changes wake nobody"
    t repair
    expect_eq 0 "$ANSWER" "repair of what only we changed"
    t watch
    expect_eq 0 "$ANSWER" "left to read"
    nft add table ip others
    t repair
    expect_eq 0 "$ANSWER" "repair after somebody else's own change"
    shown >"$WORLD/before"
    nft flush ruleset
    refused_at on_client curl -sf -m 1 "$URL4"/healthz
    t watch
    expect_eq 1 "$ANSWER" "waiting to be read"
    t repair
    expect_eq 1 "$ANSWER" "repair after a flush"
    shown >"$WORLD/after"
    diff "$WORLD/before" "$WORLD/after"
    nft list table inet bluegreen-keeper >/dev/null
    expect_eq "ok blue" "$(on_client curl -sf -m 2 "$URL4"/healthz)"
    # One element only.
    nft delete element inet bluegreen published '{ tcp . 80 }'
    t repair
    expect_eq 1 "$ANSWER" "repair of one element"
    expect_eq "ok blue" "$(on_client curl -sf -m 2 "$URL4"/healthz)"
    t repair
    expect_eq 0 "$ANSWER" "second repair"
}

test_switch_of_a_watched_table_that_was_touched() {
    ready open-unowned
    nft delete table inet bluegreen
    t live web green
    t apply
    expect_eq "ok green" "$(on_client curl -sf -m 2 "$URL4"/healthz)"
    t repair
    expect_eq 0 "$ANSWER" "repair after the apply has done it"
}

# NAT and connection tracking stay switched on when only the main table goes.
test_keeper_keeps_established_connections() {
    ready open-unowned
    ip netns exec client "$TOOLS/hold_connection" --no-stdin --request /healthz 203.0.113.10:80 >"$WORLD/held" 2>&1 &
    local held=$!
    wait_for 5 grep -q answer "$WORLD/held"
    nft delete table inet bluegreen
    kill -USR1 "$held"
    wait_for 5 answered_twice blue
}

test_watched_table_becomes_owned() {
    ready open-unowned
    driver_kill9
    driver_start
    t open
    t owned
    [ "$ANSWER" = 1 ] || skip "this kernel has no persistent owned tables"
    describe_zones
    t live web blue
    t apply
    nft flush ruleset
    expect_eq "ok blue" "$(on_client curl -sf -m 2 "$URL4"/healthz)"
}

test_replies_that_are_lost() {
    local us before after first second third
    ready
    first=${ANSWER##* }
    t live web green
    # No room for the acknowledgement: only the generation tells that the transaction was made.
    t flood 1
    t apply
    expect_eq green "$(live_in_kernel web)"
    second=$ANSWER
    t live web blue
    t apply
    expect_eq blue "$(live_in_kernel web)"
    third=$ANSWER
    # And it was found out by asking, not by making it again.
    read -r us before after <<<"$second"
    expect_eq "$first $((first + 1))" "$before $after" "generations of the transaction"
    read -r us before after <<<"$third"
    expect_eq "$((first + 1))" "$before" "generation before the next"
}

run_tests
