/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client outside for a moment: a network namespace with a cable to the host, so that its packets come in as those of
 * real clients do. For a process of its own only, as it goes to live there: the namespace and the cable end with it.
 */
#pragma once

#include "base/error.h"
#include "model/types.h"

#include <stdbool.h>

#define OUTSIDE_LINK "bgdoctor" /* the host's end; not a name of a zone's link */

struct outside {
    int host;                                      /* the host's network namespace; setns(2) brings one back */
    int link;                                      /* the cable, in the client's namespace */
    struct address host4, client4, host6, client6; /* documentation addresses (RFC 5737, RFC 3849); 6: or none */
};

/* The addresses that outside_enter will take. */
void outside_plan(struct outside *outside, bool ipv6);
/* The caller lives in the client's namespace when this returns, and on failure maybe too. forwards: whether packets
 * that come in through the host's end are forwarded, as those of the real links are. */
int outside_enter(struct outside *outside, bool forwards, struct error *err);
/* Removes the cable at once, which the kernel does by itself a moment after the caller's end. */
void outside_leave(struct outside *outside);
