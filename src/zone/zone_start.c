/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting a process in a zone: everything that the shim needs is made ready and sent, and its answer explained. */
#include "zone/zone.h"

#include "base/cleanup.h"
#include "zone/files.h"
#include "zone/handle.h"
#include "zone/hosts.h"
#include "zone/limits.h"
#include "zone/starts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* --- what it needs --------------------------------------------------------------------------------- */

/* Kept together, because the message borrows from all of it. */
struct preparation {
    char resolv_conf[PATH_MAX], hosts[PATH_MAX];
    struct view view;
    const void *filter;
    size_t filter_count;
    struct shim_rlimit rlimit;
    int cgroup;
};

static void cleanup_preparation(struct preparation *preparation)
{
    view_clear(&preparation->view);
    close_fd(&preparation->cgroup);
}

static int prepare_hosts(const struct zone *zone, const struct zone_launch *launch, struct preparation *to,
                         struct error *err)
{
    char directory[PATH_MAX];
    if (!zone_run_path(zone->host, &zone->id, "", directory) ||
        !zone_run_path(zone->host, &zone->id, "resolv.conf", to->resolv_conf) ||
        !zone_run_path(zone->host, &zone->id, "hosts", to->hosts))
        return error_errno(err, ENAMETOOLONG, "write resolv.conf and hosts");
    return hosts_write(directory, launch->hostname, &zone->addresses, zone->host->ipv6, err);
}

static int prepare_view(const struct zone *zone, const struct zone_launch *launch, const struct sandbox *sandbox,
                        struct preparation *to, struct error *err)
{
    const struct view_request request = {.sandbox = sandbox,
                                         .files = launch->files,
                                         .file_count = launch->file_count,
                                         .hidden = (const char *const *)zone->host->hidden,
                                         .resolv_conf = to->resolv_conf,
                                         .hosts = to->hosts,
                                         .root = launch->uid == 0,
                                         .cgroup = zone->payload != NULL};
    int result = files_make_state(launch->files, launch->file_count, sandbox, launch->uid, launch->gid, err);
    return result < 0 ? result : view_build(&request, &to->view, err);
}

/* The cgroups of processes that ran once and are not known any more. That of the one to be started stays: making it
 * anew for every health check would leave the kernel a trail of dead ones that pages still belong to. */
static void sweep(struct zone *zone, const char *keep)
{
    CLEANUP_DIR DIR *directory = opendir(zone->payload);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.' && strcmp(entry->d_name, "main") != 0 &&
            strcmp(entry->d_name, keep) != 0 && !channel_process(&zone->channel, entry->d_name) &&
            !starts_waiting(&zone->channel.starts, entry->d_name))
            unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR); /* busy: next time */
    }
}

static int prepare_cgroup(struct zone *zone, const struct zone_launch *launch, struct preparation *to,
                          struct error *err)
{
    char path[PATH_MAX];
    const char *name = launch->process ? launch->process : "main";
    if (!zone->payload)
        return 0;
    if (launch->deadline_ms || launch->stdio)
        sweep(zone, name);
    if (strchr(name, '/') || name[0] == '.' || !cgroup_join(path, zone->payload, name))
        return error_set(err, EINVAL, "\"%s\" is not the name of a process", name);
    int result = cgroup_open(path, &to->cgroup, err);
    if (result == 0)
        limits_repeat(path, &zone->limits);
    return result;
}

static int prepare(struct zone *zone, const struct zone_launch *launch, struct preparation *to, struct error *err)
{
    static const struct sandbox strictest;
    const struct sandbox *sandbox = launch->sandbox ? launch->sandbox : &strictest;
    to->rlimit =
        (struct shim_rlimit){.resource = RLIMIT_NOFILE, .soft = launch->open_files, .hard = launch->open_files};
    int result = prepare_hosts(zone, launch, to, err);
    if (result == 0)
        result = prepare_view(zone, launch, sandbox, to, err);
    if (result == 0)
        result = host_filter(zone->host, sandbox->syscalls, &to->filter, &to->filter_count, err);
    return result < 0 ? result : prepare_cgroup(zone, launch, to, err);
}

/* --- the message ----------------------------------------------------------------------------------- */

static void describe(const struct zone_launch *launch, const struct preparation *from, struct shim_start *start)
{
    *start = (struct shim_start){
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
        .stop_signal = (uint32_t)launch->stop_signal,
        .restart = (uint32_t)launch->restart.policy, /* the same numbers: see the assertions below */
        .restart_delay_ms = launch->restart.delay_ms,
        .restart_max_ms = launch->restart.delay_max_ms,
        .process = launch->process,
        .view = from->view,
        .filter = from->filter,
        .filter_count = from->filter_count,
        .rlimits = &from->rlimit,
        .rlimit_count = launch->open_files ? 1 : 0,
        .oom_score = launch->live ? OOM_SCORE_LIVE : OOM_SCORE_OTHER,
        .notify = launch->notify,
        .watchdog_ms = launch->watchdog_ms,
        .deadline_ms = launch->deadline_ms,
        .stdio = launch->stdio != NULL,
        .terminal = launch->terminal,
    };
    _Static_assert((int)RESTART_ALWAYS == SHIM_RESTART_ALWAYS && (int)RESTART_ON_FAILURE == SHIM_RESTART_ON_FAILURE &&
                       (int)RESTART_NO == SHIM_RESTART_NO,
                   "policies have the protocol's numbers");
}

static void describe_listens(const struct zone_launch *launch, struct shim_start *start)
{
    for (size_t i = 0; i < launch->port_count && start->listen_count < SHIM_LISTENS_MAX; i++) {
        const struct port *port = &launch->ports[i];
        if (port->activated)
            start->listens[start->listen_count++] =
                (struct shim_listen){.name = port->name, .protocol = port->protocol, .port = port->target};
    }
}

static bool runs_once(const struct zone_launch *launch)
{
    return launch->deadline_ms || launch->stdio;
}

/* Nobody waits for the answer: see starts.h. */
static int send_only(struct zone *zone, const struct zone_launch *launch, const char *name, const void *message,
                     size_t length, const int *fds, size_t fd_count, struct error *err)
{
    struct channel *channel = &zone->channel;
    struct start unused;
    if (!starts_add(&channel->starts, channel->serial, launch->process, name))
        return error_set(err, EAGAIN, "start %s: %d others are just being started", name, SHIM_PROCESSES_MAX);
    int result = channel_send_files(channel, message, length, fds, fd_count, err);
    if (result < 0)
        starts_take(&channel->starts, channel->serial, &unused);
    return result;
}

/* An older shim does not say which path it was. */
static const char *object_of(const struct zone_launch *launch, const struct shim_state *state)
{
    return state->stage == SHIM_STAGE_WORKDIR                                     ? launch->workdir
           : state->stage == SHIM_STAGE_EXEC || state->stage == SHIM_STAGE_KILLED ? launch->argv.items[0]
                                                                                  : "";
}

static int send_start(struct zone *zone, const struct zone_launch *launch, const char *name,
                      const struct preparation *from, struct error *err)
{
    int fds[4];
    size_t fd_count = 0;
    struct shim_start start;
    struct channel_answer answer;
    CLEANUP_FREE uint8_t *message = malloc(SHIM_MESSAGE_MAX);
    if (!message)
        return error_errno(err, ENOMEM, "start %s", name);
    describe(launch, from, &start);
    describe_listens(launch, &start);
    size_t length = shim_encode_start(&start, channel_serial(&zone->channel), message, SHIM_MESSAGE_MAX);
    if (length == 0)
        return error_set(err, E2BIG,
                         "start %s: command line, environment and [files] are longer than %u bytes together", name,
                         SHIM_MESSAGE_MAX);
    if (from->cgroup >= 0)
        fds[fd_count++] = from->cgroup;
    for (size_t i = 0; i < 3 && launch->stdio; i++)
        fds[fd_count++] = launch->stdio[i];
    if (runs_once(launch))
        return send_only(zone, launch, name, message, length, fds, fd_count, err);
    int result = channel_request(&zone->channel, message, length, fds, fd_count, &answer, err);
    if (result < 0 || answer.type == SHIM_STARTED)
        return result;
    return start_explain(name, answer.type, &answer.state, object_of(launch, &answer.state), err);
}

static bool is_taken(const struct zone *zone, const char *name)
{
    const struct zone_app *process = channel_process(&zone->channel, name);
    return (process && process->pid) || starts_waiting(&zone->channel.starts, name);
}

int zone_start(struct zone *zone, const struct zone_launch *launch, struct error *err)
{
    CLEANUP(cleanup_preparation) struct preparation preparation = {.cgroup = -1};
    char name[WHO_MAX];
    snprintf(name, sizeof name, "%s/%s%s%s", zone->id.app, colour_name(zone->id.colour), launch->process ? " " : "",
             launch->process ? launch->process : "");
    if (zone->frozen) /* it would be frozen before its exec */
        return error_set(err, EBUSY, "start %s: the zone is frozen", name);
    if (runs_once(launch) && is_taken(zone, launch->process))
        return error_set(err, EBUSY, "start %s: it runs already", name);
    int result = prepare(zone, launch, &preparation, err);
    if (result < 0)
        return error_prefix(err, "start %s", name);
    return send_start(zone, launch, name, &preparation, err);
}

bool zone_starting(const struct zone *zone, const char *prefix)
{
    return starts_waiting(&zone->channel.starts, prefix);
}
