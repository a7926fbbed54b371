/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a service and a release to what can be started. */
#include "conf/resolve.h"

#include "base/cleanup.h"
#include "conf/problems.h"
#include "conf/resolution.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PLACE_MAX = PROCESS_NAME_MAX + 32 };

void resolved_clear(struct resolved *resolved)
{
    words_clear(&resolved->argv);
    words_clear(&resolved->environment);
    words_clear(&resolved->check);
    for (size_t i = 0; i < PROCESSES_MAX; i++)
        words_clear(&resolved->processes[i]);
    for (size_t i = 0; i < HOOKS; i++)
        words_clear(&resolved->hooks[i]);
    for (size_t i = 0; i < resolved->file_count; i++) {
        free(resolved->files[i].source);
        free(resolved->files[i].target);
    }
    free(resolved->files);
    free(resolved->groups);
    free(resolved->workdir);
    *resolved = (struct resolved){0};
}

static bool said_already(const struct resolution *resolution, const struct error *err)
{
    CLEANUP_TEXT struct text line = {0};
    text_addf(&line, "%s: %s", resolution->file, err->text);
    for (size_t i = 0; line.data && i < resolution->problems->count; i++) {
        if (strcmp(resolution->problems->items[i], line.data) == 0)
            return true;
    }
    return false;
}

bool resolution_failed(struct resolution *resolution, int result, struct error *err)
{
    if (result >= 0 || !resolution->problems)
        return result < 0;
    struct problems problems = {.file = resolution->file, .list = resolution->problems};
    resolution->problem_count++;
    if (!said_already(resolution, err)) /* both zones have most problems */
        problem_in_file(&problems, "%s", err->text);
    return false;
}

/* --- commands and the directory ----------------------------------------------------------------- */

static int substitute_command(const struct resolution *resolution, const struct words *command, struct words *argv,
                              struct error *err)
{
    for (size_t i = 0; i < command->count; i++) {
        CLEANUP_FREE char *word = NULL;
        int result = service_substitute(command->items[i], resolution->release, resolution->zone, &word, err);
        if (result == 0 && words_add(argv, word) < 0)
            result = error_errno(err, ENOMEM, "build the command");
        if (result < 0)
            return result;
    }
    return 0;
}

/* seen: the executable must be there for the app; else on the host is enough. */
static int resolve_command_of(const struct resolution *resolution, const char *place, const struct words *command,
                              bool seen, struct words *argv, struct error *err)
{
    CLEANUP_FREE char *path = NULL;
    int result = 0;
    if (command->count == 0 && !resolution->release)
        return 0;
    if (command->count == 0)
        result = error_set(err, EINVAL, "the command does not begin with an absolute path");
    if (result == 0 && resolution->release)
        result = substitute_command(resolution, command, argv, err);
    if (result == 0)
        result = resolve_path(resolution, command->items[0], &path, err);
    if (result == 0 && path && seen)
        result = resolve_seen(resolution, path, S_IFREG, err);
    else if (result == 0 && path)
        result = host_path_check(path, resolution->release, S_IFREG, true, err);
    return result < 0 ? error_prefix(err, "%s", place) : 0;
}

static int resolve_command(const struct resolution *resolution, const char *place, const struct words *command,
                           struct words *argv, struct error *err)
{
    return resolve_command_of(resolution, place, command, true, argv, err);
}

/* A hook that is not there is remembered: it refuses a new release, but keeps none that was live from being started
 * again. */
static int resolve_hooks(struct resolution *resolution, struct error *err)
{
    struct resolved *resolved = resolution->resolved;
    for (size_t i = 0; i < HOOKS; i++) {
        const struct hook_rule *hook = &resolution->service->hooks[i];
        if (hook->run.count == 0)
            continue;
        int result = resolve_command_of(resolution, hook_place((enum hook)i), &hook->run, !hook->on_host,
                                        &resolved->hooks[i], err);
        if (resolution->problems)
            resolution_failed(resolution, result, err);
        else if (result == -ENOMEM)
            return result;
        else if (result < 0 && !resolved->hook_problem[0])
            text_copy(resolved->hook_problem, sizeof resolved->hook_problem, err->text);
    }
    return 0;
}

static int resolve_commands(struct resolution *resolution, struct error *err)
{
    const struct service *service = resolution->service;
    struct resolved *resolved = resolution->resolved;
    int result = resolve_command(resolution, "[app] run", &service->run, &resolved->argv, err);
    if (resolution_failed(resolution, result, err))
        return result;
    for (size_t i = 0; i < service->process_count; i++) {
        char place[PLACE_MAX];
        snprintf(place, sizeof place, "[process %s] run", service->processes[i].name);
        result = resolve_command(resolution, place, &service->processes[i].run, &resolved->processes[i], err);
        if (resolution_failed(resolution, result, err))
            return result;
    }
    result = resolve_hooks(resolution, err);
    if (result < 0 || service->health.kind != HEALTH_EXEC)
        return result;
    result = resolve_command(resolution, "[health] exec", &service->health.exec, &resolved->check, err);
    return resolution_failed(resolution, result, err) ? result : 0;
}

static int resolve_workdir(const struct resolution *resolution, struct error *err)
{
    CLEANUP_FREE char *path = NULL;
    const char *workdir = resolution->service->workdir;
    int result = resolve_path(resolution, workdir ? workdir : "/", &path, err);
    if (result == 0 && path)
        result = resolve_seen(resolution, path, S_IFDIR, err);
    if (result < 0)
        return error_prefix(err, "[app] workdir");
    resolution->resolved->workdir = steal_ptr(&path);
    return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int resolve_paths(struct resolution *resolution, struct error *err)
{
    int result = resolve_files(resolution, err);
    if (result == 0)
        result = resolve_commands(resolution, err);
    if (result < 0)
        return result;
    result = resolve_workdir(resolution, err);
    return resolution_failed(resolution, result, err) ? result : 0;
}

/* Whole and with the account's ids, or empty. */
static int resolved_end(struct resolved *resolved, struct account *account, int result)
{
    if (result < 0) {
        resolved_clear(resolved);
        return result;
    }
    resolved->uid = account->uid;
    resolved->gid = account->gid;
    resolved->groups = steal_ptr(&account->groups);
    resolved->group_count = account->group_count;
    return 0;
}

int service_resolve(const struct service *service, const char *release, enum colour zone, struct resolved *resolved,
                    struct error *err)
{
    CLEANUP_ACCOUNT struct account account = {0};
    struct error unused = {0};
    struct resolution resolution = {.service = service, .release = release, .zone = zone, .resolved = resolved};
    err = err ? err : &unused;
    resolved_clear(resolved);
    if (!release_name_valid(release)) /* it becomes part of paths */
        return error_set(err, EINVAL, "\"%.70s\" is not a release's name", release);
    int result = account_find(service, &account, err);
    resolution.account = &account;
    if (result == 0)
        result = resolve_paths(&resolution, err);
    if (result == 0)
        result = resolve_environment(&resolution, &account, err);
    return resolved_end(resolved, &account, result);
}

int releases_resolve(const struct service *service, const char *release, const char *directory,
                     struct resolved *resolved, struct error *err)
{
    CLEANUP_ACCOUNT struct account account = {0};
    struct resolution resolution = {.service = service, .release = release, .resolved = resolved, .account = &account};
    resolved_clear(resolved);
    int result = account_find(service, &account, err);
    if (result == 0 && release)
        result =
            resolve_command_of(&resolution, "[releases] fetch", &service->releases_fetch, false, &resolved->argv, err);
    if (result == 0 && release)
        result = resolve_environment_outside(&resolution, &account, directory, err);
    return resolved_end(resolved, &account, result);
}

/* --- before there is a release ---------------------------------------------------------------- */

static void check_zone(struct resolution *resolution)
{
    CLEANUP_RESOLVED struct resolved resolved = {0};
    struct error err = {0};
    resolution->resolved = &resolved;
    resolve_paths(resolution, &err); /* collects */
    resolution_failed(resolution, resolve_environment_file(resolution, &err), &err);
    resolution->resolved = NULL;
}

static void check_releases(struct resolution *resolution)
{
    CLEANUP_WORDS struct words unused = {0};
    const struct service *service = resolution->service;
    struct error err = {0};
    int result = service->releases_dir ? host_path_check(service->releases_dir, NULL, S_IFDIR, false, &err) : 0;
    if (result < 0)
        result = error_prefix(&err, "[releases] dir");
    resolution_failed(resolution, result, &err);
    resolution_failed(
        resolution, resolve_command_of(resolution, "[releases] fetch", &service->releases_fetch, false, &unused, &err),
        &err);
}

int conf_check_host(const char *file, const struct service *service, struct words *list)
{
    struct resolution resolution = {.service = service, .problems = list, .file = file};
    CLEANUP_ACCOUNT struct account account = {0};
    struct error err = {0};
    int found = account_find(service, &account, &err);
    resolution_failed(&resolution, found, &err);
    resolution.account = found == 0 ? &account : NULL;
    for (int zone = BLUE; zone < COLOURS; zone++) {
        resolution.zone = (enum colour)zone;
        check_zone(&resolution);
    }
    check_releases(&resolution);
    return resolution.problem_count > 0 ? -EINVAL : 0;
}
