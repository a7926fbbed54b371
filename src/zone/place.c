/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's place in the cgroup tree, for itself or in a systemd scope: taken, found again, given back. */
#include "zone/place.h"

#include "base/text.h"
#include "zone/scope.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { END_TIMEOUT_MS = 2000 }; /* from the end of the last process until the cgroup knows */

static int too_long(const struct zone_id *id, struct error *err)
{
    return error_errno(err, ENAMETOOLONG, "the cgroup of zone %s/%s", id->app, colour_name(id->colour));
}

static int set_cgroup(struct zone *zone, const char *path, struct error *err)
{
    char payload[PATH_MAX];
    if (!cgroup_join(payload, path, "payload"))
        return too_long(&zone->id, err);
    zone->cgroup = strdup(path);
    zone->payload = strdup(payload);
    return zone->cgroup && zone->payload ? 0 : error_errno(err, ENOMEM, "prepare a zone");
}

/* The shim works for the app beyond the app's limits, above all at what that writes: where both compete, it gets a
 * sixth of what the zone gets, which is plenty for starting, stopping and listening. */
#define SHIM_WEIGHT "20"

static void share_out(const struct zone_host *host, const char *path)
{
    char leaf[PATH_MAX];
    host_enable_controllers(host, path);
    if (!cgroup_join(leaf, path, "shim"))
        return;
    cgroup_write(leaf, "cpu.weight", SHIM_WEIGHT); /* as far as there are controllers */
    cgroup_write(leaf, "io.weight", SHIM_WEIGHT);
}

/* Without systemd: the shim is born in its place. */
int place_make_own(struct zone *zone, int *fd, struct error *err)
{
    char path[PATH_MAX], leaf[PATH_MAX];
    if (zone->host->scopes || !zone->host->cgroups)
        return 0;
    if (!zone_cgroup_path(zone->host, &zone->id, path))
        return too_long(&zone->id, err);
    int result = cgroup_make(path, err);
    if (result == 0)
        result = set_cgroup(zone, path, err);
    if (result < 0 || !cgroup_join(leaf, path, "shim"))
        return result < 0 ? result : too_long(&zone->id, err);
    result = cgroup_open(leaf, fd, err);
    share_out(zone->host, path);
    return result;
}

/* With systemd: the shim, which does nothing yet, is moved into a scope, and there into its leaf. */
int place_make_scope(struct zone *zone, pid_t shim, struct error *err)
{
    char scope[NAME_MAX + 1], slice[NAME_MAX + 1], description[128], path[PATH_MAX];
    const struct zone_id *id = &zone->id;
    if (!zone->host->scopes)
        return 0;
    if (!zone_scope_name(zone->host, id, scope) ||
        (size_t)snprintf(slice, sizeof slice, "%s.slice", zone->host->instance) >= sizeof slice)
        return too_long(id, err);
    snprintf(description, sizeof description, "bluegreen zone %s/%s", id->app, colour_name(id->colour));
    int result = scope_start(zone->host->scope_path, scope, slice, description, shim, err);
    if (result < 0 || !zone->host->cgroups)
        return result;
    result = cgroup_of(zone->host->cgroup_root, shim, path, err);
    if (result == 0)
        result = cgroup_make(path, err);
    if (result == 0)
        result = cgroup_move(path, "shim", shim, err);
    if (result == 0) /* now that no process is in the scope itself */
        share_out(zone->host, path);
    return result < 0 ? result : set_cgroup(zone, path, err);
}

/* --- finding it again ------------------------------------------------------------------------------ */

/* An agent that died at the wrong moment left its shim in its own unit, where systemd would end it with the unit. */
static bool in_its_scope(const struct zone *zone, const char *path)
{
    char scope[NAME_MAX + 1];
    const char *name = strrchr(path, '/');
    return !zone->host->scopes ||
           (zone_scope_name(zone->host, &zone->id, scope) && name && strcmp(name + 1, scope) == 0);
}

int place_find(struct zone *zone, struct error *err)
{
    char path[PATH_MAX];
    if (!zone->host->cgroups)
        return 0;
    int result = cgroup_of(zone->host->cgroup_root, zone->channel.shim_pid, path, err);
    if (result < 0)
        return result;
    char *leaf = strrchr(path, '/');
    bool in_leaf = text_equal(leaf, "/shim");
    if (in_leaf)
        *leaf = '\0';
    if (!in_its_scope(zone, path))
        return error_set(err, ENOENT, "its shim was never put into its scope");
    if (!in_leaf)
        return 0; /* made when there was no cgroup v2: it stays without */
    /* An older agent enabled none. Where its app is in payload itself, the kernel refuses those below. */
    share_out(zone->host, path);
    return set_cgroup(zone, path, err);
}

int zone_host_keep(struct zone_host *host, const char *app, const char *what, pid_t pid, struct error *err)
{
    char scope[NAME_MAX + 1], slice[NAME_MAX + 1], description[128];
    if (!host->scopes)
        return 0;
    if ((size_t)snprintf(scope, sizeof scope, "%s-%s-%s.scope", host->instance, app, what) >= sizeof scope ||
        (size_t)snprintf(slice, sizeof slice, "%s.slice", host->instance) >= sizeof slice)
        return error_set(err, ENAMETOOLONG, "the scope of the %s of %s would have too long a name", what, app);
    snprintf(description, sizeof description, "bluegreen %s of %s", what, app);
    return scope_start(host->scope_path, scope, slice, description, pid, err);
}

/* --- giving it back -------------------------------------------------------------------------------- */

int place_end(struct zone_host *host, const struct zone_id *id, struct error *err)
{
    char path[PATH_MAX], scope[NAME_MAX + 1];
    if (host->scopes)
        return zone_scope_name(host, id, scope) ? scope_end(host->scope_path, scope, err) : too_long(id, err);
    if (!host->cgroups)
        return 0;
    if (!zone_cgroup_path(host, id, path))
        return too_long(id, err);
    int result = cgroup_kill(path, err);
    if (result == 0)
        result = cgroup_remove(path, END_TIMEOUT_MS, err);
    if (result == 0) { /* the last zone takes the instance's directory along */
        *strrchr(path, '/') = '\0';
        rmdir(path);
    }
    return result;
}
