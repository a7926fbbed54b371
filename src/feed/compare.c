/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Digests of answers. */
#include "feed/compare.h"

#include "base/text.h"
#include "feed/http_parse.h"

#include <string.h>

enum { SAMPLE_FIELDS = WAL_SAMPLE_MAX / 2 }; /* the content has the rest */

/* What two servers never have in common, and what is compared otherwise: the content itself, not its length. */
static const char *const never[] = {
    "date", "server", "age", "via", "expires", "last-modified", "server-timing", "content-length", "bluegreen-feed"};

static bool is_compared(const struct compare_rules *rules, const struct http_head *answer,
                        const struct http_field *field)
{
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        if (http_span_is_word(field->name, never[i]))
            return false;
    }
    for (size_t i = 0; i < rules->ignore_count; i++) {
        if (http_span_is_word(field->name, rules->ignore[i]))
            return false;
    }
    return !http_field_is_hop(answer, field);
}

/* By name, no matter the case. */
static int order(const struct http_field *a, const struct http_field *b)
{
    size_t length = a->name.length < b->name.length ? a->name.length : b->name.length;
    for (size_t i = 0; i < length; i++) {
        int difference = http_small(a->name.at[i]) - http_small(b->name.at[i]);
        if (difference)
            return difference;
    }
    return a->name.length < b->name.length ? -1 : a->name.length > b->name.length;
}

static void sum_field(struct sha256 *sum, const struct http_field *field)
{
    char name[256];
    for (size_t at = 0; at < field->name.length; at += sizeof name) {
        size_t length = field->name.length - at < sizeof name ? field->name.length - at : sizeof name;
        for (size_t i = 0; i < length; i++)
            name[i] = http_small(field->name.at[at + i]);
        sha256_add(sum, name, length);
    }
    sha256_add(sum, ":", 1);
    sha256_add(sum, field->value.at, field->value.length);
    sha256_add(sum, "\n", 1);
}

/* Sorted, as another release may write them in another order; those of one name stay in theirs. */
static void sum_fields(struct sha256 *sum, const struct compare_rules *rules, const struct http_head *answer)
{
    const struct http_field *sorted[HTTP_FIELDS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < answer->field_count; i++) {
        const struct http_field *field = &answer->fields[i];
        size_t place = count;
        if (!is_compared(rules, answer, field))
            continue;
        for (; place > 0 && order(field, sorted[place - 1]) < 0; place--)
            sorted[place] = sorted[place - 1];
        sorted[place] = field;
        count++;
    }
    for (size_t i = 0; i < count; i++)
        sum_field(sum, sorted[i]);
}

static void sample(struct compare *compare, const char *bytes, size_t length, size_t most)
{
    size_t room = most - compare->sampled;
    size_t taken = length < room ? length : room;
    if (taken > 0)
        memcpy(compare->sample + compare->sampled, bytes, taken);
    compare->sampled += taken;
}

/* "X-Release: v2; " and then the content: where only a field differs, both contents look the same. */
static void sample_fields(struct compare *compare, const struct compare_rules *rules, const struct http_head *answer)
{
    for (size_t i = 0; i < answer->field_count; i++) {
        const struct http_field *field = &answer->fields[i];
        if (!is_compared(rules, answer, field) || http_span_is_word(field->name, "content-type"))
            continue;
        sample(compare, field->name.at, field->name.length, SAMPLE_FIELDS);
        sample(compare, ": ", 2, SAMPLE_FIELDS);
        sample(compare, field->value.at, field->value.length, SAMPLE_FIELDS);
        sample(compare, "; ", 2, SAMPLE_FIELDS);
    }
}

static bool ends_with_word(struct http_span span, const char *word)
{
    size_t length = strlen(word);
    return span.length >= length && http_span_is_word((struct http_span){span.at + span.length - length, length}, word);
}

/* application/json, or another kind of it: application/problem+json; charset=utf-8 */
static bool is_json(const struct http_head *answer)
{
    const struct http_field *type = http_field_find(answer, "content-type", NULL);
    if (!type || http_field_find(answer, "content-encoding", NULL))
        return false;
    struct http_span kind = {type->value.at, 0};
    while (kind.length < type->value.length && !strchr("; \t", kind.at[kind.length]))
        kind.length++;
    return ends_with_word(kind, "/json") || ends_with_word(kind, "+json");
}

void compare_begin(struct compare *compare, const struct compare_rules *rules, const struct http_head *answer)
{
    *compare = (struct compare){.status = answer->status};
    compare->digests = rules->compare == FEED_COMPARE_BODY;
    if (!compare->digests)
        return;
    sha256_begin(&compare->fields);
    sum_fields(&compare->fields, rules, answer);
    sample_fields(compare, rules, answer);
    sha256_begin(&compare->whole);
    compare->cuts = rules->ignore_count > 0 && is_json(answer);
    sha256_begin(&compare->cut);
    json_cut_begin(&compare->json, rules->ignore, rules->ignore_count);
}

static void take_piece(void *context, const char *bytes, size_t length)
{
    sha256_add(context, bytes, length);
}

void compare_add(struct compare *compare, const char *content, size_t length)
{
    sample(compare, content, length, WAL_SAMPLE_MAX);
    compare->length += length;
    if (compare->digests && length > 0)
        sha256_add(&compare->whole, content, length);
    if (compare->cuts && length > 0)
        json_cut_add(&compare->json, content, length, take_piece, &compare->cut);
}

/* Over the fields, and over the content's own digest. */
static void take_digest(struct compare *compare, uint8_t digest[WAL_DIGEST_SIZE])
{
    uint8_t content[SHA256_SIZE];
    bool cut = compare->cuts && json_cut_end(&compare->json);
    sha256_end(cut ? &compare->cut : &compare->whole, content);
    sha256_add(&compare->fields, "\n", 1);
    sha256_add(&compare->fields, content, sizeof content);
    sha256_end(&compare->fields, digest);
}

/* It would be shown as '?'. */
static bool is_end_of_line(char byte)
{
    return byte == '\n' || byte == '\r';
}

void compare_end(struct compare *compare, struct wal_answer *answer)
{
    _Static_assert(WAL_DIGEST_SIZE == SHA256_SIZE, "the journal keeps a SHA-256");
    *answer = (struct wal_answer){.status = compare->status, .length = compare->length};
    if (compare->digests)
        take_digest(compare, answer->digest);
    while (compare->sampled > 0 && is_end_of_line(compare->sample[compare->sampled - 1]))
        compare->sampled--;
    for (size_t i = 0; i < compare->sampled; i++)
        answer->sample[i] = compare->sample[i] ? compare->sample[i] : '?';
    text_sanitise(answer->sample);
}

static bool was_taken(const struct wal_answer *answer)
{
    static const uint8_t none[WAL_DIGEST_SIZE];
    return memcmp(answer->digest, none, sizeof none) != 0;
}

bool compare_same(enum feed_compare how, const struct wal_answer *live, const struct wal_answer *other)
{
    if (how == FEED_COMPARE_NONE || live->status == 0) /* it was in doubt: nobody knows what live would have said */
        return true;
    if (live->status != other->status)
        return false;
    if (how == FEED_COMPARE_STATUS || !was_taken(live) || !was_taken(other))
        return true;
    return memcmp(live->digest, other->digest, WAL_DIGEST_SIZE) == 0;
}
