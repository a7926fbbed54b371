# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2034 # WEIGH_AT is for who sources this
#
# What is made of a soak (sourced behind soak_lib.sh): which failures were due, how long answers took in which seconds, what
# the processes have grown by, and what was left on the host. A report is tables of tab-separated lines, shown as text and
# as Markdown.

# --- failures -----------------------------------------------------------------------------------------------

# "APP MS": when the agent did, by its log, what a request that is under way at that moment may not outlive, as man 7
# bluegreen has it. Flows of datagrams move to another zone at once, in an operation that began or ended then; and a
# hold cuts who has a connection still when others have waited for long enough. The log has times of the day.
moments_of_cuts() {
    local day
    day=$(date -d 'today 00:00' +%s)
    sed -nE -e 's/^([0-9:.]+) .*: udp: (deploy|switch|rollback|rehearse|failover) .*(begins|done in|failed in).*/udp \1/p' \
        -e 's#^([0-9:.]+) .*: one/[a-z]+: [0-9]+ connections of .* cut, for others wait#one \1#p' \
        "$WORLD/agent.log" 2>/dev/null | awk -F'[ :]' -v day="$day" \
        '{ printf "%s %.0f\n", $1, (day + $2 * 3600 + $3 * 60 + $4) * 1000 }'
}

# Those of CLIENTS (APP, or APP.KIND), split: a failure was due if its request was under way while something was to cut
# those of this app.
failures_of() { # CLIENTS due|undue
    [ -e "$SOAK/seen.$1" ] || return 0
    moments_of_cuts >"$SOAK/moments"
    awk -v app="${1%.*}" -v want="$2" '
        BEGIN { n = 0 }
        FILENAME ~ /moments$/ { if ($1 == app) { began[n] = $2 - 20; ended[n++] = $2 + 20 } next }
        FILENAME ~ /events$/ { if ($3 == "fault" && $4 == app && $5 == "cut") { began[n] = $1; ended[n++] = $2 } next }
        $1 == "!" {
            due = 0
            for (i = 0; i < n; i++) due = due || ($2 <= ended[i] && $3 >= began[i])
            if (due == (want == "due")) print
        }' "$SOAK/moments" "$SOAK/events" "$SOAK/seen.$1"
}

all_undue() {
    local clients
    for clients in "${SOAK_CLIENTS[@]}"; do
        failures_of "$clients" undue | sed "s/^/$clients /"
    done
}

answers_of() { # CLIENTS
    awk '$1 == "s" { for (i = 3; i <= NF; i++) { split($i, part, ":"); n += part[2] } } END { print n + 0 }' "$SOAK/seen.$1"
}

# --- latencies ----------------------------------------------------------------------------------------------

# "quiet P50 P99", "op ...", "fault ...": in ms, of the seconds in which nothing happened to anybody, in which this app had
# an operation (and nobody a fault), and in which somebody had a fault.
latencies_of() { # CLIENTS
    awk -v app="${1%.*}" '
        FILENAME ~ /events$/ {
            for (second = int($1 / 1000); second <= int($2 / 1000); second++)
                if ($3 == "fault") of[second] = "fault"
                else if ($4 == app && of[second] != "fault") of[second] = "op"
                else if (!of[second]) of[second] = "other"
            next
        }
        $1 == "s" {
            kind = of[$2] ? of[$2] : "quiet"
            for (i = 3; i <= NF; i++) { split($i, part, ":"); count[kind " " part[1]] += part[2] }
        }
        END { for (k in count) print k, count[k] }' "$SOAK/events" "$SOAK/seen.$1" | sort -k1,1 -k2,2n | awk '
        $1 != kind { show(); kind = $1; n = 0; all = 0 }
        { value[n] = $2; count[n++] = $3; all += $3 }
        function at(share,    i, seen) {
            for (i = 0; i < n; i++) { seen += count[i]; if (seen >= all * share) return value[i] / 1000 }
        }
        function show() { if (n) printf "%s %.1f %.1f\n", kind, at(0.5), at(0.99) }
        END { show() }'
}

# --- processes ----------------------------------------------------------------------------------------------

soak_pids() { # NAME
    case $1 in
    monitor) agent_pid ;;
    api) api_pid ;;
    probe) pgrep -x bluegreen-probe ;;
    feed) pgrep -x bluegreen-feed ;;
    shims) pgrep -x bluegreen-zone ;;
    esac
}

# "RSS PSS FDS THREADS", KiB, of all together that have this name.
weigh() { # NAME
    local pid rss=0 pss=0 fds=0 threads=0 one
    for pid in $(soak_pids "$1"); do
        # It may end while it is looked at.
        one=$(awk '/^Rss:/ { r = $2 } /^Pss:/ { p = $2 } END { print r + 0, p + 0 }' <(cat "/proc/$pid/smaps_rollup"))
        rss=$((rss + ${one% *})) pss=$((pss + ${one#* }))
        fds=$((fds + $(find "/proc/$pid/fd" -mindepth 1 | wc -l)))
        threads=$((threads + $(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)))
    done 2>/dev/null
    echo "$rss $pss $fds $threads"
}

# The next one, in $SOAK/weighed.N: at the start, once a minute, at the end.
soak_weigh() {
    local name
    WEIGHED=$((${WEIGHED:--1} + 1))
    WEIGH_AT=$((SECONDS + 60))
    for name in monitor api probe feed shims; do
        echo "$name $(weigh "$name")"
    done >"$SOAK/weighed.$WEIGHED"
    {
        echo "journal $(stat -c %s "$WORLD/state/journal")"
        echo "journal of the feed $(du -sb "$WORLD/state/feed" | cut -f 1)"
        echo "log of the agent $(stat -c %s "$WORLD/agent.log")"
    } >"$SOAK/weighed.$WEIGHED.files"
}

# --- tables -------------------------------------------------------------------------------------------------

clients_table() {
    local clients latencies
    printf 'clients of\tanswers\tfailed\tof them due\tquiet p50/p99 ms\twith operations\twith faults\n'
    for clients in "${SOAK_CLIENTS[@]}"; do
        latencies=$(latencies_of "$clients")
        printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$clients" "$(answers_of "$clients")" \
            "$(grep -c '^!' "$SOAK/seen.$clients")" "$(failures_of "$clients" due | wc -l)" \
            "$(sed -n 's/^quiet //p' <<<"$latencies")" "$(sed -n 's/^op //p' <<<"$latencies")" \
            "$(sed -n 's/^fault //p' <<<"$latencies")"
    done
}

# Of each kind: how often, and over how many apps.
events_table() { # op|fault
    printf '%s\ttimes\tapps\tthat may cut\n' "$1"
    awk -v kind="$1" '$3 == kind { n[$6]++; cut[$6] += $5 == "cut"; if (!(($6, $4) in seen)) { seen[$6, $4]; apps[$6]++ } }
        END { for (name in n) printf "%s\t%d\t%d\t%d\n", name, n[name], apps[name], cut[name] }' "$SOAK/events" | sort
}

# At the start, in the middle, at the end; what is killed in between begins anew, so the greatest of each minute's, too.
growth_table() {
    local middle=$(((WEIGHED + 1) / 2))
    printf 'process\tRSS KiB\tthe most\tPSS KiB\tdescriptors\tthreads\n'
    awk -v first="$SOAK/weighed.0" -v middle="$SOAK/weighed.$middle" -v last="$SOAK/weighed.$WEIGHED" '
        function put(of,    column) { for (column = 2; column <= 5; column++) of[$1, column] = $column }
        FNR == NR { order[n++] = $1 }
        $2 > most[$1] { most[$1] = $2 }
        FILENAME == first { put(a) }
        FILENAME == middle { put(b) }
        FILENAME == last { put(c) }
        function row(name, column) { return a[name, column] " -> " b[name, column] " -> " c[name, column] }
        END { for (i = 0; i < n; i++) { name = order[i]
            printf "%s\t%s\t%d\t%s\t%s\t%s\n", name, row(name, 2), most[name], row(name, 3), row(name, 4), row(name, 5) } }
        ' $(seq -f "$SOAK/weighed.%.0f" 0 "$WEIGHED")
    paste "$SOAK/weighed.0.files" "$SOAK/weighed.$middle.files" "$SOAK/weighed.$WEIGHED.files" | awk -F '\t' '
        { a = $1; b = $2; c = $3; sub(/ [0-9]+$/, "", $1); sub(/.* /, "", a); sub(/.* /, "", b); sub(/.* /, "", c)
          printf "%s\t%d -> %d -> %d bytes\t\t\t\t\n", $1, a, b, c }'
}

as_text() {
    column -t -s $'\t' -o '  '
    echo
}

as_markdown() {
    sed 's/\t/ | /g; s/^/| /; s/$/ |/' | sed '1{p; s/[^|]/-/g}'
    echo
}

soak_tables() { # as_text|as_markdown
    clients_table | "$1"
    events_table op | "$1"
    events_table fault | "$1"
    growth_table | "$1"
}

# About switches: what the history has, which may tell those of the agent's own as well.
soak_says() {
    echo "$SOAK_STEP steps in $(($(sed -n '$s/ .*//p' "$SOAK/events") / 1000 - $(sed -n '1s/ .*//p' "$SOAK/events") / 1000)) s," \
        "SEED=$SEED; $SWITCHES_DONE switches; $(grep -c ' 201$' "$WORLD/acks") fed writes acknowledged;" \
        "rude clients: $(grep -c . "$SOAK/rude") rounds"
}
