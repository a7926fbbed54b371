/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What running processes have loaded: the ELF files in /proc/PID/maps that are mapped to be executed, read through
 * /proc/PID/root, because the processes may see other files under these names than we do. */
#include "digest/digest.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { LIBRARIES_MAX = 4096 };

#define REPLACED " (deleted)"

struct library {
    char *told, *opened; /* opened NULL: it was replaced since it was loaded */
};

struct libraries {
    struct digest *digest;
    const char *release; /* directory, or "" */
    struct library items[LIBRARIES_MAX];
    size_t count;
};

/* The path of a line of maps whose file is mapped to be executed, else NULL. Its newlines are "\012" there. */
static char *mapped_path(char *line)
{
    char permissions[5];
    int at = 0;
    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "%*s %4s %*s %*s %*s %n", permissions, &at) < 1 || at == 0 || !strchr(permissions, 'x'))
        return NULL;
    char *path = line + at;
    bool file = path[0] == '/' && !text_starts_with(path, "/memfd:") && !text_starts_with(path, "/SYSV") &&
                !text_starts_with(path, "/dev/");
    return file ? path : NULL;
}

/* Cuts the mark off. */
static bool was_replaced(char *path)
{
    size_t length = strlen(path), mark = strlen(REPLACED);
    if (length <= mark || strcmp(path + length - mark, REPLACED) != 0)
        return false;
    path[length - mark] = '\0';
    return true;
}

static bool in_release(const struct libraries *libraries, const char *path)
{
    size_t length = strlen(libraries->release);
    return length > 0 && strncmp(path, libraries->release, length) == 0 && path[length] == '/';
}

static struct library *find(struct libraries *libraries, const char *told)
{
    for (size_t i = 0; i < libraries->count; i++) {
        if (strcmp(libraries->items[i].told, told) == 0)
            return &libraries->items[i];
    }
    return NULL;
}

static void note(struct libraries *libraries, const char *pid, char *path)
{
    char told[DIGEST_PATH_MAX + 1] = "", opened[PATH_MAX + 64];
    bool replaced = was_replaced(path);
    bool own = in_release(libraries, path);
    if (own)
        text_copy(told, sizeof told, DIGEST_RELEASE);
    if (!digest_encode(own ? path + strlen(libraries->release) : path, told, sizeof told)) {
        libraries->digest->over = ENAMETOOLONG;
        return;
    }
    struct library *known = find(libraries, told);
    if (known && replaced) { /* one process has the old one: that is worth telling */
        free(known->opened);
        known->opened = NULL;
    }
    if (known)
        return;
    if (libraries->count == LIBRARIES_MAX) {
        libraries->digest->over = EOVERFLOW;
        return;
    }
    snprintf(opened, sizeof opened, "/proc/%s/root%s", pid, path);
    struct library library = {.told = strdup(told), .opened = replaced ? NULL : strdup(opened)};
    if (!library.told || (!replaced && !library.opened)) {
        free(library.told);
        free(library.opened);
        libraries->digest->over = ENOMEM;
        return;
    }
    libraries->items[libraries->count++] = library;
}

/* A process that has ended meanwhile has loaded nothing. */
static void read_maps(struct libraries *libraries, const char *pid)
{
    char path[64], line[PATH_MAX + 128];
    snprintf(path, sizeof path, "/proc/%.20s/maps", pid);
    CLEANUP_FILE FILE *maps = fopen(path, "re");
    if (!maps) {
        if (errno != ENOENT && errno != ESRCH)
            libraries->digest->over = errno;
        return;
    }
    while (digest_go_on(libraries->digest) && fgets(line, sizeof line, maps)) {
        char *mapped = mapped_path(line);
        if (mapped)
            note(libraries, pid, mapped);
    }
}

static bool is_elf(int fd)
{
    char magic[4];
    return pread(fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic && memcmp(magic, "\177ELF", 4) == 0;
}

static void tell(struct digest *digest, const struct library *library)
{
    struct stat found;
    struct digest_message message = {.type = 'f', .error = library->opened ? 0 : ESTALE};
    CLEANUP_FD int fd = -1;
    text_copy(message.path, sizeof message.path, library->told);
    if (library->opened) {
        fd = open(library->opened, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &found) < 0)
            message.error = errno;
        else if (!S_ISREG(found.st_mode) || !is_elf(fd))
            return;
        else
            digest_sum_file(digest, fd, &message);
    }
    digest_report(digest, &message);
}

static int by_order(const void *a, const void *b)
{
    return digest_order(((const struct library *)a)->told, ((const struct library *)b)->told);
}

void digest_libraries(struct digest *digest, const char *release_directory, char *const pids[])
{
    struct libraries *libraries = calloc(1, sizeof *libraries);
    if (!libraries) {
        digest->over = ENOMEM;
        return;
    }
    libraries->digest = digest;
    libraries->release = release_directory;
    for (size_t i = 0; pids[i] && !digest->over; i++)
        read_maps(libraries, pids[i]);
    qsort(libraries->items, libraries->count, sizeof *libraries->items, by_order);
    for (size_t i = 0; i < libraries->count && digest_go_on(digest); i++)
        tell(digest, &libraries->items[i]);
    for (size_t i = 0; i < libraries->count; i++) {
        free(libraries->items[i].told);
        free(libraries->items[i].opened);
    }
    free(libraries);
}
