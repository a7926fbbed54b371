/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of a status that is about one zone. */
#pragma once

#include "client/decode.h"
#include "client/decode_rows.h"

/* What the structures of a zone point to. Zeroed at first. */
struct zone_store {
    const char **addresses;
    struct bluegreen_exit last_exit;
    struct bluegreen_workload workload;
    struct bluegreen_usage usage;
    struct rows processes;
};

/* False when memory ran out. Strings are borrowed from object, which may be NULL. */
bool decode_zone(struct json_object *object, struct bluegreen_zone *zone, struct zone_store *store);
void zone_store_clear(struct zone_store *store);
