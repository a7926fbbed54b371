# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2034 # DRIVER_PID and APP are for the tests
# tests/drivers/zone_driver.c under a world test's hand; its commands are described there. Sourced behind lib.sh.

# shellcheck disable=SC2153 # WORLD, BUILD and ROOT are the harness's
DRIVER=("$BUILD/tests/drivers/zone_driver" world "$WORLD/run" "$WORLD/state" "$BUILD/bluegreen-zone")
LOG=$WORLD/state/zones/web.blue/log

driver() {
    mkdir -p "$WORLD/run" "$WORLD/state" "$WORLD/app"
    coproc D { exec "${DRIVER[@]}" 2>>"$WORLD/driver.log"; }
    DRIVER_PID=$D_PID
    # The world is below /run, which an app does not see.
    ok file read "$WORLD/app"
}

# One command; the answer is in $REPLY.
zd() {
    echo "$*" >&"${D[1]}" || fail "$*: the driver has ended: $(cat "$WORLD/driver.log")"
    IFS= read -r -t 90 REPLY <&"${D[0]}" || fail "$*: no answer: $(cat "$WORLD/driver.log")"
}

ok() {
    zd "$@"
    [[ $REPLY == ok* ]] || fail "$*: $REPLY"
}

refused() {
    local errno=$1
    shift
    zd "$@"
    [[ $REPLY == "error $errno "* ]] || fail "$*: expected error $errno, got: $REPLY"
}

# Commands for a driver of their own, which ends after them; the last answer is in $REPLY.
once() {
    REPLY=$(printf '%s\n' "$@" | "${DRIVER[@]}" 2>>"$WORLD/driver.log" | tail -n 1)
    [[ $REPLY == ok* ]] || fail "$*: $REPLY"
}

# A script that every user may run, from stdin.
script() {
    mkdir -p "$WORLD/app"
    { echo '#!/bin/bash'; cat; } >"$WORLD/app/$1"
    chmod 755 "$WORLD/app" "$WORLD/app/$1"
}

# As user web, with 2 s to stop and a first back-off of 100 ms.
start() {
    ok start "$(id -u web)" "$(id -g web)" / "${STOP:-2000}" "${DELAY:-100}" "$@"
    APP=${REPLY##* }
}

field() {
    ok status
    set -- "$1" "$REPLY"
    [[ $2 =~ $1\ ([^ ]+) ]] && echo "${BASH_REMATCH[1]}"
}

log_has() {
    grep -q -- "$1" "$LOG"
}
