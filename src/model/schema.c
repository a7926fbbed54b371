/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The schema's states and gates. */
#include "model/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DATE_SIZE = 32, WHY_LEAST = 16 /* less of a reason says nothing */ };

bool schema_moving(const struct schema *schema)
{
    return schema->state == SCHEMA_EXPANDING || schema->state == SCHEMA_CONTRACTING ||
           schema->state == SCHEMA_REVERTING;
}

bool schema_completed_since(const struct schema *schema, uint64_t unix_ms)
{
    return !schema_moving(schema) && schema->state != SCHEMA_BROKEN && schema->changed_unix_ms >= unix_ms;
}

bool schema_known(const struct schema *schema)
{
    return schema->state != SCHEMA_NONE || schema->changed_unix_ms > 0;
}

/* --- what happens -------------------------------------------------------------------------------- */

void schema_begin(struct schema *schema, enum schema_command command, uint32_t version, const char *release,
                  const char *who, uint64_t unix_ms)
{
    schema->command = command;
    schema->version = version;
    schema->changed_unix_ms = unix_ms;
    text_copy(schema->release, sizeof schema->release, release);
    text_copy(schema->who, sizeof schema->who, who);
    schema->reason[0] = '\0';
    switch (command) {
    case SCHEMA_CONTRACT:
        if (schema->contracted != version) /* else it is the second time, and what was before is known */
            schema->base = schema->contracted;
        schema->contracted = version;
        schema->contracted_unix_ms = unix_ms;
        schema->state = SCHEMA_CONTRACTING;
        return;
    case SCHEMA_REVERT:
        schema->expanded = schema->base;
        schema->state = SCHEMA_REVERTING;
        return;
    case SCHEMA_EXPAND:
        schema->base = schema->expanded;
        schema->verified[0] = '\0';
        schema->verified_unix_ms = 0;
        break;
    case SCHEMA_CHECK:
    case SCHEMA_VERIFY:
    case SCHEMA_COMMANDS: break;
    }
    schema->state = SCHEMA_EXPANDING;
}

void schema_goes_on(struct schema *schema, enum schema_command command)
{
    schema->command = command;
}

static void settle(struct schema *schema)
{
    schema->state = schema->expanded > schema->contracted ? SCHEMA_EXPANDED
                    : schema->contracted > 0              ? SCHEMA_CONTRACTED
                                                          : SCHEMA_NONE;
}

void schema_done(struct schema *schema, const char *verified, uint64_t unix_ms)
{
    if (schema->state == SCHEMA_EXPANDING) {
        schema->expanded = schema->version;
        text_copy(schema->verified, sizeof schema->verified, verified);
        schema->verified_unix_ms = verified[0] ? unix_ms : 0;
    } else if (schema->state == SCHEMA_REVERTING) {
        schema->version = schema->expanded;
        schema->base = schema->contracted; /* what lay between is not known any more */
        schema->verified[0] = '\0';
        schema->verified_unix_ms = 0;
    }
    schema->changed_unix_ms = unix_ms;
    schema->reason[0] = '\0';
    settle(schema);
}

void schema_failed(struct schema *schema, const char *reason, uint64_t unix_ms)
{
    schema->state = SCHEMA_BROKEN;
    schema->changed_unix_ms = unix_ms;
    text_copy(schema->reason, sizeof schema->reason, reason);
    for (char *newline = schema->reason; (newline = strchr(newline, '\n'));)
        *newline = ' ';
    text_sanitise(schema->reason);
}

/* --- what may happen ------------------------------------------------------------------------------ */

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* "2026-11-23 10:00 UTC", by the Gregorian calendar; without the system's tables, so that it is pure. */
static const char *date(uint64_t unix_ms, char text[DATE_SIZE])
{
    static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t minutes = unix_ms / 60000, days = minutes / (24 * 60);
    unsigned year = 1970, month = 0;
    for (; year < 9999 && days >= 365u + is_leap(year); year++)
        days -= 365u + is_leap(year);
    for (; month < 11 && days >= lengths[month] + (month == 1 && is_leap(year)); month++)
        days -= lengths[month] + (month == 1 && is_leap(year));
    snprintf(text, DATE_SIZE, "%u-%02u-%02u %02u:%02u UTC", year, month + 1, (unsigned)(days % 31) + 1,
             (unsigned)(minutes / 60 % 24), (unsigned)(minutes % 60));
    return text;
}

static bool broken_in(const struct schema *schema, enum schema_command command)
{
    return schema->state == SCHEMA_BROKEN && schema->command == command;
}

static bool half_expanded(const struct schema *schema)
{
    return broken_in(schema, SCHEMA_EXPAND) || broken_in(schema, SCHEMA_CHECK) || broken_in(schema, SCHEMA_VERIFY);
}

/* What to do about a command that came to no good end. */
static int say_broken(const struct schema *schema, const char *app, struct error *err)
{
    if (!err) /* nobody wants the words */
        return -EPERM;
    char what_to_do[WIRE_TEXT_MAX + 1], why[WIRE_TEXT_MAX + 1];
    if (half_expanded(schema))
        snprintf(what_to_do, sizeof what_to_do,
                 "; \"bluegreen schema %s check\" confirms it once it is repaired, \"bluegreen schema %s revert\" "
                 "undoes it",
                 app, app);
    else
        snprintf(what_to_do, sizeof what_to_do, "; \"bluegreen schema %s %s\" runs it again", app,
                 schema_command_name(schema->command));
    error_set(err, EPERM, "the schema of %s is broken: %s for version %" PRIu32 " by %s", app,
              schema_command_name(schema->command), schema->version, schema->release);
    size_t used = strlen(err->text) + strlen(": ") + strlen(what_to_do);
    if (used + WHY_LEAST <= WIRE_TEXT_MAX) { /* the description has it, too */
        text_shorten(why, WIRE_TEXT_MAX + 1 - used, schema->reason);
        error_suffix(err, ": %s", why);
    }
    return error_suffix(err, "%s", what_to_do);
}

static int left_behind(const struct schema *schema, const char *app, const char *release, uint32_t needs,
                       struct error *err)
{
    char day[DATE_SIZE];
    return error_set(err, EPERM,
                     "the schema of %s was contracted for version %" PRIu32 " on %s, and %s needs version "
                     "%" PRIu32 ": what it uses may be gone from the database",
                     app, schema->contracted, date(schema->contracted_unix_ms, day), release, needs);
}

int schema_may_run(const struct schema *schema, const char *app, const char *release, uint32_t needs, struct error *err)
{
    if (needs < schema->contracted) {
        left_behind(schema, app, release, needs, err);
        return error_suffix(err, "; deploy a release for it, or insist with --force-past-contract");
    }
    if (needs > schema->expanded)
        return error_set(err, EPERM,
                         "%s needs version %" PRIu32 " of the schema of %s, and the database has version %" PRIu32
                         "; deploy it again, so that it is expanded",
                         release, needs, app, schema->expanded);
    return 0;
}

static int may_bring_about(const struct schema *schema, const char *app, const char *release, uint32_t needs,
                           bool expand, struct error *err)
{
    bool repeated = (half_expanded(schema) || broken_in(schema, SCHEMA_REVERT)) && needs == schema->version;
    if (schema->state == SCHEMA_BROKEN && !repeated)
        return say_broken(schema, app, err);
    if (!expand)
        return error_set(err, EPERM,
                         "%s needs version %" PRIu32 " of the schema of %s, the database has version %" PRIu32
                         ", and [schema] expand says no command that would bring it about; add one, or lower needs",
                         release, needs, app, schema->expanded);
    return 0;
}

int schema_may_release(const struct schema *schema, const char *app, const char *release, uint32_t needs, bool expand,
                       struct error *err)
{
    if (needs < schema->contracted) {
        left_behind(schema, app, release, needs, err);
        return error_suffix(err, "; [schema] needs says what it needs, --force-past-contract goes on");
    }
    return needs > schema->expanded ? may_bring_about(schema, app, release, needs, expand, err) : 0;
}

int schema_may_expand(const struct schema *schema, const char *app, const char *release, uint32_t needs, bool expand,
                      struct error *err)
{
    if (needs <= schema->expanded)
        return error_set(err, EPERM,
                         "there is nothing to expand: %s needs version %" PRIu32 " ([schema] needs), and the "
                         "database of %s has version %" PRIu32,
                         release, needs, app, schema->expanded);
    return may_bring_about(schema, app, release, needs, expand, err);
}

int schema_may_check(const struct schema *schema, const char *app, struct error *err)
{
    if (schema->state == SCHEMA_BROKEN && !half_expanded(schema))
        return say_broken(schema, app, err);
    if (schema->state != SCHEMA_BROKEN && schema->expanded == 0)
        return error_set(err, EPERM, "there is nothing to check: the schema of %s was never expanded", app);
    return 0;
}

bool schema_leaves_behind(const struct schema *schema, const struct schema_zone *other)
{
    return other->there && other->needs < schema->expanded;
}

static int other_is_in_the_way(const struct schema_around *around, bool remove, struct error *err)
{
    const struct schema_zone *other = &around->other;
    if (other->draining)
        return error_set(err, EPERM,
                         "%s still has clients in zone %s (%" PRIu32 " connections) and needs the schema as it was; "
                         "\"bluegreen drain %s\" waits for them, \"bluegreen finish %s\" ends them",
                         other->release, other->colour, other->connections, around->app, around->app);
    if (other->connections > 0)
        return error_set(err, EPERM,
                         "%s still has %" PRIu32 " connections in zone %s and needs the schema as it was; contract "
                         "when they have ended",
                         other->release, other->connections, other->colour);
    if (!remove)
        return error_set(err, EPERM,
                         "%s %s zone %s and needs the schema as it was; \"bluegreen schema %s contract --yes\" "
                         "removes it first, and then there is no way back to it",
                         other->release, other->was_live ? "stands by in" : "is in", other->colour, around->app);
    return 0;
}

int schema_may_contract(const struct schema *schema, const struct schema_around *around, bool remove, struct error *err)
{
    const char *app = around->app;
    const struct schema_zone *live = &around->live;
    bool again = broken_in(schema, SCHEMA_CONTRACT);
    if (schema->state == SCHEMA_BROKEN && !again)
        return say_broken(schema, app, err);
    if (schema->expanded <= schema->contracted && !again)
        return error_set(err, EPERM,
                         "there is nothing to contract: the schema of %s is %s, expanded to version %" PRIu32
                         " and contracted for %" PRIu32,
                         app, schema_state_name(schema->state), schema->expanded, schema->contracted);
    if (!live->there)
        return error_set(err, EPERM, "%s has no live release, whose command contract would be", app);
    if (live->needs != schema->expanded)
        return error_set(err, EPERM,
                         "%s is live and needs version %" PRIu32 " of the schema, not %" PRIu32
                         "; deploy a release that does, and contract when it is proven",
                         live->release, live->needs, schema->expanded);
    if (around->baking)
        return error_set(err, EPERM,
                         "%s is in its bake; contract when it has passed: \"bluegreen attach %s\" waits for it, "
                         "\"bluegreen finish %s\" ends it",
                         live->release, app, app);
    if (around->bad)
        return error_set(err, EPERM, "%s was found bad and has not passed its bake; roll back, or deploy a better one",
                         live->release);
    return schema_leaves_behind(schema, &around->other) ? other_is_in_the_way(around, remove, err) : 0;
}

int schema_may_revert(const struct schema *schema, const struct schema_around *around, struct error *err)
{
    const char *app = around->app;
    bool half = half_expanded(schema) || broken_in(schema, SCHEMA_REVERT);
    if (broken_in(schema, SCHEMA_CONTRACT) || (!half && schema->expanded <= schema->contracted))
        return error_set(err, EPERM,
                         schema->contracted > 0 ? "the schema of %s was contracted for version %" PRIu32
                                                  ": an expand cannot be undone any more"
                                                : "there is nothing to revert: the schema of %s has version %" PRIu32,
                         app, schema->contracted > 0 ? schema->contracted : schema->expanded);
    const struct schema_zone *zones[] = {&around->live, &around->other};
    for (size_t i = 0; i < 2; i++) {
        bool stays = zones[i]->there && !zones[i]->leaving; /* the plan waits for the end of what does not */
        if (stays && zones[i]->needs > schema->base)
            return error_set(err, EPERM,
                             "%s in zone %s needs version %" PRIu32 " of the schema, which revert takes away; %s",
                             zones[i]->release, zones[i]->colour, zones[i]->needs,
                             i == 0               ? "roll back first, and let another release take its place"
                             : zones[i]->was_live ? "stage another release in its place first"
                                                  : "abort it first");
    }
    return 0;
}

/* --- for people ------------------------------------------------------------------------------------ */

void schema_describe(const struct schema *schema, char *text, size_t size)
{
    char day[DATE_SIZE];
    date(schema->changed_unix_ms, day);
    switch (schema->state) {
    case SCHEMA_NONE:
        text_copy(text, size, schema->changed_unix_ms ? "reverted: as before any release changed it" : "never changed");
        break;
    case SCHEMA_EXPANDED:
        snprintf(text, size, "expanded to version %" PRIu32 " by %s on %s, %s%s", schema->expanded, schema->release,
                 day, schema->verified[0] ? schema->verified : "nothing was live",
                 schema->verified[0] ? " was healthy on it" : "");
        break;
    case SCHEMA_CONTRACTED:
        snprintf(text, size, "contracted for version %" PRIu32 " by %s on %s", schema->contracted, schema->release,
                 day);
        break;
    case SCHEMA_BROKEN:
        snprintf(text, size, "broken: %s for version %" PRIu32 " by %s on %s: ", schema_command_name(schema->command),
                 schema->version, schema->release, day);
        if (strlen(text) + WHY_LEAST < size)
            text_shorten(text + strlen(text), size - strlen(text), schema->reason);
        break;
    default:
        snprintf(text, size, "%s: %s for version %" PRIu32 " by %s runs", schema_state_name(schema->state),
                 schema_command_name(schema->command), schema->version, schema->release);
    }
}
