/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For test_life.c: operations, step by step by their tables; who may begin one, as admission.c, failover.c and bake.c
 * say; and what happens to an app by itself. */
#pragma once

#include "life_schema.h"

/* --- operations ------------------------------------------------------------------------------------- */

static void step_enter(void);

static void operation_end(bool done)
{
    struct operation_model *operation = &world.operation;
    enum colour target = operation->target, other = colour_other(target);
    if (!done && !operation->switched && operation->staged && plan_undoes_staging(operation->verb))
        change(target, CHANGE_BREAK);
    else if (!done && !operation->switched && operation->verb == VERB_START)
        change(target, CHANGE_HALT);
    if (!done)
        schema_gives_up("it failed");
    record_operation(RECORD_END, done);
    (done ? seen.done : seen.undone)[operation->verb]++;
    if (done && operation->verb == VERB_START && world.zones[other].state == ZONE_STOPPED)
        change(other, CHANGE_RESTORE);
    operation->plan = NULL;
}

static void advance(void)
{
    static const struct plan_choice all = {.stop_after = STEP_IDLE};
    struct operation_model *operation = &world.operation;
    if (operation->plan[operation->at] == STEP_SWITCH && operation->from >= 0) {
        if (operation->verb == VERB_FAILOVER)
            set_mark_model((enum colour)operation->from, MARK_LEFT);
        else if (operation->new_release && world.zones[operation->from].mark == MARK_LEFT)
            set_mark_model((enum colour)operation->from, MARK_NONE);
    }
    schema_step_done(operation->plan[operation->at]);
    operation->at = plan_next(operation->plan, operation->at, &all);
    if (operation->plan[operation->at] == STEP_IDLE)
        operation_end(true);
    else
        step_enter();
}

static void step_event(enum step_event event)
{
    if (!world.operation.plan)
        return;
    switch (step_transition(world.operation.plan[world.operation.at], event)) {
    case MOVE_NEXT: advance(); break;
    case MOVE_FAIL: operation_end(false); break;
    case MOVE_STAY:
    case MOVE_REFUSE: break;
    }
}

/* The one place where what clients reach changes while an operation runs. */
static void transaction(enum colour to)
{
    struct operation_model *operation = &world.operation;
    const struct zone_model *zone = &world.zones[to];
    if (!zone->exists)
        breaks("%s switches to %s, which is not there", verb_name(operation->verb), colour_name(to));
    if (zone->sick && !operation->force && operation->verb != VERB_REHEARSE && zone->state != ZONE_LIVE)
        breaks("%s switches to %s, which is not healthy", verb_name(operation->verb), colour_name(to));
    if (zone->mark != MARK_NONE && operation->by_agent)
        breaks("the agent switches to %s, which is %s", colour_name(to), zone_mark_name(zone->mark));
    if (!schema_lets_run(to))
        breaks("%s switches to %s, which cannot run on the schema", verb_name(operation->verb), colour_name(to));
    int from = world.live;
    bool was_running = world.state == APP_RUNNING;
    world.kernel_live = to;
    world.live = to;
    world.state = APP_RUNNING;
    world.was_live = true;
    world.withdrawn = false;
    operation->switched = true;
    record_live_model();
    if (!was_running)
        record_state_model();
    if (zone->state != ZONE_LIVE)
        change(to, CHANGE_GAIN);
    if (was_running && from >= 0 && from != (int)to)
        change((enum colour)from, CHANGE_LOSE);
}

static void enter_gate(void)
{
    struct zone_model *target = &world.zones[world.operation.target];
    if (target->state == ZONE_FROZEN)
        change(world.operation.target, CHANGE_THAW);
    if (world.operation.force || !target->sick)
        step_event(EVENT_GOOD);
    else
        step_event(EVENT_BAD);
}

static void enter_unpublish(void)
{
    world.kernel_live = -1;
    world.withdrawn = true;
    if (world.operation.verb == VERB_STOP) {
        world.state = APP_STOPPED;
        record_state_model();
    }
    step_event(EVENT_DONE);
}

static void enter_halt(void)
{
    for (int colour = 0; colour < COLOURS; colour++)
        change((enum colour)colour, world.operation.verb == VERB_REMOVE ? CHANGE_REMOVE : CHANGE_HALT);
}

static void enter_build(void)
{
    struct operation_model *operation = &world.operation;
    struct zone_model *target = &world.zones[operation->target];
    operation->staged = true;
    target->release = ++world.releases;
    target->needs = operation->needs;
    change(operation->target, CHANGE_STAGE);
    target->exists = true;
    target->sick = false;
    step_event(EVENT_DONE);
}

static void enter_forget(void)
{
    struct record made = begin_record(RECORD_REMOVED);
    record(&made);
    world.indexed = false;
    world.live = -1;
    world.state = APP_EMPTY;
    world.schema = (struct schema){0};
    for (int colour = 0; colour < COLOURS; colour++)
        world.zones[colour].release = 0;
    step_event(EVENT_DONE);
}

/* What a step does at once; the others wait for STEP_GOES_ON. */
static void step_enter(void)
{
    struct operation_model *operation = &world.operation;
    enum colour target = operation->target;
    switch (operation->plan[operation->at]) {
    case STEP_CLEAR:
        if (world.zones[target].state != ZONE_ABSENT)
            change(target, CHANGE_REMOVE);
        break;
    case STEP_FIREWALL:
    case STEP_MEMORY: step_event(EVENT_DONE); break;
    case STEP_BUILD: enter_build(); break;
    case STEP_EXPAND:
        if (!enter_expand())
            step_event(EVENT_DONE);
        break;
    case STEP_RETIRE:
        if (!enter_retire())
            step_event(EVENT_DONE);
        break;
    case STEP_CONTRACT: begin_command(SCHEMA_CONTRACT, world.schema.expanded); break;
    case STEP_START:
        change(target, CHANGE_STARTED);
        step_event(EVENT_DONE);
        break;
    case STEP_GATE: enter_gate(); break;
    case STEP_SWITCH:
        /* As routing_switch refuses what is not there. */
        if (!world.zones[target].exists) {
            step_event(EVENT_FAILED);
            break;
        }
        transaction(target);
        step_event(EVENT_DONE);
        break;
    case STEP_SWITCH_BACK:
        if (world.zones[operation->from].sick || !world.zones[operation->from].exists) {
            step_event(EVENT_FAILED);
            break;
        }
        transaction((enum colour)operation->from);
        step_event(EVENT_DONE);
        break;
    case STEP_UNPUBLISH: enter_unpublish(); break;
    case STEP_HALT: enter_halt(); break;
    case STEP_RESTORE: change(target, CHANGE_RESTORE); break;
    case STEP_FORGET: enter_forget(); break;
    default: break;
    }
}

static void operation_begin(enum wire_verb verb, enum colour target, bool force, bool by_agent)
{
    if (!world.indexed) {
        struct record made = begin_record(RECORD_APP);
        world.indexed = true;
        record(&made);
    }
    world.operation =
        (struct operation_model){.plan = verb == VERB_SCHEMA ? plan_of_schema(WIRE_SCHEMA_CONTRACT) : plan_of(verb),
                                 .verb = verb,
                                 .target = target,
                                 .from = world.state == APP_RUNNING ? world.live : -1,
                                 .force = force,
                                 .needs = world.needs,
                                 .by_agent = by_agent,
                                 .new_release = verb == VERB_DEPLOY || staged(&world.zones[target])};
    record_operation(RECORD_BEGIN, false);
    step_enter();
}

/* --- who may what: as admission.c, failover.c and bake.c -------------------------------------------- */

static bool may_switch(enum colour target, bool rollback, bool force)
{
    const struct zone_model *zone = &world.zones[target];
    return world.state != APP_STOPPED && (was_live(zone) || (staged(zone) && !rollback)) &&
           (zone->mark != MARK_BAD || force) && schema_lets_run(target);
}

static enum colour other_zone(void)
{
    if (world.live >= 0)
        return colour_other((enum colour)world.live);
    return world.zones[BLUE].state == ZONE_ABSENT || world.zones[BLUE].state == ZONE_FAILED ? GREEN : BLUE;
}

static void command(enum wire_verb verb, bool force)
{
    enum colour other = other_zone(), staging = world.live >= 0 ? other : BLUE;
    bool live_stopped = world.live >= 0 && world.zones[world.live].state == ZONE_STOPPED;
    if (world.operation.plan)
        return;
    switch (verb) {
    case VERB_DEPLOY:
    case VERB_STAGE:
        if (world.state != APP_STOPPED && world.zones[staging].state != ZONE_DRAINING && schema_lets_release())
            operation_begin(verb, staging, force, false);
        break;
    case VERB_SWITCH:
    case VERB_ROLLBACK:
        if (may_switch(other, verb == VERB_ROLLBACK, force))
            operation_begin(verb, other, force, false);
        break;
    case VERB_TEST:
        if (world.state != APP_STOPPED && (staged(&world.zones[other]) || world.zones[other].state == ZONE_STANDBY))
            operation_begin(verb, other, false, false);
        break;
    case VERB_REHEARSE:
        if (world.live >= 0 && may_switch(other, true, true) && world.zones[other].mark != MARK_BAD &&
            world.zones[other].state != ZONE_DRAINING)
            operation_begin(verb, other, false, false);
        break;
    case VERB_SCHEMA:
        if (schema_lets_contract())
            operation_begin(verb, (enum colour)world.live, false, false);
        break;
    case VERB_STOP:
        if (world.state == APP_RUNNING && world.live >= 0)
            operation_begin(verb, (enum colour)world.live, false, false);
        break;
    case VERB_START:
        if (world.state == APP_STOPPED && live_stopped)
            operation_begin(verb, (enum colour)world.live, false, false);
        break;
    default: operation_begin(verb, world.live >= 0 ? (enum colour)world.live : BLUE, true, false); break;
    }
}

static void by_agent(enum wire_verb verb)
{
    enum colour other = other_zone();
    const struct zone_model *zone = &world.zones[other];
    if (world.operation.plan || world.state != APP_RUNNING || world.live < 0 || !was_live(zone) ||
        zone->mark != MARK_NONE || !schema_lets_run(other))
        return;
    struct zone_model *live = &world.zones[world.live];
    if (verb == VERB_FAILOVER && (!live->sick || live->mark == MARK_LEFT || zone->sick || !zone->exists))
        return;
    if (verb == VERB_FAILOVER && zone->state == ZONE_FROZEN) {
        change(other, CHANGE_THAW);
        return;
    }
    if (verb == VERB_ROLLBACK)
        set_mark_model((enum colour)world.live, MARK_BAD);
    operation_begin(verb, other, false, true);
}

static void abort_operation(void)
{
    if (world.operation.plan) {
        step_event(EVENT_ABORT);
        return;
    }
    for (int colour = 0; colour < COLOURS; colour++) {
        if (staged(&world.zones[colour]))
            change((enum colour)colour, CHANGE_REMOVE);
    }
}

/* --- what happens by itself -------------------------------------------------------------------------- */

static void goes_on(void)
{
    if (!world.operation.plan)
        return;
    enum colour target = world.operation.target;
    switch (world.operation.plan[world.operation.at]) {
    case STEP_HEALTH:
        if (world.zones[target].sick)
            return;
        change(target, CHANGE_PASS);
        step_event(EVENT_GOOD);
        break;
    case STEP_RESTORE:
        if (!world.zones[target].sick)
            step_event(EVENT_GOOD);
        break;
    default: step_event(EVENT_DONE); break;
    }
}

/* Of a zone that is ended the end is all that can come. */
static void goes_wrong(void)
{
    enum step step = world.operation.plan ? world.operation.plan[world.operation.at] : STEP_IDLE;
    if (step != STEP_CLEAR && step != STEP_HALT)
        step_event(EVENT_FAILED);
}

static void check_says(enum colour colour, bool well)
{
    struct zone_model *zone = &world.zones[colour];
    if (!zone->exists || zone->state == ZONE_FROZEN || zone->state == ZONE_STAGING)
        return;
    zone->sick = !well;
    /* While a staged zone is no more than started, its first pass is the step's. */
    if (zone->state == ZONE_STARTING && well) {
        if (world.operation.plan && world.operation.plan[world.operation.at] == STEP_HEALTH)
            goes_on();
        return;
    }
    change(colour, well ? CHANGE_PASS : CHANGE_FAIL);
    if (world.operation.plan && world.operation.target == colour)
        step_event(well ? EVENT_GOOD : EVENT_BAD);
}

static void lose(enum colour colour)
{
    if (!world.zones[colour].exists)
        return;
    if (world.operation.plan && world.operation.target == colour)
        step_event(EVENT_LOST);
    if (!world.zones[colour].exists)
        return;
    world.zones[colour].exists = false;
    change(colour, CHANGE_LOST);
}
