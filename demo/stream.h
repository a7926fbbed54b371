/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream of bytes that follows from a seed. The demo app serves it and the test clients compute
 * it again, so that a client can tell whether every byte of an answer is the right one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct stream {
    uint64_t state;
    uint64_t word; /* bytes not handed out yet, lowest first */
    unsigned left; /* how many of them */
};

static inline struct stream stream_start(uint64_t seed)
{
    /* splitmix64: neighbouring seeds give unlike streams, and no seed gives the state 0. */
    uint64_t z = seed + 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (struct stream){.state = z ? z : 1};
}

/* xorshift64*, Vigna 2016 */
static inline uint64_t stream_word(struct stream *s)
{
    s->state ^= s->state >> 12;
    s->state ^= s->state << 25;
    s->state ^= s->state >> 27;
    return s->state * 0x2545f4914f6cdd1du;
}

/* Writes the next `len` bytes of the stream; the pieces may have any size. */
static inline void stream_fill(struct stream *s, unsigned char *to, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s->left == 0) {
            s->word = stream_word(s);
            s->left = 8;
        }
        to[i] = (unsigned char)s->word;
        s->word >>= 8;
        s->left--;
    }
}

/* How many of the `len` bytes at `got` are the next of the stream: `len` when all are. */
static inline size_t stream_matches(struct stream *s, const unsigned char *got, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char want;

        stream_fill(s, &want, 1);
        if (got[i] != want)
            return i;
    }
    return len;
}
