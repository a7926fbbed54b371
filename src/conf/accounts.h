/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The user that an app runs as, out of the user database. */
#pragma once

#include "base/error.h"
#include "model/service.h"

#include <sys/types.h>

struct account {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* supplementary; owned */
    size_t group_count;
    char *home, *shell; /* NULL where systemd sets none: "/", nologin; owned */
};

void account_clear(struct account *account);
#define CLEANUP_ACCOUNT __attribute__((cleanup(account_clear)))

/*
 * Looks [app] user and group up. Root is only what is spelled root: an account of uid 0 by another name, a number, or
 * the ids that mean "none" are refused. The error begins with "[app] user: " or "[app] group: ".
 */
int account_find(const struct service *service, struct account *account, struct error *err);
