#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What gets out of a zone: tests/tools/escape.c tries, as an app under the default sandbox, once with a user of its own and
# once as root. Every attempt is a test. The control runs the same program as root of the world, outside of any zone:
# what does not succeed there could not have failed here. Arguments choose among: user root control.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

COUNT=0 FAILED=0
MARKER=bluegreen-escape-$$
# Beside the world's own directory, which lies below /run and would be hidden for that reason alone.
PLACE=/mnt

# What control may fail at, because a kernel may lack it or a machine may not have it.
OPTIONAL=(real-time oom-score raise-limit sysrq io-uring bpf perf-event userfaultfd fanotify add-key keyctl
    request-key foreign-calls x32-calls init-module finit-module delete-module kexec swap accounting quota
    kcore keys key-users timer-list kmsg-file page-flags interrupt-affinity firmware power disk loop-device
    memory-device kernel-log-device tunnel-device console algorithm-socket machine-socket cgroup-limit
    terminal-input terminal-input-high-bits ports)

verdict() {
    COUNT=$((COUNT + 1))
    printf '%s\n' "$1"
    [[ $1 != "not ok"* ]] || FAILED=1
}

# Hides what the machine has in $1 behind something that a zone must not see.
bait() {
    case "$ROOT:$BUILD" in *"$1"/*) return ;; esac
    mount -t tmpfs -o mode=755 none "$1"
    echo secret >"$1/secret"
    chmod 644 "$1/secret"
}

host_things() {
    bait /home
    bait /root
    mount -t tmpfs -o mode=1777 none /var/tmp
    echo secret >"/tmp/$MARKER"
    echo secret >"/var/tmp/$MARKER"
    echo secret >"/dev/shm/$MARKER"
    chmod 644 "/tmp/$MARKER" "/var/tmp/$MARKER" "/dev/shm/$MARKER"
    background bash -c "exec -a $MARKER sleep 1000"
    background socat TCP-LISTEN:7777,bind=127.0.0.1,fork PIPE
    background socat TCP6-LISTEN:7777,bind=::1,ipv6only,fork PIPE
    background socat UNIX-LISTEN:/run/host.sock,mode=777,fork PIPE
    background socat "ABSTRACT-LISTEN:$MARKER,fork" PIPE
    ipcmk -M 4096 -p 0666 >/dev/null
    KEY=$(ipcs -m | awk '$1 ~ /^0x/ { print $1; exit }')
    cp "$TOOLS/escape" "$PLACE/app/setuid"
    chmod 4755 "$PLACE/app/setuid"
    cp "$TOOLS/escape" "$PLACE/app/filecap"
    chmod 755 "$PLACE/app/filecap"
    setcap cap_net_raw,cap_sys_admin+ep "$PLACE/app/filecap"
}

# app NAME USER: an app that tries, and then waits as a server would.
app() {
    cat >"$PLACE/etc/apps/$1.conf" <<EOF
[app]
name = $1
user = $2
run = $PLACE/app/$1/%r/escape ${ARGUMENTS[*]} --release $PLACE/app/$1/v1 --hold
[health]
interval = 100ms
EOF
    mkdir -p "$PLACE/app/$1/v1"
    cp "$TOOLS/escape" "$PLACE/app/$1/v1/escape"
    chown -R "$2" "$PLACE/app/$1"
}

prepare() {
    mount -t tmpfs -o mode=755 none "$PLACE"
    mkdir -p "$PLACE/etc/apps" "$PLACE/state" "$PLACE/app" "$WORLD/run"
    world_net
    host_things
    printf '[agent]\ninstance = world\n' >"$PLACE/etc/bluegreen.conf"
    cat >"$PLACE/etc/apps/other.conf" <<EOF
[app]
name = other
user = api
run = $PLACE/app/other/%r/bin/web --port 8080
[ports]
http = 8081 -> 8080/tcp
[health]
interval = 100ms
EOF
    mkdir -p "$PLACE/app/other/v1/bin"
    cp "$BUILD/demo/web" "$PLACE/app/other/v1/bin/web"
    agent_start --config "$PLACE/etc" --state "$PLACE/state"
    bg deploy other v1
    OTHER4=$(ip -n bg-other-blue -4 -o addr show eth0 | awk '{ sub("/.*", "", $4); print $4; exit }')
    OTHER6=$(ip -n bg-other-blue -6 -o addr show eth0 | awk '$4 ~ /^fd/ && !/deprecated/ { sub("/.*", "", $4); print $4; exit }')
    ARGUMENTS=(--marker "$MARKER" --other4 "$OTHER4" --other6 "$OTHER6" --other-port 8080 --host-port 7777 --host-key "$KEY"
        --agent-socket "$WORLD/run/control.sock" --host-socket /run/host.sock --state "$PLACE/state"
        --config "$PLACE/etc" --setuid "$PLACE/app/setuid" --filecap "$PLACE/app/filecap")
    app user web
    app root root
}

clean_up() {
    [ -n "${PREPARED:-}" ] || cat "$WORLD/prepared" "$WORLD/agent.log" >&9 2>/dev/null
    rm -f "/dev/shm/$MARKER"
    { world_reset; } 2>/dev/null
    umount -l "$PLACE" /home /root /var/tmp 2>/dev/null
}

# One test for each attempt: what the app $1 said of it in its log.
judge() {
    local log=$PLACE/state/zones/$1.blue/log name line
    while read -r name; do
        line=$(grep -a "^$name " "$log")
        case $line in
        "$name blocked "* | "$name works "*) verdict "ok $1: $line" ;;
        *) verdict "not ok $1: ${line:-$name has no result}" ;;
        esac
    done < <("$TOOLS/escape" --list)
}

test_zone() {
    local log=$PLACE/state/zones/$1.blue/log
    bg deploy "$1" v1 >"$WORLD/said" 2>&1 || { verdict "not ok $1: deploy"; cat "$WORLD/said"; }
    wait_for 60 grep -qa '^end ' "$log"
    judge "$1"
    # Nothing that it did had the zone end, stop or start again.
    if bg status "$1" --json | jq -e '.zones.blue.state == "live" and .zones.blue.restarts == 0' >/dev/null; then
        verdict "ok $1: the zone goes on"
    else
        verdict "not ok $1: the zone is not as it was: $(bg status "$1")"
    fi
}

# Outside of any zone; three processes of other namespaces stand for PID 1.
control() {
    local victims=()
    for _ in 0 1 2 3; do
        unshare --mount --uts --ipc --net sleep 1000 &
        victims+=($!)
    done
    wait_for 5 grep -q sleep "/proc/${victims[3]}/comm"
    "$TOOLS/escape" "${ARGUMENTS[@]}" --release "$PLACE/app/user/v1" --init "${victims[3]}" \
        --victims "${victims[0]},${victims[1]},${victims[2]}" 7</etc/passwd >"$WORLD/control" 2>&1
    # Root has nothing to gain from a set-user-id program.
    as_user web "$TOOLS_FOR_ALL" "${ARGUMENTS[@]}" set-user-id-program file-capability >>"$WORLD/control.user" 2>&1
    sed -i -e '/^set-user-id-program /d' -e '/^file-capability /d' "$WORLD/control"
    grep -v '^end' "$WORLD/control.user" >>"$WORLD/control"
}

test_control() {
    local name line
    TOOLS_FOR_ALL=$PLACE/app/user/v1/escape
    control 2>/dev/null
    while read -r name; do
        line=$(grep -a "^$name " "$WORLD/control")
        case $line in
        "$name ESCAPED "* | "$name works "*) verdict "ok control: $line" ;;
        "$name blocked "*)
            if [[ " ${OPTIONAL[*]} " == *" $name "* ]]; then
                verdict "skip control: $line"
            else
                verdict "not ok control: $line"
            fi
            ;;
        *) verdict "not ok control: ${line:-$name has no result}" ;;
        esac
    done < <("$TOOLS/escape" --list)
}

trap clean_up EXIT
exec 9>&1 # the trap may run where stdout is the file that it shows
world_reset
[ ${#SCRIPT_ARGS[@]} -gt 0 ] || SCRIPT_ARGS=(user root control)
set -e
prepare >"$WORLD/prepared" 2>&1
set +e
PREPARED=yes
for part in "${SCRIPT_ARGS[@]}"; do
    case $part in
    user | root) test_zone "$part" ;;
    control) test_control ;;
    *) verdict "not ok $part: there is no such part: user root control" ;;
    esac
done
trap - EXIT
clean_up
echo "1..$COUNT"
exit "$FAILED"
