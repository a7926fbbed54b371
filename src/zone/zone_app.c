/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone that is there: starting and stopping its app, and what the handle knows. */
#include "zone/zone.h"

#include "base/cleanup.h"
#include "zone/handle.h"
#include "zone/hosts.h"
#include "zone/netns.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- starting -------------------------------------------------------------------------------------- */

/* What to look at, for the failures that a user can mend. */
static const char *advice(const struct shim_state *state)
{
    if (state->stage == SHIM_STAGE_EXEC && state->error == ENOENT)
        return "; there is no such file, or the interpreter that it names is missing";
    if (state->stage == SHIM_STAGE_EXEC && state->error == EACCES)
        return "; it must be executable, and every directory above it open, for the app's user";
    if (state->stage == SHIM_STAGE_EXEC && state->error == ENOEXEC)
        return "; it is neither a program of this machine nor a script that names its interpreter";
    if (state->stage == SHIM_STAGE_WORKDIR)
        return "; see [app] workdir: it must exist and be open for the app's user";
    return "";
}

static int start_failed(const struct zone *zone, const struct zone_launch *launch, const struct shim_state *state,
                        struct error *err)
{
    const char *app = zone->id.app, *colour = colour_name(zone->id.colour);
    const char *object = state->stage == SHIM_STAGE_WORKDIR ? launch->workdir : launch->argv.items[0];
    error_errno(err, (int)state->error, "start %s/%s: %s %s", app, colour, shim_stage_text(state->stage), object);
    return error_suffix(err, "%s", advice(state));
}

static int start_refused(const struct zone *zone, const struct shim_state *state, struct error *err)
{
    const char *app = zone->id.app, *colour = colour_name(zone->id.colour);
    switch (state->error) {
    case EBUSY: return error_set(err, EBUSY, "start %s/%s: it runs already or is just being stopped", app, colour);
    case EOPNOTSUPP:
        return error_set(
            err, EOPNOTSUPP,
            "start %s/%s: its shim is older than this agent and does not know field %#x; make the zone anew", app,
            colour, state->tag);
    default:
        return error_errno(err, state->error ? (int)state->error : EPROTO, "start %s/%s: its shim refuses", app,
                           colour);
    }
}

static int send_start(struct zone *zone, const struct shim_start *start, int payload, enum shim_type *answer,
                      struct shim_state *state, struct error *err)
{
    CLEANUP_FREE uint8_t *message = malloc(SHIM_MESSAGE_MAX);
    if (!message)
        return error_errno(err, ENOMEM, "start the app");
    size_t length = shim_encode_start(start, channel_serial(&zone->channel), message, SHIM_MESSAGE_MAX);
    if (length == 0)
        return error_set(err, E2BIG, "start %s/%s: command line and environment are longer than %u bytes together",
                         zone->id.app, colour_name(zone->id.colour), SHIM_MESSAGE_MAX);
    return channel_request(&zone->channel, message, length, &payload, payload >= 0 ? 1 : 0, answer, state, err);
}

static int prepare_files(const struct zone *zone, const struct zone_launch *launch, struct error *err)
{
    char directory[PATH_MAX];
    if (!zone_run_path(zone->host, &zone->id, "", directory))
        return error_errno(err, ENAMETOOLONG, "start the app");
    return hosts_write(directory, launch->hostname, &zone->addresses, zone->host->ipv6, err);
}

int zone_start(struct zone *zone, const struct zone_launch *launch, struct error *err)
{
    CLEANUP_FD int payload = -1;
    enum shim_type answer;
    struct shim_state state;
    const struct shim_start start = {
        .argv = launch->argv.items,
        .argument_count = launch->argv.count,
        .environment = launch->environment.items,
        .variable_count = launch->environment.count,
        .workdir = launch->workdir,
        .hostname = launch->hostname,
        .uid = launch->uid,
        .gid = launch->gid,
        .groups = launch->groups,
        .group_count = launch->group_count,
        .stop_timeout_ms = launch->stop_timeout_ms,
        .restart_delay_ms = launch->restart_delay_ms,
    };
    int result = prepare_files(zone, launch, err);
    if (result == 0 && zone->cgroup)
        result = cgroup_open(zone->cgroup, "payload", &payload, err);
    if (result == 0)
        result = send_start(zone, &start, payload, &answer, &state, err);
    if (result < 0)
        return result;
    switch (answer) {
    case SHIM_STARTED: return 0;
    case SHIM_FAILED: return start_failed(zone, launch, &state, err);
    default: return start_refused(zone, &state, err);
    }
}

int zone_stop(struct zone *zone, struct error *err)
{
    uint32_t message[SHIM_ANSWER_MAX / sizeof(uint32_t)];
    size_t length = shim_encode_stop(channel_serial(&zone->channel), message, sizeof message);
    return channel_send(&zone->channel, message, length, err);
}

/* --- what the handle knows ------------------------------------------------------------------------- */

const struct zone_addresses *zone_addresses(const struct zone *zone)
{
    return &zone->addresses;
}

pid_t zone_shim_pid(const struct zone *zone)
{
    return zone->channel.shim_pid;
}

int zone_socket(struct zone *zone, int family, int type, struct error *err)
{
    return netns_socket(zone->network.netns, family, type | SOCK_NONBLOCK, 0, err);
}

int zone_diag_fd(const struct zone *zone)
{
    return zone->network.diag;
}

int zone_event_fd(const struct zone *zone)
{
    return zone->channel.readable;
}

enum zone_event zone_receive(struct zone *zone)
{
    return channel_receive(&zone->channel);
}

const struct zone_app *zone_app(const struct zone *zone)
{
    return &zone->channel.app;
}
