# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2034,SC2154 # some of it is for the tests; WORLD, BUILD and TOOLS are the harness's
# tests/drivers/shim_driver.c under a world test's hand, in the agent's place; its commands are described there. Sourced
# behind lib.sh.

DIR=$WORLD/shim
LOG=$DIR/log
CGROUP=/sys/fs/cgroup/zone

# shim [CGROUP]: a shim, and the first connection to it.
shim() {
    mkdir -p "$DIR" "$WORLD/app"
    chmod 755 "$WORLD" "$WORLD/app"
    cp "$TOOLS/notify" "$TOOLS/hostile" "$WORLD/app/"
    # For whatever process of the app says something.
    touch "$WORLD/app/said"
    chmod 666 "$WORLD/app/said"
    [ $# -eq 0 ] || mkdir "$1"
    coproc D { exec "$BUILD/tests/drivers/shim_driver" "$BUILD/bluegreen-zone" "$DIR" "$@" 2>>"$WORLD/driver.log"; }
    sd launch
    SHIM=${REPLY#ok }
    expect_match '^ok ' "$REPLY" launch
    says '^hello - pid=0 phase=0 ' connect
}

# One command; the answer is in $REPLY.
sd() {
    echo "$*" >&"${D[1]}" || fail "$*: the driver has ended: $(cat "$WORLD/driver.log")"
    IFS= read -r -t 20 REPLY <&"${D[0]}" || fail "$*: no answer: $(cat "$WORLD/driver.log")"
}

# says REGEX COMMAND...
says() {
    local regex=$1
    shift
    sd "$@"
    expect_match "$regex" "$REPLY" "$*"
}

# start NAME [KEY=VALUE...] -- WORD...: as user web; NAME - is the main process.
start() {
    local name=$1
    shift
    [ "$name" = - ] || set -- "name=$name" "$@"
    says "^started $name pid=-?[1-9]" start "uid=$(id -u web)" "$@"
    # -1: it has ended since.
    [[ $REPLY =~ pid=(-?[0-9]+) ]]
    PID=${BASH_REMATCH[1]}
}

# A script that every user may run, from stdin.
script() {
    mkdir -p "$WORLD/app"
    { printf '#!/bin/bash\ncd %s\n' "$WORLD/app"; cat; } >"$WORLD/app/$1"
    chmod 755 "$WORLD/app" "$WORLD/app/$1"
}

said() {
    grep -q -x -- "$1" "$WORLD/app/said"
}

said_times() {
    [ "$(grep -c -x -- "$1" "$WORLD/app/said")" = "$2" ]
}

alive() {
    [ -d "/proc/$1" ] && ! grep -q '^State:.[ZX]' "/proc/$1/status" 2>/dev/null
}

gone() {
    ! alive "$1"
}

# The pids outside of all processes with this in their command line.
running() {
    pgrep -f -- "$1" || :
}

# How many the shim has.
descriptors() {
    find "/proc/$SHIM/fd" -mindepth 1 | wc -l
}

# run COUNT TEXT
run() {
    [ "$(running "$2" | wc -l)" = "$1" ]
}

# What they start leaves its session, forks twice, and ignores what it is told.
stubborn() {
    script stubborn <<'EOS'
trap '' TERM INT HUP
setsid bash -c '(trap "" TERM; setsid sleep 4321 & echo $! >>said; exec sleep 4321) & exit' &
sleep 4321 &
echo "$1 ready" >>said
wait
wait
sleep 4321
EOS
}

# sleeps SECONDS: the shim does not wake up in that time.
sleeps() {
    local switches
    sleep 0.2
    switches=$(awk '/^voluntary/ { print $2 }' "/proc/$SHIM/status")
    sleep "$1"
    expect_eq "$switches" "$(awk '/^voluntary/ { print $2 }' "/proc/$SHIM/status")" "how often the shim has slept"
}
