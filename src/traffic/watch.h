/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notices when somebody else changes the rule set: our tables, where the kernel cannot keep them ours, or others. */
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
/* True if somebody else has changed any table, as far as that was read, since this was asked last; by is the name of
 * the last program that did, "" if that is not known. */
#define WATCH_PROGRAM_MAX 15 /* TASK_COMM_LEN */
bool watch_others(struct watch *watch, char by[WATCH_PROGRAM_MAX + 1]);
