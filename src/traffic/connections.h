/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the traffic module: what sock_diag says of one socket. Apart so that a test can feed it what a kernel might
 * say. */
#pragma once

#include "model/connection.h"

#include <linux/inet_diag.h>
#include <stddef.h>

/* length: of the socket with the attributes behind it. */
void connection_read(const struct inet_diag_msg *socket, size_t length, struct connection *connection);
