/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processes of a zone's app, as its shim tells of them. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct app_zone;
struct zone_app;

int zone_watch(struct app_zone *zone, struct error *err); /* listens to its shim */
/* Takes over what runs in an adopted zone, with what the shim recorded meanwhile. */
void processes_found(struct app_zone *zone);
void processes_started(struct app_zone *zone, size_t worker);
void processes_gone(struct app_zone *zone);
/* A process of it that is to run in a zone that is not live exits again and again: text is why. */
bool zone_in_crash_loop(const struct app_zone *zone, bool workers_too, char *text, size_t size);
/* Crash loops that have run long enough are none any more. */
void processes_settle(struct app_zone *zone);
/* "main" or a process's name. */
const char *worker_name(const struct app_zone *zone, size_t worker);
size_t worker_count(const struct app_zone *zone);
/* By the name that the shim has for it, "" is main. False: not one of the configuration's. */
bool worker_find(const struct app_zone *zone, const char *name, size_t *worker);
const struct zone_app *worker_app(const struct app_zone *zone, size_t worker); /* NULL = the shim knows nothing */
