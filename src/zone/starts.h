/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting processes: why a shim could not, for people, and the starts whose answer nobody waits for. What runs in a
 * zone may hold up its shim while that starts something, and the agent has others to look after.
 */
#pragma once

#include "base/error.h"
#include "model/shim_protocol.h"
#include "zone/zone.h"

/* "web/blue", or "web/blue worker". */
#define WHO_MAX (APP_NAME_MAX + 8 + PROCESS_NAME_MAX + 2)

struct start {
    uint32_t serial;
    char process[PROCESS_NAME_MAX + 1];
    char who[WHO_MAX];
};

struct starts {
    struct start items[SHIM_PROCESSES_MAX];
    size_t count;
};

/* False: there are too many. */
bool starts_add(struct starts *starts, uint32_t serial, const char *process, const char *who);
/* The one with this serial, which is no longer waited for. */
bool starts_take(struct starts *starts, uint32_t serial, struct start *start);
/* Does one wait whose name begins so? */
bool starts_waiting(const struct starts *starts, const char *prefix);

/* What the shim answered, which was not STARTED. object: the path that it was about, if an older shim does not say. */
int start_explain(const char *who, enum shim_type type, const struct shim_state *state, const char *object,
                  struct error *err);
/* The same as the event that it is for whoever did not wait. */
void start_failed(const struct start *start, const struct shim_state *state, enum shim_type type,
                  struct zone_app *about);
