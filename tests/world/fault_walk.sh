#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whatever the agent asks of the kernel and of the C library fails once, with each error that there is for it, while an app
# is deployed, switched, rolled back, and the agent started again: see tests/drivers/fault_walk.c. Here as much of it as
# fits into a few seconds each; `make faults` walks everything.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

export FAULT_SECONDS=${FAULT_SECONDS-7}

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

walk() {
    ready
    "$BUILD/tests/drivers/fault_walk" "$@"
}

test_deploy() { walk deploy; }
test_switch() { walk switch rollback; }
test_life() { walk life; }
test_ask() { walk ask; }
test_restart() { walk restart; }

run_tests
