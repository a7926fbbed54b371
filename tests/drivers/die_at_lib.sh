# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For world tests whose agent dies where tests/drivers/die_at.c says (sourced behind tests/world/lib.sh).
#
#   mortal_start               the agent, with die_at.so in its monitor: nothing that it starts has it
#   arm NUMBER PHASE [KIND]    from now on: points are counted from here; $DIE_AT_LOG has those that came
#   disarm, dead

export DIE_AT_CONTROL=$WORLD/die-at DIE_AT_LOG=$WORLD/points

# A new file each time: that is what starts the count anew.
arm() {
    : >"$DIE_AT_LOG"
    echo "$*" >"$DIE_AT_CONTROL.new"
    mv "$DIE_AT_CONTROL.new" "$DIE_AT_CONTROL"
}

disarm() {
    rm -f "$DIE_AT_CONTROL"
}

mortal_start() {
    LD_PRELOAD=$BUILD/tests/drivers/die_at.so agent_start
}

dead() {
    ! kill -0 "$AGENT" 2>/dev/null
}
