/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a service and a release to what can be started. */
#include "conf/resolve.h"

#include "base/cleanup.h"
#include "conf/accounts.h"
#include "conf/problems.h"
#include "model/grammar.h"
#include "os/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ENV_FILE_MAX = 1 << 20 };

void resolved_clear(struct resolved *resolved)
{
    words_clear(&resolved->argv);
    words_clear(&resolved->environment);
    free(resolved->groups);
    free(resolved->workdir);
    *resolved = (struct resolved){0};
}

/* --- paths ------------------------------------------------------------------------------------ */

/* The shortest leading part of path that does not exist, in place. */
static void cut_to_missing(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        struct stat status;
        *slash = '\0';
        if (stat(path, &status) < 0)
            return;
        *slash = '/';
    }
}

/* Says which part is missing; the release's own directory is what people forget. */
static int missing(const char *path, const char *release, struct error *err)
{
    CLEANUP_FREE char *part = strdup(path);
    if (!part)
        return error_errno(err, ENOMEM, "look for %s", path);
    cut_to_missing(part);
    const char *slash = strrchr(part, '/');
    if (release && slash && strstr(slash, release))
        return error_set(err, ENOENT, "%s does not exist; put release %s there first, or check its name", part,
                         release);
    return error_set(err, ENOENT, "%s does not exist", part);
}

/* Is path there, and of this kind: S_IFDIR, or S_IFREG with `executable` as it is asked for? */
static int check_path(const char *path, const char *release, mode_t kind, bool executable, struct error *err)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return errno == ENOENT ? missing(path, release, err) : error_errno(err, errno, "%s", path);
    if ((status.st_mode & S_IFMT) != kind)
        return error_set(err, EINVAL, "%s is not a %s", path, kind == S_IFDIR ? "directory" : "regular file");
    if (executable && !(status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
        return error_set(err, EACCES, "%s is not executable; make it so with \"chmod +x %s\"", path, path);
    return 0;
}

/* --- command and directory -------------------------------------------------------------------- */

static int resolve_run(const struct service *service, const char *release, enum colour zone, struct words *argv,
                       struct error *err)
{
    for (size_t i = 0; i < service->run.count; i++) {
        CLEANUP_FREE char *word = NULL;
        int result = service_substitute(service->run.items[i], release, zone, &word, err);
        if (result == 0 && words_add(argv, word) < 0)
            result = error_errno(err, ENOMEM, "build the command");
        if (result < 0)
            return error_prefix(err, "[app] run");
    }
    if (argv->count == 0 || argv->items[0][0] != '/')
        return error_set(err, EINVAL, "[app] run: the command does not begin with an absolute path");
    int result = check_path(argv->items[0], release, S_IFREG, true, err);
    return result < 0 ? error_prefix(err, "[app] run") : 0;
}

static int resolve_workdir(const struct service *service, const char *release, enum colour zone, char **workdir,
                           struct error *err)
{
    CLEANUP_FREE char *path = NULL;
    int result = service_substitute(service->workdir ? service->workdir : "/", release, zone, &path, err);
    if (result == 0 && path[0] != '/')
        result = error_set(err, EINVAL, "\"%s\" is not an absolute path", path);
    if (result == 0)
        result = check_path(path, release, S_IFDIR, false, err);
    if (result < 0)
        return error_prefix(err, "[app] workdir");
    *workdir = steal_ptr(&path);
    return 0;
}

/* --- environment ------------------------------------------------------------------------------ */

/* Adds NAME=VALUE, in the place of an earlier one of that name. */
static int set_variable(struct words *environment, const char *assignment)
{
    size_t name = strcspn(assignment, "=") + 1;
    for (size_t i = 0; i < environment->count; i++) {
        if (strncmp(environment->items[i], assignment, name) != 0)
            continue;
        char *copy = strdup(assignment);
        if (!copy)
            return -ENOMEM;
        free(environment->items[i]);
        environment->items[i] = copy;
        return 0;
    }
    return words_add(environment, assignment);
}

/* NULL values are left out. */
static int set_named(struct words *environment, const char *name, const char *value)
{
    CLEANUP_TEXT struct text assignment = {0};
    if (!value)
        return 0;
    text_addf(&assignment, "%s=%s", name, value);
    return assignment.failed ? -ENOMEM : set_variable(environment, assignment.data);
}

static int add_defaults(const struct service *service, const struct account *account, struct words *environment)
{
    /* systemd's own default path (PATH of systemd.exec(5)), with the split-usr directories behind it */
    const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    int result = set_named(environment, "PATH", path);
    if (result == 0)
        result = set_named(environment, "LANG", "C.UTF-8");
    if (result == 0)
        result = set_named(environment, "USER", service->user);
    if (result == 0)
        result = set_named(environment, "LOGNAME", service->user);
    if (result == 0)
        result = set_named(environment, "HOME", account->home);
    return result == 0 ? set_named(environment, "SHELL", account->shell) : result;
}

/* env_file with its '-' cut off and substituted; *optional says whether it may be missing. */
static int env_file_path(const char *env_file, const char *release, enum colour zone, char **path, bool *optional,
                         struct error *err)
{
    *optional = env_file[0] == '-';
    int result = service_substitute(env_file + *optional, release, zone, path, err);
    if (result == 0 && **path != '/')
        return error_set(err, EINVAL, "\"%s\" is not an absolute path", *path);
    return result;
}

static int read_env_file(const char *env_file, const char *release, enum colour zone, struct words *variables,
                         struct error *err)
{
    CLEANUP_FREE char *path = NULL, *content = NULL;
    size_t length;
    bool optional;
    int result = env_file_path(env_file, release, zone, &path, &optional, err);
    if (result == 0) {
        result = check_path(path, release, S_IFREG, false, err);
        if (result == -ENOENT && optional)
            return 0;
    }
    if (result == 0)
        result = file_read_untrusted(path, ENV_FILE_MAX, &content, &length, err);
    if (result < 0)
        return result;
    result = grammar_environment_file(content, length, variables, err);
    return result < 0 ? error_prefix(err, "%s", path) : 0;
}

static int add_env_file(const struct service *service, const char *release, enum colour zone, struct words *environment,
                        struct error *err)
{
    CLEANUP_WORDS struct words variables = {0};
    if (!service->env_file)
        return 0;
    int result = read_env_file(service->env_file, release, zone, &variables, err);
    for (size_t i = 0; result == 0 && i < variables.count; i++) {
        result = set_variable(environment, variables.items[i]);
        if (result < 0)
            error_errno(err, ENOMEM, "build the environment");
    }
    return result < 0 ? error_prefix(err, "[app] env_file") : 0;
}

static int add_configured(const struct service *service, const char *release, enum colour zone,
                          struct words *environment, struct error *err)
{
    for (size_t i = 0; i < service->environment.count; i++) {
        CLEANUP_FREE char *assignment = NULL;
        int result = service_substitute(service->environment.items[i], release, zone, &assignment, err);
        if (result == 0 && set_variable(environment, assignment) < 0)
            result = error_errno(err, ENOMEM, "build the environment");
        if (result < 0)
            return error_prefix(err, "[app] environment");
    }
    return 0;
}

static int add_own(const struct service *service, const char *release, enum colour zone, struct words *environment)
{
    int result = set_named(environment, "BLUEGREEN_APP", service->name);
    if (result == 0)
        result = set_named(environment, "BLUEGREEN_ZONE", colour_name(zone));
    return result == 0 ? set_named(environment, "BLUEGREEN_RELEASE", release) : result;
}

static int resolve_environment(const struct service *service, const struct account *account, const char *release,
                               enum colour zone, struct words *environment, struct error *err)
{
    if (add_defaults(service, account, environment) < 0)
        return error_errno(err, ENOMEM, "build the environment");
    int result = add_env_file(service, release, zone, environment, err);
    if (result == 0)
        result = add_configured(service, release, zone, environment, err);
    if (result == 0 && add_own(service, release, zone, environment) < 0)
        result = error_errno(err, ENOMEM, "build the environment");
    return result;
}

/* --- the whole -------------------------------------------------------------------------------- */

int service_resolve(const struct service *service, const char *release, enum colour zone, struct resolved *resolved,
                    struct error *err)
{
    CLEANUP_ACCOUNT struct account account = {0};
    struct error unused;
    err = err ? err : &unused;
    resolved_clear(resolved);
    if (!release_name_valid(release)) /* it becomes part of paths */
        return error_set(err, EINVAL, "\"%.70s\" is not a release's name", release);
    int result = account_find(service, &account, err);
    if (result == 0)
        result = resolve_run(service, release, zone, &resolved->argv, err);
    if (result == 0)
        result = resolve_workdir(service, release, zone, &resolved->workdir, err);
    if (result == 0)
        result = resolve_environment(service, &account, release, zone, &resolved->environment, err);
    if (result < 0) {
        resolved_clear(resolved);
        return result;
    }
    resolved->uid = account.uid;
    resolved->gid = account.gid;
    resolved->groups = steal_ptr(&account.groups);
    resolved->group_count = account.group_count;
    return 0;
}

/* --- before there is a release ---------------------------------------------------------------- */

static bool mentions(const char *text, char substitution)
{
    for (const char *c = strchr(text, '%'); c && c[1]; c = strchr(c + 2, '%')) {
        if (c[1] == substitution)
            return true;
    }
    return false;
}

typedef int path_check(const char *text, enum colour zone, struct error *err);

static int check_executable(const char *text, enum colour zone, struct error *err)
{
    CLEANUP_FREE char *path = NULL;
    int result = service_substitute(text, "", zone, &path, err);
    return result < 0 ? result : check_path(path, NULL, S_IFREG, true, err);
}

static int check_directory(const char *text, enum colour zone, struct error *err)
{
    CLEANUP_FREE char *path = NULL;
    int result = service_substitute(text, "", zone, &path, err);
    return result < 0 ? result : check_path(path, NULL, S_IFDIR, false, err);
}

static int check_env_file(const char *text, enum colour zone, struct error *err)
{
    CLEANUP_WORDS struct words unused = {0};
    return read_env_file(text, NULL, zone, &unused, err);
}

/* A path with %z is two paths; one with %r is none yet. */
static void check_early(struct problems *problems, const char *key, const char *text, path_check *check)
{
    if (!text || mentions(text, 'r'))
        return;
    for (int zone = BLUE; zone < (mentions(text, 'z') ? COLOURS : 1); zone++) {
        struct error err = {0};
        if (check(text, (enum colour)zone, &err) < 0)
            problem_at_key(problems, "app", key, "%s", err.text);
    }
}

int conf_check_host(const char *file, const struct service *service, struct words *list)
{
    struct problems problems = {.file = file, .list = list};
    CLEANUP_ACCOUNT struct account account = {0};
    struct error err = {0};
    if (account_find(service, &account, &err) < 0)
        problem_in_file(&problems, "%s", err.text);
    check_early(&problems, "run", service->run.count ? service->run.items[0] : NULL, check_executable);
    check_early(&problems, "workdir", service->workdir, check_directory);
    check_early(&problems, "env_file", service->env_file, check_env_file);
    return problems.count > 0 ? -EINVAL : 0;
}
