/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe role's system call filter. It parses what apps say, so after set-up it may only use
 * what it holds: no file can be opened, no socket made, nothing executed.
 */
#pragma once

#include "base/error.h"

/* For good. Also sets no_new_privs. */
int probe_filter_load(struct error *err);
