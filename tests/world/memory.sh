#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two releases need the memory of two: too little is a refusal with figures, before anything is touched.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

# The host as the agent sees it, with this many kB to give; after the test it is itself again.
host_has() {
    host_is_itself
    trap host_is_itself EXIT
    sed "s|^MemAvailable:.*|MemAvailable: $1 kB|" /proc/meminfo >"$WORLD/meminfo"
    mount --bind "$WORLD/meminfo" /proc/meminfo
}

host_is_itself() {
    while mountpoint -q /proc/meminfo; do
        umount /proc/meminfo
    done
}

# Release v1 is small. v2 has 24 MiB more.
ready_memory() {
    ready_web '[process ballast]' "run = $WORLD/srv/web/%r/bin/ballast" 'when = always' '[drain]' 'timeout = 100ms'
    printf '#!/bin/bash\nexec sleep 1000\n' >"$WORLD/srv/web/v1/bin/ballast"
    # shellcheck disable=SC2016 # for the program
    printf '#!/bin/bash\nx=$(head -c 25165824 /dev/zero | tr "\\0" x)\nwhile :; do sleep 1; done\n' \
        >"$WORLD/srv/web/v2/bin/ballast"
    chmod 755 "$WORLD"/srv/web/v?/bin/ballast
}

uses_more_than() {
    [ "$(status_of ".zones.$1.usage.memory")" -gt "$2" ]
}

ready_with_large_live() {
    ready_memory
    bg deploy web v1
    bg deploy web v2
    wait_for 5 is_state blue standby
    wait_for 20 uses_more_than green 24000000
}

# Not those of the empty zone, which are kept from before the app was started.
test_the_first_figures_are_the_apps() {
    ready_web
    bg deploy web v1
    [ "$(status_of .zones.blue.usage.memory)" -gt 0 ] || fail "a running app uses no memory"
}

# Controllers or not.
test_cpu_and_tasks_are_shown() {
    ready_memory
    # shellcheck disable=SC2016 # for the program
    printf '#!/bin/bash\nwhile :; do :; done\n' >"$WORLD/srv/web/v1/bin/ballast"
    bg deploy web v1
    wait_for 10 is_busy
    expect_eq true "$(status_of '.zones.blue.usage.tasks >= 2 | tostring')"
    expect_match 'CPU [0-9.]+%.*memory .* tasks' "$(bg status web)"
}

is_busy() {
    [ "$(status_of '.zones.blue.usage.cpu_permille // 0')" -gt 100 ]
}

test_too_little_is_refused_and_costs_nothing() {
    ready_with_large_live
    local before
    before=$(status_of .zones.blue.pid)
    host_has 5000
    expect_status 1 bg deploy web v1
    expect_match 'not enough memory for two releases: the live release uses (2[4-9]|3[0-9]|4[0-9]|5[0-9]) MiB; the host has 5 MiB left and the release whose place is taken gives back <?[0-9]+ MiB' "$OUTPUT"
    expect_match '--force' "$OUTPUT"
    expect_status 1 bg stage web v1
    expect_match 'not enough memory' "$OUTPUT"
    expect_eq standby "$(status_of .zones.blue.state)"
    expect_eq "$before" "$(status_of .zones.blue.pid)"
    expect_status 0 bg rollback web
    expect_eq v1 "$(release_seen "$URL4")"
    # The other way round it fits: the small one is live now, and the large one gives back what it has.
    wait_for 5 is_state green standby
    expect_status 0 bg deploy web v1
}

test_force_goes_on() {
    ready_with_large_live
    host_has 5000
    expect_status 0 bg deploy web v1 --force
    expect_match 'going on by force' "$OUTPUT"
    expect_eq v1 "$(release_seen "$URL4")"
}

test_enough_is_enough() {
    ready_with_large_live
    host_has 200000
    expect_status 0 bg deploy web v1
}

test_the_first_release_and_others_are_not_asked() {
    ready_memory
    host_has 4
    expect_status 0 bg deploy web v1
    bg stop web
    expect_status 0 bg start web
}

test_a_release_that_may_use_little_needs_little() {
    ready_with_large_live
    printf '[limits]\nmemory = 4M\nrequired = no\n' >>"$WORLD/etc/apps/web.conf"
    host_has 2000
    expect_status 1 bg stage web v1
    expect_match 'the new one may have 4 MiB; the host has 2 MiB left' "$OUTPUT"
    host_has 5000
    # Whether 4 MiB are enough for it where limits hold is not the question here.
    bg stage web v1 >"$WORLD/stage" 2>&1 || :
    expect_no_match 'not enough memory' "$(cat "$WORLD/stage")"
}

test_limits_that_the_host_cannot_hold_are_refused() {
    [ -z "$(cat /sys/fs/cgroup/cgroup.controllers)" ] || skip "this host has controllers"
    ready_web
    printf '[limits]\nmemory = 512M\ntasks = 100\n' >>"$WORLD/etc/apps/web.conf"
    expect_status 1 bg deploy web v1
    expect_match 'no cgroup v2 controller memory, pids for zones' "$OUTPUT"
    expect_match 'required = no' "$OUTPUT"
    expect_match 'no cgroup v2 controllers' "$(cat "$WORLD/agent.log")"
    sed -i 's|^memory = 512M|&\nrequired = no|' "$WORLD/etc/apps/web.conf"
    expect_status 0 bg deploy web v1
    expect_eq false "$(status_of '.zones.blue.usage.limited | tostring')"
    expect_match 'runs without its limits' "$(cat "$WORLD/agent.log")"
}

run_tests "$@"
