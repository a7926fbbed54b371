/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System call filters: the only place that knows libseccomp. */
#pragma once

#include "base/error.h"
#include "model/syscall_filter.h"

#include <stdbool.h>
#include <stddef.h>

/* For this process and all it starts, for good. Also sets no_new_privs. */
int filter_load(const struct filter_spec *spec, struct error *err);
/* False, and a warning in the log, where a role must do without its allow-list: built with a sanitizer, which needs
 * more calls than such a list has. */
bool filter_fits_build(void);
/* The program as seccomp(2) takes it: *program is an array of *count struct sock_filter, the caller's. Some 5 ms for
 * 400 calls: keep it. */
int filter_compile(const struct filter_spec *spec, void **program, size_t *count, struct error *err);
