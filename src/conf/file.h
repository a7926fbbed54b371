/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a configuration file from the disk. */
#pragma once

#include "conf/problems.h"

#define CONF_FILE_MAX (256u << 10)

/* The whole of a regular file. 0, or a negative errno with a problem added; -ENOENT adds none. *content is the
 * caller's. */
int conf_read(const char *path, char **content, size_t *length, struct problems *problems);
