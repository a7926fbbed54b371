/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RLIMIT_NOFILE, raised for the agent and put back for its children. */
#include "os/limits.h"

#include <stdbool.h>
#include <sys/resource.h>

static struct rlimit files_before;
static bool files_raised;

void limits_raise_files(void)
{
    struct rlimit wanted;
    if (getrlimit(RLIMIT_NOFILE, &files_before) < 0)
        return;
    wanted = files_before;
    wanted.rlim_cur = wanted.rlim_max;
    files_raised = setrlimit(RLIMIT_NOFILE, &wanted) == 0;
}

void limits_restore_files(void)
{
    if (files_raised)
        setrlimit(RLIMIT_NOFILE, &files_before);
}
