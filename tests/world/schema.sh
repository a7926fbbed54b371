#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Schema changes apart from the release, with a PostgreSQL that both zones share by its socket: v1 reads a column that v2
# replaces. Expand adds the new one, contract drops the old one, and each gate between the two says no in its turn.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

# They outlive a test: making a cluster takes a second.
CLUSTER=$WORLD/.cluster
SOCKET=$WORLD/.sql

sql() {
    psql -X -q -A -t -v ON_ERROR_STOP=1 -h "$SOCKET" -U postgres -c "$1" postgres
}

database() {
    local bin
    bin=$(find /usr/lib/postgresql/*/bin -name postgres 2>/dev/null | sort -V | tail -n 1)
    [ -n "$bin" ] || skip "postgresql is not installed: tools/deps compat"
    command -v psql >/dev/null || skip "postgresql is not installed: tools/deps compat"
    bin=$(dirname "$bin")
    if [ ! -s "$CLUSTER/PG_VERSION" ]; then
        install -d -o postgres -m 700 "$CLUSTER"
        install -d -o postgres -m 777 "$SOCKET"
        as_user postgres "$bin/initdb" -N -D "$CLUSTER" -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
    fi
    rm -f "$CLUSTER/postmaster.pid" "$SOCKET"/.s.*
    background as_user postgres "$bin/postgres" -D "$CLUSTER" -k "$SOCKET" -c listen_addresses= -c fsync=off \
        -c dynamic_shared_memory_type=mmap >"$WORLD/postgres.log" 2>&1
    wait_for 20 sql 'select 1' >/dev/null 2>&1 || fail "$(cat "$WORLD/postgres.log")"
    sql 'drop table if exists people; create table people (id serial, name text)'
    sql "insert into people (name) select 'p' || n from generate_series(1, 50) n"
}

columns() {
    sql "select string_agg(column_name, ' ' order by column_name) from information_schema.columns where table_name = 'people'"
}

# command RELEASE NAME, with what it does from stdin: every one notes what it was called for.
command_install() {
    local path=$WORLD/srv/web/$1/bin/$2
    {
        printf '#!/bin/bash\nset -e\n'
        # shellcheck disable=SC2016 # for the script
        printf 'echo "$BLUEGREEN_HOOK $BLUEGREEN_SCHEMA_FROM $BLUEGREEN_SCHEMA_TO $(hostname)" >>%s/notes\n' "$SOCKET"
        # shellcheck disable=SC2016 # for the script
        printf 'sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -h %s -U postgres -c "$1" postgres; }\n' "$SOCKET"
        cat
    } >"$path"
    chmod 755 "$path"
}

# The check of a release: it wants its column.
alive_install() {
    printf '#!/bin/bash\nexec psql -X -q -v ON_ERROR_STOP=1 -h %s -U postgres -c "select %s from people limit 1" postgres\n' \
        "$SOCKET" "$2" >"$WORLD/srv/web/$1/bin/alive"
    chmod 755 "$WORLD/srv/web/$1/bin/alive"
}

# configure NEEDS [LINE...]: LINEs are of [schema].
configure() {
    local needs=$1
    shift
    {
        printf '[app]\nname = web\nuser = web\nrun = %s --port 8080\n' "$WORLD/srv/web/%r/bin/web"
        printf '[ports]\nhttp = 80 -> 8080/tcp\n[files]\nwrite = %s\n' "$SOCKET"
        printf '[health]\nexec = %s\ninterval = 200ms\npasses = 2\nfailures = 2\n' "$WORLD/srv/web/%r/bin/alive"
        printf '[drain]\ntimeout = 1s\n'
        [ "$needs" = none ] || printf '[schema]\nneeds = %s\n' "$needs"
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } | app_conf web
}

# shellcheck disable=SC2119
with_commands() {
    local needs=$1 name lines=()
    shift
    for name in expand check contract revert; do
        lines+=("$name = $WORLD/srv/web/%r/bin/$name")
    done
    configure "$needs" "${lines[@]}" "$@"
}

# v1, which knows nothing of versions, is live; v2 needs version 1.
ready_schema() {
    database
    rm -f "$SOCKET/notes"
    world_net
    local name
    for name in v1 v2 v3; do
        release_install web "$name"
    done
    alive_install v1 name
    alive_install v2 full_name
    alive_install v3 full_name
    for name in v2 v3; do
        command_install "$name" expand <<'EOS'
sql "alter table people add column if not exists full_name text"
sql "update people set full_name = name where full_name is null"
EOS
        # shellcheck disable=SC2016 # for the script
        command_install "$name" check <<<'[ "$(sql "select count(*) from people where full_name is null")" = 0 ] || { echo "rows are missing"; exit 1; }'
        command_install "$name" contract <<<'sql "alter table people drop column if exists name"'
        command_install "$name" revert <<<'sql "alter table people drop column if exists full_name"'
    done
    configure none
    agent_start
    bg deploy web v1 >/dev/null
    with_commands 1 "$@"
}

schema_is() {
    [ "$(status_of .schema.state)" = "$1" ]
}

notes() {
    cut -d' ' -f1-3 "$SOCKET/notes" 2>/dev/null | tr '\n' ';'
}

untouched() {
    expect_eq v1 "$(release_seen)" "live"
    expect_eq blue "$(status_of .live)"
}

# The whole way, with a refusal at each end of it.
test_from_expand_to_contract() {
    ready_schema '[bake]' 'time = 2s'
    expect_status 1 bg schema web contract --yes
    expect_match 'nothing to contract' "$OUTPUT"
    expect_status 0 bg deploy web v2
    expect_match 'verify +.*v1 is healthy on version 1: the way back' "$OUTPUT"
    expect_eq 'full_name id name' "$(columns)"
    expect_eq 'expand 0 1;check 0 1;' "$(notes)"
    expect_match 'expanded to version 1 by v2 on .*, v1 was healthy on it' "$(status_of .schema.text)"
    expect_match 'schema +expanded to version 1' "$(bg status web)"
    expect_match 'verified +v1' "$(bg schema web)"
    # Not while it bakes.
    expect_status 1 bg schema web contract --yes
    expect_match 'v2 is in its bake' "$OUTPUT"
    bg finish web >/dev/null
    # Both work: that is what it is for.
    expect_status 0 bg rollback web
    untouched
    expect_status 1 bg schema web contract --yes
    expect_match 'v1 is live and needs version 0 of the schema, not 1' "$OUTPUT"
    expect_status 0 bg rollback web
    wait_for 5 is_state blue standby
    # Not while v1 stands by, unless it may go.
    expect_status 1 bg schema web contract
    expect_match 'v1 stands by in zone blue .*contract --yes' "$OUTPUT"
    expect_eq 'full_name id name' "$(columns)"
    # Who sits at a terminal is asked, and may say no.
    expect_status 1 script -qec "$BUILD/bluegreen --socket $WORLD/run/control.sock schema web contract" /dev/null <<<n
    expect_match 'there is no way back. Go on\? \[y/N\].*nothing was done' "$(tr '\r\n' '  ' <<<"$OUTPUT")"
    expect_eq 'full_name id name' "$(columns)"
    expect_status 0 bg schema web contract --yes
    expect_eq 'full_name id' "$(columns)"
    expect_eq absent "$(status_of .zones.blue.state)"
    expect_eq v2 "$(release_seen)"
    schema_is contracted || fail "$(bg schema web)"
    expect_match 'contract: the schema is contracted for version 1 by v2' "$(last_of schema .reason)"
    # A release from before it does not come back.
    configure none
    expect_status 1 bg deploy web v1
    expect_match 'contracted for version 1 on 20.*v1 needs version 0' "$OUTPUT"
    expect_eq absent "$(status_of .zones.blue.state)"
    with_commands 1
    expect_status 0 bg deploy web v3
    expect_eq 'full_name id' "$(columns)"
}

# v1 on a schema that has left it behind, by somebody who insists; the column was brought back by hand.
past_a_contract() {
    ready_schema
    bg deploy web v2 >/dev/null
    wait_for 5 is_state blue standby
    bg schema web contract --yes >/dev/null
    sql 'alter table people add column name text'
    configure none "$@"
    expect_status 1 bg deploy web v1 --force
    expect_match 'contracted for version 1.*v1 needs version 0.*--force-past-contract' "$OUTPUT"
    expect_status 0 bg deploy web v1 --force-past-contract
    expect_eq v1 "$(release_seen)"
    expect_status 0 bg rollback web
    wait_for 5 is_state blue standby
}

test_rollback_past_a_contract() {
    ready_schema
    bg deploy web v2 >/dev/null
    wait_for 5 is_state blue standby
    bg schema web contract --yes >/dev/null
    expect_status 1 bg rollback web
    expect_match 'nothing to switch to.*contracted for version 1, and the standby that could not run on it is gone' "$OUTPUT"
}

test_force_past_a_contract() {
    past_a_contract
    local verb
    for verb in rollback switch; do
        expect_status 1 bg "$verb" web
        expect_match 'contracted for version 1 on 20.*v1 needs version 0.*--force-past-contract' "$OUTPUT"
        expect_status 1 bg "$verb" web --force
        expect_match 'force-past-contract' "$OUTPUT"
    done
    expect_status 1 bg rehearse web
    expect_match 'contracted for version 1' "$OUTPUT"
    expect_eq v2 "$(release_seen)"
    expect_status 0 bg rollback web --force-past-contract
    expect_eq v1 "$(release_seen)"
}

test_no_failover_past_a_contract() {
    past_a_contract '[failover]' 'auto = yes'
    # v2 as it is configured now, in the place of the one that was contracted with.
    with_commands 1 '[failover]' 'auto = yes'
    bg rollback web --force-past-contract >/dev/null
    wait_for 5 is_state green standby
    bg deploy web v3 >/dev/null
    wait_for 5 is_state blue standby
    sql 'alter table people rename column full_name to away'
    wait_for 10 grep -q 'there is no failover: .*contracted for version 1' "$WORLD/agent.log"
    expect_eq green "$(status_of .live)"
}

# All hooks are told of the change, those that ran before there was any, too.
test_what_other_hooks_are_told() {
    local name
    ready_schema
    command_install v1 told <<<''
    command_install v2 told <<<''
    with_commands 0 '[hooks]' "pre_start = $WORLD/srv/web/%r/bin/told" "on_rollback = $WORLD/srv/web/%r/bin/told"
    for name in expand check contract revert; do
        command_install v1 "$name" <<<''
    done
    bg deploy web v1 >/dev/null
    expect_eq 'pre_start 0 0;' "$(notes)"
    with_commands 1 '[hooks]' "pre_start = $WORLD/srv/web/%r/bin/told" "post_switch = $WORLD/srv/web/%r/bin/told"
    bg deploy web v2 >/dev/null
    expect_eq 'pre_start 0 0;expand 0 1;check 0 1;pre_start 0 1;post_switch 0 1;' "$(notes)"
    bg rollback web >/dev/null
    wait_for 5 grep -q '^on_rollback 0 1 ' "$SOCKET/notes"
    # Nothing needs it any more: v1 takes the place of v2.
    with_commands 0 '[hooks]' "pre_start = $WORLD/srv/web/%r/bin/told"
    bg deploy web v1 --force >/dev/null
    wait_for 5 is_state green standby
    bg schema web revert --force >/dev/null
    expect_match 'pre_start 0 1;revert 1 0;$' "$(notes)"
    bg stage web v1 >/dev/null
    expect_match 'pre_start 0 0;$' "$(notes)"
}

# It is told in whole words, and what to do is told whole, wherever it is told.
test_a_failing_expand_with_much_to_say() {
    ready_schema
    command_install v2 expand <<<'printf "several %.0s" {1..60}; exit 3'
    expect_status 1 bg deploy web v2
    expect_match 'expand failed: exit status 3: (several )+several\.\.\.; "bluegreen schema web status" says what can be done' "$OUTPUT"
    local reason text
    reason=$(bg history web --json | json '[.entries[] | select(.verb == "deploy")] | last | .reason')
    expect_match '^\[schema\] expand failed: .*; "bluegreen schema web status" says what can be done$' "$reason"
    text=$(bg schema web status)
    echo "$text"
    expect_match 'broken: expand for version 1 by v2 on .*: (several )+several\.\.\.' "$text"
    expect_no_match 'says what' "$text"
    expect_match 'several\.\.\.; "bluegreen schema web check" confirms .*, "bluegreen schema web revert" undoes it' "$text"
}

test_a_failing_expand() {
    ready_schema
    command_install v2 expand <<<'sql "alter table people add column full_name text"; echo "disk is full"; exit 3'
    expect_status 1 bg deploy web v2
    expect_match '\[schema\] expand failed: exit status 3: disk is full' "$OUTPUT"
    untouched
    schema_is broken || fail "$(bg schema web)"
    expect_match 'broken: expand for version 1 by v2' "$(bg status web)"
    # The way on: contract is none, a release from before it is.
    expect_status 1 bg schema web contract --yes
    expect_match 'broken: expand .*schema web check.*schema web revert' "$OUTPUT"
    # Not repaired yet: the check says no.
    expect_status 1 bg schema web check
    expect_match '\[schema\] check failed: exit status 1: rows are missing' "$OUTPUT"
    sql 'update people set full_name = name'
    expect_status 0 bg schema web check
    expect_match 'check: the schema is expanded to version 1 by v2.*v1 was healthy on it' "$OUTPUT"
    expect_eq absent "$(status_of .zones.green.state)" "the zone of the check"
    expect_status 0 bg deploy web v2
    expect_eq v2 "$(release_seen)"
}

test_a_failing_check_and_a_revert() {
    ready_schema
    command_install v2 check <<<'echo "no index"; exit 1'
    expect_status 1 bg deploy web v2
    expect_match 'check failed: exit status 1: no index' "$OUTPUT"
    untouched
    expect_eq 'full_name id name' "$(columns)"
    # A release that needs nothing of it goes its way.
    configure none
    expect_status 0 bg deploy web v1
    with_commands 1
    expect_status 1 bg schema web revert
    expect_match 'needs zone blue, where v1 is \((draining|standby)\); --force|still draining' "$OUTPUT"
    wait_for 5 is_state blue standby
    expect_status 0 bg schema web revert --force
    expect_eq 'id name' "$(columns)"
    expect_match 'revert 1 0;' "$(notes)"
    schema_is none || fail "$(bg schema web)"
    expect_eq absent "$(status_of .zones.blue.state)"
    expect_status 1 bg schema web revert
    expect_match 'nothing to revert' "$OUTPUT"
    command_install v2 check <<<true
    expect_status 0 bg deploy web v2
}

# The old release does not stand what was done: nothing of the new one becomes live.
test_live_is_ill_after_an_expand() {
    ready_schema
    command_install v2 expand <<<'sql "alter table people rename column name to full_name"'
    expect_status 1 bg deploy web v2
    expect_match 'v1, which is live, is not healthy on version 1' "$OUTPUT"
    expect_eq blue "$(status_of .live)"
    schema_is broken || fail "$(bg schema web)"
    # Before it is well again no other can be told from the harm that was there.
    expect_status 1 bg deploy web v2
    expect_match 'v1, which is live, is not healthy .*--force' "$OUTPUT"
    command_install v2 revert <<<'sql "alter table people rename column full_name to name"'
    expect_status 0 bg schema web revert
    wait_for 5 is_healthy blue
    schema_is none || fail "$(bg schema web)"
}

test_what_is_refused_before_anything_starts() {
    ready_schema
    configure 1
    expect_status 1 bg deploy web v2
    expect_match 'v2 needs version 1 .*\[schema\] expand says no command' "$OUTPUT"
    expect_status 1 bg stage web v2
    expect_eq absent "$(status_of .zones.green.state)"
    with_commands 1
    expect_status 1 bg schema web check
    expect_match 'nothing to check' "$OUTPUT"
    expect_status 2 bg schema web expand
    expect_match 'which release' "$OUTPUT"
    expect_status 2 bg schema web repair
    expect_status 2 bg schema web revert v2
    # Ahead of the release, for itself; the zone was there for the command only.
    expect_status 0 bg schema web expand v2
    expect_eq 'full_name id name' "$(columns)"
    expect_eq absent "$(status_of .zones.green.state)"
    expect_eq 'expand 0 1;check 0 1;' "$(notes)"
    expect_status 1 bg schema web expand v2
    expect_match 'nothing to expand' "$OUTPUT"
    bg deploy web v2 >/dev/null
    expect_eq 'expand 0 1;check 0 1;' "$(notes)" "a second expand"
    # It is in use.
    expect_status 1 bg schema web revert
    expect_match 'v2 in zone green needs version 1' "$OUTPUT"
}

hangs() {
    grep -q "^$1 " "$SOCKET/notes" 2>/dev/null
}

nothing_hangs() {
    ! pgrep -f '^sleep 4242$' >/dev/null
}

test_a_hanging_expand_is_killed_and_aborted() {
    ready_schema 'timeout = 1s'
    command_install v2 expand <<<'sleep 4242 & wait'
    expect_status 1 bg deploy web v2
    expect_match 'expand failed: killed after 1 s' "$OUTPUT"
    wait_for 5 nothing_hangs
    with_commands 1
    rm -f "$SOCKET/notes"
    bg deploy web v2 >"$WORLD/deploy" 2>&1 &
    wait_for 5 hangs expand
    expect_status 0 bg abort web
    wait_for 5 nothing_hangs
    schema_is broken || fail "$(bg schema web)"
    expect_match 'aborted by root' "$(status_of .schema.text)"
    untouched
}

# Nobody knows how far it came, so it counts as begun: nothing goes back behind it, and it is run again.
test_an_agent_that_is_killed_in_a_contract() {
    ready_schema
    bg deploy web v2 >/dev/null
    wait_for 5 is_state blue standby
    command_install v2 contract <<<'sleep 4242 & wait'
    bg schema web contract --yes >/dev/null 2>&1 &
    wait_for 5 hangs contract
    expect_match 'contract 0 1' "$(notes)"
    agent_kill9
    agent_start
    expect_eq v2 "$(release_seen)"
    wait_for 5 nothing_hangs
    schema_is broken || fail "$(bg schema web)"
    expect_match 'contract for version 1 by v2.*the agent ended while it ran' "$(status_of .schema.text)"
    expect_eq 1 "$(status_of .schema.contracted)"
    configure none
    expect_status 1 bg deploy web v1
    expect_match 'contracted for version 1' "$OUTPUT"
    command_install v2 contract <<<'sql "alter table people drop column if exists name"'
    expect_status 0 bg schema web contract
    expect_eq 'full_name id' "$(columns)"
    schema_is contracted || fail "$(bg schema web)"
}

# The same on the host, and in an expand: what is left is said, and the deploy can be made again.
test_an_agent_that_is_killed_in_an_expand() {
    ready_schema
    sed -i "s|^expand = |&host:|" "$WORLD/etc/apps/web.conf"
    command_install v2 expand <<<'sleep 4242 & wait'
    bg deploy web v2 >/dev/null 2>&1 &
    wait_for 5 hangs expand
    expect_no_match "bg-|web-green" "$(grep '^expand' "$SOCKET/notes")" "where it ran"
    agent_kill9
    wait_for 5 nothing_hangs
    agent_start
    untouched
    schema_is broken || fail "$(bg schema web)"
    expect_eq 0 "$(status_of .schema.expanded)"
    expect_eq failed "$(status_of .zones.green.state)"
    command_install v2 expand <<<'sql "alter table people add column full_name text"; sql "update people set full_name = name"'
    expect_status 0 bg deploy web v2
    schema_is expanded || fail "$(bg schema web)"
}

run_tests
