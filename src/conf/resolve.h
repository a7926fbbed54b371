/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a service and a release to what can be started: everything that only the host can tell. Afterwards neither the
 * name service nor the configuration is needed to start the app.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/service.h"
#include "model/view.h"

#include <sys/types.h>

struct resolved {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* supplementary, as initgroups(3) would set them; owned */
    size_t group_count;
    struct words argv; /* argv[0] is an absolute path to an executable regular file */
    /* NAME=VALUE, each name once: PATH LANG USER LOGNAME HOME SHELL as systemd gives them, below env_file, below
     * environment, below BLUEGREEN_APP, BLUEGREEN_ZONE and BLUEGREEN_RELEASE. */
    struct words environment;
    char *workdir;                         /* absolute, a directory; owned */
    struct words check;                    /* [health] exec; none if there is none */
    struct words processes[PROCESSES_MAX]; /* commands, as service->processes */
    struct words hooks[HOOKS];             /* commands, as service->hooks; none if it is not configured */
    char hook_problem[ERROR_TEXT_MAX];     /* "", or what is wrong with the first that cannot be run */
    /* [files], and the release and the working directory where they would be hidden; sorted by target, so that what is
     * in a directory comes behind it; owned, with their texts. */
    struct view_file *files;
    size_t file_count;
};

void resolved_clear(struct resolved *resolved);
#define CLEANUP_RESOLVED __attribute__((cleanup(resolved_clear)))

/*
 * Fills *resolved (which is cleared first). The error begins with "[section] key: " and says what is missing. -ENOENT:
 * a user, file or release directory that is not there; -EACCES: there, but not to be executed, or not seen by the app.
 * A hook that cannot be run is no failure, only a hook_problem: new releases are refused for it, old ones go on.
 * Reads the user database, so never in a process that must not block.
 */
int service_resolve(const struct service *service, const char *release, enum colour zone, struct resolved *resolved,
                    struct error *err);

/*
 * What brings the release to `directory`, as [releases] fetch has it: the ids, argv and environment of *resolved, which
 * is cleared first. With release NULL the ids only, for what else the app's user has to do there.
 */
int releases_resolve(const struct service *service, const char *release, const char *directory,
                     struct resolved *resolved, struct error *err);

/* What can be checked before there is a release: accounts, and every path without %r. Adds "FILE: [section] key: ..."
 * to problems. 0 or -EINVAL. */
int conf_check_host(const char *file, const struct service *service, struct words *problems);
