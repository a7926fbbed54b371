#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Several processes in one app: those that run always, and those for the live zone only, which never run in both zones.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

# The worker writes what it does into a directory that both zones share, and holds a lock there: a second one that runs
# at the same time, in whatever zone, cannot get it and says so.
write_worker() {
    local file
    file=$WORLD/srv/web/$1/bin/worker
    cat >"$file.new" <<'EOF'
#!/bin/bash
shared=$1 name=$2
exec 9>>"$shared/$name.lock"
flock -n 9 || echo "overlap $BLUEGREEN_RELEASE" >>"$shared/$name"
end() {
    sleep "$(cat "$shared/slow" 2>/dev/null || echo 0.1)" 9>&-
    echo "end $BLUEGREEN_RELEASE" >>"$shared/$name"
    exit 0
}
[ -e "$shared/stubborn" ] && trap '' TERM || trap end TERM
echo "begin $BLUEGREEN_RELEASE" >>"$shared/$name"
while :; do
    sleep 0.05 9>&-
done
EOF
    chmod 755 "$file.new"
    mv "$file.new" "$file"
}

SHARED=$WORLD/shared

ready_workers() {
    mkdir -p "$SHARED"
    chown web "$SHARED"
    ready_web '[files]' "write = $SHARED" \
        '[process mail]' "run = $WORLD/srv/web/%r/bin/worker $SHARED mail" 'when = live' \
        '[drain]' 'timeout = 500ms' "$@"
    write_worker v1
    write_worker v2
}

said() {
    tr '\n' ',' <"$SHARED/${2:-mail}" | grep -q "$1,\$"
}

state_of_mail() {
    status_of ".zones.$1.processes[] | select(.name == \"mail\") | .state"
}

mail_is() {
    [ "$(state_of_mail "$1")" = "$2" ]
}

no_overlap() {
    expect_no_match overlap "$(cat "$SHARED/mail")"
}

test_a_live_process_runs_in_the_live_zone_only() {
    ready_workers
    bg deploy web v1
    wait_for 5 said 'begin v1'
    bg stage web v2
    sleep 0.5
    expect_eq 'begin v1' "$(cat "$SHARED/mail")" "while v2 is staged"
    expect_eq running "$(state_of_mail blue)"
    expect_eq waiting "$(state_of_mail green)"
    bg switch web
    wait_for 5 said 'begin v1,end v1,begin v2'
    expect_eq waiting "$(state_of_mail blue)"
    expect_eq running "$(state_of_mail green)"
    expect_match '^[0-9]+$' "$(status_of '.zones.green.processes[0].pid')"
    bg rollback web
    wait_for 5 said 'end v1,begin v2,end v2,begin v1'
    no_overlap
}

# However fast it goes to and fro, the last word counts and no two ever run.
test_many_switches_in_the_drain_end_with_one() {
    ready_workers
    echo 0.3 >"$SHARED/slow"
    bg deploy web v1
    bg deploy web v2
    for ((i = 0; i < 9; i++)); do
        bg rollback web >/dev/null
    done
    wait_for 10 mail_is blue running
    wait_for 10 mail_is green waiting
    no_overlap
    expect_eq 'begin v1' "$(tail -n 1 "$SHARED/mail")"
    expect_eq 1 "$(($(grep -c begin "$SHARED/mail") - $(grep -c end "$SHARED/mail")))" "still running"
}

test_one_that_does_not_want_to_stop_is_killed_first() {
    ready_workers
    sed -i 's|^user = web|&\nstop_timeout = 700ms|' "$WORLD/etc/apps/web.conf"
    touch "$SHARED/stubborn"
    bg deploy web v1
    wait_for 5 said 'begin v1'
    bg deploy web v2
    wait_for 10 said 'begin v1,begin v2'
    no_overlap
}

test_a_new_agent_goes_on_where_the_old_one_was() {
    ready_workers
    bg deploy web v1
    wait_for 5 said 'begin v1'
    agent_kill9
    agent_start
    sleep 0.5
    expect_eq 'begin v1' "$(cat "$SHARED/mail")" "after a new agent"
    expect_eq running "$(state_of_mail blue)"
    # Killed with the old zone's process still ending: the new agent waits for it, then starts the other.
    echo 2 >"$SHARED/slow"
    bg deploy web v2 >/dev/null
    agent_kill9
    agent_start
    wait_for 10 said 'begin v1,end v1,begin v2'
    no_overlap
    # And one that is stopped and not needed is not taken for one that will come back by itself.
    echo 0.1 >"$SHARED/slow"
    agent_kill9
    agent_start
    bg rollback web
    wait_for 5 said 'begin v2,end v2,begin v1'
    no_overlap
}

test_it_comes_back_with_a_lost_zone() {
    ready_workers
    bg deploy web v1
    wait_for 5 said 'begin v1'
    kill -9 "$(status_of .zones.blue.shim_pid)"
    wait_for 10 said 'begin v1,begin v1'
    no_overlap
    wait_for 5 mail_is blue running
}

test_stop_and_start() {
    ready_workers
    bg deploy web v1
    bg deploy web v2
    wait_for 5 said 'begin v2'
    bg stop web
    wait_for 5 said 'begin v2,end v2'
    bg start web
    wait_for 5 said 'begin v2,end v2,begin v2'
    no_overlap
}

test_an_exit_is_restarted_and_shown() {
    ready_workers
    bg deploy web v1
    wait_for 5 mail_is blue running
    kill -9 "$(status_of '.zones.blue.processes[0].pid')"
    wait_for 5 said 'begin v1,begin v1'
    wait_for 5 mail_is blue running
    expect_eq 1 "$(status_of '.zones.blue.processes[0].restarts')"
    expect_eq 9 "$(status_of '.zones.blue.processes[0].last_exit.signal')"
    expect_match 'mail of v1 was ended by signal 9' "$(cat "$WORLD/agent.log")"
    expect_eq v1 "$(release_seen "$URL4")"
}

test_a_process_that_runs_always_is_part_of_staging() {
    ready_workers '[process side]' "run = $WORLD/srv/web/%r/bin/worker $SHARED side-%z" 'when = always'
    bg deploy web v1
    bg stage web v2
    expect_eq 'begin v1' "$(cat "$SHARED/side-blue")"
    expect_eq 'begin v2' "$(cat "$SHARED/side-green")"
    bg switch web
    wait_for 5 said 'end v1,begin v2'
    expect_eq 'begin v1' "$(cat "$SHARED/side-blue")"
    bg abort web || :
    # A release without it cannot be staged, and the message says which.
    rm "$WORLD/srv/web/v1/bin/worker"
    wait_for 10 is_state blue standby
    expect_status 2 bg stage web v1
    expect_match '\[process (side|mail)\] run' "$OUTPUT"
    expect_eq standby "$(status_of .zones.blue.state)"
}

run_tests "$@"
