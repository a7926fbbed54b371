#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent is killed everywhere on the way forward of a release: see tests/drivers/kill_lib.sh.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/kill_lib.sh
. "$ROOT/tests/drivers/kill_lib.sh"

deploy_prepare() { pair old; }
deploy_do() { bg deploy web "$NEW"; }
test_deploy() {
    ready web -- '[bake]' 'time = 250ms'
    VERB=deploy
    kill_everywhere deploy before 'running live=live old other=absent none' 'running live=live old other=failed new' \
        'running live=live old other=absent new'
}

# A release whose test fails: nothing of it may stay behind as staged, whenever the agent dies.
failing_prepare() { pair old && touch "$SHARED/untested.$NEW"; }
failing_do() { ! bg deploy web "$NEW"; }
test_failing() {
    ready web -- '[bake]' 'time = 0'
    VERB=deploy DONE=false
    kill_everywhere failing before 'running live=live old other=absent none' 'running live=live old other=failed new'
}

stage_prepare() { pair old; }
stage_do() { bg stage web "$NEW"; }
test_stage() {
    ready web
    VERB=stage
    kill_everywhere stage before 'running live=live old other=absent none' 'running live=live old other=failed new'
}

switch_prepare() { pair old && bg stage web "$NEW" >/dev/null; }
switch_do() { bg switch web; }
test_switch() {
    ready web
    VERB=switch
    kill_everywhere switch before
}

abort_prepare() { switch_prepare; }
abort_do() { bg abort web; }
test_abort() {
    ready web
    VERB=-
    kill_everywhere abort before
}

finish_prepare() { pair old && bg deploy web "$NEW" >/dev/null && bg drain web >/dev/null; }
finish_do() { bg finish web; }
test_finish() {
    ready web -- '[bake]' 'time = 5m'
    VERB=-
    KEEP_BAKING=yes
    kill_everywhere finish before
}

run_tests
