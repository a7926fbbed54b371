/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parameters, each with its type and its place. */
#include "api/arguments.h"

#include "model/history.h"
#include "model/machine.h"

#include <json-c/json.h>
#include <stddef.h>
#include <string.h>

/* --- types ---------------------------------------------------------------------------------------- */

static bool take_string(struct json_object *value, void *target)
{
    const char **string = target;
    if (!json_object_is_type(value, json_type_string))
        return false;
    *string = json_object_get_string(value);
    return strlen(*string) == (size_t)json_object_get_string_len(value);
}

static bool take_flag(struct json_object *value, void *target)
{
    bool *flag = target;
    *flag = json_object_get_boolean(value);
    return json_object_is_type(value, json_type_boolean);
}

static bool take_list(struct json_object *value, void *target)
{
    struct json_object **list = target;
    *list = value;
    return json_object_is_type(value, json_type_array);
}

static bool take_integer(struct json_object *value, int64_t min, int64_t max, int64_t *number)
{
    *number = json_object_get_int64(value);
    return json_object_is_type(value, json_type_int) && *number >= min && *number <= max;
}

static bool take_limit(struct json_object *value, void *target)
{
    uint32_t *limit = target;
    int64_t number;
    bool fine = take_integer(value, 1, ARGUMENTS_LIMIT_MAX, &number);
    *limit = (uint32_t)number;
    return fine;
}

static bool take_size(struct json_object *value, void *target)
{
    uint16_t *size = target;
    int64_t number;
    bool fine = take_integer(value, 0, UINT16_MAX, &number);
    *size = (uint16_t)number;
    return fine;
}

static bool take_share(struct json_object *value, void *target)
{
    uint8_t *share = target;
    int64_t number;
    bool fine = take_integer(value, 1, 99, &number);
    *share = (uint8_t)number;
    return fine;
}

static bool take_number(struct json_object *value, void *target)
{
    uint64_t *number = target;
    int64_t given;
    bool fine = take_integer(value, 0, INT64_MAX, &given);
    *number = (uint64_t)given;
    return fine;
}

static bool take_zone(struct json_object *value, void *target)
{
    int *zone = target;
    const char *name;
    enum colour colour;
    if (!take_string(value, &name) || !colour_parse(name, &colour))
        return false;
    *zone = (int)colour;
    return true;
}

/* Any step has a name; which ones may be asked for is the model's business. */
static bool take_step(struct json_object *value, void *target)
{
    uint8_t *step = target;
    const char *name;
    if (!take_string(value, &name))
        return false;
    for (int i = STEP_IDLE + 1; i < STEPS; i++) {
        if (strcmp(name, step_name((enum step)i)) == 0)
            *step = (uint8_t)i;
    }
    return *step != 0;
}

static bool take_verb(struct json_object *value, void *target)
{
    uint8_t *verb = target;
    const char *name;
    if (!take_string(value, &name))
        return false;
    *verb = strcmp(name, "served") == 0 ? WIRE_VERB_SERVED : WIRE_ANY_VERB;
    for (unsigned i = 0; i < VERBS; i++) {
        if (strcmp(name, verb_name((enum wire_verb)i)) == 0)
            *verb = (uint8_t)(i + 1);
    }
    return *verb != WIRE_ANY_VERB;
}

/* A flag as a message has it. */
static bool take_mark(struct json_object *value, void *target)
{
    uint8_t *mark = target;
    bool flag;
    if (!take_flag(value, &flag))
        return false;
    *mark = flag;
    return true;
}

static bool take_incidents(struct json_object *value, void *target)
{
    uint8_t *incidents = target;
    bool flag;
    if (!take_flag(value, &flag))
        return false;
    *incidents = flag ? HISTORY_INCIDENTS : HISTORY_NO_INCIDENTS;
    return true;
}

/* --- parameters ----------------------------------------------------------------------------------- */

#define AT(field) offsetof(struct arguments, field)

static const struct row {
    const char *name;
    enum parameter parameter;
    bool (*take)(struct json_object *value, void *target);
    size_t offset; /* of the target, in struct arguments */
} rows[] = {
    {"app", PARAMETER_APP, take_string, AT(app)},
    {"release", PARAMETER_RELEASE, take_string, AT(release)},
    {"force", PARAMETER_FORCE, take_flag, AT(force)},
    {"limit", PARAMETER_LIMIT, take_limit, AT(limit)},
    {"interface", PARAMETER_INTERFACE, take_string, AT(interface)},
    {"zone", PARAMETER_ZONE, take_zone, AT(zone)},
    {"command", PARAMETER_COMMAND, take_list, AT(command)},
    {"terminal", PARAMETER_TERMINAL, take_string, AT(terminal)},
    {"rows", PARAMETER_ROWS, take_size, AT(rows)},
    {"columns", PARAMETER_COLUMNS, take_size, AT(columns)},
    {"merge", PARAMETER_MERGE, take_flag, AT(merge)},
    {"no_test", PARAMETER_NO_TEST, take_flag, AT(no_test)},
    {"stop_after", PARAMETER_STOP_AFTER, take_step, AT(stop_after)},
    {"queue", PARAMETER_QUEUE, take_flag, AT(queue)},
    {"past_contract", PARAMETER_PAST_CONTRACT, take_flag, AT(past_contract)},
    {"group", PARAMETER_GROUP, take_string, AT(group)},
    {"action", PARAMETER_ACTION, take_string, AT(action)},
    {"reason", PARAMETER_REASON, take_string, AT(text)},
    {"state", PARAMETER_STATE, take_string, AT(text)},
    {"verb", PARAMETER_VERB, take_verb, AT(filter.verb)},
    {"since", PARAMETER_SINCE, take_number, AT(filter.since_unix_ms)},
    {"until", PARAMETER_UNTIL, take_number, AT(filter.until_unix_ms)},
    {"sequence", PARAMETER_SEQUENCE, take_number, AT(filter.sequence)},
    {"failed", PARAMETER_FAILED, take_mark, AT(filter.failed)},
    {"hooks", PARAMETER_HOOKS, take_mark, AT(filter.hooks)},
    {"incidents", PARAMETER_INCIDENTS, take_incidents, AT(filter.incidents)},
    {"canary", PARAMETER_CANARY, take_share, AT(canary)},
    {"sticky", PARAMETER_STICKY, take_flag, AT(sticky)},
    {"lose", PARAMETER_LOSE, take_number, AT(lose)},
};

enum { ROWS = sizeof rows / sizeof *rows };

static const struct row *find_row(unsigned among, const char *name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].name, name) == 0 && (among & rows[i].parameter))
            return &rows[i];
    }
    return NULL;
}

const char *arguments_take(unsigned required, unsigned optional, struct json_object *given, struct arguments *arguments)
{
    unsigned missing = required;
    if (given) {
        json_object_object_foreach(given, name, value)
        {
            const struct row *row = find_row(required | optional, name);
            if (!row)
                return name;
            if (!value && (optional & row->parameter))
                continue;
            if (!row->take(value, (char *)arguments + row->offset))
                return row->name;
            missing &= ~(unsigned)row->parameter;
        }
    }
    for (size_t i = 0; i < ROWS; i++) {
        if (missing & rows[i].parameter)
            return rows[i].name;
    }
    return NULL;
}
