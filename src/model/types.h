/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of the domain that every floor shares: names, colours, addresses, states. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define APP_NAME_MAX     31 /* [a-z][a-z0-9-]{0,30} */
#define RELEASE_NAME_MAX 64 /* [A-Za-z0-9._+-], not starting with '.' or '-' */
#define PORT_NAME_MAX    31
#define USER_NAME_MAX    32 /* LOGIN_NAME_MAX on Linux is 256, but useradd(8) refuses more than 32 */

enum colour { BLUE = 0, GREEN = 1, COLOURS = 2 };

const char *colour_name(enum colour colour); /* "blue" or "green" */
bool colour_parse(const char *name, enum colour *colour);

static inline enum colour colour_other(enum colour colour)
{
    return colour == BLUE ? GREEN : BLUE;
}

bool app_name_valid(const char *name);
bool release_name_valid(const char *name);

/* The contract's words for a zone, in `status` and in the journal. */
enum zone_state {
    ZONE_ABSENT,    /* nothing exists */
    ZONE_STAGING,   /* namespaces, links and cgroup are being made */
    ZONE_STARTING,  /* the app runs, its gate has not passed yet */
    ZONE_HEALTHY,   /* staged and passing: may be switched to */
    ZONE_UNHEALTHY, /* staged or standby, but failing its checks */
    ZONE_LIVE,      /* new connections reach it */
    ZONE_DRAINING,  /* was live, its connections are ending */
    ZONE_STANDBY,   /* was live, drained, kept for rollback */
    ZONE_FROZEN,    /* standby whose cgroup is frozen */
    ZONE_FAILED,    /* staging failed: torn down, log and reason kept */
    ZONE_STOPPED,   /* the operator stopped the app; configuration and release kept */
    ZONE_RESTING,   /* was live, and its app stopped for the next release ([switch] mode = hold); the zone is kept */
    ZONE_STATES
};

const char *zone_state_name(enum zone_state state);
bool zone_state_parse(const char *name, enum zone_state *state);

enum app_state { APP_EMPTY, APP_RUNNING, APP_STOPPED }; /* empty: nothing was ever released */

const char *app_state_name(enum app_state state);
bool app_state_parse(const char *name, enum app_state *state);

/* What happened to a zone that nobody asked for, as the history shows it. */
enum incident {
    INCIDENT_NONE,
    INCIDENT_MEMORY,   /* "out-of-memory": the kernel killed it; the reason says which limit was hit */
    INCIDENT_CRASHES,  /* "crash-loop": a process exits again and again */
    INCIDENT_WATCHDOG, /* "watchdog": it did not say WATCHDOG=1 in time and was ended */
    INCIDENT_BREACH,   /* "bake-breach": what [bake] guards got worse while it was watched */
    INCIDENT_HOOK,     /* "hook": one that decides nothing has failed */
    INCIDENT_REMOVED,  /* "removed": a standby whose time was over, as [standby] keep says */
    INCIDENT_FIREWALL, /* "firewall": rules of others' drop what clients send to its zone */
    INCIDENT_FENCED,   /* "fenced": it tried to reach what [egress] keeps it from while it was not live */
    INCIDENTS
};

const char *incident_name(enum incident incident);
bool incident_parse(const char *name, enum incident *incident); /* "none" is no incident */

/* What the agent found out about a release while it was live; told of its zone until something else is staged there. */
enum zone_mark {
    MARK_NONE,
    MARK_BAD,  /* "bad": a breach in its bake; nobody switches to it without force, the agent never */
    MARK_LEFT, /* "left": the agent failed over from it, which it does once for each release */
    ZONE_MARKS
};

const char *zone_mark_name(enum zone_mark mark);
bool zone_mark_parse(const char *name, enum zone_mark *mark);

/* An IP address or none. IPv4 in the first four bytes. Network byte order. */
struct address {
    uint8_t family; /* 0 any or none, 4, 6 */
    uint8_t bytes[16];
};

#define ADDRESS_TEXT_MAX 46 /* INET6_ADDRSTRLEN */

bool address_parse(const char *text, struct address *address); /* "192.0.2.1" or "2001:db8::1", no brackets */
const char *address_format(const struct address *address, char text[ADDRESS_TEXT_MAX]); /* "" for none */
bool address_equal(const struct address *a, const struct address *b);

/* A pool of addresses. */
struct prefix {
    struct address address;
    uint8_t length; /* bits */
};

bool prefix_parse(const char *text, struct prefix *prefix); /* refuses host bits that are not zero */
const char *prefix_format(const struct prefix *prefix, char text[ADDRESS_TEXT_MAX + 4]);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);
bool prefix_contains(const struct prefix *prefix, const struct address *address);
