#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# bluegreen on a machine that systemd runs, from `make install` to `make uninstall`: one boot of a container, one story.
# BUILD must be built. VERBOSE=1 shows what passing tests said, and times.
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

if [ "${1-}" != --inside ]; then
    needs_guest systemd-nspawn jq curl make
    needs_built
    exec "$ROOT/tests/systemd/boot-container" --timeout 600 "$ROOT/tests/systemd/container.sh" --inside
fi

bluegreen=$PREFIX/bin/bluegreen
bluegreend=$PREFIX/sbin/bluegreend
installed=("$bluegreen" "$bluegreend" "$PREFIX"/libexec/bluegreen/bluegreen-{zone,api,probe,feed}
    "$PREFIX/lib/systemd/system/bluegreend.service" "$PREFIX/lib/sysusers.d/bluegreen.conf"
    "$PREFIX/lib/tmpfiles.d/bluegreen.conf" "$PREFIX/include/bluegreen" "$PREFIX/share/man/man8/bluegreend.8")
load=(--new 2 --keepalive 4 --rate 40 --url http://203.0.113.10:80 --url 'http://[2001:db8:1::10]:80')

# --- installing ------------------------------------------------------------------------------------------

test_install() {
    local file
    make -C "$ROOT" BUILD="$BUILD" PREFIX="$PREFIX" install
    for file in "${installed[@]}" /etc/bluegreen/bluegreen.conf; do
        [ -e "$file" ] || fail "$file was not installed"
    done
    systemctl daemon-reload
    # It asks man for the pages that the unit names, where there is one.
    # shellcheck disable=SC2046 # one word or none
    expect_eq "" "$(systemd-analyze verify $(command -v man >/dev/null || echo --man=no) bluegreend.service 2>&1)" \
        "complaints about the unit"
}

test_users_and_directories() {
    systemd-sysusers
    systemd-tmpfiles --create
    getent group bluegreen || fail "no group bluegreen"
    getent passwd bluegreen-api bluegreen-probe bluegreen-feed || fail "no users for the roles"
    expect_eq "755 root" "$(stat -c '%a %U' /run/bluegreen)" "/run/bluegreen"
    expect_eq "700 root" "$(stat -c '%a %U' /var/lib/bluegreen)" "/var/lib/bluegreen"
    make_accounts
    make_network
}

test_enable() {
    expect_status 3 "$bluegreen" status
    systemctl enable --now bluegreend
    expect_eq "notify active running" "$(systemctl show -P Type -P ActiveState -P SubState bluegreend | xargs)" "unit"
    # Ready means ready: at once, without waiting.
    "$bluegreen" version
    "$bluegreen" status
    expect_eq bluegreend "$(cat "/proc/$(agent_pid)/comm")" "the unit's main process"
}

# --- releasing -------------------------------------------------------------------------------------------

test_deploy() {
    web_conf web 80
    release_install web v1
    release_install web v2
    "$bluegreen" reload
    "$bluegreen" deploy web v1
    expect_eq v1 "$(answer)" "answer through the published port"
    expect_eq "blue running" "$(field web '.live + " " + .state')" "live"
}

# Under the unit's DevicePolicy=closed the agent still has to make a terminal.
test_commands_in_a_zone() {
    expect_eq 3 "$("$bluegreen" exec web -- /bin/sh -c 'exit 3' >/dev/null 2>&1; echo $?)" "the command's exit status"
    expect_eq "$(id -u web)" "$("$bluegreen" exec web -- /usr/bin/id -u </dev/null)" "the command's user"
    expect_match "is a terminal" "$(script -qec "$bluegreen exec web -- /bin/sh -c 'test -t 0 && echo is a terminal'" \
        /dev/null </dev/null)" "a command on a terminal"
    "$bluegreen" logs web -n 1 >/dev/null
}

# The agent becomes the app's user for it, with the capabilities that the unit leaves it.
test_a_hook_on_the_host() {
    install -d -o web /srv/web/notes
    # shellcheck disable=SC2016 # for the program
    printf '#!/bin/bash\n{ id -u; grep -E "^(CapEff|NoNewPrivs)" /proc/self/status; echo "$BLUEGREEN_HOOK $BLUEGREEN_RELEASE"; } >>/srv/web/notes/hook\n' \
        >/srv/web/hook
    chmod 755 /srv/web/hook
    web_conf web 80 '[hooks]' 'test = host: /srv/web/hook' 'timeout = 10s'
    "$bluegreen" deploy web v2
    expect_eq "$(id -u web) CapEff: 0000000000000000 NoNewPrivs: 1 test v2" "$(xargs </srv/web/notes/hook)" "what it was"
    # One that fails keeps the release from going live.
    printf '#!/bin/bash\necho refused; exit 3\n' >/srv/web/hook
    expect_status 1 "$bluegreen" deploy web v1
    expect_match 'hook test failed: exit status 3: refused' "$OUTPUT" "the reason"
    expect_eq v2 "$(answer)" "answer after the refusal"
    web_conf web 80
    "$bluegreen" reload
    "$bluegreen" deploy web v1
    expect_eq v1 "$(answer)" "answer without the hook"
}

test_upgrade_and_rollback_under_load() {
    load_start "${load[@]}"
    "$bluegreen" deploy web v2
    expect_eq v2 "$(answer)" "answer after the upgrade"
    expect_eq "green standby v1" "$(field web '"\(.live) \(.zones.blue.state) \(.zones.blue.release)"')" "status"
    "$bluegreen" rollback web
    expect_eq v1 "$(answer)" "answer after the rollback"
    wait_for 20 field_is web .zones.green.state standby
    load_end
}

# --- where the zones are ---------------------------------------------------------------------------------

cgroup_of() {
    sed -n 's/^0:://p' "/proc/$1/cgroup"
}

# One of the history's entries in the system's journal is so.
told() {
    journalctl --quiet --identifier=bluegreen-history --boot --output=json | jq -es "any(.[]; $1)" >/dev/null
}

test_history_in_the_systems_journal() {
    wait_for 10 told '.BLUEGREEN_VERB == "rollback" and .BLUEGREEN_RESULT == "done"'
    told '.BLUEGREEN_VERB == "deploy" and .BLUEGREEN_APP == "web" and .BLUEGREEN_RELEASE == "v2" and
        .BLUEGREEN_RESULT == "done" and .PRIORITY == "5" and (.BLUEGREEN_DURATION_MS | tonumber) > 0 and
        (.BLUEGREEN_STEPS | test("switch:")) and (.BLUEGREEN_TRANSACTION_US | tonumber) > 0 and
        (.MESSAGE_ID | length) == 32 and ._SYSTEMD_UNIT == "bluegreend.service"' || fail "no end of a deploy"
    told '.BLUEGREEN_VERB == "deploy" and .BLUEGREEN_RELEASE == "v2" and .BLUEGREEN_RESULT == null and .PRIORITY == "6" and
        (.BLUEGREEN_WHO | test("root"))' || fail "no beginning of a deploy"
    told '.BLUEGREEN_RELEASE == "v2" and (.BLUEGREEN_CONNECTIONS // "0" | tonumber) > 0' || fail "not what v2 served"
}

test_each_zone_has_its_scope() {
    local colour shim app scope
    for colour in blue green; do
        scope=bluegreen-web-$colour.scope
        shim=$(field web ".zones.$colour.shim_pid")
        app=$(field web ".zones.$colour.pid")
        expect_eq active "$(systemctl is-active "$scope")" "$scope"
        expect_eq "/bluegreen.slice/$scope/shim" "$(cgroup_of "$shim")" "cgroup of the shim"
        expect_eq "/bluegreen.slice/$scope/payload/main" "$(cgroup_of "$app")" "cgroup of the app"
        expect_match "$app " "$(systemctl status --no-pager --full "$scope")" "systemctl status of $scope"
        expect_eq yes "$(systemctl show -P Delegate "$scope")" "delegation of $scope"
        expect_eq "web" "$(stat -c %U "/proc/$app")" "user of the app"
        # An admin sees the zone's network.
        expect_match ":8080 " "$(ip netns exec "bg-web-$colour" ss -Hltn)" "listening sockets in the zone"
    done
    expect_no_match "bluegreen-zone" "$(systemctl status --no-pager bluegreend)" "the agent's own unit"
}

# Everything that is in the agent's unit, one line.
unit_processes() {
    local pid
    while read -r pid; do
        cat "/proc/$pid/comm"
    done <"/sys/fs/cgroup$(systemctl show -P ControlGroup bluegreend)/cgroup.procs" | sort | xargs
}

# kernel_says PID FIELD: of its status.
kernel_says() {
    sed -n "s/^$2:\t//p" "/proc/$1/status"
}

test_roles_have_no_rights() {
    local pid user seen=
    while read -r pid; do
        user=$(stat -c %U "/proc/$pid")
        expect_eq "1 2" "$(kernel_says "$pid" NoNewPrivs) $(kernel_says "$pid" Seccomp)" "no_new_privs, filter of $user"
        [ "$user" = root ] && continue
        seen="$seen $user"
        expect_eq 0000000000000000 "$(kernel_says "$pid" CapEff)" "capabilities of $user"
        expect_eq 0000000000000000 "$(kernel_says "$pid" CapPrm)" "permitted to $user"
    done <"/sys/fs/cgroup$(systemctl show -P ControlGroup bluegreend)/cgroup.procs"
    expect_match bluegreen-api "$seen" "users of the roles"
    expect_match bluegreen-probe "$seen" "users of the roles"
}

# A setting of the unit that gives the agent mounts of its own would hide its network namespaces from the host.
test_the_unit_hides_nothing_from_the_host() {
    local kind
    for kind in mnt net uts ipc cgroup pid user; do
        expect_eq "$(readlink "/proc/1/ns/$kind")" "$(readlink "/proc/$(agent_pid)/ns/$kind")" "the agent's $kind namespace"
    done
}

# The unit names the capabilities that the agent keeps (tests/world/rights.sh), and the agent has them.
test_the_unit_has_the_agents_capabilities() {
    local names="cap_chown cap_dac_override cap_fowner cap_kill cap_net_admin cap_setgid cap_setpcap cap_setuid \
cap_sys_admin cap_sys_chroot cap_sys_ptrace cap_sys_resource"
    expect_eq "$names" "$(systemctl show -P CapabilityBoundingSet bluegreend | tr ' ' '\n' | sort | xargs)" "the unit's"
    expect_eq "$(capability_names 1 "$names")" "$(capability_names "$(agent_pid)" "$names")" "the agent's"
    expect_eq "$(capability_names "$(agent_pid)")" "$(capability_names "$(agent_pid)" "$names")" "the agent's others"
}

# capability_names PID [NAMES]: what its bounding set has, or of it what is among NAMES.
capability_names() {
    local set number=0 name
    set=$((16#$(kernel_says "$1" CapBnd)))
    setpriv --list-caps | while read -r name; do
        if ((set >> number++ & 1)) && { [ $# -eq 1 ] || [[ " $2 " == *" cap_$name "* ]]; }; then
            echo "$name"
        fi
    done | xargs
}

# The lower the better, by systemd's own count. To lower it further, read what the unit leaves out, and why.
# CAP_SYS_PTRACE, for nudging, is 0.3 of it.
EXPOSURE=7.0
test_exposure_is_no_worse_than_recorded() {
    local found
    found=$(systemd-analyze security --no-pager bluegreend | sed -n 's/.*Overall exposure level .*: \([0-9.]*\) .*/\1/p')
    echo "$found" >"$STATE/exposure"
    [ -n "$found" ] || fail "systemd-analyze says no exposure level"
    awk -v found="$found" -v recorded="$EXPOSURE" 'BEGIN { exit !(found <= recorded) }' ||
        fail "the exposure level is $found, and $EXPOSURE is recorded"
}

# --- the agent comes and goes ----------------------------------------------------------------------------

# What must be the same before and after: zones, their processes, who is live, who answers.
picture() {
    zone_pids web
    field web '[.live, .state, (.zones[] | .release, .restarts)] | map(tostring) | join(" ")'
    answer
}

# The agent is another one, knows everything, and has not doubled anything.
expect_adopted() {
    expect_no_match "^$1\$" "$(agent_pid)" "pid of the agent"
    expect_eq "$2" "$(picture)" "zones, live and answer"
    expect_eq "$3" "$(unit_processes)" "processes of the unit"
    "$bluegreen" rollback web
    "$bluegreen" rollback web
    wait_for 20 field_is web '[.zones[].state] | sort | join(" ")' "live standby"
}

test_restart_under_load() {
    local pid before processes
    pid=$(agent_pid) before=$(picture) processes=$(unit_processes)
    load_start "${load[@]}"
    systemctl restart bluegreend
    systemctl restart bluegreend
    expect_adopted "$pid" "$before" "$processes"
    load_end
}

test_kill9_under_load() {
    local pid before processes
    pid=$(agent_pid) before=$(picture) processes=$(unit_processes)
    load_start "${load[@]}"
    kill -KILL "$pid"
    wait_for 20 agent_is_back "$pid"
    expect_eq 1 "$(systemctl show -P NRestarts bluegreend)" "restarts counted by systemd"
    expect_adopted "$pid" "$before" "$processes"
    load_end
}

test_stop_and_start_under_load() {
    local pid before processes unit
    pid=$(agent_pid) before=$(picture) processes=$(unit_processes)
    unit=/sys/fs/cgroup$(systemctl show -P ControlGroup bluegreend)
    load_start "${load[@]}"
    systemctl stop bluegreend
    expect_eq inactive "$(systemctl is-active bluegreend || :)" "unit"
    expect_eq "" "$(cat "$unit/cgroup.procs" 2>/dev/null)" "processes left in the unit"
    expect_status 3 "$bluegreen" status web
    expect_eq v1 "$(answer)" "answer without an agent"
    expect_eq active "$(systemctl is-active bluegreen-web-blue.scope)" "the live zone's scope"
    systemctl start bluegreend
    expect_adopted "$pid" "$before" "$processes"
    load_end
}

test_app_dies_while_the_agent_is_away() {
    local pid
    pid=$(field web .zones.blue.pid)
    systemctl stop bluegreend
    kill -KILL "$pid"
    wait_for 20 answers v1
    systemctl start bluegreend
    expect_eq "1 9" "$(field web '.zones.blue | "\(.restarts) \(.last_exit.signal)"')" "restarts and last signal"
    expect_no_match "^$pid\$" "$(field web .zones.blue.pid)" "pid of the app"
}

# --- configuration ---------------------------------------------------------------------------------------

test_reload() {
    local pid
    pid=$(agent_pid)
    web_conf second 81
    release_install second v1
    systemctl reload bluegreend
    expect_eq "second web" "$("$bluegreen" status --names | sort | xargs)" "apps"
    expect_eq "$pid active" "$(agent_pid) $(systemctl is-active bluegreend)" "agent"
    "$bluegreen" deploy second v1
    expect_eq v1 "$(answer 81)" "answer of the second app"
}

test_reload_of_nonsense_changes_nothing() {
    cp /etc/bluegreen/apps/second.conf "$STATE/second.conf"
    echo 'colour = mauve' >>/etc/bluegreen/apps/second.conf
    systemctl reload bluegreend || :
    expect_eq active "$(systemctl is-active bluegreend)" "agent"
    wait_for 10 journal_says 'second.conf.*colour'
    expect_eq "v1 v1" "$(answer) $(answer 81)" "answers"
    expect_status 2 "$bluegreen" check
    expect_match 'second.conf.*health.*colour' "$OUTPUT" "complaint"
    # A restart with it: what runs goes on, and is still there to be operated.
    systemctl restart bluegreend
    expect_eq "v1 v1" "$(answer) $(answer 81)" "answers after a restart"
    expect_eq "running running" "$(field web .state) $(field second .state)" "apps after a restart"
    mv "$STATE/second.conf" /etc/bluegreen/apps/second.conf
    systemctl reload bluegreend
    "$bluegreen" check
}

journal_says() {
    journalctl --quiet --unit=bluegreend --since=-60s | grep -q "$1"
}

# --- stopping an app -------------------------------------------------------------------------------------

test_stopped_app_stays_stopped() {
    "$bluegreen" stop web
    expect_eq "stopped null" "$(field web '"\(.state) \(.live)"')" "status"
    expect_eq "" "$(answer || :)" "answer of a stopped app"
    expect_eq "inactive inactive" "$(systemctl is-active bluegreen-web-{blue,green}.scope | xargs)" "scopes"
    systemctl restart bluegreend
    expect_eq "stopped" "$(field web .state)" "state after a restart"
    expect_eq "" "$(answer || :)" "answer after a restart"
    expect_eq v1 "$(answer 81)" "answer of the other app"
    "$bluegreen" start web
    wait_for 20 answers v1
    expect_eq "running" "$(field web .state)" "state"
}

# --- who may do what -------------------------------------------------------------------------------------

test_rights() {
    local live
    live=$(field web .live)
    as_user nosy "$bluegreen" status web >/dev/null
    expect_status 1 as_user nosy "$bluegreen" deploy web v2
    expect_match bluegreen "$OUTPUT" "what the refusal says"
    expect_status 1 as_user nosy "$bluegreen" stop web
    expect_eq "$live" "$(field web .live)" "live after what was refused"
    as_user oper "$bluegreen" deploy web v2
    expect_eq v2 "$(answer)" "answer after what a member of the group did"
    expect_match oper "$("$bluegreen" history web --json)" "who, in the history"
}

# --- leaving ---------------------------------------------------------------------------------------------

# Everything of ours that a machine could show.
traces() {
    nft list tables
    find /run/netns -mindepth 1 ! -name client
    find /sys/class/net -name 'bg*'
    systemctl list-units --all --plain --no-legend 'bluegreen-*.scope'
    find /sys/fs/cgroup -path '*bluegreen*' -type d ! -path '*/bluegreend.service*'
    pgrep -a bluegreen-zone
    pgrep -a -f /srv/
    :
}

test_teardown() {
    local before after
    before=$(traces)
    expect_match "inet bluegreen" "$before" "traces before"
    expect_match "bluegreen-web-blue.scope" "$before" "traces before"
    systemctl disable --now bluegreend
    "$bluegreend" --teardown
    after=$(traces)
    expect_eq "" "$after" "traces after the teardown"
    expect_eq "0 0" "$(cat /proc/sys/net/ipv{4/ip_forward,6/conf/all/forwarding} | xargs)" "forwarding"
    # Once more finds nothing to do.
    "$bluegreend" --teardown
}

test_uninstall() {
    local file
    make -C "$ROOT" BUILD="$BUILD" PREFIX="$PREFIX" uninstall
    systemctl daemon-reload
    for file in "${installed[@]}"; do
        [ ! -e "$file" ] || fail "$file is still there"
    done
    [ -e /etc/bluegreen/apps/web.conf ] || fail "the configuration is gone"
    [ -d /var/lib/bluegreen ] || fail "the state is gone"
    expect_match "could not be found|not-found" "$(systemctl status bluegreend 2>&1 || :)" "the unit"
}

run_tests install users_and_directories enable deploy commands_in_a_zone a_hook_on_the_host \
    upgrade_and_rollback_under_load \
    history_in_the_systems_journal \
    each_zone_has_its_scope roles_have_no_rights the_unit_hides_nothing_from_the_host \
    the_unit_has_the_agents_capabilities exposure_is_no_worse_than_recorded \
    restart_under_load kill9_under_load stop_and_start_under_load app_dies_while_the_agent_is_away \
    reload reload_of_nonsense_changes_nothing stopped_app_stays_stopped rights teardown uninstall
echo "systemd-analyze security bluegreend: $(cat "$STATE/exposure"), recorded: $EXPOSURE"
finish
