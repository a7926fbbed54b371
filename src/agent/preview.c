/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The preview: who wants to look at the release that is not live reaches it, by a port of its own or from chosen
 * addresses. Apart from routing.c, which only puts into the rule set what is said here. */
#include "agent/preview.h"

#include "agent/agent.h"
#include "agent/routing.h"
#include "model/wire_status.h"
#include "os/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HOST_NAME_SIZE = 256 };

/* A frozen zone would let its clients wait; without a way to it they are refused at once. */
static bool is_there(const struct app_zone *zone)
{
    switch (zone->state) {
    case ZONE_STAGING:
    case ZONE_STARTING:
    case ZONE_HEALTHY:
    case ZONE_UNHEALTHY:
    case ZONE_LIVE: /* a transaction is about to make the other one live */
    case ZONE_DRAINING:
    case ZONE_STANDBY: return zone->service && zone->kernel && !zone->closing;
    default: return false;
    }
}

bool preview_wanted(const struct app_zone *zone)
{
    return zone->service && (zone->service->preview.port_count > 0 || zone->service->preview.from_count > 0);
}

struct app_zone *preview_zone(struct app *app)
{
    if (app->state == APP_STOPPED)
        return NULL;
    bool in_green = is_there(&app->zones[GREEN]);
    struct app_zone *zone = zone_of(app, app->live >= 0 ? colour_other((enum colour)app->live)
                                         : in_green     ? GREEN
                                                        : BLUE);
    return is_there(zone) && preview_wanted(zone) ? zone : NULL;
}

void preview_url(const struct app_zone *zone, char *url, size_t size)
{
    const struct preview *preview = zone->service ? &zone->service->preview : NULL;
    const struct port *port = NULL;
    char listen[PORT_LISTEN_TEXT_MAX], host[HOST_NAME_SIZE] = "";
    url[0] = '\0';
    for (size_t i = 0; preview && !port && i < preview->port_count; i++) {
        if (preview->ports[i].protocol == PROTOCOL_TCP)
            port = &preview->ports[i];
    }
    if (!port)
        return;
    struct port first = *port; /* of a range */
    first.count = 1;
    if (gethostname(host, sizeof host - 1) < 0 || !host[0])
        text_copy(host, sizeof host, "localhost");
    if (port->listen.family)
        snprintf(url, size, "http://%s", port_listen_format(&first, listen));
    else
        snprintf(url, size, "http://%s:%u", host, port->published);
}

void preview_follow(struct app *app)
{
    struct error err = {0};
    if (routing_apply(app->agent, NULL, &err) < 0)
        log_error("%s: change what its preview leads to: %s", app->name, err.text);
}

void preview_fill(struct app *app, struct wire_preview *out)
{
    struct app_zone *zone = preview_zone(app);
    if (!zone)
        return;
    out->reached = 1;
    out->zone = (int8_t)zone->colour;
    out->clients = (uint8_t)zone->service->preview.from_count;
    preview_url(zone, out->url, sizeof out->url);
}
