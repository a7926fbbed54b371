/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From JSON to the public structures. What a newer agent adds is passed over, and what is missing or of another type is
 * NULL or 0: a client never fails for a field that it could have done without.
 */
#pragma once

#include "bluegreen/bluegreen.h"

struct json_object;

/* How JSON is written, on the wire and in the json fields. */
#define DECODE_JSON_FLAGS (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* Borrowed from object, which may be NULL. */
const char *decode_string(struct json_object *object, const char *key);
struct json_object *decode_object(struct json_object *object, const char *key);
bool decode_bool(struct json_object *object, const char *key);

/* Each takes parameters over, on failure too, and returns NULL when memory ran out. */
struct bluegreen_status *decode_status(struct json_object *parameters);
struct bluegreen_history *decode_history(struct json_object *parameters);
struct bluegreen_result *decode_result(struct json_object *parameters);
/* Borrows everything from object, for as long as that lives. */
void decode_progress(struct json_object *object, struct bluegreen_progress *progress);
