/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Controllers of cgroup v2. */
#include "zone/controllers.h"

#include "zone/cgroup.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {"memory", "cpu", "pids", "io"}; /* in the bits' order */
enum { NAMES = sizeof names / sizeof *names };

static unsigned parse(char *content)
{
    unsigned found = 0;
    char *rest = NULL;
    for (char *word = strtok_r(content, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        for (unsigned i = 0; i < NAMES; i++)
            found |= strcmp(word, names[i]) == 0 ? 1u << i : 0;
    }
    return found;
}

static unsigned read_set(const char *path, const char *attribute)
{
    char content[256];
    return cgroup_read(path, attribute, content, sizeof content) ? parse(content) : 0;
}

unsigned controllers_of(const char *path)
{
    return read_set(path, "cgroup.controllers");
}

unsigned controllers_enable(const char *path, unsigned wanted)
{
    unsigned enabled = read_set(path, "cgroup.subtree_control");
    unsigned missing = wanted & controllers_of(path) & ~enabled;
    for (unsigned i = 0; i < NAMES; i++) {
        char word[16];
        snprintf(word, sizeof word, "+%s", names[i]);
        if (missing & 1u << i && cgroup_write(path, "cgroup.subtree_control", word) == 0)
            enabled |= 1u << i;
    }
    return enabled;
}

const char *controllers_text(unsigned controllers, char text[CONTROLLERS_TEXT_MAX])
{
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < NAMES; i++) {
        if (controllers & 1u << i)
            used += (size_t)snprintf(text + used, CONTROLLERS_TEXT_MAX - used, "%s%s", used ? " " : "", names[i]);
    }
    return text;
}
