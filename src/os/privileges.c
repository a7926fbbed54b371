/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving privileges away for good. */
#include "os/process.h"

#include "base/cleanup.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

static void cleanup_cap(cap_t *capabilities)
{
    if (*capabilities)
        cap_free(*capabilities);
}
#define CLEANUP_CAP CLEANUP(cleanup_cap)

static bool is_kept(cap_value_t capability, const int *kept, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (kept[i] == capability)
            return true;
    }
    return false;
}

static int refuse_to_drop(cap_value_t capability, int errnum, struct error *err)
{
    char *name = cap_to_name(capability);
    error_errno(err, errnum, "drop %s from the bounding set", name ? name : "a capability");
    cap_free(name);
    return error_suffix(err, "; giving capabilities up takes CAP_SETPCAP: do not withhold it");
}

static int drop_bounding(const int *kept, size_t count, struct error *err)
{
    for (cap_value_t capability = 0; cap_get_bound(capability) >= 0; capability++) {
        if (is_kept(capability, kept, count) || cap_get_bound(capability) == 0 || cap_drop_bound(capability) == 0)
            continue;
        return refuse_to_drop(capability, errno, err);
    }
    return 0;
}

int privileges_limit(const int *kept, size_t count, struct error *err)
{
    CLEANUP_CAP cap_t now = cap_get_proc();
    CLEANUP_CAP cap_t limited = cap_init();
    if (!now || !limited)
        return error_errno(err, errno, "read this process's capabilities");
    for (size_t i = 0; i < count; i++) {
        cap_flag_value_t have = CAP_CLEAR;
        cap_get_flag(now, kept[i], CAP_PERMITTED, &have);
        cap_set_flag(limited, CAP_PERMITTED, 1, &kept[i], have);
        cap_set_flag(limited, CAP_EFFECTIVE, 1, &kept[i], have);
    }
    int result = drop_bounding(kept, count, err);
    if (result < 0)
        return result;
    return cap_set_proc(limited) < 0 ? error_errno(err, errno, "drop capabilities") : 0;
}

int privileges_set_aside(const int *capabilities, size_t count, struct error *err)
{
    CLEANUP_CAP cap_t now = cap_get_proc();
    if (!now)
        return error_errno(err, errno, "read this process's capabilities");
    for (size_t i = 0; i < count; i++)
        cap_set_flag(now, CAP_EFFECTIVE, 1, &capabilities[i], CAP_CLEAR);
    return cap_set_proc(now) < 0 ? error_errno(err, errno, "set capabilities aside") : 0;
}

int privileges_drop(const struct user_ids *ids, struct error *err)
{
    return privileges_drop_with(ids, NULL, 0, err);
}

int privileges_drop_with(const struct user_ids *ids, const gid_t *groups, size_t group_count, struct error *err)
{
    CLEANUP_CAP cap_t none = cap_init();
    if (!none)
        return error_errno(err, errno, "drop privileges");
    int result = drop_bounding(NULL, 0, err);
    if (result < 0)
        return result;
    if (setgroups(group_count, groups) < 0 || setresgid(ids->gid, ids->gid, ids->gid) < 0 ||
        setresuid(ids->uid, ids->uid, ids->uid) < 0)
        return error_errno(err, errno, "become user %u, group %u", ids->uid, ids->gid);
    if (cap_set_proc(none) < 0)
        return error_errno(err, errno, "drop capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_errno(err, errno, "set no_new_privs");
    return 0;
}
