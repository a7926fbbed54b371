/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Laying out what an app sees (model/view.h), in a mount namespace of its own that nobody else uses yet. Apart from
 * sandbox.c because it is the only part that touches mounts. Nothing is undone on failure: the process ends, and its
 * namespace with it.
 */
#pragma once

#include "model/view.h"

#include <stdint.h>
#include <sys/types.h>

enum { VIEW_NODES = 6 };

/* A tmpfs that we made. */
struct view_area {
    int mount;
    const char *target; /* of the step that made it */
    uint64_t id;        /* of the mount, as statx(2) tells it */
    bool read_only;     /* once everything has its place */
};

struct view_work {
    const struct view *view;
    uid_t uid; /* the app's, for what is VIEW_OWNED */
    gid_t gid;
    int *sources;   /* for each step a detached mount, or -1 */
    char **targets; /* for each step where its target really is, or NULL: as it says */
    int nodes[VIEW_NODES];
    struct view_area *areas;
    size_t area_count;
    int nothing;        /* a mount with "directory" and "file", which nobody can open; or -1 */
    const char *object; /* after a failure: the path it was about */
};

/* Both are for a process that is about to execute: what they allocate and open is released by that. -1 with errno. */
int view_open(struct view_work *work, const struct view *view, uid_t uid, gid_t gid);
int view_lay_out(struct view_work *work);
