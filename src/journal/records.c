/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the lines of a journal. */
#include "journal/records.h"

#include "base/cleanup.h"
#include "os/files.h"

#include <errno.h>
#include <string.h>

int records_visit(const char *content, size_t length, record_visitor *visit, void *context, size_t *good,
                  unsigned *line, struct error *err)
{
    *good = 0;
    *line = 1;
    while (*good < length) {
        const char *start = content + *good, *newline = memchr(start, '\n', length - *good);
        struct record record;
        if (!newline)
            return error_set(err, EBADMSG, "it is not complete");
        int result = record_parse(start, (size_t)(newline - start), &record, err);
        if (result == 0)
            result = visit(context, &record, err);
        if (result < 0)
            return result;
        *good = (size_t)(newline - content) + 1;
        ++*line;
    }
    return 0;
}

int records_visit_file(const char *path, size_t size, record_visitor *visit, void *context, struct error *err)
{
    CLEANUP_FREE char *content = NULL;
    size_t length, good;
    unsigned line;
    int result = file_read(path, JOURNAL_READ_MAX, &content, &length, err);
    if (result < 0)
        return result;
    if (length > size) /* the rest is of a write that failed */
        length = size;
    result = records_visit(content, length, visit, context, &good, &line, err);
    if (result < 0)
        error_prefix(err, "%s: line %u", path, line);
    return result;
}

bool records_torn_tail(const char *tail, size_t length)
{
    const char *newline = memchr(tail, '\n', length);
    return length < RECORD_LINE_MAX && (!newline || newline == tail + length - 1);
}
