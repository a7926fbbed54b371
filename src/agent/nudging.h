/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections that rest are ended while a zone drains. */
#pragma once

struct app_zone;

/* For a drain's look. */
void nudging_consider(struct app_zone *zone);
/* The drain is over: clients of those that went on all the same are heard again. */
void nudging_end(struct app_zone *zone);
