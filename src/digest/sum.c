/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums of files and of texts. */
#include "digest/digest.h"

#include "os/sha256.h"

#include <errno.h>
#include <unistd.h>

_Static_assert(DIGEST_SUM_SIZE == SHA256_SIZE, "the sum on the wire is one of SHA-256");

void digest_sum_file(struct digest *digest, int fd, struct digest_message *message)
{
    struct sha256 sum;
    sha256_begin(&sum);
    message->size = 0;
    for (;;) {
        ssize_t got = read(fd, digest->buffer, sizeof digest->buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            message->error = errno;
            return;
        }
        if (got == 0)
            break;
        sha256_add(&sum, digest->buffer, (size_t)got);
        message->size += (uint64_t)got;
        digest->bytes += (uint64_t)got;
        if (!digest_go_on(digest))
            return;
    }
    sha256_end(&sum, message->sum);
}

void digest_sum_text(const char *text, size_t length, struct digest_message *message)
{
    struct sha256 sum;
    sha256_begin(&sum);
    sha256_add(&sum, text, length);
    message->size = length;
    sha256_end(&sum, message->sum);
}
