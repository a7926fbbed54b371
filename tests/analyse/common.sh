# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the analysers share: the sources, the words of the compiler's command line that decide what they mean, and what
# was found in a source that has not changed since. ANALYSE_JOBS at a time, as many as there are CPUs if it is not set.
# shellcheck source=tests/check/common.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../check/common.sh"
BUILD=${BUILD:-build}

# Sets WORDS and SOURCES. FILES="a.c b.c" looks at these only.
sources_and_words() {
    local word words
    [ -f "$BUILD/flags" ] || make --no-print-directory BUILD="$BUILD" "$BUILD/flags"
    # make wrote it for a shell.
    eval "words=($(cat "$BUILD/flags"))"
    WORDS=()
    for word in "${words[@]}"; do
        case $word in -I* | -D_GNU_SOURCE | -DBLUEGREEN_* | -std=*) WORDS+=("$word") ;; esac
    done
    read -r -a SOURCES <<<"${FILES:-$(find src -name '*.c' -type f | LC_ALL=C sort | tr '\n' ' ')}"
}

# All that decides what is found in a source: its text and that of its headers, comments included, and what asks.
state_of() {
    {
        declare -f look without_cleaned_up
        cat .clang-tidy
        printf '%s\n' "$ANALYSER" "${WORDS[@]}"
        gcc "${WORDS[@]}" -E -C "$1" 2>&1
    } | sha256sum
}

# examine NAME SOURCE: leaves in $BUILD/analyse/NAME what `look SOURCE` finds.
examine() {
    local kept=$BUILD/analyse/$1/${2%.c} state status
    state=$(state_of "$2")
    [ "$(cat "$kept.state" 2>/dev/null)" != "$state" ] || return 0
    mkdir -p "$(dirname "$kept")"
    rm -f "$kept.state"
    look "$2" >"$kept.found"
    status=$?
    [ "$status" -eq 0 ] || [ -s "$kept.found" ] || echo "$2:1:1: error: $1 ended with status $status" >"$kept.found"
    echo "$state" >"$kept.state"
}

# Leaves out of what was found in $1 that a variable leaks which has a cleanup attribute: not everyone knows these.
without_cleaned_up() {
    awk -v file="$1" '
        BEGIN {
            while ((getline line <file) > 0) {
                text[++lines] = line
                if (line ~ /^\{/)
                    start = lines
                begins[lines] = start
            }
        }
        index($0, file ":") == 1 && match($0, /leak( of memory pointed to by|:) .?[a-z_]+/) {
            name = substr($0, RSTART, RLENGTH)
            sub(/.*[^a-z_]/, "", name)
            split($0, place, ":")
            for (i = begins[place[2]]; i <= place[2]; i++)
                if (text[i] ~ ("CLEANUP[A-Z_]*(\\([a-z_]+\\))? [^;]*[ *]" name "[ ,=;]"))
                    next
        }
        { print }'
}

# control NAME: an analyser that finds nothing may have looked at nothing, so it has to find what was planted for it, and
# nothing else. In planted/faults.c comments name an analyser and what it finds there, on the line or right before it.
control() {
    local planted=tests/analyse/planted/faults.c
    result "$1 finds what was planted" "$(diff \
        <(awk -v mark="$1: [A-Za-z.-]+" '
            match($0, mark) {
                found = substr($0, RSTART, RLENGTH)
                sub(/.*: /, "", found)
            }
            found != "" && !/^ *\/\*/ {
                print FNR ": " found
                found = ""
            }' "$planted") \
        <(look "$planted" | sed -nE 's/^[^:]*:([0-9]+):.*\[(-W)?([^],]*)[^]]*\]$/\1: \3/p' | sort -n -u) |
        sed -n 's/^</not found, line/p; s/^>/found instead, line/p')"
}

# analyse NAME VERSION: the result of `look`, which the caller defines, for every source. It prints what it finds in the
# source it is given, and fails silently only if it could not look.
analyse() {
    local source jobs=${ANALYSE_JOBS:-$(nproc)}
    ANALYSER=$2
    for source in "${SOURCES[@]}"; do
        while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
        examine "$1" "$source" &
    done
    wait
    # A fault in a header is found once for each source.
    result "$1" "$(for source in "${SOURCES[@]}"; do cat "$BUILD/analyse/$1/${source%.c}.found"; done |
        LC_ALL=C sort -u)"
}
