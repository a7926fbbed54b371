/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all zones share: found out once. */
#include "zone/host.h"

#include "base/cleanup.h"
#include "os/files.h"
#include "os/filter.h"
#include "zone/scope.h"
#include "zone/usage.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- names ----------------------------------------------------------------------------------------- */

static bool ERROR_PRINTF(3, 4) print(char *to, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(to, size, format, arguments);
    va_end(arguments);
    return length >= 0 && (size_t)length < size;
}

bool zone_name(const struct zone_id *id, char name[ZONE_NAME_MAX])
{
    return print(name, ZONE_NAME_MAX, "%s.%s", id->app, colour_name(id->colour));
}

bool zone_netns_name(const struct zone_id *id, char name[ZONE_NAME_MAX + 4])
{
    return print(name, ZONE_NAME_MAX + 4, "bg-%s-%s", id->app, colour_name(id->colour));
}

bool zone_run_path(const struct zone_host *host, const struct zone_id *id, const char *file, char path[PATH_MAX])
{
    return print(path, PATH_MAX, "%s/%s.%s%s%s", host->run_zones, id->app, colour_name(id->colour), *file ? "/" : "",
                 file);
}

bool zone_scope_name(const struct zone_host *host, const struct zone_id *id, char name[NAME_MAX + 1])
{
    return print(name, NAME_MAX + 1, "%s-%s-%s.scope", host->instance, id->app, colour_name(id->colour));
}

bool zone_cgroup_path(const struct zone_host *host, const struct zone_id *id, char path[PATH_MAX])
{
    return print(path, PATH_MAX, "%s/%s/%s.%s", host->cgroup_root, host->instance, id->app, colour_name(id->colour));
}

bool zone_log_path_of(const struct zone_host *host, const char *app, enum colour colour, char *path, size_t size)
{
    return print(path, size, "%s/%s.%s/log", host->state_zones, app, colour_name(colour));
}

/* --- what the machine offers ----------------------------------------------------------------------- */

/* Where the zones' directories will be: below the instance's, in the tree or in systemd's slice for it. The slice
 * "a-b.slice" is a-b.slice in a.slice, systemd.slice(5). */
static bool above_zones(const struct zone_host *host, char path[PATH_MAX])
{
    if (!host->scopes)
        return print(path, PATH_MAX, "%s/%s", host->cgroup_root, host->instance);
    size_t used = strlen(host->cgroup_root);
    if (!text_copy(path, PATH_MAX, host->cgroup_root))
        return false;
    for (const char *dash = host->instance; dash; dash = strchr(dash + 1, '-')) {
        int length =
            (int)(strchr(dash + 1, '-') ? strchr(dash + 1, '-') - host->instance : (long)strlen(host->instance));
        if (!print(path + used, PATH_MAX - used, "/%.*s.slice", length, host->instance))
            return false;
        used += strlen(path + used);
    }
    return true;
}

/* systemd enables what a scope may use by itself. */
static unsigned find_controllers(const struct zone_host *host)
{
    if (!host->cgroups)
        return 0;
    return host->scopes ? controllers_of(host->cgroup_root)
                        : controllers_enable(host->cgroup_root, CONTROLLERS_ALL) & CONTROLLERS_ALL;
}

void host_enable_controllers(const struct zone_host *host, const char *cgroup)
{
    char path[PATH_MAX];
    if (!host->scopes && above_zones(host, path)) {
        controllers_enable(host->cgroup_root, CONTROLLERS_ALL);
        controllers_enable(path, CONTROLLERS_ALL);
    }
    controllers_enable(cgroup, CONTROLLERS_ALL);
    if (cgroup_join(path, cgroup, "payload"))
        controllers_enable(path, CONTROLLER_MEMORY | CONTROLLER_PIDS);
}

/* "; limits: memory cpu", or what is missing for them. */
static void describe_limits(struct zone_host *host)
{
    char missing[CONTROLLERS_TEXT_MAX];
    size_t used = strlen(host->description);
    char *end = host->description + used;
    size_t left = sizeof host->description - used;
    controllers_text(CONTROLLERS_ALL & ~host->controllers, missing);
    if (!host->cgroups)
        return;
    if (host->controllers == 0)
        print(end, left, ", without limits: cgroup v2 has no controllers here%s",
              strstr(host->cgroup_root, "unified") ? " (cgroup v1 has them)" : "");
    else
        print(end, left, "; limits of %s%s%s", host->controllers_text, *missing ? ", not of " : "", missing);
}

static void find_cgroups(struct zone_host *host)
{
    bool mounted = cgroup_find(host->cgroup_root);
    host->scopes = scope_available(host->scope_path);
    host->cgroups = mounted && access(host->cgroup_root, W_OK) == 0;
    host->controllers = find_controllers(host);
    controllers_text(host->controllers, host->controllers_text);
    char *text = host->description;
    size_t size = sizeof host->description;
    const char *missing = mounted ? "may not be written" : "is not mounted at /sys/fs/cgroup or /sys/fs/cgroup/unified";
    if (host->scopes && host->cgroups)
        print(text, size, "zones run in systemd scopes of slice %s.slice", host->instance);
    else if (host->scopes)
        print(text, size, "zones run in systemd scopes of slice %s.slice, without limits: cgroup v2 %s", host->instance,
              missing);
    else if (!host->cgroups)
        print(text, size, "zones run without cgroups and limits: cgroup v2 %s", missing);
    else
        print(text, size, "zones run in cgroups below %s/%s%s", host->cgroup_root, host->instance,
              scope_wanted() ? ", behind systemd's back: bluegreen-scope is not installed (built without libsystemd)"
                             : "");
    describe_limits(host);
}

const char *zone_host_controllers(const struct zone_host *host)
{
    return host->controllers_text;
}

uint64_t zone_host_memory_available(const struct zone_host *host)
{
    char path[PATH_MAX];
    uint64_t available = usage_host_available();
    if (available == 0 || !host->cgroups || !above_zones(host, path))
        return available;
    return usage_below_limits(host->cgroup_root, path, available);
}

/* --- filters --------------------------------------------------------------------------------------- */

int host_filter(struct zone_host *host, enum syscall_profile profile, const void **program, size_t *count,
                struct error *err)
{
    struct filter_spec spec;
    *program = NULL;
    *count = 0;
    if (!syscall_profile(profile, &spec))
        return 0;
    if (!host->filters[profile].program) {
        int result = filter_compile(&spec, &host->filters[profile].program, &host->filters[profile].count, err);
        if (result < 0)
            return error_prefix(err, "[sandbox] syscalls = %s", syscall_profile_name(profile));
    }
    *program = host->filters[profile].program;
    *count = host->filters[profile].count;
    return 0;
}

/* --- opening --------------------------------------------------------------------------------------- */

/* As an app would name it; one that is missing cannot be seen either, but may come. */
static int hide(struct zone_host *host, size_t index, const char *path, struct error *err)
{
    host->hidden[index] = realpath(path, NULL);
    if (!host->hidden[index])
        host->hidden[index] = strdup(path);
    return host->hidden[index] ? 0 : error_errno(err, ENOMEM, "prepare for zones");
}

static int hide_directories(struct zone_host *host, const struct zone_host_options *options, struct error *err)
{
    int result = hide(host, 0, options->run_dir, err);
    if (result == 0)
        result = hide(host, 1, options->state_dir, err);
    if (result == 0 && options->config_dir)
        result = hide(host, 2, options->config_dir, err);
    return result;
}

static int make_directory(const char *parent, char **path, struct error *err)
{
    char name[PATH_MAX];
    if (!print(name, sizeof name, "%s/zones", parent))
        return error_errno(err, ENAMETOOLONG, "directory %s/zones", parent);
    int result = directory_make(name, 0755, err);
    if (result < 0)
        return result;
    *path = realpath(name, NULL); /* the shim lives in "/" */
    return *path ? 0 : error_errno(err, errno, "directory %s", name);
}

int zone_host_open(const struct zone_host_options *options, struct zone_host **opened, struct error *err)
{
    struct zone_host *host = calloc(1, sizeof *host);
    if (!host)
        return error_errno(err, ENOMEM, "prepare for zones");
    int result = make_directory(options->run_dir, &host->run_zones, err);
    if (result == 0)
        result = make_directory(options->state_dir, &host->state_zones, err);
    if (result == 0)
        result = hide_directories(host, options, err);
    host->instance = strdup(options->instance);
    host->shim_path = realpath(options->shim_path, NULL);
    int missing = host->shim_path && access(host->shim_path, X_OK) == 0 ? 0 : errno;
    host->scope_path = options->scope_path ? realpath(options->scope_path, NULL) : NULL; /* may be missing */
    if (result == 0 && !host->instance)
        result = error_errno(err, ENOMEM, "prepare for zones");
    if (result == 0 && missing)
        result = error_errno(err, missing, "find the zones' shim %s (is bluegreen installed completely?)",
                             options->shim_path);
    if (result < 0) {
        zone_host_close(host);
        return result;
    }
    host->pools = options->pools;
    host->ipv6 = access("/proc/sys/net/ipv6/conf/all", F_OK) == 0;
    find_cgroups(host);
    *opened = host;
    return 0;
}

void zone_host_close(struct zone_host *host)
{
    if (!host)
        return;
    free(host->instance);
    free(host->shim_path);
    free(host->scope_path);
    free(host->run_zones);
    free(host->state_zones);
    for (size_t i = 0; i < sizeof host->hidden / sizeof *host->hidden; i++)
        free(host->hidden[i]);
    for (size_t i = 0; i < sizeof host->filters / sizeof *host->filters; i++)
        free(host->filters[i].program);
    free(host);
}

int zone_host_remove(struct zone_host *host, struct error *err)
{
    char slice[NAME_MAX + 1];
    if (!host->scopes || !print(slice, sizeof slice, "%s.slice", host->instance))
        return 0;
    return scope_end(host->scope_path, slice, err);
}

const char *zone_host_describe(const struct zone_host *host)
{
    return host->description;
}
