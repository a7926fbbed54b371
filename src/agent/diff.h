/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What diff.c and diff_files.c share: a comparison of an app's zones that somebody waits for. */
#pragma once

#include "agent/digests.h"
#include "agent/parity.h"

enum diff_phase { DIFF_FILES, DIFF_LIBRARIES, DIFF_PHASES };

/* One zone's part, all of it our own: the zone may go meanwhile. */
struct diff_side {
    char *directory; /* of its release, NULL = unknown */
    struct words pids;
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    size_t group_count;
    bool known; /* the ids are */
    struct digest_run *run;
};

struct diff {
    struct list link;
    struct agent *agent;
    char app[APP_NAME_MAX + 1];
    uint64_t client, request;
    uint64_t began_ms, said_ms;
    enum diff_phase phase;
    struct diff_side sides[COLOURS];
    struct loop_timer *timer; /* armed while it goes on by itself */
    unsigned beyond, of_release, unknown;
    unsigned rows, unshown; /* of this phase */
    struct text notes;
};

/* --- diff.c --- */
void diff_send(struct diff *diff, const char *kind, const char *name, const char *blue, const char *green,
               const char *text);
void diff_found(void *context, const struct parity_difference *difference); /* a parity_found of a struct diff */
/* What could not be compared: nobody may take it for the same. */
void diff_unknown(struct diff *diff, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diff_finish(struct diff *diff); /* answers; diff is gone */

/* --- diff_files.c --- */
/* Begins the phase that is next, or ends it all; diff may be gone. */
void diff_next_phase(struct diff *diff);
void diff_go_on(void *context); /* diff's timer, and what a digest has to say */
void diff_drop_runs(struct diff *diff);
