#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Zones as the kernel has them: made, and run in. tests/drivers/zone_driver.c stands for the agent; the commands are
# described there.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/zone_lib.sh
. "$ROOT/tests/drivers/zone_lib.sh"

test_network_of_a_zone() {
    driver
    ok create web blue 1
    expect_match 'group 4802' "$(ip link show bg1)" "host link"
    expect_match 'inet 10.201.0.1/32 ' "$(ip addr show bg1)" "host address"
    local zone
    zone=$(ip netns exec bg-web-blue ip addr show eth0)
    expect_match 'NOARP.*UP' "$zone" "zone link"
    expect_match 'inet 10.201.0.2/32 .*inet 10.201.0.3/32 ' "$zone" "service address before egress address"
    expect_match 'fd00:b9::3/128 scope global nodad deprecated' "$zone" "egress address is nobody's first choice"
    expect_match 'fd00:b9::2/128 scope global nodad *$' "$(ip -n bg-web-blue -6 addr show eth0 | grep b9::2)" "service address"
    expect_match 'default via 10.201.0.1 .*src 10.201.0.2' "$(ip -n bg-web-blue route)" "default route"
    expect_match 'src fd00:b9::2' "$(ip -n bg-web-blue -6 route show default)" "IPv6 default route"
    expect_eq 4 "$( (ip neigh show dev bg1; ip -6 neigh show dev bg1) | sort -u | grep -c PERMANENT)" "fixed neighbours of the host"
    expect_eq 0 "$(ip netns exec bg-web-blue cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" "first port of the people"
    expect_eq "1 1 600 16777216" "$(cd /proc/sys/net/ipv4 && cat conf/bg1/route_localnet conf/bg1/forwarding \
        neigh/bg1/mcast_solicit neigh/bg1/unres_qlen_bytes | xargs)" "IPv4 settings of the link"
    expect_eq "0 600 16777216" "$(cd /proc/sys/net/ipv6 && cat conf/bg1/accept_ra neigh/bg1/mcast_solicit \
        neigh/bg1/unres_qlen_bytes | xargs)" "IPv6 settings of the link"
    # A refusal is an answer.
    expect_match refused "$(timeout 3 bash -c ': </dev/tcp/10.201.0.2/9' 2>&1)" "the zone's answer"
    expect_match refused "$(timeout 3 bash -c ': </dev/tcp/fd00:b9::2/9' 2>&1)" "the zone's answer by IPv6"
}

test_app_is_confined() {
    script look <<'EOS'
id
grep -E '^(Cap|NoNewPrivs|SigBlk|SigIgn|Umask)' /proc/self/status
echo "cgroup $(tail -n 1 /proc/self/cgroup)"
ls /proc/self/fd | xargs echo fds
echo "oom $(cat /proc/self/oom_score_adj)"
echo "host $(hostname)"
echo "pids $(ls -d /proc/[0-9]* | wc -l)"
echo "tmp $(ls -A /tmp | wc -l) $(stat -f -c %T /tmp) $(stat -c %a /tmp)"
echo "shm $(ls -A /dev/shm | wc -l)"
echo "env $(env | grep -v -E '^(_|PWD|SHLVL)=')"
echo "dir $(pwd)"
echo "stdin $(readlink /proc/$$/fd/0)"
echo again >/dev/stdout && echo "stdout can be opened"
echo done
sleep 100
EOS
    touch /tmp/of-the-host /dev/shm/of-the-host
    driver
    ok create web blue 1
    start "$WORLD/app/look"
    wait_for 5 log_has '^done'
    rm -f /dev/shm/of-the-host
    local seen
    seen=$(cat "$LOG")
    expect_match "uid=$(id -u web)\(web\) gid=$(id -g web)\(web\) groups=$(id -g web)\(web\)"$'\n' "$seen" "user"
    local set
    for set in Inh Prm Eff Bnd Amb; do
        expect_match "Cap$set:"$'\t'"0000000000000000" "$seen" "capabilities"
    done
    expect_match "NoNewPrivs:"$'\t'"1" "$seen" "no_new_privs"
    expect_match "SigBlk:"$'\t'"0000000000000000" "$seen" "blocked signals"
    expect_match "SigIgn:"$'\t'"0000000000000000" "$seen" "ignored signals"
    expect_match "Umask:"$'\t'"0022" "$seen" "umask"
    expect_match "cgroup 0::/"$'\n' "$seen" "cgroup, as the app sees it"
    # 3 is the directory that ls reads.
    expect_match "fds 0 1 2 3"$'\n' "$seen" "descriptors"
    expect_match "oom 500"$'\n' "$seen" "oom_score_adj"
    expect_match "host zone-under-test"$'\n' "$seen" "host name"
    expect_match "tmp 0 tmpfs 1777"$'\n' "$seen" "/tmp"
    expect_match "shm 0"$'\n' "$seen" "/dev/shm"
    expect_match "env PATH=/usr/bin:/bin:/usr/sbin:/sbin"$'\n' "$seen" "environment"
    expect_match "dir /"$'\n' "$seen" "working directory"
    expect_match "stdin /dev/null" "$seen" "stdin"
    expect_match "stdout can be opened" "$seen" "/dev/stdout"
    [[ $seen =~ pids\ ([0-9]+) ]] || fail "no pids in: $seen"
    [ "${BASH_REMATCH[1]}" -le 5 ] || fail "the app sees processes of others: $seen"
    [ "$(field pid)" = "$APP" ] || fail "status says another pid than start"
    expect_eq "$WORLD/app/look" "$(tr '\0' '\n' <"/proc/$APP/cmdline" | sed -n 2p)" "the pid is the app's"
    expect_eq "0::/world/web.blue/payload/main" "$(tail -n 1 "/proc/$APP/cgroup")" "the app's cgroup"
    expect_eq "0::/world/web.blue/shim" "$(tail -n 1 "/proc/$(field shim)/cgroup")" "the shim's cgroup"
    expect_eq "bluegreen-world" "$(hostname)" "the host's name"
}

test_root_app_has_no_rights() {
    script look <<'EOS'
grep ^CapEff /proc/self/status
mount -t tmpfs none /mnt 2>/dev/null && echo "could mount"
echo x >/etc/resolv.conf 2>/dev/null && echo "could write resolv.conf"
kill -TERM 1
kill -KILL 1
echo done
sleep 100
EOS
    driver
    ok create web blue 1
    ok start 0 0 / 1000 100 "$WORLD/app/look"
    APP=${REPLY##* }
    wait_for 5 log_has '^done'
    expect_match 'CapEff:.0000000000000000' "$(cat "$LOG")" "capabilities of a root app"
    expect_no_match 'could' "$(cat "$LOG")" "what a root app could do"
    sleep 0.2
    ok status
    expect_match "^ok pid $APP " "$REPLY" "status after the app told the shim to stop"
}

test_shim_is_small_and_guarded() {
    driver
    ok create web blue 1
    start /bin/sleep 100
    local shim rss
    shim=$(field shim)
    rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$shim/status")
    [ "$rss" -le 1024 ] || fail "the shim takes $rss KiB"
    expect_match '^CapEff:.00000000002c11e3$' "$(grep ^CapEff "/proc/$shim/status")" "the shim's capabilities"
    expect_eq "$(readlink /proc/self/ns/mnt)" "$(readlink "/proc/$shim/ns/mnt")" "the shim's mount namespace"
    expect_status 2 setpriv --reuid web --regid web --clear-groups ls "$WORLD/run/zones/web.blue"
    expect_eq 700 "$(stat -c %a "$WORLD/run/zones/web.blue")" "the socket's directory"
    # Not every machine lets root do that.
    ! (echo -500 >/proc/self/oom_score_adj) 2>/dev/null || [ "$(cat "/proc/$shim/oom_score_adj")" -lt 0 ] ||
        fail "the shim is killed as soon as its app"
    [ "$(stat -c %U "/proc/$shim/status")" = root ] || fail "not root's"
}

# The host's resolv.conf names a stub on the loopback, as with systemd-resolved: a link into /run.
test_resolv_conf_of_a_stub() {
    cp -a /etc "$WORLD/etc.copy"
    mount --bind "$WORLD/etc.copy" /etc
    trap 'umount -l /etc' EXIT
    mkdir -p /run/systemd/resolve
    echo 'nameserver 127.0.0.53' >/run/systemd/resolve/stub-resolv.conf
    printf 'nameserver 192.0.2.53\nnameserver 127.0.0.1\nsearch example.net\n' >/run/systemd/resolve/resolv.conf
    rm -f /etc/resolv.conf
    ln -s ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
    printf '127.0.1.1 myhost\n203.0.113.77 database\n' >/etc/hosts
    script look <<'EOS'
while :; do
    echo "-- $(cat /etc/resolv.conf | xargs)"
    sleep 0.1
done
EOS
    driver
    ok create web blue 1
    start "$WORLD/app/look"
    wait_for 5 log_has '^-- nameserver 192.0.2.53 search example.net$'
    # Replaced by rename, as resolved does: a mount on the file itself would be gone now.
    echo 'nameserver 127.0.0.53' >/run/systemd/resolve/new
    mv /run/systemd/resolve/new /run/systemd/resolve/stub-resolv.conf
    sleep 0.3
    expect_eq "" "$(grep -v '^-- nameserver 192.0.2.53 search example.net$' "$LOG")" "resolv.conf, seen over time"
    local hosts
    hosts=$(cat "/proc/$APP/root/etc/hosts")
    expect_match '^127.0.0.1 localhost' "$hosts" "hosts"
    expect_match '10.201.0.2 zone-under-test' "$hosts" "hosts"
    expect_match '203.0.113.77 database' "$hosts" "hosts"
    expect_no_match myhost "$hosts" "hosts"
}

test_ports_and_egress() {
    world_net
    driver
    ok forward
    ok create web blue 1
    mkdir -p "$WORLD/app" # the app's user may not be able to reach the build directory
    cp "$BUILD/demo/web" "$WORLD/app/web"
    start "$WORLD/app/web" --port 80
    wait_for 5 curl -sf -o /dev/null http://10.201.0.2/healthz
    curl -sf -o /dev/null 'http://[fd00:b9::2]/healthz' || fail "not reached by IPv6"
    ok connect 80
    refused 111 connect 81
    background on_client "$BUILD/demo/web" --port 7000
    wait_for 5 on_client curl -sf -o /dev/null http://127.0.0.1:7000/healthz
    # Without a rule set nothing masquerades; the client has a route to the zones.
    ip netns exec bg-web-blue curl -sf -m 5 -o /dev/null http://203.0.113.2:7000/healthz || fail "no egress"
    ip netns exec bg-web-blue curl -sf -m 5 -o /dev/null 'http://[2001:db8:1::2]:7000/healthz' || fail "no IPv6 egress"
}

# An agent that takes over in the middle of a hold cannot know who waits already.
test_a_plug_is_put_in_again() {
    local url clients=()
    driver
    ok create web blue 1
    cp "$BUILD/demo/web" "$WORLD/app/web"
    start "$WORLD/app/web" --port 80
    wait_for 5 curl -sf -o /dev/null http://10.201.0.2/healthz
    ok plug
    for url in http://10.201.0.2/healthz 'http://[fd00:b9::2]/healthz'; do
        background curl -sf -m 20 -o /dev/null "$url"
        clients+=($!)
    done
    sleep 0.3
    ok plug
    sleep 0.3
    kill -0 "${clients[@]}" || fail "somebody waits no more"
    ok unplug
    wait "${clients[0]}" || fail "the client of IPv4 was not answered"
    wait "${clients[1]}" || fail "the client of IPv6 was not answered"
}

test_restart_with_growing_pauses() {
    script crash <<'EOS'
date +%s%N
exit 3
EOS
    driver
    ok create web blue 1
    start "$WORLD/app/crash"
    local i
    for i in 1 2 3 4; do
        ok wait 5 exited
    done
    expect_eq 3 "$(field restarts)" "restarts"
    expect_match 'pid 0 .*exit code 3 [0-9]+ ' "$REPLY$(zd status; echo "$REPLY")" "status"
    mapfile -t at <"$LOG"
    for i in 1 2 3; do
        local pause=$(((at[i] - at[i - 1]) / 1000000)) wanted=$((100 << (i - 1)))
        if [ "$pause" -lt "$wanted" ] || [ "$pause" -ge $((wanted + 300)) ]; then
            fail "pause $i took $pause ms, wanted $wanted"
        fi
    done
    ok stop
    ok wait 1 stopped
    sleep 1
    expect_eq 4 "$(wc -l <"$LOG")" "starts after stop"
}

test_leftovers_end_with_the_app() {
    script fork <<'EOS'
sleep 1000 &
setsid sleep 2000 &
[ -e "$1/again" ] && exec sleep 100
touch "$1/again"
exit 0
EOS
    mkdir -m 777 "$WORLD/flag"
    driver
    ok file write "$WORLD/flag"
    ok create web blue 1
    start "$WORLD/app/fork" "$WORLD/flag"
    ok wait 5 running
    wait_for 5 pgrep -f '^sleep 2000$' >/dev/null
    wait_for 5 pgrep -f '^sleep 100$' >/dev/null
    expect_eq 1 "$(pgrep -c -f '^sleep 1000$')" "children of the first run that are left, and of the second"
    expect_eq 1 "$(pgrep -c -f '^sleep 2000$')" "orphans of the first run that are left, and of the second"
    ok stop
    ok wait 3 stopped
    expect_eq 0 "$(pgrep -c '^sleep$')" "processes after stop"
}

test_stop() {
    script polite <<'EOS'
trap 'echo stopping; exit 5' TERM
echo up
while :; do sleep 0.05; done
EOS
    script stubborn <<'EOS'
trap '' TERM
echo up2
while :; do sleep 0.05; done
EOS
    driver
    ok create web blue 1
    start "$WORLD/app/polite"
    wait_for 5 log_has '^up$'
    ok stop
    ok wait 2 stopped
    ok status
    expect_match 'pid 0 .*restarts 0 exit code 5 ' "$REPLY" "status after a polite end"
    STOP=300 start "$WORLD/app/stubborn"
    wait_for 5 log_has '^up2$'
    local began=$EPOCHREALTIME took
    ok stop
    ok wait 2 stopped
    took=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))
    if [ "$took" -lt 300 ] || [ "$took" -ge 1500 ]; then
        fail "a stubborn app took $took ms, its stop_timeout is 300 ms"
    fi
    ok status
    expect_match 'exit signal 9 ' "$REPLY" "status after a forced end"
    # Stopping what does not run is no failure.
    ok stop
    ok wait 1 stopped
}

test_start_failures_say_where_and_why() {
    driver
    ok create web blue 1
    refused 2 start 1 1 / 1000 100 /bin/no-such-file
    expect_match 'start web/blue: execute /bin/no-such-file: No such file' "$REPLY" "missing file"
    refused 2 start 1 1 /no/such/dir 1000 100 /bin/true
    expect_match 'working directory /no/such/dir' "$REPLY" "missing directory"
    local here=$WORLD/app
    : >"$here/plain"
    refused 13 start 1 1 / 1000 100 "$here/plain"
    mkdir -m 700 "$here/closed"
    refused 13 start 1 1 "$here/closed" 1000 100 /bin/true
    printf 'no program\n' >"$here/text"
    chmod 755 "$here/text"
    refused 8 start 1 1 / 1000 100 "$here/text"
    printf '#!/no/interpreter\n' >"$here/text"
    refused 2 start 1 1 / 1000 100 "$here/text"
    refused 7 big 2000
    expect_eq 0 "$(field pid)" "pid after failures"
    ok big 1000
    ok wait 5 exited
    start /bin/sleep 100
    refused 16 start 1 1 / 1000 100 /bin/true
    expect_eq "$APP" "$(field pid)" "the app goes on"
}

test_executable_that_vanishes() {
    script once <<'EOS'
rm "$0" || mv "$0" "$0.away"
exit 0
EOS
    chmod 777 "$WORLD/app"
    driver
    ok file none
    ok file write "$WORLD/app"
    ok create web blue 1
    start "$WORLD/app/once"
    ok wait 5 exited
    ok wait 5 exited
    ok status
    expect_match 'exit code 127 ' "$REPLY" "status of what could not be started again"
    expect_match "bluegreen-zone: start main: execute $WORLD/app/once: ENOENT" "$(cat "$LOG")" "the log says why"
}

test_a_shim_that_ends_at_once() {
    DRIVER[4]=/bin/false
    driver
    refused 2 create web blue 1
    # Whichever of the two is met first: it is gone, or its socket is not there.
    expect_match '(it is ending|shim.sock: .*); the shim exited with code 1' "$REPLY"
    kill "$DRIVER_PID"
    script crash <<<"exec perl -e 'unpack \"P8\", pack(\"Q\", 1)'" # a real fault: nobody can send PID 1 a signal
    DRIVER[4]=$WORLD/app/crash
    driver
    refused 2 create web blue 1
    expect_match '(it is ending|shim.sock: .*); the shim was ended by signal 11' "$REPLY"
}

test_a_zone_that_is_full() {
    driver
    ok create web blue 1
    start /bin/sleep 1000
    local i
    for i in {1..23}; do
        ok set process "p$i"
        start /bin/sleep 1000
    done
    ok set process one-more
    refused 11 start 1 1 / 1000 100 /bin/true
    expect_match 'start web/blue one-more: 24 processes run in the zone, .* wait until checks or commands' "$REPLY"
    ok stop p7
    ok wait 5 stopped p7
    start /bin/true
}

test_log_is_rotated() {
    script chatter <<'EOS'
seq -f '%.0f a line of the log that is as long as lines of logs are, more or less' 1 340000
echo the end
sleep 100
EOS
    driver
    ok create web blue 1
    start "$WORLD/app/chatter"
    ok release
    # Nobody is connected: the shim does it alone.
    wait_for 20 log_has '^the end$'
    expect_eq 10485760 "$(stat -c %s "$LOG.1")" "size of the former file"
    [ "$(stat -c %s "$LOG")" -le 10485760 ] || fail "the log has $(stat -c %s "$LOG") bytes"
    # What is there is whole and in order.
    cat "$LOG.1" "$LOG" | tail -n +2 | grep '^[0-9]' | awk '{ if (NR > 1 && $1 != last + 1) exit 1; last = $1 } END { if (last != 340000) exit 1 }' ||
        fail "lines are missing"
    expect_eq 640 "$(stat -c %a "$LOG")" "mode"
}

test_full_disk_does_not_stop_the_app() {
    mkdir -p "$WORLD/state"
    mount -t tmpfs -o size=1m none "$WORLD/state"
    trap 'umount -l "$WORLD/state"' EXIT
    script chatter <<'EOS'
seq 1 1000000
touch "$1/finished"
sleep 100
EOS
    mkdir -m 777 "$WORLD/flag"
    driver
    ok file write "$WORLD/flag"
    ok create web blue 1
    start "$WORLD/app/chatter" "$WORLD/flag"
    wait_for 10 test -e "$WORLD/flag/finished"
    ok destroy
}

run_tests
