#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Zones whose agent or shim is killed: adopted, or removed without a trace; and what is not theirs to remove.
# tests/drivers/zone_driver.c stands for the agent.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/zone_lib.sh
. "$ROOT/tests/drivers/zone_lib.sh"

traces() {
    ls /sys/class/net /run/netns
    find /sys/fs/cgroup -type d
    cat /proc/mounts
    ls "$WORLD/run/zones"
    pgrep -x bluegreen-zone || :
}

test_exit_is_known_although_nobody_was_there() {
    script late <<'EOS'
sleep 0.3
exit 7
EOS
    driver
    ok create web blue 1
    DELAY=30000 start "$WORLD/app/late"
    ok release
    sleep 0.6
    ok adopt web blue 1
    ok status
    expect_match 'pid 0 .*restarts 0 exit code 7 [0-9]{13} ' "$REPLY" "status"
}

test_agent_killed_and_another_adopts() {
    local first
    driver
    ok create web blue 1
    start /bin/sleep 100
    first=$APP
    kill -9 "$DRIVER_PID"
    wait "$DRIVER_PID" 2>/dev/null || :
    [ -d "/proc/$first" ] || fail "the app ended with the agent"
    driver
    ok adopt web blue 1
    expect_eq "$first" "$(field pid)" "the app's pid"
    refused 17 create web blue 1
    ok stop
    ok wait 2 stopped
    start /bin/sleep 100
    expect_eq "0::/world/web.blue/payload/main" "$(tail -n 1 "/proc/$APP/cgroup")" "cgroup of an app that the second agent started"
    ok destroy
    expect_eq "" "$(pgrep -x bluegreen-zone)" "shims left"
}

test_shim_killed() {
    driver
    ok cycle 1 web blue 1
    local before
    before=$(traces)
    ok create web blue 1
    start /bin/sleep 100
    kill -9 "$(field shim)"
    ok wait 2 gone
    wait_for 2 test ! -d "/proc/$APP"
    ok release
    refused 2 adopt web blue 1
    ok clean web blue 1
    ok clean web blue 1
    expect_eq "$before" "$(traces)" "traces"
    ok create web blue 1
    ok destroy
}

test_sigterm_to_the_shim_ends_the_zone_gracefully() {
    script polite <<'EOS'
trap 'echo bye; exit 0' TERM
echo up
while :; do sleep 0.05; done
EOS
    driver
    ok create web blue 1
    start "$WORLD/app/polite"
    wait_for 5 log_has '^up$'
    kill -TERM "$(field shim)"
    ok wait 3 gone
    expect_match 'bye' "$(cat "$LOG")" "the app's last words"
}

test_hundred_zones_leave_nothing() {
    driver
    ok cycle 3 web blue 1
    local before fds
    before=$(traces)
    ok fds
    fds=$REPLY
    ok cycle 100 web blue 1
    expect_eq "$before" "$(traces)" "traces"
    ok fds
    expect_eq "$fds" "$REPLY" "descriptors"
    expect_eq "" "$(ps -o pid= --ppid "$DRIVER_PID")" "zombies"
}

test_agent_killed_anywhere_leaves_what_clean_removes() {
    local before i
    driver
    ok cycle 1 web blue 1
    before=$(traces)
    for i in $(seq 1 40); do
        printf 'cycle 100 web blue 1\n' | "${DRIVER[@]}" >/dev/null 2>&1 &
        sleep "0.0$((10 + RANDOM % 60))"
        kill -9 $!
        wait $! 2>/dev/null || :
        ok clean web blue 1
        [ "$before" = "$(traces)" ] || fail "after round $i: $(diff <(echo "$before") <(traces))"
    done
}

test_without_cgroups() {
    umount -l /sys/fs/cgroup
    trap 'mount -t cgroup2 cgroup2 /sys/fs/cgroup' EXIT
    driver
    ok describe
    expect_match 'without cgroups and limits: cgroup v2 is not mounted' "$REPLY" "description"
    ok create web blue 1
    start /bin/sleep 100
    ok release
    ok adopt web blue 1
    ok destroy
    expect_eq "" "$(pgrep -x bluegreen-zone; pgrep -x sleep)" "processes left"
}

test_hybrid_cgroups() {
    mount -t tmpfs none /sys/fs/cgroup
    trap 'umount -l /sys/fs/cgroup/unified; umount -l /sys/fs/cgroup' EXIT
    mkdir /sys/fs/cgroup/unified
    mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
    driver
    ok describe
    expect_match '/sys/fs/cgroup/unified/world' "$REPLY" "description"
    ok create web blue 1
    start /bin/sleep 100
    expect_eq "0::/world/web.blue/payload/main" "$(tail -n 1 "/proc/$APP/cgroup")" "the app's cgroup"
    ok destroy
    [ ! -e /sys/fs/cgroup/unified/world ] || fail "the cgroup is left"
}

# The copy of the mounts that each app has must not keep another zone's namespace alive.
test_removed_zone_is_gone_from_other_zones() {
    driver
    ok create web blue 1
    once "create web green 2" "start 1 1 / 1000 100 /bin/sleep 1000"
    local other
    other=$(pgrep -f '^/bin/sleep 1000$')
    expect_match bg-web-blue "$(cat "/proc/$other/mounts")" "mounts of the other zone's app before"
    ok destroy
    expect_no_match bg-web-blue "$(cat "/proc/$other/mounts")" "mounts of the other zone's app"
    once "clean web green 2"
}

test_foreign_names_are_left_alone() {
    driver
    ip link add bg1 type veth peer name other
    refused 17 create web blue 1
    expect_match 'bg1@other' "$(ip link show bg1)" "somebody's link"
    refused 1 clean web blue 1
    expect_match 'somebody else made it' "$REPLY" "reason"
    ip link del bg1
    ok create web blue 1
    expect_eq 1 "$(pgrep -c -x bluegreen-zone)" "shims"
}

test_bad_identities() {
    driver
    refused 22 create ../evil blue 1
    refused 22 clean ../evil blue 1
    refused 34 create web blue 0
    refused 34 create web blue 30000
    expect_eq "" "$(ls "$WORLD/run/zones")" "directories left"
}

test_garbage_for_the_shim() {
    driver
    ok create web blue 1
    start /bin/sleep 100
    ok release
    python3 - "$WORLD/run/zones/web.blue/shim.sock" <<'EOS'
import os, socket, struct, sys
def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(3)
    s.connect(sys.argv[1])
    hello = s.recv(4096)
    assert struct.unpack("=IHHII", hello[:16])[2] == 64, hello
    return s
def ask(s, message):
    s.send(message)
    answer = s.recv(4096)
    return struct.unpack("=IHHII", answer[:16])[2]
MAGIC = 0x315a4742
s = connect()
REFUSED = 67
assert ask(s, b"x") == REFUSED
assert ask(s, os.urandom(1000)) == REFUSED
assert ask(s, struct.pack("=IHHII", MAGIC, 1, 999, 16, 5)) == REFUSED
assert ask(s, struct.pack("=IHHIIHHI", MAGIC, 1, 1, 24, 5, 0x8001, 0, 1 << 31)) == REFUSED
assert ask(s, struct.pack("=IHHII", MAGIC, 1, 1, 16, 5)) == REFUSED
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
assert ask(s, bytes(150000)) == REFUSED
# Descriptors that nobody asked for are closed: see the count below.
fds = [os.open("/dev/null", os.O_RDONLY) for i in range(20)]
for i in range(50):
    socket.send_fds(s, [struct.pack("=IHHII", MAGIC, 1, 999, 16, 5)], fds)
    s.recv(4096)
t = connect()
assert s.recv(4096) == b"", "a new connection replaces the old one"
# One that never reads: the shim goes on.
u = connect()
try:
    u.setblocking(False)
    for i in range(100000):
        u.send(struct.pack("=IHHII", MAGIC, 1, 999, 16, 5))
except BlockingIOError:
    pass
EOS
    ok adopt web blue 1
    expect_eq "$APP" "$(field pid)" "the app's pid"
    local shim count
    shim=$(field shim)
    count=$(find "/proc/$shim/fd" -mindepth 1 | wc -l)
    [ "$count" -le 24 ] || fail "the shim has $count descriptors"
    ok stop
    ok wait 2 stopped
}

test_forwarding_is_put_back() {
    world_net
    sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 net.ipv6.conf.lan0.accept_ra=1
    driver
    ok forward
    expect_match 'net/ipv4/ip_forward 0 -> 1.*lan0/accept_ra 1 -> 2.*all/forwarding 0 -> 1' "$REPLY" "what it says"
    expect_eq "1 1 2" "$(sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv6.conf.lan0.accept_ra | xargs)" "sysctls"
    ok forward
    expect_eq "ok " "$REPLY" "the second time"
    ok restore
    expect_eq "0 0 1" "$(sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv6.conf.lan0.accept_ra | xargs)" "sysctls"
    [ ! -e "$WORLD/state/forwarding" ] || fail "the record is left"
    ok restore
    # What the administrator had, and what he changed since, is his.
    sysctl -qw net.ipv4.ip_forward=1
    ok forward
    expect_no_match 'ip_forward' "$REPLY" "what it says"
    sysctl -qw net.ipv6.conf.lan0.accept_ra=0
    ok restore
    expect_eq "1 0" "$(sysctl -n net.ipv4.ip_forward net.ipv6.conf.lan0.accept_ra | xargs)" "sysctls"
}

run_tests
