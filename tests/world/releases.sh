#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Releases on the disk: fetched as the app's user and whole or not at all, pruned but for what is needed, whatever that
# user has put into the directory.
# Commands have dollars of their own.
# shellcheck disable=SC2016
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

DIR=$WORLD/srv/web

# fetch_script [LINE...]: what brings a release; without LINEs it copies the demo app.
fetch_script() {
    mkdir -p "$WORLD/srv/tools"
    cp "$BUILD/demo/web" "$WORLD/srv/tools/web"
    chmod 755 "$WORLD/srv/tools/web"
    {
        printf '#!/bin/bash\n'
        if [ $# -gt 0 ]; then printf '%s\n' "$@"; else printf 'mkdir bin\ncp %s/srv/tools/web bin/\necho "brought $1"\n' "$WORLD"; fi
    } >"$WORLD/srv/tools/fetch"
    chmod 755 "$WORLD/srv/tools/fetch"
}

# ready_releases [LINE...]: app web, nothing released, its directory its user's; LINEs go to [releases].
ready_releases() {
    world_net
    [ -e "$WORLD/srv/tools/fetch" ] || fetch_script
    install -d -o web -g web "$DIR"
    configure "$@"
    agent_start
}

configure() {
    web_conf web 80 '[releases]' "dir = $DIR" "fetch = $WORLD/srv/tools/fetch %r" "$@"
}

# What is there, with what is hidden, in one line.
there() {
    find "$DIR" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | tr '\n' ' ' | sed 's/ $//'
}

refused() {
    expect_status 1 bg "$@"
    [ -z "${MATCH:-}" ] || expect_match "$MATCH" "$OUTPUT"
}

sleepers() {
    pgrep -c -f '^sleep 4[0-9][0-9][0-9]$' || :
}
slept() {
    [ "$(sleepers)" = "$1" ]
}

# release_at NAME AGE: one of the app's user, fetched so many days ago.
release_at() {
    as_user web mkdir -p "$DIR/$1/bin"
    as_user web cp "$WORLD/srv/tools/web" "$DIR/$1/bin/"
    as_user web touch -d "$2 days ago" "$DIR/$1"
}

# --- fetching ------------------------------------------------------------------------------------------

test_fetch_then_deploy() {
    ready_releases
    MATCH='release web fetch v1' refused deploy web v1
    bg release web fetch v1 >"$WORLD/out"
    expect_match "v1 is in $DIR" "$(cat "$WORLD/out")"
    expect_match "fetch runs in $DIR/.v1.new" "$(cat "$WORLD/out")"
    expect_match "brought v1" "$(cat "$WORLD/out")"
    expect_eq v1 "$(there)" "what is there"
    expect_eq "web 755" "$(stat -c '%U %a' "$DIR/v1")" "whose it is"
    expect_eq "$DIR" "$(last_of release .reason | sed 's/v1 is in //')" "history"
    expect_eq true "$(bg history web --json | json '.entries | last | .done and .release == "v1"')" "history"
    bg deploy web v1 >/dev/null
    expect_eq v1 "$(release_seen)" "what answers"
    bg release web list >"$WORLD/out"
    expect_match 'v1 .*live in blue' "$(cat "$WORLD/out")"
    expect_eq v1 "$(bg release web list --names)" "names"
    expect_eq "live in blue" "$(bg release web list --json | json '.items[0].text')" "json"
}

# What the command is and has: the app's user and no more, its own directory, its own environment.
test_fetch_rights() {
    fetch_script 'id -un >user' 'grep -E "^(CapEff|NoNewPrivs)" /proc/self/status >rights' 'pwd >where' 'env >environment' \
        'ls /proc/self/fd | wc -l >descriptors' 'umask >umask'
    ready_releases
    sed -i 's/^user = web$/&\nenvironment = COLOUR=%z | KEY=of-%r/' "$WORLD/etc/apps/web.conf"
    bg release web fetch v1 >/dev/null
    expect_eq web "$(cat "$DIR/v1/user")" "user"
    expect_match 'CapEff:.0000000000000000' "$(cat "$DIR/v1/rights")"
    expect_match 'NoNewPrivs:.1' "$(cat "$DIR/v1/rights")"
    expect_eq "$DIR/.v1.new" "$(cat "$DIR/v1/where")" "where"
    expect_eq 4 "$(cat "$DIR/v1/descriptors")" "descriptors, with that of ls"
    local environment
    environment=$(cat "$DIR/v1/environment")
    expect_match 'BLUEGREEN_APP=web' "$environment"
    expect_match 'BLUEGREEN_RELEASE=v1' "$environment"
    expect_match "BLUEGREEN_DIRECTORY=$DIR/.v1.new" "$environment"
    expect_match 'KEY=of-v1' "$environment"
    expect_no_match 'COLOUR=|BLUEGREEN_ZONE' "$environment"
}

test_fetch_fails() {
    fetch_script 'echo half >file' 'echo "no such release $1" >&2' 'exit 3'
    ready_releases
    MATCH='fetch: exit status 3' refused release web fetch v7
    expect_match 'no such release v7' "$OUTPUT"
    expect_eq "" "$(there)" "what is left"
    expect_match 'exit status 3' "$(last_of release .reason)"
    expect_eq true "$(bg history web --json | json '.entries | last | .done | not')" "history"
    fetch_script ':'
    MATCH='left the directory of v7 empty' refused release web fetch v7
    expect_eq "" "$(there)" "what is left"
    fetch_script 'rmdir "$BLUEGREEN_DIRECTORY"' "ln -s /etc \"\$BLUEGREEN_DIRECTORY\""
    MATCH='\.v7\.new' refused release web fetch v7
    expect_eq "" "$(there)" "what is left"
    [ -e /etc/passwd ] || fail "/etc was emptied"
}

test_fetch_exists() {
    ready_releases
    release_at v1 1
    MATCH='v1 exists already' refused release web fetch v1
    as_user web ln -s /nowhere "$DIR/v2"
    MATCH='v2 exists already' refused release web fetch v2
    expect_eq "v1 v2" "$(there)" "what is there"
    # one that comes while it is fetched is not written over
    fetch_script 'echo ours >file' "mkdir $DIR/v3"
    MATCH='rename .*v3.*File exists' refused release web fetch v3
    expect_eq "v1 v2 v3" "$(there)" "what is there"
    [ ! -e "$DIR/v3/file" ] || fail "it was written over"
}

test_fetch_hangs() {
    fetch_script 'echo begun >file' 'sleep 4001 & setsid sleep 4002 & echo waiting' 'sleep 4003'
    ready_releases 'timeout = 1s'
    MATCH='killed after 1 s' refused release web fetch v1
    wait_for 2 slept 0
    expect_eq "" "$(there)" "what is left"
}

test_fetch_aborted_and_attached() {
    fetch_script 'echo begun >file' 'echo "half of $1"' 'sleep 4001'
    ready_releases
    background bg release web fetch v1 >"$WORLD/out" 2>&1
    local client=$!
    wait_for 5 slept 1
    MATCH='is fetching v1' refused release web fetch v2
    MATCH='is fetching v1' refused release web prune
    MATCH='v1 of web is being fetched' refused deploy web v1
    bg release web list >"$WORLD/list"
    expect_match 'v1 .*being fetched' "$(cat "$WORLD/list")"
    expect_eq "" "$(bg release web list --names)" "names"
    # who asked goes, and it goes on; somebody else comes
    kill -KILL "$client"
    wait "$client" 2>/dev/null || :
    background bg attach web --json >"$WORLD/attached" 2>&1
    wait_for 3 grep -q 'half of v1' "$WORLD/attached" || fail "$(cat "$WORLD/attached")"
    expect_eq 1 "$(sleepers)" "it goes on"
    bg abort web >/dev/null
    wait_for 3 slept 0
    wait_for 3 grep -q 'aborted by' "$WORLD/attached"
    expect_eq "" "$(there)" "what is left"
    expect_match 'aborted by' "$(last_of release .reason)"
}

# Beside the operations: a bake goes on, and so does a deploy of another release.
test_fetch_beside_operations() {
    ready_releases '[bake]' 'time = 60s'
    bg release web fetch v1 >/dev/null
    bg release web fetch v2 >/dev/null
    bg deploy web v1 >/dev/null
    fetch_script 'mkdir bin' "cp $WORLD/srv/tools/web bin/" 'sleep 2'
    background bg release web fetch v3 >"$WORLD/out" 2>&1
    local client=$!
    bg deploy web v2 >/dev/null
    expect_eq v2 "$(release_seen)" "deployed meanwhile"
    wait "$client" || fail "$(cat "$WORLD/out")"
    expect_eq "v1 v2 v3" "$(there)" "what is there"
    expect_eq true "$(status_of '.bake != null')" "it bakes"
}

test_agent_killed() {
    fetch_script 'echo begun >file' 'sleep 4001'
    ready_releases
    background bg release web fetch v1 >/dev/null 2>&1
    wait_for 5 slept 1
    agent_kill9
    wait_for 3 slept 0
    expect_eq .v1.new "$(there)" "what is left"
    agent_start
    expect_match 'fetch: the agent ended before it was done' "$(last_of release .reason)"
    expect_match 'v1 .*incomplete' "$(bg release web list)"
    MATCH='is not in' refused deploy web v1
    agent_kill9
    agent_start
    expect_eq 1 "$(bg history web --json | json '[.entries[] | select(.verb == "release")] | length')" "told once"
    fetch_script
    bg release web fetch v2 >/dev/null
    expect_eq v2 "$(there)" "cleared by the next one"
}

test_agent_stopped() {
    fetch_script 'sleep 4001'
    ready_releases
    background bg release web fetch v1 >"$WORLD/out" 2>&1
    wait_for 5 slept 1
    agent_stop
    wait_for 3 slept 0
    agent_start
    expect_match 'ended with the agent' "$(last_of release .reason)"
}

# --- pruning -------------------------------------------------------------------------------------------

test_prune() {
    ready_releases 'keep = 2'
    local i
    for i in 1 2 3 4 5; do release_at "v$i" $((10 - i)); done
    as_user web mkdir "$DIR/.hidden" "$DIR/not a release"
    as_user web ln -s v1 "$DIR/current"
    echo text | as_user web tee "$DIR/notes" >/dev/null
    # read-only trees are removed, too
    as_user web chmod -R a-w "$DIR/v3"
    bg release web prune >"$WORLD/out"
    expect_match 'removed v3, v2, v1' "$(cat "$WORLD/out")"
    expect_eq ".hidden current not a release notes v4 v5" "$(there)" "what is left"
    expect_match 'removed v3, v2, v1' "$(last_of release .reason)"
    bg release web prune >"$WORLD/out"
    expect_match 'nothing to remove' "$(cat "$WORLD/out")"
}

# What runs, what could be gone back to, and what was live before stay, however old.
test_prune_leaves_what_is_needed() {
    ready_releases 'keep = 1'
    local i
    for i in 1 2 3 4 5 6; do release_at "v$i" $((20 - i)); done
    bg deploy web v1 >/dev/null
    bg deploy web v2 >/dev/null
    bg release web prune >/dev/null
    expect_eq "v1 v2 v6" "$(there)" "live, standby and the newest"
    # the standby's zone is gone, but v1 still is the one before
    bg stage web v6 >/dev/null
    bg abort web >/dev/null
    wait_for 5 is_state green live
    bg release web prune >/dev/null
    expect_eq "v1 v2 v6" "$(there)" "live, the one before and the newest"
    release_at v7 1
    release_at v8 1
    as_user web touch -d "30 days ago" "$DIR/v7"
    bg stage web v7 >/dev/null
    bg release web prune >/dev/null
    expect_eq "v1 v2 v7 v8" "$(there)" "live, the one before, staged and the newest"
    bg stop web >/dev/null
    bg release web prune >/dev/null
    expect_match "v2" "$(there)" "stopped"
}

test_prune_follows_fetch() {
    ready_releases 'keep = 2'
    release_at v1 9
    release_at v2 8
    # an archive's own time does not make it old
    fetch_script 'echo x >file' 'touch -d 2001-01-01 .'
    bg release web fetch v3 >"$WORLD/out"
    expect_match 'v3 is in .*; removed v1' "$(cat "$WORLD/out")"
    expect_eq "v2 v3" "$(there)" "what is left"
}

# What a prune or a fetch that was killed has left goes with the next prune.
test_prune_clears() {
    ready_releases
    release_at v1 1
    as_user web mkdir -p "$DIR/.v2.old/bin" "$DIR/.v3.new/bin"
    mkdir "$DIR/.v4.old"
    bg release web prune >/dev/null
    expect_eq ".v4.old v1" "$(there)" "root's is root's to remove"
}

# Two apps, one directory, by two names: one thing at a time, and what either needs stays.
test_shared_directory() {
    ready_releases 'keep = 1'
    ln -s "$DIR" "$WORLD/srv/same"
    {
        printf '[app]\nname = other\nuser = web\nrun = %s/srv/same/%%r/bin/web --port 8080\n' "$WORLD"
        printf '[ports]\nhttp = 81 -> 8080/tcp\n[releases]\ndir = %s/srv/same\nkeep = 1\n' "$WORLD"
    } | app_conf other
    bg reload >/dev/null
    local i
    for i in 1 2 3 4; do release_at "v$i" $((10 - i)); done
    bg deploy web v1 >/dev/null
    bg deploy other v2 >/dev/null
    bg release web prune >/dev/null
    expect_eq "v1 v2 v4" "$(there)" "what either needs"
    bg release other prune >/dev/null
    expect_eq "v1 v2 v4" "$(there)" "what either needs"
    fetch_script 'sleep 4001'
    background bg release web fetch v5 >/dev/null 2>&1
    wait_for 5 slept 1
    MATCH='web is busy with its releases' refused release other prune
    expect_eq "v1 v2 v4" "$(bg release other list --names | sort | tr '\n' ' ' | sed 's/ $//')" "looking is free"
    # an operation of the app is as it always is
    bg deploy web v4 >/dev/null
    bg abort web >/dev/null
    wait_for 3 slept 0
}

# Whatever the app's user puts there: nothing is removed elsewhere, and nothing that is somebody else's.
test_hostile_directory() {
    ready_releases 'keep = 1'
    install -d -o web -g web "$WORLD/srv/other"
    as_user web touch "$WORLD/srv/other/precious"
    mkdir -p "$WORLD/srv/roots/deep"
    touch "$WORLD/srv/roots/deep/precious"
    chmod 777 "$WORLD/srv/roots" "$WORLD/srv/roots/deep"
    release_at v1 9
    release_at v9 1
    as_user web ln -s ../../../other "$DIR/v2"
    as_user web ln -s "$WORLD/srv/roots" "$DIR/v3"
    as_user web ln -s ../../other "$DIR/v1/link"
    as_user web ln -s "$WORLD/srv/roots/deep" "$DIR/v1/bin/link"
    as_user web ln -s "$WORLD/srv/roots" "$DIR/.v4.old"
    as_user web ln -s "$WORLD/srv/other" "$DIR/.v5.new"
    as_user web mkfifo "$DIR/v6"
    as_user web mkdir "$DIR/$(printf 'v7\nremoved v9')"
    as_user web touch -d '9 days ago' "$DIR/v1"
    # root's, in a directory that is its user's
    mkdir -p "$DIR/v8/bin"
    touch -d '15 days ago' "$DIR/v8"
    bg release web prune >"$WORLD/out"
    expect_match 'removed v1' "$(cat "$WORLD/out")"
    expect_match 'v8 stays: it belongs to somebody else' "$(cat "$WORLD/out")"
    [ -e "$WORLD/srv/other/precious" ] || fail "removed through a link"
    [ -e "$WORLD/srv/roots/deep/precious" ] || fail "root's was removed through a link"
    [ -d "$DIR/v8/bin" ] || fail "root's release was removed"
    [ -d "$DIR/v9" ] || fail "the newest was removed"
    [ ! -e "$DIR/v1" ] || fail "v1 is still there"
    # the directory itself turned into a link to what only root may change
    mv "$DIR" "$WORLD/srv/moved"
    install -d "$WORLD/srv/system"
    mkdir "$WORLD/srv/system/v1" "$WORLD/srv/system/v2"
    ln -s "$WORLD/srv/system" "$DIR"
    bg release web prune >"$WORLD/out" || :
    [ -d "$WORLD/srv/system/v1" ] || fail "root's directory was removed"
    [ -d "$WORLD/srv/system/v2" ] || fail "root's directory was removed"
}

# --- refusals --------------------------------------------------------------------------------------------

test_refusals() {
    ready_releases
    chown root:root "$DIR"
    MATCH='may not write there: "chown' refused release web fetch v1
    expect_eq "" "$(there)" "what is there"
    rmdir "$DIR"
    MATCH='does not exist' refused release web list
    MATCH='does not exist' refused release web fetch v1
    install -d -o web -g web "$DIR"
    web_conf web 80 '[releases]' "dir = $DIR"
    bg reload >/dev/null
    MATCH='cannot fetch' refused release web fetch v1
    MATCH='put it there first' refused deploy web v1
    web_conf web 80
    bg reload >/dev/null
    MATCH='\[releases\] dir' refused release web list
    expect_status 2 bg release web fetch
    expect_status 2 bg release web list v1
    expect_status 2 bg release web weed
    expect_status 1 as_user nosy "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" release web list
}

test_locked() {
    ready_releases
    release_at v1 1
    bg lock web -m 'audit' >/dev/null
    MATCH='locked by' refused release web fetch v2
    MATCH='locked by' refused release web prune
    expect_eq v1 "$(bg release web list --names)" "looking is free"
}

run_tests
