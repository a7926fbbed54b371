/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256. The one place that knows nettle. */
#include "os/sha256.h"

#include <nettle/sha2.h>
#include <nettle/version.h>

_Static_assert(SHA256_SIZE == SHA256_DIGEST_SIZE, "the size of a sum");
_Static_assert(sizeof(struct sha256) >= sizeof(struct sha256_ctx), "room for what nettle keeps");
_Static_assert(_Alignof(struct sha256) >= _Alignof(struct sha256_ctx), "its alignment");

static struct sha256_ctx *context_of(struct sha256 *sum)
{
    return (struct sha256_ctx *)(void *)sum->state;
}

void sha256_begin(struct sha256 *sum)
{
    sha256_init(context_of(sum));
}

void sha256_add(struct sha256 *sum, const void *bytes, size_t length)
{
    sha256_update(context_of(sum), length, bytes);
}

void sha256_end(struct sha256 *sum, uint8_t digest[SHA256_SIZE])
{
#if NETTLE_VERSION_MAJOR >= 4
    sha256_digest(context_of(sum), digest);
#else
    sha256_digest(context_of(sum), SHA256_SIZE, digest);
#endif
}
