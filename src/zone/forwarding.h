/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host forwards packets between its clients and the zones: the two sysctls for that, and the router advertisements
 * that the kernel would stop listening to. Former values are kept in STATE/forwarding until they are restored.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

/* Lists in changed what it changed ("let the host forward packets: net/ipv4/ip_forward 0 -> 1, ..."), for the log;
 * "" if nothing was to be done. On failure it lists what was changed until then. */
int forwarding_enable(const char *state_dir, char *changed, size_t size, struct error *err);
/* Puts back what forwarding_enable changed, unless somebody changed it again since. No file: nothing to do. */
int forwarding_restore(const char *state_dir, struct error *err);
