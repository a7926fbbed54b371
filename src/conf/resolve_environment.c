/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An app's environment: the account's, below env_file, below environment, below what the agent says of itself. */
#include "conf/resolution.h"

#include "base/cleanup.h"
#include "model/grammar.h"
#include "os/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ENV_FILE_MAX = 1 << 20 };

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

static int read_env_file(const struct resolution *resolution, struct words *variables, struct error *err)
{
    CLEANUP_FREE char *path = NULL, *content = NULL;
    size_t length;
    bool optional = resolution->service->env_file[0] == '-';
    int result = resolve_path(resolution, resolution->service->env_file + optional, &path, err);
    if (result < 0 || !path)
        return result;
    result = host_path_check(path, resolution->release, S_IFREG, false, err);
    if (result == -ENOENT && optional)
        return 0;
    if (result == 0)
        result = file_read_untrusted(path, ENV_FILE_MAX, &content, &length, err);
    if (result != 0)
        return result;
    result = grammar_environment_file(content, length, variables, err);
    return result < 0 ? error_prefix(err, "%s", path) : 0;
}

static int add_env_file(const struct resolution *resolution, struct words *environment, struct error *err)
{
    CLEANUP_WORDS struct words variables = {0};
    if (!resolution->service->env_file)
        return 0;
    int result = read_env_file(resolution, &variables, err);
    for (size_t i = 0; result == 0 && i < variables.count; i++) {
        result = set_variable(environment, variables.items[i]);
        if (result < 0)
            error_errno(err, ENOMEM, "build the environment");
    }
    return result < 0 ? error_prefix(err, "[app] env_file") : 0;
}

int resolve_environment_file(const struct resolution *resolution, struct error *err)
{
    CLEANUP_WORDS struct words unused = {0};
    return add_env_file(resolution, &unused, err);
}

static int add_configured(const struct resolution *resolution, struct words *environment, struct error *err)
{
    const struct words *configured = &resolution->service->environment;
    for (size_t i = 0; i < configured->count; i++) {
        CLEANUP_FREE char *assignment = NULL;
        int result = service_substitute(configured->items[i], resolution->release, resolution->zone, &assignment, err);
        if (result == 0 && set_variable(environment, assignment) < 0)
            result = error_errno(err, ENOMEM, "build the environment");
        if (result < 0)
            return error_prefix(err, "[app] environment");
    }
    return 0;
}

static int add_own(const struct resolution *resolution, struct words *environment)
{
    int result = set_named(environment, "BLUEGREEN_APP", resolution->service->name);
    if (result == 0)
        result = set_named(environment, "BLUEGREEN_ZONE", colour_name(resolution->zone));
    return result == 0 ? set_named(environment, "BLUEGREEN_RELEASE", resolution->release) : result;
}

/* What is not about a zone: who writes %z into a value means the app, in its zone. */
static int add_configured_outside(const struct resolution *resolution, struct words *environment, struct error *err)
{
    const struct words *configured = &resolution->service->environment;
    for (size_t i = 0; i < configured->count; i++) {
        CLEANUP_FREE char *blue = NULL, *green = NULL;
        int result = service_substitute(configured->items[i], resolution->release, BLUE, &blue, err);
        if (result == 0)
            result = service_substitute(configured->items[i], resolution->release, GREEN, &green, err);
        if (result != 0)
            return error_prefix(err, "[app] environment");
        if (strcmp(blue, green) == 0 && set_variable(environment, blue) < 0)
            return error_errno(err, ENOMEM, "build the environment");
    }
    return 0;
}

int resolve_environment_outside(const struct resolution *resolution, const struct account *account,
                                const char *directory, struct error *err)
{
    struct words *environment = &resolution->resolved->environment;
    if (add_defaults(resolution->service, account, environment) < 0)
        return error_errno(err, ENOMEM, "build the environment");
    int result = add_configured_outside(resolution, environment, err);
    if (result < 0)
        return result;
    if (set_named(environment, "BLUEGREEN_APP", resolution->service->name) < 0 ||
        set_named(environment, "BLUEGREEN_RELEASE", resolution->release) < 0 ||
        set_named(environment, "BLUEGREEN_DIRECTORY", directory) < 0)
        return error_errno(err, ENOMEM, "build the environment");
    return 0;
}

int resolve_environment(const struct resolution *resolution, const struct account *account, struct error *err)
{
    struct words *environment = &resolution->resolved->environment;
    if (add_defaults(resolution->service, account, environment) < 0)
        return error_errno(err, ENOMEM, "build the environment");
    int result = add_env_file(resolution, environment, err);
    if (result == 0)
        result = add_configured(resolution, environment, err);
    if (result == 0 && add_own(resolution, environment) < 0)
        result = error_errno(err, ENOMEM, "build the environment");
    return result;
}
