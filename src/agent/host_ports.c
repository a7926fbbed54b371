/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports that a process of the host's served until we published them: it keeps its connections until they end. Looked
 * at as long as there are any, because meanwhile connections of zones cannot be picked up in mid-stream.
 */
#include "agent/agent.h"

#include "agent/host.h"
#include "os/log.h"

#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 1000, LATER_MS = 10000, SOON_LOOKS = 120 };

static bool is_of_port(const struct port *port, const struct ruleset_held *held)
{
    return port->protocol == PROTOCOL_TCP && address_equal(&port->listen, &held->listen) &&
           held->port >= port->published && held->port < port->published + port_span(port);
}

uint32_t host_ports_count(const struct agent *agent, const struct port *port)
{
    const struct ruleset_held *held;
    size_t count = traffic_held(agent->traffic, &held);
    uint32_t connections = 0;
    for (size_t i = 0; i < count; i++)
        if (is_of_port(port, &held[i]))
            connections += held[i].connections;
    return connections;
}

static const char *publisher_of(struct agent *agent, const struct ruleset_held *held)
{
    struct app *app;
    list_for_each(app, &agent->apps, link)
    {
        const struct service *service = app->live >= 0 ? app->zones[app->live].service : NULL;
        for (size_t i = 0; service && i < service->port_count; i++)
            if (is_of_port(&service->ports[i], held))
                return app->name;
    }
    return "?";
}

static bool is_in(const struct ruleset_held list[], size_t count, const struct ruleset_held *held)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].port == held->port && address_equal(&list[i].listen, &held->listen))
            return true;
    return false;
}

static void say_begun(struct agent *agent, const struct ruleset_held *held)
{
    char text[PORT_LISTEN_TEXT_MAX];
    const struct port port = {.listen = held->listen, .published = held->port};
    log_notice("%s: port %s/tcp was a process of the host's: it keeps the %u connection%s that it has until they end, "
               "new ones come to the app",
               publisher_of(agent, held), port_listen_format(&port, text), held->connections,
               held->connections == 1 ? "" : "s");
}

static void say_over(const struct ruleset_held *held)
{
    char text[PORT_LISTEN_TEXT_MAX];
    const struct port port = {.listen = held->listen, .published = held->port};
    log_notice("port %s/tcp: no connection of a process of the host's is left", port_listen_format(&port, text));
}

/* Says what is new, and remembers it. */
static void note(struct agent *agent)
{
    struct host_ports *ports = &agent->host_ports;
    const struct ruleset_held *held;
    size_t count = traffic_held(agent->traffic, &held);
    for (size_t i = 0; i < count; i++)
        if (!is_in(ports->known, ports->count, &held[i]))
            say_begun(agent, &held[i]);
    for (size_t i = 0; i < ports->count; i++)
        if (!is_in(held, count, &ports->known[i]))
            say_over(&ports->known[i]);
    free(ports->known);
    ports->known = calloc(count + 1, sizeof *ports->known);
    ports->count = ports->known ? count : 0; /* without memory it is said once more */
    for (size_t i = 0; i < ports->count; i++)
        ports->known[i] = held[i];
}

static void on_timer(void *context)
{
    struct agent *agent = context;
    struct host_ports *ports = &agent->host_ports;
    struct error err = {0};
    if (traffic_look_at_held(agent->traffic, &err) < 0)
        log_warning("look whether processes of the host's still have connections on published ports: %s", err.text);
    note(agent);
    ports->looks++;
    if (ports->count)
        loop_timer_arm(ports->timer, ports->looks < SOON_LOOKS ? LOOK_MS : LATER_MS);
}

void host_ports_applied(struct agent *agent)
{
    struct host_ports *ports = &agent->host_ports;
    const struct ruleset_held *held;
    if (!traffic_held(agent->traffic, &held) && !ports->count)
        return;
    note(agent);
    if (!ports->timer)
        ports->timer = loop_timer_new(agent->loop, on_timer, agent);
    if (!ports->timer) {
        log_error("no memory for a timer: connections of the host's own processes on published ports are not looked "
                  "at again before the next change");
        return;
    }
    ports->looks = 0;
    loop_timer_disarm(ports->timer);
    if (ports->count)
        loop_timer_arm(ports->timer, LOOK_MS);
}

void host_ports_dispose(struct agent *agent)
{
    loop_timer_free(agent->host_ports.timer);
    free(agent->host_ports.known);
}
