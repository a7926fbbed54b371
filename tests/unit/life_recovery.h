/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For test_life.c: the agent was killed and comes back. What recovery*.c do, and the journal's own compaction. */
#pragma once

#include "life_operations.h"

/* --- a new agent: as recovery*.c ----------------------------------------------------------------------- */

/* Lines that end whole; what a torn write left at the end is cut off. */
static void read_journal(void)
{
    size_t good = 0;
    fold_clear(&folded);
    for (char *end; good < journal_length && (end = memchr(journal + good, '\n', journal_length - good));) {
        struct record read;
        struct error err = {0};
        size_t length = (size_t)(end - journal) - good;
        if (record_parse(journal + good, length, &read, &err) < 0 || fold_add(&folded, &read, &err) < 0) {
            breaks("the journal cannot be read again: %s", err.text);
            return;
        }
        good += length + 1;
    }
    journal_length = good;
}

static void restore(const struct folded_app *app)
{
    world.indexed = app != NULL;
    world.state = app ? app->state : APP_EMPTY;
    world.live = app ? app->live : -1;
    world.schema = app ? app->schema : (struct schema){0};
    for (int colour = 0; colour < COLOURS; colour++) {
        struct zone_model *zone = &world.zones[colour];
        zone->state = app ? app->zones[colour].state : ZONE_ABSENT;
        zone->mark = app ? app->zones[colour].mark : MARK_NONE;
        zone->release =
            app && app->zones[colour].release[0] ? (unsigned)strtoul(app->zones[colour].release + 1, NULL, 10) : 0;
    }
}

static bool is_kept(enum zone_state state)
{
    return state == ZONE_LIVE || state == ZONE_DRAINING || state == ZONE_STANDBY || state == ZONE_FROZEN ||
           state == ZONE_HEALTHY || state == ZONE_UNHEALTHY;
}

static void correct(enum colour colour, enum zone_state state)
{
    if (world.zones[colour].state == state)
        return;
    world.zones[colour].state = state;
    record_zone_model(colour);
}

static void finish_switch(enum colour to)
{
    world.live = to;
    world.state = APP_RUNNING;
    record_live_model();
    record_state_model();
}

static void finish_withdrawal(enum wire_verb verb)
{
    world.withdrawn = true;
    if (verb == VERB_STOP)
        world.state = APP_STOPPED;
    for (int colour = 0; colour < COLOURS; colour++) {
        enum zone_state state = world.zones[colour].state;
        bool keep = verb == VERB_STOP && (state == ZONE_LIVE || state == ZONE_STANDBY || state == ZONE_DRAINING ||
                                          state == ZONE_FROZEN || state == ZONE_STOPPED);
        world.zones[colour].state = keep ? ZONE_STOPPED : state == ZONE_FAILED ? ZONE_FAILED : ZONE_ABSENT;
        record_zone_model((enum colour)colour);
    }
    if (verb == VERB_STOP) {
        record_state_model();
        return;
    }
    struct record made = begin_record(RECORD_REMOVED);
    record(&made);
    restore(NULL);
}

static bool can_switch(enum wire_verb verb)
{
    return verb == VERB_DEPLOY || verb == VERB_SWITCH || verb == VERB_ROLLBACK || verb == VERB_START ||
           verb == VERB_FAILOVER;
}

static bool resume_rehearsal(void)
{
    struct operation_model *operation = &world.operation;
    bool there = world.state == APP_RUNNING && operation->from >= 0 &&
                 (world.kernel_live == (int)operation->target ||
                  (world.kernel_live < 0 && world.live == (int)operation->target));
    if (operation->verb != VERB_REHEARSE || !there || !is_kept(world.zones[operation->from].state))
        return false;
    if (world.live != (int)operation->target)
        finish_switch(operation->target);
    for (operation->plan = plan_of(VERB_REHEARSE); operation->plan[operation->at] != STEP_REHEARSE;)
        operation->at++;
    operation->switched = true;
    return true;
}

static void undo_staging(enum colour target)
{
    enum zone_state state = world.zones[target].state;
    bool was_staged =
        state == ZONE_STAGING || state == ZONE_STARTING || state == ZONE_HEALTHY || state == ZONE_UNHEALTHY;
    if (was_staged && (int)target != world.live)
        correct(target, ZONE_FAILED);
}

static void resolve_operation(void)
{
    struct operation_model *operation = &world.operation;
    enum colour target = operation->target;
    if (resume_rehearsal())
        return;
    bool recorded = world.live == (int)target && world.state == APP_RUNNING;
    bool switched = can_switch(operation->verb) && (world.kernel_live == (int)target || recorded);
    if (switched)
        finish_switch(target);
    else if (plan_undoes_staging(operation->verb))
        undo_staging(target);
    if (switched && operation->verb == VERB_FAILOVER && operation->from >= 0)
        set_mark_model((enum colour)operation->from, MARK_LEFT);
    bool withdraws = operation->verb == VERB_STOP || operation->verb == VERB_REMOVE;
    if (withdraws)
        finish_withdrawal(operation->verb);
    bool schema_done = operation->verb == VERB_SCHEMA && schema_completed_since(&world.schema, operation->begun);
    record_operation(RECORD_END, switched || withdraws || schema_done);
}

static void correct_zones(void)
{
    for (int colour = 0; colour < COLOURS; colour++) {
        struct zone_model *zone = &world.zones[colour];
        if (world.state == APP_RUNNING && colour == world.live)
            correct((enum colour)colour, ZONE_LIVE);
        else if (zone->state == ZONE_LIVE && world.state == APP_RUNNING)
            correct((enum colour)colour, ZONE_DRAINING);
        else if (world.state == APP_STOPPED && is_kept(zone->state))
            correct((enum colour)colour, ZONE_STOPPED);
    }
}

static void adopt(enum colour colour)
{
    struct zone_model *zone = &world.zones[colour];
    if (!is_kept(zone->state))
        zone->exists = false;
    else if (!zone->exists && staged(zone))
        correct(colour, ZONE_FAILED);
    bool stopped_by_half = zone->state == ZONE_STOPPED && world.state == APP_RUNNING;
    if (stopped_by_half || (is_kept(zone->state) && !zone->exists))
        change(colour, CHANGE_RESTORE);
}

static void recover(void)
{
    int served = world.kernel_live;
    read_journal();
    const struct folded_app *app = fold_find(&folded, "web");
    world.operation = (struct operation_model){0};
    restore(app);
    schema_gives_up("the agent ended while it ran");
    if (app && app->interrupted) {
        world.operation = (struct operation_model){.verb = app->operation.verb,
                                                   .target = (enum colour)app->operation.to,
                                                   .from = app->operation.from,
                                                   .begun = app->operation.unix_ms};
        seen.recovered[world.operation.verb]++;
        resolve_operation();
    }
    if (world.state == APP_RUNNING && world.kernel_live >= 0 && world.kernel_live != world.live &&
        is_kept(world.zones[world.kernel_live].state))
        finish_switch((enum colour)world.kernel_live);
    correct_zones();
    adopt(BLUE);
    adopt(GREEN);
    world.kernel_live = world.state == APP_RUNNING ? world.live : -1;
    if (world.kernel_live != served && !world.withdrawn)
        breaks("recovery alone changes what is live: from %s to %s", served < 0 ? "none" : colour_name(served),
               world.kernel_live < 0 ? "none" : colour_name((enum colour)world.kernel_live));
}

/* As the journal does by itself from time to time. */
static int keep_record(void *context, struct record *kept)
{
    struct text *text = context;
    kept->sequence = ++folded.last_sequence;
    record_format(kept, text);
    return 0;
}

static void compact(void)
{
    CLEANUP_TEXT struct text text = {0};
    struct fold before = {0};
    assert_int_equal(fold_copy(&before, &folded), 0);
    fold_snapshot(&before, keep_record, &text);
    journal_length = 0;
    append(text.data ? text.data : "", text.length);
    fold_clear(&before);
    read_journal();
}
