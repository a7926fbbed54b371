/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text as a word of a journal's line: blanks, control characters, "%" and "=" are %XX, everything else is as it is. */
#pragma once

#include "base/text.h"

void record_word_add(struct text *line, const char *value);
/* Undoes it, and takes nothing else than what it writes. False for anything else, or if it does not fit into size
 * bytes. */
bool record_word_read(const char *word, char *to, size_t size);
