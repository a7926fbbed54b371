/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stopping everything in a cgroup without its notice: cgroup.freeze. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

/* Returns when the kernel says that it is so, at most after a second; after a failure nothing is frozen. */
int freezer_set(const char *path, bool frozen, struct error *err);
/* What was last asked of the kernel. */
bool freezer_get(const char *path);
