# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the benchmarks that compare with other programs share: the programs that must be there, the configuration of the
# proxies, and medians and ratios of what was measured in turn. Sourced after tests/world/lib.sh.
#
#   has PROGRAM...                 says what is missing and returns 1
#   cable NETNS DEVICE ADDRESS OTHER-NETNS OTHER-ADDRESS
#                                  a veth between two networks, with addresses of a /24
#   nginx_in, haproxy_in NETNS NAME
#                                  starts it there with the configuration on stdin, which is kept as $WORLD/NAME.conf
#   nginx_head                     the part of an nginx.conf that all of ours have, for a user without rights
#   haproxy_head SOCKET            the same of an haproxy.cfg
#   tree_of PID                    it and all that come from it
#   pss_of PID...                  KiB of memory that are theirs, of shared pages their part
#   cpu_of PID...                  nanoseconds that they had the CPU, with all their threads
#   apps_ready FROM TO INTERVAL    the demo app as appFROM and up, before appTO, on ports 9000 and up: both zones run
#   note ROUND WHO METRIC VALUE    keeps a figure
#   median WHO METRIC              of all rounds
#   row NAME FIGURE...             a line of a table
#   short                          three digits of the number on stdin, or a dash where there is none
#   figure SECTION METRIC SUBJECT VALUE
#                                  a figure for the report
#   ratio WHO OTHER METRIC         the median of the ratios of both in the same round

NOTES=$WORLD/notes

has() {
    local program missing=
    for program; do
        command -v "$program" >/dev/null || missing="$missing $program"
    done
    [ -z "$missing" ] && return
    echo "  left out:$missing not installed; run tools/deps bench"
    return 1
}

# Debian has the module apart, others have it built in or do not have it.
nginx_stream_module() {
    find /usr/lib/nginx/modules /usr/lib64/nginx/modules -name ngx_stream_module.so -print -quit 2>/dev/null
}

has_nginx_stream() {
    [ -n "$(nginx_stream_module)" ] || nginx -V 2>&1 | grep -q -- '--with-stream\( \|$\)' ||
        { echo "  left out: nginx has no stream module; run tools/deps bench"; return 1; }
}

cable() {
    ip -n "$1" link add "$2" type veth peer name "$2" netns "$4"
    ip -n "$1" addr add "$3/24" dev "$2"
    ip -n "$4" addr add "$5/24" dev "$2"
    ip -n "$1" link set "$2" up
    ip -n "$4" link set "$2" up
}

nginx_in() {
    { echo "pid $WORLD/$2.pid;"; cat; } >"$WORLD/$2.conf"
    background ip netns exec "$1" nginx -e stderr -c "$WORLD/$2.conf" -g 'daemon off;' 2>"$WORLD/$2.log"
}

haproxy_in() {
    cat >"$WORLD/$2.conf"
    background ip netns exec "$1" haproxy -db -f "$WORLD/$2.conf" >"$WORLD/$2.log" 2>&1
}

nginx_head() {
    local path
    printf 'error_log stderr crit;\nworker_processes auto;\nworker_rlimit_nofile 4096;\n'
    printf 'events { worker_connections 2048; }\nhttp {\naccess_log off;\nkeepalive_requests 1000000000;\n'
    for path in client_body proxy fastcgi uwsgi scgi; do
        printf '%s_temp_path /tmp/nginx-%s;\n' "$path" "$path"
    done
}

haproxy_head() {
    printf 'global\n  stats socket %s level admin\n  maxconn 4096\n' "$1"
    printf 'defaults\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n'
}

tree_of() {
    local child
    echo "$1"
    for child in $(pgrep -P "$1"); do
        tree_of "$child"
    done
}

# Private and shared pages told apart: what one more of them would cost is less than its RSS.
pss_of() {
    local pid
    for pid; do
        cat "/proc/$pid/smaps_rollup"
    done | awk '/^Pss:/ { sum += $2 } END { print sum }'
}

cpu_of() {
    local pid
    for pid; do
        cat "/proc/$pid"/task/*/schedstat
    done | awk '{ sum += $1 } END { printf "%.0f", sum }'
}

apps_ready() {
    local from=$1 to=$2 interval=$3 i release
    for ((i = from; i < to; i++)); do
        web_conf "app$i" "$((9000 + i))"
        sed -i "s/^interval.*/interval = $interval/; s/^passes.*/passes = 1/" "$WORLD/etc/apps/app$i.conf"
        release_install "app$i" v1
        release_install "app$i" v2
    done
    bg reload >/dev/null
    for release in v1 v2; do
        for ((i = from; i < to; i++)); do
            echo "app$i"
        done | xargs -P 4 -I {} "$BUILD/bluegreen" --socket "$WORLD/run/control.sock" deploy {} "$release" >/dev/null
    done
}

# figure SECTION METRIC SUBJECT VALUE: a figure for the report, if there is to be one and it is known; see figure.h.
figure() {
    [ -z "${FIGURES-}" ] || [ -z "$4" ] || printf '%s\t%s\t%s\t%s\n' "$@" >>"$FIGURES"
}

note() {
    echo "$*" >>"$NOTES"
}

row() {
    printf '  %-13s' "$1"
    shift
    printf ' %12s' "$@"
    echo
}

short() {
    awk 'NF { printf $1 < 10 ? "%.2f" : $1 < 100 ? "%.1f" : "%.0f", $1; n++ } END { if (!n) print "-" }'
}

# The numbers on stdin.
middle() {
    sort -g | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

median() {
    awk -v who="$1" -v metric="$2" '$2 == who && $3 == metric && NF == 4 { print $4 }' "$NOTES" | middle
}

ratio() {
    awk -v who="$1" -v other="$2" -v metric="$3" '
        $3 == metric && $2 == who && NF == 4 { ours[$1] = $4 }
        $3 == metric && $2 == other { theirs[$1] = $4 }
        END { for (round in ours) if (theirs[round] > 0) print ours[round] / theirs[round] }' "$NOTES" | middle
}
