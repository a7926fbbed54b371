/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A figure for the report (tests/bench/report), from a benchmark in C; figure() of lib.sh is the same for scripts. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

/* Appended to the file that $FIGURES names; without it nothing. No text has a tab. A subject whose name begins with
 * "floor" is what nobody can beat, one that begins with "bluegreen" is ours. */
static inline void figure(const char *section, const char *metric, const char *subject, double value)
{
    const char *path = getenv("FIGURES");
    FILE *file = path ? fopen(path, "ae") : NULL;
    if (!file)
        return;
    fprintf(file, "%s\t%s\t%s\t%.6g\n", section, metric, subject, value);
    fclose(file);
}
