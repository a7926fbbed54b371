/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System call filters of the roles that read what others send. */
#pragma once

#include "base/error.h"
#include "model/syscall_filter.h"

/* For this process, for good: a loop, descriptors that it has, memory that is not code, time and its end; and what is
 * its own. It opens nothing and executes nothing: that is refused; anything else is unknown. */
int role_filter_load(const struct filter_rule own[], size_t count, struct error *err);
