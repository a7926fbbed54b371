# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2034 # WHY, OLD and NEW are for the tests
#
# For world tests that follow apps through their lives (sourced behind tests/world/lib.sh): what an app's status is in one
# line, and whether that is true of the kernel, of what clients get and of what is left on the host.
#
#   APP, OLD, NEW         the app; names of two releases, shown as "old" and "new" ("" = as they are called)
#   look                  $STATE "running live=live v1 other=standby v2+left schema=expanded baking busy", $LIVE its live
#                         zone or "-", $RELEASE what is in it, $ALIVE the zones that should exist. The schema's state is
#                         in it if WITH_SCHEMA=yes
#   life_conf APP LINE... configuration and releases v1 and v2 of the demo app; a release is sick while
#                         $SHARED/sick.RELEASE is there: its checks fail, and it serves all the same, so that whatever a
#                         client does not get is the agent's fault. $SHARED/untested.RELEASE: its test fails
#   status_is_true, nothing_is_left     say in $WHY what is not as it should be

SHARED=$WORLD/shared
APP=web OLD='' NEW='' WITH_SCHEMA=''
declare -A PORT=([web]=80 [api]=81)

# In $STATE and, for the kernel, $LIVE, $RELEASE and $ALIVE.
look() {
    local document fields
    document=$(bg status "$APP" --json 2>/dev/null) || return 1
    # The mark is told in the zone's detail.
    fields=$(jq -r --arg old "$OLD" --arg new "$NEW" --arg schema "$WITH_SCHEMA" '
        def part: if . == $old then "old" elif . == $new then "new" else (. // "none") end;
        def mark: (.detail // "") | if startswith("failed over from it") then "+left" elif startswith("bad") then "+bad" else "" end;
        . as $app | (.live // "") as $live | (["blue", "green"] | map(select(. != $live))) as $others
        | ([$others[] | $app.zones[.] | "\(.state) \(.release | part)\(mark)"] | sort | join(", ")) as $others
        | [.live // "-", (.zones[$live].release // "-"),
           ([.zones | to_entries[] | select(.value.state as $s | ["absent", "failed", "stopped"] | index($s) | not) | .key]
            | sort | join(" ")),
           "\(.state) live=\(if $live == "" then "none" else "\(.zones[$live].state) \(.zones[$live].release | part)" end) other=\($others)"
           + (if .schema and $schema != "" then " schema=\(.schema.state)" else "" end) + (if .bake then " baking" else "" end) + (if .operation then " busy" else "" end)] | join("|")' <<<"$document") || return 1
    IFS='|' read -r LIVE RELEASE ALIVE STATE <<<"$fields"
}

# An unhealthy live zone or standby is one still; when its next check comes is not what is compared.
plain_state() {
    STATE=${STATE//live=unhealthy/live=live}
    [[ $STATE == *other=unhealthy* && $MAY == *other=standby* ]] && STATE=${STATE//other=unhealthy/other=standby}
    :
}

in_one_of() { # STATES, one a line
    look || return 1
    plain_state
    grep -qxF -- "$STATE" <<<"$1"
}

kernel_live() {
    live_in_kernel "$APP"
}

# What a reboot would make live: then there is no kernel to ask.
journal_live() {
    sed -n "s/.* live app=$APP zone=//p" "$WORLD/state/journal" | tail -n 1
}

release_of() {
    on_client curl -s -m 3 -D - -o /dev/null "http://203.0.113.10:${PORT[$APP]}/healthz" | tr -d '\r' | sed -n 's/^X-Release: //p'
}

status_is_true() {
    local serves=$LIVE
    [[ $STATE == running* ]] || serves=-
    WHY="status has $LIVE live, the kernel $(kernel_live)"
    [ "$(kernel_live)" = "${serves#-}" ] || return 1
    WHY="status has $LIVE live, the journal $(journal_live)"
    [ "$serves" = - ] || [ "$(journal_live)" = "$LIVE" ] || return 1
    WHY="$RELEASE is live by status, clients see $(release_of)"
    [ "$serves" = - ] || [ "$(release_of)" = "$RELEASE" ]
}

# The journal does not know the app any more.
removed() {
    [[ $(grep -oE " (app|removed) app=$APP( |$)" "$WORLD/state/journal" | tail -n 1) == *removed* ]]
}

# Directories, namespaces, links, cgroups and shims: those of the zones that status speaks of, and no process in them that
# is neither the app nor a check. One monitor, one api role.
nothing_is_left() {
    local zone want=
    for zone in $ALIVE; do
        want="$want$APP.$zone "
    done
    WHY="namespaces" && [ "$(cd /run/netns && echo "bg-$APP-"*)" = "$(spread "bg-$APP-" "$ALIVE" '*')" ] &&
        WHY="directories" && [ "$(find "$WORLD/run/zones" -mindepth 1 -name "$APP.*" | wc -l)" = "$(wc -w <<<"$want")" ] &&
        WHY="its logs, although it was removed" && { ! removed || [ -z "$(find "$WORLD/state/zones" -name "$APP.*")" ]; } &&
        WHY="cgroups" && [ "$(find /sys/fs/cgroup -mindepth 2 -maxdepth 2 -name "$APP.*" | wc -l)" = "$(wc -w <<<"$want")" ] &&
        WHY="shims" && [ "$(pgrep -c -f "bluegreen-zone $APP\.")" = "$(wc -w <<<"$want")" ] &&
        WHY="links" && [ "$(find /sys/class/net -name 'bg*' | wc -l)" = "$(find /run/netns -name 'bg-*' | wc -l)" ] &&
        WHY="mounts" && [ "$(grep -c ' /run/netns/bg-' /proc/self/mounts)" = "$(find /run/netns -name 'bg-*' | wc -l)" ] &&
        WHY="processes of hooks" && [ -z "$(cat /sys/fs/cgroup/world/*/payload/hook*/cgroup.procs 2>/dev/null)" ] &&
        WHY="processes of the agent" && [ "$(pgrep -c -x "bluegreend|bluegreen-api")" = 2 ]
}

spread() { # PREFIX WORDS EMPTY
    local word out=
    for word in $2; do
        out="$out$1$word "
    done
    out=${out% }
    echo "${out:-$1$3}"
}

life_conf() {
    local app=$1 release
    shift
    mkdir -p "$SHARED"
    # shellcheck disable=SC2016 # for the program
    printf '#!/bin/bash\n[ ! -e %s/sick.$1 ] && exec 3<>/dev/tcp/127.0.0.1/8080\n' "$SHARED" >"$SHARED/check"
    chmod 755 "$SHARED/check"
    web_conf "$app" "${PORT[$app]}" "exec = $SHARED/check %r" 'failures = 1' 'timeout = 500ms' 'start_timeout = 1500ms' \
        '[files]' "read = $SHARED" '[drain]' 'timeout = 500ms' '[hooks]' 'pre_start = /bin/true' \
        "test = host:/usr/bin/test ! -e $SHARED/untested.%r" 'pre_switch = /bin/true' 'post_switch = host:/bin/true' \
        'pre_rollback = /bin/true' 'post_rollback = /bin/true' 'on_failure = /bin/true' '[test]' 'http = /healthz 200' "$@"
    sed -i 's/^interval.*/interval = 50ms/; s/^passes.*/passes = 1/; /^http = :8080/d' "$WORLD/etc/apps/$app.conf"
    for release in v1 v2; do
        release_install "$app" "$release"
    done
}
