# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the analysers share: the sources, and the words of the compiler's command line that decide what they mean.
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

# each CMD...: CMD and a source, for every source, as many at a time as there are CPUs.
each() {
    printf '%s\0' "${SOURCES[@]}" | xargs -0 -n 1 -P "$(nproc)" "$@"
}
