/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a zone's app uses, read from its cgroup, or added up from its processes. */
#pragma once

#include "zone/zone.h"

/* payload may be NULL, without cgroup v2: then everything below the shim counts. */
void usage_read(const char *payload, pid_t shim, struct zone_usage *usage);
/* What the cgroup at path, below root, and those above it leave of available bytes. */
uint64_t usage_below_limits(const char *root, const char *path, uint64_t available);
/* MemAvailable of the host; 0 if nobody can tell. */
uint64_t usage_host_available(void);
