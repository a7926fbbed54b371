/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams: client to live through the journal, live to client as it comes. */
#include "feed/stream.h"

#include "base/cleanup.h"
#include "feed/buffer.h"
#include "feed/copies.h"
#include "feed/role.h"
#include "feed/sending.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

enum step {
    IDLE,
    BEGINNING, /* BEGIN of the piece is not safe yet */
    SENDING    /* live's socket takes it */
};

struct stream {
    struct list link;
    struct role *role;
    struct door *door;
    uint16_t port; /* by which it came */
    int fd;
    struct loop_source *source;
    uint32_t watched;
    struct back *back;
    enum colour zone;
    enum step step;
    uint64_t id, transaction; /* of the connection; of the piece */
    struct buffer piece, down;
    bool begun; /* the other zone hears of it */
    bool ended; /* the client sends nothing more, and that is what the piece says */
    bool over;  /* live sends nothing more */
    bool dead;
};

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void free_stream(struct stream *stream)
{
    buffer_clear(&stream->piece);
    buffer_clear(&stream->down);
    free(stream);
}

static int begin_piece(struct stream *stream, bool last)
{
    struct role *role = stream->role;
    struct error err = {0};
    char head[COPIES_HEAD_MAX];
    struct wal_request request = {.lane = stream->id,
                                  .unix_ms = clock_unix_ms(),
                                  .door = stream->port,
                                  .mode = FEED_STREAM,
                                  .head = head,
                                  .head_length = copies_head(head, stream->id, last),
                                  .body = buffer_at(&stream->piece),
                                  .body_length = buffer_length(&stream->piece),
                                  .body_fd = -1};
    int result = wal_begin(role->wal, &request, &stream->transaction, &err);
    if (result < 0)
        role_journal_failed(role, err.text);
    else
        role_journal_works(role);
    return result;
}

static void done_with_piece(struct stream *stream)
{
    stream->step = IDLE;
    buffer_clear(&stream->piece);
    stream->role->underway--;
    role_changed(stream->role);
}

static void doubt(struct stream *stream)
{
    role_doubt(stream->role, stream->transaction);
    done_with_piece(stream);
}

/* The other zone's connection is to end as well. */
static void say_end(struct stream *stream)
{
    struct role *role = stream->role;
    struct wal_answer none = {0};
    buffer_clear(&stream->piece);
    if (stream->begun && !stream->ended && role->wal && role->live == (int8_t)stream->zone &&
        begin_piece(stream, true) == 0 && wal_commit(role->wal, stream->transaction, &none, NULL, NULL) == 0)
        role_changed(role);
}

static void stream_close(struct stream *stream)
{
    struct role *role = stream->role;
    if (stream->dead)
        return;
    stream->dead = true;
    list_remove(&stream->link);
    loop_remove_fd(stream->source);
    close_fd(&stream->fd);
    back_close(stream->back);
    stream->back = NULL;
    stream->door->connections--;
    role->client_count--;
    doors_pause(role, role->client_count >= role->clients_max);
    if (stream->step == SENDING)
        doubt(stream);
    if (stream->step == BEGINNING)
        return; /* on_safe frees it */
    if (role->wal)
        say_end(stream);
    free_stream(stream);
}

/* --- client to live ----------------------------------------------------------------------------------------------- */

static bool takes(const struct stream *stream)
{
    const struct role *role = stream->role;
    return stream->step == IDLE && !stream->ended && stream->back && back_is_open(stream->back) && role->wal &&
           role->live == (int8_t)stream->zone && !role_holds(role);
}

static void watch(struct stream *stream)
{
    uint32_t events = (takes(stream) ? EPOLLIN : 0u) | (buffer_length(&stream->down) ? EPOLLOUT : 0u);
    if (events != stream->watched && loop_set_events(stream->source, events) == 0)
        stream->watched = events;
    if (stream->back && back_is_open(stream->back)) {
        bool full = buffer_length(&stream->down) >= BUFFER_FULL || stream->over;
        back_watch(stream->back, (full ? 0u : EPOLLIN) | (stream->step == SENDING ? EPOLLOUT : 0u));
    }
}

static void commit(struct stream *stream)
{
    struct role *role = stream->role;
    struct wal_answer none = {0};
    if (wal_commit(role->wal, stream->transaction, &none, NULL, NULL) < 0)
        role_doubt(role, stream->transaction);
    role->figures.now.fed++;
    stream->begun = true;
    if (stream->ended)
        shutdown(back_fd(stream->back), SHUT_WR);
    done_with_piece(stream);
}

static void send_piece(struct stream *stream)
{
    ssize_t sent;
    do
        sent = buffer_send(&stream->piece, back_fd(stream->back));
    while (sent > 0 && buffer_length(&stream->piece) > 0);
    if (sent < 0) {
        stream_close(stream);
        return;
    }
    if (buffer_length(&stream->piece) == 0)
        commit(stream);
    watch(stream);
}

static void on_safe(void *context, int result)
{
    struct stream *stream = context;
    struct role *role = stream->role;
    if (stream->dead || result < 0 || role->live != (int8_t)stream->zone) {
        if (result < 0)
            role_journal_failed(role, strerror(-result));
        role_undone(role, stream->transaction);
        done_with_piece(stream);
        if (stream->dead)
            free_stream(stream);
        else
            stream_close(stream);
        return;
    }
    stream->step = SENDING;
    send_piece(stream);
}

static void start_piece(struct stream *stream)
{
    struct role *role = stream->role;
    if (begin_piece(stream, stream->ended) < 0) {
        stream_close(stream);
        return;
    }
    stream->step = BEGINNING;
    role->underway++;
    if (wal_when_safe(role->wal, on_safe, stream, NULL) < 0) {
        stream->step = SENDING; /* nothing was sent, but the journal cannot say so */
        stream_close(stream);
        return;
    }
    watch(stream);
}

static void read_client(struct stream *stream)
{
    ssize_t got = buffer_receive(&stream->piece, stream->fd);
    if (got == -EAGAIN)
        return;
    stream->ended = got == 0;
    if (got < 0)
        stream_close(stream);
    else
        start_piece(stream);
}

/* What is there already is the line that says who the client is: the app may be the one that speaks first. */
static void proceed(struct stream *stream)
{
    if (takes(stream) && buffer_length(&stream->piece) > 0)
        start_piece(stream);
    else
        watch(stream);
}

/* --- live to client ----------------------------------------------------------------------------------------------- */

static void send_client(struct stream *stream)
{
    if (buffer_send(&stream->down, stream->fd) < 0 || (stream->over && buffer_length(&stream->down) == 0))
        stream_close(stream);
    else
        watch(stream);
}

static void read_live(struct stream *stream)
{
    while (buffer_length(&stream->down) < BUFFER_FULL) {
        ssize_t got = buffer_receive(&stream->down, back_fd(stream->back));
        if (got == -EAGAIN)
            break;
        stream->over = got <= 0;
        if (stream->over)
            break;
    }
    send_client(stream);
}

static void on_client(void *context, int fd, uint32_t events)
{
    struct stream *stream = context;
    (void)fd;
    if (events & (EPOLLERR | EPOLLHUP))
        stream_close(stream);
    else if (events & EPOLLOUT)
        send_client(stream);
    else if (takes(stream))
        read_client(stream);
    else
        watch(stream);
}

static void on_back(void *context, struct back *back, enum back_news news, uint32_t events)
{
    struct stream *stream = context;
    (void)back;
    if (news == BACK_FAILED)
        stream_close(stream);
    else if (news == BACK_OPENED)
        proceed(stream);
    else if (events & EPOLLOUT && stream->step == SENDING)
        send_piece(stream);
    else
        read_live(stream);
}

/* --- beginning, holds, turns -------------------------------------------------------------------------------------- */

/* Into the first piece, so the other zone's connection begins with it as well. */
static bool say_who(struct stream *stream, const struct sockaddr_storage *peer)
{
    CLEANUP_TEXT struct text line = {0};
    if (stream->role->feed.client != FEED_CLIENT_PROXY)
        return true;
    sending_proxy_line(stream->fd, peer, stream->door->target, &line);
    return !line.failed && buffer_add(&stream->piece, line.data, line.length) == 0;
}

void stream_new(struct door *door, int fd, const struct sockaddr_storage *peer)
{
    struct role *role = door->role;
    const char *why = NULL;
    struct stream *stream = role->wal && role->live >= 0 ? calloc(1, sizeof *stream) : NULL;
    if (stream)
        stream->source = loop_add_fd(role->loop, fd, 0, on_client, stream);
    if (!stream || !stream->source) {
        free(stream);
        close(fd);
        return;
    }
    stream->role = role;
    stream->door = door;
    stream->port = door->port;
    stream->fd = fd;
    stream->zone = (enum colour)role->live;
    stream->id = wal_next_id(role->wal) + role->stream_count++; /* ids are never used again */
    list_append(&role->streams, &stream->link);
    role->client_count++;
    door->connections++;
    uint16_t target = door_target(role, stream->zone, door->port);
    if (say_who(stream, peer))
        stream->back = back_open(&role->backs[stream->zone], target, true, on_back, stream, &why);
    if (!stream->back)
        stream_close(stream);
    else
        proceed(stream);
}

void streams_cut(struct role *role, enum colour live)
{
    struct stream *stream;
    list_for_each(stream, &role->streams, link)
    {
        if (stream->zone == live)
            continue;
        stream->begun = false; /* the other zone's connections end with this turn, too */
        stream_close(stream);
    }
}

void streams_proceed(struct role *role)
{
    struct stream *stream;
    bool holds = role_holds(role);
    if (holds == role->streams_held)
        return;
    role->streams_held = holds;
    list_for_each(stream, &role->streams, link) proceed(stream);
}

void streams_clear(struct role *role)
{
    struct stream *stream;
    list_for_each(stream, &role->streams, link) stream_close(stream);
}
