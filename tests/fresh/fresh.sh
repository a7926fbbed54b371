#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# fresh.sh [SUITE...]: what the README promises, on systems that have nothing: Debian's minimal ones (bookworm and
# trixie, if none is named), made by mmdebstrap, with a copy of the sources and whatever tools/deps installs there. It
# finds what the developer's machine had by luck: a package, a user, a locale, a version.
#
# For each suite: the packages of `make demo`, `make demo`, and what of the tests goes without packages of their own; the
# packages of the tests, the tiers check and unit, some files of the tier world; `make install` with everything that looks
# at what was installed, and `make uninstall`.
# Packages are fetched over this machine's network; everything else runs in a network namespace without any.
#
#   FRESH=DIR          make the systems in DIR, and go on with those that are there; else below $BUILD, removed afterwards
#   FRESH_STEPS="..."  only these steps of every suite, in this order
#   FRESH_WORLD="..."  the files of tests/world
#
# Each step's output is in $BUILD/logs/fresh-SUITE-STEP.log.
set -u
# No world and no system here mounts or unmounts anything of the machine's: each has its own mount, pid and cgroup
# namespaces. The last one also keeps tests/world/enter inside from seeing (and sweeping) the worlds of the machine.
ROOT=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
STEPS=${FRESH_STEPS:-system sources packages_demo demo bare packages_test build check unit world install}
WORLD_FILES=${FRESH_WORLD:-zone release doctor}

# --- inside: PID 1 of the fresh system, in its own namespaces ---------------------------------------------

# /dev as a container has it: the machine's disks are not there.
make_dev() {
    local node
    mount -t tmpfs -o mode=755,nosuid tmpfs "$1/dev" || return
    for node in null zero full random urandom tty; do
        : >"$1/dev/$node" && mount --bind "/dev/$node" "$1/dev/$node" || return
    done
    mkdir "$1/dev/pts" "$1/dev/shm" && mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$1/dev/pts" &&
        mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm" && ln -s pts/ptmx "$1/dev/ptmx" &&
        ln -s /proc/self/fd "$1/dev/fd" && ln -s fd/0 "$1/dev/stdin" && ln -s fd/1 "$1/dev/stdout" &&
        ln -s fd/2 "$1/dev/stderr"
}

# A root, not a directory that chroot(2) calls one: whoever makes namespaces in it needs that.
enter_root() {
    mount --make-rprivate / && mount --bind "$1" "$1" && make_dev "$1" &&
        mount -t proc -o nosuid,nodev,noexec proc "$1/proc" &&
        mount -t sysfs -o nosuid,nodev,noexec sysfs "$1/sys" &&
        mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$1/run" && mount -t tmpfs -o mode=1777 tmpfs "$1/tmp" &&
        mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$1/sys/fs/cgroup" &&
        cd "$1" && pivot_root . mnt && umount -l /mnt && { [ "$NET" = yes ] || lo_up; } && cd /src/bluegreen || return
}

# Before the packages that the demo needs there is no ip.
lo_up() {
    ! command -v ip >/dev/null || ip link set lo up
}

# Nothing of the caller's environment: no locale either.
inside() {
    local controllers
    local root=$1
    shift
    enter_root "$root" || { echo "fresh: cannot enter $root" >&2; exit 125; }
    read -r controllers </sys/fs/cgroup/cgroup.controllers
    [ -z "$controllers" ] || echo "+${controllers// / +}" >/sys/fs/cgroup/cgroup.subtree_control
    exec env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin BUILD=build \
        DEBIAN_FRONTEND=noninteractive ${PROXY:+"http_proxy=$PROXY"} WORLD_FILES="$WORLD_FILES" "$@"
}

if [ "${1-}" = --inside ]; then
    shift
    inside "$@"
fi

# --- outside ----------------------------------------------------------------------------------------------

# on [--net] SUITE CMD...: CMD in the system SUITE. As in tests/world/enter: into a cgroup, which becomes the root of the
# cgroup namespace, then into its leaf.
on() {
    local net=--net status
    export NET=no
    [ "$1" != --net ] || { net='' NET=yes; shift; }
    local root=$SYSTEMS/$1
    shift
    # shellcheck disable=SC2016,SC2086 # the inner shell expands these; an empty word is none
    env --default-signal=INT,QUIT setpriv --pdeathsig KILL \
        bash -c 'echo 0 >"$CGROUP/cgroup.procs" && exec unshare --cgroup bash -c "
                     echo 0 >\"\$CGROUP/leaf/cgroup.procs\" && unset CGROUP && exec \"\$@\"" "$@"' fresh fresh \
        unshare --mount $net --pid --uts --ipc --fork --kill-child=KILL bash "$ROOT/tests/fresh/fresh.sh" --inside "$root" "$@" </dev/null &
    child=$!
    wait "$child"
    status=$?
    child=
    return "$status"
}

# shellcheck disable=SC2317 # called by the trap
leave() {
    trap '' INT TERM HUP
    [ -z "$child" ] || { kill -9 "$child"; wait "$child"; } 2>/dev/null
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        [ ! -e "$CGROUP/cgroup.kill" ] || echo 1 >"$CGROUP/cgroup.kill"
        find "$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null
        [ -d "$CGROUP" ] || break
        sleep 0.05
    done
    [ -n "${FRESH-}" ] || rm -rf --one-file-system "$SYSTEMS"
}

# --- the steps: each is one test --------------------------------------------------------------------------

step_system() {
    [ ! -e "$SYSTEMS/$1/etc/debian_version" ] || return 0
    unshare --mount mmdebstrap --quiet --variant=minbase "$1" "$SYSTEMS/$1"
}

# What a clone would have: the files that git knows, as they are now.
step_sources() {
    rm -rf "$SYSTEMS/$1/src/bluegreen" && mkdir -p "$SYSTEMS/$1/src/bluegreen" &&
        (cd "$ROOT" && git ls-files -z | tar --null --ignore-failed-read -T - -cf -) |
        tar -C "$SYSTEMS/$1/src/bluegreen" --no-same-owner -xf -
}

# The README's `apt install make`, and the rest by what it calls.
step_packages_demo() {
    cp -L /etc/resolv.conf /etc/hosts "$SYSTEMS/$1/etc/"
    on --net "$1" sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends make >/dev/null &&
        tools/deps build demo && tools/deps --check build demo'
}

step_packages_test() {
    on --net "$1" sh -c 'tools/deps test && tools/deps --check build demo test'
}

step_demo() {
    on "$1" make demo WERROR=1
}

# As `make check` where the packages of the tests cannot be had: all passes, or is left out and said.
step_bare() {
    # shellcheck disable=SC2016 # the inner shell expands it
    on "$1" sh -c 'make -j"$(nproc)" WERROR=1 check-build && tests/run check unit'
}

step_build() {
    # shellcheck disable=SC2016 # the inner shell expands it
    on "$1" sh -c 'make -j"$(nproc)" WERROR=1 check-build && make -j"$(nproc)" WERROR=1 BUILD=build-clang CC=clang all'
}

step_check() {
    on "$1" tests/run check
}

step_unit() {
    on "$1" tests/run unit
}

step_world() {
    # shellcheck disable=SC2016 # the inner shell expands these
    on "$1" bash -c 'for name in $WORLD_FILES; do
            tests/world/enter "tests/world/$name.sh" || failed="$failed $name"
        done
        [ -z "$failed" ] || { echo "failed:$failed"; exit 1; }'
}

# What is installed is complete, finds its libraries, is understood by systemd and man, and goes away again.
step_install() {
    # shellcheck disable=SC2016 # the inner shell expands these
    on "$1" bash -euc '
        find / -xdev \( -path /src -o -path /var -o -path /proc \) -prune -o ! -type d -print | sort >/tmp/before
        make install
        systemd-sysusers
        systemd-tmpfiles --create
        getent group bluegreen
        getent passwd bluegreen-api bluegreen-probe bluegreen-feed
        systemd-analyze verify --man=no bluegreend.service
        for program in /usr/local/bin/bluegreen /usr/local/sbin/bluegreend /usr/local/libexec/bluegreen/*; do
            file=$(ldd "$program" 2>&1 | grep "not found" || :)
            [ -z "$file" ] || { echo "$program: $file"; exit 1; }
        done
        /usr/local/bin/bluegreen --version
        /usr/local/sbin/bluegreend --version
        /usr/local/sbin/bluegreend --check
        for page in /usr/local/share/man/man?/*; do mandoc -T lint -W error "$page"; done
        make uninstall
        find / -xdev \( -path /src -o -path /var -o -path /proc \) -prune -o ! -type d -print | sort >/tmp/after
        # Configuration stays, and so do the users.
        comm -13 /tmp/before /tmp/after | grep -v -e "^/etc/bluegreen/" -e "^/etc/.*[^/]-$" -e "^/tmp/" -e "^/run/" \
            -e "^/etc/.*\.lock$" >/tmp/left || :
        [ ! -s /tmp/left ] || { echo "left behind:"; cat /tmp/left; exit 1; }'
}

# A step that fails leaves nothing for the ones behind it to stand on, but for the tiers.
run_suite() {
    local suite=$1 step begin status
    for step in $STEPS; do
        begin=$SECONDS
        count=$((count + 1))
        "step_$step" "$suite" >"$LOGS/fresh-$suite-$step.log" 2>&1
        status=$?
        if [ "$status" = 0 ]; then
            echo "ok ${suite}_$step ($((SECONDS - begin)) s)"
            continue
        fi
        echo "not ok ${suite}_$step: exit status $status"
        tail -n 30 "$LOGS/fresh-$suite-$step.log" | sed 's/^/    /'
        failed=1
        case $step in bare | check | unit | world) ;; *) return ;; esac
    done
}

skip_all() {
    printf 'skip fresh %s\n1..1\n' "$*"
    exit 0
}

[ "$(id -u)" = 0 ] || skip_all "needs root"
for tool in mmdebstrap unshare setpriv git; do
    command -v "$tool" >/dev/null || skip_all "$tool is not installed: tools/deps fresh"
done
cgroup2=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
[ -n "$cgroup2" ] || skip_all "no cgroup2 is mounted on this machine"
BUILD=$(readlink -m "${BUILD:-$ROOT/build}")
LOGS=$BUILD/logs
SYSTEMS=$(readlink -m "${FRESH:-$BUILD/fresh.$$}")
PROXY=${http_proxy-}
CGROUP=$cgroup2/bluegreen-fresh.$$
child='' count=0 failed=0
export CGROUP PROXY WORLD_FILES
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
mkdir -p "$LOGS" "$SYSTEMS" "$CGROUP/leaf" || exit 1
[ $# -gt 0 ] || set -- bookworm trixie
for suite; do
    run_suite "$suite"
done
echo "1..$count"
exit "$failed"
