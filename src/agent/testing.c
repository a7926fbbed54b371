/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test step, on a release that runs as it will and that nobody sees yet: the pages of [test] http, one after
 * another and each asked for once, then the hook. The first that fails ends it.
 */
#include "agent/testing.h"

#include "agent/agent.h"
#include "agent/hook_steps.h"
#include "agent/hooks.h"
#include "agent/operations.h"
#include "agent/progress.h"
#include "agent/serving.h"
#include "health/prober.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void ask_next(struct app *app);

static struct app_zone *target_of(struct app *app)
{
    return zone_of(app, app->operation.target);
}

static void fail(struct app *app, const char *why)
{
    const struct app_zone *target = target_of(app);
    char reason[2 * WIRE_TEXT_MAX];
    snprintf(reason, sizeof reason, "test page %s: %s", target->service->tests[app->operation.test_page].path, why);
    progress(app, target->colour, step_name(STEP_TEST), "%s", reason);
    operation_event(app, EVENT_FAILED, reason);
}

/* "200 or 302-308" */
static void describe_wanted(const struct test_page *page, struct text *text)
{
    if (page->status_count == 0)
        text_add(text, "200-299");
    for (size_t i = 0; i < page->status_count; i++) {
        const struct status_range *range = &page->status[i];
        text_addf(text, "%s%u", i ? " or " : "", range->first);
        if (range->last != range->first)
            text_addf(text, "-%u", range->last);
    }
}

static void on_page(void *context, const struct probe_result *result)
{
    struct app *app = context;
    const struct app_zone *target = target_of(app);
    const struct test_page *page = &target->service->tests[app->operation.test_page];
    CLEANUP_TEXT struct text why = {0};
    app->operation.test_probe = 0;
    serving_count_probe(target_of(app), result);
    if (result->outcome == PROBE_PASS) {
        progress(app, target->colour, step_name(STEP_TEST), "%s: %s", page->path, result->detail);
        app->operation.test_page++;
        ask_next(app);
        return;
    }
    text_add(&why, result->detail);
    if (result->outcome == PROBE_STATUS) {
        text_add(&why, ", and ");
        describe_wanted(page, &why);
        text_add(&why, " is wanted");
    }
    fail(app, why.failed ? result->detail : why.data);
}

static bool first_tcp_port(const struct service *service, uint16_t *port)
{
    for (size_t i = 0; i < service->port_count; i++) {
        if (service->ports[i].protocol == PROTOCOL_TCP) {
            *port = service->ports[i].target;
            return true;
        }
    }
    return false;
}

static int send_request(struct app *app, struct error *err)
{
    struct app_zone *target = target_of(app);
    const struct service *service = target->service;
    const struct test_page *page = &service->tests[app->operation.test_page];
    struct health request = {.kind = HEALTH_HTTP, .timeout_ms = service->health.timeout_ms};
    if (!target->kernel || target->closing)
        return error_set(err, ENOENT, "the zone is gone");
    if (!first_tcp_port(service, &request.port))
        return error_set(err, EINVAL, "the app has no TCP port");
    text_copy(request.path, sizeof request.path, page->path);
    if (service->health.kind == HEALTH_HTTP)
        text_copy(request.host, sizeof request.host, service->health.host);
    memcpy(request.status, page->status, sizeof request.status);
    request.status_count = page->status_count;
    int fd = zone_socket(target->kernel, AF_INET, SOCK_STREAM, err);
    if (fd < 0)
        return fd;
    return prober_check_page(app->agent->prober, &request, page->contains, &zone_addresses(target->kernel)->service4,
                             fd, on_page, app, &app->operation.test_probe, err);
}

static void ask_next(struct app *app)
{
    struct error err = {0};
    if (app->operation.test_page == target_of(app)->service->test_count) {
        hook_step_enter(app, STEP_TEST);
        return;
    }
    if (send_request(app, &err) == 0)
        return;
    app->operation.test_probe = 0;
    fail(app, err.text);
}

bool testing_configured(const struct app_zone *zone)
{
    return (zone->service && zone->service->test_count > 0) || hook_configured(zone, HOOK_TEST);
}

void testing_begin(struct app *app)
{
    app->operation.test_page = 0;
    if (app->operation.verb == VERB_TEST && !testing_configured(target_of(app))) { /* not any more */
        operation_event(app, EVENT_FAILED,
                        "there is nothing to test: the release was staged without [test] http and [hooks] test");
        return;
    }
    ask_next(app);
}

void testing_cancel(struct app *app)
{
    if (app->operation.test_probe)
        prober_cancel(app->agent->prober, app->operation.test_probe);
    app->operation.test_probe = 0;
}
