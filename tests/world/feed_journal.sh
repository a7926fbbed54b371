#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The journal of [feed] when its disk is full, read-only or wrong: what is true is told, live's clients go on as far as
# they may, and what the message says to do helps.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/drivers/feed_lib.sh
. "$ROOT/tests/drivers/feed_lib.sh"

JOURNAL=$WORLD/state/feed/web

# mounted PATH ARG...: until the test ends, however it does
mounted() {
    local path=$1
    shift
    mount "$@" "$path"
    # shellcheck disable=SC2064 # this path
    trap "umount -l '$path'" EXIT
}

# ready_journal [LINE...]: v1 in blue stands by, v2 in green is live; a seed copies its state.
ready_journal() {
    mkdir -p "$WORLD/srv/web"
    printf '#!/bin/bash\ncat %s/ids.green >%s/ids.blue\n' "$DATA" "$DATA" >"$WORLD/srv/web/seed"
    chmod 755 "$WORLD/srv/web/seed"
    ready_feed "seed = host: $WORLD/srv/web/seed" "$@"
    bg deploy web v2 >/dev/null
}

# add ID...: prints the statuses
add() {
    local id
    for id; do
        on_client curl -s -m 5 -o "$WORLD/body" -w '%{http_code}\n' -d x "$URL4/add/$id"
    done
}

read_works() {
    expect_eq 200 "$(on_client curl -s -m 2 -o /dev/null -w '%{http_code}' "$URL4/count")" "a read"
}

feed_is() {
    [ "$(status_of .feed.state)" = "$1" ]
}

reason() {
    status_of .feed.reason
}

# Nobody writes to it meanwhile.
journal_at_rest() {
    local role
    agent_kill9
    role=$(role_pid)
    kill -9 "$role"
    wait_for 5 no_role
}

segment() {
    find "$JOURNAL" -name '*.wal' | sort | tail -1
}

# flip FILE OFFSET
flip() {
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059 # the byte, in octal
    printf "\\$(printf %o $((byte ^ 4)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# What is said of a zone that is no backup any more, and that a seed ends it.
is_no_backup_before_a_seed() {
    wait_for 5 feed_is broken
    expect_match "$1" "$(reason)"
    expect_status 1 bg feed web
    expect_match "broken.*$1" "$OUTPUT"
    expect_match "feed +broken" "$(bg status web)"
    read_works
    expect_eq 201 "$(add after)"
    expect_status 1 bg rollback web
    expect_match 'would miss' "$OUTPUT"
    expect_status 0 bg feed web seed
    wait_for 5 feed_is 'in step'
    expect_status 0 bg rollback web
    expect_eq 201 "$(add last)"
    wait_for 3 in_step
    expect_eq "$(ids_of blue)" "$(ids_of green)" "ids"
    expect_match 'after last$' "$(ids_of blue | paste -sd ' ')"
}

test_torn_end() {
    ready_journal
    expect_eq '201 201 201' "$(add 1 2 3 | paste -sd ' ')"
    journal_at_rest
    truncate -s -5 "$(segment)"
    agent_start
    expect_eq 201 "$(add 4)"
    wait_for 3 has_all
    expect_match 'stopped while it was written: cutting it off' "$(cat "$WORLD/agent.log")"
    expect_eq '1 2 3 4' "$(ids_of blue | paste -sd ' ')"
    expect_match 'can be read, as they were written' "$(bg feed web verify)"
}

test_flipped_bit() {
    ready_journal
    add $(seq 20) >/dev/null
    journal_at_rest
    flip "$(segment)" $(($(stat -c %s "$(segment)") / 2))
    agent_start
    expect_eq 201 "$(add 21)"
    expect_match 'put aside and a new one is begun: .*seed' "$(cat "$WORLD/agent.log")"
    is_no_backup_before_a_seed 'nobody knows what blue has: .*seed'
}

# Of what the other zone has not done yet.
test_flipped_bit_while_it_runs() {
    ready_journal
    bg feed web pause
    add $(seq 20) >/dev/null
    flip "$(segment)" $(($(stat -c %s "$(segment)") / 2))
    expect_status 1 bg feed web verify
    expect_match 'check sum|damaged' "$OUTPUT"
    bg feed web resume
    is_no_backup_before_a_seed 'wal of the feed.s journal is damaged.*blue lacks .*seed'
}

# A standby that is away for too long: live does not notice, and nobody is told that all is well.
test_full_journal() {
    local id
    ready_journal 'journal_max = 16M' 'body_max = 1M'
    bg feed web pause
    head -c 900000 /dev/zero >"$WORLD/large"
    for id in $(seq 24); do
        expect_eq 201 "$(on_client curl -s -m 5 -o /dev/null -w '%{http_code}' -H 'Expect:' --data-binary "@$WORLD/large" \
            "$URL4/add/$id")"
    done
    bg feed web resume
    [ "$(du -sm "$JOURNAL" | cut -f1)" -le 18 ] || fail "$(ls -l "$JOURNAL")"
    is_no_backup_before_a_seed 'blue is behind by more than the journal holds .*dropped.*seed'
}

test_full_disk() {
    mkdir -p "$WORLD/state/feed"
    mounted "$WORLD/state/feed" -t tmpfs -o size=8m,mode=700 feed
    ready_journal
    expect_eq 201 "$(add 1)"
    wait_for 3 in_step
    head -c 16m /dev/zero >"$WORLD/state/feed/filler" 2>/dev/null || :
    # What fits into the segment's last page does.
    local id
    for id in $(seq 2 60); do
        [ "$(add "$id")" = 201 ] || break
    done
    expect_eq 503 "$(add refused)"
    expect_match 'No space left' "$(cat "$WORLD/body")"
    read_works
    wait_for 2 feed_is broken
    expect_match 'No space left' "$(reason)"
    expect_status 1 bg feed web
    expect_match 'broken.*No space left' "$OUTPUT"
    rm "$WORLD/state/feed/filler"
    expect_eq 201 "$(add again)"
    wait_for 3 in_step
    expect_status 0 bg rollback web
    expect_eq "$(ids_of green)" "$(ids_of blue)" "ids"
    expect_no_match refused "$(ids_of blue)"
    expect_match 'again$' "$(ids_of blue | paste -sd ' ')"
}

# Nobody knows what the disk has: the journal is read again when it works.
test_failing_disk() {
    another_feed feed_sick
    ready_journal 'in_doubt = apply'
    expect_eq 201 "$(add 1)"
    touch "$JOURNAL/sick"
    expect_eq 503 "$(add refused)"
    expect_match 'could not be brought to the disk' "$(cat "$WORLD/body")"
    read_works
    wait_for 3 feed_is broken
    expect_match 'Input/output error' "$(reason)"
    expect_status 1 bg feed web
    expect_eq 503 "$(add refused)"
    expect_status 1 bg rollback web
    rm "$JOURNAL/sick"
    wait_for 5 in_step
    expect_eq 201 "$(add 2)"
    wait_for 3 in_step
    expect_status 0 bg rollback web
    expect_eq '1 2' "$(ids_of blue | paste -sd ' ')"
    expect_eq '1 2' "$(ids_of green | paste -sd ' ')"
}

test_read_only() {
    ready_journal
    expect_eq 201 "$(add 1)"
    journal_at_rest
    mounted "$JOURNAL" --bind "$JOURNAL"
    mount -o remount,bind,ro "$JOURNAL"
    agent_start
    wait_for 5 feed_is broken
    expect_match 'Read-only' "$(reason)"
    read_works
    expect_eq 503 "$(add refused)"
    expect_match 'Read-only' "$(cat "$WORLD/body")"
    expect_status 1 bg rollback web
    mount -o remount,bind,rw "$JOURNAL"
    wait_for 5 in_step
    expect_eq 201 "$(add 2)"
    wait_for 3 in_step
    expect_status 0 bg rollback web
    expect_eq '1 2' "$(ids_of blue | paste -sd ' ')"
    expect_eq '1 2' "$(ids_of green | paste -sd ' ')"
}

run_tests
