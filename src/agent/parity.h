/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is configured differently in two zones: for step parity, and for diff.c. */
#pragma once

#include "agent/agent.h"
#include "conf/resolve.h"
#include "model/parity.h"

/* A zone, or what would be one. */
struct parity_zone {
    const struct service *service;
    const char *release;
    enum colour colour;
    const struct resolved *resolved; /* NULL: the host's side is not known, and not listed */
    struct resolved own;             /* where nobody had it */
};

/* resolved may be NULL: the host is asked. An error leaves the zone without it, and of use all the same. */
int parity_zone_init(struct parity_zone *zone, const struct service *service, const char *release, enum colour colour,
                     const struct resolved *resolved, struct error *err);
void parity_zone_clear(struct parity_zone *zone);
/* Compares what is configured, and what the host made of it where that is known of both. a and b are of different
 * colours. */
int parity_zones_compare(const struct parity_zone *a, const struct parity_zone *b, parity_found *found, void *context,
                         struct error *err);

void parity_enter(struct app *app); /* STEP_PARITY */
