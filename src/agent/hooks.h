/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands of a release that run when something happens to it. */
#pragma once

#include "model/service.h"
#include "model/wire.h"

#include <stdbool.h>

struct app;
struct app_zone;
struct zone_app;

#define HOOK_OUTPUT_MAX 4096

struct hook_result {
    bool ok;                          /* exit status 0, or there is no such hook */
    char text[WIRE_TEXT_MAX + 1];     /* "exit status 3", "killed after 60 s", ..., with its last line; "" if ok */
    char output[HOOK_OUTPUT_MAX + 1]; /* the last of it, sanitised, lines kept */
};

typedef void hook_done(void *context, const struct hook_result *result);

/* Runs a hook of the zone's release, with a deadline, in the zone or on the host as it is configured. done, which may
 * be NULL, is called once, maybe at once, and not if it is cancelled. Hooks of one app run one after another. reason
 * is BLUEGREEN_REASON for it, "" for most. What decides nothing and fails goes into the history by itself. */
void hook_run(struct app_zone *zone, enum hook hook, const char *reason, hook_done *done, void *context);
bool hook_configured(const struct app_zone *zone, enum hook hook);
/* Those of one caller, in all zones of the app: nobody is called any more, and what runs of them is killed. */
void hooks_cancel_for(struct app *app, hook_done *done);
/* Nothing runs in it any more; those on the host are killed, but for on_failure, which may tell of just this. */
void hooks_zone_gone(struct app_zone *zone);
bool hooks_running(const struct app *app);
void on_hooks_timer(void *context);  /* the app's: the next one begins */
void hooks_dispose(struct app *app); /* the agent ends: no hook stays behind */
/* A process that belongs to a hook ended; false if it is none. */
bool hook_ended(struct app_zone *zone, const struct zone_app *about);
/* Ends those in an adopted zone: a former agent ran them. */
void hooks_found(struct app_zone *zone);
