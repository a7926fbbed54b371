/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256. The one place that knows nettle. */
#include "digest/digest.h"

#include <errno.h>
#include <unistd.h>

#include <nettle/sha2.h>
#include <nettle/version.h>

_Static_assert(DIGEST_SUM_SIZE == SHA256_DIGEST_SIZE, "the sum on the wire is one of SHA-256");

static void take_sum(struct sha256_ctx *context, struct digest_message *message)
{
    uint8_t sum[SHA256_DIGEST_SIZE] = {0};
#if NETTLE_VERSION_MAJOR >= 4
    sha256_digest(context, sum);
#else
    sha256_digest(context, sizeof sum, sum);
#endif
    for (size_t i = 0; i < sizeof sum; i++)
        message->sum[i] = sum[i];
}

void digest_sum_file(struct digest *digest, int fd, struct digest_message *message)
{
    struct sha256_ctx context;
    sha256_init(&context);
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
        sha256_update(&context, (size_t)got, (const uint8_t *)digest->buffer);
        message->size += (uint64_t)got;
        digest->bytes += (uint64_t)got;
        if (!digest_go_on(digest))
            return;
    }
    take_sum(&context, message);
}

void digest_sum_text(const char *text, size_t length, struct digest_message *message)
{
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, length, (const uint8_t *)text);
    message->size = length;
    take_sum(&context, message);
}
