#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# [feed] on a machine that systemd runs: its role outlives the agent's unit, and goes with the apps. One boot of a
# container, one story. BUILD must be built. VERBOSE=1 shows what passing tests said, and times.
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

if [ "${1-}" != --inside ]; then
    needs_guest systemd-nspawn jq curl make
    needs_built
    exec "$ROOT/tests/systemd/boot-container" --timeout 300 "$ROOT/tests/systemd/feed.sh" --inside
fi

bluegreen=$PREFIX/bin/bluegreen
bluegreend=$PREFIX/sbin/bluegreend
DATA=/srv/data

# --- an app that keeps what it is sent, and its clients -------------------------------------------------------

fed_conf() {
    mkdir -p /etc/bluegreen/apps
    {
        printf '[app]\nname = web\nuser = web\nrun = /srv/web/%%r/bin/web --port 8080 %s/ids.%%z\n' "$DATA"
        printf '[ports]\nhttp = 80 -> 8080/tcp\n[files]\nwrite = %s\n[drain]\ntimeout = 2s\n' "$DATA"
        printf '[health]\nhttp = :8080/healthz\ninterval = 200ms\npasses = 2\n[feed]\nmode = http\n'
    } >/etc/bluegreen/apps/web.conf
}

write_start() {
    ip netns exec client "$TOOLS/writer" 203.0.113.10 80 4 100 >"$STATE/acks" 2>"$STATE/figures" &
    WRITER=$!
    sleep 0.5
}

# Nobody failed, and what was acknowledged is in both zones, once.
write_end() {
    local zone
    kill -TERM "$WRITER"
    wait "$WRITER"
    cat "$STATE/figures"
    expect_match 'good [1-9][0-9]* refused 0 broken 0' "$(cat "$STATE/figures")" "clients"
    wait_for 20 field_is web '"\(.feed.state) \(.feed.live == .live)"' "in step true"
    sed -n 's/ 201$//p' "$STATE/acks" | sort >"$STATE/acked"
    for zone in blue green; do
        expect_eq '' "$(cut -d' ' -f1 "$DATA/ids.$zone" | sort | comm -13 - "$STATE/acked" | head -3)" "missing in $zone"
        expect_eq '' "$(cut -d' ' -f2 "$DATA/ids.$zone" | sort | uniq -d | head -3)" "twice in $zone"
    done
}

role_pid() {
    cat /run/bluegreen/feed/web.pid
}

kernel_says() {
    sed -n "s/^$2:\t//p" "/proc/$1/status"
}

unit_processes() {
    xargs <"/sys/fs/cgroup$(systemctl show -P ControlGroup bluegreend)/cgroup.procs" || :
}

# --- the story ---------------------------------------------------------------------------------------------

test_install_and_deploy() {
    make -C "$ROOT" BUILD="$BUILD" PREFIX="$PREFIX" install
    systemctl daemon-reload
    systemd-sysusers
    systemd-tmpfiles --create
    make_accounts
    make_network
    install -d -o web "$DATA"
    fed_conf
    for release in v1 v2; do
        release_install web "$release"
        install -m 755 "$TOOLS/keeper" "/srv/web/$release/bin/web"
    done
    systemctl enable --now bluegreend
    "$bluegreen" deploy web v1
    "$bluegreen" deploy web v2
    write_start
    sleep 1
    write_end
}

test_rights() {
    local pid
    pid=$(role_pid)
    expect_eq bluegreen-feed "$(stat -c %U "/proc/$pid/task")" "the role's user"
    expect_eq "0000000000000000 0000000000000000" "$(kernel_says "$pid" CapPrm) $(kernel_says "$pid" CapBnd)" "capabilities"
    expect_eq "1 2" "$(kernel_says "$pid" NoNewPrivs) $(kernel_says "$pid" Seccomp)" "no_new_privs, filter"
    expect_eq "700 root" "$(stat -c '%a %U' /var/lib/bluegreen/feed)" "the feeds' directory"
    expect_eq "700 bluegreen-feed" "$(stat -c '%a %U' /var/lib/bluegreen/feed/web)" "the journal's directory"
    expect_eq "700 root" "$(stat -c '%a %U' /run/bluegreen/feed)" "where the next agent finds it"
    expect_eq "/bluegreen.slice/bluegreen-web-feed.scope" "$(sed -n 's/^0:://p' "/proc/$pid/cgroup")" "its cgroup"
    expect_no_match "\\b$pid\\b" "$(unit_processes)" "the agent's unit"
}

test_restart() {
    local pid agent
    pid=$(role_pid) agent=$(agent_pid)
    write_start
    systemctl restart bluegreend
    sleep 0.5
    systemctl restart bluegreend
    "$bluegreen" rollback web
    expect_no_match "^$agent\$" "$(agent_pid)" "pid of the agent"
    expect_eq "$pid" "$(role_pid)" "pid of the role"
    write_end
}

test_kill9() {
    local pid agent
    pid=$(role_pid) agent=$(agent_pid)
    write_start
    kill -KILL "$agent"
    wait_for 20 agent_is_back "$agent"
    "$bluegreen" rollback web
    expect_eq "$pid" "$(role_pid)" "pid of the role"
    write_end
}

# As a package does it: new files, then a restart. The role goes on as it is.
test_upgrade() {
    local pid
    pid=$(role_pid)
    write_start
    make -C "$ROOT" BUILD="$BUILD" PREFIX="$PREFIX" install
    systemctl daemon-reload
    systemctl restart bluegreend
    "$bluegreen" rollback web
    expect_eq "$pid" "$(role_pid)" "pid of the role"
    write_end
}

test_stop_and_start() {
    local pid
    pid=$(role_pid)
    write_start
    systemctl stop bluegreend
    expect_eq "" "$(unit_processes)" "processes left in the unit"
    expect_eq active "$(systemctl is-active bluegreen-web-feed.scope)" "the role's scope"
    sleep 1
    on_client curl -sf -m 5 -d x http://203.0.113.10/add/without-an-agent
    systemctl start bluegreend
    expect_no_match 'left-over|unclean termination' "$(journalctl --quiet --unit=bluegreend --boot)" "systemd's complaints"
    expect_eq "$pid" "$(role_pid)" "pid of the role"
    "$bluegreen" rollback web
    write_end
    expect_eq 2 "$(cat "$DATA"/ids.* | grep -c without-an-agent)" "zones that have what came without an agent"
}

# With it the role's own end, while systemd looks after the agent.
test_role_dies() {
    local pid
    pid=$(role_pid)
    kill -KILL "$pid"
    wait_for 5 role_is_back "$pid"
    wait_for 5 field_is web .feed.state "in step"
    expect_eq active "$(systemctl is-active bluegreen-web-feed.scope)" "the role's scope"
}

role_is_back() {
    local pid
    pid=$(role_pid 2>/dev/null) && [ "$pid" != "$1" ] && [ -d "/proc/$pid" ]
}

traces() {
    grep -slx bluegreen-feed /proc/[0-9]*/comm
    find /run/bluegreen/feed -mindepth 1
    systemctl list-units --all --plain --no-legend 'bluegreen-*.scope'
    :
}

test_stop_the_app() {
    "$bluegreen" stop web
    sleep 0.5
    expect_eq "" "$(traces)" "traces of a stopped app"
    "$bluegreen" start web
    wait_for 5 field_is web .feed.state "in step"
}

test_teardown() {
    expect_match feed "$(traces)" "traces before"
    systemctl disable --now bluegreend
    "$bluegreend" --teardown
    expect_eq "" "$(traces)" "traces after the teardown"
    make -C "$ROOT" BUILD="$BUILD" PREFIX="$PREFIX" uninstall
    [ ! -e "$PREFIX/libexec/bluegreen/bluegreen-feed" ] || fail "the role's program is still there"
}

run_tests install_and_deploy rights restart kill9 upgrade stop_and_start role_dies stop_the_app teardown
finish
