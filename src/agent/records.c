/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the journal is told, and when it cannot be. */
#include "agent/records.h"

#include "agent/agent.h"
#include "agent/canary.h"
#include "agent/drains.h"
#include "agent/hooks.h"
#include "agent/serving.h"
#include "agent/system_log.h"
#include "journal/journal.h"
#include "model/wire_answers.h"
#include "os/log.h"

#include <string.h>

enum { JOURNAL_AGAIN_MS = 5000 };

/* After a time without a journal: as things are now, whatever happened meanwhile. Stops at the first failure. Who is
 * live comes first: what is live in the journal's eyes cannot drain. */
static void record_everything(struct agent *agent)
{
    struct app *app;
    list_for_each(app, &agent->apps, link)
    {
        if (app->indexed && app->live >= 0 && !agent->journal_broken)
            record_live(app, NULL);
        for (int colour = 0; colour < COLOURS && app->indexed && !agent->journal_broken; colour++) {
            record_zone(&app->zones[colour]);
            record_mark(&app->zones[colour]);
        }
        if (app->indexed && !agent->journal_broken)
            record_app_state(app, NULL);
        if (app->indexed && !agent->journal_broken)
            record_bake(app);
        if (app->indexed && !agent->journal_broken)
            canary_record(app);
        if (app->indexed && !agent->journal_broken)
            serving_record(app);
        if (app->indexed && schema_known(&app->schema) && !agent->journal_broken)
            record_schema(app, NULL);
    }
}

/* What was not recorded must be before the host's next reboot, also if nobody asks for anything else: any record will
 * do, the others follow the first that succeeds. */
static void on_journal_timer(void *context)
{
    struct agent *agent = context;
    struct app *app;
    list_for_each(app, &agent->apps, link)
    {
        if (!app->indexed)
            continue;
        record_app_state(app, NULL);
        return;
    }
}

static void watch_journal(struct agent *agent)
{
    if (!agent->journal_timer)
        agent->journal_timer = loop_timer_new(agent->loop, on_journal_timer, agent);
    if (agent->journal_timer)
        loop_timer_arm(agent->journal_timer, JOURNAL_AGAIN_MS);
}

int agent_record(struct agent *agent, struct record *record, struct error *err)
{
    struct error why = {0};
    bool was_broken = agent->journal_broken;
    int result = journal_append(agent->journal, record, &why);
    system_log_record(agent, record);
    if (result < 0 && !was_broken)
        log_error("the journal cannot be written: %s; rollback still works, everything else is refused until it can",
                  why.text);
    agent->journal_broken = result < 0;
    if (result < 0) {
        watch_journal(agent);
    } else if (was_broken) {
        log_notice("the journal can be written again");
        record_everything(agent);
    }
    if (result < 0 && err)
        *err = why;
    return result;
}

void record_zone(struct app_zone *zone)
{
    struct record record;
    record_init(&record, RECORD_ZONE, zone->app->name);
    record.zone = (int8_t)zone->colour;
    record.state = zone->state;
    text_copy(record.release, sizeof record.release, zone->release);
    text_copy(record.reason, sizeof record.reason, zone->reason);
    if (zone->state == ZONE_DRAINING && drain_runs(zone))
        drain_tell(zone, &record);
    agent_record(zone->app->agent, &record, NULL);
}

int record_live(struct app *app, struct error *err)
{
    struct record record;
    record_init(&record, RECORD_LIVE, app->name);
    record.zone = (int8_t)app->live;
    return agent_record(app->agent, &record, err);
}

int record_app(struct app *app, struct error *err)
{
    if (app->indexed)
        return 0;
    struct record record;
    record_init(&record, RECORD_APP, app->name);
    record.index = app->index;
    int result = agent_record(app->agent, &record, err);
    app->indexed = result == 0;
    return result;
}

int record_app_state(struct app *app, struct error *err)
{
    struct record record;
    record_init(&record, RECORD_APP_STATE, app->name);
    record.app_state = app->state;
    return agent_record(app->agent, &record, err);
}

static void fill_operation(struct app *app, struct record *record)
{
    const struct operation *operation = &app->operation;
    record->verb = operation->verb;
    record->from = (int8_t)operation->from;
    record->to = (int8_t)operation->target;
    text_copy(record->release, sizeof record->release, operation->release);
    text_copy(record->who, sizeof record->who, operation->who);
}

int record_begin(struct app *app, struct error *err)
{
    struct record record;
    record_init(&record, RECORD_BEGIN, app->name);
    fill_operation(app, &record);
    int result = agent_record(app->agent, &record, err);
    app->operation.number = record.sequence;
    return result;
}

static void fill_receipt(const struct operation *operation, struct record *record)
{
    const struct wire_receipt *receipt = &operation->receipt;
    record->operation = operation->number;
    text_copy(record->steps, sizeof record->steps, operation->steps);
    if (!operation->switched && !receipt->transaction_us) /* a canary has no switch, and yet a transaction */
        return;
    record->transaction_us = receipt->transaction_us ? receipt->transaction_us : 1;
    record->generation_before = receipt->generation_before;
    record->generation_after = receipt->generation_after;
}

void record_end(struct app *app, bool done, const char *reason)
{
    struct record record;
    record_init(&record, RECORD_END, app->name);
    fill_operation(app, &record);
    fill_receipt(&app->operation, &record);
    record.begun_unix_ms = app->operation.begun_unix_ms;
    record.ms = clock_monotonic_ms() - app->operation.begun_ms;
    record.done = done;
    text_copy(record.reason, sizeof record.reason,
              reason                     ? reason
              : app->operation.reason[0] ? app->operation.reason
                                         : app->operation.parity);
    for (char *newline = record.reason; (newline = strchr(newline, '\n'));)
        *newline = ' ';
    text_sanitise(record.reason);
    agent_record(app->agent, &record, NULL);
}

void record_bake(struct app *app)
{
    const struct bake_run *bake = &app->bake;
    struct record record;
    record_init(&record, RECORD_BAKE, app->name);
    record.zone = (int8_t)bake->zone;
    if (bake->on) {
        record.until_unix_ms = bake->until_unix_ms;
        record.restarts = bake->watching.base.restarts;
        record.oom_kills = bake->watching.base.oom_kills;
        record.overflows = bake->watching.base.overflows;
        text_copy(record.reason, sizeof record.reason, bake->breach);
    }
    agent_record(app->agent, &record, NULL);
}

int record_schema(struct app *app, struct error *err)
{
    struct record record;
    record_of_schema(&record, app->name, &app->schema);
    return agent_record(app->agent, &record, err);
}

void record_mark(struct app_zone *zone)
{
    struct record record;
    record_init(&record, RECORD_MARK, zone->app->name);
    record.zone = (int8_t)zone->colour;
    record.mark = zone->mark;
    text_copy(record.reason, sizeof record.reason, zone->mark_reason);
    agent_record(zone->app->agent, &record, NULL);
}

void record_hook(struct app_zone *zone, enum hook hook, uint64_t operation, uint64_t ms,
                 const struct hook_result *result)
{
    CLEANUP_TEXT struct text output = {0};
    struct record record;
    record_init(&record, RECORD_HOOK, zone->app->name);
    record.zone = (int8_t)zone->colour;
    record.hook = hook;
    record.operation = operation;
    record.done = result->ok;
    record.ms = ms;
    text_copy(record.release, sizeof record.release, zone->release);
    text_copy(record.reason, sizeof record.reason, result->text);
    record_encode_output(result->output, &output);
    if (!output.failed && output.data) { /* without memory for it the rest must do */
        record.output = output.data;
        record.output_length = output.length;
    }
    agent_record(zone->app->agent, &record, NULL);
}

void record_drained(struct app_zone *zone, uint64_t operation, uint32_t cut, uint32_t left)
{
    const struct drain *drain = &zone->drain;
    struct record record;
    record_init(&record, RECORD_DRAINED, zone->app->name);
    record.zone = (int8_t)zone->colour;
    record.operation = operation;
    record.drained_unknown = drain->resumed;
    record.drained = drain->resumed ? 0 : drain->receipt.drained;
    record.cut = cut;
    record.left = left;
    record.nudged = drain->resumed ? 0 : drain->receipt.nudged;
    record.ms = clock_monotonic_ms() - drain->begun_ms;
    agent_record(zone->app->agent, &record, NULL);
}
