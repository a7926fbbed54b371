# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What boot-container and boot-vm share: the command line, the job directory that host and guest both see, the output
# as it comes, and the exit status. Outside this is sourced under `set -u`, with NAME the script's own name.
#
# The job directory, $JOB on either side:
#   run       the command, with its directory and environment, for the guest to execute
#   output    what the command says, standard output and error together
#   status    its exit status; missing until it has ended
#   boot      which boot this is, 1 for the first (boot-vm)
#   again     the command made it: the guest will boot once more and run the command again (boot-vm)
#   console   what kernel and systemd say

# shellcheck disable=SC2034 # the two scripts use them
ROOT=$(dirname "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")")
BUILD=$(readlink -m "${BUILD:-$ROOT/build}")
JOB=
child=
follower=

die() {
    # shellcheck disable=SC2153 # NAME is the script that sources this
    printf '%s: %s\n' "$NAME" "$*" >&2
    exit 125
}

# Sets LIMIT (seconds) and COMMAND.
parse_arguments() {
    LIMIT=$1
    shift
    if [ "${1-}" = --timeout ] && [ $# -ge 2 ]; then
        LIMIT=$2
        shift 2
    fi
    case "$LIMIT ${1--}" in
    *[!0-9]*' '* | *' -'*)
        echo "usage: $NAME [--timeout SECONDS] CMD [ARG...]" >&2
        exit 2
        ;;
    esac
    COMMAND=("$@")
}

# The reason why this machine cannot boot a guest with the tools named, or nothing.
missing_for_guest() {
    local tool
    [ "$(id -u)" = 0 ] || { echo "needs root"; return; }
    [ -x /lib/systemd/systemd ] || { echo "systemd is not installed"; return; }
    for tool; do
        command -v "$tool" >/dev/null || { echo "$tool is missing"; return; }
    done
}

# The directories of scripts that were killed with SIGKILL; the pid in the name tells.
sweep_jobs() {
    local dir pid
    for dir in "${TMPDIR:-/tmp}/bluegreen-$NAME".*; do
        pid=${dir#"${TMPDIR:-/tmp}/bluegreen-$NAME."}
        [ -O "$dir" ] && [ ! -d "/proc/${pid%.*}" ] && rm -rf "$dir"
    done
}

make_job() {
    local name
    sweep_jobs
    case $ROOT/:$BUILD/ in
    # Each guest has a /run of its own.
    /run/* | *:/run/*) die "cannot show the guest what lies below /run" ;;
    esac
    JOB=$(mktemp -d "${TMPDIR:-/tmp}/bluegreen-$NAME.$$.XXXXXX") || die "make a directory in ${TMPDIR:-/tmp}"
    : >"$JOB/output"
    {
        printf '#!/bin/bash\nexport HOME=/root JOB=%q BOOT=1\n' "$JOB"
        # shellcheck disable=SC2016 # the guest expands it
        printf '[ ! -e "$JOB/boot" ] || BOOT=$(cat "$JOB/boot")\n'
        for name in BUILD PREFIX VERBOSE; do
            [ -z "${!name+set}" ] || printf 'export %s=%q\n' "$name" "${!name}"
        done
        printf 'cd %q || exit 125\nexec' "$(pwd -P)"
        printf ' %q' "${COMMAND[@]}"
        echo
    } >"$JOB/run"
    chmod 755 "$JOB/run"
}

# Runs what is the guest, to the end or the limit, and shows the output as it comes. If this script is killed, so is the
# guest: each process ends with its parent.
run_guest() {
    env --default-signal=INT,QUIT setpriv --pdeathsig KILL timeout --signal=KILL "$LIMIT" \
        setpriv --pdeathsig KILL "$@" </dev/null >>"$JOB/console" 2>&1 &
    child=$!
    tail -n +1 -f -s 0.2 --pid="$child" "$JOB/output" 2>/dev/null &
    follower=$!
    wait "$child" 2>/dev/null
    child=
    wait "$follower"
    follower=
}

# Exits as the command did; without its status, the guest did not get as far or took too long: 125, and the reason is
# in what it said.
leave_with_result() {
    local status
    if ! status=$(cat "$JOB/status" 2>/dev/null) || [ -z "$status" ]; then
        printf '%s: the command did not end (limit %s s); the last lines of the console:\n' "$NAME" "$LIMIT" >&2
        tail -n 30 "$JOB/console" | tr -d '\r' >&2
        exit 125
    fi
    exit "$status"
}

# For the trap on EXIT, whichever way that was reached.
end_guest() {
    [ -z "$child" ] || { kill -KILL "$child" && wait "$child"; } 2>/dev/null
    [ -z "$follower" ] || { kill "$follower" && wait "$follower"; } 2>/dev/null
    [ -z "$JOB" ] || rm -rf "$JOB"
}

trap_signals() {
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
}
