/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fields of a message between agent and shim, one after another, as bytes that nobody has looked at yet. For
 * shim_decode.c, which knows what messages have which.
 */
#pragma once

#include "model/shim_protocol.h"

/* One field of a message that passed shim_check. */
struct shim_reader {
    const uint8_t *message;
    size_t length, at;
    uint64_t seen; /* tags that came; bit 63 is not one */
    struct shim_field field;
    const uint8_t *value;
};

struct shim_reader shim_reader_begin(const void *message, size_t length);
bool shim_next(struct shim_reader *reader); /* false at the end */
/* Each field by take(), which returns -ENOENT for one that it does not know: skipped if that may be, else -EOPNOTSUPP,
 * and *unknown is its tag. */
int shim_each_field(struct shim_reader *reader, int (*take)(struct shim_reader *reader, void *into), void *into,
                    uint32_t *unknown);
uint64_t shim_tag_bit(uint16_t tag); /* in what `seen` has */
/* For fields that may come once: true the first time. Tags of ours are below 63. */
bool shim_field_once(struct shim_reader *reader);

/* False: it is none, or not within its bounds. Texts are borrowed from the message. All but words come once. */
bool shim_take_number(struct shim_reader *reader, uint32_t min, uint32_t max, uint32_t *number);
bool shim_take_flag(struct shim_reader *reader, bool *flag);
bool shim_take_word(const struct shim_reader *reader, const char **text);
bool shim_take_text(struct shim_reader *reader, size_t max, const char **text);
bool shim_take_name(struct shim_reader *reader, const char **name); /* it becomes part of a path, and is shown */
bool shim_take_printable(struct shim_reader *reader, size_t max, const char **text);
bool shim_is_text(const uint8_t *value, size_t length); /* it ends with its only NUL */
/* 0 or -EBADMSG. */
int shim_checked(bool good);
