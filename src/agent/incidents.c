/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happened that nobody asked for, in the journal: few enough to be read. */
#include "agent/incidents.h"

#include "agent/agent.h"
#include "agent/records.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { APART_MS = 60000 };

void incident_record(struct app_zone *zone, enum incident incident, const char *format, ...)
{
    struct incident_log *known = &zone->incidents[incident];
    uint64_t now = loop_now_ms(zone->app->agent->loop);
    if (!zone->app->indexed)
        return;
    if (known->recorded_ms && now - known->recorded_ms < APART_MS) {
        known->unrecorded++;
        return;
    }
    struct record record;
    record_init(&record, RECORD_INCIDENT, zone->app->name);
    record.zone = (int8_t)zone->colour;
    record.incident = incident;
    text_copy(record.release, sizeof record.release, zone->release);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(record.reason, sizeof record.reason, format, arguments);
    va_end(arguments);
    size_t used = strlen(record.reason);
    if (known->unrecorded)
        snprintf(record.reason + used, sizeof record.reason - used, " (and %u more since the last one)",
                 known->unrecorded);
    text_sanitise(record.reason);
    agent_record(zone->app->agent, &record, NULL);
    *known = (struct incident_log){.recorded_ms = now};
}
