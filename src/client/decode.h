/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From JSON to the public structures. What a newer agent adds is passed over, and what is missing or of another type is
 * NULL or 0: a client never fails for a field that it could have done without.
 */
#pragma once

#include "bluegreen/bluegreen.h"

#include <json-c/json_object.h>

/* How JSON is written, on the wire and in the json fields. */
#define DECODE_JSON_FLAGS (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* Borrowed from object, which may be NULL. */
const char *decode_string(struct json_object *object, const char *key);
struct json_object *decode_object(struct json_object *object, const char *key);
bool decode_bool(struct json_object *object, const char *key);
const char *decode_string_or_empty(struct json_object *object, const char *key);
int64_t decode_number(struct json_object *object, const char *key, int64_t absent);
uint64_t decode_count(struct json_object *object, const char *key); /* what is negative is 0 */
enum bluegreen_colour decode_colour(struct json_object *object, const char *key);
struct json_object *decode_field(struct json_object *object, const char *key, enum json_type type);
size_t decode_length(struct json_object *list);
const char *decode_json(struct json_object *object); /* kept inside the object */

/* Each takes parameters over, on failure too, and returns NULL when memory ran out. */
struct bluegreen_status *decode_status(struct json_object *parameters);   /* decode_status.c */
struct bluegreen_history *decode_history(struct json_object *parameters); /* decode_history.c */
struct bluegreen_result *decode_result(struct json_object *parameters);
struct bluegreen_connections *decode_connections(struct json_object *parameters); /* decode_connections.c */
/* Takes the descriptors over too, on failure as well. */
struct bluegreen_logs *decode_logs(struct json_object *parameters, const int *fds, size_t fd_count);
/* How a command ended. False if it does not say. */
bool decode_exit(struct json_object *parameters, int *code, int *signal);
/* Borrow everything from object, for as long as that lives. */
void decode_served(struct json_object *object, struct bluegreen_served *served);
void decode_progress(struct json_object *object, struct bluegreen_progress *progress);
