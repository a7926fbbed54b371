/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies of streams. */
#include "feed/copies.h"

#include "base/cleanup.h"
#include "feed/role.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

struct copy {
    struct list link;
    struct role *role;
    uint64_t stream;
    struct back *back;
    const struct wal_transaction *piece; /* NULL: none is on its way */
    bool last;
    uint64_t used_ms;
    size_t sent;
    copies_done *done;
    void *context;
};

size_t copies_head(char head[COPIES_HEAD_MAX], uint64_t stream, bool last)
{
    return (size_t)snprintf(head, COPIES_HEAD_MAX, "STREAM %016" PRIx64 " %s\n", stream, last ? "END" : "DATA");
}

static void free_copy(struct copy *copy)
{
    list_remove(&copy->link);
    back_close(copy->back);
    free(copy);
}

static void end(struct copy *copy, const char *why)
{
    copies_done *done = copy->done;
    void *context = copy->context;
    bool free_it = why || copy->last;
    copy->piece = NULL;
    if (free_it)
        free_copy(copy);
    done(context, why);
}

static void send_piece(struct copy *copy)
{
    const struct wal_transaction *piece = copy->piece;
    while (piece && copy->sent < piece->body_length) {
        ssize_t sent = send(back_fd(copy->back), piece->bytes + piece->head_length + copy->sent,
                            piece->body_length - copy->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN) {
            back_watch(copy->back, EPOLLIN | EPOLLOUT);
            return;
        }
        if (sent < 0) {
            end(copy, strerror(errno));
            return;
        }
        copy->sent += (size_t)sent;
    }
    back_watch(copy->back, EPOLLIN);
    if (piece)
        end(copy, NULL);
}

/* False: the app there has closed it. */
static bool throw_away(struct copy *copy)
{
    char bytes[4096];
    for (;;) {
        ssize_t got = recv(back_fd(copy->back), bytes, sizeof bytes, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (got <= 0)
            return false;
    }
}

static void on_back(void *context, struct back *back, enum back_news news, uint32_t events)
{
    struct copy *copy = context;
    bool open = news != BACK_FAILED && (news == BACK_OPENED || !(events & ~(uint32_t)EPOLLOUT) || throw_away(copy));
    if (open)
        send_piece(copy);
    else if (copy->piece)
        end(copy, news == BACK_FAILED ? back_why(back) : "the app closed the connection");
    else
        free_copy(copy);
}

static struct copy *find(struct role *role, uint64_t stream)
{
    struct copy *copy;
    list_for_each(copy, &role->copies, link)
    {
        if (copy->stream == stream)
            return copy;
    }
    return NULL;
}

static struct copy *open_copy(struct role *role, enum colour zone, uint16_t door, uint64_t stream, const char **why)
{
    struct copy *copy = calloc(1, sizeof *copy);
    if (!copy) {
        *why = "out of memory";
        return NULL;
    }
    copy->role = role;
    copy->stream = stream;
    list_append(&role->copies, &copy->link);
    copy->back = back_open(&role->backs[zone], door_target(role, zone, door), true, on_back, copy, why);
    if (copy->back)
        return copy;
    free_copy(copy);
    return NULL;
}

void copies_send(struct role *role, enum colour zone, const struct wal_transaction *transaction, copies_done *done,
                 void *context)
{
    char head[COPIES_HEAD_MAX] = "", word[8] = "";
    uint64_t stream = 0;
    const char *why = "no connection";
    snprintf(head, sizeof head, "%.*s", (int)transaction->head_length, transaction->bytes);
    bool last = sscanf(head, "STREAM %" SCNx64 " %7s", &stream, word) == 2 && strcmp(word, "END") == 0;
    struct copy *copy = find(role, stream);
    if (!copy && last) { /* it has gone already */
        done(context, NULL);
        return;
    }
    if (!copy)
        copy = open_copy(role, zone, transaction->door, stream, &why);
    if (!copy || copy->piece) {
        done(context, copy ? "its stream is busy" : why);
        return;
    }
    copy->piece = transaction;
    copy->last = last;
    copy->sent = 0;
    copy->used_ms = clock_monotonic_ms();
    copy->done = done;
    copy->context = context;
    if (back_is_open(copy->back))
        send_piece(copy);
}

void copies_forget(struct role *role, const void *context)
{
    struct copy *copy;
    list_for_each(copy, &role->copies, link)
    {
        if (copy->piece && copy->context == context)
            free_copy(copy);
    }
}

void copies_sweep(struct role *role, uint64_t now_ms)
{
    struct copy *copy;
    list_for_each(copy, &role->copies, link)
    {
        if (role->rules.mode == FEED_DATAGRAM && !copy->piece && now_ms - copy->used_ms >= COPY_IDLE_MS)
            free_copy(copy);
    }
}

void copies_clear(struct role *role)
{
    struct copy *copy;
    list_for_each(copy, &role->copies, link) free_copy(copy);
}
