/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a network namespace has counted of its TCP and UDP, and what of it was the agent itself. Apart because only a
 * release that is watched, or live, is asked. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct zone_counters;

/* The namespace's own /proc/net/snmp, netstat and snmp6 (-1 too where there is no IPv6); -1 until they are needed. They
 * keep it alive. */
struct counter_files {
    int snmp, netstat, snmp6;
};

#define COUNTER_FILES_NONE ((struct counter_files){-1, -1, -1})

int counters_read(struct counter_files *files, int netns, struct zone_counters *counters, struct error *err);
void counters_close(struct counter_files *files);
/* The number that stands below `name` in the two lines of a group: "Tcp: A B\nTcp: 1 2\n". */
bool counters_find(const char *content, const char *group, const char *name, uint64_t *number);
/* The number behind a name that begins a line: "Udp6InDatagrams \t12\n". */
bool counters_find_line(const char *content, const char *name, uint64_t *number);
/* How often the agent itself has connected, kept in this file, which goes with the zone and not with the agent. Adds
 * some and returns the sum; what cannot be read is 0. */
uint64_t counters_own(const char *path, uint32_t more);
