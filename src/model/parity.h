/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parity: do the two zones differ in more than their release? Each zone is a list of named values; comparing two lists
 * gives what differs, and whose difference that is. Pure: conf/effective.h lists what is configured, agent/parity.c
 * what the host made of it.
 */
#pragma once

#include "base/text.h"
#include "model/types.h"
#include "model/wire.h"

/* Whose difference it is. */
enum parity_of {
    PARITY_RELEASE, /* the release's own, or the zone's: two releases differ in this by nature */
    PARITY_CONFIGURATION,
    PARITY_HOST
};

const char *parity_of_name(enum parity_of of); /* "release" */

struct parity_entry {
    char *name;  /* "limits.memory"; not unique: the first of a name is compared with the first */
    char *value; /* in this zone, as it is shown */
    char *bare;  /* what decides: the value before the release and the zone were put into it */
    enum parity_of of;
    bool secret;  /* never shown, only whether it is the same */
    bool implied; /* nobody wrote it: a default */
};

struct parity_list {
    struct parity_entry *entries;
    size_t count;
    bool failed; /* memory ran out; sticky */
};

void parity_clear(struct parity_list *list);
#define CLEANUP_PARITY __attribute__((cleanup(parity_clear)))

/* Copies the texts of *entry; bare NULL = the value. */
void parity_add(struct parity_list *list, const struct parity_entry *entry);

/* In one value of each zone. values[] are "" where there is none. */
struct parity_difference {
    char name[WIRE_TEXT_MAX + 1];
    char values[COLOURS][WIRE_TEXT_MAX + 1];
    enum parity_of of;
};

typedef void parity_found(void *context, const struct parity_difference *difference);
/* By the names' order, which both lists are put into. */
void parity_compare(struct parity_list *blue, struct parity_list *green, parity_found *found, void *context);

/* Appends text with %r for every release, and %z for every zone, that stands in it as a word of its own. */
void parity_generalise(const char *text, const char *release, enum colour zone, struct text *general);
