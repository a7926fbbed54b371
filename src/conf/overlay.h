/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that was changed, laid over the one that a zone was staged with: keys that take effect at once (`now` of
 * struct key_rule) come from the changed one, all others stay. Key by key, also where a key was added or taken away.
 */
#pragma once

#include "model/service.h"

struct overlay {
    struct service *service; /* what holds from now on; owned. NULL: the two contradict each other, all of it waits */
    struct words now;        /* "[health] interval": what changes by that */
    struct words waits;      /* what the changed file says that the service does not */
};

void overlay_clear(struct overlay *overlay);
#define CLEANUP_OVERLAY __attribute__((cleanup(overlay_clear)))

/*
 * kept: what the zone was staged with, with the former file (before; NULL = none) laid over it; its source is still
 * what it was staged with, and so is that of the result. 0, or -EINVAL with problems that begin with file's name, and
 * overlay->waits filled in.
 */
int conf_overlay(const char *file, const struct service *kept, const struct service *before,
                 const struct service *fresh, struct overlay *overlay, struct words *problems);
