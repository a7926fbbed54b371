/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone that is there: its processes stopped, frozen, limited and listened to, and what the handle knows. Starting
 * them is zone_start.c. */
#include "zone/zone.h"

#include "base/cleanup.h"
#include "zone/freezer.h"
#include "zone/handle.h"
#include "zone/limits.h"
#include "zone/netns.h"
#include "zone/plug.h"
#include "zone/usage.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- stopping and freezing ------------------------------------------------------------------------- */

int zone_stop(struct zone *zone, const char *process, struct error *err)
{
    uint32_t message[SHIM_ANSWER_MAX / sizeof(uint32_t)];
    if (zone->frozen) /* who is frozen cannot end gracefully; whom the kernel does not let go on is killed in time */
        zone_freeze(zone, false, NULL);
    size_t length = shim_encode_stop(process, channel_serial(&zone->channel), message, sizeof message);
    return channel_send(&zone->channel, message, length, err);
}

static int tell_frozen(struct zone *zone, bool frozen, struct error *err)
{
    const struct shim_set set = {.has_frozen = true, .frozen = frozen};
    return channel_set(&zone->channel, &set, err);
}

/* The shim is told first and last: its watchdog must not bite who cannot answer. */
int zone_freeze(struct zone *zone, bool frozen, struct error *err)
{
    if (!zone->payload)
        return error_set(err, EOPNOTSUPP, "freeze %s/%s: that takes cgroup v2, which this host has no use of",
                         zone->id.app, colour_name(zone->id.colour));
    if (zone->frozen == frozen)
        return 0;
    int result = frozen ? tell_frozen(zone, true, err) : 0;
    if (result == 0)
        result = freezer_set(zone->payload, frozen, err);
    zone->frozen = freezer_get(zone->payload);
    if (!zone->frozen) {
        int told = tell_frozen(zone, false, result == 0 ? err : NULL);
        result = result == 0 ? told : result;
    }
    if (result == 0)
        return 0;
    return error_prefix(err, "%s %s/%s", frozen ? "freeze" : "thaw", zone->id.app, colour_name(zone->id.colour));
}

int zone_set_live(struct zone *zone, bool live, struct error *err)
{
    int score = live ? OOM_SCORE_LIVE : OOM_SCORE_OTHER;
    const struct shim_set set = {.has_oom_score = true, .oom_score = (uint32_t)score};
    int result = channel_set(&zone->channel, &set, err); /* first: who is started meanwhile has it already */
    return result < 0 || !zone->payload ? result : oom_score_set(zone->payload, score, err);
}

/* --- the plug -------------------------------------------------------------------------------------- */

static struct plug plug_of(const struct zone *zone)
{
    return (struct plug){.number = zone->id.number,
                         .addresses = &zone->addresses,
                         .ipv6 = zone->host->ipv6,
                         .netns = zone->network.netns};
}

int zone_plug(struct zone *zone, struct error *err)
{
    const struct plug plug = plug_of(zone);
    return plug_in(&plug, err);
}

int zone_unplug(struct zone *zone, struct error *err)
{
    const struct plug plug = plug_of(zone);
    return plug_out(&plug, err);
}

bool zone_plugged(const struct zone_host *host, const struct zone_id *id)
{
    struct zone_addresses addresses;
    struct error unused;
    bool is_in = false;
    if (address_plan(&host->pools, id->number, &addresses, &unused) < 0)
        return false;
    const struct plug plug = {.number = id->number, .addresses = &addresses, .ipv6 = host->ipv6, .netns = -1};
    return plug_look(&plug, &is_in, &unused) == 0 && is_in;
}

/* --- connections that rest -------------------------------------------------------------------------- */

int zone_nudge(struct zone *zone, const struct shim_socket *sockets, size_t count, uint32_t idle_ms, struct error *err)
{
    uint32_t message[(SHIM_SOCKETS_MAX * sizeof *sockets + SHIM_ANSWER_MAX) / sizeof(uint32_t)];
    const struct shim_nudge nudge = {.sockets = sockets, .count = count, .idle_ms = idle_ms};
    if (!zone->channel.can_nudge)
        return error_set(err, EOPNOTSUPP,
                         "the zone was started by an older bluegreen, which cannot end connections that rest");
    size_t length = shim_encode_nudge(&nudge, channel_serial(&zone->channel), message, sizeof message);
    return channel_send(&zone->channel, message, length, err);
}

uint32_t zone_nudged(const struct zone *zone)
{
    return zone->channel.nudged;
}

/* --- limits and figures ---------------------------------------------------------------------------- */

static int repeat_limits(const char *path, void *context)
{
    const struct zone *zone = context;
    if (strcmp(path, zone->payload) != 0)
        limits_repeat(path, &zone->limits);
    return 0;
}

int zone_limit(struct zone *zone, const struct limits *limits, struct error *err)
{
    zone->limits = *limits;
    if (!zone->payload)
        return limits_need_cgroups(limits)
                   ? error_set(err, EOPNOTSUPP,
                               "[limits] this host has no cgroup v2 for zones; boot it with cgroup v2 alone "
                               "(systemd.unified_cgroup_hierarchy=1), or set required = no to run without limits")
                   : 0;
    /* Where processes compete by weight only, a directory for each would change their shares for nothing. */
    if (limits->cpu_permille)
        controllers_enable(zone->payload, CONTROLLER_CPU);
    int result = limits_set(zone->payload, limits, err);
    cgroup_walk(zone->payload, repeat_limits, zone);
    return result;
}

void zone_usage(struct zone *zone, struct zone_usage *usage)
{
    usage_read(zone->payload, zone->channel.shim_pid, usage);
}

/* In its run directory. */
static const char own_file[] = "own-connections";

int zone_counters(struct zone *zone, struct zone_counters *counters, struct error *err)
{
    char path[PATH_MAX];
    int result = counters_read(&zone->counters, zone->network.netns, counters, err);
    if (result < 0 || !zone_run_path(zone->host, &zone->id, own_file, path))
        return result;
    uint64_t own = counters_own(path, 0);
    counters->connections = counters->connections > own ? counters->connections - own : 0;
    return 0;
}

void zone_count_own(const struct zone *zone, uint32_t connections)
{
    char path[PATH_MAX];
    if (zone_run_path(zone->host, &zone->id, own_file, path))
        counters_own(path, connections);
}

/* --- listening ------------------------------------------------------------------------------------- */

/* True once for each time that memory ran out. All of an app is killed then, process by process: the group's count
 * tells one time from the next. Where the kernel does not count groups, or a cgroup above ours was the group, the end
 * of a process is awaited, when most of the killing is over. */
static bool memory_ran_out(struct zone *zone, bool ending)
{
    struct oom_count now;
    if (zone->memory_events < 0)
        return false;
    if (!oom_read(zone->memory_events, &now)) {
        close_fd(&zone->memory_events);
        return false;
    }
    if (now.groups == 0 && !ending)
        return false;
    bool more = now.groups > zone->oom.groups || (now.groups == 0 && now.kills > zone->oom.kills);
    zone->oom = now;
    return more;
}

enum zone_event zone_receive(struct zone *zone, struct zone_app *about)
{
    struct zone_app told;
    enum zone_event event = channel_receive(&zone->channel, &told);
    bool ending = event == ZONE_EVENT_EXITED || event == ZONE_EVENT_STOPPED || event == ZONE_EVENT_ENDED;
    if ((ending || event == ZONE_EVENT_NONE) && memory_ran_out(zone, ending)) {
        if (ending) /* the reason before what came of it */
            event_queue_put_back(&zone->channel.queue, event, &told);
        event = ZONE_EVENT_OOM;
        told = zone->channel.app;
    }
    if (about)
        *about = told;
    return event;
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

const struct zone_app *zone_app(const struct zone *zone)
{
    return &zone->channel.app;
}

const struct zone_app *zone_processes(const struct zone *zone, size_t *count)
{
    *count = zone->channel.other_count;
    return zone->channel.others;
}

const struct zone_app *zone_process(const struct zone *zone, const char *name)
{
    return channel_process(&zone->channel, name);
}

bool zone_frozen(const struct zone *zone)
{
    return zone->frozen;
}
