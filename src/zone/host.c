/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all zones share: found out once. */
#include "zone/host.h"

#include "base/cleanup.h"
#include "os/files.h"
#include "zone/scope.h"

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

int zone_log_path_of(const struct zone_host *host, const char *app, enum colour colour, char *path, size_t size)
{
    return print(path, size, "%s/%s.%s/log", host->state_zones, app, colour_name(colour));
}

/* --- what the machine offers ----------------------------------------------------------------------- */

static void find_cgroups(struct zone_host *host)
{
    bool mounted = cgroup_find(host->cgroup_root);
    host->scopes = scope_available(host->scope_path);
    host->cgroups = mounted && access(host->cgroup_root, W_OK) == 0;
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
    host->instance = strdup(options->instance);
    host->shim_path = realpath(options->shim_path, NULL);
    host->scope_path = options->scope_path ? realpath(options->scope_path, NULL) : NULL; /* may be missing */
    if (result == 0 && !host->instance)
        result = error_errno(err, ENOMEM, "prepare for zones");
    if (result == 0 && (!host->shim_path || access(host->shim_path, X_OK) < 0))
        result =
            error_errno(err, errno, "find the zones' shim %s (is bluegreen installed completely?)", options->shim_path);
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
