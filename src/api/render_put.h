/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files that render: a name, and what stands behind it, into an object. */
#pragma once

#include "api/render.h"

#include <json-c/json.h>

struct wire_served;
struct wire_zone;

/* Parts of what render.h has. */
struct json_object *render_zone(const struct wire_zone *zone);
struct json_object *render_served(const struct wire_served *served);

/* Objects are NULL when memory ran out: what would have gone into them is dropped. */
static inline void put(struct json_object *object, const char *name, struct json_object *value)
{
    if (!object || json_object_object_add(object, name, value) < 0)
        json_object_put(value);
}

static inline void put_number(struct json_object *object, const char *name, uint64_t number)
{
    put(object, name, json_object_new_uint64(number));
}

static inline void put_number_or_null(struct json_object *object, const char *name, uint64_t number, bool known)
{
    put(object, name, known ? json_object_new_uint64(number) : NULL);
}

static inline void put_bool(struct json_object *object, const char *name, bool value)
{
    put(object, name, json_object_new_boolean(value));
}

/* For words of ours that need no care. */
static inline void put_word(struct json_object *object, const char *name, const char *word)
{
    put(object, name, json_object_new_string(word));
}

static inline void put_colour(struct json_object *object, const char *name, int colour)
{
    bool known = colour >= 0 && colour < COLOURS;
    put(object, name, known ? json_object_new_string(colour_name((enum colour)colour)) : NULL);
}

/* To a list, which may be NULL as well. */
static inline void append(struct json_object *list, struct json_object *value)
{
    if (!list || json_object_array_add(list, value) < 0)
        json_object_put(value);
}

static inline void put_pid(struct json_object *object, const char *name, int32_t pid)
{
    put(object, name, pid > 0 ? json_object_new_int(pid) : NULL);
}

static inline void put_time(struct json_object *object, const char *name, uint64_t unix_ms)
{
    put(object, name, render_time(unix_ms));
}

#define put_text(object, name, field) put(object, name, render_text(field, sizeof(field)))
/* "" means there is none: null */
#define put_text_or_null(object, name, field) put(object, name, (field)[0] ? render_text(field, sizeof(field)) : NULL)
