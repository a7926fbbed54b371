/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the command line. */
#pragma once

#include "cli/cli.h"

/* What the arguments say beside what is in struct cli. */
struct arguments {
    bool help, version;
    char wrong[64]; /* the first option that is not right, and why */
    const char *why;
};

/* A whole number from 1 on. */
bool options_count(const char *text, uint64_t *count);
/* Fills in all of *cli but its terminal. Whether an option means something to the verb is for others to say. */
void options_read(struct cli *cli, struct arguments *arguments, int argc, char *argv[]);
