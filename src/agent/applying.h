/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of a changed file takes effect at once. */
#pragma once

struct app;
struct app_zone;
struct service;
struct text;

/* The app's file is fresh's from now on: what of it takes effect at once does so in both zones, and notes gets a line
 * about that and what waits, if there is anything to say. Takes fresh over. */
void app_take_file(struct app *app, struct service *fresh, struct text *notes);
/* The same for a zone whose configuration was just loaded, silently. */
void zone_take_file(struct app_zone *zone);
