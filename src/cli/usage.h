/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs: what each takes and means. Options, help and dispatch all read this one table. */
#pragma once

#include "cli/cli.h"

#include <stdio.h>

enum {
    TAKES_FORCE = 1 << 0,
    TAKES_HISTORY = 1 << 1, /* which entries of it, and --verbose */
    TAKES_NAMES = 1 << 2,
    TAKES_LINES = 1 << 3,   /* -n, --follow and --since */
    TAKES_STEPS = 1 << 5,   /* --no-test and --stop-after */
    TAKES_COMMAND = 1 << 4, /* "-- COMMAND..." and --root */
    TAKES_WAIT = 1 << 6,
    TAKES_YES = 1 << 7,
    TAKES_GROUP = 1 << 8, /* instead of the app */
    TAKES_PAST = 1 << 9,
    TAKES_MESSAGE = 1 << 10,
    TAKES_TIMEOUT = 1 << 11,
    TAKES_LIMIT = 1 << 20,  /* -n alone */
    TAKES_CANARY = 1 << 12, /* --canary and --sticky */
    TAKES_LOSE = 1 << 13,
};

struct verb {
    const char *name;
    const char *arguments; /* as in the usage line */
    const char *summary;
    int least, most; /* arguments; most -1 = any number */
    int options;
    int (*run)(struct cli *cli);   /* returns the exit status */
    enum bluegreen_verb operation; /* for run_operation */
    /* confirm.h: what somebody is asked first; NULL: nothing is lost. */
    bool (*loses)(const struct cli *cli, char *question, size_t size);
};

extern const struct verb verbs[]; /* ended by a name that is NULL */

const struct verb *verb_find(const char *name);
/* The verb that was probably meant, or NULL. */
const char *verb_nearest(const char *name);
/* All verbs and options. */
void usage_print(FILE *file);
/* "usage: bluegreen deploy [OPTION...] APP RELEASE" and what it does. */
void usage_print_verb(FILE *file, const struct verb *verb);
