/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors: the library's own, and the agent's as they are on the wire. */
#pragma once

#include "bluegreen/bluegreen.h"

#define CLIENT_INTERFACE "io.bluegreen.Agent." /* what the agent's methods and errors begin with */

struct json_object;

/* Fills *error (which may be NULL) in and returns the kind's negative errno. */
int client_fail(struct bluegreen_error *error, enum bluegreen_error_kind kind, int errnum, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int client_fail_memory(struct bluegreen_error *error);
/* The same from an error's name on the wire and its parameters. */
int client_fail_reply(const char *name, struct json_object *parameters, struct bluegreen_error *error);
