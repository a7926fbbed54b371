# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For world tests of [feed] (sourced behind tests/world/lib.sh): an app that keeps what it is sent in a file for each zone
# (tests/tools/keeper.c; another one is in FEED_APP), clients that remember what was acknowledged (writer.c), and the comparison of all three.

DATA=$WORLD/data
FEED_APP=${FEED_APP:-$TOOLS/keeper}

# An app with a state of its own in each zone. LINEs: behind [feed].
conf_feed() {
    {
        printf '[app]\nname = web\nuser = web\nrun = %s --port 8080 %s\n' "$WORLD/srv/web/%r/bin/web" "$DATA/ids.%z"
        printf '[ports]\nhttp = 80 -> 8080/tcp\n[files]\nwrite = %s\n' "$DATA"
        printf '[health]\nhttp = :8080/healthz\ninterval = 200ms\npasses = 2\n[drain]\ntimeout = 2s\n'
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } | app_conf web
}

ready_feed() {
    local release
    mkdir -p "$DATA"
    chown web "$DATA"
    world_net
    conf_feed '[feed]' 'mode = http' "$@"
    for release in v1 v2 v3; do
        release_install web "$release" "$FEED_APP"
    done
    agent_start
    bg deploy web v1 >/dev/null
}

write_start() { # [THREADS [PER_SECOND [FIRST [PORT]]]]
    ip netns exec client "$TOOLS/writer" 203.0.113.10 "${4:-80}" "${1:-8}" "${2:-400}" "" "${3:-0}" >"$WORLD/acks" 2>"$WORLD/figures" &
    WRITER=$!
    sleep 0.3
}

write_end() {
    kill -TERM "$WRITER"
    wait "$WRITER" || :
    cat "$WORLD/figures"
}

in_step() {
    [ "$(status_of .feed.state)" = 'in step' ]
}

# As in_step, also where the two have answered differently: one of them died in it.
has_all() {
    status_of '.feed.behind == 0 and .feed.in_doubt == 0 and .feed.live == .live' >/dev/null
}

ids_of() {
    cut -d' ' -f1 "$DATA/ids.$1"
}

# Every id that was acknowledged is in both zones, once.
nothing_missing() {
    local zone
    wait_for 15 has_all
    sed -n 's/ 201$//p' "$WORLD/acks" | sort >"$WORLD/acked"
    [ -s "$WORLD/acked" ] || fail "nothing was acknowledged"
    for zone in blue green; do
        expect_eq '' "$(ids_of "$zone" | sort | comm -13 - "$WORLD/acked" | head -3)" "missing in $zone"
        expect_eq '' "$(ids_of "$zone" | sort | uniq -d | head -3)" "twice in $zone"
    done
}

nobody_failed() {
    expect_match 'good [1-9][0-9]* refused 0 broken 0' "$(cat "$WORLD/figures")"
}

# Of app web's, or of another one's.
role_pid() {
    local pid
    pid=$(cat "$WORLD/run/feed/${1:-web}.pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = bluegreen-feed ] &&
        echo "$pid"
}

# Nobody's, whatever files say.
no_role() {
    ! grep -qsx bluegreen-feed /proc/[0-9]*/comm
}

# another_feed NAME: the agent runs tests/drivers/NAME.c as its feed.
another_feed() {
    local program
    mkdir "$WORLD/libexec"
    for program in "$BUILD"/bluegreen-*; do
        ln -s "$program" "$WORLD/libexec/"
    done
    ln -sf "$BUILD/tests/drivers/$1" "$WORLD/libexec/bluegreen-feed"
    export BLUEGREEN_LIBEXEC=$WORLD/libexec
}
