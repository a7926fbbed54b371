/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The apps that the agent has: found by name, made, forgotten. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

struct agent;
struct app;
struct service;

struct app *app_find(struct agent *agent, const char *name);
/* Finds or makes one, with the lowest free index; it becomes the journal's when first staged. */
int app_get(struct agent *agent, const char *name, struct app **app, struct error *err);
void app_free(struct app *app);
/* True while it has nothing but possibly a configuration: may be forgotten. */
bool app_is_empty(const struct app *app);
/* Its zones are gone: so go what is kept of them, and what the journal knows. Where that cannot be written, the app is
 * as before. */
int app_forget(struct app *app, struct error *err);
/* Ports of other apps' present zones that would conflict with these. */
int app_check_ports(struct app *app, const struct service *service, struct error *err);
