/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every app gets to see of the system, and what never, whatever its [files] say. Apart from view.c because it is
 * data, which grows with the kernels and distributions that are met.
 */
#pragma once

#include "model/view.h"

struct view_fixed {
    uint32_t kind, flags; /* of model/view.h */
    const char *target;
};

/* For a target of the system's own, which no app can have put a link into. A system without it is fine. */
enum { VIEW_SYSTEMS_OWN = VIEW_OPTIONAL | VIEW_FOLLOW };

/* One after the other, from *at = 0 on; NULL at the end. */
const struct view_fixed *view_system(const struct view_request *request, size_t *at);
/* Of these, those that hide files of the host's wherever they are shown. */
const struct view_fixed *view_secrets(const struct view_request *request, size_t *at);
