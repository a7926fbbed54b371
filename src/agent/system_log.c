/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The history's events in the system's journal, each with its fields, for whoever gathers and watches those. The
 * agent's own journal says what there is to tell; what it cannot take because the disk is full goes here all the same.
 */
#include "agent/system_log.h"

#include "agent/agent.h"
#include "os/log.h"

#include <inttypes.h>
#include <stdio.h>

enum told_event {
    TOLD_BEGUN,
    TOLD_ENDED,
    TOLD_NOT_DONE,
    TOLD_INCIDENT,
    TOLD_BAKE_BREACH,
    TOLD_FAILED_OVER,
    TOLD_LOCKED,
    TOLD_UNLOCKED,
    TOLD_SERVED_UNTIL,
    TOLD_EVENTS
};

/* bluegreend(8) has the same list: whoever looks for them goes by these. */
static const struct {
    const char *message_id;
    enum log_level priority;
} events[TOLD_EVENTS] = {
    [TOLD_BEGUN] = {"0e56998abbe34ec187a669fddc990094", LOG_LEVEL_INFO},
    [TOLD_ENDED] = {"c6515ca532fc40e887fece27c2982fec", LOG_LEVEL_NOTICE},
    [TOLD_NOT_DONE] = {"c5cdc5dce4d1487fa6de9fc4b2b57a76", LOG_LEVEL_WARNING},
    [TOLD_INCIDENT] = {"f585756567b345c5ac05d0a8395d89dc", LOG_LEVEL_WARNING},
    [TOLD_BAKE_BREACH] = {"187bd7d9684f495db51a2340c25bc209", LOG_LEVEL_ERROR},
    [TOLD_FAILED_OVER] = {"8b33ab2c68d9477390a07805ec9f2b3c", LOG_LEVEL_ERROR},
    [TOLD_LOCKED] = {"3e5f8f0bcd9e40ce994032fd0f93caad", LOG_LEVEL_NOTICE},
    [TOLD_UNLOCKED] = {"66b9befb3777453bba6fe6b24500a599", LOG_LEVEL_NOTICE},
    [TOLD_SERVED_UNTIL] = {"9823be31a73e477a9dc0ef2877efa908", LOG_LEVEL_INFO},
};

static bool event_of(const struct record *record, enum told_event *event)
{
    switch (record->kind) {
    case RECORD_BEGIN: *event = TOLD_BEGUN; return true;
    case RECORD_END:
        *event = !record->done ? TOLD_NOT_DONE : record->verb == VERB_FAILOVER ? TOLD_FAILED_OVER : TOLD_ENDED;
        return true;
    case RECORD_INCIDENT: *event = record->incident == INCIDENT_BREACH ? TOLD_BAKE_BREACH : TOLD_INCIDENT; return true;
    case RECORD_LOCK: *event = record->begun_unix_ms ? TOLD_LOCKED : TOLD_UNLOCKED; return true;
    case RECORD_SERVED: *event = TOLD_SERVED_UNTIL; return true;
    default: return false;
    }
}

static uint64_t duration_of(const struct record *record)
{
    uint64_t now = clock_unix_ms(); /* the record may not have its own time */
    return record->begun_unix_ms && now > record->begun_unix_ms ? now - record->begun_unix_ms : 0;
}

static void add_message(const struct record *record, enum told_event event, struct text *entry)
{
    char text[1024];
    const char *verb = verb_name(record->verb), *colon = record->reason[0] ? ": " : "";
    switch (event) {
    case TOLD_BEGUN:
        snprintf(text, sizeof text, "%s: %s %s begins, asked for by %s", record->app, verb, record->release,
                 record->who);
        break;
    case TOLD_ENDED:
    case TOLD_FAILED_OVER:
        snprintf(text, sizeof text, "%s: %s %s is done in %" PRIu64 " ms, asked for by %s%s%s", record->app, verb,
                 record->release, duration_of(record), record->who, colon, record->reason);
        break;
    case TOLD_NOT_DONE:
        snprintf(text, sizeof text, "%s: %s %s failed%s%s", record->app, verb, record->release, colon, record->reason);
        break;
    case TOLD_INCIDENT:
    case TOLD_BAKE_BREACH:
        snprintf(text, sizeof text, "%s: %s %s%s%s", record->app, record->release, incident_name(record->incident),
                 colon, record->reason);
        break;
    case TOLD_LOCKED:
    case TOLD_UNLOCKED:
        snprintf(text, sizeof text, "%s: %s by %s%s%s", record->app, event == TOLD_LOCKED ? "locked" : "unlocked",
                 record->who[0] ? record->who : "an operator", colon, record->reason);
        break;
    case TOLD_SERVED_UNTIL:
    case TOLD_EVENTS:
        snprintf(text, sizeof text, "%s: %s was live for %" PRIu64 " s and served %" PRId64 " connections", record->app,
                 record->release, duration_of(record) / 1000, record->connections);
        break;
    }
    system_journal_field(entry, "MESSAGE", text);
}

static void add_number(struct text *entry, const char *name, uint64_t number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, number);
    system_journal_field(entry, name, digits);
}

static void add_zone(struct text *entry, const char *name, int zone)
{
    if (zone >= 0)
        system_journal_field(entry, name, colour_name((enum colour)zone));
}

static void add_if_any(struct text *entry, const char *name, const char *value)
{
    if (value[0])
        system_journal_field(entry, name, value);
}

static void add_operation(const struct record *record, struct text *entry)
{
    system_journal_field(entry, "BLUEGREEN_VERB", verb_name(record->verb));
    add_zone(entry, "BLUEGREEN_FROM", record->from);
    add_zone(entry, "BLUEGREEN_TO", record->to);
    add_number(entry, "BLUEGREEN_OPERATION", record->operation ? record->operation : record->sequence);
    if (record->kind == RECORD_BEGIN)
        return;
    system_journal_field(entry, "BLUEGREEN_RESULT", record->done ? "done" : "failed");
    add_number(entry, "BLUEGREEN_DURATION_MS", duration_of(record));
    add_if_any(entry, "BLUEGREEN_STEPS", record->steps);
    if (record->transaction_us)
        add_number(entry, "BLUEGREEN_TRANSACTION_US", record->transaction_us);
}

static void add_served(const struct record *record, struct text *entry)
{
    add_number(entry, "BLUEGREEN_DURATION_MS", duration_of(record));
    add_number(entry, "BLUEGREEN_CONNECTIONS", (uint64_t)record->connections);
    add_number(entry, "BLUEGREEN_DATAGRAMS", (uint64_t)record->datagrams);
    if (record->requests_known)
        add_number(entry, "BLUEGREEN_REQUESTS", record->requests);
    if (record->operation)
        add_number(entry, "BLUEGREEN_OPERATION", record->operation);
}

void system_log_record(struct agent *agent, const struct record *record)
{
    CLEANUP_TEXT struct text entry = {0};
    enum told_event event;
    if (!event_of(record, &event))
        return;
    add_message(record, event, &entry);
    system_journal_field(&entry, "MESSAGE_ID", events[event].message_id);
    add_number(&entry, "PRIORITY", (uint64_t)events[event].priority);
    system_journal_field(&entry, "SYSLOG_IDENTIFIER", "bluegreen-history");
    system_journal_field(&entry, "BLUEGREEN_APP", record->app);
    add_if_any(&entry, "BLUEGREEN_RELEASE", record->release);
    add_if_any(&entry, "BLUEGREEN_WHO", record->who);
    add_if_any(&entry, "BLUEGREEN_REASON", record->reason);
    add_zone(&entry, "BLUEGREEN_ZONE", record->zone);
    if (record->kind == RECORD_BEGIN || record->kind == RECORD_END)
        add_operation(record, &entry);
    else if (record->kind == RECORD_INCIDENT)
        system_journal_field(&entry, "BLUEGREEN_INCIDENT", incident_name(record->incident));
    else if (record->kind == RECORD_SERVED)
        add_served(record, &entry);
    system_journal_send(&agent->system_journal, &entry);
}
