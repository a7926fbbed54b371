/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes on their way between two descriptors: added at the end, taken from the front. Grows as needed; who fills it
 * looks at its length first and stops reading above a bound. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What a connection holds at most in each direction, beside a head (HTTP_HEAD_MAX). */
#define BUFFER_PIECE 16384
#define BUFFER_FULL  65536
#define BUFFER_TURN  16 /* pieces that one connection moves before the others have their turn */

struct buffer { /* zero-initialised; buffer_clear frees */
    char *data;
    size_t start, end, capacity;
};

static inline size_t buffer_length(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

static inline char *buffer_at(const struct buffer *buffer)
{
    return buffer->data + buffer->start;
}

void buffer_clear(struct buffer *buffer);
void buffer_rest(struct buffer *buffer);                                 /* an empty one gives back all but 4 KiB */
void buffer_drop(struct buffer *buffer, size_t length);                  /* the first bytes are done with */
int buffer_add(struct buffer *buffer, const void *bytes, size_t length); /* 0 or -ENOMEM: nothing was added */
/* The same of a body, as a chunk of its own if it is chunked; nothing is added for no bytes. */
int buffer_add_content(struct buffer *buffer, bool chunked, const void *bytes, size_t length);
/* Bytes that came, 0 at the end, or a negative errno (-EAGAIN). At most one piece. */
ssize_t buffer_receive(struct buffer *buffer, int fd);
/* Sends from the front: bytes that went (0: it is full now, or there was nothing), or a negative errno. */
ssize_t buffer_send(struct buffer *buffer, int fd);
