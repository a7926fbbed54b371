/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a bake looks at: a zone's figures, from the shim, the cgroup and the network namespace. Apart from bake.c, which
 * decides nothing by how they are come by. */
#include "agent/agent.h"

static uint32_t ends_of(const struct app_zone *zone)
{
    uint32_t ends = 0;
    for (size_t i = 0; i < worker_count(zone); i++) {
        const struct zone_app *about = worker_app(zone, i);
        enum wire_process_state state = zone->workers[i].state;
        if (!about)
            continue;
        bool failed = i == 0 || about->signalled || about->value != 0;
        ends += about->restarts + (state == PROCESS_BACK_OFF || (state == PROCESS_ENDED && failed));
    }
    return ends;
}

void bake_read_figures(struct app_zone *zone, struct bake_figures *figures, struct error *err)
{
    struct zone_counters counters;
    if (!zone->kernel || zone->closing)
        return;
    usage_sample(zone);
    figures->restarts = ends_of(zone);
    if (zone->usage.known) /* a reading that failed is not a zone without kills */
        figures->oom_kills = zone->usage.oom_kills;
    if (zone_counters(zone->kernel, &counters, err) < 0)
        return;
    figures->resets = counters.resets_sent;
    figures->overflows = counters.listen_overflows;
}
