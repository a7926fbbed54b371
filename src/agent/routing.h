/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which zone clients come to: the apps as the kernel is to have them. */
#pragma once

#include "base/error.h"
#include "model/types.h"
#include "model/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent;
struct app;
struct app_zone;
struct transaction;

/* Sends the apps' present state to the kernel. */
int routing_apply(struct agent *agent, struct transaction *transaction, struct error *err);
/* The transaction of a switch, and what follows it: flows of the old zone released. Changes app->live only on
 * success. */
int routing_switch(struct app *app, enum colour to, struct transaction *transaction, struct error *err);
/* Of several apps at once: all of them or none. What else is in a route is routing's own. */
struct route {
    struct app *app;
    enum colour to;
    int former_live;
    enum app_state former_state;
    uint8_t former_share;
};
int routing_switch_all(struct agent *agent, struct route routes[], size_t count, struct transaction *transaction,
                       struct error *err);
int routing_unpublish(struct app *app, struct error *err);
/* It ends, and no rule leads to it: UDP that was kept with it goes to the live one from now on. */
void routing_zone_gone(struct app_zone *zone);
/* The share of a canary; 0 takes it away, and its flows that can follow go with it. */
int routing_share(struct app *app, uint8_t percent, bool sticky, struct transaction *transaction, struct error *err);
/* New connections go to this zone, or back to the live one, without a change of what is live; what had no answer yet
 * goes with them. */
int routing_hold(struct app *app, int zone, struct transaction *transaction, struct error *err);
