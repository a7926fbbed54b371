/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where in the program a call comes from, by addr2line: for whoever has to mend it, and to walk only some. */
#pragma once

#include "fault_agent.h"

static void show_place(const struct fail_point *point)
{
    char command[512], line[256];
    int used = snprintf(command, sizeof command, "addr2line -s -f -p -e %s/%s", agent.build, point->program);
    for (uint32_t i = 0; i < point->frame_count && i < 8; i++)
        used += snprintf(command + used, sizeof command - (size_t)used, " %#x", point->frames[i] - 1);
    FILE *file = popen(command, "re");
    while (file && fgets(line, sizeof line, file))
        printf("        %s", line);
    if (file)
        pclose(file);
}

/* Asks for all at once, for addr2line takes long to begin; an address 0 ends each point's. */
static bool write_frames(const char *path, const struct fail_control *control, const char *program)
{
    FILE *file = fopen(path, "we");
    for (uint32_t i = 0; file && i < control->count; i++) {
        bool wanted = strcmp(control->points[i].program, program) == 0;
        for (uint32_t j = 0; wanted && j < control->points[i].frame_count; j++)
            fprintf(file, "%#x\n", control->points[i].frames[j] - 1);
        fputs("0\n", file);
    }
    return file && fclose(file) == 0;
}

static void mark_callers_in(const char *program, const struct fail_control *control, const char *function,
                            bool marks[FAIL_POINTS])
{
    char path[300], command[700], line[256];
    snprintf(path, sizeof path, "%s/frames", agent.world);
    snprintf(command, sizeof command, "addr2line -a -f -i -e %s/%s <%s", agent.build, program, path);
    FILE *names = write_frames(path, control, program) ? popen(command, "re") : NULL;
    for (uint32_t i = 0; names && i < control->count && fgets(line, sizeof line, names);) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0x", 2) == 0 && strtoull(line, NULL, 16) == 0)
            i++;
        else if (strcmp(line, function) == 0)
            marks[i] = true;
    }
    if (names)
        pclose(names);
}

/* marks[i]: function is among the callers of point i, in the monitor or in the api role. */
static void mark_callers(const struct fail_control *control, const char *function, bool marks[FAIL_POINTS])
{
    memset(marks, 0, FAIL_POINTS * sizeof *marks);
    mark_callers_in("bluegreend", control, function, marks);
    mark_callers_in("bluegreen-api", control, function, marks);
}
