/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories that an app keeps its state in. */
#include "zone/files.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new directory gets its owner under this name, and its own name then: one that is there is ready. */
static const char unfinished[] = ".bluegreen-new";

static int open_directory(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* What O_DIRECTORY says of a link is that it is no directory. */
    struct stat about;
    if (fd < 0 && errno == ENOTDIR && fstatat(parent, name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(about.st_mode))
        errno = ELOOP;
    return fd;
}

static int make_directory(int parent, const char *name, mode_t mode, uid_t uid, gid_t gid)
{
    if (unlinkat(parent, unfinished, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return -1;
    if (mkdirat(parent, unfinished, 0700) < 0)
        return -1;
    CLEANUP_FD int fd = open_directory(parent, unfinished);
    if (fd < 0 || fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0 ||
        renameat2(parent, unfinished, parent, name, RENAME_NOREPLACE) < 0) {
        int code = errno;
        unlinkat(parent, unfinished, AT_REMOVEDIR);
        errno = code;
        return -1;
    }
    return steal_fd(&fd);
}

static int explain(int code, const char *what, const char *path, struct error *err)
{
    error_errno(err, code, "make %s %s", what, path);
    if (code == ELOOP)
        return error_suffix(
            err,
            "; a part of it is a symbolic link, which is not followed: see who made it, and name the place you mean "
            "in [files] state");
    if (code == ENOTDIR)
        return error_suffix(err, "; a part of it is no directory: see [files] state");
    return error_suffix(err, "; make it by hand, or change [files] state");
}

/* --- where the state is --------------------------------------------------------------------------- */

static int make_path(const char *path, uid_t uid, gid_t gid, struct error *err)
{
    static const char what[] = "the state directory";
    char copy[PATH_MAX], *rest = NULL;
    if (!text_copy(copy, sizeof copy, path))
        return explain(ENAMETOOLONG, what, path, err);
    CLEANUP_FD int at = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (char *name = strtok_r(copy, "/", &rest); name && at >= 0;) {
        char *next = strtok_r(NULL, "/", &rest);
        int below = open_directory(at, name);
        if (below < 0 && errno == ENOENT)
            below = next ? make_directory(at, name, 0755, 0, 0) : make_directory(at, name, 0750, uid, gid);
        int code = errno;
        close_fd(&at);
        at = below;
        errno = code;
        name = next;
    }
    return at < 0 ? explain(errno, what, path, err) : 0;
}

/* --- where the app sees it ------------------------------------------------------------------------ */

static const struct view_file *deepest_above(const struct view_file *files, size_t count, const char *path)
{
    const struct view_file *deepest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (path_is_in(path, files[i].target) && strcmp(path, files[i].target) != 0 &&
            (!deepest || strlen(files[i].target) > strlen(deepest->target)))
            deepest = &files[i];
    }
    return deepest;
}

/* The last part only: a mistake must not leave a trail of directories. */
static int make_last(const char *path)
{
    char copy[PATH_MAX], *rest = NULL;
    if (!text_copy(copy, sizeof copy, path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    CLEANUP_FD int at = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (char *name = strtok_r(copy, "/", &rest); name && at >= 0;) {
        char *next = strtok_r(NULL, "/", &rest);
        int below = open_directory(at, name);
        if (below < 0 && errno == ENOENT && !next)
            below = make_directory(at, name, 0755, 0, 0);
        int code = errno;
        close_fd(&at);
        at = below;
        errno = code;
        name = next;
    }
    return at < 0 ? -1 : 0;
}

/* What the app has for itself instead of the host's is new each time, and gets what is missing from the shim. Elsewhere
 * the place belongs to the host, or to the directory of the host that another rule shows there. */
static int make_place(const struct view_file *file, const struct view_file *files, size_t count,
                      const struct sandbox *sandbox, struct error *err)
{
    char place[PATH_MAX];
    const struct view_file *above = deepest_above(files, count, file->target);
    if (above ? above->access == FILE_HIDE : view_covers(sandbox, file->target))
        return 0;
    const char *source = above ? above->source : "", *rest = file->target + (above ? strlen(above->target) : 0);
    if ((size_t)snprintf(place, sizeof place, "%s%s", source, rest) >= sizeof place)
        return explain(ENAMETOOLONG, "the place for state", file->target, err);
    return make_last(place) < 0 ? explain(errno, "the place for state", place, err) : 0;
}

int files_make_state(const struct view_file *files, size_t count, const struct sandbox *sandbox, uid_t uid, gid_t gid,
                     struct error *err)
{
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        if (files[i].access == FILE_STATE)
            result = make_path(files[i].source, uid, gid, err);
    }
    for (size_t i = 0; i < count && result == 0; i++) {
        if (files[i].access == FILE_STATE && strcmp(files[i].source, files[i].target) != 0)
            result = make_place(&files[i], files, count, sandbox, err);
    }
    return result;
}
