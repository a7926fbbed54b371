/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is done to an app's directory of releases, each in a process of its own with the rights of the app's user
 * (os/command.h): the directory is that user's, who may put symbolic links and anything else there at any moment, so
 * nobody with more rights may walk it. What these functions say goes to their stdout: one line why not, when they
 * return anything but 0.
 */
#pragma once

#include "base/text.h"
#include "model/releases.h"

struct release_work {
    const char *directory;      /* absolute */
    const char *release;        /* fetch */
    const struct words *doomed; /* prune: releases */
};

/* For struct command_spec; the context is a struct release_work. */
int release_work_list(const void *context);    /* says a line of releases_format for each entry */
int release_work_make(const void *context);    /* removes what former ones have left, makes .RELEASE.new */
int release_work_keep(const void *context);    /* .RELEASE.new is whole: onto the disk, and RELEASE from now on */
int release_work_discard(const void *context); /* removes .RELEASE.new */
/* Removes the doomed: first the name, then what is in it, so that none is ever half. Says "removed NAME", "kept NAME
 * WHY" or, where only the name could be removed, "left NAME WHY" for each; 0 whatever of that it was. */
int release_work_prune(const void *context);
