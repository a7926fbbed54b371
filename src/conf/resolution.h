/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files that resolve a service. */
#pragma once

#include "conf/accounts.h"
#include "conf/resolve.h"

/* One service, in one zone. Without a release, what depends on it is passed over. */
struct resolution {
    const struct service *service;
    const char *release; /* NULL: none is known yet */
    enum colour zone;
    const struct account *account; /* NULL: it could not be found */
    struct resolved *resolved;     /* files are sorted, so that what is in a directory comes behind it */
    struct words *problems;        /* NULL: the first problem ends it; else they are collected, each once */
    const char *file;              /* for problems */
    size_t problem_count;
};

/* True if it is over: a failure, and problems are not collected. */
bool resolution_failed(struct resolution *resolution, int result, struct error *err);

/* Substitutes into a path and normalises it. *path is NULL, and 0 returned, if it depends on a release that is not
 * known. */
int resolve_path(const struct resolution *resolution, const char *text, char **path, struct error *err);

/* Is path there, and of this kind: S_IFDIR, or S_IFREG with `executable` as it is asked for? */
int host_path_check(const char *path, const char *release, mode_t kind, bool executable, struct error *err);

/* -ELOOP if a part of path is a symbolic link: whoever may write there could point it elsewhere. */
int host_path_refuse_links(const char *path, struct error *err);
/*
 * Where path leads to, the caller's. Links are followed as far as the account could not have made them: -ELOOP where it
 * may write a directory on the way to one. -ENOENT and such where there is nothing.
 */
int host_path_follow(const struct account *account, const char *path, char **real, struct error *err);

int resolve_environment(const struct resolution *resolution, const struct account *account, struct error *err);
/* Of a command that runs on the host before there is a zone, in this directory. */
int resolve_environment_outside(const struct resolution *resolution, const struct account *account,
                                const char *directory, struct error *err);
/* Reads [app] env_file; nothing of it is kept. */
int resolve_environment_file(const struct resolution *resolution, struct error *err);

/* [files] and [sandbox] devices, and what the app needs to see of its own: the release and the working directory. */
int resolve_files(struct resolution *resolution, struct error *err);
/* Is path, as the app would call it, there, of this kind, and seen by the app? After resolve_files. */
int resolve_seen(const struct resolution *resolution, const char *path, mode_t kind, struct error *err);
/* Of "/srv/%r/bin/server" the directory that is the release: "/srv/%r". The caller's; NULL if there is no %r. */
int resolve_release_part(const char *executable, char **part, struct error *err);
