/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Latencies in logarithmic buckets: each power of two is cut into 16, so a percentile is right to 6
 * %. Values are microseconds.
 */
#pragma once

#include <stdint.h>

#define HISTOGRAM_SUB     16u
#define HISTOGRAM_BUCKETS (60u * HISTOGRAM_SUB)

struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_index(uint64_t value)
{
    unsigned shift = 0;

    while (value >= 2 * HISTOGRAM_SUB) {
        value >>= 1;
        shift++;
    }
    return shift * HISTOGRAM_SUB + (unsigned)value;
}

/* The highest value of a bucket. */
static inline uint64_t histogram_value(unsigned index)
{
    unsigned shift = index < 2 * HISTOGRAM_SUB ? 0 : index / HISTOGRAM_SUB - 1;

    return ((uint64_t)(index - shift * HISTOGRAM_SUB + 1) << shift) - 1;
}

static inline void histogram_add(struct histogram *h, uint64_t value)
{
    h->bucket[histogram_index(value)]++;
    h->count++;
    if (value > h->max)
        h->max = value;
}

static inline void histogram_merge(struct histogram *to, const struct histogram *from)
{
    to->count += from->count;
    if (from->max > to->max)
        to->max = from->max;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        to->bucket[i] += from->bucket[i];
}

/* `per_mille` 500 is the median. 0 when nothing was added. */
static inline uint64_t histogram_at(const struct histogram *h, unsigned per_mille)
{
    uint64_t want = (h->count * per_mille + 999) / 1000, seen = 0;

    for (unsigned i = 0; h->count > 0 && i < HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= want)
            return histogram_value(i) < h->max ? histogram_value(i) : h->max;
    }
    return 0;
}
