/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a journal. Each line is tried as it stands, and once more behind the check sum and with the sequence
 * number that it should have, or the fuzzer would never get past them. What is accepted must be written the same way
 * again, and fold; and the state that it folds to must be the same one again, written as a compacted journal is.
 */
#include "fuzz.h"
#include "model/history.h"
#include "model/record.h"

#include <inttypes.h>
#include <string.h>

/* A hook's output stays as it stands in the line; it can be read, and is nothing but what is written of that. */
static void check_output(const struct record *record)
{
    static char output[RECORD_OUTPUT_MAX + 1];
    CLEANUP_TEXT struct text encoded = {0};
    require((record->kind == RECORD_HOOK) == (record->output != NULL));
    if (!record->output)
        return;
    record_decode_output(record, output);
    record_encode_output(output, &encoded);
    require(encoded.length == record->output_length);
    require(encoded.length == 0 || memcmp(encoded.data, record->output, encoded.length) == 0);
}

/* Numbers may be written with leading zeros, so it is the record that must come back, not the line. */
static void check_round_trip(const struct record *record)
{
    CLEANUP_TEXT struct text line = {0}, second = {0};
    struct record again;
    record_format(record, &line);
    require(line.length < RECORD_LINE_MAX && line.data[line.length - 1] == '\n');
    require(record_parse(line.data, line.length - 1, &again, NULL) == 0);
    record_format(&again, &second);
    require(second.length == line.length && memcmp(second.data, line.data, line.length) == 0);
    check_output(record);
}

static void check_steps(const struct record *record)
{
    const char *steps = record->steps;
    char name[32];
    uint64_t ms;
    for (size_t left = sizeof record->steps; history_next_step(&steps, name, sizeof name, &ms); left--)
        require(left > 0 && name[0] && strlen(name) < sizeof name);
    require(steps <= record->steps + strlen(record->steps));
}

static void try_line(const char *line, size_t length, struct fold *fold, bool place)
{
    struct record record;
    if (record_parse(line, length, &record, NULL) < 0)
        return;
    check_round_trip(&record);
    check_steps(&record);
    if (place)
        record.sequence = fold->last_sequence + 1;
    if (fold_check(fold, &record, NULL) == 0)
        require(fold_add(fold, &record, NULL) == 0);
}

static void try_with_sum(const char *body, size_t length, struct fold *fold)
{
    CLEANUP_TEXT struct text line = {0};
    text_addf(&line, "%08" PRIx32 " ", crc32c(body, length));
    text_add_bytes(&line, body, length);
    try_line(line.data, line.length, fold, true);
}

/* --- a state as records ------------------------------------------------------------------------------------------- */

struct copying {
    struct fold fold;
    struct text text;
};

static int copy_record(void *context, struct record *record)
{
    struct copying *copying = context;
    record->sequence = copying->fold.last_sequence + 1;
    check_round_trip(record);
    record_format(record, &copying->text);
    return fold_add(&copying->fold, record, NULL);
}

/* Of a zone that is not there and has nothing to say, nothing stays but its drain. */
static void check_same_zone(const struct folded_zone *zone, const struct folded_zone *copy)
{
    bool told = zone->state != ZONE_ABSENT || zone->release[0] || zone->reason[0];
    require(copy->state == zone->state && strcmp(copy->release, zone->release) == 0);
    require(strcmp(copy->reason, zone->reason) == 0 && (copy->since_unix_ms == zone->since_unix_ms || !told));
    require(!told || (copy->mark == zone->mark && strcmp(copy->mark_reason, zone->mark_reason) == 0));
    const struct folded_drain *drain = &zone->drain, *again = &copy->drain;
    /* A zone whose state it is drains since it has that state: no agent writes anything else. */
    require(again->since_unix_ms == drain->since_unix_ms || zone->state == ZONE_DRAINING);
    require((drain->since_unix_ms == 0 && zone->state != ZONE_DRAINING) ||
            (again->until_unix_ms == drain->until_unix_ms && again->operation == drain->operation));
}

static void check_same(const struct folded_app *app, const struct folded_app *copy)
{
    require(strcmp(copy->name, app->name) == 0 && copy->index == app->index);
    require(copy->live == app->live && copy->state == app->state && copy->interrupted == app->interrupted);
    require(!app->interrupted || copy->operation.operation == app->operation.operation);
    for (int i = 0; i < COLOURS; i++)
        check_same_zone(&app->zones[i], &copy->zones[i]);
    require(memcmp(&copy->bake, &app->bake, sizeof app->bake) == 0);
    require(memcmp(&copy->lock, &app->lock, sizeof app->lock) == 0);
    require(memcmp(&copy->releases, &app->releases, sizeof app->releases) == 0);
    require(memcmp(&copy->serving, &app->serving, sizeof app->serving) == 0);
    require(memcmp(&copy->canary, &app->canary, sizeof app->canary) == 0);
    require(strcmp(copy->schema.release, app->schema.release) == 0);
    require(strcmp(copy->schema.verified, app->schema.verified) == 0);
}

static void check_snapshot(const struct fold *fold)
{
    struct copying first = {0}, second = {0};
    require(fold_snapshot(fold, copy_record, &first) == 0);
    require(fold_snapshot(&first.fold, copy_record, &second) == 0);
    require(first.fold.count == fold->count && first.text.length == second.text.length);
    require(first.text.length == 0 || memcmp(first.text.data, second.text.data, first.text.length) == 0);
    for (size_t i = 0; i < fold->count; i++)
        check_same(&fold->apps[i], &first.fold.apps[i]);
    fold_clear(&first.fold);
    fold_clear(&second.fold);
    text_clear(&first.text);
    text_clear(&second.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    struct fold raw = {0}, summed = {0};
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        try_line(at, (size_t)(stop - at), &raw, false);
        try_with_sum(at, (size_t)(stop - at), &summed);
        at = newline ? newline + 1 : end;
    }
    check_snapshot(&raw);
    check_snapshot(&summed);
    fold_clear(&raw);
    fold_clear(&summed);
    return 0;
}
