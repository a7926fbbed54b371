/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fold: from records to the state of every app, and back by a snapshot. */
#include "model/record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct fold fold;

static int setup(void **state)
{
    fold = (struct fold){0};
    return 0;
}

static int teardown(void **state)
{
    fold_clear(&fold);
    return 0;
}

/* Adds the record as the next one. */
static int add(struct record *record)
{
    struct error err = {0};
    record->sequence = fold.last_sequence + 1;
    int checked = fold_check(&fold, record, NULL);
    int result = fold_add(&fold, record, &err);
    assert_int_equal(checked, result);
    assert_int_equal(err.code, -result);
    return result;
}

static int refold(void *context, struct record *record)
{
    struct fold *copy = context;
    record->sequence = copy->last_sequence + 1;
    return fold_add(copy, record, NULL);
}

static int add_app(const char *name, uint16_t index)
{
    struct record record;
    record_init(&record, RECORD_APP, name);
    record.index = index;
    return add(&record);
}

static int add_live(const char *name, int zone)
{
    struct record record;
    record_init(&record, RECORD_LIVE, name);
    record.zone = (int8_t)zone;
    return add(&record);
}

static int add_zone(const char *name, enum colour zone, enum zone_state zone_state, const char *release,
                    const char *reason)
{
    struct record record;
    record_init(&record, RECORD_ZONE, name);
    record.zone = (int8_t)zone;
    record.state = zone_state;
    strcpy(record.release, release);
    strcpy(record.reason, reason);
    return add(&record);
}

static int add_operation(enum record_kind kind, const char *name, enum wire_verb verb, int to)
{
    struct record record;
    record_init(&record, kind, name);
    record.verb = verb;
    record.to = (int8_t)to;
    record.unix_ms = 1000 + fold.last_sequence;
    strcpy(record.release, "v1");
    strcpy(record.who, "alice");
    return add(&record);
}

static int add_incident(const char *name)
{
    struct record record;
    record_init(&record, RECORD_INCIDENT, name);
    record.zone = BLUE;
    record.incident = INCIDENT_CRASHES;
    return add(&record);
}

static int add_app_state(const char *name, enum app_state app_state)
{
    struct record record;
    record_init(&record, RECORD_APP_STATE, name);
    record.app_state = app_state;
    return add(&record);
}

static int add_mark(const char *name, enum colour zone, enum zone_mark mark, const char *reason)
{
    struct record record;
    record_init(&record, RECORD_MARK, name);
    record.zone = (int8_t)zone;
    record.mark = mark;
    strcpy(record.reason, reason);
    return add(&record);
}

static int add_bake(const char *name, enum colour zone, uint64_t until, const char *reason)
{
    struct record record;
    record_init(&record, RECORD_BAKE, name);
    record.zone = (int8_t)zone;
    record.until_unix_ms = until;
    record.restarts = until ? 3 : 0;
    record.oom_kills = until ? 2 : 0;
    record.overflows = until ? 1 : 0;
    strcpy(record.reason, reason);
    return add(&record);
}

static int add_schema(const char *name, enum schema_state schema_state, const char *reason)
{
    struct record record;
    struct schema schema = {.state = schema_state, .version = 2, .expanded = 2, .changed_unix_ms = 5000};
    strcpy(schema.release, "v2");
    strcpy(schema.verified, "v1");
    strcpy(schema.who, "root");
    strcpy(schema.reason, reason);
    record_of_schema(&record, name, &schema);
    return add(&record);
}

static int add_releases(const char *name, const char *release)
{
    struct record record;
    record_init(&record, RECORD_RELEASES, name);
    record.begun_unix_ms = 5000;
    strcpy(record.release, release);
    strcpy(record.who, "root");
    return add(&record);
}

static int add_removed(const char *name)
{
    struct record record;
    record_init(&record, RECORD_REMOVED, name);
    return add(&record);
}

static void test_a_deployment(void **state)
{
    assert_int_equal(add_app("web", 3), 0);
    struct folded_app *app = fold_find(&fold, "web");
    assert_int_equal(app->index, 3);
    assert_int_equal(app->live, -1);
    assert_int_equal(app->state, APP_EMPTY);
    assert_int_equal(app->zones[BLUE].state, ZONE_ABSENT);
    assert_int_equal(add_operation(RECORD_BEGIN, "web", VERB_DEPLOY, BLUE), 0);
    assert_true(app->interrupted);
    assert_string_equal(app->operation.who, "alice");
    assert_int_equal(add_zone("web", BLUE, ZONE_STAGING, "v1", ""), 0);
    assert_int_equal(add_zone("web", BLUE, ZONE_HEALTHY, "v1", "ok"), 0);
    assert_int_equal(add_live("web", BLUE), 0);
    assert_int_equal(app->state, APP_RUNNING);
    assert_int_equal(app->live, BLUE);
    assert_int_equal(add_operation(RECORD_END, "web", VERB_DEPLOY, BLUE), 0);
    assert_false(app->interrupted);
    assert_string_equal(app->zones[BLUE].release, "v1");
    assert_string_equal(app->zones[BLUE].reason, "ok");
    assert_int_equal(app->zones[BLUE].state, ZONE_HEALTHY);
    assert_int_equal(app->zones[GREEN].state, ZONE_ABSENT);
    assert_int_equal(fold.last_sequence, 6);
}

static void test_stopped_stays_stopped(void **state)
{
    add_app("web", 0);
    add_live("web", BLUE);
    assert_int_equal(add_app_state("web", APP_STOPPED), 0);
    assert_int_equal(add_live("web", -1), 0);
    assert_int_equal(fold_find(&fold, "web")->state, APP_STOPPED);
    assert_int_equal(add_live("web", BLUE), 0); /* only an empty app becomes running by itself */
    assert_int_equal(fold_find(&fold, "web")->state, APP_STOPPED);
    assert_int_equal(add_app_state("web", APP_RUNNING), 0);
    assert_int_equal(fold_find(&fold, "web")->state, APP_RUNNING);
}

/* A rollback begins while a deployment drains: the end of the deployment is not the end of the rollback. */
static void test_operations_overlap(void **state)
{
    add_app("web", 0);
    struct folded_app *app = fold_find(&fold, "web");
    add_operation(RECORD_BEGIN, "web", VERB_DEPLOY, GREEN);
    add_operation(RECORD_BEGIN, "web", VERB_ROLLBACK, BLUE);
    assert_int_equal(add_operation(RECORD_END, "web", VERB_DEPLOY, GREEN), 0);
    assert_true(app->interrupted);
    assert_int_equal(app->operation.verb, VERB_ROLLBACK);
    add_operation(RECORD_END, "web", VERB_ROLLBACK, GREEN); /* the other way: another one's */
    assert_true(app->interrupted);
    add_operation(RECORD_END, "web", VERB_ROLLBACK, BLUE);
    assert_false(app->interrupted);
}

static void test_removal_frees_the_index(void **state)
{
    add_app("a", 0);
    add_app("b", 1);
    add_app("c", 2);
    assert_int_equal(add_removed("b"), 0);
    assert_null(fold_find(&fold, "b"));
    assert_int_equal(fold.count, 2);
    assert_string_equal(fold.apps[1].name, "c");
    assert_int_equal(add_operation(RECORD_END, "b", VERB_REMOVE, -1), 0);
    assert_int_equal(add_app("d", 1), 0);
    assert_int_equal(add_app("b", 3), 0);
    assert_int_equal(fold.count, 4);
}

static int add_serving(const char *name, enum colour zone, uint64_t begun, int64_t connections)
{
    struct record record;
    record_init(&record, RECORD_SERVING, name);
    record.zone = (int8_t)zone;
    record.begun_unix_ms = begun;
    record.connections = connections;
    record.datagrams = -connections;
    return add(&record);
}

/* From when a release is live until it is said what it served. */
static void test_serving(void **state)
{
    struct record served;
    add_app("web", 0);
    const struct folded_serving *serving = &fold_find(&fold, "web")->serving;
    assert_int_equal(serving->since_unix_ms, 0);
    assert_int_equal(add_serving("web", GREEN, 5000, -17), 0);
    assert_int_equal(serving->since_unix_ms, 5000);
    assert_int_equal(serving->zone, GREEN);
    assert_int_equal(serving->connections, -17);
    assert_int_equal(serving->datagrams, 17);
    record_init(&served, RECORD_SERVED, "web");
    served.zone = GREEN;
    assert_int_equal(add(&served), 0);
    assert_int_equal(serving->since_unix_ms, 0);
    add_serving("web", BLUE, 6000, 1);
    assert_int_equal(add_serving("web", BLUE, 0, 0), 0);
    assert_int_equal(serving->since_unix_ms, 0);
    strcpy(served.app, "gone"); /* history of an app that was removed */
    assert_int_equal(add(&served), 0);
}

static int add_canary(const char *name, enum colour zone, uint8_t share)
{
    struct record record;
    record_init(&record, RECORD_CANARY, name);
    record.zone = (int8_t)zone;
    record.share = share;
    record.sticky = true;
    record.begun_unix_ms = 5000;
    record.operation = 3;
    record.restarts = 2;
    return add(&record);
}

/* It has its share until it is said that it has none, or until it has everything. */
static void test_canary(void **state)
{
    add_app("web", 0);
    const struct folded_canary *canary = &fold_find(&fold, "web")->canary;
    add_live("web", BLUE);
    assert_int_equal(canary->share, 0);
    assert_int_equal(add_canary("web", GREEN, 10), 0);
    assert_int_equal(canary->share, 10);
    assert_int_equal(canary->zone, GREEN);
    assert_true(canary->sticky);
    assert_int_equal(canary->since_unix_ms, 5000);
    assert_int_equal(canary->operation, 3);
    assert_int_equal(canary->restarts, 2);
    add_live("web", BLUE); /* as it was: a snapshot, or a journal that can be written again */
    assert_int_equal(canary->share, 10);
    add_canary("web", GREEN, 0);
    assert_int_equal(canary->share, 0);
    assert_int_equal(canary->since_unix_ms, 0);
    add_canary("web", GREEN, 99);
    add_live("web", GREEN);
    assert_int_equal(canary->share, 0);
    assert_int_equal(add_canary("other", GREEN, 10), -EPROTO);
}

static void add_draining(uint64_t unix_ms, uint64_t until, uint64_t operation)
{
    struct record record;
    record_init(&record, RECORD_ZONE, "web");
    record.zone = BLUE;
    record.unix_ms = unix_ms;
    record.state = ZONE_DRAINING;
    record.until_unix_ms = until;
    record.operation = operation;
    strcpy(record.release, "v1");
    assert_int_equal(add(&record), 0);
}

static void add_drained(enum colour zone)
{
    struct record record;
    record_init(&record, RECORD_DRAINED, "web");
    record.zone = (int8_t)zone;
    record.operation = 3;
    assert_int_equal(add(&record), 0);
}

static void check_drain(enum colour zone, uint64_t since, uint64_t until, uint64_t operation)
{
    struct fold again = {0};
    assert_int_equal(fold_snapshot(&fold, refold, &again), 0);
    for (int i = 0; i < 2; i++) { /* as it is, and from a journal that was compacted */
        const struct folded_drain *drain = &fold_find(i ? &again : &fold, "web")->zones[zone].drain;
        assert_int_equal(drain->since_unix_ms, since);
        if (since == 0)
            continue;
        assert_int_equal(drain->until_unix_ms, until);
        assert_int_equal(drain->operation, operation);
    }
    fold_clear(&again);
}

/* Another agent goes on with it as if it had begun it. */
static void test_a_drain_begins_and_ends(void **state)
{
    add_app("web", 0);
    add_zone("web", BLUE, ZONE_LIVE, "v1", "");
    check_drain(BLUE, 0, 0, 0);
    add_draining(100, 30100, 3);
    check_drain(BLUE, 100, 30100, 3);
    add_draining(400, 30100, 3); /* the journal can be written again */
    check_drain(BLUE, 100, 30100, 3);
    add_drained(BLUE); /* it is told, and what is left open is not waited for again */
    check_drain(BLUE, 100, 30100, 0);
    add_zone("web", BLUE, ZONE_STANDBY, "v1", "");
    check_drain(BLUE, 0, 0, 0);
    add_draining(200, 0, 0); /* by an older version */
    check_drain(BLUE, 200, 0, 0);
    add_live("web", BLUE);
    check_drain(BLUE, 0, 0, 0);
    add_draining(300, 30300, 4); /* what gets all new connections has no end of them */
    check_drain(BLUE, 0, 0, 0);
    add_zone("web", BLUE, ZONE_LIVE, "v1", "");
    add_live("web", GREEN);
    add_draining(300, 30300, 4);
    check_drain(BLUE, 300, 30300, 4);
    add_zone("web", BLUE, ZONE_HEALTHY, "v1", "");
    add_canary("web", BLUE, 10);
    add_draining(300, 30300, 4); /* nor what gets a share of them */
    check_drain(BLUE, 0, 0, 0);
}

static void add_end_of_share(uint64_t begun)
{
    struct record record;
    record_init(&record, RECORD_CANARY, "web");
    record.zone = GREEN;
    record.begun_unix_ms = begun;
    record.until_unix_ms = begun ? begun + 2000 : 0;
    record.operation = 9;
    assert_int_equal(add(&record), 0);
}

/* The zone of a canary that was taken back stays what it is, and is drained nevertheless. */
static void test_a_canary_is_drained(void **state)
{
    static const enum zone_state ends[] = {ZONE_LIVE, ZONE_ABSENT, ZONE_FAILED, ZONE_STOPPED, ZONE_STAGING};
    add_app("web", 0);
    add_live("web", BLUE);
    add_zone("web", GREEN, ZONE_HEALTHY, "v2", "");
    add_canary("web", GREEN, 10);
    check_drain(GREEN, 0, 0, 0);
    add_end_of_share(5000);
    assert_int_equal(fold_find(&fold, "web")->canary.share, 0);
    add_zone("web", GREEN, ZONE_UNHEALTHY, "v2", "");
    add_zone("web", GREEN, ZONE_HEALTHY, "v2", "");
    check_drain(GREEN, 5000, 7000, 9);
    add_drained(GREEN);
    check_drain(GREEN, 0, 0, 0);
    add_end_of_share(5000);
    add_canary("web", GREEN, 20); /* it has a share again */
    check_drain(GREEN, 0, 0, 0);
    add_end_of_share(0); /* its zone is gone */
    check_drain(GREEN, 0, 0, 0);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        add_zone("web", GREEN, ZONE_HEALTHY, "v2", "");
        add_end_of_share(5000);
        check_drain(GREEN, 5000, 7000, 9);
        add_zone("web", GREEN, ends[i], "v2", "");
        check_drain(GREEN, 0, 0, 0);
    }
    add_zone("web", GREEN, ZONE_STANDBY, "v2", "");
    add_end_of_share(6000);
    add_zone("web", GREEN, ZONE_STANDBY, "v2", "");
    check_drain(GREEN, 6000, 8000, 9);
    add_live("web", GREEN);
    check_drain(GREEN, 0, 0, 0);
    add_end_of_share(7000); /* of what has all of them */
    check_drain(GREEN, 0, 0, 0);
}

/* What belongs to an operation names it by its number, also when its BEGIN was written anew. */
static void test_operation_keeps_its_number(void **state)
{
    struct record begin;
    add_app("web", 0);
    add_operation(RECORD_BEGIN, "web", VERB_DEPLOY, BLUE);
    assert_int_equal(fold_find(&fold, "web")->operation.operation, 2);
    record_init(&begin, RECORD_BEGIN, "web");
    begin.verb = VERB_DEPLOY;
    begin.to = BLUE;
    begin.operation = 2;
    assert_int_equal(add(&begin), 0);
    assert_int_equal(fold_find(&fold, "web")->operation.operation, 2);
}

static void test_contradictions(void **state)
{
    add_app("web", 0);
    uint64_t last = fold.last_sequence;
    assert_int_equal(add_app("web", 1), -EPROTO);
    assert_int_equal(add_app("other", 0), -EPROTO);
    assert_int_equal(add_live("other", BLUE), -EPROTO);
    assert_int_equal(add_zone("other", BLUE, ZONE_LIVE, "v1", ""), -EPROTO);
    assert_int_equal(add_app_state("other", APP_STOPPED), -EPROTO);
    assert_int_equal(add_operation(RECORD_BEGIN, "other", VERB_DEPLOY, BLUE), -EPROTO);
    assert_int_equal(add_removed("other"), -EPROTO);
    assert_int_equal(fold.last_sequence, last);
    assert_int_equal(fold.count, 1);
    assert_int_equal(fold_find(&fold, "web")->live, -1);
}

static int add_numbered(enum record_kind kind, uint64_t sequence)
{
    struct record record;
    record_init(&record, kind, "web");
    record.sequence = sequence;
    return fold_add(&fold, &record, NULL);
}

static void test_incidents_change_nothing(void **state)
{
    assert_int_equal(add_incident("web"), 0); /* of an app that was removed */
    assert_int_equal(add_app("web", 0), 0);
    assert_int_equal(add_zone("web", BLUE, ZONE_LIVE, "v1", ""), 0);
    assert_int_equal(add_live("web", BLUE), 0);
    assert_int_equal(add_operation(RECORD_BEGIN, "web", VERB_DEPLOY, GREEN), 0);
    struct fold before = {0};
    assert_int_equal(fold_copy(&before, &fold), 0);
    assert_int_equal(add_incident("web"), 0);
    assert_int_equal(before.count, fold.count);
    assert_memory_equal(before.apps, fold.apps, sizeof *fold.apps);
    assert_true(fold.apps[0].interrupted);
    fold_clear(&before);
}

/* A mark is about a release: whatever is staged in its place has none. */
static void test_marks_go_with_their_release(void **state)
{
    static const enum zone_state others[] = {ZONE_STAGING, ZONE_ABSENT, ZONE_FAILED},
                                 same[] = {ZONE_STANDBY, ZONE_FROZEN, ZONE_LIVE, ZONE_DRAINING, ZONE_STOPPED};
    add_app("web", 0);
    struct folded_zone *zone = &fold_find(&fold, "web")->zones[GREEN];
    assert_int_equal(zone->mark, MARK_NONE);
    assert_int_equal(add_mark("none", GREEN, MARK_BAD, ""), -EPROTO);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(add_mark("web", GREEN, MARK_BAD, "slow"), 0);
        assert_int_equal(zone->mark, MARK_BAD);
        assert_string_equal(zone->mark_reason, "slow");
        for (size_t j = 0; j < sizeof same / sizeof *same; j++)
            add_zone("web", GREEN, same[j], "v2", "");
        assert_int_equal(zone->mark, MARK_BAD);
        add_zone("web", BLUE, others[i], "v1", "");
        assert_int_equal(zone->mark, MARK_BAD);
        add_zone("web", GREEN, others[i], "v3", "");
        assert_int_equal(zone->mark, MARK_NONE);
        assert_string_equal(zone->mark_reason, "");
    }
    add_mark("web", GREEN, MARK_LEFT, "it failed");
    add_mark("web", GREEN, MARK_NONE, "");
    assert_int_equal(zone->mark, MARK_NONE);
}

static int add_lock(const char *name, uint64_t since, const char *who, const char *reason)
{
    struct record record;
    record_init(&record, RECORD_LOCK, name);
    record.begun_unix_ms = since;
    strcpy(record.who, who);
    strcpy(record.reason, reason);
    return add(&record);
}

/* It is the app's, whatever becomes of its zones and operations, and goes with it. */
static void test_locks(void **state)
{
    assert_int_equal(add_lock("web", 5, "alice", "why"), -EPROTO);
    add_app("web", 0);
    const struct folded_app *app = fold_find(&fold, "web");
    assert_int_equal(app->lock.since_unix_ms, 0);
    assert_int_equal(add_lock("web", 5, "alice", "why"), 0);
    add_operation(RECORD_BEGIN, "web", VERB_ROLLBACK, BLUE);
    add_operation(RECORD_END, "web", VERB_ROLLBACK, BLUE);
    add_zone("web", GREEN, ZONE_STAGING, "v3", "");
    assert_int_equal(app->lock.since_unix_ms, 5);
    assert_string_equal(app->lock.who, "alice");
    assert_string_equal(app->lock.reason, "why");
    assert_int_equal(add_lock("web", 0, "", ""), 0);
    assert_int_equal(app->lock.since_unix_ms, 0);
    assert_string_equal(app->lock.who, "");
}

static int add_zone_at(enum zone_state zone_state, uint64_t unix_ms)
{
    struct record record;
    record_init(&record, RECORD_ZONE, "web");
    record.zone = BLUE;
    record.state = zone_state;
    record.unix_ms = unix_ms;
    return add(&record);
}

static int keep_zone(void *context, struct record *record)
{
    if (record->kind == RECORD_ZONE)
        *(uint64_t *)context = record->unix_ms;
    return 0;
}

/* How long a standby is there: frozen or not, told once more or not, and in a compacted journal, too. */
static void test_since_when_a_zone_is_what_it_is(void **state)
{
    uint64_t since = 0;
    add_app("web", 0);
    const struct folded_zone *zone = &fold_find(&fold, "web")->zones[BLUE];
    add_zone_at(ZONE_LIVE, 100);
    add_zone_at(ZONE_DRAINING, 200);
    add_zone_at(ZONE_STANDBY, 300);
    assert_int_equal(zone->since_unix_ms, 300);
    add_zone_at(ZONE_FROZEN, 400);
    add_zone_at(ZONE_STANDBY, 500);
    add_zone_at(ZONE_STANDBY, 600);
    assert_int_equal(zone->since_unix_ms, 300);
    assert_int_equal(fold_snapshot(&fold, keep_zone, &since), 0);
    assert_int_equal(since, 300);
    add_zone_at(ZONE_STOPPED, 700);
    add_zone_at(ZONE_STANDBY, 800);
    assert_int_equal(zone->since_unix_ms, 800);
}

static void test_a_bake_begins_and_ends(void **state)
{
    add_app("web", 0);
    const struct folded_bake *bake = &fold_find(&fold, "web")->bake;
    assert_int_equal(bake->until_unix_ms, 0);
    assert_int_equal(add_bake("none", GREEN, 7000, ""), -EPROTO);
    assert_int_equal(add_bake("web", GREEN, 7000, ""), 0);
    assert_int_equal(bake->until_unix_ms, 7000);
    assert_int_equal(bake->zone, GREEN);
    assert_int_equal(bake->restarts, 3);
    assert_int_equal(bake->oom_kills, 2);
    assert_int_equal(bake->overflows, 1);
    add_bake("web", GREEN, 7000, "it became unhealthy");
    assert_string_equal(bake->reason, "it became unhealthy");
    add_bake("web", GREEN, 0, "");
    struct folded_bake none = {0};
    assert_memory_equal(bake, &none, sizeof none);
}

static void test_the_schema_is_as_it_was_last(void **state)
{
    add_app("web", 0);
    assert_false(schema_known(&fold_find(&fold, "web")->schema));
    assert_int_equal(add_schema("none", SCHEMA_EXPANDED, ""), -EPROTO);
    assert_int_equal(add_schema("web", SCHEMA_EXPANDED, ""), 0);
    const struct schema *schema = &fold_find(&fold, "web")->schema;
    assert_int_equal(schema->state, SCHEMA_EXPANDED);
    assert_int_equal(schema->expanded, 2);
    assert_int_equal(schema->changed_unix_ms, 5000);
    assert_string_equal(schema->release, "v2");
    assert_string_equal(schema->verified, "v1");
    assert_string_equal(schema->who, "root");
    add_schema("web", SCHEMA_BROKEN, "it failed");
    assert_int_equal(schema->state, SCHEMA_BROKEN);
    assert_string_equal(schema->reason, "it failed");
    add_removed("web");
    add_app("web", 0);
    assert_false(schema_known(&fold_find(&fold, "web")->schema));
}

static void test_a_missing_record_is_noticed(void **state)
{
    assert_int_equal(add_numbered(RECORD_APP, 1), 0);
    assert_int_equal(add_numbered(RECORD_LIVE, 3), -EPROTO);
    assert_int_equal(add_numbered(RECORD_LIVE, 1), -EPROTO);
    assert_int_equal(add_numbered(RECORD_LIVE, 0), -EPROTO);
    assert_int_equal(add_numbered(RECORD_LIVE, 2), 0);
    assert_int_equal(add_numbered(RECORD_END, 4), -EPROTO);
    assert_int_equal(add_numbered(RECORD_END, 3), 0);
}

/* A compacted journal: the ends that were kept, with gaps, then the state. */
static void test_gaps_after_a_compaction(void **state)
{
    assert_int_equal(add_numbered(RECORD_END, 5), 0);
    assert_int_equal(add_numbered(RECORD_END, 9), 0);
    assert_int_equal(add_numbered(RECORD_INCIDENT, 11), 0);
    assert_int_equal(add_numbered(RECORD_END, 13), 0);
    assert_int_equal(add_numbered(RECORD_END, 13), -EPROTO);
    assert_int_equal(add_numbered(RECORD_END, 12), -EPROTO);
    assert_int_equal(add_numbered(RECORD_APP, 20), 0);
    assert_int_equal(add_numbered(RECORD_LIVE, 22), -EPROTO);
    assert_int_equal(add_numbered(RECORD_LIVE, 21), 0);
}

/* --- snapshot --------------------------------------------------------------------------------- */

static void build_state(void)
{
    add_app("web", 4);
    add_zone("web", BLUE, ZONE_STANDBY, "v1", "");
    add_zone("web", GREEN, ZONE_LIVE, "v2", "HTTP 200");
    add_mark("web", GREEN, MARK_BAD, "slow");
    add_live("web", GREEN);
    add_operation(RECORD_BEGIN, "web", VERB_SWITCH, BLUE);
    add_bake("web", GREEN, 7000, "slow");
    add_schema("web", SCHEMA_BROKEN, "it failed");
    add_lock("web", 9000, "alice (uid 1000)", "moving the host");
    add_serving("web", GREEN, 8000, -12);
    add_canary("web", BLUE, 20);
    add_app("empty", 1);
    add_app("api", 7);
    add_zone("api", BLUE, ZONE_FAILED, "v9", "exit 1");
    add_app_state("api", APP_STOPPED);
}

static void check_same(const struct fold *a, const struct fold *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        struct folded_app x = a->apps[i], y = b->apps[i];
        assert_int_equal(x.operation.unix_ms, y.operation.unix_ms);
        x.operation.sequence = y.operation.sequence = 0; /* the one thing that changes: its number stays */
        assert_string_equal(x.name, y.name);
        assert_memory_equal(&x, &y, sizeof x);
    }
}

static void test_snapshot_gives_the_state_again(void **state)
{
    struct fold copy = {0};
    build_state();
    assert_int_equal(fold_snapshot(&fold, refold, &copy), 0);
    check_same(&fold, &copy);
    assert_int_equal(copy.last_sequence, 12 + 1 + 3);
    fold_clear(&copy);
}

static int fail_at_third(void *context, struct record *record)
{
    return ++*(int *)context == 3 ? -ENOSPC : 0;
}

static void test_snapshot_stops_at_an_error(void **state)
{
    int count = 0;
    build_state();
    assert_int_equal(fold_snapshot(&fold, fail_at_third, &count), -ENOSPC);
    assert_int_equal(count, 3);
}

/* Beside an operation: neither ends the other. */
static void test_releases_are_changed(void **state)
{
    struct fold again = {0};
    assert_int_equal(add_releases("web", "v1"), -EPROTO);
    add_app("web", 1);
    add_releases("web", "v3");
    add_operation(RECORD_BEGIN, "web", VERB_DEPLOY, GREEN);
    const struct folded_app *app = fold_find(&fold, "web");
    assert_int_equal(app->releases.since_unix_ms, 5000);
    assert_string_equal(app->releases.release, "v3");
    assert_string_equal(app->releases.who, "root");
    assert_int_equal(fold_snapshot(&fold, refold, &again), 0);
    assert_int_equal(again.apps[0].releases.since_unix_ms, 5000);
    assert_string_equal(again.apps[0].releases.release, "v3");
    assert_string_equal(again.apps[0].releases.who, "root");
    fold_clear(&again);
    add_operation(RECORD_END, "web", VERB_DEPLOY, GREEN);
    assert_int_equal(app->releases.since_unix_ms, 5000);
    add_operation(RECORD_BEGIN, "web", VERB_SWITCH, -1);
    add_operation(RECORD_END, "web", VERB_RELEASE, -1);
    assert_int_equal(app->releases.since_unix_ms, 0);
    assert_string_equal(app->releases.release, "");
    assert_true(app->interrupted);
}

static void test_copy_is_independent(void **state)
{
    struct fold copy = {0}, none = {0};
    build_state();
    assert_int_equal(fold_copy(&copy, &fold), 0);
    check_same(&fold, &copy);
    assert_int_equal(copy.last_sequence, fold.last_sequence);
    add_removed("web");
    assert_non_null(fold_find(&copy, "web"));
    assert_int_equal(fold_copy(&copy, &none), 0);
    assert_int_equal(copy.count, 0);
    assert_null(copy.apps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_deployment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stopped_stays_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_operations_overlap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removal_frees_the_index, setup, teardown),
        cmocka_unit_test_setup_teardown(test_serving, setup, teardown),
        cmocka_unit_test_setup_teardown(test_canary, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_drain_begins_and_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_canary_is_drained, setup, teardown),
        cmocka_unit_test_setup_teardown(test_operation_keeps_its_number, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contradictions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_incidents_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_locks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_marks_go_with_their_release, setup, teardown),
        cmocka_unit_test_setup_teardown(test_since_when_a_zone_is_what_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_bake_begins_and_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_missing_record_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gaps_after_a_compaction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_schema_is_as_it_was_last, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot_gives_the_state_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot_stops_at_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_releases_are_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copy_is_independent, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
