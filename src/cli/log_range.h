/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A zone's two log files as one text, and the times that their indexes know. Looking for the place to begin is here;
 * printing is logs.c.
 */
#pragma once

#include "bluegreen/bluegreen.h"

#include <sys/types.h>

struct log_file {
    int fd; /* borrowed; -1 = there is none */
    ino_t inode;
    uint64_t size;                    /* when it was opened */
    struct bluegreen_log_mark *marks; /* owned */
    size_t count;
    uint64_t span_ms;
};

struct log_range {
    struct log_file files[2]; /* the older one first */
    uint64_t from[2];         /* where to begin in each; the size = nothing of it */
    bool times_unknown;       /* of something that would have to be compared */
};

enum { LOG_OLD, LOG_NOW };

/* False when memory ran out. */
bool log_range_open(struct log_range *range, const struct bluegreen_logs *logs);
void log_range_close(struct log_range *range);
/* Only what came at this time or later: what may have, where the index is not exact. */
void log_range_since(struct log_range *range, uint64_t unix_ms);
/* Only the last lines of what is left. */
void log_range_last(struct log_range *range, uint64_t lines);
/* When what is at this offset came; 0 = unknown. The same goes for what follows, up to *until. */
uint64_t log_time_at(const struct log_file *file, uint64_t offset, uint64_t *until);
