/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Controllers of cgroup v2: what is counted and limited has to be enabled in every directory from the root down, and
 * only in those that hold no process themselves.
 */
#pragma once

#include <stddef.h>

enum {
    CONTROLLER_MEMORY = 1 << 0,
    CONTROLLER_CPU = 1 << 1,
    CONTROLLER_PIDS = 1 << 2,
    CONTROLLER_IO = 1 << 3,
    CONTROLLERS_ALL = (1 << 4) - 1,
};

#define CONTROLLERS_TEXT_MAX 32

/* Those that a directory has, of all that are known here. */
unsigned controllers_of(const char *path);
/* Enables those of wanted for what is below path, as far as the kernel lets us, one by one: that one of them is refused
 * says nothing of the others. Returns those that are enabled there now. */
unsigned controllers_enable(const char *path, unsigned wanted);
/* "memory cpu", "" for none. */
const char *controllers_text(unsigned controllers, char text[CONTROLLERS_TEXT_MAX]);
