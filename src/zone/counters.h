/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a network namespace has counted of its TCP. Apart because only a release that is watched is asked. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct zone_counters;

/* The namespace's own /proc/net/snmp and netstat; -1 until they are needed. They keep it alive. */
struct counter_files {
    int snmp, netstat;
};

#define COUNTER_FILES_NONE ((struct counter_files){-1, -1})

int counters_read(struct counter_files *files, int netns, struct zone_counters *counters, struct error *err);
void counters_close(struct counter_files *files);
/* The number that stands below `name` in the two lines of a group: "Tcp: A B\nTcp: 1 2\n". */
bool counters_find(const char *content, const char *group, const char *name, uint64_t *number);
