#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Parity: what differs between the zones, by `diff` and before a release is built: keys, accounts, environment, files of
# the releases, libraries that are loaded; and what happens where something cannot be compared.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

EXIT_DIFFERENT=4

# ready_pair [LINE...]: v1 and then v2 released, with the LINEs in the file of both.
ready_pair() {
    ready_web "$@"
    bg deploy web v1 >/dev/null
    bg deploy web v2 >/dev/null
    wait_for 10 is_state blue standby
}

# rows [FILTER]: name|blue|green|text of what differs.
rows() {
    bg diff web --json >"$WORLD/diff.json" || [ $? -eq "$EXIT_DIFFERENT" ]
    tail -n 1 "$WORLD/diff.json" | jq -r ".items[] | ${1:-.} | [.name, .blue, .green, .text] | map(. // \"-\") | join(\"|\")"
}

# has_row REGEX: one of the rows, wholly.
has_row() {
    rows >"$WORLD/rows"
    grep -Eqx -- "$1" "$WORLD/rows" || fail "no row is $1, of: $(cat "$WORLD/rows")"
}

# ends_with STATUS PID
ends_with() {
    local status=0
    wait "$2" || status=$?
    expect_eq "$1" "$status" "exit status"
}

last_text() {
    tail -n 1 "$WORLD/diff.json" | jq -r .text
}

# --- diff ---------------------------------------------------------------------------------------------

# Two releases of one configuration differ in nothing that counts.
test_only_the_release() {
    ready_pair
    expect_status 0 bg diff web
    expect_match 'app.run +.*/v1/bin/web.*/v2/bin/web.* release' "$OUTPUT" "the command"
    expect_match '0 differences beyond the release, 1 of the release' "$OUTPUT" "the sum"
    expect_no_match 'files/' "$OUTPUT" "files that are the same"
    expect_no_match 'unknown' "$OUTPUT" "what could not be compared"
}

test_nothing_to_compare() {
    ready_web
    expect_status 1 bg diff web
    expect_match 'nothing to compare' "$OUTPUT"
    expect_status 1 as_user nosy "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" diff web
    expect_match 'may look but not diff' "$OUTPUT" "who may not"
}

# One zone alone is compared with what the file would give the other.
test_empty_zone() {
    ready_web
    bg deploy web v1 >/dev/null
    web_conf web 80 '[limits]' 'open_files = 4096'
    expect_eq "limits.open_files|none (default)|4096|configuration" "$(rows)" "the changed key"
    expect_match 'zone green is empty: compared with what .*web.conf would make of v1' "$(last_text)"
    web_conf web 80
    expect_status 0 bg diff web
}

test_configuration() {
    ready_web
    bg deploy web v1 >/dev/null
    {
        printf '[app]\nname = web\nuser = oper\nrun = %s --port 8080\n' "$WORLD/srv/web/%r/bin/web"
        printf 'environment = SECRET=swordfish\n[ports]\nhttp = 80 -> 8080/tcp\n'
        printf '[health]\nhttp = :8080/healthz\ninterval = 200ms\npasses = 2\n[sandbox]\nhome = visible\n'
    } | app_conf web
    bg deploy web v2 >"$WORLD/out"
    wait_for 10 is_state blue standby
    has_row 'app.user\|web\|oper\|configuration'
    has_row "host.uid\|$(id -u web)\|$(id -u oper)\|host"
    has_row 'environment.SECRET\|-\|hidden\|configuration'
    has_row 'environment.USER\|hidden\|hidden, another\|host'
    has_row 'sandbox.home\|hidden \(default\)\|visible\|configuration'
    has_row 'mounts./home\|empty.*\|-\|host'
    expect_no_match swordfish "$(cat "$WORLD/diff.json" "$WORLD/out")" "a secret"
    expect_status "$EXIT_DIFFERENT" bg diff web
    expect_no_match swordfish "$OUTPUT" "a secret"
}

# What env_file gives is compared, too, and shown as little.
test_env_file() {
    ready_web
    mkdir -p "$WORLD/srv/env"
    printf 'LEVEL=one\nSAME=yes\n' >"$WORLD/srv/env/v1"
    printf 'LEVEL=two\nSAME=yes\n' >"$WORLD/srv/env/v2"
    sed -i "s|^run = |env_file = $WORLD/srv/env/%r\nrun = |" "$WORLD/etc/apps/web.conf"
    bg deploy web v1 >/dev/null
    bg deploy web v2 >/dev/null
    has_row 'environment.LEVEL\|hidden\|hidden, another\|release'
    expect_no_match 'SAME|"one"' "$(cat "$WORLD/diff.json")" "what is the same, or a value"
}

# --- files and libraries --------------------------------------------------------------------------------

test_files() {
    ready_pair
    local v1=$WORLD/srv/web/v1 v2=$WORLD/srv/web/v2
    mkdir "$v1/lib" "$v2/lib"
    echo one >"$v1/lib/changed"
    echo two >"$v2/lib/changed"
    echo same >"$v1/lib/same"
    echo same >"$v2/lib/same"
    echo old >"$v1/lib/old"
    echo new >"$v2/lib/$(printf 'new\nline')"
    ln -s /one "$v1/lib/link"
    ln -s /two "$v2/lib/link"
    mkfifo "$v1/lib/fifo" "$v2/lib/fifo"
    chmod 600 "$v2/lib/fifo"
    local sum
    sum=$(sha256sum <"$v1/lib/changed" | cut -d' ' -f1)
    has_row "files/lib/changed\|0644 4 B sha256:$sum\|0644 4 B sha256:[0-9a-f]{64}\|release"
    has_row 'files/lib/old\|0644 4 B [^|]*\|-\|release'
    has_row 'files/lib/new\\x0aline\|-\|0644 4 B [^|]*\|release'
    has_row 'files/lib/link\|link [^|]*\|link [^|]*\|release'
    has_row 'files/lib/fifo\|no file 0644\|no file 0600\|release'
    expect_eq 5 "$(grep -c ^files/ "$WORLD/rows")" "rows of files: all that differ, and no other"
    expect_status 0 bg diff web
}

test_unreadable_file() {
    ready_pair
    echo secret >"$WORLD/srv/web/v2/hidden"
    chmod 600 "$WORLD/srv/web/v2/hidden"
    has_row "files/hidden\|-\|unreadable: Permission denied\|it cannot be read as the app's user"
    expect_status "$EXIT_DIFFERENT" bg diff web
    expect_match 'files/hidden .*unreadable: Permission denied +unknown' "$OUTPUT"
    chmod 700 "$WORLD/srv/web/v1"
    has_row "files\|-\|-\|not all of zone blue, .*/srv/web/v1: Permission denied"
}

test_many_files() {
    ready_pair
    local i
    for ((i = 0; i < 300; i++)); do echo "$i" >"$WORLD/srv/web/v2/$i"; done
    expect_eq 200 "$(rows 'select(.name | startswith("files/"))' | wc -l)" "rows"
    expect_match 'and 100 more files differ' "$(last_text)"
    expect_match '0 differences beyond the release, 301 of the release' "$(last_text)"
}

# A library that was replaced beneath one of them is a difference of the host.
test_library() {
    local library
    library=$(ldd "$BUILD/demo/web" | awk '/libc\.so/ { print $3 }')
    [ -n "$library" ] || skip "the demo app is static"
    mkdir -p "$WORLD/srv/lib"
    cp "$library" "$WORLD/srv/lib/libc.so.6"
    ready_web '[files]' "read = $WORLD/srv/lib"
    sed -i "s|^run = |environment = LD_LIBRARY_PATH=$WORLD/srv/lib\nrun = |" "$WORLD/etc/apps/web.conf"
    bg deploy web v1 >/dev/null
    cp "$library" "$WORLD/srv/lib/new"
    printf x >>"$WORLD/srv/lib/new"
    mv "$WORLD/srv/lib/new" "$WORLD/srv/lib/libc.so.6"
    bg deploy web v2 >/dev/null
    wait_for 10 is_state blue standby
    has_row 'libraries/.*/srv/lib/libc.so.6\|replaced since it was loaded\|0000 [0-9]+ B sha256:[^|]*\|host'
    expect_status "$EXIT_DIFFERENT" bg diff web
}

# --- what hangs, dies, is in the way ----------------------------------------------------------------------

digest_pid() {
    pgrep -f 'bluegreen-digest .* tree ' | head -n 1
}
digest_runs() {
    [ -n "$(digest_pid)" ]
}
no_digest() {
    ! pgrep -x bluegreen-diges >/dev/null
}

# Enough for a child to be met at its work.
large_release() {
    truncate -s 40G "$WORLD/srv/web/$1/large"
}

test_killed() {
    ready_pair
    large_release v1
    large_release v2
    background bg diff web --json >"$WORLD/out" 2>&1
    local client=$!
    wait_for 5 digest_runs
    expect_status 1 bg diff web
    expect_match 'being compared for somebody else' "$OUTPUT" "a second one"
    kill -KILL "$(digest_pid)"
    ends_with "$EXIT_DIFFERENT" "$client"
    expect_match 'not all of zone (blue|green), .*: bluegreen-digest died' "$(cat "$WORLD/out")"
    wait_for 5 no_digest
    answers v2
}

test_hanging() {
    ready_pair
    large_release v1
    large_release v2
    background bg diff web --json >"$WORLD/out" 2>&1
    local client=$!
    wait_for 5 digest_runs
    kill -STOP "$(digest_pid)"
    ends_with "$EXIT_DIFFERENT" "$client"
    expect_match 'it hung: nothing was read for 10 s' "$(cat "$WORLD/out")"
    wait_for 5 no_digest
}

# Who asked has gone: nobody reads any more. The agent ends: neither.
test_given_up() {
    ready_pair
    large_release v1
    large_release v2
    background "$BUILD/bluegreen" diff web >/dev/null 2>&1
    local client=$!
    wait_for 5 digest_runs
    local rights
    rights=$(grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp):' "/proc/$(digest_pid)/status" | tr -s '\t\n' '  ')
    expect_match "Uid: $(id -u web) .* CapEff: 0+ NoNewPrivs: 1 Seccomp: 2" "$rights" "rights of the reader"
    kill -KILL "$client"
    wait_for 5 no_digest
    background "$BUILD/bluegreen" diff web >/dev/null 2>&1
    wait_for 5 digest_runs
    agent_kill9
    wait_for 5 no_digest
}

# --- before a release is built ------------------------------------------------------------------------------

test_deploy_says_what_differs() {
    ready_web
    bg deploy web v1 >/dev/null
    bg deploy web v2 >"$WORLD/out"
    expect_no_match parity "$(cat "$WORLD/out")" "a deploy that differs in its release only"
    web_conf web 80 '[limits]' 'open_files = 4096' '[drain]' 'timeout = 5s'
    release_install web v3
    bg deploy web v3 >"$WORLD/out"
    expect_match 'parity +blue +limits.open_files none \(default\) -> 4096' "$(cat "$WORLD/out")"
    expect_no_match drain.timeout "$(cat "$WORLD/out")" "what was applied to both at once"
    expect_eq "differs from v2 beyond the release: limits.open_files" \
        "$(bg history web --json | json '[.entries[] | select(.verb == "deploy")] | last | .reason')" "in the history"
    answers v3
}

test_strict() {
    ready_pair '[parity]' 'strict = yes'
    web_conf web 80 '[parity]' 'strict = yes' '[limits]' 'open_files = 4096'
    release_install web v3
    expect_status 1 bg deploy web v3
    expect_match 'differs from v2 beyond the release: limits.open_files; \[parity\] strict = yes allows no such' "$OUTPUT"
    expect_eq standby "$(status_of .zones.blue.state)" "the standby, which was not touched"
    expect_eq v1 "$(status_of .zones.blue.release)" "its release"
    expect_status 1 bg stage web v3
    bg deploy web v3 --force >/dev/null
    answers v3
    # From here on it is no difference any more.
    release_install web v4
    bg deploy web v4 --force >/dev/null
    expect_no_match beyond "$(bg history web --json | json '[.entries[] | select(.verb == "deploy")] | last | .reason // ""' || :)"
}

run_tests
