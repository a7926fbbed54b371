/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A body that is kept whole: up to SPOOL_MEMORY bytes in memory, a longer one in a temporary file without a name in
 * the journal's directory, so that bodies cost disk and not memory, and nothing is left when the role dies. */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SPOOL_MEMORY 65536

struct spool {
    char *data; /* all of it, while fd is -1 */
    size_t capacity;
    int fd;
    uint64_t length;
};

void spool_init(struct spool *spool);
void spool_clear(struct spool *spool); /* frees; may be filled again */
int spool_add(struct spool *spool, int directory, const void *bytes, size_t length, struct error *err);
/* Up to size bytes from there on; 0 at its end. */
ssize_t spool_read(const struct spool *spool, uint64_t offset, void *bytes, size_t size);
