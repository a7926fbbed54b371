/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All apps of a directory, and what two of them must not both claim. */
#include "conf/conf.h"

#include "base/cleanup.h"
#include "conf/problems.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void app_set_clear(struct app_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        service_free(set->services[i]);
    free(set->services);
    *set = (struct app_set){0};
}

#define CLEANUP_APP_SET __attribute__((cleanup(app_set_clear)))

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_app_file(const char *name)
{
    size_t length = strlen(name);
    return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".conf") == 0;
}

/* The directory's NAME.conf, sorted; names without a directory. A missing directory has none. */
static int list_files(const char *dir, struct words *names, struct problems *problems)
{
    CLEANUP_DIR DIR *directory = opendir(dir);
    if (!directory && errno == ENOENT)
        return 0;
    if (!directory) {
        problem_in_file(problems, "cannot be read: %s", strerror(errno));
        return -EINVAL;
    }
    struct dirent *entry;
    while ((errno = 0, entry = readdir(directory))) {
        if (is_app_file(entry->d_name) && words_add(names, entry->d_name) < 0) {
            errno = ENOMEM;
            break;
        }
    }
    if (errno != 0) {
        problem_in_file(problems, "cannot be read: %s", strerror(errno));
        return -EINVAL;
    }
    if (names->count > 0)
        qsort(names->items, names->count, sizeof *names->items, compare_words);
    return 0;
}

static int load_one(const char *dir, const char *name, struct app_set *set, struct problems *problems)
{
    CLEANUP_TEXT struct text path = {0};
    text_addf(&path, "%s/%s", dir, name);
    struct service *service = calloc(1, sizeof *service);
    struct service **services = reallocarray(set->services, set->count + 1, sizeof *services);
    if (services)
        set->services = services;
    if (!service || !services || path.failed) {
        free(service);
        problem_in_file(problems, "%s: out of memory", name);
        return -EINVAL;
    }
    if (conf_load_app(path.data, service, problems->list) < 0) {
        free(service);
        return -EINVAL;
    }
    set->services[set->count++] = service;
    return 0;
}

static void report_conflict(const char *dir, const struct service *earlier, const struct port *taken,
                            const struct service *later, const struct port *port, struct words *list)
{
    CLEANUP_TEXT struct text file = {0};
    char listen[PORT_LISTEN_TEXT_MAX], place[PORT_PLACE_MAX], taken_place[PORT_PLACE_MAX];
    text_addf(&file, "%s/%s.conf", dir, later->name);
    struct problems problems = {.file = file.failed ? later->name : file.data, .list = list};
    problem_in_file(&problems,
                    "%s: claims %s/%s, which %s/%s.conf claims too: %s; give one of them another port or address",
                    port_place(later, port, place), port_listen_format(port, listen), protocol_name(port->protocol),
                    dir, earlier->name, port_place(earlier, taken, taken_place));
}

/* True if the two apps claim the same port somewhere. */
static bool check_pair(const char *dir, const struct service *earlier, const struct service *later, struct words *list)
{
    bool conflict = false;
    const struct port *taken, *port;
    for (size_t i = 0; (taken = service_claim(earlier, i)); i++) {
        for (size_t j = 0; (port = service_claim(later, j)); j++) {
            if (!port_conflicts(taken, port))
                continue;
            report_conflict(dir, earlier, taken, later, port, list);
            conflict = true;
        }
    }
    return conflict;
}

static bool check_set(const char *dir, const struct app_set *set, struct words *list)
{
    bool conflict = false;
    for (size_t later = 1; later < set->count; later++) {
        for (size_t earlier = 0; earlier < later; earlier++)
            conflict |= check_pair(dir, set->services[earlier], set->services[later], list);
    }
    return conflict;
}

static int compare_services(const void *a, const void *b)
{
    return strcmp((*(struct service *const *)a)->name, (*(struct service *const *)b)->name);
}

int conf_load_apps(const char *dir, struct app_set *set, struct words *list)
{
    struct problems problems = {.file = dir, .list = list};
    CLEANUP_WORDS struct words names = {0};
    CLEANUP_APP_SET struct app_set loaded = {0};
    *set = (struct app_set){0};
    int result = list_files(dir, &names, &problems);
    for (size_t i = 0; i < names.count; i++) {
        if (load_one(dir, names.items[i], &loaded, &problems) < 0)
            result = -EINVAL;
    }
    if (loaded.count > 0) /* a file's name sorts differently: "a-b.conf" stands before "a.conf" */
        qsort(loaded.services, loaded.count, sizeof(struct service *), compare_services);
    if (check_set(dir, &loaded, list))
        result = -EINVAL;
    if (result < 0)
        return result;
    *set = loaded;
    loaded = (struct app_set){0};
    return 0;
}
