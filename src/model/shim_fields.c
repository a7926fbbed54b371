/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A message's frame, field after field, and the values that more than one kind of field has. */
#include "model/shim_fields.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

static size_t padded(size_t length)
{
    return (length + 3) & ~(size_t)3;
}

int shim_check(const void *message, size_t length, struct shim_header *header)
{
    if (length < sizeof *header || length > SHIM_MESSAGE_MAX || length % 4 != 0)
        return -EBADMSG;
    memcpy(header, message, sizeof *header);
    if (header->magic != SHIM_MAGIC || header->version == 0 || header->length != length)
        return -EBADMSG;
    for (size_t at = sizeof *header; at < length;) {
        struct shim_field field;
        if (length - at < sizeof field)
            return -EBADMSG;
        memcpy(&field, (const uint8_t *)message + at, sizeof field);
        at += sizeof field;
        if (field.zero != 0 ||
            field.length > length - at) /* length - at is a multiple of four, so the padding fits too */
            return -EBADMSG;
        at += padded(field.length);
    }
    return 0;
}

struct shim_reader shim_reader_begin(const void *message, size_t length)
{
    return (struct shim_reader){.message = message, .length = length, .at = sizeof(struct shim_header)};
}

bool shim_next(struct shim_reader *reader)
{
    if (reader->at >= reader->length)
        return false;
    memcpy(&reader->field, reader->message + reader->at, sizeof reader->field);
    reader->value = reader->message + reader->at + sizeof reader->field;
    reader->at += sizeof reader->field + padded(reader->field.length);
    return true;
}

int shim_each_field(struct shim_reader *reader, int (*take)(struct shim_reader *reader, void *into), void *into,
                    uint32_t *unknown)
{
    *unknown = 0;
    while (shim_next(reader)) {
        int result = take(reader, into);
        if (result == -ENOENT)
            result = reader->field.tag & SHIM_TAG_CRITICAL ? -EOPNOTSUPP : 0;
        if (result == -EOPNOTSUPP)
            *unknown = reader->field.tag;
        if (result < 0)
            return result;
    }
    return 0;
}

uint64_t shim_tag_bit(uint16_t tag)
{
    return UINT64_C(1) << (tag & ~SHIM_TAG_CRITICAL);
}

bool shim_field_once(struct shim_reader *reader)
{
    bool first = !(reader->seen & shim_tag_bit(reader->field.tag));
    reader->seen |= shim_tag_bit(reader->field.tag);
    return first;
}

bool shim_take_number(struct shim_reader *reader, uint32_t min, uint32_t max, uint32_t *number)
{
    uint32_t value;
    if (!shim_field_once(reader) || reader->field.length != sizeof value)
        return false;
    memcpy(&value, reader->value, sizeof value);
    *number = value;
    return value >= min && value <= max;
}

bool shim_take_flag(struct shim_reader *reader, bool *flag)
{
    uint32_t number;
    bool good = shim_take_number(reader, 0, 1, &number);
    *flag = good && number == 1;
    return good;
}

bool shim_is_text(const uint8_t *value, size_t length)
{
    return length > 0 && memchr(value, '\0', length) == value + length - 1;
}

bool shim_take_word(const struct shim_reader *reader, const char **text)
{
    *text = (const char *)reader->value;
    return shim_is_text(reader->value, reader->field.length);
}

bool shim_take_text(struct shim_reader *reader, size_t max, const char **text)
{
    return shim_field_once(reader) && reader->field.length <= max + 1 && shim_take_word(reader, text);
}

bool shim_take_name(struct shim_reader *reader, const char **name)
{
    if (!shim_take_text(reader, PROCESS_NAME_MAX, name) || (*name)[0] == '\0' || (*name)[0] == '.')
        return false;
    for (const char *c = *name; *c; c++) {
        if (*c <= ' ' || *c >= 0x7f || *c == '/')
            return false;
    }
    return !text_equal(*name, SHIM_PROCESS_MAIN);
}

bool shim_take_printable(struct shim_reader *reader, size_t max, const char **text)
{
    if (!shim_take_text(reader, max, text) || !text_is_utf8(*text, strlen(*text)))
        return false;
    for (const char *c = *text; *c; c++) {
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
            return false;
    }
    return true;
}

int shim_checked(bool good)
{
    return good ? 0 : -EBADMSG;
}
