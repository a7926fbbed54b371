#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whatever the agent asks of the kernel and of the C library fails once, with each error that there is for it, while an
# app is deployed, switched, rolled back, and the agent started again: see tests/drivers/fault_walk.c. `make faults` walks
# everything, for hours; without FAULT_SECONDS it is only the calls of which a fault was found by that.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

ready() {
    local app
    world_net
    for app in web:80 api:81; do
        web_conf "${app%:*}" "${app#*:}" '[drain]' 'timeout = 5s' '[bake]' 'time = 0'
        sed -i 's/^interval.*/interval = 50ms/; s/^passes.*/passes = 1/' "$WORLD/etc/apps/${app%:*}.conf"
        release_install "${app%:*}" v1
        release_install "${app%:*}" v2
    done
    mkdir -p "$WORLD/state" "$WORLD/run"
    printf '[agent]\ninstance = world\n' | agent_conf
}

# "SERIES..." [CALL:OBJECT@FUNCTION=ERROR...]
walk() {
    local all
    ready
    read -ra all <<<"$1"
    if [ -n "${FAULT_SECONDS-}" ]; then
        "$BUILD/tests/drivers/fault_walk" "${all[@]}"
    else
        FAULT_ONLY=$(printf '%s\n' "${@:2}") "$BUILD/tests/drivers/fault_walk" "${all[@]}" >"$WORLD/walk" ||
            { cat "$WORLD/walk"; return 1; }
    fi
}

# Nothing that may fail was forgotten: what the agent is linked to is among what fails, or cannot fail, or is undoing, or
# tells by its own means (reading a file by lines, printing).
test_complete() {
    local known missing failing
    known=' _exit bind chdir clock_gettime close close_range closedir dirfd dlsym execve exit fclose ferror fflush fgets fileno
        fputc fputs free freeifaddrs fstat fts_close futimens fwrite getcwd getegid getenv geteuid gethostname getopt_long
        getpid getppid getrlimit getsockname gmtime_r if_freenameindex if_indextoname if_nameindex if_nametoindex
        inet_ntop inet_pton kill localtime_r lseek mallopt nanosleep perror pthread_attr_destroy pthread_attr_init
        pthread_attr_setstacksize pthread_join pthread_sigmask puts putchar qsort setfsgid setfsuid sigaction sigaddset
        sigemptyset sigfillset signal sigprocmask snprintf sysconf tcgetattr tcsetattr timerfd_settime
        tzset umask unlockpt unsetenv usleep sleep eventfd_read eventfd_write syscall reallocarray strdup strndup abort '
    # reallocarray, strdup and strndup are malloc and realloc of the C library, which those that fail stand in front of too.
    mapfile -t failing < <(nm -D --defined-only "$BUILD/tests/drivers/fail_at.so" | awk '{ print $3 }')
    known="$known ${failing[*]} "
    missing=$(nm -D --undefined-only "$BUILD/bluegreend" "$BUILD/bluegreen-api" | awk '$2 ~ /@GLIBC/ { sub("@.*", "", $2); print $2 }' |
        grep -vE '^(str|mem|__|toupper|tolower|is[a-z]+$)' |
        while read -r name; do
            [[ $known =~ [[:space:]]"$name"[[:space:]] ]] || echo "$name"
        done)
    expect_eq '' "$missing" 'calls that may fail and are not made to'
}

test_deploy() { walk deploy epoll_ctl:anon_inode clone3:; }
test_switch() { walk switch fdatasync:; }
test_rollback() { walk rollback fdatasync:; }
test_life() { walk life rename: malloc:@show_release access:@reload_app=EIO opendir:@erase=EMFILE; }
test_ask() {
    walk ask accept4: calloc:@on_connection epoll_ctl:@add_client calloc:@add_client sendmsg:@descriptors_send=ENOBUFS
}
test_restart() {
    walk restart fcntl:pidfd read:fdinfo open:/run/netns open:/proc/N/cgroup readlink:/proc/self/exe flock:-netns- \
        'sendmsg:netlink a@routes_find_overlap=ENOBUFS' socket:@nft_open=EMFILE socket:@watch_open=EMFILE
}

# From each thing that is written on, nothing can be written until the answer has come.
test_no_room() {
    local series=switch
    [ -z "${FAULT_SECONDS-}" ] || series='switch rollback deploy life ask restart'
    FAULT_LASTING=1 walk "$series" write:
}

everything_can_be_written() {
    wait_for 5 nothing_runs
    bg deploy web v2 --force
    answers v2 || fail "v2 was deployed, and $(release_seen) answers"
    agent_stop
    agent_start
    answers v2 || fail "v2 was live before the agent was started again, and now it is $(release_seen)"
    load_end all | json '.failed == 0' >/dev/null
    agent_stop
    umount -l "$WORLD/state" # shims have their logs there
}

small_disk() {
    mkdir -p "$WORLD/state"
    mount -t tmpfs -o size=1m tmpfs "$WORLD/state"
    ready
    agent_start
    bg deploy web v1
    load_start all --new 1 --keepalive 1 --rate 100 --url "$URL4"
}

# Not once, but until somebody makes room. A rollback with it: recovery.sh.
test_full_disk() {
    small_disk
    dd if=/dev/zero of="$WORLD/state/filler" bs=4k 2>/dev/null || :
    expect_status 1 bg deploy web v2
    expect_match 'No space left on device' "$OUTPUT" 'what the deploy says'
    answers v1 || fail "v1 is live, and $(release_seen) answers"
    rm "$WORLD/state/filler"
    everything_can_be_written
}

# A file system whose files are open for writing cannot be made read-only: a copy that is lies over it.
test_readonly_state() {
    small_disk
    agent_kill9
    mkdir "$WORLD/copy"
    mount -t tmpfs tmpfs "$WORLD/copy"
    cp -a "$WORLD/state/." "$WORLD/copy"
    mount -o remount,ro "$WORLD/copy"
    mount --bind "$WORLD/copy" "$WORLD/state"
    ! agent_start 2>/dev/null || fail "it starts without a place for its journal"
    expect_match 'error: .*/state.*Read-only file system' "$(cat "$WORLD/agent.log")" 'the log'
    answers v1 || fail "v1 was live, and without an agent it is $(release_seen)"
    umount "$WORLD/state" "$WORLD/copy"
    agent_start
    everything_can_be_written
}

run_tests
