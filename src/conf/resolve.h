/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a service and a release to what can be started: everything that only the host can tell. Afterwards neither the
 * name service nor the configuration is needed to start the app.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/service.h"

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
    char *workdir; /* absolute, a directory; owned */
};

void resolved_clear(struct resolved *resolved);
#define CLEANUP_RESOLVED __attribute__((cleanup(resolved_clear)))

/*
 * Fills *resolved (which is cleared first). The error begins with "[app] KEY: " and says what is missing. -ENOENT:
 * a user, file or release directory that is not there. Reads the user database, so never in a process that must
 * not block.
 */
int service_resolve(const struct service *service, const char *release, enum colour zone, struct resolved *resolved,
                    struct error *err);

/* What can be checked before there is a release: accounts, and every path without %r. Adds "FILE: [app] KEY: ..." to
 * problems. 0 or -EINVAL. */
int conf_check_host(const char *file, const struct service *service, struct words *problems);
