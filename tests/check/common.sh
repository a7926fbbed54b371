# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the checks in this folder share: each prints `ok NAME`, `not ok NAME` and findings, or `skip NAME REASON`,
# and ends with the plan `1..N`.
set -u
cd "$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")" || exit 1
CHECKS=0 FAILED=0

# The C files that are ours, one a line.
c_files() {
    find src include tests demo \( -name '*.c' -o -name '*.h' \) -type f | LC_ALL=C sort
}

# Every shell file: by its first line, or its name.
shell_files() {
    {
        find tests demo tools .ci -type f ! -name '*.[ch]' ! -path '*/corpus/*' \
            -exec awk 'FNR == 1 && /^#!.*(\/|env )(ba|da)?sh( |$)/ { print FILENAME } { nextfile }' {} +
        find tests demo tools .ci conf units -name '*.sh' -type f
    } | LC_ALL=C sort -u
}

# result NAME FINDINGS: ok when there are none.
result() {
    CHECKS=$((CHECKS + 1))
    if [ -z "$2" ]; then
        echo "ok $1"
    else
        echo "not ok $1"
        printf '%s\n' "$2" | sed 's/^/    /'
        FAILED=1
    fi
}

skipped() {
    CHECKS=$((CHECKS + 1))
    echo "skip $1 $2"
}

finish() {
    echo "1..$CHECKS"
    exit "$FAILED"
}
