/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers as the journal keeps them. */
#include "feed/noting.h"

#include "feed/compare.h"
#include "feed/role.h"

void noting_answer(const struct call *call, struct wal_answer *answer)
{
    const struct feed_rules *rules = &call->role->rules;
    const struct compare_rules how = {
        .compare = (enum feed_compare)rules->compare, .ignore = rules->ignore, .ignore_count = rules->ignore_count};
    struct compare compare;
    char piece[BUFFER_PIECE];
    compare_begin(&compare, &how, &call->answer);
    for (uint64_t at = 0; at < call->content.length;) {
        ssize_t got = spool_read(&call->content, at, piece, sizeof piece);
        if (got <= 0)
            break;
        compare_add(&compare, piece, (size_t)got);
        at += (uint64_t)got;
    }
    compare_end(&compare, answer);
}
