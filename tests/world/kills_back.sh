#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent is killed everywhere on the ways back, and where an app is stopped, started and removed: see
# tests/drivers/kill_lib.sh.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/kill_lib.sh
. "$ROOT/tests/drivers/kill_lib.sh"

rollback_prepare() { pair new; }
rollback_do() { bg rollback web; }
test_rollback() {
    ready web
    VERB=rollback
    kill_everywhere rollback before
}

# The live release turns sick. It still is when the agent comes back, so there is one way to end only.
failover_prepare() { pair new; }
failover_do() { touch "$SHARED/sick.$NEW" && wait_for 5 gone_back; }
gone_back() { dead || { look && [ "$RELEASE" = "$OLD" ]; }; }
test_failover() {
    ready web -- '[failover]' 'auto = yes'
    VERB=failover
    kill_everywhere failover
}

# The same in its bake: the agent's own rollback.
breach_prepare() { pair old && bg deploy web "$NEW" >/dev/null && bg drain web >/dev/null; }
breach_do() { failover_do; }
test_breach() {
    ready web -- '[bake]' 'time = 5m'
    VERB=rollback PHASES='torn synced'
    kill_everywhere breach
}

# It takes seconds, whoever dies in it: of the phases of an append those that differ in what is on the disk, as in a breach.
rehearse_prepare() { pair new; }
rehearse_do() { bg rehearse web; }
test_rehearse() {
    ready web
    VERB=rehearse PHASES='torn synced'
    kill_everywhere rehearse
}

# Of these the app's own clients may notice something; those of the other app may not.
stop_prepare() { started && pair new; }
started() { look && { [[ $STATE != stopped* ]] || bg start "$APP" >/dev/null; }; }
stop_do() { bg stop api; }
test_stop() {
    ready web api
    APP=api VERB=stop
    kill_everywhere stop before
}

start_prepare() { stop_prepare && bg stop api >/dev/null; }
start_do() { bg start api; }
test_start() {
    ready web api
    APP=api VERB=start
    kill_everywhere start before
}

remove_prepare() { pair new; }
remove_do() { bg remove api --force; }
remove_right() {
    WHY="it is removed, and a schema is known of it"
    [[ $STATE != empty* ]] || bg status api --json | jq -e '.schema == null or .schema.expanded == 0' >/dev/null
}
test_remove() {
    ready web api -- '[schema]' 'needs = 1' 'expand = host:/bin/true'
    APP=api VERB=remove
    kill_everywhere remove before
}

run_tests
