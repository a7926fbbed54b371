/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Varlink's messages: JSON objects, each ended by one NUL byte. This module finds them in a stream, parses calls
 * strictly, and writes replies; it knows no method and no client.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"

struct json_object;

/* The longest call has a few hundred bytes; the rest is room for pipelined ones. json-c makes up to 120 bytes of
 * memory of one byte of hostile input ("[[],[],..."), which is why this is not a megabyte. */
#define VARLINK_MESSAGE_MAX (16u * 1024)
#define VARLINK_DEPTH_MAX   32

/* Collects what arrives. Zero-initialise; holds no memory while it holds no byte. */
struct varlink_reader {
    char *bytes;                    /* VARLINK_MESSAGE_MAX of them, or NULL */
    size_t start, length, searched; /* the next message; end of what arrived; no NUL before this */
};

/* Where to put what arrives next; *size is 0 while the reader is full. 0 or -ENOMEM. */
int varlink_reader_room(struct varlink_reader *reader, char **to, size_t *size);
void varlink_reader_added(struct varlink_reader *reader, size_t length);
/* The next whole message, NUL-terminated and without its NUL in *length; valid until the next call of any
 * varlink_reader function. NULL if there is none. */
const char *varlink_reader_next(struct varlink_reader *reader, size_t *length);
bool varlink_reader_empty(const struct varlink_reader *reader);
/* Full, and yet no message in it: the sender will never end it within the limit. Only after _next returned NULL. */
bool varlink_reader_overlong(const struct varlink_reader *reader);
void varlink_reader_clear(struct varlink_reader *reader);

struct varlink_call {
    struct json_object *message;    /* owned; the rest is borrowed from it */
    const char *method;             /* "INTERFACE.Method", a valid C string */
    struct json_object *parameters; /* an object, or NULL if there are none */
    bool more, oneway, upgrade;
};

/* -EBADMSG, and why for the client, if the bytes are anything but one call. On success the caller clears call. */
int varlink_call_parse(const char *message, size_t length, struct varlink_call *call, struct error *err);
void varlink_call_clear(struct varlink_call *call);

/* Add one message with its NUL. They take over parameters, which may be NULL for none. */
void varlink_reply(struct text *output, struct json_object *parameters, bool continues);
void varlink_error(struct text *output, const char *name, struct json_object *parameters);
/* A last reply {"KEY":[ITEMS]}, items being JSON values with commas between them. */
void varlink_reply_list(struct text *output, const char *key, const struct text *items);
/* Adds one JSON value. Takes it over. */
void varlink_write(struct text *output, struct json_object *value);
