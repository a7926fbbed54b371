/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who waits for a state. */
#pragma once

#include <stdint.h>

struct agent;
struct app;
struct asked;

void handle_wait(const struct asked *asked, struct app *app);
void waiters_client_gone(struct agent *agent, uint64_t client);
/* Something is not as it was: an operation's step, a zone's state or verdict, a drain, a bake, a lock. Whoever waits is
 * looked at soon. */
void changed(struct agent *agent);
void waiting_dispose(struct agent *agent); /* the agent ends */
