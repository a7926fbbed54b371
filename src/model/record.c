/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Journal records as lines of text. Each kind has its fields, always all of them and always in the order of the
 * table here, so a line is either exactly what record_format wrote or it is refused.
 */
#include "model/record.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[RECORD_KINDS] = {
    [RECORD_APP] = "app",   [RECORD_ZONE] = "zone",       [RECORD_LIVE] = "live",       [RECORD_BEGIN] = "begin",
    [RECORD_END] = "end",   [RECORD_APP_STATE] = "state", [RECORD_REMOVED] = "removed", [RECORD_INCIDENT] = "incident",
    [RECORD_BAKE] = "bake", [RECORD_MARK] = "mark",
};

enum { CHECKSUM_DIGITS = 8 };

void record_init(struct record *record, enum record_kind kind, const char *app)
{
    memset(record, 0, sizeof *record);
    record->kind = kind;
    record->zone = record->from = record->to = -1;
    text_copy(record->app, sizeof record->app, app);
}

bool record_is_history(const struct record *record)
{
    return record->kind == RECORD_END || record->kind == RECORD_INCIDENT;
}

/* --- values ----------------------------------------------------------------------------------- */

static bool must_encode(unsigned char c)
{
    return c <= ' ' || c == 0x7f || c == '%' || c == '=';
}

static void encode(struct text *line, const char *value)
{
    for (; *value; value++) {
        if (must_encode((unsigned char)*value))
            text_addf(line, "%%%02X", (unsigned char)*value);
        else
            text_add_bytes(line, value, 1);
    }
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes encode(): nothing else than what it writes is taken. False if it does not fit. */
static bool decode(const char *value, char *to, size_t size)
{
    size_t used = 0;
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (c == '%') {
            int high = hex_digit(value[1]), low = high < 0 ? -1 : hex_digit(value[2]);
            if (low < 0)
                return false;
            c = (unsigned char)(high * 16 + low);
            if (c == '\0' || !must_encode(c))
                return false;
            value += 2;
        } else if (must_encode(c)) {
            return false;
        }
        if (used + 1 >= size)
            return false;
        to[used++] = (char)c;
    }
    to[used] = '\0';
    return true;
}

static const char *zone_or_none(int8_t zone)
{
    return zone < 0 ? "none" : colour_name((enum colour)zone);
}

static bool parse_zone_or_none(const char *value, int8_t *zone)
{
    enum colour colour;
    if (strcmp(value, "none") == 0)
        *zone = -1;
    else if (colour_parse(value, &colour))
        *zone = (int8_t)colour;
    else
        return false;
    return true;
}

static bool parse_app_state(const char *value, enum app_state *state)
{
    for (unsigned i = APP_EMPTY; i <= APP_STOPPED; i++) {
        if (strcmp(value, app_state_name((enum app_state)i)) == 0) {
            *state = (enum app_state)i;
            return true;
        }
    }
    return false;
}

static bool parse_verb(const char *value, enum wire_verb *verb)
{
    for (unsigned i = 0; i < VERBS; i++) {
        if (strcmp(value, verb_name((enum wire_verb)i)) == 0) {
            *verb = (enum wire_verb)i;
            return true;
        }
    }
    return false;
}

/* --- fields ----------------------------------------------------------------------------------- */

enum field {
    FIELD_APP,
    FIELD_INDEX,
    FIELD_ZONE,
    FIELD_STATE,
    FIELD_APP_STATE,
    FIELD_INCIDENT,
    FIELD_VERB,
    FIELD_FROM,
    FIELD_TO,
    FIELD_RELEASE,
    FIELD_WHO,
    FIELD_BEGUN,
    FIELD_DONE,
    FIELD_MARK,
    FIELD_UNTIL,
    FIELD_RESTARTS,
    FIELD_KILLS,
    FIELD_OVERFLOWS,
    FIELD_REASON,
    FIELDS
};

static const char *const field_names[FIELDS] = {
    [FIELD_APP] = "app",
    [FIELD_INDEX] = "index",
    [FIELD_ZONE] = "zone",
    [FIELD_STATE] = "state",
    [FIELD_APP_STATE] = "state",
    [FIELD_VERB] = "verb",
    [FIELD_FROM] = "from",
    [FIELD_TO] = "to",
    [FIELD_RELEASE] = "release",
    [FIELD_WHO] = "who",
    [FIELD_BEGUN] = "begun",
    [FIELD_DONE] = "done",
    [FIELD_REASON] = "reason",
    [FIELD_INCIDENT] = "incident",
    [FIELD_MARK] = "mark",
    [FIELD_UNTIL] = "until",
    [FIELD_RESTARTS] = "restarts",
    [FIELD_KILLS] = "kills",
    [FIELD_OVERFLOWS] = "overflows",
};

#define BIT(field) (1u << FIELD_##field)

static const unsigned kind_fields[RECORD_KINDS] = {
    [RECORD_APP] = BIT(APP) | BIT(INDEX),
    [RECORD_ZONE] = BIT(APP) | BIT(ZONE) | BIT(STATE) | BIT(RELEASE) | BIT(REASON),
    [RECORD_LIVE] = BIT(APP) | BIT(ZONE),
    [RECORD_BEGIN] = BIT(APP) | BIT(VERB) | BIT(FROM) | BIT(TO) | BIT(RELEASE) | BIT(WHO),
    [RECORD_END] =
        BIT(APP) | BIT(VERB) | BIT(FROM) | BIT(TO) | BIT(RELEASE) | BIT(WHO) | BIT(BEGUN) | BIT(DONE) | BIT(REASON),
    [RECORD_APP_STATE] = BIT(APP) | BIT(APP_STATE),
    [RECORD_REMOVED] = BIT(APP),
    [RECORD_INCIDENT] = BIT(APP) | BIT(ZONE) | BIT(INCIDENT) | BIT(RELEASE) | BIT(REASON),
    [RECORD_BAKE] = BIT(APP) | BIT(ZONE) | BIT(UNTIL) | BIT(RESTARTS) | BIT(KILLS) | BIT(OVERFLOWS) | BIT(REASON),
    [RECORD_MARK] = BIT(APP) | BIT(ZONE) | BIT(MARK) | BIT(REASON),
};

static void format_field(const struct record *record, enum field field, struct text *line)
{
    switch (field) {
    case FIELD_APP: encode(line, record->app); break;
    case FIELD_INDEX: text_addf(line, "%u", record->index); break;
    case FIELD_ZONE: text_add(line, zone_or_none(record->zone)); break;
    case FIELD_STATE: text_add(line, zone_state_name(record->state)); break;
    case FIELD_APP_STATE: text_add(line, app_state_name(record->app_state)); break;
    case FIELD_INCIDENT: text_add(line, incident_name(record->incident)); break;
    case FIELD_VERB: text_add(line, verb_name(record->verb)); break;
    case FIELD_FROM: text_add(line, zone_or_none(record->from)); break;
    case FIELD_TO: text_add(line, zone_or_none(record->to)); break;
    case FIELD_RELEASE: encode(line, record->release); break;
    case FIELD_WHO: encode(line, record->who); break;
    case FIELD_BEGUN: text_addf(line, "%" PRIu64, record->begun_unix_ms); break;
    case FIELD_DONE: text_add(line, record->done ? "1" : "0"); break;
    case FIELD_MARK: text_add(line, zone_mark_name(record->mark)); break;
    case FIELD_UNTIL: text_addf(line, "%" PRIu64, record->until_unix_ms); break;
    case FIELD_RESTARTS: text_addf(line, "%" PRIu32, record->restarts); break;
    case FIELD_KILLS: text_addf(line, "%" PRIu32, record->oom_kills); break;
    case FIELD_OVERFLOWS: text_addf(line, "%" PRIu64, record->overflows); break;
    case FIELD_REASON: encode(line, record->reason); break;
    case FIELDS: break;
    }
}

static bool parse_index(const char *value, uint16_t *index)
{
    uint64_t number;
    if (!text_to_u64(value, UINT16_MAX, &number))
        return false;
    *index = (uint16_t)number;
    return true;
}

static bool parse_count(const char *value, uint32_t *count)
{
    uint64_t number;
    if (!text_to_u64(value, UINT32_MAX, &number))
        return false;
    *count = (uint32_t)number;
    return true;
}

static bool parse_release(const char *value, char release[RELEASE_NAME_MAX + 1])
{
    return decode(value, release, RELEASE_NAME_MAX + 1) && (!release[0] || release_name_valid(release));
}

static bool parse_field(const char *value, enum field field, struct record *record)
{
    switch (field) {
    case FIELD_APP: return decode(value, record->app, sizeof record->app) && app_name_valid(record->app);
    case FIELD_INDEX: return parse_index(value, &record->index);
    case FIELD_ZONE:
        return parse_zone_or_none(value, &record->zone) && (record->zone >= 0 || record->kind == RECORD_LIVE);
    case FIELD_STATE: return zone_state_parse(value, &record->state);
    case FIELD_APP_STATE: return parse_app_state(value, &record->app_state);
    case FIELD_INCIDENT: return incident_parse(value, &record->incident);
    case FIELD_VERB: return parse_verb(value, &record->verb);
    case FIELD_FROM: return parse_zone_or_none(value, &record->from);
    case FIELD_TO: return parse_zone_or_none(value, &record->to);
    case FIELD_RELEASE: return parse_release(value, record->release);
    case FIELD_WHO: return decode(value, record->who, sizeof record->who);
    case FIELD_BEGUN: return text_to_u64(value, UINT64_MAX, &record->begun_unix_ms);
    case FIELD_DONE: record->done = value[0] == '1'; return (value[0] == '0' || value[0] == '1') && value[1] == '\0';
    case FIELD_MARK: return zone_mark_parse(value, &record->mark);
    case FIELD_UNTIL: return text_to_u64(value, UINT64_MAX, &record->until_unix_ms);
    case FIELD_RESTARTS: return parse_count(value, &record->restarts);
    case FIELD_KILLS: return parse_count(value, &record->oom_kills);
    case FIELD_OVERFLOWS: return text_to_u64(value, UINT64_MAX, &record->overflows);
    case FIELD_REASON: return decode(value, record->reason, sizeof record->reason);
    case FIELDS: break;
    }
    return false;
}

/* --- lines ------------------------------------------------------------------------------------ */

void record_format(const struct record *record, struct text *line)
{
    CLEANUP_TEXT struct text body = {0};
    text_addf(&body, "%" PRIu64 " %" PRIu64 " %s", record->sequence, record->unix_ms, kind_names[record->kind]);
    for (unsigned field = 0; field < FIELDS; field++) {
        if (!(kind_fields[record->kind] & 1u << field))
            continue;
        text_addf(&body, " %s=", field_names[field]);
        format_field(record, (enum field)field, &body);
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
    for (unsigned i = 0; i < RECORD_KINDS; i++) {
        if (strcmp(word, kind_names[i]) == 0) {
            *kind = (enum record_kind)i;
            return true;
        }
    }
    return false;
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

static int parse_body(char *body, struct record *record, struct error *err)
{
    int result = parse_head(&body, record, err);
    if (result < 0)
        return result;
    for (unsigned field = 0; field < FIELDS; field++) {
        if (!(kind_fields[record->kind] & 1u << field))
            continue;
        char *word = next_word(&body), *value = word ? strchr(word, '=') : NULL;
        if (value)
            *value++ = '\0';
        if (!value || strcmp(word, field_names[field]) != 0 || !parse_field(value, (enum field)field, record))
            return error_set(err, EPROTO, "a %s record with a wrong or missing %s", kind_names[record->kind],
                             field_names[field]);
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
    if (result == 0)
        *record = parsed;
    return result;
}
