/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooks: commands of the release that run beside the app when something happens to it, one at a time for each app, each
 * with a deadline at which it is killed with all that it started. In the zone the shim sees to that, on the host a pid
 * namespace does (os/command.h). What a hook is run for and what follows is hook_steps.c's.
 */
#include "agent/hooks.h"

#include "agent/hook.h"
#include "agent/incidents.h"
#include "agent/records.h"
#include "os/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRACE_MS = 5000 }; /* from the kill to giving up on who hangs in the kernel */

bool hook_configured(const struct app_zone *zone, enum hook hook)
{
    return zone->service && zone->service->hooks[hook].run.count > 0;
}

static bool decides_nothing(enum hook hook)
{
    return hook == HOOK_POST_ROLLBACK || hook == HOOK_ON_FAILURE || hook == HOOK_ON_ROLLBACK ||
           hook == HOOK_ON_FAILOVER;
}

/* --- the end -------------------------------------------------------------------------------------------- */

static void release(struct hook_call *call)
{
    list_remove(&call->link);
    hook_output_close(&call->output);
    loop_remove_fd(call->exit_source);
    loop_timer_free(call->timer);
    command_forget(&call->host);
    free(call);
}

/* Whoever waits behind it begins from the loop, and not from inside of what its end sets off. */
static void begin_next_soon(struct app *app)
{
    loop_timer_arm(app->hooks_timer, 0);
}

static void tell(const struct hook_call *call, const struct hook_result *result)
{
    const struct app_zone *zone = call->zone;
    const char *app = zone->app->name, *colour = colour_name(zone->colour), *hook = hook_name(call->hook);
    uint64_t took = call->begun ? clock_monotonic_ms() - call->began_ms : 0;
    if (result->ok && call->hook == HOOK_GUARD)
        log_debug("%s/%s: hook %s of %s passed in %llu ms", app, colour, hook, zone->release, (unsigned long long)took);
    else if (result->ok)
        log_notice("%s/%s: hook %s of %s passed in %llu ms", app, colour, hook, zone->release,
                   (unsigned long long)took);
    else
        log_warning("%s/%s: hook %s of %s failed: %s", app, colour, hook, zone->release, result->text);
    if (!result->ok && decides_nothing(call->hook))
        incident_record(call->zone, INCIDENT_HOOK, "%s: %s", hook, result->text);
}

/* A guard that passes is asked again and again. */
static void keep(const struct hook_call *call, const struct hook_result *result)
{
    struct app_zone *zone = call->zone;
    bool wanted = call->hook == HOOK_GUARD ? !result->ok && !call->cancelled : call->begun;
    if (wanted && zone->app->indexed)
        record_hook(zone, call->hook, call->operation, clock_monotonic_ms() - call->began_ms, result);
}

/* Adds its last line, and hands the result over. Text is how it ended, "" if well. */
static void finish(struct hook_call *call, const char *text)
{
    struct app *app = call->zone->app;
    struct hook_result result = {.ok = !text[0]};
    hook_output_close(&call->output);
    hook_output_text(&call->output, result.output);
    const char *line = hook_last_line(result.output);
    if (text[0])
        snprintf(result.text, sizeof result.text, "%s%s%s", text, line[0] ? ": " : "", line);
    text_sanitise(result.text);
    if (!call->cancelled)
        tell(call, &result);
    keep(call, &result);
    hook_done *done = call->cancelled ? NULL : call->done;
    void *context = call->context;
    release(call);
    begin_next_soon(app);
    if (done)
        done(context, &result); /* last: it may be the app's end */
}

static void finish_ended(struct hook_call *call, bool signalled, int value)
{
    char text[HOOK_END_MAX + 1];
    hook_process_describe(call, signalled, value, text, sizeof text);
    finish(call, text);
}

static void on_host_exit(void *context, int fd, uint32_t events)
{
    struct hook_call *call = context;
    struct command_end end;
    struct error err = {0};
    (void)fd;
    (void)events;
    loop_remove_fd(call->exit_source);
    call->exit_source = NULL;
    command_collect(&call->host, &end);
    if (end.failed)
        error_errno(&err, end.error, "%s", end.failed);
    if (call->given_up)
        release(call);
    else if (end.failed)
        finish(call, err.text);
    else
        finish_ended(call, end.signalled, end.value);
}

static struct hook_call *call_named(struct app_zone *zone, const char *name)
{
    struct hook_call *call;
    list_for_each(call, &zone->app->hooks, link)
    {
        if (call->zone == zone && call->begun && !call->on_host && strcmp(call->name, name) == 0)
            return call;
    }
    return NULL;
}

bool hook_ended(struct app_zone *zone, const struct zone_app *about)
{
    struct hook_call *call = call_named(zone, about->name);
    if (!call)
        return hook_process_is(about->name); /* one that was given up, or a former agent's */
    if (call->given_up)
        release(call);
    else if (about->start_error) /* never executed: signalled and value say nothing */
        finish(call, about->reason[0] ? about->reason : "it could not be started");
    else
        finish_ended(call, about->signalled, about->value);
    return true;
}

/* --- killing -------------------------------------------------------------------------------------------- */

/* First its deadline on the host (in the zone the shim keeps it), then the end of all patience. */
static void on_timer(void *context)
{
    struct hook_call *call = context;
    if (call->on_host && !call->late && !call->cancelled) {
        call->late = true;
        hook_process_kill(call);
        loop_timer_arm(call->timer, GRACE_MS);
        return;
    }
    struct app_zone *zone = call->zone;
    log_error("%s/%s: hook %s was killed and does not end; it hangs in the kernel", zone->app->name,
              colour_name(zone->colour), hook_name(call->hook));
    hook_process_kill(call);
    hook_done *done = call->cancelled ? NULL : call->done;
    void *call_context = call->context;
    struct hook_result result = {.text = "killed at its deadline, and it does not end"};
    hook_output_text(&call->output, result.output);
    keep(call, &result);
    call->given_up = call->cancelled = true;
    begin_next_soon(zone->app);
    if (done)
        done(call_context, &result);
}

static void cancel(struct hook_call *call)
{
    if (!call->begun) {
        release(call);
        return;
    }
    if (call->cancelled)
        return;
    call->cancelled = true;
    hook_process_kill(call);
    loop_timer_arm(call->timer, GRACE_MS);
}

void hooks_cancel_for(struct app *app, hook_done *done)
{
    struct hook_call *call;
    list_for_each(call, &app->hooks, link)
    {
        if (call->done == done)
            cancel(call);
    }
}

void hooks_zone_gone(struct app_zone *zone)
{
    struct hook_call *call;
    list_for_each(call, &zone->app->hooks, link)
    {
        /* It may be what tells of just this, and the operation waits for it. */
        bool tells = call->hook == HOOK_ON_FAILURE && (call->on_host || !call->begun);
        if (call->zone != zone || tells)
            continue;
        if (call->begun && !call->on_host)
            release(call); /* its process went with the zone */
        else
            cancel(call);
    }
    begin_next_soon(zone->app);
}

void hooks_dispose(struct app *app)
{
    struct hook_call *call;
    list_for_each(call, &app->hooks, link)
    {
        if (call->begun)
            hook_process_kill(call);
        release(call);
    }
    loop_timer_free(app->hooks_timer);
    app->hooks_timer = NULL;
}

/* --- beginning ------------------------------------------------------------------------------------------ */

static uint32_t timeout_of(const struct app_zone *zone, enum hook hook)
{
    bool of_schema = hook == HOOK_EXPAND || hook == HOOK_CHECK || hook == HOOK_CONTRACT || hook == HOOK_REVERT;
    if (!zone->service)
        return 0;
    if (hook == HOOK_SEED)
        return zone->service->feed.seed_timeout_ms;
    return of_schema ? zone->service->schema_timeout_ms : zone->service->hook_timeout_ms;
}

static void begin(struct hook_call *call)
{
    struct error err = {0};
    call->begun = true;
    call->began_ms = clock_monotonic_ms();
    call->timeout_ms = timeout_of(call->zone, call->hook);
    if (hook_process_start(call, on_host_exit, &err) < 0) {
        finish(call, err.text);
        return;
    }
    loop_timer_arm(call->timer, call->timeout_ms + (call->on_host ? 0u : GRACE_MS));
    log_info("%s/%s: hook %s of %s runs %s", call->zone->app->name, colour_name(call->zone->colour),
             hook_name(call->hook), call->zone->release, call->on_host ? "on the host" : call->name);
}

void on_hooks_timer(void *context)
{
    struct app *app = context;
    struct hook_call *call;
    list_for_each(call, &app->hooks, link)
    {
        if (call->given_up)
            continue;
        if (!call->begun)
            begin(call);
        return;
    }
}

bool hooks_running(const struct app *app)
{
    return !list_empty(&app->hooks);
}

void hook_run(struct app_zone *zone, enum hook hook, const char *reason, hook_done *done, void *context)
{
    struct hook_result nothing = {.ok = true};
    struct app *app = zone->app;
    struct hook_call *call = hook_configured(zone, hook) ? calloc(1, sizeof *call) : NULL;
    struct loop_timer *timer = call ? loop_timer_new(app->agent->loop, on_timer, call) : NULL;
    if (!timer) {
        free(call);
        nothing.ok = !hook_configured(zone, hook);
        text_copy(nothing.text, sizeof nothing.text, nothing.ok ? "" : "out of memory");
        if (done)
            done(context, &nothing);
        return;
    }
    *call = (struct hook_call){
        .zone = zone,
        .hook = hook,
        .operation = app->operation.number,
        .done = done,
        .context = context,
        .timer = timer,
        .on_host = zone->service->hooks[hook].on_host,
        .host = {.pidfd = -1, .status = -1},
        .output = {.fd = -1},
    };
    text_copy(call->reason, sizeof call->reason, reason ? reason : "");
    for (char *newline = call->reason; (newline = strchr(newline, '\n'));)
        *newline = ' ';
    list_append(&app->hooks, &call->link);
    begin_next_soon(app);
}
