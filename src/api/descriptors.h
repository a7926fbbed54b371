/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that travel with a reply (SCM_RIGHTS): with its first byte. Nobody may send any to us, since closing what
 * a stranger has opened may take as long as the stranger likes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DESCRIPTORS_MAX 4

struct descriptors {
    int fds[DESCRIPTORS_MAX];
    size_t count;
};

void descriptors_close(struct descriptors *descriptors);
/* Takes over what is in from; to must be empty. */
void descriptors_move(struct descriptors *to, struct descriptors *from);
/* send(2) without waiting and without SIGPIPE; what is in *with goes along with the first byte, and is closed here once
 * that was sent. */
ssize_t descriptors_send(int socket, const void *bytes, size_t length, struct descriptors *with);
