/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is connected to the control socket. */
#pragma once

#include "base/error.h"
#include "base/list.h"
#include "model/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct agent;

struct client {
    struct list link;
    uint64_t id;
    uid_t uid;
    bool may_operate;
    char who[WIRE_WHO_MAX + 1]; /* "" until client_name was asked */
};

/* Binds the control socket and sees that the role's user is there; clients_open starts to accept. */
int clients_listen(struct agent *agent, struct error *err);
int clients_open(struct agent *agent, struct error *err);
void clients_close(struct agent *agent);
/* For --teardown: the control socket that an agent left which is gone. */
void clients_remove_socket(struct agent *agent);
void client_forget(struct client *client);
struct client *client_find(struct agent *agent, uint64_t id);
/* "alice (uid 1000)" for who may operate, "uid 1001" for others: looking a name up may take a name server's time, and
 * only those who could stop everything anyway may cost it. */
const char *client_name(struct client *client);
