/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Varlink framing, strict parsing of calls, writing of replies. */
#include "api/varlink.h"

#include "base/cleanup.h"
#include "base/json_ascii.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

int varlink_reader_room(struct varlink_reader *reader, char **to, size_t *size)
{
    if (!reader->bytes) {
        reader->bytes = malloc(VARLINK_MESSAGE_MAX);
        if (!reader->bytes)
            return -ENOMEM;
    }
    if (reader->start > 0) {
        reader->length -= reader->start;
        reader->searched -= reader->start;
        memmove(reader->bytes, reader->bytes + reader->start, reader->length);
        reader->start = 0;
    }
    *to = reader->bytes + reader->length;
    *size = VARLINK_MESSAGE_MAX - reader->length;
    return 0;
}

void varlink_reader_added(struct varlink_reader *reader, size_t length)
{
    reader->length += length;
}

const char *varlink_reader_next(struct varlink_reader *reader, size_t *length)
{
    if (reader->start == reader->length) {
        varlink_reader_clear(reader);
        return NULL;
    }
    const char *end = memchr(reader->bytes + reader->searched, '\0', reader->length - reader->searched);
    if (!end) {
        reader->searched = reader->length;
        return NULL;
    }
    const char *message = reader->bytes + reader->start;
    *length = (size_t)(end - message);
    reader->start = reader->searched = (size_t)(end + 1 - reader->bytes);
    return message;
}

bool varlink_reader_empty(const struct varlink_reader *reader)
{
    return reader->start == reader->length;
}

bool varlink_reader_overlong(const struct varlink_reader *reader)
{
    return reader->length - reader->start == VARLINK_MESSAGE_MAX && reader->searched == reader->length;
}

void varlink_reader_clear(struct varlink_reader *reader)
{
    free(reader->bytes);
    *reader = (struct varlink_reader){0};
}

/* json-c's own check of UTF-8 is not used: up to 0.17 it lets overlong forms pass ("\xc0\xaf" for "/"). */
static struct json_object *parse_json(const char *message, size_t length, struct error *err)
{
    CLEANUP_TEXT struct text ascii = {0};
    int result = json_ascii(message, length, &ascii);
    if (result == -EBADMSG)
        error_set(err, EBADMSG,
                  text_is_utf8(message, length) ? "the message is not JSON: an escape that there is none of"
                                                : "the message is not UTF-8");
    else if (result < 0)
        error_errno(err, -result, "read the message");
    if (result < 0)
        return NULL;
    struct json_tokener *tokener = json_tokener_new_ex(VARLINK_DEPTH_MAX);
    if (!tokener) {
        error_errno(err, ENOMEM, "read the message");
        return NULL;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    /* With its NUL, or a number at the end would be taken for an unfinished one. */
    struct json_object *value = json_tokener_parse_ex(tokener, ascii.data ? ascii.data : "", (int)ascii.length + 1);
    enum json_tokener_error outcome = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    json_tokener_free(tokener);
    if (outcome == json_tokener_success && end >= ascii.length)
        return value;
    json_object_put(value);
    if (outcome == json_tokener_success && !value && strncmp(message, "null", 4) != 0) {
        error_errno(err, ENOMEM, "read the message"); /* versions of json-c that have no error for it */
        return NULL;
    }
    const char *why = outcome == json_tokener_success    ? "more follows after the object"
                      : outcome == json_tokener_continue ? "it ends in the middle"
                                                         : json_tokener_error_desc(outcome);
    error_set(err, EBADMSG, "the message is not JSON: %s at byte %zu", why, end);
    return NULL;
}

static int take_flag(struct json_object *value, const char *key, bool *flag, struct error *err)
{
    if (!json_object_is_type(value, json_type_boolean))
        return error_set(err, EBADMSG, "'%s' of the call must be true or false", key);
    *flag = json_object_get_boolean(value);
    return 0;
}

static int take_method(struct json_object *value, struct varlink_call *call, struct error *err)
{
    if (!json_object_is_type(value, json_type_string))
        return error_set(err, EBADMSG, "'method' of the call must be a string");
    call->method = json_object_get_string(value);
    if (strlen(call->method) != (size_t)json_object_get_string_len(value))
        return error_set(err, EBADMSG, "'method' of the call contains a NUL character");
    return 0;
}

static int take_field(const char *key, struct json_object *value, struct varlink_call *call, struct error *err)
{
    if (strcmp(key, "method") == 0)
        return take_method(value, call, err);
    if (strcmp(key, "more") == 0)
        return take_flag(value, key, &call->more, err);
    if (strcmp(key, "oneway") == 0)
        return take_flag(value, key, &call->oneway, err);
    if (strcmp(key, "upgrade") == 0)
        return take_flag(value, key, &call->upgrade, err);
    if (strcmp(key, "parameters") != 0)
        return error_set(err, EBADMSG, "a call has no field of that name; it has method, parameters, more, oneway");
    if (value && !json_object_is_type(value, json_type_object))
        return error_set(err, EBADMSG, "'parameters' of the call must be an object");
    call->parameters = value;
    return 0;
}

static int take_fields(struct varlink_call *call, struct error *err)
{
    if (!json_object_is_type(call->message, json_type_object))
        return error_set(err, EBADMSG, "a call must be a JSON object such as {\"method\":\"INTERFACE.Method\"}");
    json_object_object_foreach(call->message, key, value)
    {
        int result = take_field(key, value, call, err);
        if (result < 0)
            return result;
    }
    if (!call->method)
        return error_set(err, EBADMSG, "the call names no 'method'");
    if (call->more && call->oneway)
        return error_set(err, EBADMSG, "'more' and 'oneway' contradict each other");
    return 0;
}

int varlink_call_parse(const char *message, size_t length, struct varlink_call *call, struct error *err)
{
    *call = (struct varlink_call){0};
    struct error why = {0};
    call->message = parse_json(message, length, &why);
    if (!why.code)
        take_fields(call, &why);
    if (!why.code)
        return 0;
    varlink_call_clear(call);
    return error_set(err, why.code, "%s", why.text);
}

void varlink_call_clear(struct varlink_call *call)
{
    json_object_put(call->message);
    *call = (struct varlink_call){0};
}

void varlink_write(struct text *output, struct json_object *value)
{
    size_t length = 0;
    const char *json =
        json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
    if (json)
        text_add_bytes(output, json, length);
    else
        output->failed = true;
    json_object_put(value);
}

static struct json_object *object_or_empty(struct json_object *parameters)
{
    return parameters ? parameters : json_object_new_object();
}

void varlink_reply(struct text *output, struct json_object *parameters, bool continues)
{
    text_add(output, "{\"parameters\":");
    varlink_write(output, object_or_empty(parameters));
    text_add(output, continues ? ",\"continues\":true}" : "}");
    text_add_bytes(output, "", 1);
}

void varlink_reply_list(struct text *output, const char *key, const struct text *items)
{
    text_addf(output, "{\"parameters\":{\"%s\":[", key);
    if (items->data)
        text_add_bytes(output, items->data, items->length);
    output->failed |= items->failed;
    text_add(output, "]}}");
    text_add_bytes(output, "", 1);
}

void varlink_error(struct text *output, const char *name, struct json_object *parameters)
{
    text_addf(output, "{\"error\":\"%s\",\"parameters\":", name);
    varlink_write(output, object_or_empty(parameters));
    text_add(output, "}");
    text_add_bytes(output, "", 1);
}
