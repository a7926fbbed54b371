/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCP checks: passed when the connection is made. */
#pragma once

#include "probe/check.h"

/* Ends with check_finish, possibly before it returns. */
void tcp_begin(struct loop *loop, struct check *check);
/* The time is over: closes everything and describes it. The caller finishes the check. */
void tcp_expire(struct check *check, struct probe_result *result);
/* Lets go of the check without a word. */
void tcp_abandon(struct check *check);
