/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the traffic module: published ports that the host's own processes still have connections on. */
#pragma once

#include "model/ruleset.h"

/*
 * diag_fd: a sock_diag socket of the host's network namespace. ops lead to state: ports that they publish are looked
 * at, those that they take back are forgotten. 1: state->held is another list now, and ops have to be made again; 0: it
 * is as it was; -ENOMEM.
 */
int takeover_begin(int diag_fd, const struct ruleset_batch *ops, struct ruleset_state *state);
/* Has a process of the host's bound this published UDP port? Not known: false. */
bool host_serves_udp(int diag_fd, const struct port *port);
