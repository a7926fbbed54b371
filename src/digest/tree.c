/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory with all that is in it, in the order of the paths. No symbolic link is followed, no other file system
 * entered, and nothing but regular files and directories is opened: a FIFO or a device would make us wait. */
#include "digest/digest.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct walk {
    struct digest *digest;
    dev_t device;
    struct digest_message message; /* its path grows and shrinks with the way down */
};

struct name {
    char *real, *told;
};

struct names {
    struct name *items;
    size_t count;
};

static void names_clear(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->items[i].real);
        free(names->items[i].told);
    }
    free(names->items);
}

static int by_told(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->told, ((const struct name *)b)->told);
}

static int add_name(struct names *names, const char *real)
{
    char told[4 * NAME_MAX + 1] = "";
    struct name *items = reallocarray(names->items, names->count + 1, sizeof *items);
    if (!items)
        return -ENOMEM;
    names->items = items;
    if (!digest_encode(real, told, sizeof told))
        return -ENAMETOOLONG;
    struct name name = {.real = strdup(real), .told = strdup(told)};
    if (!name.real || !name.told) {
        free(name.real);
        free(name.told);
        return -ENOMEM;
    }
    items[names->count++] = name;
    return 0;
}

/* Sorted. More than can be told are not even read: the order would be wrong. */
static int read_names(struct walk *walk, DIR *dir, struct names *names)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry && errno)
            return -errno;
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (names->count >= DIGEST_FILES_MAX) {
            walk->digest->over = EOVERFLOW;
            return -EOVERFLOW;
        }
        int result = add_name(names, entry->d_name);
        if (result < 0)
            return result;
        if (!digest_go_on(walk->digest))
            return -walk->digest->over;
    }
    if (names->count > 1)
        qsort(names->items, names->count, sizeof *names->items, by_told);
    return 0;
}

/* --- one entry ------------------------------------------------------------------------------------ */

static void read_file(struct walk *walk, int directory, const char *name)
{
    struct stat found;
    CLEANUP_FD int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &found) < 0)
        walk->message.error = errno;
    else if (!S_ISREG(found.st_mode)) /* changed in this very moment */
        walk->message.error = ESTALE;
    else
        digest_sum_file(walk->digest, fd, &walk->message);
}

static void read_link(struct walk *walk, int directory, const char *name)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(directory, name, target, sizeof target);
    walk->message.mode = 0;
    if (length < 0)
        walk->message.error = errno;
    else
        digest_sum_text(target, (size_t)length, &walk->message);
}

static uint8_t type_of(const struct walk *walk, const struct stat *found)
{
    if (found->st_dev != walk->device)
        return 'm';
    return S_ISREG(found->st_mode) ? 'f' : S_ISDIR(found->st_mode) ? 'd' : S_ISLNK(found->st_mode) ? 'l' : 'o';
}

/* Forgets what was said of the one before. */
static void clear(struct digest_message *message)
{
    message->type = 'o';
    message->mode = 0;
    message->error = 0;
    message->size = 0;
    memset(message->sum, 0, sizeof message->sum);
}

static void walk_directory(struct walk *walk, int parent, const char *name, unsigned depth);

/* path is complete. */
static void walk_entry(struct walk *walk, int directory, const char *name, unsigned depth)
{
    struct stat found;
    struct digest_message *message = &walk->message;
    clear(message);
    if (fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) < 0) {
        message->error = errno;
        digest_report(walk->digest, message);
        return;
    }
    message->type = type_of(walk, &found);
    message->mode = (uint16_t)(found.st_mode & 07777);
    if (message->type == 'd') {
        walk_directory(walk, directory, name, depth + 1);
        return;
    }
    if (message->type == 'f')
        read_file(walk, directory, name);
    else if (message->type == 'l')
        read_link(walk, directory, name);
    digest_report(walk->digest, message);
}

static void walk_names(struct walk *walk, int directory, const struct names *names, unsigned depth)
{
    char *path = walk->message.path;
    size_t length = strlen(path), room = sizeof walk->message.path - length;
    for (size_t i = 0; i < names->count && !walk->digest->over; i++) {
        int added = snprintf(path + length, room, "%s%s", length > 0 ? "/" : "", names->items[i].told);
        if (added >= 0 && (size_t)added < room)
            walk_entry(walk, directory, names->items[i].real, depth);
        else
            walk->digest->over = ENAMETOOLONG;
        path[length] = '\0';
    }
}

/* Reports it, and goes down. The top, whose path is "", is not reported. */
static void walk_directory(struct walk *walk, int parent, const char *name, unsigned depth)
{
    CLEANUP(names_clear) struct names names = {0};
    int flags = O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC | (depth ? O_NOFOLLOW : 0);
    CLEANUP_FD int fd = openat(parent, name, flags);
    int directory = fd;
    CLEANUP_DIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int result = !dir ? -errno : depth > DIGEST_DEPTH_MAX ? -ELOOP : read_names(walk, dir, &names);
    if (dir)
        steal_fd(&fd); /* dir has it */
    walk->message.error = -result;
    if (depth == 0 && result < 0 && !walk->digest->over)
        walk->digest->over = -result;
    if (depth > 0 && !digest_report(walk->digest, &walk->message))
        return;
    if (result == 0)
        walk_names(walk, directory, &names, depth);
}

void digest_tree(struct digest *digest, const char *directory)
{
    struct stat top;
    struct walk walk = {.digest = digest};
    if (stat(directory, &top) < 0) {
        digest->over = errno;
        return;
    }
    walk.device = top.st_dev;
    walk_directory(&walk, AT_FDCWD, directory, 0);
}
