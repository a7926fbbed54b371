/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving privileges away for good. */
#include "os/process.h"

#include "base/cleanup.h"

#include <errno.h>
#include <grp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

static void cleanup_cap(cap_t *capabilities)
{
    if (*capabilities)
        cap_free(*capabilities);
}

static int drop_capabilities(void)
{
    for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; cap++) {
        if (cap_drop_bound(cap) < 0)
            return -errno;
    }
    return 0;
}

int privileges_drop(const struct user_ids *ids, struct error *err)
{
    CLEANUP(cleanup_cap) cap_t none = cap_init();
    if (!none)
        return error_errno(err, errno, "drop privileges");
    int result = drop_capabilities();
    if (result < 0)
        return error_errno(err, -result, "drop the bounding set of capabilities");
    if (setgroups(0, NULL) < 0 || setresgid(ids->gid, ids->gid, ids->gid) < 0 ||
        setresuid(ids->uid, ids->uid, ids->uid) < 0)
        return error_errno(err, errno, "become user %u, group %u", ids->uid, ids->gid);
    if (cap_set_proc(none) < 0)
        return error_errno(err, errno, "drop capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_errno(err, errno, "set no_new_privs");
    return 0;
}
