/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Problems of a file, as lines. */
#include "conf/problems.h"

#include <stdio.h>

enum { PROBLEMS_MAX = 100 }; /* of one file: nobody reads more, and junk has one on each line */

__attribute__((format(printf, 3, 0))) static void add(struct problems *problems, const char *place, const char *format,
                                                      va_list arguments)
{
    CLEANUP_TEXT struct text line = {0};
    char reason[1024];
    if (problems->count++ >= PROBLEMS_MAX)
        return;
    vsnprintf(reason, sizeof reason, format, arguments);
    text_addf(&line, "%s: %s%s", problems->file, place, reason);
    if (line.failed)
        return;
    text_sanitise(line.data);
    words_add(problems->list, line.data);
}

void problem_in_file(struct problems *problems, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(problems, "", format, arguments);
    va_end(arguments);
}

void problem_at_line(struct problems *problems, unsigned line, const char *format, ...)
{
    char place[32];
    snprintf(place, sizeof place, "line %u: ", line);
    va_list arguments;
    va_start(arguments, format);
    add(problems, place, format, arguments);
    va_end(arguments);
}

void problem_at_key(struct problems *problems, const char *section, const char *key, const char *format, ...)
{
    char place[256];
    snprintf(place, sizeof place, "[%.100s]%s%.100s: ", section, key ? " " : "", key ? key : "");
    va_list arguments;
    va_start(arguments, format);
    add(problems, place, format, arguments);
    va_end(arguments);
}
