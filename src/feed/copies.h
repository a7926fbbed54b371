/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other zone's side of modes stream and datagram: a connection there for each of the clients', or a socket for each
 * of their flows; what it answers is thrown away. */
#pragma once

#include "base/list.h"
#include "feed/wal_entry.h"

#define COPIES_HEAD_MAX 40

#define COPY_IDLE_MS UINT64_C(60000) /* a flow of datagrams has no end of its own */

struct role;

/* How a piece of a stream is marked in the journal; its length. `last`: the client's side ends here. */
size_t copies_head(char head[COPIES_HEAD_MAX], uint64_t stream, bool last);

typedef void copies_done(void *context, const char *why); /* NULL: it is sent; else why not */

/* Sends the piece to that zone; calls back, perhaps from inside. The transaction stays until then or copies_forget. */
void copies_send(struct role *role, enum colour zone, const struct wal_transaction *transaction, copies_done *done,
                 void *context);
void copies_forget(struct role *role, const void *context); /* the one with this context is not wanted any more */
void copies_sweep(struct role *role, uint64_t now_ms);      /* ends those that rest, of modes without an end */
void copies_clear(struct role *role);                       /* ends all connections, calls nobody back */
