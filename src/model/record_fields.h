/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields of journal records. Apart from record.h, whose users know records and not how their lines are made. */
#pragma once

#include "model/record.h"

/* In the order in which they stand in a line. */
enum field {
    FIELD_APP,
    FIELD_INDEX,
    FIELD_ZONE,
    FIELD_STATE,
    FIELD_APP_STATE,
    FIELD_INCIDENT,
    FIELD_VERB,
    FIELD_FROM,
    FIELD_TO,
    FIELD_RELEASE,
    FIELD_WHO,
    FIELD_SCHEMA,
    FIELD_VERIFIED,
    FIELD_BEGUN,
    FIELD_DONE,
    FIELD_MARK,
    FIELD_UNTIL,
    FIELD_RESTARTS,
    FIELD_KILLS,
    FIELD_OVERFLOWS,
    FIELD_REASON,
    FIELD_GROUP,
    FIELD_PHASE,
    FIELD_MEMBERS,
    /* What older versions did not write: of END and BEGIN; absent is 0. */
    FIELD_OPERATION,
    FIELD_STEPS,
    FIELD_TRANSACTION,
    FIELD_BEFORE,
    FIELD_AFTER,
    FIELD_HOOK,
    FIELD_DRAINED,
    FIELD_CUT,
    FIELD_LEFT,
    FIELD_MS,
    FIELD_CONNECTIONS,
    FIELD_DATAGRAMS,
    FIELD_REQUESTS,
    FIELD_SHARE,
    FIELD_STICKY,
    FIELD_NUDGED,
    FIELD_OUTPUT,
    FIELDS
};

bool record_has_field(enum record_kind kind, enum field field);
/* May be missing: the versions before did not write it. */
bool record_field_optional(enum record_kind kind, enum field field);
const char *record_field_name(enum field field);
void record_format_field(const struct record *record, enum field field, struct text *line);
/* False unless it is what record_format_field writes. An output stays in value. */
bool record_parse_field(const char *value, enum field field, struct record *record);
