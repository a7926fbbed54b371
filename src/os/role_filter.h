/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System call filters of the roles that read what others send. */
#pragma once

#include "base/error.h"
#include "model/syscall_filter.h"

/* For this process, for good: a loop, descriptors that it has, memory that is not code, time and its end; and what is
 * its own, which comes in place of what all roles have for the same call. It opens nothing and executes nothing, but
 * where that is its own: that is refused; anything else is unknown. */
int role_filter_load(const struct filter_rule own[], size_t count, struct error *err);
