/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which entries of the history are wanted, and the words in them. */
#include "model/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool text_wanted(const char *wanted, const char *text)
{
    return !wanted || !wanted[0] || strcmp(wanted, text) == 0;
}

static bool kind_wanted(const struct history_filter *filter, const struct record *record)
{
    switch (record->kind) {
    case RECORD_SERVED: return filter->verb == HISTORY_SERVED && !filter->failed;
    case RECORD_INCIDENT: return filter->verb == HISTORY_ANY_VERB && filter->incidents != HISTORY_NO_INCIDENTS;
    case RECORD_END:
        return (filter->verb == HISTORY_ANY_VERB || filter->verb == (int)record->verb) &&
               filter->incidents != HISTORY_INCIDENTS && !(filter->failed && record->done);
    default: return false;
    }
}

static bool wanted_but_for_release(const struct history_filter *filter, const struct record *record)
{
    uint64_t begun = record->kind == RECORD_INCIDENT ? record->unix_ms : record->begun_unix_ms;
    return kind_wanted(filter, record) && text_wanted(filter->app, record->app) &&
           record->unix_ms >= filter->since_unix_ms && (filter->until_unix_ms == 0 || begun < filter->until_unix_ms) &&
           (filter->sequence == 0 || record->sequence == filter->sequence);
}

bool history_wants(const struct history_filter *filter, const struct record *record)
{
    return wanted_but_for_release(filter, record) && text_wanted(filter->release, record->release);
}

bool history_wants_if_served(const struct history_filter *filter, const struct record *record)
{
    return record->kind == RECORD_END && record->operation && wanted_but_for_release(filter, record) &&
           !text_wanted(filter->release, record->release);
}

bool history_is_served(const struct history_filter *filter, const struct record *record)
{
    return record->kind == RECORD_SERVED && text_wanted(filter->release, record->release);
}

bool history_wants_part(const struct history_filter *filter, const struct record *record)
{
    bool part = record->kind == RECORD_DRAINED || (record->kind == RECORD_HOOK && filter->hooks) ||
                (record->kind == RECORD_SERVED && filter->verb != HISTORY_SERVED);
    return part && record->operation && text_wanted(filter->app, record->app);
}

void history_add_step(char steps[RECORD_STEPS_MAX + 1], const char *step, uint64_t ms)
{
    char added[64];
    size_t used = strlen(steps);
    int length = snprintf(added, sizeof added, "%s%s:%" PRIu64, used ? "," : "", step, ms);
    if (length > 0 && (size_t)length < sizeof added && used + (size_t)length <= RECORD_STEPS_MAX)
        memcpy(steps + used, added, (size_t)length + 1);
}

bool history_next_step(const char **steps, char *name, size_t size, uint64_t *ms)
{
    char digits[24];
    size_t length = strcspn(*steps, ":,");
    if (length == 0 || length >= size || (*steps)[length] != ':')
        return false;
    memcpy(name, *steps, length);
    name[length] = '\0';
    *steps += length + 1;
    length = strcspn(*steps, ",");
    if (length >= sizeof digits)
        return false;
    memcpy(digits, *steps, length);
    digits[length] = '\0';
    *steps += length;
    *steps += **steps == ',';
    return text_to_u64(digits, UINT64_MAX, ms);
}

bool history_find_requests(const char *output, uint64_t *requests)
{
    static const char key[] = "requests=";
    bool found = false;
    for (const char *line = output; *line;) {
        char digits[24];
        size_t length = strcspn(line, "\n"), number = length > sizeof key - 1 ? length - (sizeof key - 1) : 0;
        if (number > 0 && number < sizeof digits && text_starts_with(line, key)) {
            memcpy(digits, line + sizeof key - 1, number);
            digits[number] = '\0';
            uint64_t value;
            if (text_to_u64(digits, UINT64_MAX, &value)) {
                *requests = value;
                found = true;
            }
        }
        line += length;
        line += *line == '\n';
    }
    return found;
}
