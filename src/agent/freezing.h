/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A standby without connections does not run. */
#pragma once

struct app_zone;

/* Freezes it if it is to be, and nothing is against it. */
void freezing_consider(struct app_zone *zone);
void freezing_freeze(struct app_zone *zone); /* the table's actions */
void freezing_thaw(struct app_zone *zone);
/* After a start: the journal and the kernel may differ. */
void freezing_adopt(struct app_zone *zone);
