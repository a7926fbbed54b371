/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a compacted journal holds: the newest of the history as it was, then the state as new
 * records. */
#pragma once

#include "model/record.h"

struct compacted {
    struct text text;
    uint64_t last_sequence; /* of its last record */
};

/* fold is that of the first `size` bytes of the file at path. compacted->text is the caller's, also after an error. */
int compact_records(const char *path, size_t size, const struct fold *fold, struct compacted *compacted,
                    struct error *err);
