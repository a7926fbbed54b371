/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands in /etc/resolv.conf and /etc/hosts as the app sees them. The host's own are of little use in a zone: name
 * servers on loopback addresses are not there, and the host's name leads to them.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/address_plan.h"

#include <stdbool.h>

/* Copies a resolv.conf without the name servers that a zone cannot reach (loopback, link-local). Returns how many are
 * left. */
unsigned hosts_filter_resolv(const char *content, struct text *out);
/* localhost, the zone by its host name, the host as host.bluegreen (IPv4 only: what is shared leads to 127.0.0.1, and
 * nothing can be led to ::1), and those of the host's entries that do not mean the host itself. */
void hosts_build(const char *host_file, const char *hostname, const struct zone_addresses *addresses, bool ipv6,
                 struct text *out);

/* Writes both into a directory, for an app about to start. */
int hosts_write(const char *directory, const char *hostname, const struct zone_addresses *addresses, bool ipv6,
                struct error *err);
