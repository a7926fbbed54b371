/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For test_life.c: an app, its kernel and its journal as variables, and what the table of zones does to them. */
#pragma once

#include "base/cleanup.h"
#include "model/machine.h"
#include "model/record.h"
#include "model/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- the world ---------------------------------------------------------------------------------- */

struct zone_model {
    enum zone_state state;
    unsigned release; /* 0 = none; each staging has a number of its own */
    bool exists;      /* processes, links: what the kernel has of it */
    bool sick;
    enum zone_mark mark;
    uint32_t needs; /* of the schema, by the configuration that is kept with the zone */
};

struct operation_model {
    const enum step *plan; /* NULL: none */
    size_t at;
    enum wire_verb verb;
    enum colour target;
    int from;
    bool force, by_agent, new_release, staged, switched;
    uint32_t needs; /* by the file when it was admitted: a reload leaves it alone until it is built */
    uint64_t begun;
};

static struct world {
    enum app_state state;
    int live;        /* as the agent knows it */
    int kernel_live; /* as the rules have it: enum colour or -1 */
    struct zone_model zones[COLOURS];
    struct operation_model operation;
    bool indexed;
    unsigned releases;
    struct schema schema;
    uint32_t needs; /* by the file as it is today */
    /* For the invariants. */
    bool was_live, withdrawn; /* it was live once; and then somebody stopped or removed it */
} world;

static char *journal; /* as on the disk */
static size_t journal_length, journal_size;
static struct fold folded;                                   /* what the journal says */
static enum { NO_CRASH, IN_RECORD, BEHIND_RECORD } crash_at; /* it does not get past the next record */
static jmp_buf stopped;
static struct {
    unsigned done[VERBS], undone[VERBS], recovered[VERBS];
} seen;                  /* that the sequences come about what they are for */
static char broken[512]; /* the invariant, "" = all hold */

__attribute__((format(printf, 1, 2))) static void breaks(const char *format, ...)
{
    if (broken[0])
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(broken, sizeof broken, format, arguments);
    va_end(arguments);
}

/* --- the journal -------------------------------------------------------------------------------- */

static void append(const char *data, size_t length)
{
    if (journal_length + length > journal_size) {
        journal_size = (journal_length + length) * 2;
        journal = realloc(journal, journal_size);
        assert_non_null(journal);
    }
    memcpy(journal + journal_length, data, length);
    journal_length += length;
}

static void record(struct record *made)
{
    CLEANUP_TEXT struct text line = {0};
    struct error err = {0};
    made->sequence = folded.last_sequence + 1;
    made->unix_ms = made->sequence;
    record_format(made, &line);
    int crash = crash_at;
    crash_at = NO_CRASH;
    if (crash == IN_RECORD) {
        append(line.data, line.length / 2);
        text_clear(&line);
        longjmp(stopped, 1);
    }
    if (fold_add(&folded, made, &err) < 0)
        breaks("the journal refuses a record: %s", err.text);
    append(line.data, line.length);
    if (crash == BEHIND_RECORD) {
        text_clear(&line);
        longjmp(stopped, 1);
    }
}

static struct record begin_record(enum record_kind kind)
{
    struct record made;
    record_init(&made, kind, "web");
    return made;
}

static void record_zone_model(enum colour colour)
{
    struct record made = begin_record(RECORD_ZONE);
    made.zone = (int8_t)colour;
    made.state = world.zones[colour].state;
    if (world.zones[colour].release)
        snprintf(made.release, sizeof made.release, "r%u", world.zones[colour].release);
    record(&made);
}

static void record_live_model(void)
{
    struct record made = begin_record(RECORD_LIVE);
    made.zone = (int8_t)world.live;
    record(&made);
}

static void record_state_model(void)
{
    struct record made = begin_record(RECORD_APP_STATE);
    made.app_state = world.state;
    record(&made);
}

static void record_operation(enum record_kind kind, bool done)
{
    const struct operation_model *operation = &world.operation;
    struct record made = begin_record(kind);
    made.verb = operation->verb;
    made.from = (int8_t)operation->from;
    made.to = (int8_t)operation->target;
    made.done = done;
    snprintf(made.release, sizeof made.release, "r%u", world.zones[operation->target].release);
    snprintf(made.who, sizeof made.who, "test");
    record(&made);
}

static void set_mark_model(enum colour colour, enum zone_mark mark)
{
    if (world.zones[colour].mark == mark)
        return;
    world.zones[colour].mark = mark;
    struct record made = begin_record(RECORD_MARK);
    made.zone = (int8_t)colour;
    made.mark = mark;
    record(&made);
}

/* --- zones ---------------------------------------------------------------------------------------- */

static bool staged(const struct zone_model *zone)
{
    return zone->state == ZONE_HEALTHY || zone->state == ZONE_UNHEALTHY;
}

static bool was_live(const struct zone_model *zone)
{
    return zone->state == ZONE_STANDBY || zone->state == ZONE_DRAINING || zone->state == ZONE_FROZEN;
}

static void change(enum colour colour, enum zone_change what)
{
    struct zone_model *zone = &world.zones[colour];
    struct zone_cell cell = zone_transition(zone->state, what);
    if (cell.impossible) {
        breaks("\"%s\" happens to a zone that is %s", zone_change_name(what), zone_state_name(zone->state));
        return;
    }
    zone->state = cell.next;
    if (cell.next == ZONE_ABSENT || cell.next == ZONE_STAGING || cell.next == ZONE_FAILED)
        zone->mark = MARK_NONE;
    if (cell.actions & ACTION_RECORD)
        record_zone_model(colour);
    if (cell.actions & ACTION_REBUILD)
        zone->exists = true, zone->sick = false;
    if (cell.actions & ACTION_TEAR_DOWN)
        zone->exists = false;
    if (zone->state == ZONE_ABSENT)
        zone->release = 0;
}
