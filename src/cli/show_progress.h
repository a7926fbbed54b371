/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Progress for people: one line for each step. On a terminal it is written again as the step goes on, with a bar where
 * the step is a wait whose end is known; elsewhere, and without colours, lines are only added, and of a long wait not
 * more than some twenty. With --json every progress is a line as it came.
 */
#pragma once

#include "cli/cli.h"

enum { PROGRESS_TICK_MS = 200 }; /* how often a line on a terminal moves by itself */

struct progress_view {
    const struct cli *cli;
    bool open;                /* the line of the step is not ended yet, or not even printed */
    uint64_t printed_ms;      /* elapsed_ms of the step's last line, where lines are only added */
    uint64_t got_ms;          /* monotonic: when this came */
    char step[32], text[300]; /* what follows is as the agent sent it */
    enum bluegreen_colour zone;
    uint64_t elapsed_ms, wait_ms, waited_ms;
};

bool progress_show(void *view, const struct bluegreen_progress *progress); /* a bluegreen_progress_callback */
void progress_end(struct progress_view *view);                             /* ends what is open */
/* True if lines are written again: ticks are wanted. */
bool progress_moves(const struct cli *cli);

/* A bar of so many columns, of which done of whole are filled; *filled is how many bytes of it. */
const char *progress_bar(bool utf8, int columns, uint64_t done, uint64_t whole, char *text, size_t size,
                         size_t *filled);
/* "9s left", "12m05s left", "3h07m left", "6d21h left": at most 11 columns. */
const char *progress_left(uint64_t milliseconds, char *text, size_t size);
