/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where systemd runs, it owns the cgroup tree: a zone lives in a transient scope of its own, beside the agent's unit
 * and not inside it, or a restart of the agent would end the zone. The executable bluegreen-scope asks systemd for it.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/* systemd is PID 1 here, and the executable that speaks to it was built and is there. */
bool scope_available(const char *executable);
/* systemd is PID 1 here. */
bool scope_wanted(void);
/* Moves the process into a new scope NAME (with ".scope") in SLICE (with ".slice") and waits until it is there. A scope
 * of that name that is left over is ended first. */
int scope_start(const char *executable, const char *name, const char *slice, const char *description, pid_t pid,
                struct error *err);
/* Kills what is in the scope, and waits until systemd has removed it. A missing one is fine. */
int scope_end(const char *executable, const char *name, struct error *err);
