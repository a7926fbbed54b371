/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A JSON array as the library hands lists out: pointers to structures, ended by NULL, so that structures may grow. A
 * row is what stands behind such a pointer; it begins with the public structure.
 */
#pragma once

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stddef.h>

/* Zeroed at first. */
struct rows {
    void *items;    /* the rows, one after another */
    void *pointers; /* to them: what the public structure gets */
    size_t count;
    size_t size; /* of one */
};

/* The row is zeroed. False when memory ran out; what it has by then is still the row's. */
typedef bool row_filler(struct json_object *object, void *row);

/* list may be NULL. False when memory ran out: then the rows that were begun are there, for whoever frees them. */
bool decode_rows(struct json_object *list, size_t size, row_filler *fill, struct rows *rows);
void *rows_at(const struct rows *rows, size_t index);
/* What rows point to is freed before. */
void rows_clear(struct rows *rows);
