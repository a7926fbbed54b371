/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fences: what a zone may reach. */
#pragma once

#include "base/error.h"

struct address;
struct app;
struct app_zone;
struct ruleset_zone;
struct wire_zone;

/* Fills what the zone may reach now; host is the host's end of its cable. */
int egress_fill(const struct app_zone *zone, const struct address *host, struct ruleset_zone *out, struct error *err);
/* It is live now: tells what was refused since it was live before. */
void egress_gained(struct app_zone *zone);
/* It is not live any more. */
void egress_lost(struct app_zone *zone);
/* No client is in it any more: a fence closes, and what it has open to outside ends. */
void egress_drained(struct app_zone *zone);
/* The rules are loaded: what its fenced zones have open and may not have ends. */
void egress_cut(struct app *app);
/* Its file was taken in: the rules follow. */
void egress_changed(struct app *app);
/* Fills what a client sees of it. */
void egress_status(const struct app_zone *zone, struct wire_zone *out);
