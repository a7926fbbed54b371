/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of bluegreen-digest. */
#pragma once

#include "base/error.h"
#include "model/digest_wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What has been done, and when it was last said. */
struct digest {
    int channel;
    uint32_t files;
    uint64_t bytes;
    uint64_t said_ms, until_ms; /* monotonic */
    int over;                   /* errno: a bound was reached, or nobody listens any more; sticky */
    char buffer[1 << 16];
};

/* --- report.c --- */
void digest_begin(struct digest *digest, int channel);
/* Sends one file. False: it is over. */
bool digest_report(struct digest *digest, struct digest_message *message);
/* Something was done: says so now and then, and looks at the bounds. False: it is over. */
bool digest_go_on(struct digest *digest);
void digest_end(struct digest *digest);

/* --- sum.c --- */
/* The file behind fd, from its beginning. Fills in size and sum, or error. */
void digest_sum_file(struct digest *digest, int fd, struct digest_message *message);
void digest_sum_text(const char *text, size_t length, struct digest_message *message);

/* --- tree.c, libraries.c --- */
/* Everything below directory. */
void digest_tree(struct digest *digest, const char *directory);
/* The ELF files that these processes have mapped to execute, each once. What is in the release's directory ("" = none)
 * is told as DIGEST_RELEASE/... */
void digest_libraries(struct digest *digest, const char *release_directory, char *const pids[]);

/* --- filter.c --- */
/* It reads files and sends messages, and nothing else. */
int digest_filter_load(struct error *err);
