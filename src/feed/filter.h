/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed role's system call filter. */
#pragma once

#include "base/error.h"

/* For good: what os/role_filter.h allows, clients and connections over sockets that it was given, files in its
 * directory, and the journal's thread. */
int feed_filter_load(struct error *err);
