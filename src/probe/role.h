/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probe role: takes requests from its channel, runs them, answers each exactly once. */
#pragma once

#include "base/error.h"
#include "os/loop.h"
#include "probe/http.h"

#include <stddef.h>

struct role;

/* Answers the requests on channel until it closes, then ends the loop. At most checks_max run at
 * once; further requests wait in the channel. http stays the caller's. */
int role_new(struct loop *loop, struct http *http, int channel, size_t checks_max, struct role **role,
             struct error *err);
void role_free(struct role *role);
