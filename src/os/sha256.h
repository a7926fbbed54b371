/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256. Here, because more than one program needs it and one place knows libnettle. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32

/* What nettle keeps of one; the source checks that it fits. */
struct sha256 {
    uint64_t state[16];
};

void sha256_begin(struct sha256 *sum);
void sha256_add(struct sha256 *sum, const void *bytes, size_t length);
void sha256_end(struct sha256 *sum, uint8_t digest[SHA256_SIZE]); /* and begins again */
