/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists from JSON. */
#include "client/decode_rows.h"

#include "client/decode.h"

#include <json-c/json.h>
#include <stdlib.h>

bool decode_rows(struct json_object *list, size_t size, row_filler *fill, struct rows *rows)
{
    size_t length = decode_length(list);
    void **pointers = calloc(length + 1, sizeof *pointers);
    *rows = (struct rows){.items = calloc(length + 1, size), .pointers = pointers, .size = size};
    if (!rows->items || !pointers)
        return false;
    for (size_t i = 0; i < length; i++) {
        rows->count = i + 1;
        pointers[i] = rows_at(rows, i);
        if (!fill(json_object_array_get_idx(list, i), pointers[i]))
            return false;
    }
    return true;
}

void *rows_at(const struct rows *rows, size_t index)
{
    return (char *)rows->items + index * rows->size;
}

void rows_clear(struct rows *rows)
{
    free(rows->items);
    free(rows->pointers);
    *rows = (struct rows){0};
}
