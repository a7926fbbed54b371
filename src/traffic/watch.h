/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notices when somebody else changes our tables, where the kernel cannot keep them ours. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct watch;

/* own_port: netlink port id whose changes are our own. */
int watch_open(struct watch **watch, uint32_t own_port, struct error *err);
void watch_close(struct watch *watch); /* NULL is fine */
int watch_fd(const struct watch *watch);
/* Reads all that waits; true if somebody touched one of our tables, or if that cannot be told any more. */
bool watch_touched(struct watch *watch);
