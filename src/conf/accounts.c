/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The user that an app runs as, out of the user database. */
#include "conf/accounts.h"

#include "base/cleanup.h"
#include "conf/keys.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRY_MAX = 1 << 20, GROUPS_MAX = 65536 }; /* NGROUPS_MAX */

void account_clear(struct account *account)
{
    free(account->groups);
    free(account->home);
    free(account->shell);
    *account = (struct account){0};
}

typedef int lookup_callback(const char *name, void *entry, char *buffer, size_t size, bool *found);

/* With larger buffers until the entry fits. Returns an errno; *buffer is the caller's, also after an error. */
static int look_up(lookup_callback *lookup, const char *name, void *entry, char **buffer, bool *found)
{
    for (size_t size = 4096; size <= ENTRY_MAX; size *= 2) {
        free(*buffer);
        *buffer = malloc(size);
        if (!*buffer)
            return ENOMEM;
        int failure = lookup(name, entry, *buffer, size, found);
        if (failure != ERANGE)
            return failure;
    }
    return ERANGE;
}

/* Who is not found because the data base could not be read is told as not there; errno knows better. */
static int failure_of(int failure, bool found)
{
    bool want = errno == ENOMEM || errno == EMFILE || errno == ENFILE;
    return !found && failure != ERANGE && want ? errno : failure;
}

static int look_up_user(const char *name, void *entry, char *buffer, size_t size, bool *found)
{
    struct passwd *result = NULL;
    errno = 0;
    int failure = getpwnam_r(name, entry, buffer, size, &result);
    *found = result != NULL;
    return failure_of(failure, *found);
}

static int look_up_group(const char *name, void *entry, char *buffer, size_t size, bool *found)
{
    struct group *result = NULL;
    errno = 0;
    int failure = getgrnam_r(name, entry, buffer, size, &result);
    *found = result != NULL;
    return failure_of(failure, *found);
}

/* -1 means "leave as it is" to setresuid(2), and 65535 is the same in 16 bits. */
static bool id_usable(unsigned id)
{
    return id != 0xffffffffu && id != 0xffffu;
}

static bool is_nologin(const char *shell)
{
    const char *slash = strrchr(shell, '/'), *base = slash ? slash + 1 : shell;
    return !*base || strcmp(base, "nologin") == 0 || strcmp(base, "false") == 0;
}

static int copy_home_and_shell(const struct passwd *entry, struct account *account)
{
    bool home = entry->pw_dir[0] == '/' && entry->pw_dir[1], shell = !is_nologin(entry->pw_shell);
    account->home = home ? strdup(entry->pw_dir) : NULL;
    account->shell = shell ? strdup(entry->pw_shell) : NULL;
    return (home && !account->home) || (shell && !account->shell) ? -ENOMEM : 0;
}

static int find_user(const char *name, struct account *account, struct error *err)
{
    CLEANUP_FREE char *buffer = NULL;
    struct passwd entry;
    bool found = false;
    char checked[USER_NAME_MAX + 1];
    int result = key_account(name, checked, sizeof checked, err);
    if (result < 0)
        return result;
    int failure = look_up(look_up_user, name, &entry, &buffer, &found);
    if (!found && (failure == 0 || failure == ENOENT || failure == ESRCH))
        return error_set(err, ENOENT, "there is no user %s; make it with \"useradd --system %s\" or name another", name,
                         name);
    if (failure != 0)
        return error_errno(err, failure, "look up the user %s", name);
    if (entry.pw_uid == 0 && strcmp(name, "root") != 0)
        return error_set(err, EPERM, "%s is root by another name; name an ordinary user", name);
    if (!id_usable(entry.pw_uid) || !id_usable(entry.pw_gid))
        return error_set(err, EINVAL, "%s has a user or group id that means no one", name);
    account->uid = entry.pw_uid;
    account->gid = entry.pw_gid;
    result = copy_home_and_shell(&entry, account);
    return result < 0 ? error_errno(err, ENOMEM, "look up the user %s", name) : 0;
}

static int find_group(const char *name, struct account *account, struct error *err)
{
    CLEANUP_FREE char *buffer = NULL;
    struct group entry;
    bool found = false;
    char checked[USER_NAME_MAX + 1];
    int result = key_account(name, checked, sizeof checked, err);
    if (result < 0)
        return result;
    int failure = look_up(look_up_group, name, &entry, &buffer, &found);
    if (!found && (failure == 0 || failure == ENOENT || failure == ESRCH))
        return error_set(err, ENOENT, "there is no group %s; make it with \"groupadd --system %s\" or name another",
                         name, name);
    if (failure != 0)
        return error_errno(err, failure, "look up the group %s", name);
    if (entry.gr_gid == 0 && strcmp(name, "root") != 0)
        return error_set(err, EPERM, "%s is the group root by another name; name another group", name);
    if (!id_usable(entry.gr_gid))
        return error_set(err, EINVAL, "%s has a group id that means no group", name);
    account->gid = entry.gr_gid;
    return 0;
}

static int find_groups(const char *user, struct account *account, struct error *err)
{
    int count = 32;
    for (;;) {
        gid_t *groups = reallocarray(account->groups, (size_t)count, sizeof *groups);
        if (!groups)
            return error_errno(err, ENOMEM, "look up the groups of %s", user);
        account->groups = groups;
        int room = count;
        if (getgrouplist(user, account->gid, groups, &count) >= 0)
            break;
        if (count <= room)
            count = room * 2;
        if (count > GROUPS_MAX)
            return error_set(err, ERANGE, "%s is in more than %d groups", user, GROUPS_MAX);
    }
    account->group_count = (size_t)count;
    return 0;
}

int account_find(const struct service *service, struct account *account, struct error *err)
{
    struct error unused = {0};
    err = err ? err : &unused;
    account_clear(account);
    int result = find_user(service->user, account, err);
    if (result == 0 && service->group[0]) {
        result = find_group(service->group, account, err);
        if (result < 0)
            return error_prefix(err, "[app] group");
    } else if (result == 0 && account->gid == 0 && account->uid != 0) {
        result = error_set(err, EPERM, "the primary group of %s is root; name one with \"group =\"", service->user);
    }
    if (result == 0)
        result = find_groups(service->user, account, err);
    return result < 0 ? error_prefix(err, "[app] user") : 0;
}
