/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an app sees of the host's files: the rules of [files], what is shown without one, and whether that suffices. */
#include "conf/resolution.h"

#include "base/cleanup.h"
#include "model/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The deepest rule for something that path is in, or, unless `above`, for path itself. NULL: none. */
static const struct view_file *deepest_rule(const struct resolved *resolved, const char *path, bool above)
{
    const struct view_file *deepest = NULL;
    for (size_t i = 0; i < resolved->file_count; i++) {
        const struct view_file *file = &resolved->files[i];
        if (path_is_in(path, file->target) && !(above && strcmp(path, file->target) == 0) &&
            (!deepest || strlen(file->target) > strlen(deepest->target)))
            deepest = file;
    }
    return deepest;
}

/* The rule that decides about a path in the zone. */
static const struct view_file *deciding(const struct resolved *resolved, const char *path)
{
    return deepest_rule(resolved, path, false);
}

/* The path on the host of what the app calls so, where this rule shows it. The caller's; NULL: no memory. */
static char *on_host(const struct view_file *rule, const char *path)
{
    CLEANUP_TEXT struct text host = {0};
    if (!rule)
        return strdup(path);
    text_addf(&host, "%s%s", rule->source, path + strlen(rule->target));
    if (host.failed)
        return NULL;
    char *made = host.data;
    host = (struct text){0};
    return made;
}

/* An app has its own, so it sees that, and is not shown the host's. */
static bool is_hidden(const struct resolution *resolution, const char *path)
{
    return strcmp(path, "/dev/shm") != 0 && view_covers(&resolution->service->sandbox, path);
}

static int add_file(struct resolved *resolved, enum file_access access, char **source, char **target, bool automatic,
                    struct error *err)
{
    struct view_file *files = reallocarray(resolved->files, resolved->file_count + 1, sizeof *files);
    if (!files)
        return error_errno(err, ENOMEM, "list the files that the app sees");
    resolved->files = files;
    files[resolved->file_count++] = (struct view_file){
        .access = access, .source = steal_ptr(source), .target = steal_ptr(target), .automatic = automatic};
    return 0;
}

/* --- [files] ---------------------------------------------------------------------------------- */

/* The directory for state, or the place to show it in, will be made, if there is one to make it in. */
static int check_parent(const struct resolved *resolved, const char *path, struct error *err)
{
    CLEANUP_FREE char *parent = strndup(path, path_parent_length(path));
    if (!parent)
        return error_errno(err, ENOMEM, "look for %s", path);
    for (size_t i = 0; i < resolved->file_count; i++) {
        const struct view_file *file = &resolved->files[i];
        if (file->access == FILE_STATE && file->source && strcmp(file->source, parent) == 0)
            return 0;
    }
    int result = host_path_check(parent, NULL, S_IFDIR, false, err);
    if (result < 0)
        return error_suffix(err, "; %s would be made in it: make it first, or name another directory", path);
    return host_path_refuse_links(parent, err);
}

static int check_source(const struct resolution *resolution, const struct file_rule *rule, const char *path,
                        struct error *err)
{
    struct stat status;
    enum file_access access = rule->access;
    bool directory = access == FILE_STATE || rule->shared;
    if (access == FILE_HIDE)
        return 0;
    if (access == FILE_STATE && stat(path, &status) < 0 && errno == ENOENT)
        return check_parent(resolution->resolved, path, err);
    int result = host_path_check(path, resolution->release, directory ? S_IFDIR : 0, false, err);
    return result < 0 ? result : host_path_refuse_links(path, err);
}

static int take_rule(struct resolution *resolution, const struct file_rule *rule, struct error *err)
{
    CLEANUP_FREE char *source = NULL, *target = NULL;
    int result = resolve_path(resolution, rule->source, &source, err);
    if (result == 0)
        result = resolve_path(resolution, rule->target ? rule->target : rule->source, &target, err);
    int wrong = result == 0 && source ? check_source(resolution, rule, source, err) : 0;
    if (wrong < 0 && resolution->problems) /* what is in it says nothing more */
        free(steal_ptr(&source));
    else if (wrong < 0)
        result = wrong;
    if (result == 0 && target)
        result = add_file(resolution->resolved, rule->access, &source, &target, false, err);
    result = result < 0 ? result : wrong;
    return result < 0 ? error_prefix(err, "%s", file_rule_place(rule->access, rule->shared)) : 0;
}

static int compare_kinds(const char *source, const char *target, const char *place, struct error *err)
{
    struct stat from, to;
    bool directory = stat(source, &from) < 0 || S_ISDIR(from.st_mode); /* one of state may not be there yet */
    if (stat(place, &to) < 0 && errno != ENOENT)
        return error_errno(err, errno, "%s", place);
    if (stat(place, &to) < 0)
        return error_set(err, ENOENT,
                         "%s does not exist, so nothing can be shown%s%s; make it (an empty %s will do), or name a "
                         "place that exists",
                         place, strcmp(place, target) == 0 ? " there" : " as ",
                         strcmp(place, target) == 0 ? "" : target, directory ? "directory" : "file");
    if (directory != S_ISDIR(to.st_mode))
        return error_set(err, EINVAL, "one of %s and %s is a directory and the other is not", source, place);
    return 0;
}

/* Mounting needs something to mount on, and neither the system's directories nor what a rule shows is added to. It is
 * made where the app has a directory of its own. */
static int check_target(const struct resolution *resolution, const struct view_file *file, struct error *err)
{
    const struct view_file *above = deepest_rule(resolution->resolved, file->target, true);
    bool unknown = !file->source || (above && above->access != FILE_HIDE && !above->source);
    bool made = above ? above->access == FILE_HIDE : is_hidden(resolution, file->target);
    if (file->access == FILE_HIDE || unknown || made)
        return 0;
    CLEANUP_FREE char *place = on_host(above, file->target);
    if (!place)
        return error_errno(err, ENOMEM, "look for %s", file->target);
    struct stat status;
    int result = 0;
    if (file->access == FILE_STATE && lstat(place, &status) < 0 && errno == ENOENT)
        result = check_parent(resolution->resolved, place, err); /* the agent makes it when the app starts */
    else if (strcmp(place, file->source) != 0)
        result = compare_kinds(file->source, file->target, place, err);
    return result < 0 ? error_prefix(err, "[files] %s", file_access_name(file->access)) : 0;
}

static int check_device(const char *device, struct error *err)
{
    struct stat status;
    if (stat(device, &status) == 0)
        return 0;
    return errno == ENOENT ? error_set(err, ENOENT, "[sandbox] devices: %s does not exist on this host", device)
                           : error_errno(err, errno, "[sandbox] devices: %s", device);
}

/* --- what is shown without a rule --------------------------------------------------------------- */

static void drop_what_is_in(struct resolved *resolved, const char *directory)
{
    size_t kept = 0;
    for (size_t i = 0; i < resolved->file_count; i++) {
        struct view_file *file = &resolved->files[i];
        if (file->automatic && path_is_in(file->target, directory)) {
            free(file->source);
            free(file->target);
        } else {
            resolved->files[kept++] = *file;
        }
    }
    resolved->file_count = kept;
}

/* Shows a path where it would be hidden. A link is followed: what it leads to is shown in its place. */
static int show(struct resolution *resolution, const char *path, struct error *err)
{
    struct resolved *resolved = resolution->resolved;
    if (!is_hidden(resolution, path) || deciding(resolved, path))
        return 0;
    CLEANUP_FREE char *source = NULL, *target = strdup(path);
    struct account unknown = {.uid = (uid_t)-1, .gid = (gid_t)-1};
    int result = host_path_follow(resolution->account ? resolution->account : &unknown, path, &source, err);
    if (result == -ELOOP)
        return result;
    if (!source) /* what is wrong with it is said where its key is looked at */
        source = strdup(path);
    if (!source || !target)
        return error_errno(err, ENOMEM, "list the files that the app sees");
    drop_what_is_in(resolved, path);
    return add_file(resolved, FILE_READ, &source, &target, true, err);
}

int resolve_release_part(const char *executable, char **part, struct error *err)
{
    const char *c = strchr(executable, '%');
    while (c && c[1] && c[1] != 'r')
        c = strchr(c + 2, '%');
    *part = NULL;
    if (!c || !c[1])
        return 0;
    *part = strndup(executable, (size_t)(c - executable) + strcspn(c, "/"));
    return *part ? 0 : error_errno(err, ENOMEM, "find the release's directory");
}

static int show_release(struct resolution *resolution, const struct words *command, struct error *err)
{
    CLEANUP_FREE char *part = NULL, *path = NULL;
    int result = command->count ? resolve_release_part(command->items[0], &part, err) : 0;
    if (result < 0 || !part || !resolution->release)
        return result;
    result = resolve_path(resolution, part, &path, err);
    return result < 0 ? result : show(resolution, path, err);
}

static int show_own(struct resolution *resolution, struct error *err)
{
    const struct service *service = resolution->service;
    CLEANUP_FREE char *workdir = NULL;
    int result = service->workdir ? resolve_path(resolution, service->workdir, &workdir, err) : 0;
    if (result == 0 && workdir)
        result = show(resolution, workdir, err);
    if (result < 0)
        return error_prefix(err, "[app] workdir");
    result = show_release(resolution, &service->run, err);
    if (result < 0)
        return error_prefix(err, "[app] run");
    for (size_t i = 0; result == 0 && i < service->process_count; i++) {
        result = show_release(resolution, &service->processes[i].run, err);
        if (result < 0)
            error_prefix(err, "[process %s] run", service->processes[i].name);
    }
    for (size_t i = 0; result == 0 && i < HOOKS; i++) {
        if (service->hooks[i].on_host)
            continue;
        result = show_release(resolution, &service->hooks[i].run, err);
        if (result < 0)
            error_prefix(err, "%s", hook_place((enum hook)i));
    }
    if (result < 0)
        return result;
    result = show_release(resolution, &service->health.exec, err);
    return result < 0 ? error_prefix(err, "[health] exec") : 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int compare_targets(const void *a, const void *b)
{
    return strcmp(((const struct view_file *)a)->target, ((const struct view_file *)b)->target);
}

int resolve_files(struct resolution *resolution, struct error *err)
{
    const struct service *service = resolution->service;
    struct resolved *resolved = resolution->resolved;
    int result = 0;
    for (size_t i = 0; i < service->file_count; i++) {
        result = take_rule(resolution, &service->files[i], err);
        if (resolution_failed(resolution, result, err))
            return result;
    }
    for (size_t i = 0; i < resolved->file_count; i++) {
        result = check_target(resolution, &resolved->files[i], err);
        if (resolution_failed(resolution, result, err))
            return result;
    }
    for (size_t i = 0; i < service->sandbox.devices.count; i++) {
        result = check_device(service->sandbox.devices.items[i], err);
        if (resolution_failed(resolution, result, err))
            return result;
    }
    result = show_own(resolution, err);
    if (resolution_failed(resolution, result, err))
        return result;
    if (resolved->file_count > 0)
        qsort(resolved->files, resolved->file_count, sizeof *resolved->files, compare_targets);
    return 0;
}

/* --- what the app sees ------------------------------------------------------------------------ */

static int not_seen(const char *path, mode_t kind, const char *link, struct error *err)
{
    size_t directory = kind == S_IFDIR ? strlen(path) : path_parent_length(path);
    return error_set(err, EACCES,
                     "%s%s%s, which the app does not see: places such as /home, /root, /run and /tmp are hidden from "
                     "it; add [files] read = %.*s",
                     link ? link : "", link ? " is a link to " : "", path, (int)directory, path);
}

static int check_seen(const struct resolution *resolution, const char *path, mode_t kind, const char *link,
                      struct error *err)
{
    const struct view_file *rule = deciding(resolution->resolved, path);
    if (rule && rule->access == FILE_HIDE)
        return error_set(err, EACCES, "%s is hidden from the app by [files] hide = %s; hide less, or add [files] read",
                         path, rule->target);
    if (!rule && is_hidden(resolution, path))
        return not_seen(path, kind, link, err);
    return 0;
}

/* A link may lead to where the app does not see anything. */
static int check_link(const struct resolution *resolution, const struct view_file *rule, const char *host, mode_t kind,
                      struct error *err)
{
    CLEANUP_FREE char *real = realpath(host, NULL);
    if (!real)
        return error_errno(err, errno, "%s", host);
    if (strcmp(real, host) == 0 || (rule && path_is_in(real, rule->source)))
        return 0;
    return check_seen(resolution, real, kind, host, err);
}

int resolve_seen(const struct resolution *resolution, const char *path, mode_t kind, struct error *err)
{
    struct stat status;
    const struct view_file *rule = deciding(resolution->resolved, path);
    if (rule && rule->access != FILE_HIDE && !rule->source) /* nobody knows before there is a release */
        return 0;
    bool shown = rule && rule->access != FILE_HIDE;
    CLEANUP_FREE char *host = on_host(shown ? rule : NULL, path);
    if (!host)
        return error_errno(err, ENOMEM, "look for %s", path);
    bool will_be_made = shown && rule->access == FILE_STATE && strcmp(host, rule->source) == 0;
    if (will_be_made && kind == S_IFDIR && stat(host, &status) < 0)
        return 0;
    int result = host_path_check(host, resolution->release, kind, kind == S_IFREG, err);
    if (result == 0)
        result = check_seen(resolution, path, kind, NULL, err);
    return result < 0 ? result : check_link(resolution, shown ? rule : NULL, host, kind, err);
}
