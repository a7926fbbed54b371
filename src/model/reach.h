/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a zone may reach by itself: [egress] and [share] of an app's file as values, and whether they let a packet
 * through. Apart from the rule set, because the connections that a zone has already are judged by them, too.
 */
#pragma once

#include "model/types.h"

#define REACH_RULES_MAX 64
#define SHARE_PORTS_MAX 32

/* A destination as the zone knows it, before any translation. */
struct reach_rule {
    struct prefix to;
    uint8_t protocol;     /* enum protocol; 0 = both, and where there is no port, any other one as well */
    uint16_t first, last; /* ports, inclusive; 0 = every one */
};

enum egress_policy { EGRESS_OPEN, EGRESS_CLOSED };
enum egress_standby { EGRESS_SAME, EGRESS_FENCED };

/* [egress] */
struct egress {
    enum egress_policy policy;
    enum egress_standby standby;
    struct reach_rule allow[REACH_RULES_MAX]; /* with policy closed */
    size_t allow_count;
    struct reach_rule standby_allow[REACH_RULES_MAX]; /* of the zone that is not live, with standby closed */
    size_t standby_allow_count;
};

/* [share] host: a port of the host's own loopback. */
struct share_port {
    uint16_t port;
    uint8_t protocol; /* enum protocol */
};

/* False: nothing in it ever fences a zone. */
static inline bool egress_fences(const struct egress *egress)
{
    return egress->policy == EGRESS_CLOSED || egress->standby == EGRESS_FENCED;
}

/* Does one of the rules let a first packet to there through? */
bool reach_allows(const struct reach_rule rules[], size_t count, const struct address *to, uint8_t protocol,
                  uint16_t port);
/* The same rules in the same order. */
bool reach_equal(const struct reach_rule a[], size_t a_count, const struct reach_rule b[], size_t b_count);
