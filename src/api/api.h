/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The api role: varlink for clients on one side, fixed-layout messages with the monitor on the other. It is a process
 * of its own so that whatever JSON does to its parser happens without rights: it cannot say who a client is (the
 * monitor did), holds no state of any app, and asks the monitor for everything.
 */
#pragma once

/*
 * Clients at once, and of one user; root, whose scripts are many, may have more. Whatever others do, somebody who may
 * operate finds a place, and so does root: the last ones are not given to others. Nor are all of them root's: a script
 * of root's that went wild is ended by an operator, too. The monitor has bounds above these (agent/clients.c).
 */
#define API_CLIENTS_MAX           96
#define API_CLIENTS_PER_USER      32
#define API_CLIENTS_OF_ROOT       64
#define API_CLIENTS_FOR_OPERATORS 16
#define API_CLIENTS_FOR_ROOT      8

/* Bytes that all clients together may leave unread before the one with the most is dropped. */
#define API_BACKLOG_MAX (16u << 20)

/*
 * Runs the role on its SOCK_SEQPACKET channel to the monitor (model/wire.h), which stays open while the monitor lives.
 * Privileges have been dropped by then; it needs none. Returns the exit status: 0 when the monitor closed the channel.
 */
int api_main(int channel);
