/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Standard input, output and error for a process, as pipes or a terminal: the ends that it gets, and those of whoever
 * is to talk with it. Made here and never taken from somebody else, so that to close them never waits.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STDIO_STREAMS 3

struct stdio_wish {
    bool terminal;          /* stdin and stdout are one */
    bool merge;             /* stderr goes where stdout goes */
    uint16_t rows, columns; /* of the terminal; 0 = unknown */
    uid_t uid;              /* who may open them again by /proc/self/fd, as shells do for /dev/stderr */
    gid_t gid;
};

struct stdio {
    int far[STDIO_STREAMS];  /* the process's; some may be the same descriptor */
    int near[STDIO_STREAMS]; /* the other ends: to stdin, of stdout, of stderr; -1 = there is none of its own. With a
                              * terminal the first is its master, for both ways */
    int terminal;            /* the process's end of it, or -1 */
};

/* All close-on-exec. On failure nothing stays open. */
int stdio_open(const struct stdio_wish *wish, struct stdio *stdio, struct error *err);
void stdio_close(struct stdio *stdio);
