/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * [limits] as cgroup v2 has them. They hold for `payload`, for all of an app's processes together; what run-time
 * systems look at to choose their size (memory.max, cpu.max) is repeated where each process sees it, at the root of its
 * own cgroup namespace.
 */
#pragma once

#include "base/error.h"
#include "model/service.h"

/* What is 0 is lifted. Sets all that can be set, and returns the first failure: -EOPNOTSUPP, with the controllers that
 * are missing, if something cannot be limited here. */
int limits_set(const char *payload, const struct limits *limits, struct error *err);
/* Repeats them for one process, payload/NAME. Where its directory has no controllers nothing is repeated. */
void limits_repeat(const char *process, const struct limits *limits);
