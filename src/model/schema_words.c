/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words for what a schema has come to, and how they stand in the journal. */
#include "model/schema.h"

#include <inttypes.h>
#include <string.h>

enum { NUMBERS = 6, VERSIONS = 4 };

static const char *const state_names[SCHEMA_STATES] = {
    [SCHEMA_NONE] = "none",
    [SCHEMA_EXPANDING] = "expanding",
    [SCHEMA_EXPANDED] = "expanded",
    [SCHEMA_CONTRACTING] = "contracting",
    [SCHEMA_CONTRACTED] = "contracted",
    [SCHEMA_REVERTING] = "reverting",
    [SCHEMA_BROKEN] = "broken",
};
static const char *const command_names[SCHEMA_COMMANDS] = {
    [SCHEMA_EXPAND] = "expand",     [SCHEMA_CHECK] = "check",   [SCHEMA_VERIFY] = "verify",
    [SCHEMA_CONTRACT] = "contract", [SCHEMA_REVERT] = "revert",
};

const char *schema_state_name(enum schema_state state)
{
    return (unsigned)state < SCHEMA_STATES ? state_names[state] : "unknown";
}

const char *schema_command_name(enum schema_command command)
{
    return (unsigned)command < SCHEMA_COMMANDS ? command_names[command] : "unknown";
}

void schema_format(const struct schema *schema, struct text *text)
{
    text_addf(text, "%s/%s/%" PRIu32 "/%" PRIu32 "/%" PRIu32 "/%" PRIu32 "/%" PRIu64 "/%" PRIu64,
              schema_state_name(schema->state), schema_command_name(schema->command), schema->version, schema->base,
              schema->expanded, schema->contracted, schema->verified_unix_ms, schema->contracted_unix_ms);
}

/* Cuts the next word off; NULL: there is none. */
static char *next_word(char **rest)
{
    char *word = *rest, *slash = word ? strchr(word, '/') : NULL;
    if (slash)
        *slash = '\0';
    *rest = slash ? slash + 1 : NULL;
    return word;
}

bool schema_parse(const char *text, struct schema *schema)
{
    char copy[128], *rest = copy;
    uint64_t numbers[NUMBERS];
    if (strlen(text) >= sizeof copy)
        return false;
    text_copy(copy, sizeof copy, text);
    const char *state_word = next_word(&rest), *command_word = next_word(&rest);
    int state = text_index(state_word, state_names, SCHEMA_STATES);
    int command = command_word ? text_index(command_word, command_names, SCHEMA_COMMANDS) : -1;
    for (int i = 0; i < NUMBERS; i++) {
        const char *word = next_word(&rest);
        if (!word || !text_to_u64(word, i < VERSIONS ? UINT32_MAX : UINT64_MAX, &numbers[i]))
            return false;
    }
    if (state < 0 || command < 0 || rest)
        return false;
    *schema = (struct schema){
        .state = (enum schema_state)state,
        .command = (enum schema_command)command,
        .version = (uint32_t)numbers[0],
        .base = (uint32_t)numbers[1],
        .expanded = (uint32_t)numbers[2],
        .contracted = (uint32_t)numbers[3],
        .verified_unix_ms = numbers[4],
        .contracted_unix_ms = numbers[5],
    };
    return true;
}
