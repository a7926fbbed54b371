/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files that look for contradictions in a service. */
#pragma once

#include "model/service.h"

/* Problems are counted apart from the list, so that one which found no memory is not taken for none. */
struct findings {
    struct words *list;
    size_t count;
};

void found(struct findings *findings, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What cannot be substituted, and a path that is not absolute or has a "..", as "PLACE: ...", where place is
 * "[section] key". True if it is fine. */
bool found_in_path(struct findings *findings, const char *place, const char *path);

/* That of [ports], or NULL. */
const struct port *port_named(const struct service *service, const char *name);

/* [files] and [sandbox] devices. */
void check_files(const struct service *service, struct findings *findings);
/* [share] and [egress]. */
void check_reach(const struct service *service, struct findings *findings);
/* service_preview.c: ports that are claimed twice, and previews that lead nowhere. */
void check_ports_and_preview(const struct service *service, struct findings *findings);

/* [feed] */
void check_feed(const struct service *service, struct findings *findings);

/* --- service_hold.c --- */
void check_activated(const struct service *service, struct findings *findings);
void check_switch(const struct service *service, struct findings *findings);
