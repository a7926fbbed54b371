/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's own firewall may drop what clients send to the zones, and our probes do not notice: they do not come from
 * outside. So somebody looks: before an app's first switch (steps.c), and here, whenever somebody changed the rules.
 */
#include "agent/agent.h"

#include "agent/host.h"
#include "agent/incidents.h"
#include "agent/waiting.h"
#include "base/cleanup.h"
#include "os/log.h"
#include "traffic/firewall_integrate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ACCEPT_MS = 10,    /* until our accept is put back: new connections wait, or are refused, until then */
    SETTLE_MS = 300,   /* whoever reloads makes several transactions */
    PAUSE_MS = 2000,   /* between two looks */
    PAUSE_TIMES = 100, /* or so many times what the last one took: reading many rules takes a while */
};

/* What a finding says before it comes to the lines that mend it. */
static size_t what_it_is(const char *finding)
{
    const char *end = strstr(finding, ". To let them through:");
    return end ? (size_t)(end - finding) : strlen(finding);
}

static bool published(const struct app *app)
{
    return app->state == APP_RUNNING && app->live >= 0 && app->zones[app->live].service;
}

static bool any_published(struct agent *agent)
{
    struct app *app;
    list_for_each(app, &agent->apps, link)
    {
        if (published(app))
            return true;
    }
    return false;
}

static bool same_words(const struct words *a, const struct words *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!text_equal(a->items[i], b->items[i]))
            return false;
    return true;
}

static void tell(struct agent *agent)
{
    const struct host_firewall *firewall = &agent->host_firewall;
    const struct words *findings = &firewall->findings;
    struct app *app;
    for (size_t i = 0; i < findings->count; i++)
        log_error("clients outside do not reach the apps%s%s: %s",
                  firewall->by[0] ? " since the host's rules were changed by " : "", firewall->by, findings->items[i]);
    if (!findings->count) {
        log_notice("the host's firewall lets clients through to the apps again");
        return;
    }
    list_for_each(app, &agent->apps, link)
    {
        if (published(app))
            incident_record(&app->zones[app->live], INCIDENT_FIREWALL, "%.*s", (int)what_it_is(findings->items[0]),
                            findings->items[0]);
    }
}

/* Takes the findings over. */
static void learn(struct agent *agent, struct words *findings)
{
    struct host_firewall *firewall = &agent->host_firewall;
    bool news = !same_words(&firewall->findings, findings);
    words_clear(&firewall->findings);
    firewall->findings = *findings;
    *findings = (struct words){0};
    if (news) {
        tell(agent);
        changed(agent);
    }
}

void host_firewall_accept(struct agent *agent)
{
    struct host_firewall *firewall = &agent->host_firewall;
    bool wanted = agent->conf.firewall_integrate;
    CLEANUP_TEXT struct text changes = {0};
    CLEANUP_WORDS struct words problems = {0};
    if (firewall_integrate(agent->traffic, wanted ? &agent->conf.pools : NULL, &changes, &problems) > 0)
        log_notice("%s: %s",
                   wanted ? "what goes to the zones is accepted now in"
                          : "our accept was taken out, as it is not wanted",
                   changes.failed ? "no memory" : changes.data);
    if (same_words(&firewall->problems, &problems))
        return;
    for (size_t i = 0; i < problems.count; i++)
        log_warning("[firewall] integrate: %s", problems.items[i]);
    words_clear(&firewall->problems);
    firewall->problems = problems;
    problems = (struct words){0};
}

static void on_accept_timer(void *context)
{
    host_firewall_accept(context);
}

static void on_timer(void *context)
{
    struct agent *agent = context;
    struct host_firewall *firewall = &agent->host_firewall;
    CLEANUP_WORDS struct words findings = {0};
    struct error err = {0};
    if (any_published(agent) && host_firewall_look(agent, NULL, &findings, &err) < 0) {
        log_warning("look at the host's firewall, whose rules have changed: %s", err.text);
        return;
    }
    /* firewalld and ufw close everything while they reload: what is bad is bad when it is so twice. */
    if (findings.count && !same_words(&findings, &firewall->findings) && !same_words(&findings, &firewall->suspected)) {
        words_clear(&firewall->suspected);
        firewall->suspected = findings;
        findings = (struct words){0};
        loop_timer_arm(firewall->timer, firewall->pause_ms);
        return;
    }
    words_clear(&firewall->suspected);
    learn(agent, &findings);
}

static size_t count_ports(struct agent *agent, const struct app *also)
{
    size_t count = also && also->service ? also->service->port_count : 0;
    struct app *app;
    list_for_each(app, &agent->apps, link) count += published(app) ? app->zones[app->live].service->port_count : 0;
    return count;
}

static size_t add_ports(struct port *to, size_t count, const struct service *service)
{
    for (size_t i = 0; service && i < service->port_count; i++)
        to[count++] = service->ports[i];
    return count;
}

int host_firewall_inspect(struct agent *agent, struct traffic *traffic, const struct app *also, struct words *findings,
                          struct error *err)
{
    CLEANUP_FREE struct port *ports = calloc(count_ports(agent, also) + 1, sizeof *ports);
    size_t count = 0;
    struct app *app;
    if (!ports)
        return error_errno(err, ENOMEM, "look at the host's firewall");
    list_for_each(app, &agent->apps, link)
    {
        if (published(app))
            count = add_ports(ports, count, app->zones[app->live].service);
    }
    count = add_ports(ports, count, also ? also->service : NULL);
    return firewall_inspect(traffic, &agent->conf.pools, ports, count, findings, err);
}

int host_firewall_look(struct agent *agent, const struct app *also, struct words *findings, struct error *err)
{
    struct host_firewall *firewall = &agent->host_firewall;
    uint64_t began_ms = clock_monotonic_ms();
    int result = host_firewall_inspect(agent, agent->traffic, also, findings, err);
    firewall->looked_ms = clock_monotonic_ms();
    uint64_t pause = (firewall->looked_ms - began_ms) * PAUSE_TIMES;
    firewall->pause_ms = pause > PAUSE_MS ? (uint32_t)pause : PAUSE_MS;
    return result;
}

static bool make_timers(struct agent *agent)
{
    struct host_firewall *firewall = &agent->host_firewall;
    if (!firewall->timer)
        firewall->timer = loop_timer_new(agent->loop, on_timer, agent);
    if (!firewall->accept_timer)
        firewall->accept_timer = loop_timer_new(agent->loop, on_accept_timer, agent);
    if (!firewall->timer || !firewall->accept_timer)
        log_error("no memory for a timer: the host's firewall is not looked at although it has changed");
    return firewall->timer && firewall->accept_timer;
}

void host_firewall_changed(struct agent *agent)
{
    struct host_firewall *firewall = &agent->host_firewall;
    char by[TRAFFIC_PROGRAM_MAX + 1];
    traffic_others_changed(agent->traffic, by);
    if (by[0])
        text_copy(firewall->by, sizeof firewall->by, by);
    if (!make_timers(agent))
        return;
    if (agent->conf.firewall_integrate && !loop_timer_due_ms(firewall->accept_timer))
        loop_timer_arm(firewall->accept_timer, ACCEPT_MS);
    uint64_t now = clock_monotonic_ms(), wait = SETTLE_MS;
    if (firewall->looked_ms && now < firewall->looked_ms + firewall->pause_ms)
        wait += firewall->looked_ms + firewall->pause_ms - now;
    /* The first change counts: one who changes rules all the time does not keep us from looking. */
    if (!loop_timer_due_ms(firewall->timer))
        loop_timer_arm(firewall->timer, wait);
}

void host_firewall_text(const struct app *app, char *text, size_t size)
{
    const struct words *findings = &app->agent->host_firewall.findings;
    text[0] = '\0';
    if (!findings->count || !published(app))
        return;
    int length = (int)what_it_is(findings->items[0]);
    snprintf(text, size, "%.*s%s", length > 200 ? 200 : length, findings->items[0], length > 200 ? "..." : "");
    if (findings->count > 1)
        snprintf(text + strlen(text), size - strlen(text), " (and %zu more)", findings->count - 1);
    text_sanitise(text);
}

void host_firewall_dispose(struct agent *agent)
{
    loop_timer_free(agent->host_firewall.timer);
    loop_timer_free(agent->host_firewall.accept_timer);
    words_clear(&agent->host_firewall.problems);
    words_clear(&agent->host_firewall.findings);
    words_clear(&agent->host_firewall.suspected);
}
