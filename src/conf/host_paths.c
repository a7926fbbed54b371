/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths of the configuration against the host's files: is it there, and if not, which part of it is missing? */
#include "conf/resolution.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

enum { LINKS_MAX = 40 }; /* as the kernel */

/* The shortest leading part of path that does not exist, in place. */
static void cut_to_missing(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        struct stat status;
        *slash = '\0';
        if (stat(path, &status) < 0)
            return;
        *slash = '/';
    }
}

/* Says which part is missing; the release's own directory is what people forget. */
static int missing(const char *path, const char *release, struct error *err)
{
    CLEANUP_FREE char *part = strdup(path);
    if (!part)
        return error_errno(err, ENOMEM, "look for %s", path);
    cut_to_missing(part);
    const char *slash = strrchr(part, '/');
    if (release && slash && strstr(slash, release))
        return error_set(err, ENOENT, "%s does not exist; put release %s there first, or check its name", part,
                         release);
    return error_set(err, ENOENT, "%s does not exist", part);
}

int host_path_check(const char *path, const char *release, mode_t kind, bool executable, struct error *err)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return errno == ENOENT ? missing(path, release, err) : error_errno(err, errno, "%s", path);
    if (kind && (status.st_mode & S_IFMT) != kind)
        return error_set(err, EINVAL, "%s is not a %s", path, kind == S_IFDIR ? "directory" : "regular file");
    if (executable && !(status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
        return error_set(err, EACCES, "%s is not executable; make it so with \"chmod +x %s\"", path, path);
    return 0;
}

/* --- symbolic links ----------------------------------------------------------------------------- */

int host_path_refuse_links(const char *path, struct error *err)
{
    CLEANUP_FREE char *part = strdup(path);
    if (!part)
        return error_errno(err, ENOMEM, "look at %s", path);
    for (char *end = strchr(part + 1, '/');; end = strchr(end + 1, '/')) {
        struct stat status;
        if (end)
            *end = '\0';
        if (lstat(part, &status) < 0)
            return error_errno(err, errno, "%s", part);
        /* Where it leads is not said: who made it may want just that to be written instead. */
        if (S_ISLNK(status.st_mode))
            return error_set(err, ELOOP,
                             "%s goes through a symbolic link, which is not followed here: %s, made by uid %u; name "
                             "the place that you mean without it",
                             path, part, (unsigned)status.st_uid);
        if (!end)
            return 0;
        *end = '/';
    }
}

static bool is_member(const struct account *account, gid_t gid)
{
    for (size_t i = 0; i < account->group_count; i++) {
        if (account->groups[i] == gid)
            return true;
    }
    return account->gid == gid;
}

/* Could this user put something else in the place of an entry? An access list shows as the group's right. */
static bool can_replace(const struct account *account, const char *directory, const struct stat *entry)
{
    struct stat status;
    if (stat(directory, &status) < 0)
        return true;
    if (account->uid != 0 && status.st_uid == account->uid)
        return true;
    if (status.st_mode & S_ISVTX && entry->st_uid != account->uid)
        return false;
    return status.st_mode & S_IWOTH ||
           (status.st_mode & S_IWGRP &&
            (is_member(account, status.st_gid) || getxattr(directory, "system.posix_acl_access", NULL, 0) > 0));
}

/* On the way along a path. */
struct walk {
    char at[PATH_MAX];   /* as far as it is known, without links; "" = / */
    char rest[PATH_MAX]; /* what is still to be looked at */
    bool theirs;         /* a part of `at` can be replaced by the app's user */
    unsigned links;
};

static void go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
}

static int follow_link(struct walk *walk, const char *link, const char *rest, struct error *err)
{
    char target[PATH_MAX], joined[2 * PATH_MAX];
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length < 0)
        return error_errno(err, errno, "%s", link);
    target[length] = '\0';
    if (walk->theirs)
        return error_set(err, ELOOP,
                         "%s is a symbolic link in a place where the app's user may put another one, so it decides "
                         "nothing about what the app sees; name the place that you mean without it, or let somebody "
                         "else own the directory",
                         link);
    snprintf(joined, sizeof joined, "%s/%s", target, rest);
    if (++walk->links > LINKS_MAX || !text_copy(walk->rest, sizeof walk->rest, joined))
        return error_errno(err, walk->links > LINKS_MAX ? ELOOP : ENAMETOOLONG, "%s", link);
    if (target[0] == '/') {
        walk->at[0] = '\0';
        walk->theirs = false;
    }
    return 0;
}

/* One name further. */
static int step(const struct account *account, struct walk *walk, struct error *err)
{
    char next[PATH_MAX + NAME_MAX + 2], rest[PATH_MAX];
    struct stat status;
    const char *name = walk->rest + strspn(walk->rest, "/");
    size_t length = strcspn(name, "/");
    text_copy(rest, sizeof rest, name + length);
    if (length == 2 && strncmp(name, "..", 2) == 0)
        go_up(walk->at);
    bool stays = length == 0 || (length == 1 && name[0] == '.') || (length == 2 && strncmp(name, "..", 2) == 0);
    if (!stays) {
        snprintf(next, sizeof next, "%s/%.*s", walk->at, (int)length, name);
        if (lstat(next, &status) < 0)
            return error_errno(err, errno, "%s", next);
        walk->theirs |= can_replace(account, walk->at[0] ? walk->at : "/", &status);
        if (S_ISLNK(status.st_mode))
            return follow_link(walk, next, rest, err);
        if (!text_copy(walk->at, sizeof walk->at, next))
            return error_errno(err, ENAMETOOLONG, "%s", next);
    }
    text_copy(walk->rest, sizeof walk->rest, rest);
    return 0;
}

int host_path_follow(const struct account *account, const char *path, char **real, struct error *err)
{
    struct walk walk = {.theirs = false};
    *real = NULL;
    if (!text_copy(walk.rest, sizeof walk.rest, path))
        return error_errno(err, ENAMETOOLONG, "%s", path);
    while (walk.rest[strspn(walk.rest, "/")]) {
        int result = step(account, &walk, err);
        if (result < 0)
            return result;
    }
    *real = strdup(walk.at[0] ? walk.at : "/");
    return *real ? 0 : error_errno(err, ENOMEM, "%s", path);
}

/* --- names from the configuration --------------------------------------------------------------- */

static bool mentions_release(const char *text)
{
    for (const char *c = strchr(text, '%'); c && c[1]; c = strchr(c + 2, '%')) {
        if (c[1] == 'r')
            return true;
    }
    return false;
}

int resolve_path(const struct resolution *resolution, const char *text, char **path, struct error *err)
{
    CLEANUP_FREE char *made = NULL;
    *path = NULL;
    if (!resolution->release && mentions_release(text))
        return 0;
    int result = service_substitute(text, resolution->release ? resolution->release : "", resolution->zone, &made, err);
    if (result < 0)
        return result;
    if (!path_normalise(made))
        return error_set(err, EINVAL, "\"%s\" is not an absolute path, or has a \"..\"", made);
    *path = steal_ptr(&made);
    return 0;
}
