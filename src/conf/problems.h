/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wrong with a file: one line each, with its place, safe for a terminal, and counted. */
#pragma once

#include "base/text.h"

struct problems {
    const char *file;   /* borrowed: what messages call it */
    struct words *list; /* borrowed: where they go */
    size_t count;       /* also of those that found no memory or came after the bound */
};

/* "FILE: ..." */
void problem_in_file(struct problems *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "FILE: line N: ..." */
void problem_at_line(struct problems *problems, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "FILE: [section] key: ..."; key NULL: "FILE: [section]: ..." */
void problem_at_key(struct problems *problems, const char *section, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
