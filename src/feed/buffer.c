/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes between two descriptors. */
#include "feed/buffer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { SMALL = 4096 };

void buffer_clear(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_rest(struct buffer *buffer)
{
    if (buffer_length(buffer) == 0 && buffer->capacity > SMALL)
        buffer_clear(buffer);
}

void buffer_drop(struct buffer *buffer, size_t length)
{
    buffer->start += length;
    if (buffer->start < buffer->end)
        return;
    buffer->start = buffer->end = 0;
    if (buffer->capacity > BUFFER_FULL)
        buffer_clear(buffer);
}

/* Room for `least` bytes at the end. */
static int make_room(struct buffer *buffer, size_t least)
{
    if (buffer->capacity - buffer->end >= least)
        return 0;
    if (buffer->start > 0) {
        memmove(buffer->data, buffer_at(buffer), buffer_length(buffer));
        buffer->end -= buffer->start;
        buffer->start = 0;
    }
    size_t size = buffer->capacity ? buffer->capacity : SMALL;
    while (size - buffer->end < least)
        size *= 2;
    if (size == buffer->capacity)
        return 0;
    char *data = realloc(buffer->data, size);
    if (!data)
        return -ENOMEM;
    buffer->data = data;
    buffer->capacity = size;
    return 0;
}

int buffer_add(struct buffer *buffer, const void *bytes, size_t length)
{
    if (length == 0)
        return 0;
    if (make_room(buffer, length) < 0)
        return -ENOMEM;
    memcpy(buffer->data + buffer->end, bytes, length);
    buffer->end += length;
    return 0;
}

int buffer_add_content(struct buffer *buffer, bool chunked, const void *bytes, size_t length)
{
    char line[24];
    if (!chunked || length == 0)
        return buffer_add(buffer, bytes, length);
    int size = snprintf(line, sizeof line, "%zx\r\n", length);
    if (buffer_add(buffer, line, (size_t)size) < 0 || buffer_add(buffer, bytes, length) < 0)
        return -ENOMEM;
    return buffer_add(buffer, "\r\n", 2);
}

ssize_t buffer_receive(struct buffer *buffer, int fd)
{
    ssize_t got;
    if (make_room(buffer, buffer->capacity ? BUFFER_PIECE : SMALL) < 0)
        return -ENOMEM;
    do
        got = recv(fd, buffer->data + buffer->end, buffer->capacity - buffer->end, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    buffer->end += (size_t)got;
    return got;
}

ssize_t buffer_send(struct buffer *buffer, int fd)
{
    ssize_t sent;
    if (buffer_length(buffer) == 0)
        return 0;
    do
        sent = send(fd, buffer_at(buffer), buffer_length(buffer), MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN ? 0 : -errno;
    buffer_drop(buffer, (size_t)sent);
    return sent;
}
