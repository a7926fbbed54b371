/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the lines of a journal, and telling a torn one from a damaged one. */
#pragma once

#include "model/record.h"

/* Compaction keeps a journal well below this; more is not ours. */
#define JOURNAL_READ_MAX (64u << 20)

/* Called for each record in order. A negative result, with *err set, ends the reading. */
typedef int record_visitor(void *context, const struct record *record, struct error *err);

/*
 * Visits the records in content. *good is the length of what was visited, *line the number of the line behind it.
 * If that line is no record, the result is record_parse's, or -EBADMSG if it has no newline.
 */
int records_visit(const char *content, size_t length, record_visitor *visit, void *context, size_t *good,
                  unsigned *line, struct error *err);
/* The records in the first `size` bytes of a file. */
int records_visit_file(const char *path, size_t size, record_visitor *visit, void *context, struct error *err);
/*
 * One write that did not reach the disk whole leaves at most one record's bytes behind the last good one, and no
 * newline but at their end. Anything else is damage that nobody should step over in silence.
 */
bool records_torn_tail(const char *tail, size_t length);
