/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the monitor may do, whoever started it: its capabilities, and a system call filter. Both hold for all that it
 * starts too, zones and apps included, so they leave out only what none of them needs.
 */
#pragma once

#include "base/error.h"

/* For good. Sets no_new_privs. */
int rights_limit(struct error *err);
