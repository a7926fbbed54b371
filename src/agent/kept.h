/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a zone was staged with, as it is kept on the disk for a later agent. */
#pragma once

#include "base/error.h"

#include <stddef.h>

struct app_zone;
struct service;

/* Onto the disk, before anything of it runs. */
int zone_keep_configuration(const struct app_zone *zone, const struct service *service, struct error *err);
void zone_forget_configuration(const struct app_zone *zone);
/* zone->service becomes what was kept, with what of its file has taken effect since. It stays as it is on failure. */
int zone_load_configuration(struct app_zone *zone, struct error *err);
/* STATE/zones/APP.COLOUR. */
void zone_directory(const struct app_zone *zone, char *path, size_t size);
