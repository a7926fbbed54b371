/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is walked if not everything: FAULT_ONLY, lines of CALL:OBJECT@FUNCTION=ERROR, each part may be left out.
 * OBJECT is part of one, FUNCTION is among those that the call comes from. */
#pragma once

#include "fault_errors.h"
#include "fault_places.h"

enum { ONLY_MAX = 16 };

static struct only {
    char call[32], object[FAIL_OBJECT], from[64], error[32];
    bool marks[FAIL_POINTS]; /* which points come from there */
    bool found;
} only[ONLY_MAX];
static size_t only_count;

static const char *take_part(const char *at, const char *ends, char *to, size_t size)
{
    size_t length = strcspn(at, ends);
    snprintf(to, size, "%.*s", (int)length, at);
    return at + length;
}

static void only_read(void)
{
    for (const char *at = getenv("FAULT_ONLY"); at && *at && only_count < ONLY_MAX; at += *at == '\n') {
        struct only *line = &only[only_count++];
        at = take_part(at, ":\n", line->call, sizeof line->call);
        if (*at == ':')
            at = take_part(at + 1, "@=\n", line->object, sizeof line->object);
        if (*at == '@')
            at = take_part(at + 1, "=\n", line->from, sizeof line->from);
        if (*at == '=')
            at = take_part(at + 1, "\n", line->error, sizeof line->error);
    }
}

/* When the points are known. */
static void only_mark(const struct fail_control *control)
{
    for (size_t i = 0; i < only_count; i++) {
        if (only[i].from[0])
            mark_callers(control, only[i].from, only[i].marks);
    }
}

/* error 0: any. */
static bool only_takes(const struct fail_control *control, uint32_t index, int error)
{
    const struct fail_point *point = &control->points[index];
    char name[64];
    bool takes = only_count == 0;
    for (size_t i = 0; i < only_count; i++) {
        struct only *line = &only[i];
        if ((line->call[0] && strcmp(line->call, fail_names[point->call]) != 0) ||
            (line->object[0] && !strstr(point->object, line->object)) || (line->from[0] && !line->marks[index]) ||
            (error && line->error[0] && strcmp(line->error, error_name(error, name)) != 0))
            continue;
        takes = true;
        line->found = line->found || error;
    }
    return takes;
}

/* A line that no call is like would look as if all was well. */
static bool only_all_found(void)
{
    bool all = true;
    for (size_t i = 0; i < only_count; i++) {
        if (!only[i].found)
            printf("WRONG: nothing to fail is like %s:%s@%s=%s\n", only[i].call, only[i].object, only[i].from,
                   only[i].error);
        all = all && only[i].found;
    }
    return all;
}
