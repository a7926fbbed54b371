/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What somebody wants to see of the history, and how what belongs to an entry is put in words. Apart from the journal,
 * which knows where the records are and not what they mean. Pure.
 */
#pragma once

#include "model/record.h"

enum history_incidents { HISTORY_ALL, HISTORY_INCIDENTS, HISTORY_NO_INCIDENTS };

#define HISTORY_ANY_VERB (-1)
#define HISTORY_SERVED   (-2) /* what releases served, instead of operations and incidents */

/* All zero but for the verb is everything. */
struct history_filter {
    const char *app, *release; /* NULL or "" = all; a release: one that it is about, or ends */
    uint64_t since_unix_ms;    /* it ended then or later */
    uint64_t until_unix_ms;    /* it began before then; 0 = no end */
    uint64_t sequence;         /* this one only; 0 = all */
    int verb;                  /* enum wire_verb, or one of the above */
    bool failed;               /* only what failed, and incidents */
    enum history_incidents incidents;
    bool hooks;   /* with what hooks wrote */
    size_t limit; /* the newest so many */
};

/* Is this an entry that is wanted? What only belongs to one never is. */
bool history_wants(const struct history_filter *filter, const struct record *record);
/* It is not, as it is about another release: but it would be if what belongs to it says what the wanted one has served,
 * because it is the end of that. */
bool history_wants_if_served(const struct history_filter *filter, const struct record *record);
bool history_is_served(const struct history_filter *filter, const struct record *record); /* does this say so? */
/* Does this belong to entries that are wanted? record->operation says to which. */
bool history_wants_part(const struct history_filter *filter, const struct record *record);

/* Adds a step that took so long to "build:12,start:3". One that does not fit is left out. */
void history_add_step(char steps[RECORD_STEPS_MAX + 1], const char *step, uint64_t ms);
/* The next step of *steps, which moves behind it. False at the end, or if it is not of that form. */
bool history_next_step(const char **steps, char *name, size_t size, uint64_t *ms);

/* What a guard may say: the last line of its output that is "requests=NUMBER" and nothing else. */
bool history_find_requests(const char *output, uint64_t *requests);
