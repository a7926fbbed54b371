/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What bluegreen-digest tells the monitor: one SOCK_SEQPACKET message of fixed layout for each file, in the order of
 * digest_order, then DIGEST_END. Names are an app's: what could not be shown in them is written as \xHH, and the
 * monitor looks at every field.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_PATH_MAX  1023
#define DIGEST_SUM_SIZE  32 /* SHA-256 */
#define DIGEST_DEPTH_MAX 64

/* Where a digest ends, whatever is left. */
#define DIGEST_FILES_MAX   200000u
#define DIGEST_BYTES_MAX   (64ull << 30)
#define DIGEST_SECONDS_MAX 300u
/* Something is said at least this often, or it hangs. */
#define DIGEST_SILENCE_MS 10000u

/* In the place of a release's directory in the path of a library. */
#define DIGEST_RELEASE "%r"

enum digest_kind {
    DIGEST_FILE = 1, /* all fields */
    DIGEST_PROGRESS, /* files, size: how much is done */
    DIGEST_END       /* files, size: how much was done; error: 0, or why it ended before its end */
};

struct digest_message {
    uint8_t kind;  /* enum digest_kind */
    uint8_t type;  /* 'f' file, 'd' directory, 'l' symbolic link, 'm' another file system, 'o' anything else */
    uint16_t mode; /* permissions, 07777; 0 of a link */
    int32_t error; /* errno: it could not be read, and there is no sum; ESTALE: it was replaced since it was loaded */
    uint32_t files;
    uint32_t reserved;
    uint64_t size;                  /* bytes; 0 of what is neither file nor link */
    uint8_t sum[DIGEST_SUM_SIZE];   /* of a file's content, of where a link points */
    char path[DIGEST_PATH_MAX + 1]; /* of a release: relative to its directory; of a library: absolute, or below %r */
};

bool digest_message_valid(const struct digest_message *message, size_t length);
/* The order of paths: as strcmp has it, but that '/' comes before everything else. */
int digest_order(const char *a, const char *b);
/* Appends a name as it goes over the wire to path of this size; false, and path unchanged, if it does not fit. */
bool digest_encode(const char *name, char *path, size_t size);
