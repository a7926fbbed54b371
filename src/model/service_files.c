/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Contradictions in what an app is shown of the host's files: places that are not to be had, and two rules for one. */
#include "model/service_rules.h"

#include "base/cleanup.h"
#include "model/path.h"

#include <string.h>

/* The path in that zone, normalised, with %r as it stands; NULL if there is none (which is a problem of its own). */
static char *path_in(const char *text, enum colour zone)
{
    char *path = NULL;
    if (service_substitute(text, "%r", zone, &path, NULL) < 0)
        return NULL;
    if (!path_normalise(path)) {
        free(path);
        return NULL;
    }
    return path;
}

/* The agent's own directories, where its command line does not say otherwise: whoever writes there decides what runs as
 * whom. What lies in them may be shown, as far as its owner lets the app's user read it. */
static bool is_agents(const char *path, bool as_a_whole)
{
    static const char *const own[] = {BLUEGREEN_SYSCONFDIR "/bluegreen", BLUEGREEN_STATEDIR "/bluegreen",
                                      BLUEGREEN_RUNDIR "/bluegreen"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (as_a_whole ? strcmp(path, own[i]) == 0 : path_is_in(path, own[i]))
            return true;
    }
    return false;
}

/* What every app has in a form of its own, with the way to more of it. */
static const struct {
    const char *directory, *instead;
} made[] = {{"/proc", "[sandbox] kernel = visible shows more of it"},
            {"/sys", "[sandbox] kernel = visible shows more of it"},
            {"/dev", "name devices in [sandbox] devices"}};

static void check_place(struct findings *findings, const char *place, const char *path, enum file_access access)
{
    if (strcmp(path, "/") == 0)
        found(findings, "%s: \"/\" is the whole system; %s", place,
              access == FILE_HIDE ? "name what is to be hidden"
                                  : "name directories, or write [sandbox] system = writable");
    if (is_agents(path, access == FILE_READ || access == FILE_HIDE))
        found(findings, "%s: %s is the agent's own and never given to an app; name another place", place, path);
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        if (path_is_in(path, made[i].directory))
            found(findings, "%s: %s is in %s, which is made anew for each app; %s", place, path, made[i].directory,
                  made[i].instead);
    }
}

static const char *target_of(const struct file_rule *rule)
{
    return rule->target ? rule->target : rule->source;
}

static void check_rule(const struct file_rule *rule, struct findings *findings)
{
    const char *place = file_rule_place(rule->access, rule->shared);
    CLEANUP_FREE char *source = NULL, *target = NULL;
    if (found_in_path(findings, place, rule->source))
        source = path_in(rule->source, BLUE);
    if (source)
        check_place(findings, place, source, rule->access);
    if (rule->target && found_in_path(findings, place, rule->target))
        target = path_in(rule->target, BLUE);
    if (target && (!source || strcmp(source, target) != 0))
        check_place(findings, place, target, FILE_WRITE);
}

/* In either zone: with %z they can be one in blue and two in green. */
static bool one_place(const struct file_rule *a, const struct file_rule *b)
{
    for (int zone = BLUE; zone < COLOURS; zone++) {
        CLEANUP_FREE char *first = path_in(target_of(a), (enum colour)zone);
        CLEANUP_FREE char *second = path_in(target_of(b), (enum colour)zone);
        if (first && second && strcmp(first, second) == 0)
            return true;
    }
    return false;
}

static void check_pair(const struct file_rule *earlier, const struct file_rule *later, struct findings *findings)
{
    const char *first = file_access_name(earlier->access), *second = file_access_name(later->access);
    if (!one_place(earlier, later))
        return;
    if (earlier->access == later->access)
        found(findings, "[files] %s: %s is named twice; keep one", second, target_of(later));
    else if (earlier->access == FILE_HIDE || later->access == FILE_HIDE)
        found(findings, "[files] %s: %s is to be hidden and to be shown (%s); keep one", second, target_of(later),
              first);
    else
        found(findings, "[files] %s: %s is named in [files] %s too; keep one", second, target_of(later), first);
}

static bool is_always_there(const char *device)
{
    static const char *const there[] = {"/dev/null",  "/dev/zero",   "/dev/full",  "/dev/random", "/dev/urandom",
                                        "/dev/tty",   "/dev/pts",    "/dev/ptmx",  "/dev/shm",    "/dev/fd",
                                        "/dev/stdin", "/dev/stdout", "/dev/stderr"};
    for (size_t i = 0; i < sizeof there / sizeof *there; i++) {
        if (path_is_in(device, there[i]))
            return true;
    }
    return false;
}

static void check_devices(const struct words *devices, struct findings *findings)
{
    for (size_t i = 0; i < devices->count; i++) {
        const char *device = devices->items[i];
        CLEANUP_FREE char *normal = strdup(device);
        if (!normal)
            found(findings, "[sandbox] devices: out of memory");
        else if (!path_normalise(normal) || strcmp(normal, device) != 0 || !text_starts_with(device, "/dev/"))
            found(findings, "[sandbox] devices: \"%s\" is not a path below /dev; write it as in /dev/fuse", device);
        else if (is_always_there(device))
            found(findings, "[sandbox] devices: %s is there for every app; remove it", device);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(device, devices->items[j]) == 0)
                found(findings, "[sandbox] devices: %s is named twice; keep one", device);
        }
    }
}

void check_files(const struct service *service, struct findings *findings)
{
    for (size_t i = 0; i < service->file_count; i++) {
        check_rule(&service->files[i], findings);
        for (size_t j = 0; j < i; j++)
            check_pair(&service->files[j], &service->files[i], findings);
    }
    check_devices(&service->sandbox.devices, findings);
}
