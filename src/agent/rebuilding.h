/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone whose shim has died, with everything in it, comes back with the same release. */
#pragma once

struct app_zone;

void rebuilding_begin(struct app_zone *zone); /* ACTION_REBUILD; where it cannot be made, it is tried again later */
void rebuilding_stop(struct app_zone *zone);  /* it is not wanted any more */
