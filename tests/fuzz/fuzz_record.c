/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a journal. Each line is tried as it stands, and once more behind the check sum that it should have,
 * or the fuzzer would never get past it. What is accepted must be written the same way again, and fold.
 */
#include "model/record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* Numbers may be written with leading zeros, so it is the record that must come back, not the line. */
static void check_round_trip(const struct record *record)
{
    CLEANUP_TEXT struct text line = {0};
    struct record again;
    record_format(record, &line);
    require(line.length < RECORD_LINE_MAX && line.data[line.length - 1] == '\n');
    require(record_parse(line.data, line.length - 1, &again, NULL) == 0);
    require(memcmp(&again, record, sizeof again) == 0);
}

static void try_line(const char *line, size_t length, struct fold *fold)
{
    struct record record;
    if (record_parse(line, length, &record, NULL) < 0)
        return;
    check_round_trip(&record);
    if (fold_check(fold, &record, NULL) == 0)
        require(fold_add(fold, &record, NULL) == 0);
}

static void try_with_sum(const char *body, size_t length, struct fold *fold)
{
    CLEANUP_TEXT struct text line = {0};
    text_addf(&line, "%08" PRIx32 " ", crc32c(body, length));
    text_add_bytes(&line, body, length);
    try_line(line.data, line.length, fold);
}

static int refold(void *context, struct record *record)
{
    struct fold *copy = context;
    record->sequence = copy->last_sequence + 1;
    check_round_trip(record);
    return fold_add(copy, record, NULL);
}

static void check_snapshot(const struct fold *fold)
{
    struct fold copy = {0};
    require(fold_snapshot(fold, refold, &copy) == 0);
    require(copy.count == fold->count);
    for (size_t i = 0; i < copy.count; i++) {
        require(strcmp(copy.apps[i].name, fold->apps[i].name) == 0);
        require(copy.apps[i].live == fold->apps[i].live && copy.apps[i].state == fold->apps[i].state);
        require(copy.apps[i].interrupted == fold->apps[i].interrupted);
    }
    fold_clear(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    struct fold raw = {0}, summed = {0};
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        try_line(at, (size_t)(stop - at), &raw);
        try_with_sum(at, (size_t)(stop - at), &summed);
        at = newline ? newline + 1 : end;
    }
    check_snapshot(&raw);
    check_snapshot(&summed);
    fold_clear(&raw);
    fold_clear(&summed);
    return 0;
}
