/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking for a text in a body that comes in pieces, none of which is kept. Pure. */
#pragma once

#include "model/service.h"

struct search {
    const char *wanted; /* borrowed; "" is found at once; at most TEST_CONTAINS_MAX bytes */
    bool found;
    size_t kept; /* of the end of what was seen: the text may begin there */
    char end[TEST_CONTAINS_MAX];
};

void search_begin(struct search *search, const char *wanted);
void search_add(struct search *search, const char *piece, size_t length);
