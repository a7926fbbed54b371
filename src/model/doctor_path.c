/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What became of packets from outside, and whose doing it is. */
#include "model/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The lines that mend it, and how to see the rule. */
static void add_lines(struct doctor *doctor, const struct doctor_path *path)
{
    for (const char *at = path->mend; *at; at += strcspn(at, "\n")) {
        at += strspn(at, "\n ");
        if (*at)
            doctor_line(doctor, "%.*s", (int)strcspn(at, "\n"), at);
    }
    if (!path->mend[0] && path->table[0])
        doctor_line(doctor, "nft -a list chain %s %s %s", path->family, path->table, path->chain);
}

static void judge_drop(struct doctor *doctor, const struct doctor_path *path)
{
    char rule[64];
    if (path->handle)
        snprintf(rule, sizeof rule, "its rule with handle %" PRIu64, path->handle);
    else
        snprintf(rule, sizeof rule, "its policy");
    doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_PATH, path->app,
                 "%s a probe from outside to %s, port %s, was dropped by table %s %s, chain %s: %s. Let through what "
                 "goes to the zones:",
                 path->way_back ? "the zone's answer to" : "the first packet of", path->address, path->port,
                 path->family, path->table, path->chain, rule);
    add_lines(doctor, path);
    doctor_end(doctor);
}

static void judge_silence(struct doctor *doctor, const struct doctor_path *path)
{
    doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_PATH, path->app,
                 "a probe from outside to %s, port %s, got no answer, and no rule of nf_tables dropped it%s: rules of "
                 "iptables-legacy, a check of source addresses, a filter on an interface (tc), or a full table of "
                 "connections",
                 path->address, path->port, path->reached[0] ? " on its way there" : " before it came to our table");
    if (path->legacy) { /* most likely; the first that comes into question */
        const char *command = strchr(path->address, ':') ? "ip6tables-legacy" : "iptables-legacy";
        doctor_line(doctor, "%s -I FORWARD -m conntrack --ctstate DNAT -j ACCEPT", command);
        doctor_line(doctor, "%s -I FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT", command);
    }
    doctor_line(doctor, "nstat -az TcpExtIPReversePathFilter IpInDiscards IpForwDatagrams");
    doctor_line(doctor, "tc filter show dev INTERFACE ingress");
    doctor_end(doctor);
}

static void judge_refusal(struct doctor *doctor, const struct doctor_path *path)
{
    const char *what = path->answer == DOCTOR_REFUSED ? "refused" : "answered with \"unreachable\"";
    if (path->of_app && path->only_ipv4)
        doctor_begin(
            doctor, DOCTOR_WARNING, DOCTOR_PATH, path->app,
            "clients that come over IPv6 to %s, port %s, are refused by the app in the live zone, which answers "
            "over IPv4: it has to listen on [::], too, or they lose a moment before they try IPv4",
            path->address, path->port);
    else if (path->of_app)
        doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_PATH, path->app,
                     "a probe from outside to %s, port %s, came to the live zone and was %s there: nothing listens "
                     "on the port, or only on the zone's loopback address",
                     path->address, path->port, what);
    else
        doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_PATH, path->app,
                     "a probe from outside to %s, port %s, was %s before it came to the live zone", path->address,
                     path->port, what);
    doctor_line(doctor, "bluegreen status %s", path->app);
    doctor_end(doctor);
}

/* Somebody answers, but who? */
static void judge_answer(struct doctor *doctor, const struct doctor_path *path)
{
    if (path->of_app)
        return;
    if (path->reached[0])
        doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_PATH, path->app,
                     "a probe from outside to %s, port %s, was answered by chain %s, which is not the live zone's",
                     path->address, path->port, path->reached);
    else
        doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_PATH, path->app,
                     "a probe from outside to %s, port %s, was answered by somebody else: it never came to table inet "
                     "bluegreen, so another table translates that port, or a process of the host serves it",
                     path->address, path->port);
    doctor_line(doctor, "nft list ruleset");
    doctor_line(doctor, "ss -lntp 'sport = :%.*s'", (int)strcspn(path->port, "/"), path->port);
    doctor_end(doctor);
}

void doctor_judge_path(struct doctor *doctor, const struct doctor_path *path)
{
    doctor_looked(doctor, DOCTOR_PATH);
    if (path->answer == DOCTOR_ANSWERED)
        judge_answer(doctor, path);
    else if (path->table[0])
        judge_drop(doctor, path);
    else if (path->answer == DOCTOR_SILENCE)
        judge_silence(doctor, path);
    else
        judge_refusal(doctor, path);
}

/* Which of two chains of the same priority comes first depends on which was loaded last. */
void doctor_judge_translation(struct doctor *doctor, const struct doctor_translation *translation)
{
    bool docker = !strcmp(translation->chain, "DOCKER");
    doctor_begin(doctor, DOCTOR_WARNING, DOCTOR_TRANSLATED, translation->app,
                 "table %s %s, chain %s translates port %s, too%s: whether its clients come to %s or there depends on "
                 "which table was loaded last",
                 translation->family, translation->table, translation->chain, translation->port,
                 docker ? " (a container publishes it)" : "", translation->app);
    const char *colon = strrchr(translation->port, ':');
    if (docker)
        doctor_line(doctor, "docker ps --filter publish=%s", colon ? colon + 1 : translation->port);
    doctor_line(doctor, "nft delete rule %s %s %s handle %" PRIu64, translation->family, translation->table,
                translation->chain, translation->handle);
    doctor_end(doctor);
}
