#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent is killed everywhere while a schema is expanded and contracted: see tests/drivers/kill_lib.sh.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/kill_lib.sh
. "$ROOT/tests/drivers/kill_lib.sh"

# Each time for a version of its own: what was contracted for stays so. The commands do nothing, since what is looked at is
# what the agent makes of them.
NEEDS=1 WITH_SCHEMA=yes
needs_more() {
    NEEDS=$((NEEDS + 1))
    sed -i "s/^needs = .*/needs = $NEEDS/" "$WORLD/etc/apps/web.conf"
}

ready_schema() {
    ready web -- '[schema]' "needs = $NEEDS" 'expand = host:/bin/true' 'contract = host:/bin/true'
}

schema_of() {
    bg status web --json | jq -r "$1"
}

# Both are there and well, whatever the last kill has left of the schema.
pair_with_schema() {
    [ "$(schema_of '.schema.state // "none"')" != broken ] || settle
    pair "$1"
}

# What was interrupted can be done again, and that mends it.
settle() {
    if [[ $(schema_of .schema.text) == *"contract for"* ]]; then
        bg schema web contract --yes >"$WORLD/said" 2>&1 || fail "contract cannot be done again: $(cat "$WORLD/said")"
    else
        bg schema web check >"$WORLD/said" 2>&1 || fail "check cannot mend it: $(cat "$WORLD/said")"
    fi
    expect_match 'expanded|contracted' "$(schema_of .schema.state)" "after it was done again"
}

# Nothing is under way that nobody does. A release that is live can run on what there is.
schema_right() {
    local state
    state=$(schema_of '.schema.state // "none"')
    WHY="the schema is $state, and no operation runs"
    [[ $state != *ing ]] || return 1
    WHY="$RELEASE is live and the schema is not expanded for it"
    [ "$RELEASE" != "$NEW" ] || [ "$(schema_of .schema.expanded)" = "$NEEDS" ] || return 1
    WHY="it is done by the history, and the schema is $state"
    [ "$(outcome)" != true ] || [ "$state" = "$1" ]
}

expand_prepare() { pair_with_schema old && needs_more; }
expand_do() { bg deploy web "$NEW"; }
expand_right() { schema_right expanded; }
test_expand() {
    ready_schema
    VERB=deploy PHASES='torn synced' STATES=()
    local expand old='running live=live old other'
    for expand in expanded broken; do
        STATES+=("$old=absent none schema=$expand" "$old=failed new schema=$expand")
    done
    kill_everywhere expand before "${STATES[@]}"
}

contract_prepare() { expand_prepare && bg deploy web "$NEW" >/dev/null && bg drain web >/dev/null; }
contract_do() { bg schema web contract --yes; }
contract_right() {
    schema_right contracted || return 1
    WHY="it has begun, and yet something needs the schema of before: $STATE"
    [ "$(schema_of .schema.contracted)" != "$NEEDS" ] || [[ $STATE != *old* ]] || return 1
    # shellcheck disable=SC2015 # none of both is to fail
    WHY="it has begun, and yet the release of before may come back"
    [ "$(schema_of .schema.contracted)" != "$NEEDS" ] || ! older_may_come
}

# With the file as it was before this version.
older_may_come() {
    sed -i "s/^needs = .*/needs = $((NEEDS - 1))/" "$WORLD/etc/apps/web.conf"
    bg stage web "$OLD" --force >"$WORLD/said" 2>&1 || :
    sed -i "s/^needs = .*/needs = $NEEDS/" "$WORLD/etc/apps/web.conf"
    ! grep -q "contracted for version $NEEDS" "$WORLD/said"
}

test_contract() {
    ready_schema
    VERB=schema PHASES='torn written synced'
    local gone='running live=live new other=absent none'
    kill_everywhere contract before "$gone schema=expanded" "$gone schema=broken"
}

run_tests
