/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests that wait for their turn. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct asked;

/* For request_refuse: true if it waits for its turn from now on, or goes on doing so. */
bool queue_refused(const struct asked *asked, const char *refusal);
/* True if others wait already and it has taken its place behind them. */
bool queue_behind(const struct asked *asked);
void queue_begins(const struct asked *asked); /* it begins: says so, if it had to wait */
void queue_advance(struct agent *agent);      /* tries all whose turn it may be */
void queue_client_gone(struct agent *agent, uint64_t client);
void queue_dispose(struct agent *agent);
