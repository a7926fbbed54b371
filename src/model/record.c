/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Journal records as lines of text. Each kind has its fields, always all of them and always in the order of the
 * table here, so a line is either exactly what record_format wrote or it is refused.
 */
#include "model/record.h"

#include "base/cleanup.h"
#include "model/record_fields.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[RECORD_KINDS] = {
    [RECORD_APP] = "app",         [RECORD_ZONE] = "zone",         [RECORD_LIVE] = "live",
    [RECORD_BEGIN] = "begin",     [RECORD_END] = "end",           [RECORD_APP_STATE] = "state",
    [RECORD_REMOVED] = "removed", [RECORD_INCIDENT] = "incident", [RECORD_BAKE] = "bake",
    [RECORD_MARK] = "mark",       [RECORD_LOCK] = "lock",         [RECORD_GROUP] = "group",
    [RECORD_SCHEMA] = "schema",   [RECORD_RELEASES] = "releases", [RECORD_DRAINED] = "drained",
    [RECORD_HOOK] = "hook",       [RECORD_SERVING] = "serving",   [RECORD_SERVED] = "served",
    [RECORD_CANARY] = "canary",
};

enum { CHECKSUM_DIGITS = 8 };

void record_init(struct record *record, enum record_kind kind, const char *app)
{
    memset(record, 0, sizeof *record);
    record->kind = kind;
    record->zone = record->from = record->to = -1;
    text_copy(record->app, sizeof record->app, app);
}

void record_of_schema(struct record *record, const char *app, const struct schema *schema)
{
    record_init(record, RECORD_SCHEMA, app);
    record->schema = *schema;
    record->begun_unix_ms = schema->changed_unix_ms;
    memcpy(record->release, schema->release, sizeof record->release);
    memcpy(record->who, schema->who, sizeof record->who);
    memcpy(record->reason, schema->reason, sizeof record->reason);
}

bool record_is_history(const struct record *record)
{
    return record->kind == RECORD_END || record->kind == RECORD_INCIDENT || record->kind == RECORD_DRAINED ||
           record->kind == RECORD_HOOK || record->kind == RECORD_SERVED;
}

/* --- lines ------------------------------------------------------------------------------------ */

void record_format(const struct record *record, struct text *line)
{
    CLEANUP_TEXT struct text body = {0};
    text_addf(&body, "%" PRIu64 " %" PRIu64 " %s", record->sequence, record->unix_ms, kind_names[record->kind]);
    for (unsigned field = 0; field < FIELDS; field++) {
        if (!record_has_field(record->kind, (enum field)field))
            continue;
        text_addf(&body, " %s=", record_field_name((enum field)field));
        record_format_field(record, (enum field)field, &body);
    }
    if (body.failed) {
        line->failed = true;
        return;
    }
    text_addf(line, "%08" PRIx32 " %s\n", crc32c(body.data, body.length), body.data);
}

/* The next word of *rest, terminated in place; NULL at the end. One blank separates, as record_format writes it. */
static char *next_word(char **rest)
{
    char *word = *rest;
    if (!word)
        return NULL;
    char *blank = strchr(word, ' ');
    if (blank)
        *blank++ = '\0';
    *rest = blank;
    return word;
}

static bool checksum_matches(const char *line, size_t length)
{
    char expected[CHECKSUM_DIGITS + 2];
    if (length <= CHECKSUM_DIGITS + 1)
        return false;
    snprintf(expected, sizeof expected, "%08" PRIx32 " ",
             crc32c(line + CHECKSUM_DIGITS + 1, length - CHECKSUM_DIGITS - 1));
    return memcmp(line, expected, CHECKSUM_DIGITS + 1) == 0;
}

static bool parse_kind(const char *word, enum record_kind *kind)
{
    int found = text_index(word, kind_names, RECORD_KINDS);
    if (found >= 0)
        *kind = (enum record_kind)found;
    return found >= 0;
}

static int parse_head(char **rest, struct record *record, struct error *err)
{
    char *sequence = next_word(rest), *unix_ms = next_word(rest), *kind = next_word(rest);
    if (!kind || !text_to_u64(sequence, UINT64_MAX, &record->sequence) || record->sequence == 0)
        return error_set(err, EPROTO, "a record without a sequence number");
    if (!text_to_u64(unix_ms, UINT64_MAX, &record->unix_ms))
        return error_set(err, EPROTO, "a record without a time");
    if (!parse_kind(kind, &record->kind))
        return error_set(err, EPROTO, "a record of a kind that this version does not know; a newer version wrote it");
    return 0;
}

/* Is that the next field? body may be NULL. */
static bool begins_with(const char *body, const char *name)
{
    size_t length = strlen(name);
    return body && strncmp(body, name, length) == 0 && body[length] == '=';
}

static int parse_body(char *body, struct record *record, struct error *err)
{
    int result = parse_head(&body, record, err);
    if (result < 0)
        return result;
    for (unsigned i = 0; i < FIELDS; i++) {
        enum field field = (enum field)i;
        const char *name = record_field_name(field);
        if (!record_has_field(record->kind, field) ||
            (!begins_with(body, name) && record_field_optional(record->kind, field)))
            continue;
        char *word = next_word(&body), *value = word ? strchr(word, '=') : NULL;
        if (value)
            *value++ = '\0';
        if (!value || strcmp(word, name) != 0 || !record_parse_field(value, field, record))
            return error_set(err, EPROTO, "a %s record with a wrong or missing %s", kind_names[record->kind], name);
    }
    if (body)
        return error_set(err, EPROTO, "a %s record with more than its fields", kind_names[record->kind]);
    return 0;
}

int record_parse(const char *line, size_t length, struct record *record, struct error *err)
{
    if (length >= RECORD_LINE_MAX || memchr(line, '\0', length) || !checksum_matches(line, length))
        return error_set(err, EBADMSG, "the check sum does not match");
    char body[RECORD_LINE_MAX];
    memcpy(body, line + CHECKSUM_DIGITS + 1, length - CHECKSUM_DIGITS - 1);
    body[length - CHECKSUM_DIGITS - 1] = '\0';

    struct record parsed;
    record_init(&parsed, RECORD_APP, "");
    int result = parse_body(body, &parsed, err);
    if (parsed.output) /* where it stays */
        parsed.output = line + CHECKSUM_DIGITS + 1 + (parsed.output - body);
    if (result == 0)
        *record = parsed;
    return result;
}
