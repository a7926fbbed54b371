/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The monitor's side of the probe role: hands checks with their sockets over, brings results back,
 * and starts the role again if it dies or hangs (its open checks then end with PROBE_INTERNAL).
 * Never blocks.
 */
#pragma once

#include "base/error.h"
#include "model/check_wire.h"
#include "os/loop.h"
#include "os/process.h"

struct prober;

/* Called once for each accepted check, from the loop, never from inside prober_check. May call
 * prober_check and prober_cancel, not prober_free. result is valid during the call. */
typedef void prober_callback(void *context, const struct probe_result *result);

/* executable is an absolute path, user the one it becomes when we are root (NULL if we are not).
 * Both are copied. */
int prober_new(struct loop *loop, const char *executable, const char *user, struct prober **prober, struct error *err);
void prober_free(struct prober *prober); /* ends the role; checks still open are not called back; NULL is fine */
/*
 * Starts one check (HEALTH_TCP or HEALTH_HTTP); takes the sockets whatever happens. *id names it
 * for prober_cancel and is never 0. With redirects on, each needs a socket of its own:
 * 1..CHECK_SOCKETS_MAX. -ENOTCONN while the role is down.
 */
int prober_check(struct prober *prober, const struct health *health, const struct address *target, int sockets[],
                 size_t socket_count, prober_callback *callback, void *context, uint64_t *id, struct error *err);
/* The same for a page whose body must contain these bytes too (at most TEST_CONTAINS_MAX, "" = whatever it is), over
 * one socket. */
int prober_check_page(struct prober *prober, const struct health *health, const char *contains,
                      const struct address *target, int socket, prober_callback *callback, void *context, uint64_t *id,
                      struct error *err);
/* The callback of this check will not be called any more. Unknown ids are fine. */
void prober_cancel(struct prober *prober, uint64_t id);
/* The role's process, for `status` and tests; 0 while it is down. */
pid_t prober_pid(const struct prober *prober);
