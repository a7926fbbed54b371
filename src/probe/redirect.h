/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which redirects a check may follow: those that lead back to its own target. */
#pragma once

#include "model/check_wire.h"

bool redirect_is_status(uint16_t status);
/* Does this absolute URL name the target's address and port, or the configured Host, over plain
 * HTTP? */
bool redirect_allowed(const struct check_request *request, const char *url);
/* The same URL with the target's address as its authority (the caller's), or NULL if it is not
 * allowed or memory is out. */
char *redirect_url(const struct check_request *request, const char *url);
