/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The copy's work from its beginning to its end, and what the table of rules has to say. */
#include "agent/doctor_look.h"

#include "agent/host.h"
#include "base/cleanup.h"
#include "zone/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

bool doctor_wants(const struct look *look, const struct app *app)
{
    return !look->only || look->only == app;
}

const struct app_zone *doctor_live_zone(const struct app *app)
{
    const struct app_zone *zone = app->state == APP_RUNNING && app->live >= 0 ? &app->zones[app->live] : NULL;
    return zone && zone->service && zone->kernel && !zone->closing ? zone : NULL;
}

void doctor_failed(struct look *look, enum doctor_check check, const struct error *err)
{
    doctor_begin(&look->doctor, DOCTOR_NOTE, check, NULL, "this could not be looked at: %s", err->text);
    doctor_end(&look->doctor);
}

/* Waits where the agent is slow to read; where it has gone, nobody wants to know. */
static void say(void *context, const struct doctor_finding *finding)
{
    const struct look *look = context;
    if (send(look->channel, finding, sizeof *finding, MSG_NOSIGNAL) < 0 && errno == EPIPE)
        exit(1);
}

/* --- rules ----------------------------------------------------------------------------------------- */

static void look_at_table(struct look *look)
{
    CLEANUP_WORDS struct words differences = {0};
    struct error err = {0};
    if (traffic_compare(look->rules, &differences, &err) < 0) {
        doctor_failed(look, DOCTOR_TABLE, &err);
        return;
    }
    doctor_looked(&look->doctor, DOCTOR_TABLE);
    if (differences.count == 0)
        return;
    CLEANUP_TEXT struct text text = {0};
    for (size_t i = 0; i < differences.count; i++)
        text_addf(&text, "%s%s", i ? ", " : "", differences.items[i]);
    doctor_begin(&look->doctor, DOCTOR_FAULT, DOCTOR_TABLE, NULL,
                 "table inet bluegreen is not as the agent made it, so somebody has changed it: %s",
                 text.failed ? "" : text.data);
    doctor_line(&look->doctor, "systemctl restart bluegreend");
    doctor_end(&look->doctor);
}

/* What the look before a first switch would refuse. */
static void look_at_firewall(struct look *look)
{
    CLEANUP_WORDS struct words findings = {0};
    struct error err = {0};
    if (host_firewall_inspect(look->agent, look->rules, NULL, &findings, &err) < 0) {
        doctor_failed(look, DOCTOR_FIREWALL, &err);
        return;
    }
    doctor_looked(&look->doctor, DOCTOR_FIREWALL);
    for (size_t i = 0; i < findings.count; i++)
        doctor_tell(&look->doctor, DOCTOR_FAULT, DOCTOR_FIREWALL, NULL, findings.items[i]);
}

struct wants {
    bool elsewhere; /* other hosts */
    struct share_port shares[SHARE_PORTS_MAX];
    size_t count;
};

static void add_wants(struct wants *wants, const struct service *service)
{
    wants->elsewhere |= service->egress.policy == EGRESS_OPEN;
    for (size_t i = 0; i < service->share_count; i++) {
        const struct share_port *share = &service->shares[i];
        bool known = wants->count == SHARE_PORTS_MAX; /* so many stand for all */
        for (size_t j = 0; j < wants->count && !known; j++)
            known = wants->shares[j].port == share->port && wants->shares[j].protocol == share->protocol;
        if (!known)
            wants->shares[wants->count++] = *share;
    }
}

/* The other way: what apps reach by themselves. */
static void look_outward(struct look *look)
{
    CLEANUP_WORDS struct words findings = {0};
    struct wants wants = {.count = 0};
    struct error err = {0};
    struct app *app;
    list_for_each(app, &look->agent->apps, link)
    {
        const struct app_zone *live = doctor_wants(look, app) ? doctor_live_zone(app) : NULL;
        if (live)
            add_wants(&wants, live->service);
    }
    if (!wants.elsewhere && !wants.count)
        return;
    if (firewall_inspect_outward(look->rules, &look->agent->conf.pools, wants.elsewhere, wants.shares, wants.count,
                                 &findings, &err) < 0) {
        doctor_failed(look, DOCTOR_EGRESS, &err);
        return;
    }
    doctor_looked(&look->doctor, DOCTOR_EGRESS);
    for (size_t i = 0; i < findings.count; i++)
        doctor_tell(&look->doctor, DOCTOR_WARNING, DOCTOR_EGRESS, NULL, findings.items[i]);
}

static void look_at_pools(struct look *look)
{
    struct error err = {0};
    struct route_overlap overlap;
    char route[ADDRESS_TEXT_MAX + 4];
    int result = routes_find_overlap(&look->agent->conf.pools, &overlap, &err);
    if (result < 0 && result != -EADDRINUSE) {
        doctor_failed(look, DOCTOR_POOLS, &err);
        return;
    }
    doctor_looked(&look->doctor, DOCTOR_POOLS);
    if (result == 0)
        return;
    doctor_begin(&look->doctor, DOCTOR_FAULT, DOCTOR_POOLS, NULL,
                 "%s: zones or those hosts cannot be reached, and the agent does not start again", err.text);
    doctor_line(&look->doctor, "ip %sroute del %s dev %s", overlap.route.address.family == 6 ? "-6 " : "",
                prefix_format(&overlap.route, route), overlap.device);
    doctor_end(&look->doctor);
}

static void look_at_rules(struct look *look)
{
    struct error err = {0};
    look_at_pools(look);
    if (traffic_view(look->agent->traffic, &look->rules, &err) < 0) {
        doctor_failed(look, DOCTOR_TABLE, &err);
        return;
    }
    look_at_table(look);
    look_at_firewall(look);
    look_outward(look);
}

/* --- all ------------------------------------------------------------------------------------------- */

int doctor_look(void *context, int channel, int files_open)
{
    struct look *look = context;
    look->channel = channel;
    look->files_open = files_open;
    look->doctor = (struct doctor){.found = say, .context = look};
    doctor_look_at_state(look);
    doctor_look_at_host(look);
    look_at_rules(look);
    doctor_look_at_ports(look);
    doctor_look_at_zones(look);
    doctor_look_at_files(look);
    doctor_look_at_paths(look);
    doctor_finish(&look->doctor);
    traffic_close(look->rules);
    free(look->links);
    return 0;
}
