/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed of what live does to the other zone. */
#pragma once

#include "base/error.h"
#include "model/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent;
struct app;
struct app_zone;
struct asked;
struct wire_feed;

/* True: clients of its fed ports come to its doors. */
bool zone_is_fed(const struct app_zone *zone);
/* The port in the zone where clients of this port of its service come in; 0: the app's own, it is not fed. */
uint16_t zone_door_port(const struct app_zone *zone, const struct port *port);
/* The ports of a zone that has a service, as the kernel sees them; how many. */
size_t zone_ports_seen(const struct app_zone *zone, struct port ports[SERVICE_PORTS_MAX]);
/* Makes and closes what its configuration says, in the kernel only: routing and feeding_follow are the caller's. */
int feeding_make_doors(struct app_zone *zone, struct error *err);
void feeding_close_doors(struct app_zone *zone);
/* A zone, or what is live, is not as it was: the role is started, told or ended. */
void feeding_follow(struct app *app);
void feeding_file_changed(struct app *app);      /* its zones' configurations did */
void feeding_moved(struct app *app);             /* a transaction has made another zone live */
void feeding_tail(struct app *app);              /* the steps of that name */
bool feeding_is_near(const struct app *app);     /* STEP_TAIL of a group: all that is left is to hold clients up */
void feeding_go_on(struct app *app);             /* the others of the group are as far */
void feeding_seed(struct app *app);              /* STEP_SEED */
void feeding_seed_leave(struct app *app);        /* it is not waited for any more */
bool feeding_seeds(const struct app_zone *zone); /* a new release in it begins with a copy of what live has */
void feeding_hold_over(struct app *app);         /* the operation has failed */
void feeding_recover(struct app *app);           /* a role that a former agent left */
/* Of an app that has no feeding, or whose role nobody has to be told of: what a former agent left. */
void feeding_end_stray(struct agent *agent, const char *app);
bool feeding_ends(struct app *app);   /* ends it; true: it has not ended yet, and STEP_FORGET is entered when it has */
void feeding_forget(struct app *app); /* its journal, when it has ended */
void feeding_dispose(struct app *app);
void feeding_fill(struct app *app, struct wire_feed *out);
void handle_feed(const struct asked *asked, struct app *app);
void feeding_client_gone(struct agent *agent, uint64_t client);
