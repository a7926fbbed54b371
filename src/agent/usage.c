/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a zone uses, and when the kernel took from it. Figures are kept for a moment: anybody may ask for status, as
 * often as they like, and what the answer costs the kernel must not depend on that. */
#include "agent/usage.h"

#include "agent/agent.h"
#include "agent/bake.h"
#include "agent/canary.h"
#include "agent/drains.h"
#include "agent/incidents.h"
#include "model/memory.h"
#include "model/wire_status.h"
#include "os/log.h"

#include <stdio.h>

enum {
    USAGE_MS = 500, /* between two readings, 50 us each; shorter, and the share of a CPU is noise */
    /* How old a count of connections may be. A zone's sockets take 0.2 ms to 17 ms to count; 70 000 conntrack entries
     * 25 ms. */
    TCP_COUNT_MS = 100,
    TCP_COUNT_MANY_MS = 1000, /* a hundred thousand are counted in some 20 ms */
    MANY = 10000,
    UDP_COUNT_MS = 1000,
    /* For who only looks: the share of the time that counting may take, what it may take at once, and how old a count
     * may become all the same. On a busy host the kernel is slow to count, and each of those who ask in turn would wait
     * for counts that are too old when the next one's turn comes. */
    LOOK_SHARE = 5, /* one in so many */
    LOOK_BURST_MS = 200,
    LOOK_OLD_MS = 5000,
};

/* --- connections ------------------------------------------------------------------------------ */

static bool has_udp(const struct service *service)
{
    for (size_t i = 0; i < service->port_count; i++) {
        if (service->ports[i].protocol == PROTOCOL_UDP)
            return true;
    }
    return false;
}

void usage_count_tcp(struct app_zone *zone)
{
    uint64_t now = loop_now_ms(zone->app->agent->loop);
    if (now - zone->tcp_counted_ms >= (zone->tcp_count < MANY ? TCP_COUNT_MS : TCP_COUNT_MANY_MS)) {
        zone->tcp_count = zone_count_tcp(zone);
        zone->tcp_counted_ms = now;
    }
}

void usage_count_connections(struct app_zone *zone)
{
    uint64_t now = loop_now_ms(zone->app->agent->loop);
    usage_count_tcp(zone);
    if (zone->service && has_udp(zone->service) && now - zone->udp_counted_ms >= UDP_COUNT_MS) {
        traffic_count_udp(zone->app->agent->traffic, zone_number(zone->app->index, zone->colour), &zone->udp_count,
                          NULL);
        zone->udp_counted_ms = now;
    }
}

/* As much of the time that has gone by as is counting's. */
static void earn(struct agent *agent, uint64_t now_ns)
{
    const int64_t most = (int64_t)LOOK_BURST_MS * 1000000;
    uint64_t earned = (now_ns - agent->counting.at_ns) / LOOK_SHARE;
    agent->counting.left_ns =
        earned < (uint64_t)(most - agent->counting.left_ns) ? agent->counting.left_ns + (int64_t)earned : most;
    agent->counting.at_ns = now_ns;
}

void usage_look_at_connections(struct app_zone *zone)
{
    struct agent *agent = zone->app->agent;
    uint64_t began = clock_monotonic_ns();
    earn(agent, began);
    if (agent->counting.left_ns <= 0 && loop_now_ms(agent->loop) - zone->tcp_counted_ms < LOOK_OLD_MS)
        return;
    usage_count_connections(zone);
    agent->counting.left_ns -= (int64_t)(clock_monotonic_ns() - began);
}

/* --- memory, CPU, tasks -------------------------------------------------------------------------- */

static void read_now(struct app_zone *zone, uint64_t now)
{
    struct zone_usage fresh = {0};
    zone_usage(zone->kernel, &fresh);
    uint64_t elapsed = now - zone->usage_ms;
    if (zone->usage_ms && fresh.cpu_known && zone->usage.cpu_known && fresh.cpu_us >= zone->usage.cpu_us && elapsed > 0)
        zone->cpu_permille = (uint32_t)((fresh.cpu_us - zone->usage.cpu_us) / elapsed);
    zone->usage = fresh;
    zone->usage_ms = now;
}

void usage_sample(struct app_zone *zone)
{
    uint64_t now = loop_now_ms(zone->app->agent->loop);
    if (zone->kernel && (!zone->usage_ms || now - zone->usage_ms >= USAGE_MS))
        read_now(zone, now);
}

void usage_begin(struct app_zone *zone)
{
    zone->usage_ms = 0;
    zone->cpu_permille = 0;
    read_now(zone, loop_now_ms(zone->app->agent->loop));
    zone->usage_ms = 0; /* its app may start in a moment: who asks then gets a reading of then */
    zone->ooms = zone->usage;
    if (zone->usage.oom_kills)
        log_warning("%s/%s: memory has run out since the zone was made, and the kernel killed processes of its app",
                    zone->app->name, colour_name(zone->colour));
}

void usage_fill(struct app_zone *zone, struct wire_usage *out)
{
    const struct limits *limits = zone->service ? &zone->service->limits : NULL;
    usage_sample(zone);
    *out = (struct wire_usage){
        .known = zone->usage.known,
        .limits = !zone->unlimited,
        .memory = zone->usage.memory,
        .memory_peak = zone->usage.memory_peak,
        .cpu_us = zone->usage.cpu_us,
        .throttled_us = zone->usage.throttled_us,
        .cpu_permille = zone->cpu_permille,
        .tasks = zone->usage.tasks,
        .oom_kills = zone->usage.oom_kills,
    };
    if (!limits || zone->unlimited)
        return;
    out->memory_limit = limits->memory;
    out->cpu_limit = limits->cpu_permille;
    out->tasks_limit = limits->tasks;
}

/* --- out of memory ------------------------------------------------------------------------------- */

void usage_out_of_memory(struct app_zone *zone)
{
    char limit[MEMORY_SIZE_TEXT_MAX], why[96] = "the host's memory, or a limit above the zone, was used up";
    read_now(zone, loop_now_ms(zone->app->agent->loop));
    bool killed = zone->usage.oom_kills != zone->ooms.oom_kills;
    bool own = zone->usage.memory_limit_hits != zone->ooms.memory_limit_hits;
    zone->ooms = zone->usage;
    if (!killed)
        return;
    if (own && zone->service && zone->service->limits.memory)
        snprintf(why, sizeof why, "[limits] memory = %s was reached",
                 memory_size_text(zone->service->limits.memory, limit));
    /* Not how many: the kernel counts the one that it chose twice when it ends all, and may not be through yet. */
    log_error("%s/%s: memory ran out, and the kernel killed %s: %s", zone->app->name, colour_name(zone->colour),
              zone->release, why);
    incident_record(zone, INCIDENT_MEMORY, "%s", why);
    bake_look(zone);
    canary_look(zone);
}
