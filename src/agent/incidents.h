/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nobody asked for and the history tells all the same. */
#pragma once

#include "model/types.h"

struct app_zone;

/* Into the journal, but one kind of a zone at most once a minute; the others are counted. */
void incident_record(struct app_zone *zone, enum incident incident, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
