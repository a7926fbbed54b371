/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Findings: their ids, how one is put together, and what is said of all that is well. */
#include "model/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *well;
} checks[DOCTOR_CHECKS] = {
    [DOCTOR_FORWARDING] = {"forwarding", "packets are forwarded between clients and zones"},
    [DOCTOR_LOCALNET] = {"route-localnet", "127.0.0.1 reaches the zones, and stays the host's own elsewhere"},
    [DOCTOR_RP_FILTER] = {"rp-filter", "no check of source addresses is in the way"},
    [DOCTOR_ACCEPT_RA] = {"accept-ra", "routers are listened to where they were"},
    [DOCTOR_CONNTRACK] = {"conntrack", "the table of connections has room"},
    [DOCTOR_LOOSE] = {"conntrack-loose", "open connections survive a flushed table of connections"},
    [DOCTOR_BACKLOG] = {"backlog", "no listening socket of a zone has overflowed"},
    [DOCTOR_NAMESPACES] = {"namespaces", "the kernel allows the namespaces of all zones"},
    [DOCTOR_DESCRIPTORS] = {"open-files", "the agent may open enough files"},
    [DOCTOR_KERNEL] = {"kernel", "the kernel has what the agent needs"},
    [DOCTOR_CGROUPS] = {"cgroups", "the controllers that limit zones are there"},
    [DOCTOR_POOLS] = {"address-pools", "no route of the host overlaps the address pools"},
    [DOCTOR_TABLE] = {"table", "table inet bluegreen is as the agent made it"},
    [DOCTOR_FIREWALL] = {"firewall", "no rule of others surely drops what clients send"},
    [DOCTOR_EGRESS] = {"egress", "no rule of others surely drops what zones begin by themselves"},
    [DOCTOR_LEGACY] = {"iptables-legacy", "no rules of iptables-legacy are loaded"},
    [DOCTOR_TRANSLATED] = {"translated", "nobody else translates published ports"},
    [DOCTOR_PATH] = {"path", "a probe from outside reaches every published TCP port"},
    [DOCTOR_PORTS] = {"host-port", "no process of the host listens on a published port"},
    [DOCTOR_LISTENING] = {"listening", "every zone listens on the ports that it is to serve"},
    [DOCTOR_ZONES] = {"zone", "every zone that should run runs well"},
    [DOCTOR_STANDBY] = {"standby", "every standby could be switched to"},
    [DOCTOR_HOOKS] = {"hook", "the programs of all hooks are there"},
    [DOCTOR_CONFIGURATION] = {"configuration", "the files are accepted, and are what the agent has read"},
    [DOCTOR_JOURNAL] = {"journal", "the journal can be written"},
    [DOCTOR_DISK] = {"disk", "the state directory has room"},
    [DOCTOR_ROLES] = {"roles", "the agent's helpers run"},
    [DOCTOR_SHIMS] = {"shim", "every zone's shim runs"},
    [DOCTOR_CLOCK] = {"clock", "the clock is not behind the journal"},
};

const char *doctor_level_name(enum doctor_level level)
{
    static const char *const names[DOCTOR_LEVELS] = {"ok", "note", "warning", "fault"};
    return (unsigned)level < DOCTOR_LEVELS ? names[level] : "fault";
}

const char *doctor_check_name(enum doctor_check check)
{
    return (unsigned)check < DOCTOR_CHECKS ? checks[check].name : "unknown";
}

void doctor_begin(struct doctor *doctor, enum doctor_level level, enum doctor_check check, const char *app,
                  const char *format, ...)
{
    va_list arguments;
    doctor->next = (struct doctor_finding){.level = level, .check = check};
    text_copy(doctor->next.app, sizeof doctor->next.app, app ? app : "");
    va_start(arguments, format);
    vsnprintf(doctor->next.text, sizeof doctor->next.text, format, arguments);
    va_end(arguments);
    text_sanitise(doctor->next.text);
}

void doctor_line(struct doctor *doctor, const char *format, ...)
{
    struct doctor_finding *finding = &doctor->next;
    if (finding->line_count == DOCTOR_LINES_MAX)
        return;
    char *line = finding->lines[finding->line_count];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof finding->lines[0], format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof finding->lines[0])
        finding->line_count++;
    text_sanitise(line);
}

void doctor_end(struct doctor *doctor)
{
    struct doctor_finding *finding = &doctor->next;
    doctor->looked[finding->check] = true;
    if (finding->level > doctor->worst[finding->check])
        doctor->worst[finding->check] = finding->level;
    doctor->found(doctor->context, finding);
}

void doctor_tell(struct doctor *doctor, enum doctor_level level, enum doctor_check check, const char *app,
                 const char *text)
{
    size_t length = strcspn(text, "\n");
    doctor_begin(doctor, level, check, app, "%.*s", (int)length, text);
    for (const char *at = text + length; *at; at += strcspn(at, "\n")) {
        at += strspn(at, "\n ");
        if (*at)
            doctor_line(doctor, "%.*s", (int)strcspn(at, "\n"), at);
    }
    doctor_end(doctor);
}

void doctor_looked(struct doctor *doctor, enum doctor_check check)
{
    doctor->looked[check] = true;
}

void doctor_finish(struct doctor *doctor)
{
    for (int check = 0; check < DOCTOR_CHECKS; check++) {
        if (!doctor->looked[check] || doctor->worst[check] != DOCTOR_OK)
            continue;
        doctor_begin(doctor, DOCTOR_OK, (enum doctor_check)check, NULL, "%s", checks[check].well);
        doctor_end(doctor);
    }
}
