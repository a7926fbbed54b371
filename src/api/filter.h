/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The api role's system call filter. It parses what clients say, so after set-up it may only use what it holds and what
 * it is handed: no file can be opened, no socket made or connected, nothing executed.
 */
#pragma once

#include "base/error.h"

/* For good. Also sets no_new_privs. */
int api_filter_load(struct error *err);
