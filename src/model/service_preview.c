/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [preview] and [ports] together: which port a preview leads to, and all that an app claims of the host's ports. */
#include "model/service_rules.h"

#include <stdio.h>
#include <string.h>

static bool leads_to(const struct port *preview, const struct port *port)
{
    return preview->name[0] ? strcmp(preview->name, port->name) == 0 : port->protocol == PROTOCOL_TCP;
}

void service_resolve_preview(struct service *service)
{
    for (size_t i = 0; i < service->preview.port_count; i++) {
        struct port *preview = &service->preview.ports[i];
        for (size_t j = 0; !preview->target && j < service->port_count; j++) {
            if (!leads_to(preview, &service->ports[j]))
                continue;
            preview->target = service->ports[j].target;
            preview->protocol = service->ports[j].protocol;
            preview->udp = service->ports[j].udp;
        }
    }
}

static bool same_preview_port(const struct port *a, const struct port *b)
{
    return address_equal(&a->listen, &b->listen) && a->published == b->published && a->target == b->target &&
           a->protocol == b->protocol && a->udp == b->udp && port_span(a) == port_span(b);
}

bool service_preview_equal(const struct service *a, const struct service *b)
{
    const struct preview *x = &a->preview, *y = &b->preview;
    bool same = x->port_count == y->port_count && x->from_count == y->from_count;
    for (size_t i = 0; same && i < x->port_count; i++)
        same = same_preview_port(&x->ports[i], &y->ports[i]);
    for (size_t i = 0; same && i < x->from_count; i++)
        same = address_equal(&x->from[i].address, &y->from[i].address) && x->from[i].length == y->from[i].length;
    return same;
}

const struct port *service_claim(const struct service *service, size_t index)
{
    if (index < service->port_count)
        return &service->ports[index];
    index -= service->port_count;
    return index < service->preview.port_count ? &service->preview.ports[index] : NULL;
}

const char *port_place(const struct service *service, const struct port *port, char place[PORT_PLACE_MAX])
{
    if (port >= service->preview.ports && port < service->preview.ports + PREVIEW_PORTS_MAX)
        snprintf(place, PORT_PLACE_MAX, "[preview] port");
    else
        snprintf(place, PORT_PLACE_MAX, "[ports] %s", port->name);
    return place;
}

/* A preview's port of its own app is as much a conflict as one of another app. */
static void check_claims(const struct service *service, struct findings *findings)
{
    const struct port *later, *earlier;
    for (size_t i = 1; (later = service_claim(service, i)); i++) {
        for (size_t j = 0; j < i && (earlier = service_claim(service, j)); j++) {
            char listen[PORT_LISTEN_TEXT_MAX], place[PORT_PLACE_MAX], other[PORT_PLACE_MAX];
            if (port_conflicts(later, earlier))
                found(findings, "%s: claims %s/%s, which %s claims too; give one another port",
                      port_place(service, later, place), port_listen_format(later, listen),
                      protocol_name(later->protocol), port_place(service, earlier, other));
        }
    }
}

static const struct port *preview_target(const struct service *service, const struct port *preview)
{
    for (size_t i = 0; i < service->port_count; i++) {
        if (leads_to(preview, &service->ports[i]))
            return &service->ports[i];
    }
    return NULL;
}

void check_ports_and_preview(const struct service *service, struct findings *findings)
{
    check_claims(service, findings);
    for (size_t i = 0; i < service->preview.port_count; i++) {
        const struct port *preview = &service->preview.ports[i], *target = preview_target(service, preview);
        if (!target && preview->name[0])
            found(findings, "[preview] port: there is no port %s in [ports]; name one of those", preview->name);
        else if (!target)
            found(findings, "[preview] port: it leads to the first TCP port of [ports], and there is none; name the "
                            "port, as in \"8081 -> NAME\"");
        else if (port_span(preview) != port_span(target))
            found(findings, "[preview] port: %u is for %u ports and [ports] %s for %u; write as many",
                  preview->published, port_span(preview), target->name, port_span(target));
    }
    if (service->preview.from_count > 0 && service->port_count == 0)
        found(findings, "[preview] from: these clients come by the ports of [ports], and there is none; add one");
}
