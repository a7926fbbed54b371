# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Assertions of the shell tests: each says what it found and fails the test. expect_status leaves the output in $OUTPUT.
# shellcheck disable=SC2034 # OUTPUT is the caller's

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

expect_eq() {
    [ "$1" = "$2" ] || fail "${3:-value}: expected '$1', got '$2'"
}

expect_match() {
    [[ $2 =~ $1 ]] || fail "${3:-text}: expected to match /$1/, got: $2"
}

expect_no_match() {
    [[ ! $2 =~ $1 ]] || fail "${3:-text}: expected not to match /$1/, got: $2"
}

expect_status() {
    local want=$1 got=0
    shift
    OUTPUT=$("$@" 2>&1) || got=$?
    [ "$got" = "$want" ] || fail "$*: expected exit status $want, got $got, saying: $OUTPUT"
}
