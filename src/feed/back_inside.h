/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one connection and those of its zone know of each other, for back.c and backs.c alone. */
#pragma once

#include "feed/back.h"

enum back_state { BACK_WAITING, BACK_CONNECTING, BACK_OPEN, BACK_KEPT };

struct back {
    struct list link;
    struct backs *backs;
    enum back_state state;
    int fd;
    uint16_t port;
    bool was_kept;
    struct loop_source *source;
    uint32_t watched;
    uint64_t since_ms; /* of the state */
    const char *why;
    back_callback *callback;
    void *context;
};

void back_begin(struct back *back, int fd);         /* it waited for a socket, and gets this one */
void back_fail(struct back *back, const char *why); /* whose it is closes it */
uint8_t backs_protocol(const struct backs *backs);  /* an app is fed in one mode */
