/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a message of HTTP. The first byte says which kind and how it is passed on, the next two where it is cut.
 * However it is cut the same comes out; what is taken lies in it; what is written of it is read as the same message;
 * chunks end where a second reader, of the whole, says so.
 */
#include "feed/compare.h"
#include "feed/http.h"
#include "feed/lane.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static const struct http_span methods[] = {{"GET", 3}, {"HEAD", 4}, {"CONNECT", 7}, {"POST", 4}};

struct message {
    bool answer;
    struct http_span method; /* of the request that it answers */
    const char *bytes;
    size_t length;
};

static int parse(const struct message *message, struct http_head *head, struct error *err)
{
    *err = (struct error){0};
    return message->answer ? http_parse_response(message->bytes, message->length, message->method, head, err)
                           : http_parse_request(message->bytes, message->length, head, err);
}

/* So that a byte too far is seen. */
static char *exactly(const char *bytes, size_t length)
{
    char *copy = malloc(length ? length : 1);
    require(copy != NULL);
    if (length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

static bool equal(struct http_span a, struct http_span b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

static void require_inside(struct http_span span, const struct message *message, size_t size)
{
    require(!span.at || (span.at >= message->bytes && span.at + span.length <= message->bytes + size));
    for (size_t i = 0; i < span.length; i++)
        require(span.at[i] != '\r' && span.at[i] != '\n' && span.at[i] != '\0');
}

static void check_head(const struct message *message, const struct http_head *head)
{
    require(head->size <= message->length && head->size <= HTTP_HEAD_MAX && head->field_count <= HTTP_FIELDS_MAX);
    require(head->option_count <= HTTP_OPTIONS_MAX && head->minor <= 1);
    require_inside(head->method, message, head->size);
    require_inside(head->target, message, head->size);
    require_inside(head->reason, message, head->size);
    require_inside(http_target_path(head), message, head->size);
    for (size_t i = 0; i < head->field_count; i++) {
        require(head->fields[i].name.length > 0);
        require_inside(head->fields[i].name, message, head->size);
        require_inside(head->fields[i].value, message, head->size);
    }
    require(head->body != HTTP_BODY_LENGTH || (head->length > 0 && head->length <= INT64_MAX && head->has_length));
    require(head->body != HTTP_BODY_TO_END || (message->answer && head->close));
    require(memcmp(message->bytes + head->size - 4, "\r\n\r\n", 4) == 0);
}

/* Nothing but pointers differs. */
static void require_same(const struct http_head *a, const struct http_head *b, bool passed_on)
{
    require(a->status == b->status && a->body == b->body && equal(a->method, b->method) && equal(a->target, b->target));
    require(a->body != HTTP_BODY_LENGTH || a->length == b->length);
    if (passed_on)
        return;
    require(a->size == b->size && a->close == b->close && a->upgrade == b->upgrade && a->expects == b->expects);
    require(a->minor == b->minor && a->has_length == b->has_length && a->option_count == b->option_count);
    require(a->field_count == b->field_count && equal(a->reason, b->reason));
    for (size_t i = 0; i < a->field_count; i++)
        require(equal(a->fields[i].name, b->fields[i].name) && equal(a->fields[i].value, b->fields[i].value));
}

static void check_cut(const struct message *message, int result, const struct http_head *head, const char *why,
                      size_t cut)
{
    struct http_head again;
    struct error err;
    char *piece = exactly(message->bytes, cut);
    struct message front = *message;
    front.bytes = piece;
    front.length = cut;
    int early = parse(&front, &again, &err);
    require(early == 0 || early == result);
    if (early < 0)
        require(strcmp(err.text, why) == 0);
    if (result == 1)
        require((early == 1) == (cut >= head->size));
    if (early == 1)
        require_same(head, &again, false);
    free(piece);
}

/* --- bodies ------------------------------------------------------------------------------------------------------- */

struct taken {
    struct http_body_reader reader;
    struct text content;
    size_t length;
    int result;
};

static void take(struct taken *taken, const char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length && !taken->reader.done && taken->result == 0) {
        struct http_span content;
        ssize_t took = http_body_take(&taken->reader, bytes + at, length - at, &content, NULL);
        if (took < 0) {
            taken->result = (int)took;
            break;
        }
        require(took > 0 && (size_t)took <= length - at);
        require(content.length == 0 || (content.at >= bytes + at && content.at + content.length <= bytes + at + took));
        if (content.length > 0)
            text_add_bytes(&taken->content, content.at, content.length);
        at += (size_t)took;
    }
    taken->length += at;
}

static void take_copy(struct taken *taken, const char *bytes, size_t length)
{
    char *piece = exactly(bytes, length);
    take(taken, piece, length);
    free(piece);
}

static bool same_content(const struct taken *a, const struct taken *b)
{
    return a->content.length == b->content.length &&
           (a->content.length == 0 || memcmp(a->content.data, b->content.data, a->content.length) == 0);
}

/* Content of a body that was read whole, as one chunk: read again it is the same, and what follows is left alone. */
static void check_again(const struct http_head *head, const struct taken *taken)
{
    CLEANUP_TEXT struct text one = {0};
    struct taken again = {0};
    if (taken->content.length > 0)
        text_addf(&one, "%zx\r\n", taken->content.length);
    if (taken->content.length > 0)
        text_add_bytes(&one, taken->content.data, taken->content.length);
    text_add(&one, taken->content.length > 0 ? "\r\n0\r\n\r\n" : "0\r\n\r\n");
    size_t length = one.length;
    text_add(&one, "GET / HTTP/1.1\r\n");
    http_body_begin(&again.reader, head);
    take(&again, one.data, one.length);
    require(again.reader.done && again.length == length && same_content(taken, &again));
    text_clear(&again.content);
}

/* A line of values from there on, without its end; -1: there is none. */
static ssize_t line_length(const char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length && ((uint8_t)bytes[at] >= ' ' || bytes[at] == '\t') && bytes[at] != 0x7f)
        at++;
    return at + 2 <= length && memcmp(bytes + at, "\r\n", 2) == 0 ? (ssize_t)at : -1;
}

/* SIZE or SIZE;EXTENSION; -1: it is not. */
static ssize_t size_of(const char *line, size_t length)
{
    char digits[20] = "", *end;
    size_t count = strspn(memcpy(digits, line, length < 17 ? length : 17), "0123456789abcdefABCDEF");
    digits[count] = '\0';
    uint64_t size = strtoull(digits, &end, 16);
    bool good = count > 0 && count <= 16 && (count == length || line[count] == ';') && size <= INT64_MAX;
    return good ? (ssize_t)size : -1;
}

static bool trailer_is_good(const char *line, size_t length)
{
    static const char *const framing[] = {"transfer-encoding", "content-length", "host",  "connection",
                                          "trailer",           "upgrade",        "expect"};
    const char *colon = memchr(line, ':', length);
    struct http_span name = {line, colon ? (size_t)(colon - line) : 0};
    bool good = name.length > 0;
    for (size_t i = 0; i < name.length; i++)
        good &= (name.at[i] & 0x80) == 0 && name.at[i] > ' ' && !strchr("\"(),/:;<=>?@[\\]{}", name.at[i]);
    for (size_t i = 0; i < sizeof framing / sizeof *framing; i++)
        good &= !http_names_alike(name, framing[i]);
    return good;
}

/* The same grammar once more, over bytes that are all there: how many make one whole body; -1: none do. */
static ssize_t whole_length(const char *bytes, size_t length)
{
    size_t at = 0;
    for (;;) {
        ssize_t line = line_length(bytes + at, length - at), size = line < 0 ? -1 : size_of(bytes + at, (size_t)line);
        if (size < 0)
            return -1;
        at += (size_t)line + 2;
        if (size == 0)
            break;
        if ((uint64_t)size + 2 > length - at || memcmp(bytes + at + size, "\r\n", 2) != 0)
            return -1;
        at += (size_t)size + 2;
    }
    for (;;) {
        ssize_t line = line_length(bytes + at, length - at);
        if (line < 0 || (line > 0 && !trailer_is_good(bytes + at, (size_t)line)))
            return -1;
        at += (size_t)line + 2;
        if (line == 0)
            return (ssize_t)at;
    }
}

static void check_body(const struct http_head *head, const char *bytes, size_t length, size_t cut)
{
    struct taken whole = {0}, pieces = {0};
    http_body_begin(&whole.reader, head);
    http_body_begin(&pieces.reader, head);
    take_copy(&whole, bytes, length);
    take_copy(&pieces, bytes, cut);
    for (size_t at = cut; at < length; at++)
        take(&pieces, bytes + at, 1);
    require(whole.result == pieces.result && whole.reader.done == pieces.reader.done && same_content(&whole, &pieces));
    if (whole.result == 0)
        require(whole.length == pieces.length && (whole.reader.done || whole.length == length));
    if (head->body == HTTP_BODY_LENGTH)
        require(whole.length == whole.content.length && whole.length <= head->length);
    if (head->body == HTTP_BODY_NONE)
        require(whole.reader.done && whole.length == 0);
    if (head->body == HTTP_BODY_CHUNKED) {
        ssize_t expected = whole_length(bytes, length);
        require(whole.reader.done ? expected == (ssize_t)whole.length : expected < 0 || length > HTTP_CHUNK_LINE_MAX);
    }
    if (head->body == HTTP_BODY_CHUNKED && whole.reader.done)
        check_again(head, &whole);
    text_clear(&whole.content);
    text_clear(&pieces.content);
}

/* --- passing on --------------------------------------------------------------------------------------------------- */

static void write_head(const struct message *message, const struct http_head *head, const struct http_rewrite *rewrite,
                       struct text *out)
{
    if (message->answer)
        http_write_response(head, rewrite, out);
    else
        http_write_request(head, rewrite, out);
    require(!out->failed);
}

/* What is passed on comes in the same order with the same values, and nothing beside it but what was made. */
static void check_fields(const struct http_head *head, const struct http_head *written)
{
    size_t at = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        if (http_field_is_hop(head, field) || http_names_alike(field->name, "content-length") ||
            http_names_alike(field->name, "x-drop"))
            continue;
        if (!head->status && at == 0 && !http_field_find(head, "host", NULL))
            at++;
        require(at < written->field_count && equal(field->name, written->fields[at].name) &&
                equal(field->value, written->fields[at].value));
        at++;
    }
    require(written->field_count <= at + 4); /* Host, framing, Connection, what is added */
}

static void check_written(const struct message *message, const struct http_head *head, uint8_t how)
{
    static const char *const drop[] = {"x-drop", NULL};
    CLEANUP_TEXT struct text out = {0}, again = {0};
    struct http_rewrite rewrite = {.close = how & 1, .drop = drop, .add = how & 2 ? "X-Add: 1\r\n" : NULL};
    struct http_head written;
    struct error err;
    write_head(message, head, &rewrite, &out);
    struct message copy = *message;
    copy.bytes = out.data;
    copy.length = out.length;
    /* Only what is added can make it too much. */
    int result = parse(&copy, &written, &err);
    if (result < 0 && head->field_count + 4 > HTTP_FIELDS_MAX)
        return;
    if (result < 0 && head->size + 200 > HTTP_HEAD_MAX - 4 * HTTP_FIELDS_MAX)
        return;
    require(result == 1 && written.size == out.length && written.minor == 1);
    require_same(head, &written, true);
    check_fields(head, &written);
    require(!(how & 1) || written.close);
    rewrite.add = NULL;
    write_head(message, &written, &rewrite, &again);
    require(how & 2 || (again.length == out.length && memcmp(again.data, out.data, out.length) == 0));
}

/* A length in the place of whatever told where the body ends. */
static void check_length(const struct message *message, const struct http_head *head)
{
    CLEANUP_TEXT struct text out = {0};
    struct http_rewrite rewrite = {.has_length = true, .length = 7};
    struct http_head written;
    struct error err;
    if (head->upgrade || (head->status && (head->status < 200 || head->status == 204)))
        return;
    write_head(message, head, &rewrite, &out);
    struct message copy = *message;
    copy.bytes = out.data;
    copy.length = out.length;
    if (head->field_count + 3 < HTTP_FIELDS_MAX && head->size + 600 < HTTP_HEAD_MAX)
        require(parse(&copy, &written, &err) == 1 && written.has_length && written.length == 7);
}

/* --- what is made of it ------------------------------------------------------------------------------------------- */

static void check_lanes(const struct http_head *head)
{
    static const struct feed_key keys[] = {{.kind = FEED_KEY_HEADER, .name = "x-key"},
                                           {.kind = FEED_KEY_COOKIE, .name = "k"},
                                           {.kind = FEED_KEY_PATH, .part = 2},
                                           {.kind = FEED_KEY_CLIENT}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        require(lane_number(lane_key(&keys[i], head, NULL), 7) < 7);
}

static void check_compare(const struct http_head *head, const char *bytes, size_t length, size_t cut)
{
    static const char ignored[][FEED_FIELD_MAX + 1] = {"id", "etag"};
    struct compare_rules rules = {.compare = FEED_COMPARE_BODY, .ignore = ignored, .ignore_count = 2};
    struct compare whole, pieces;
    struct wal_answer a, b;
    compare_begin(&whole, &rules, head);
    compare_begin(&pieces, &rules, head);
    compare_add(&whole, bytes, length);
    compare_add(&pieces, bytes, cut);
    for (size_t at = cut; at < length; at++)
        compare_add(&pieces, bytes + at, 1);
    compare_end(&whole, &a);
    compare_end(&pieces, &b);
    require(memcmp(&a, &b, sizeof a) == 0 && compare_same(FEED_COMPARE_BODY, &a, &b));
    require(text_is_utf8(a.sample, strlen(a.sample)));
}

static void check(const struct message *message, uint8_t how, size_t cut)
{
    struct http_head head;
    struct error err;
    int result = parse(message, &head, &err);
    require(result <= 1 && (result >= 0 || (err.code == -result && err.text[0])));
    check_cut(message, result, &head, err.text, cut);
    for (size_t at = 0; at < message->length && message->length <= 48; at++)
        check_cut(message, result, &head, err.text, at);
    if (result != 1)
        return;
    check_head(message, &head);
    check_cut(message, result, &head, err.text, head.size);
    check_cut(message, result, &head, err.text, head.size - 1);
    check_written(message, &head, how);
    check_length(message, &head);
    check_lanes(&head);
    const char *rest = message->bytes + head.size;
    size_t length = message->length - head.size, rest_cut = length ? cut % (length + 1) : 0;
    check_body(&head, rest, length, rest_cut);
    if (message->answer)
        check_compare(&head, rest, length, rest_cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    char *exact = exactly((const char *)data + 3, size - 3);
    struct message message = {.answer = data[0] & 1, .method = methods[data[0] >> 1 & 3], .bytes = exact};
    message.length = size - 3;
    size_t cut = ((size_t)data[1] << 8 | data[2]) % (message.length + 1);
    check(&message, data[0] >> 3, cut);
    free(exact);
    return 0;
}
