/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an app sees of the host's files, as a list of steps that the shim performs in a mount namespace of the app's
 * own. Deciding is here, and pure; performing is shim/view.c. Steps are done in their order, a directory before what
 * lies in it, except that every source is opened before the first step, so that what a later step covers can still be
 * shown; and that a tmpfs becomes read-only after the last one, so that later steps find a place in it: what is missing
 * of their targets there is made.
 */
#pragma once

#include "base/error.h"
#include "model/service.h"

enum view_kind {
    VIEW_SEAL = 1, /* every mount below target: no set-user-id, no devices, and read-only with VIEW_READ_ONLY */
    VIEW_TMPFS,    /* an empty file system on target */
    VIEW_BIND,     /* source, with what is mounted below it, on target */
    VIEW_HIDE,     /* target, a file or directory, cannot be read; a missing one is fine */
    VIEW_PROC,     /* a new proc on target */
    VIEW_SYS,      /* a new sysfs on target: the zone's network, and nothing of the host's */
    VIEW_CGROUP,   /* the app's part of cgroup v2 on target; where there is none, nothing */
    VIEW_DEV,      /* the devices of every program, terminals and shared memory on target */
    VIEW_LOCK,     /* target, a file or directory, cannot be written from here on */
    VIEW_KINDS
};

enum {
    VIEW_READ_ONLY = 1 << 0,
    VIEW_OPTIONAL = 1 << 1, /* a missing source or target is fine */
    VIEW_OWNED = 1 << 2,    /* TMPFS: belongs to the app, else to root with mode 755 */
    VIEW_SHARED = 1 << 3,   /* TMPFS: mode 1777 */
    VIEW_DEVICE = 1 << 4,   /* BIND: source is a device that may be used */
    VIEW_NO_EXEC = 1 << 5,  /* BIND and TMPFS: nothing in it can be executed */
    VIEW_FOLLOW = 1 << 6,   /* source and target may lead through symbolic links: they are the system's, not an app's */
    VIEW_FLAGS_END = 1 << 7, /* above all of them */
};

struct view_step {
    uint32_t kind;               /* enum view_kind */
    uint32_t flags;              /* VIEW_* */
    const char *source, *target; /* absolute; "" where there is none */
};

struct view {
    struct view_step *steps;
    size_t count;
    char *texts; /* what source and target point into, when view_build made it; else NULL */
};

void view_clear(struct view *view);
#define CLEANUP_VIEW __attribute__((cleanup(view_clear)))

/* A rule of [files] after substitution. */
struct view_file {
    enum file_access access;
    char *source, *target; /* absolute, normalised: no "//", "/./", "/../" */
    bool automatic;        /* the release and the working directory: shown only where they would be hidden */
};

struct view_request {
    const struct sandbox *sandbox;
    const struct view_file *files;
    size_t file_count;
    const char *const *hidden;       /* what the agent keeps to itself (state, configuration); NULL-terminated */
    const char *resolv_conf, *hosts; /* files that take the place of those in /etc; "" = none */
    bool root;                       /* the app runs as uid 0: files that root may read are hidden too */
    bool cgroup;
};

/* 0, -ENOMEM, or -EINVAL if two rules contradict each other. */
int view_build(const struct view_request *request, struct view *view, struct error *err);
/* True if an app would not see this path with this sandbox unless a rule shows it. path is normalised. The directory
 * that is covered is seen itself, as an empty one: false for "/tmp", true for "/tmp/web". */
bool view_covers(const struct sandbox *sandbox, const char *path);
