/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parameters of a call: their names, and what each has to be. Apart from the methods, which only say which they
 * have. */
#pragma once

#include "model/wire.h"

struct json_object;

/* A bit each in a set of them. */
enum parameter {
    PARAMETER_APP = 1 << 0,
    PARAMETER_RELEASE = 1 << 1,
    PARAMETER_FORCE = 1 << 2,
    PARAMETER_LIMIT = 1 << 3,
    PARAMETER_INTERFACE = 1 << 4,
    PARAMETER_ZONE = 1 << 5, /* "blue" or "green" */
    PARAMETER_COMMAND = 1 << 6,
    PARAMETER_TERMINAL = 1 << 7,
    PARAMETER_ROWS = 1 << 8,
    PARAMETER_COLUMNS = 1 << 9,
    PARAMETER_MERGE = 1 << 10,
    PARAMETER_NO_TEST = 1 << 11,
    PARAMETER_STOP_AFTER = 1 << 12,
    PARAMETER_QUEUE = 1 << 13,
    PARAMETER_PAST_CONTRACT = 1 << 14,
    PARAMETER_GROUP = 1 << 15, /* then no app */
    PARAMETER_ACTION = 1 << 16,
    PARAMETER_REASON = 1 << 17,
    PARAMETER_STATE = 1 << 18,
    PARAMETER_VERB = 1 << 19, /* the name of one, or "served" */
    PARAMETER_SINCE = 1 << 20,
    PARAMETER_UNTIL = 1 << 21,
    PARAMETER_SEQUENCE = 1 << 22,
    PARAMETER_FAILED = 1 << 23,
    PARAMETER_HOOKS = 1 << 24,
    PARAMETER_INCIDENTS = 1 << 25, /* only those, or none of them */
    PARAMETER_CANARY = 1 << 26,
    PARAMETER_STICKY = 1 << 27,
    PARAMETER_LOSE = 1 << 28,
};

#define ARGUMENTS_LIMIT_MAX 1000 /* history entries in one reply: what a compacted journal keeps */

/* What a call's parameters are once checked. */
struct arguments {
    const char *app, *release, *interface, *group, *action, *text, *terminal; /* the call's own; NULL where absent */
    bool force, merge, no_test, queue, past_contract, sticky;
    uint8_t canary;     /* percent; 0: not said */
    uint8_t stop_after; /* enum step; 0: not said */
    uint32_t limit;
    uint64_t lose;
    struct wire_filter filter;
    uint16_t rows, columns;
    int zone; /* enum colour, or -1: not said */
    struct json_object *command;
};

/* The name of the first parameter that is unknown, missing or of the wrong type; NULL if all is well. An optional one
 * may be null as well. Names and texts stay those of `given`, which may be NULL. */
const char *arguments_take(unsigned required, unsigned optional, struct json_object *given,
                           struct arguments *arguments);
