/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For test_life.c: what the database has come to, by the gates of model/schema.c, and the steps that change it: as
 * agent/schema.c and schema_requests.c. */
#pragma once

#include "life_world.h"

/* Journal and schema tell the time by the number of the record that comes next. */
static uint64_t life_time(void)
{
    return folded.last_sequence + 1;
}

static void release_name_of(enum colour colour, char name[RELEASE_NAME_MAX + 1])
{
    snprintf(name, RELEASE_NAME_MAX + 1, "r%u", world.zones[colour].release);
}

static void record_schema_model(void)
{
    struct record made;
    record_of_schema(&made, "web", &world.schema);
    record(&made);
}

/* --- gates ---------------------------------------------------------------------------------------------- */

static bool schema_lets_run(enum colour colour)
{
    char name[RELEASE_NAME_MAX + 1];
    release_name_of(colour, name);
    return schema_may_run(&world.schema, "web", name, world.zones[colour].needs, NULL) == 0;
}

static bool schema_lets_release(void)
{
    return schema_may_release(&world.schema, "web", "new", world.needs, true, NULL) == 0;
}

static struct schema_zone look_at(enum colour colour, char name[RELEASE_NAME_MAX + 1])
{
    const struct zone_model *zone = &world.zones[colour];
    release_name_of(colour, name);
    return (struct schema_zone){.release = name,
                                .colour = colour_name(colour),
                                .needs = zone->needs,
                                .there = zone->state != ZONE_ABSENT && zone->state != ZONE_FAILED,
                                .draining = zone->state == ZONE_DRAINING,
                                .was_live = was_live(zone),
                                .connections = zone->state == ZONE_DRAINING};
}

static bool schema_lets_contract(void)
{
    char names[COLOURS][RELEASE_NAME_MAX + 1];
    if (world.state != APP_RUNNING || world.live < 0)
        return false;
    enum colour live = (enum colour)world.live, other = colour_other(live);
    struct schema_around around = {.app = "web",
                                   .live = look_at(live, names[live]),
                                   .other = look_at(other, names[other]),
                                   .bad = world.zones[live].mark == MARK_BAD};
    return schema_may_contract(&world.schema, &around, true, NULL) == 0;
}

/* --- steps ------------------------------------------------------------------------------------------------ */

static void begin_command(enum schema_command command, uint32_t version)
{
    char name[RELEASE_NAME_MAX + 1];
    release_name_of(world.operation.target, name);
    schema_begin(&world.schema, command, version, name, "test", life_time());
    record_schema_model();
}

static bool enter_expand(void)
{
    uint32_t needs = world.zones[world.operation.target].needs;
    if (needs <= world.schema.expanded)
        return false;
    begin_command(SCHEMA_EXPAND, needs);
    return true;
}

/* The standby that is left behind goes first. False: there is none. */
static bool enter_retire(void)
{
    char name[RELEASE_NAME_MAX + 1];
    enum colour other = colour_other(world.operation.target);
    struct schema_zone standby = look_at(other, name);
    if (!schema_leaves_behind(&world.schema, &standby))
        return false;
    change(other, CHANGE_REMOVE);
    return true;
}

static void schema_step_done(enum step step)
{
    bool ends = (step == STEP_VERIFY && world.schema.state == SCHEMA_EXPANDING) || step == STEP_CONTRACT;
    if (!ends)
        return;
    schema_done(&world.schema, "", life_time());
    record_schema_model();
}

static void schema_gives_up(const char *why)
{
    if (!schema_moving(&world.schema))
        return;
    schema_failed(&world.schema, why, life_time());
    record_schema_model();
}

/* --- what always holds --------------------------------------------------------------------------------------- */

static void schema_is_right(void)
{
    const struct folded_app *app = fold_find(&folded, "web");
    const struct schema *known = app ? &app->schema : &(const struct schema){0};
    if (known->state != world.schema.state || known->expanded != world.schema.expanded ||
        known->contracted != world.schema.contracted)
        breaks("the schema is %s, and in the journal %s", schema_state_name(world.schema.state),
               schema_state_name(known->state));
    if (schema_moving(&world.schema) && !world.operation.plan)
        breaks("the schema is %s, and nobody does that", schema_state_name(world.schema.state));
    if (world.kernel_live >= 0 && world.zones[world.kernel_live].needs < world.schema.contracted)
        breaks("clients reach a release that a contract has left behind");
    if (world.kernel_live >= 0 && world.zones[world.kernel_live].needs > world.schema.expanded)
        breaks("clients reach a release that needs more of the schema than there is");
}
