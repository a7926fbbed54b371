/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An app's directory of releases, touched with its user's rights. Runs in a child: no log, no stdio, no loop. */
#include "agent/release_work.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FAILED = 1 };

/* --- saying -------------------------------------------------------------------------------------- */

static int say(const struct text *text)
{
    size_t put = 0;
    while (!text->failed && put < text->length) {
        ssize_t written = write(STDOUT_FILENO, text->data + put, text->length - put);
        if (written <= 0)
            return FAILED;
        put += (size_t)written;
    }
    return text->failed ? FAILED : 0;
}

static int fail(const struct error *err)
{
    CLEANUP_TEXT struct text text = {0};
    text_addf(&text, "%s\n", err->text);
    say(&text);
    return FAILED;
}

/* --- the directory ------------------------------------------------------------------------------- */

/* The working directory from now on: nothing is looked for by a path that somebody could turn elsewhere. */
static int enter(const struct release_work *work, struct error *err)
{
    if (chdir(work->directory) == 0)
        return 0;
    if (errno == ENOENT)
        return error_set(err, ENOENT, "%s does not exist; make it, and give it to the app's user", work->directory);
    return error_errno(err, errno, "go to %s", work->directory);
}

/* Who cannot write there needs to know whose it is, and how to change that. */
static int not_writable(const struct release_work *work, const char *what, struct error *err)
{
    struct stat status = {0};
    int cause = errno;
    error_errno(err, cause, "%s in %s", what, work->directory);
    if ((cause == EACCES || cause == EPERM) && stat(".", &status) == 0)
        error_suffix(err,
                     "; it belongs to uid %u, and uid %u, which the app runs as, may not write there: "
                     "\"chown %u:%u %s\" lets it",
                     (unsigned)status.st_uid, (unsigned)geteuid(), (unsigned)geteuid(), (unsigned)getegid(),
                     work->directory);
    return -cause;
}

static uint64_t changed_ms(const struct stat *status)
{
    uint64_t seconds = status->st_mtim.tv_sec > 0 ? (uint64_t)status->st_mtim.tv_sec : 0;
    uint64_t ms = seconds * 1000 + (uint64_t)status->st_mtim.tv_nsec / 1000000;
    return ms < RELEASE_UNIX_MS_MAX ? ms : RELEASE_UNIX_MS_MAX;
}

/* The next entry that is a release or what is left of one, and a directory itself; links to some are not ours. */
static bool next_entry(DIR *directory, struct release_entry *entry, struct stat *status)
{
    for (struct dirent *found; (found = readdir(directory));) {
        *entry = (struct release_entry){0};
        if (!release_entry_parse(found->d_name, &entry->kind, entry->name) ||
            fstatat(dirfd(directory), found->d_name, status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status->st_mode))
            continue;
        entry->unix_ms = changed_ms(status);
        return true;
    }
    return false;
}

int release_work_list(const void *context)
{
    const struct release_work *work = context;
    CLEANUP_TEXT struct text text = {0};
    struct error err = {0};
    struct release_entry entry;
    struct stat status;
    size_t count = 0;
    if (enter(work, &err) < 0)
        return fail(&err);
    CLEANUP_DIR DIR *directory = opendir(".");
    if (!directory) {
        error_errno(&err, errno, "read %s", work->directory);
        return fail(&err);
    }
    while (next_entry(directory, &entry, &status)) {
        if (++count > RELEASES_MAX) {
            error_set(&err, EOVERFLOW, "%s has more than %d releases; remove some", work->directory, RELEASES_MAX);
            return fail(&err);
        }
        releases_format(&entry, &text);
    }
    return say(&text);
}

/* --- removing ------------------------------------------------------------------------------------ */

/* What is in it may be read-only, directories too: it is the user's own all the same. */
static int remove_entry(FTSENT *entry)
{
    switch (entry->fts_info) {
    case FTS_D:
        if ((entry->fts_statp->st_mode & S_IRWXU) != S_IRWXU)
            chmod(entry->fts_accpath, entry->fts_statp->st_mode | S_IRWXU);
        return 0;
    case FTS_DP: return rmdir(entry->fts_accpath) < 0 && errno != ENOENT ? -errno : 0;
    case FTS_DNR:
    case FTS_ERR: return -entry->fts_errno;
    default: return unlink(entry->fts_accpath) < 0 && errno != ENOENT ? -errno : 0;
    }
}

/* Follows no symbolic link, and leaves other file systems alone. */
static int remove_tree(const char *name)
{
    char *const paths[] = {(char *)name, NULL};
    int result = 0;
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_XDEV, NULL);
    if (!tree)
        return -errno;
    for (FTSENT *entry; (entry = fts_read(tree));) {
        int failed = remove_entry(entry);
        if (result == 0 && failed < 0 && failed != -ENOENT)
            result = failed;
    }
    fts_close(tree);
    return result;
}

/* What an interrupted fetch or prune has left. What somebody else has put there is somebody else's to remove. */
static int clear(const struct release_work *work, struct error *err)
{
    struct release_entry entry;
    struct stat status;
    char name[RELEASE_ENTRY_MAX];
    CLEANUP_DIR DIR *directory = opendir(".");
    if (!directory)
        return error_errno(err, errno, "read %s", work->directory);
    while (next_entry(directory, &entry, &status)) {
        if (entry.kind != RELEASE_WHOLE && status.st_uid == geteuid())
            remove_tree(release_entry_name(entry.kind, entry.name, name)); /* what stays is in nobody's way */
    }
    return 0;
}

/* --- fetching ------------------------------------------------------------------------------------ */

int release_work_make(const void *context)
{
    const struct release_work *work = context;
    struct error err = {0};
    struct stat status;
    char name[RELEASE_ENTRY_MAX];
    if (enter(work, &err) < 0)
        return fail(&err);
    if (lstat(work->release, &status) == 0) {
        error_set(&err, EEXIST, "%s/%s exists already; deploy it, or remove it to have it fetched again",
                  work->directory, work->release);
        return fail(&err);
    }
    if (clear(work, &err) < 0)
        return fail(&err);
    release_entry_name(RELEASE_NEW, work->release, name);
    if (mkdir(name, 0755) < 0) {
        not_writable(work, "make a directory for the release", &err);
        return fail(&err);
    }
    return 0;
}

static bool is_empty(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_DIR DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory) {
        close_fd(&copy);
        return false;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return false;
    }
    return true;
}

/* Its time is that of its coming, whatever an archive said of it: the newest are those that came last. */
static int settle(int fd, const char *release, struct error *err)
{
    if (is_empty(fd))
        return error_set(err, ENODATA,
                         "the command left the directory of %s empty; it is to put the release into the directory that "
                         "it is started in",
                         release);
    if (futimens(fd, NULL) < 0 || syncfs(fd) < 0)
        return error_errno(err, errno, "write %s to the disk", release);
    return 0;
}

int release_work_keep(const void *context)
{
    const struct release_work *work = context;
    struct error err = {0};
    char name[RELEASE_ENTRY_MAX];
    if (enter(work, &err) < 0)
        return fail(&err);
    release_entry_name(RELEASE_NEW, work->release, name);
    CLEANUP_FD int fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    CLEANUP_FD int parent = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || parent < 0) {
        error_errno(&err, errno, "open %s/%s, which the release was to be in", work->directory, name);
        return fail(&err);
    }
    if (settle(fd, work->release, &err) < 0)
        return fail(&err);
    if (renameat2(parent, name, parent, work->release, RENAME_NOREPLACE) < 0) {
        error_errno(&err, errno, "rename %s to %s in %s", name, work->release, work->directory);
        return fail(&err);
    }
    if (fsync(parent) < 0) {
        error_errno(&err, errno, "write %s to the disk", work->directory);
        return fail(&err);
    }
    return 0;
}

int release_work_discard(const void *context)
{
    const struct release_work *work = context;
    struct error err = {0};
    char name[RELEASE_ENTRY_MAX];
    if (enter(work, &err) < 0)
        return fail(&err);
    int result = remove_tree(release_entry_name(RELEASE_NEW, work->release, name));
    if (result == 0)
        return 0;
    error_errno(&err, -result, "remove %s/%s", work->directory, name);
    return fail(&err);
}

/* --- pruning ------------------------------------------------------------------------------------- */

static int prune_one(const char *release, bool *gone)
{
    struct stat status;
    char name[RELEASE_ENTRY_MAX];
    *gone = false;
    if (lstat(release, &status) < 0)
        return -errno;
    if (!S_ISDIR(status.st_mode))
        return -ENOTDIR;
    if (status.st_uid != geteuid()) /* half of it could be removed, and no more */
        return -EPERM;
    release_entry_name(RELEASE_OLD, release, name);
    if (renameat2(AT_FDCWD, release, AT_FDCWD, name, RENAME_NOREPLACE) < 0)
        return -errno;
    *gone = true;
    return remove_tree(name);
}

int release_work_prune(const void *context)
{
    const struct release_work *work = context;
    CLEANUP_TEXT struct text text = {0};
    struct error err = {0};
    if (enter(work, &err) < 0 || clear(work, &err) < 0)
        return fail(&err);
    for (size_t i = 0; i < work->doomed->count; i++) {
        const char *release = work->doomed->items[i];
        bool gone;
        int result = prune_one(release, &gone);
        if (result == 0)
            text_addf(&text, "removed %s\n", release);
        else if (gone)
            text_addf(&text, "left %s %s\n", release, strerror(-result));
        else
            text_addf(&text, "kept %s %s\n", release,
                      result == -EPERM ? "it belongs to somebody else than the app's user" : strerror(-result));
    }
    return say(&text);
}
