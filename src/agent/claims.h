/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Only one agent for each network namespace, and for each /run/netns. */
#pragma once

#include "base/error.h"

struct agent;

/* -EBUSY if another agent has this network namespace or this /run/netns. */
int claims_take(struct agent *agent, struct error *err);
void claims_release(struct agent *agent);
