# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the kernel has of zones, and what a process holds, counted: for tests that want all of it to be as it was (sourced
# behind tests/world/lib.sh).

# What the kernel has of zones. A namespace that something still holds has no name any more, but is counted.
kernel_counts() {
    echo "network namespaces $(lsns -t net -n -o NS | wc -l), mount namespaces $(lsns -t mnt -n -o NS | wc -l)"
    echo "names of namespaces $(find /run/netns -mindepth 1 | wc -l)"
    echo "links $(find /sys/class/net -mindepth 1 | wc -l)"
    echo "addresses $(ip -o addr | wc -l), routes $(ip -4 route show table all | wc -l) $(ip -6 route show table all | wc -l)"
    echo "neighbours $(ip neigh show nud permanent | wc -l)"
    echo "mounts $(wc -l </proc/self/mountinfo)"
    echo "cgroups $(find /sys/fs/cgroup -type d | wc -l)"
    echo "processes $(pgrep -c .), shims $(pgrep -c -x bluegreen-zone)"
    echo "rules $(nft list ruleset | grep -c .)"
    echo "directories of zones $(find "$WORLD/run/zones" -mindepth 1 | wc -l)"
}

# The kernel takes namespaces apart in the background.
back_to() {
    [ "$(kernel_counts)" = "$1" ]
}

descriptors_of() {
    find "/proc/$1/fd" -mindepth 1 | wc -l
}

anonymous_kib() {
    awk '/^RssAnon/ { print $2 }' "/proc/$1/status"
}

expect_counts() {
    wait_for 15 back_to "$1" || fail "$2: $(diff <(echo "$1") <(kernel_counts))"
}
