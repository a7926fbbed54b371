/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The true way of a client: from a network namespace of its own, over a cable, through everybody's rules, into the zone
 * and back. What a rule says of a certain interface only is not met, as the probe comes in through another one; the
 * look at the rules (firewall_inspect) knows the real ones.
 */
#include "agent/doctor_look.h"

#include "agent/operations.h"
#include "traffic/nft_trace.h"
#include "zone/outside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ANSWER_MS = 2500,  /* a first packet that was lost is sent again after 1 s */
    END_MS = 100,      /* for the app to close what the probe has closed */
    SLICE_MS = 50,     /* between two looks at what the kernel says of the packet */
    BUDGET_MS = 10000, /* of all probes */
    FAILURES_MAX = 4,  /* of one app: all its ports have the same way */
};

struct walk {
    struct look *look;
    struct outside outside;
    struct trace *trace;
    struct address local4, local6; /* of the host, where clients would come */
    uint64_t until_ms;
    unsigned left_out;
};

struct outcome {
    enum doctor_answer answer;
    struct trace_drop drop;           /* table "" = none */
    char reached[TRACE_NAME_MAX + 1]; /* chain zone.APP.COLOUR; "" = none */
};

/* --- one connection ---------------------------------------------------------------------------------- */

static socklen_t fill_address(const struct address *address, uint16_t port, struct sockaddr_storage *to)
{
    struct sockaddr_in *four = (struct sockaddr_in *)to;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
    *to = (struct sockaddr_storage){0};
    if (address->family == 4) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        memcpy(&four->sin_addr, address->bytes, 4);
        return sizeof *four;
    }
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    memcpy(&six->sin6_addr, address->bytes, 16);
    return sizeof *six;
}

static enum doctor_answer answer_of(int error)
{
    return error == 0                                     ? DOCTOR_ANSWERED
           : error == ECONNREFUSED || error == ECONNRESET ? DOCTOR_REFUSED
           : error == ETIMEDOUT || error == EINPROGRESS   ? DOCTOR_SILENCE
                                                          : DOCTOR_UNREACHABLE;
}

/* Not left half closed when the cable goes: the zone would wait for our last word, and so would its drain. An app that
 * does not end it, too, is reset. */
static void end_connection(int fd)
{
    const struct linger reset = {.l_onoff = 1};
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char byte;
    shutdown(fd, SHUT_WR);
    if (poll(&wait, 1, END_MS) <= 0 || read(fd, &byte, 1) != 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

/* Who has heard that the packet was dropped does not wait for more. Returns an errno; 0: connected. */
static int wait_for_answer(struct walk *walk, int fd, struct outcome *outcome)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    uint64_t until_ms = clock_monotonic_ms() + ANSWER_MS;
    int error = 0;
    socklen_t length = sizeof error;
    for (bool dropped = false; clock_monotonic_ms() < until_ms;) {
        if (poll(&wait, 1, SLICE_MS) > 0)
            return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 ? errno : error;
        if (dropped) /* and whatever is said to the client of that has had its time */
            return ETIMEDOUT;
        dropped = trace_find_drop(walk->trace, &outcome->drop, outcome->reached);
    }
    return ETIMEDOUT;
}

static void try_to_connect(struct walk *walk, const struct address *address, uint16_t port, struct outcome *outcome)
{
    struct sockaddr_storage to;
    socklen_t size = fill_address(address, port, &to);
    *outcome = (struct outcome){.answer = DOCTOR_UNREACHABLE};
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
    if (fd < 0)
        return;
    trace_forget(walk->trace);
    if (connect(fd, (struct sockaddr *)&to, size) < 0)
        error = errno;
    if (error == EINPROGRESS)
        error = wait_for_answer(walk, fd, outcome);
    if (error == 0)
        end_connection(fd);
    close(fd);
    outcome->answer = answer_of(error);
    trace_find_drop(walk->trace, &outcome->drop, outcome->reached);
    if (outcome->answer == DOCTOR_ANSWERED) /* then nothing that mattered was dropped */
        outcome->drop = (struct trace_drop){0};
}

/* --- what came of it --------------------------------------------------------------------------------- */

static void find_mend(struct walk *walk, const struct address *address, const struct trace_drop *drop,
                      struct text *mend)
{
    const struct firewall_place place = {.family = drop->family,
                                         .table = drop->table,
                                         .chain = drop->base,
                                         .packet = address->family,
                                         .answer = drop->answer};
    struct error err = {0};
    if (drop->table[0])
        firewall_mend(walk->look->rules, &walk->look->agent->conf.pools, &place, mend, &err);
}

/* True if it is as it should be. answered: over the other family, before. */
static bool probe(struct walk *walk, const struct app_zone *zone, const struct port *port,
                  const struct address *address, bool answered)
{
    CLEANUP_TEXT struct text mend = {0};
    struct outcome outcome;
    char ours[TRACE_NAME_MAX + 1], name[16], at[ADDRESS_TEXT_MAX];
    try_to_connect(walk, address, port->published, &outcome);
    find_mend(walk, address, &outcome.drop, &mend);
    snprintf(ours, sizeof ours, "zone.%s.", zone->app->name); /* of either colour: a canary has both */
    snprintf(name, sizeof name, "%u/%s", port->published, protocol_name(port->protocol));
    const struct doctor_path path = {.app = zone->app->name,
                                     .port = name,
                                     .address = address_format(address, at),
                                     .answer = outcome.answer,
                                     .reached = outcome.reached,
                                     .of_app = text_starts_with(outcome.reached, ours),
                                     .family = firewall_family_name(outcome.drop.family),
                                     .table = outcome.drop.table,
                                     .base = outcome.drop.base,
                                     .chain = outcome.drop.chain,
                                     .handle = outcome.drop.handle,
                                     .way_back = outcome.drop.answer,
                                     .legacy = address->family == 4 ? walk->look->legacy4 : walk->look->legacy6,
                                     .only_ipv4 = address->family == 6 && answered,
                                     .mend = mend.data && !mend.failed ? mend.data : ""};
    doctor_judge_path(&walk->look->doctor, &path);
    return outcome.answer == DOCTOR_ANSWERED;
}

/* Nobody outside reaches what is published on a loopback address, and that is as it should be. */
static bool is_loopback(const struct address *address)
{
    static const uint8_t one[16] = {[15] = 1};
    return address->family == 4 ? address->bytes[0] == 127 : !memcmp(address->bytes, one, sizeof one);
}

static unsigned probe_port(struct walk *walk, const struct app_zone *zone, const struct port *port)
{
    unsigned failures = 0;
    bool answered = false;
    const struct address *addresses[] = {&port->listen, NULL};
    if (port->listen.family == 0) {
        addresses[0] = &walk->local4;
        addresses[1] = &walk->local6;
    }
    for (size_t i = 0; i < 2; i++) {
        if (!addresses[i] || !addresses[i]->family || is_loopback(addresses[i]))
            continue;
        if (addresses[i]->family == 6 && !walk->outside.client6.family)
            continue;
        bool well = probe(walk, zone, port, addresses[i], answered);
        answered |= well;
        failures += !well;
    }
    return failures;
}

static void probe_app(struct walk *walk, const struct app_zone *zone)
{
    unsigned failures = 0;
    for (size_t i = 0; i < zone->service->port_count && failures < FAILURES_MAX; i++) {
        const struct port *port = &zone->service->ports[i];
        if (port->protocol != PROTOCOL_TCP)
            continue;
        if (clock_monotonic_ms() < walk->until_ms)
            failures += probe_port(walk, zone, port);
        else
            walk->left_out++;
    }
}

/* --- there and back ---------------------------------------------------------------------------------- */

/* The first one of a link with a default route, or else the first one. */
static bool better(const struct address *have, bool now, bool *of_uplink)
{
    bool take = !have->family || (now && !*of_uplink);
    *of_uplink |= now;
    return take;
}

/* An address of the host that clients could use, of either family. */
static void find_local(struct walk *walk)
{
    bool uplink4 = false, uplink6 = false;
    struct ifaddrs *addresses;
    if (getifaddrs(&addresses) < 0)
        return;
    for (const struct ifaddrs *at = addresses; at; at = at->ifa_next) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)at->ifa_addr;
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)at->ifa_addr;
        const struct doctor_link *link = NULL;
        for (size_t i = 0; at->ifa_addr && i < walk->look->link_count && !link; i++) {
            if (strcmp(walk->look->links[i].name, at->ifa_name) == 0)
                link = &walk->look->links[i];
        }
        if (!link || link->zone)
            continue;
        if (at->ifa_addr->sa_family == AF_INET && better(&walk->local4, link->uplink4, &uplink4)) {
            walk->local4.family = 4;
            memcpy(walk->local4.bytes, &four->sin_addr, 4);
        } else if (at->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr) &&
                   better(&walk->local6, link->uplink6, &uplink6)) {
            walk->local6.family = 6;
            memcpy(walk->local6.bytes, &six->sin6_addr, 16);
        }
    }
    freeifaddrs(addresses);
}

/* As the links that clients come through are. */
static bool forwards(const struct look *look)
{
    bool any = false;
    for (size_t i = 0; i < look->link_count; i++) {
        const struct doctor_link *link = &look->links[i];
        if (!link->zone && link->uplink4)
            return link->forwarding4 == 1;
        any |= !link->zone && link->has4 && link->forwarding4 == 1;
    }
    return any;
}

static size_t count_published(const struct look *look)
{
    size_t count = 0;
    struct app *app;
    list_for_each(app, &look->agent->apps, link) count += doctor_wants(look, app) && doctor_live_zone(app);
    return count;
}

static void tell_not_probed(struct walk *walk, const struct app *app)
{
    doctor_begin(&walk->look->doctor, DOCTOR_NOTE, DOCTOR_PATH, app->name,
                 "it was not probed, because %s runs at the moment", verb_name(app->operation.verb));
    doctor_line(&walk->look->doctor, "bluegreen doctor %s", app->name);
    doctor_end(&walk->look->doctor);
}

static void walk_all(struct walk *walk)
{
    struct app *app;
    list_for_each(app, &walk->look->agent->apps, link)
    {
        const struct app_zone *zone = doctor_wants(walk->look, app) ? doctor_live_zone(app) : NULL;
        if (zone && operation_running(app)) /* it may be holding its clients */
            tell_not_probed(walk, app);
        else if (zone)
            probe_app(walk, zone);
    }
    if (walk->left_out == 0)
        return;
    doctor_begin(&walk->look->doctor, DOCTOR_NOTE, DOCTOR_PATH, NULL,
                 "%u ports were not probed any more after %d s; name an app to have its ports probed", walk->left_out,
                 BUDGET_MS / 1000);
    doctor_end(&walk->look->doctor);
}

void doctor_look_at_paths(struct look *look)
{
    struct walk walk = {.look = look, .until_ms = clock_monotonic_ms() + BUDGET_MS};
    struct error err = {0};
    if (count_published(look) == 0 || !look->rules)
        return;
    find_local(&walk);
    outside_plan(&walk.outside, doctor_has_ipv6(look));
    int result = trace_open(&walk.trace, OUTSIDE_LINK, &walk.outside.client4, &walk.outside.client6, &err);
    if (result == 0)
        result = outside_enter(&walk.outside, forwards(look), &err);
    if (result == 0)
        walk_all(&walk);
    else
        doctor_failed(look, DOCTOR_PATH, &err);
    outside_leave(&walk.outside);
    trace_close(walk.trace);
}
