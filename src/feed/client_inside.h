/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What reading from a client and answering it share, for client*.c alone. */
#pragma once

#include "feed/client.h"

void client_set_state(struct client *client, enum client_state state, uint64_t within_ms); /* 0: for ever */
/* Who goes on has time again; a byte now and then is not enough. */
void client_progressed(struct client *client, size_t length);
/* Reads requests as far as what has come goes. */
void client_proceed(struct client *client);
/* Asks the loop for what it waits for now. */
void client_watch(struct client *client);
void client_drop_rest(struct client *client); /* what was kept of an answer is no more */
