#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# bluegreen on the kernel of the distribution (6.1 on Debian 12, where a table cannot outlive its owner, so that the
# agent watches it instead) with pure cgroup v2, over a reboot and over a power cut: one virtual machine, three boots,
# one story. BUILD must be built. VERBOSE=1 shows what passing tests said, and times.
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=tests/systemd/vm-limits.sh
. "$ROOT/tests/systemd/vm-limits.sh"
PACKAGE=$BUILD/vm/package.tar

# As a package is made: installed into a directory, and from there unpacked on the machine.
package() {
    local stage status=0
    stage=$(mktemp -d) || return
    make -C "$ROOT" BUILD="$BUILD" PREFIX="$PREFIX" DESTDIR="$stage" install &&
        (cd "$stage" && tar -cf "$PACKAGE" -- *) || status=1
    rm -rf "$stage"
    return "$status"
}

if [ "${1-}" != --inside ]; then
    [ "$(uname -m)" = x86_64 ] || skip_all "only x86_64 is emulated so far"
    needs_guest qemu-system-x86_64 apt-get cpio depmod mkfs.ext4 xz jq curl make
    needs_built
    "$ROOT/tests/systemd/boot-vm" --fetch || skip_all "the kernel could not be downloaded"
    mkdir -p "$BUILD/vm"
    package >"$BUILD/vm/package.log" 2>&1 || { cat "$BUILD/vm/package.log"; exit 1; }
    exec "$ROOT/tests/systemd/boot-vm" --timeout 1800 "$ROOT/tests/systemd/vm.sh" --inside
fi

bluegreen=$PREFIX/bin/bluegreen
bluegreend=$PREFIX/sbin/bluegreend
# What an emulated CPU can serve.
load=(--new 1 --keepalive 1 --requests-per-connection 10 --rate 4
    --url http://203.0.113.10:80 --url 'http://[2001:db8:1::10]:80')

# --- first boot ------------------------------------------------------------------------------------------

test_machine() {
    uname -r
    expect_eq cgroup2fs "$(stat -f -c %T /sys/fs/cgroup)" "file system of cgroups"
    expect_eq "" "$(nft list ruleset)" "rule set of a fresh machine"
    tar -C / --no-overwrite-dir -xf "$PACKAGE"
    systemctl daemon-reload
    systemd-sysusers
    systemd-tmpfiles --create
    make_accounts
    make_network
}

test_deploy() {
    local app
    for app in web second; do
        release_install "$app" v1
        release_install "$app" v2
    done
    web_conf web 80 '[drain]' 'timeout = 8s'
    web_conf second 81
    systemctl enable --now bluegreend
    "$bluegreen" deploy web v1
    "$bluegreen" deploy second v1
    expect_eq "v1 v1" "$(answer) $(answer 81)" "answers"
}

test_upgrade_and_rollback_under_load() {
    load_start "${load[@]}"
    "$bluegreen" deploy web v2
    expect_eq v2 "$(answer)" "answer after the upgrade"
    "$bluegreen" rollback web
    expect_eq v1 "$(answer)" "answer after the rollback"
    load_end
}

# Whichever way the kernel lets the agent keep its table: another's flush does not take it away for good.
test_flush_under_load() {
    local report
    load_start "${load[@]}"
    nft flush ruleset
    wait_for 10 answers v1
    nft list table inet bluegreen
    # Whoever connects from now on is served, and a switch works.
    on_client "$TOOLS/load" --json --duration 3 "${load[@]}"
    "$bluegreen" rollback web
    expect_eq v2 "$(answer)" "answer after a switch"
    report=$(load_end) || :
    echo "$report"
    expect_eq true "$(jq '.releases.v1.requests > 0 and .releases.v2.requests > 0' <<<"$report")" "both answered"
}

test_zone_is_in_its_cgroup() {
    local scope=/sys/fs/cgroup/bluegreen.slice/bluegreen-web-green.scope
    expect_eq "$(field web .zones.green.pid)" "$(cat "$scope/payload/main/cgroup.procs")" "processes in the app's cgroup"
    expect_match "memory" "$(cat "$scope/cgroup.controllers")" "controllers of the zone"
}

test_restart_and_kill9_under_load() {
    local before pid
    before=$(zone_pids web; picture_of_limited)
    load_start "${load[@]}"
    systemctl restart bluegreend
    pid=$(agent_pid)
    kill -KILL "$pid"
    wait_for 60 agent_is_back "$pid"
    expect_eq "$before" "$(zone_pids web; picture_of_limited)" "processes and limits of the zones"
    expect_limits
    expect_eq "green v2" "$(field web .live) $(answer)" "live and answer"
    load_end
}

test_stop_one_app() {
    "$bluegreen" stop second
    expect_eq stopped "$(field second .state)" "state"
}

# --- second boot: after an orderly reboot ----------------------------------------------------------------

test_all_is_back_after_a_reboot() {
    make_network
    # Enabled, therefore started by systemd: nobody has called it.
    expect_eq active "$(systemctl is-active bluegreend)" "agent"
    wait_for 60 answers v2
    expect_eq "green v2" "$(field web '"\(.live) \(.zones.green.release)"')" "live"
    # Then the standby, healthy and ready for a rollback.
    wait_for 60 field_is web '"\(.zones.blue.state) \(.zones.blue.release) \(.zones.blue.verdict)"' "standby v1 healthy"
    expect_eq 0 "$(field web '[.zones[].restarts] | add')" "restarts"
    journalctl --quiet --no-pager --output=short-monotonic --unit=bluegreend
    expect_eq "live first" "$(journalctl --quiet --unit=bluegreend --output=cat | live_before_standby)" "order"
}

live_before_standby() {
    awk '/web\/green: v2 was started again/ && !blue { print "live first" }
        /web\/blue: v1 was started again/ { blue = 1 }'
}

test_stopped_app_stays_stopped() {
    expect_eq "stopped" "$(field second .state)" "state"
    expect_eq "" "$(answer 81 || :)" "answer of a stopped app"
    "$bluegreen" start second
    wait_for 60 answers v1 81
}

test_rollback_after_a_reboot() {
    load_start "${load[@]}"
    "$bluegreen" rollback web
    expect_eq v1 "$(answer)" "answer after the rollback"
    "$bluegreen" deploy web v2
    expect_eq v2 "$(answer)" "answer after an upgrade"
    load_end
}

# --- third boot: after the plug was pulled right behind an answer -------------------------------------------

# What the agent answered, it has written.
test_what_was_answered_survived_a_power_cut() {
    make_network
    wait_for 60 answers v1
    expect_eq "running blue v1" "$(field web '"\(.state) \(.live) \(.zones.blue.release)"')" "live"
    wait_for 60 answers v1 81
    "$bluegreen" history web
    expect_match rollback "$("$bluegreen" history web --limit 1)" "the last operation in the history"
    wait_for 60 field_is web .zones.green.state standby
    "$bluegreen" rollback web
    expect_eq v2 "$(answer)" "answer after a rollback"
}

test_teardown() {
    systemctl disable --now bluegreend
    "$bluegreend" --teardown
    expect_eq "" "$(nft list ruleset)" "rule set"
    expect_eq "client" "$(ip netns list | cut -d' ' -f1 | xargs)" "network namespaces"
    expect_eq "" "$(systemctl list-units --all --plain --no-legend 'bluegreen-*.scope')" "scopes"
    expect_eq "" "$(pgrep -a bluegreen-zone || :)" "shims"
}

# ---------------------------------------------------------------------------------------------------------

pull_the_plug_after_a_rollback() {
    "$bluegreen" rollback web >/dev/null 2>&1
    echo b >/proc/sysrq-trigger
}

case ${BOOT:?} in
1)
    run_tests machine deploy upgrade_and_rollback_under_load flush_under_load zone_is_in_its_cgroup \
        limits_are_what_the_app_sees limits_hold restart_and_kill9_under_load \
        memory_that_runs_out_takes_the_whole_app_and_it_comes_back the_agent_comes_and_goes_with_limits_on \
        memory_runs_out_while_the_agent_is_away the_standby_goes_before_the_live_zone stop_one_app
    boot_again systemctl reboot
    ;;
2)
    run_tests all_is_back_after_a_reboot limits_are_back_after_a_reboot stopped_app_stays_stopped rollback_after_a_reboot
    boot_again pull_the_plug_after_a_rollback
    ;;
*)
    run_tests what_was_answered_survived_a_power_cut teardown
    finish
    ;;
esac
