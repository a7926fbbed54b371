/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Absolute paths as text. */
#include "model/path.h"

#include <string.h>

static bool has_parent_component(const char *path)
{
    for (const char *at = strstr(path, "/.."); at; at = strstr(at + 1, "/..")) {
        if (at[3] == '/' || at[3] == '\0')
            return true;
    }
    return false;
}

bool path_normalise(char *path)
{
    if (path[0] != '/' || has_parent_component(path))
        return false;
    char *to = path;
    for (const char *from = path; *from;) {
        const char *name = from + strspn(from, "/");
        size_t length = strcspn(name, "/");
        from = name + length;
        if (length == 0 || (length == 1 && *name == '.'))
            continue;
        *to++ = '/';
        memmove(to, name, length);
        to += length;
    }
    if (to == path)
        *to++ = '/';
    *to = '\0';
    return true;
}

bool path_is_in(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    if (length == 1)
        return true;
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

size_t path_parent_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash > path ? (size_t)(slash - path) : 1;
}
