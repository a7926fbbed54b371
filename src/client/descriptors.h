/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors beside the bytes of a stream (SCM_RIGHTS): they come with a message's first byte. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#define DESCRIPTORS_MAX 4

/* recv(2); -1 and errno. What comes is added to fds, which *count of are taken already; what is beyond DESCRIPTORS_MAX
 * is closed. */
ssize_t descriptors_receive(int socket, void *bytes, size_t size, int fds[DESCRIPTORS_MAX], size_t *count);
