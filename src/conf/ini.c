/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one place that knows iniparser. */
#include "conf/ini.h"

#include "base/cleanup.h"
#include "os/files.h"

#include <errno.h>
#include <iniparser.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* What iniparser would print is said by the scan, with the section and the key. */
static int say_nothing(const char *format, ...)
{
    return 0;
}

static void free_dictionary(dictionary **loaded)
{
    if (*loaded)
        iniparser_freedict(*loaded);
}

/* It goes on without memory where it should not (4.1 and 4.2: dictionary_new()), and would take the agent with it. So
 * more than it ever needs is asked for and given back, where it can be said that there is none. */
static bool has_memory(size_t length)
{
    enum { ROOM = 64 << 10, TIMES = 8 };
    void *volatile room = malloc(ROOM + TIMES * length);
    free(room);
    return room != NULL;
}

/* 4.1 reads only named files: give it the very bytes that were scanned, by a name that nobody else can change. NULL:
 * errno says why. */
static dictionary *load(const char *content, size_t length)
{
    char path[32];
    if (!has_memory(length))
        return NULL;
    CLEANUP_FD int fd = memfd_create("configuration", MFD_CLOEXEC);
    int result = fd < 0 ? -errno : file_write_all(fd, content, length);
    if (result < 0) {
        errno = -result;
        return NULL;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    iniparser_set_error_callback(say_nothing);
    errno = 0;
    return iniparser_load(path);
}

/* The scan knows what iniparser should say; a difference means a version that reads files in another way. */
static void compare(const dictionary *loaded, const struct scan_entry *entry, struct problems *problems)
{
    char name[256];
    snprintf(name, sizeof name, "%s:%s", entry->section, entry->key);
    const char *value = iniparser_getstring(loaded, name, NULL);
    if (!value)
        problem_at_key(problems, entry->section, entry->key,
                       "iniparser did not take the value: %s, or a version that reads files in another way",
                       strerror(ENOMEM)); /* it says nothing of that */
    else if (strcmp(value, entry->value) != 0)
        problem_at_key(problems, entry->section, entry->key,
                       "this version of iniparser reads the value as \"%.60s\"; write it without "
                       "quotes and backslashes",
                       value);
}

int ini_load(const char *content, size_t length, struct scan *scan, struct problems *problems)
{
    size_t before = problems->count;
    if (scan_content(content, length, scan, problems) < 0)
        problem_in_file(problems, "out of memory");
    if (problems->count > before)
        return -EINVAL;
    dictionary *loaded __attribute__((cleanup(free_dictionary))) = load(content, length);
    if (!loaded) {
        problem_in_file(problems, "iniparser cannot load it: %s (is /proc mounted?)", strerror(errno ? errno : EIO));
        return -EINVAL;
    }
    for (size_t i = 0; i < scan->entry_count; i++)
        compare(loaded, &scan->entries[i], problems);
    return problems->count > before ? -EINVAL : 0;
}
