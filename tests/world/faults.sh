#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The start of a zone, with each of its system calls made to fail in turn (tests/tools/failing.c). A healthy deploy is
# traced first; then every step of it is a test: the deploy fails, its message says what, on which path and why, and
# nothing is left. Steps that are no loss are named below: the deploy succeeds without them.
# Arguments are patterns of the tests' names; without, all.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

COUNT=0 FAILED=0
ERRNO=122 WORDS='Disk quota exceeded|EDQUOT' # one that nobody expects there, so nobody makes an exception of it

# Not tried, because it is not of the zone's start, is undoing, or is tried elsewhere.
NOT_TRIED=(
    '^[a-z0-9_]+ bluegreend (/[^/]*/?)?(etc|lib|usr|run|run/host)?$|/userdb|/etc/(passwd|group|nsswitch|ld[.]so|localtime|gai|host[.])|^[a-z0-9]+ [a-z-]+ /(lib|usr)' # name services, libraries
    '/proc/self/(fd|fdinfo|net)/|/proc/meminfo|/status$|memfd:' # looks at ourselves and the machine
    ' /run/world/(state|etc|agent.log)|pipe:|anon_inode:'        # journal, logs: recovery.sh; a full disk: zone.sh
    'socket:(unix|other)|socket:netlink.12|^socket |^listen |^bind ' # clients; rules: torture.sh
    'payload(/(cpu.stat|cgroup.procs|pids.current|memory.[a-z]*))?$' # figures for status
    '^umount2 | get[.]|^dup[23] |^inotify'
)
# The deploy may succeed without: what is said in a comment beside each in the source.
# libcap asks the kernel once when it is loaded; what it makes of no answer is its own affair.
NO_LOSS_FIRST='^prctl bluegreen-zone 23$'
NO_LOSS='oom_score_adj|^prlimit64 bluegreend set.7$|^prctl bluegreen-zone 15$|F_SETPIPE|^mkdir(at)? bluegreend (/sys|/sys/fs|/sys/fs/cgroup|/run|/run/netns|/run/world|/run/world/run|/run/world/run/zones)$|/proc/sys/net/ipv6/conf/default|cgroup\.(events|subtree_control|controllers)|payload/main/[a-z]*\.max$|/shim/(cpu|io)\.weight$|/etc/(hosts|resolv\.conf)$|^mount bluegreend /run/netns$'

# What a message about a call without a path must say.
declare -A SAYS=(
    [clone3]='process|shim|start' [unshare]='namespace' [setns]='namespace|zone' [sethostname]='zone|host name'
    [setsid]='zone|session' [setgroups]='groups' [setresgid]='group' [setresuid]='user' [capset]='capabilities'
    [prctl]='no_new_privs|capabilities|bounding|memory' [seccomp]='filter' [close_range]='descriptors' [pipe2]='zone|shim|pipe'
    [socket]='socket|netlink' [socketpair]='shim|zone' [sendmsg]='link| up:|address|route|neighbour|network|namespace'
    [sendto]='link| up:|address|route|neighbour|network|namespace' [prlimit64]='limits' [setrlimit]='limits'
    [pidfd_open]='shim|zone' [fsmount]='app.s files|mount' [fsconfig]='app.s files|mount'
    [fchown]='zone|log' [fchmod]='zone|file'
)

verdict() {
    COUNT=$((COUNT + 1))
    printf '%s\n' "$1"
    [[ $1 != "not ok"* ]] || FAILED=1
}

prepare() {
    world_net
    app_conf web <<EOF
[app]
name = web
user = web
run = $WORLD/srv/web/%r/bin/web --port 8080
[ports]
http = 80 -> 8080/tcp
[files]
state = $WORLD/data -> /mnt
[health]
http = :8080/healthz
interval = 50ms
passes = 1
[restart]
limit = 1
[limits]
open_files = 1000
EOF
    release_install web v1
    mkdir -p "$WORLD/state" "$WORLD/run"
    printf '[agent]\ninstance = world\n' | agent_conf
    "$TOOLS/failing" "$WORLD/rule" "$WORLD/trace" "$BUILD/bluegreend" --config "$WORLD/etc" --state "$WORLD/state" \
        --run "$WORLD/run" >>"$WORLD/agent.log" 2>&1 </dev/null &
    AGENT=$!
    wait_for 10 agent_answers
    MONITOR=$(pgrep -P "$AGENT" -x bluegreend)
    # The first makes what stays: the rule set, directories, sysctls. The second is traced.
    bg deploy web v1
    bg remove web --force
    wait_for 10 settled
    traces >"$WORLD/before"
    : >"$WORLD/trace"
    bg deploy web v1
    mv "$WORLD/trace" "$WORLD/traced"
    bg remove web --force
    wait_for 10 clean
}

settled() {
    [ -z "$(pgrep -x bluegreen-zone)" ]
}

# What a zone leaves on the machine, and the agent's own descriptors.
traces() {
    ls /sys/class/net /run/netns "$WORLD/run/zones"
    find /sys/fs/cgroup -type d
    cut -d' ' -f2- /proc/mounts
    pgrep -x bluegreen-zone || :
    nft list ruleset | sed -E 's/counter packets [0-9]+ bytes [0-9]+//'
    find "/proc/$MONITOR/fd" -mindepth 1 | wc -l
    pgrep -P "$MONITOR" -c
}

clean() {
    [ "$(traces)" = "$(cat "$WORLD/before")" ]
}

# "CALL COMMAND OBJECT SKIP", one a line: each step of the start up to the app's own code, numbers in paths as patterns.
# Of calls that come often and differ in what they carry, each; of the others the first, and of files in one directory
# one; of the look at each capability (prctl 23) the first one in the app's process as well. FULL=1 tries them all.
steps() {
    # The first step looks whether an earlier zone left something; the last one is the app.
    sed -E -n '/web[.-]blue/,$p' "$WORLD/traced" | sed '/^execve bluegreen-zone /q' | grep -E '^[a-z0-9_]+ (bluegreend|bluegreen-zone) ' |
        sed -E 's/[0-9]{5,}/*/g; s:/proc/[0-9]+/:/proc/*/:; s:/proc/self/fd/[0-9]+:/proc/self/fd/*:' | grep -vE "$(IFS='|'; echo "${NOT_TRIED[*]}")" |
        awk -v full="${FULL:-0}" '
            { n = seen[$0]++; kind = $0; sub("/[^/]+$", "/", kind); kinds[kind]++ }
            $1 == "prctl" && $3 == 24 && !drops++ { looked = 1 }
            full || $1 == "prctl" && $3 == 23 && looked-- == 1 || $3 ~ /netlink/ || $1 == "clone3" && n < 3 || n == 0 && (kinds[kind] == 1 || $3 !~ "/.*/") { print $0, n }'
}

# What the message must say about the object of a step, as a pattern. A view is laid out in steps, each for a path and
# what belongs below it: the step's path will do.
object_named() {
    local path=${3%.new} part pattern=
    case "$1 $3" in
    *\ /dev/null) echo 'descriptors|stdin|/dev' ;;
    setns\ *) echo "${SAYS[setns]}" ;;
    *\ //* | *\ /tmp/directory* | *\ /proc/self/ns/*) echo "files" ;; # a mount that is nowhere yet; a scratch place
    *\ /*)
        while [ -n "$path" ]; do
            part=$(sed 's/[*]/[0-9]*/g; s/[.]/[.]/g' <<<"${path##*/}")
            path=${path%/*}
            pattern="/$part${pattern:+($pattern)?}"
            [ "$2" = bluegreen-zone ] || break
        done
        echo "$pattern"
        ;;
    *) echo "${SAYS[$1]:-.}" ;;
    esac
}

# fault CALL COMMAND OBJECT SKIP
fault() {
    local step="$1 $2 $3" name="$2 $1 $3 ${4#0}" status=0 want errno=$ERRNO words=$WORDS
    name=${name% }
    # libnl knows few errors by name.
    [[ $3 != socket:netlink* ]] || errno=1 words='not permitted|EPERM'
    rm -f "$WORLD/rule.hit"
    # In one piece, or half a rule would be read.
    echo "$1 $errno $4 $2 $3" >"$WORLD/rule.new"
    mv "$WORLD/rule.new" "$WORLD/rule"
    timeout 30 "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" deploy web v1 >"$WORLD/said" 2>&1 || status=$?
    rm -f "$WORLD/rule"
    want=$(object_named "$1" "$2" "$3")
    if [ ! -e "$WORLD/rule.hit" ]; then
        verdict "not ok $name: was not reached"
    elif [ "$status" = 0 ] && [[ $step =~ $NO_LOSS || ($4 = 0 && $step =~ $NO_LOSS_FIRST) ]]; then
        verdict "ok $name: no loss"
    elif [ "$status" = 0 ]; then
        verdict "not ok $name: the deploy went on without it"
    elif ! grep -qE "$words" "$WORLD/said"; then
        verdict "not ok $name: the message does not say why: $(tr '\n' ' ' <"$WORLD/said")"
    elif ! grep -E "$words" "$WORLD/said" | grep -qE "$want"; then
        verdict "not ok $name: the message does not say $want: $(tr '\n' ' ' <"$WORLD/said")"
    else
        verdict "ok $name: $(grep -m 1 -E "$words" "$WORLD/said" | cut -c 1-150)"
    fi
    # Now and then, and at the end: everything works again.
    if [ "$status" != 0 ] && [ $((COUNT % 12)) = 0 ]; then
        bg deploy web v1 >"$WORLD/said" 2>&1 || verdict "not ok $name: a deploy afterwards: $(cat "$WORLD/said")"
        status=0
    fi
    [ "$status" != 0 ] || bg remove web --force >/dev/null 2>&1
    wait_for 10 clean 2>/dev/null ||
        verdict "not ok $name: left behind: $(traces | diff "$WORLD/before" - | grep '^[<>]' | tr '\n' ' ')"
}

chosen() {
    local pattern
    [ ${#SCRIPT_ARGS[@]} -gt 0 ] || return 0
    for pattern in "${SCRIPT_ARGS[@]}"; do
        [[ $1 != *$pattern* ]] || return 0
    done
    return 1
}

leave() {
    [ -n "${PREPARED:-}" ] || cat "$WORLD/prepared" "$WORLD/agent.log" >&9 2>/dev/null
    { world_reset; } 2>/dev/null
}

trap leave EXIT
exec 9>&1 # the trap may run where stdout is the file that it shows
world_reset
set -e
prepare >"$WORLD/prepared" 2>&1
set +e
PREPARED=yes
steps >"$WORLD/steps"
while read -r call command object skip <&3; do
    chosen "$command $call $object" || continue
    fault "$call" "$command" "$object" "$skip"
done 3<"$WORLD/steps"
if [ ${#SCRIPT_ARGS[@]} -eq 0 ]; then
    # A trace that is empty, or of something else, has no steps to fail.
    for call in clone3 setns unshare mount mount_setattr open_tree move_mount mkdir sendmsg sethostname setgroups setresgid setresuid \
        capset prctl seccomp prlimit64 execve; do
        if grep -qE "^$call bluegreen(d|-zone) " "$WORLD/steps"; then verdict "ok $call was tried"; else verdict "not ok $call was not tried"; fi
    done
fi
trap - EXIT
leave
echo "1..$COUNT"
exit "$FAILED"
