/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields of journal records: their names, which kind has which, and their values as words. */
#include "model/record_fields.h"

#include "model/address_plan.h"
#include "model/record_words.h"

#include <inttypes.h>
#include <string.h>

/* --- values ----------------------------------------------------------------------------------- */

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
    [FIELD_SCHEMA] = "schema",
    [FIELD_VERIFIED] = "verified",
    [FIELD_GROUP] = "group",
    [FIELD_PHASE] = "phase",
    [FIELD_MEMBERS] = "members",
    [FIELD_OPERATION] = "operation",
    [FIELD_STEPS] = "steps",
    [FIELD_TRANSACTION] = "transaction",
    [FIELD_BEFORE] = "before",
    [FIELD_AFTER] = "after",
    [FIELD_HOOK] = "hook",
    [FIELD_DRAINED] = "drained",
    [FIELD_CUT] = "cut",
    [FIELD_LEFT] = "left",
    [FIELD_MS] = "ms",
    [FIELD_CONNECTIONS] = "connections",
    [FIELD_DATAGRAMS] = "datagrams",
    [FIELD_REQUESTS] = "requests",
    [FIELD_SHARE] = "share",
    [FIELD_STICKY] = "sticky",
    [FIELD_OUTPUT] = "output",
    [FIELD_NUDGED] = "nudged",
};

#define BIT(field) (UINT64_C(1) << FIELD_##field)

#define RECEIPT (BIT(OPERATION) | BIT(STEPS) | BIT(TRANSACTION) | BIT(BEFORE) | BIT(AFTER))

static const uint64_t kind_fields[RECORD_KINDS] = {
    [RECORD_APP] = BIT(APP) | BIT(INDEX),
    [RECORD_ZONE] = BIT(APP) | BIT(ZONE) | BIT(STATE) | BIT(RELEASE) | BIT(UNTIL) | BIT(REASON) | BIT(OPERATION),
    [RECORD_LIVE] = BIT(APP) | BIT(ZONE),
    [RECORD_BEGIN] = BIT(APP) | BIT(VERB) | BIT(FROM) | BIT(TO) | BIT(RELEASE) | BIT(WHO) | BIT(OPERATION),
    [RECORD_END] = BIT(APP) | BIT(VERB) | BIT(FROM) | BIT(TO) | BIT(RELEASE) | BIT(WHO) | BIT(BEGUN) | BIT(DONE) |
                   BIT(REASON) | RECEIPT | BIT(MS),
    [RECORD_APP_STATE] = BIT(APP) | BIT(APP_STATE),
    [RECORD_REMOVED] = BIT(APP),
    [RECORD_INCIDENT] = BIT(APP) | BIT(ZONE) | BIT(INCIDENT) | BIT(RELEASE) | BIT(REASON),
    [RECORD_BAKE] = BIT(APP) | BIT(ZONE) | BIT(UNTIL) | BIT(RESTARTS) | BIT(KILLS) | BIT(OVERFLOWS) | BIT(REASON),
    [RECORD_MARK] = BIT(APP) | BIT(ZONE) | BIT(MARK) | BIT(REASON),
    [RECORD_LOCK] = BIT(APP) | BIT(WHO) | BIT(BEGUN) | BIT(REASON),
    [RECORD_RELEASES] = BIT(APP) | BIT(RELEASE) | BIT(WHO) | BIT(BEGUN),
    [RECORD_SCHEMA] = BIT(APP) | BIT(SCHEMA) | BIT(RELEASE) | BIT(VERIFIED) | BIT(WHO) | BIT(BEGUN) | BIT(REASON),
    [RECORD_GROUP] = BIT(GROUP) | BIT(PHASE) | BIT(MEMBERS),
    [RECORD_DRAINED] =
        BIT(APP) | BIT(ZONE) | BIT(OPERATION) | BIT(DRAINED) | BIT(CUT) | BIT(LEFT) | BIT(MS) | BIT(NUDGED),
    [RECORD_HOOK] = BIT(APP) | BIT(ZONE) | BIT(RELEASE) | BIT(DONE) | BIT(REASON) | BIT(OPERATION) | BIT(HOOK) |
                    BIT(MS) | BIT(OUTPUT),
    [RECORD_SERVING] = BIT(APP) | BIT(ZONE) | BIT(BEGUN) | BIT(CONNECTIONS) | BIT(DATAGRAMS),
    [RECORD_SERVED] = BIT(APP) | BIT(ZONE) | BIT(RELEASE) | BIT(BEGUN) | BIT(OPERATION) | BIT(CONNECTIONS) |
                      BIT(DATAGRAMS) | BIT(REQUESTS),
    [RECORD_CANARY] = BIT(APP) | BIT(ZONE) | BIT(SHARE) | BIT(STICKY) | BIT(BEGUN) | BIT(OPERATION) | BIT(RESTARTS) |
                      BIT(KILLS) | BIT(OVERFLOWS) | BIT(REASON) | BIT(UNTIL),
};

static void format_requests(const struct record *record, struct text *line)
{
    if (record->requests_known)
        text_addf(line, "%" PRIu64, record->requests);
    else
        text_add(line, "unknown");
}

static void format_drained(const struct record *record, uint32_t count, struct text *line)
{
    if (record->drained_unknown)
        text_add(line, "unknown");
    else
        text_addf(line, "%" PRIu32, count);
}

bool record_has_field(enum record_kind kind, enum field field)
{
    return kind_fields[kind] & UINT64_C(1) << field;
}

const char *record_field_name(enum field field)
{
    return field_names[field];
}

bool record_field_optional(enum record_kind kind, enum field field)
{
    static const uint64_t optional[RECORD_KINDS] = {
        [RECORD_ZONE] = BIT(UNTIL) | BIT(OPERATION), [RECORD_CANARY] = BIT(UNTIL),     [RECORD_DRAINED] = BIT(NUDGED),
        [RECORD_BEGIN] = RECEIPT | BIT(MS),          [RECORD_END] = RECEIPT | BIT(MS),
    };
    return optional[kind] & UINT64_C(1) << field;
}

void record_format_field(const struct record *record, enum field field, struct text *line)
{
    switch (field) {
    case FIELD_APP: record_word_add(line, record->app); break;
    case FIELD_INDEX: text_addf(line, "%u", record->index); break;
    case FIELD_ZONE: text_add(line, zone_or_none(record->zone)); break;
    case FIELD_STATE: text_add(line, zone_state_name(record->state)); break;
    case FIELD_APP_STATE: text_add(line, app_state_name(record->app_state)); break;
    case FIELD_INCIDENT: text_add(line, incident_name(record->incident)); break;
    case FIELD_VERB: text_add(line, verb_name(record->verb)); break;
    case FIELD_FROM: text_add(line, zone_or_none(record->from)); break;
    case FIELD_TO: text_add(line, zone_or_none(record->to)); break;
    case FIELD_RELEASE: record_word_add(line, record->release); break;
    case FIELD_WHO: record_word_add(line, record->who); break;
    case FIELD_BEGUN: text_addf(line, "%" PRIu64, record->begun_unix_ms); break;
    case FIELD_DONE: text_add(line, record->done ? "1" : "0"); break;
    case FIELD_MARK: text_add(line, zone_mark_name(record->mark)); break;
    case FIELD_UNTIL: text_addf(line, "%" PRIu64, record->until_unix_ms); break;
    case FIELD_RESTARTS: text_addf(line, "%" PRIu32, record->restarts); break;
    case FIELD_KILLS: text_addf(line, "%" PRIu32, record->oom_kills); break;
    case FIELD_OVERFLOWS: text_addf(line, "%" PRIu64, record->overflows); break;
    case FIELD_REASON: record_word_add(line, record->reason); break;
    case FIELD_SCHEMA: schema_format(&record->schema, line); break;
    case FIELD_VERIFIED: record_word_add(line, record->schema.verified); break;
    case FIELD_GROUP: record_word_add(line, record->group.name); break;
    case FIELD_PHASE: text_add(line, group_phase_name(record->group.phase)); break;
    case FIELD_MEMBERS: group_format(&record->group, line); break;
    case FIELD_OPERATION: text_addf(line, "%" PRIu64, record->operation); break;
    case FIELD_STEPS: record_word_add(line, record->steps); break;
    case FIELD_TRANSACTION: text_addf(line, "%" PRIu32, record->transaction_us); break;
    case FIELD_BEFORE: text_addf(line, "%" PRIu32, record->generation_before); break;
    case FIELD_AFTER: text_addf(line, "%" PRIu32, record->generation_after); break;
    case FIELD_HOOK: text_add(line, hook_name(record->hook)); break;
    case FIELD_DRAINED: format_drained(record, record->drained, line); break;
    case FIELD_CUT: text_addf(line, "%" PRIu32, record->cut); break;
    case FIELD_LEFT: text_addf(line, "%" PRIu32, record->left); break;
    case FIELD_NUDGED: format_drained(record, record->nudged, line); break;
    case FIELD_MS: text_addf(line, "%" PRIu64, record->ms); break;
    case FIELD_CONNECTIONS: text_addf(line, "%" PRId64, record->connections); break;
    case FIELD_DATAGRAMS: text_addf(line, "%" PRId64, record->datagrams); break;
    case FIELD_REQUESTS: format_requests(record, line); break;
    case FIELD_SHARE: text_addf(line, "%u", record->share); break;
    case FIELD_STICKY: text_add(line, record->sticky ? "1" : "0"); break;
    case FIELD_OUTPUT: text_add_bytes(line, record->output ? record->output : "", record->output_length); break;
    case FIELDS: break;
    }
}

static bool parse_index(const char *value, uint16_t *index)
{
    uint64_t number;
    if (!text_to_u64(value, APP_INDEX_MAX, &number))
        return false;
    *index = (uint16_t)number;
    return true;
}

static bool parse_flag(const char *value, bool *flag)
{
    *flag = value[0] == '1';
    return (value[0] == '0' || value[0] == '1') && value[1] == '\0';
}

static bool parse_share(const char *value, uint8_t *share)
{
    uint64_t number;
    if (!text_to_u64(value, 99, &number))
        return false;
    *share = (uint8_t)number;
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

static bool parse_drained(const char *value, struct record *record)
{
    record->drained_unknown = strcmp(value, "unknown") == 0;
    return record->drained_unknown || parse_count(value, &record->drained);
}

/* Nobody knows one of the two without the other. */
static bool parse_nudged(const char *value, struct record *record)
{
    return record->drained_unknown ? strcmp(value, "unknown") == 0 : parse_count(value, &record->nudged);
}

static bool parse_release(const char *value, char release[RELEASE_NAME_MAX + 1])
{
    return record_word_read(value, release, RELEASE_NAME_MAX + 1) && (!release[0] || release_name_valid(release));
}

static bool parse_signed(const char *value, int64_t *number)
{
    uint64_t size;
    bool negative = value[0] == '-';
    if (!text_to_u64(value + negative, INT64_MAX, &size) || (negative && size == 0))
        return false;
    *number = negative ? -(int64_t)size : (int64_t)size;
    return true;
}

/* What a zone had counted before may be more; what a release has served is not less than nothing. */
static bool parse_served(const char *value, enum record_kind kind, int64_t *number)
{
    return parse_signed(value, number) && (*number >= 0 || kind == RECORD_SERVING);
}

static bool parse_requests(const char *value, struct record *record)
{
    record->requests_known = strcmp(value, "unknown") != 0;
    return !record->requests_known || text_to_u64(value, UINT64_MAX, &record->requests);
}

static bool parse_hook(const char *value, enum hook *hook)
{
    for (unsigned i = 0; i < HOOKS; i++) {
        if (strcmp(value, hook_name((enum hook)i)) == 0) {
            *hook = (enum hook)i;
            return true;
        }
    }
    return false;
}

/* It stays as it stands in the line: few who read a journal want it. */
static bool parse_output(const char *value, struct record *record)
{
    char decoded[RECORD_OUTPUT_MAX + 1];
    record->output = value;
    record->output_length = strlen(value);
    return record_word_read(value, decoded, sizeof decoded);
}

void record_encode_output(const char *output, struct text *encoded)
{
    record_word_add(encoded, output);
}

void record_decode_output(const struct record *record, char output[RECORD_OUTPUT_MAX + 1])
{
    char value[3 * RECORD_OUTPUT_MAX + 1];
    size_t length = record->output_length < sizeof value ? record->output_length : sizeof value - 1;
    memcpy(value, record->output, length);
    value[length] = '\0';
    record_word_read(value, output, RECORD_OUTPUT_MAX + 1);
}

bool record_parse_field(const char *value, enum field field, struct record *record)
{
    switch (field) {
    case FIELD_APP: return record_word_read(value, record->app, sizeof record->app) && app_name_valid(record->app);
    case FIELD_INDEX: return parse_index(value, &record->index);
    case FIELD_ZONE:
        return parse_zone_or_none(value, &record->zone) && (record->zone >= 0 || record->kind == RECORD_LIVE);
    case FIELD_STATE: return zone_state_parse(value, &record->state);
    case FIELD_APP_STATE: return app_state_parse(value, &record->app_state);
    case FIELD_INCIDENT: return incident_parse(value, &record->incident);
    case FIELD_VERB: return parse_verb(value, &record->verb);
    case FIELD_FROM: return parse_zone_or_none(value, &record->from);
    case FIELD_TO: return parse_zone_or_none(value, &record->to);
    case FIELD_RELEASE: return parse_release(value, record->release);
    case FIELD_WHO: return record_word_read(value, record->who, sizeof record->who);
    case FIELD_BEGUN: return text_to_u64(value, UINT64_MAX, &record->begun_unix_ms);
    case FIELD_DONE: return parse_flag(value, &record->done);
    case FIELD_STICKY: return parse_flag(value, &record->sticky);
    case FIELD_SHARE: return parse_share(value, &record->share);
    case FIELD_MARK: return zone_mark_parse(value, &record->mark);
    case FIELD_UNTIL: return text_to_u64(value, UINT64_MAX, &record->until_unix_ms);
    case FIELD_RESTARTS: return parse_count(value, &record->restarts);
    case FIELD_KILLS: return parse_count(value, &record->oom_kills);
    case FIELD_OVERFLOWS: return text_to_u64(value, UINT64_MAX, &record->overflows);
    case FIELD_REASON: return record_word_read(value, record->reason, sizeof record->reason);
    case FIELD_SCHEMA: return schema_parse(value, &record->schema);
    case FIELD_VERIFIED: return parse_release(value, record->schema.verified);
    case FIELD_GROUP:
        return record_word_read(value, record->group.name, sizeof record->group.name) &&
               app_name_valid(record->group.name);
    case FIELD_PHASE: return group_phase_parse(value, &record->group.phase);
    case FIELD_MEMBERS: return group_parse(value, &record->group);
    case FIELD_OPERATION: return text_to_u64(value, UINT64_MAX, &record->operation);
    case FIELD_STEPS: return record_word_read(value, record->steps, sizeof record->steps);
    case FIELD_TRANSACTION: return parse_count(value, &record->transaction_us);
    case FIELD_BEFORE: return parse_count(value, &record->generation_before);
    case FIELD_AFTER: return parse_count(value, &record->generation_after);
    case FIELD_HOOK: return parse_hook(value, &record->hook);
    case FIELD_DRAINED: return parse_drained(value, record);
    case FIELD_CUT: return parse_count(value, &record->cut);
    case FIELD_LEFT: return parse_count(value, &record->left);
    case FIELD_NUDGED: return parse_nudged(value, record);
    case FIELD_MS: return text_to_u64(value, UINT64_MAX, &record->ms);
    case FIELD_CONNECTIONS: return parse_served(value, record->kind, &record->connections);
    case FIELD_DATAGRAMS: return parse_served(value, record->kind, &record->datagrams);
    case FIELD_REQUESTS: return parse_requests(value, record);
    case FIELD_OUTPUT: return parse_output(value, record);
    case FIELDS: break;
    }
    return false;
}
