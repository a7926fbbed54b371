/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request to one zone. */
#include "feed/call.h"

#include "base/cleanup.h"
#include "feed/kept_head.h"
#include "feed/role.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

void call_init(struct call *call, struct role *role)
{
    memset(call, 0, offsetof(struct call, answer));
    call->role = role;
    call->body_fd = -1;
    spool_init(&call->content);
}

void call_clear(struct call *call)
{
    back_close(call->back);
    text_clear(&call->head);
    buffer_clear(&call->in);
    free(call->answer_bytes);
    spool_clear(&call->content);
    call_init(call, call->role);
}

static void end(struct call *call, enum call_end how, const char *why)
{
    struct back *back = call->back;
    call->back = NULL;
    call->deadline_ms = 0;
    if (why)
        text_copy(call->why, sizeof call->why, why);
    back_close(back);
    call->done(call->context, how);
}

static void connect_to(struct call *call);

static void ask_again(struct call *call)
{
    back_close(call->back);
    call->back = NULL;
    buffer_clear(&call->in);
    call->head_sent = call->body_sent = 0;
    call->sent = false;
    call->retried = true;
    connect_to(call);
}

static bool may_ask_again(const struct call *call)
{
    return back_was_kept(call->back) && !call->retried;
}

static void broken(struct call *call, const char *why)
{
    if (!call->sent && may_ask_again(call))
        ask_again(call);
    else
        end(call, call->sent ? CALL_BROKEN : CALL_NOT_SENT, why);
}

/* --- the request -------------------------------------------------------------------------------------------------- */

/* What is left of the head, and the body or a piece of it along with it: two packets would wake the app twice. As
 * sendmsg(2), or -1 with EIO where the file could not be read. */
static ssize_t send_piece(struct call *call)
{
    char piece[BUFFER_PIECE];
    uint64_t left = call->body_length - call->body_sent;
    struct iovec parts[] = {{call->head.data + call->head_sent, call->head.length - call->head_sent},
                            {(void *)(uintptr_t)(call->body + call->body_sent), (size_t)left}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = left > 0 ? 2 : 1};
    if (left > 0 && call->body_fd >= 0) {
        ssize_t got =
            pread(call->body_fd, piece, left < sizeof piece ? (size_t)left : sizeof piece, (off_t)call->body_sent);
        if (got <= 0) {
            errno = EIO;
            return -1;
        }
        parts[1] = (struct iovec){piece, (size_t)got};
    }
    return sendmsg(back_fd(call->back), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool all_sent(const struct call *call)
{
    return call->head_sent == call->head.length && call->body_sent == call->body_length;
}

/* False: it could not be sent; an answer may be there all the same. */
static bool send_request(struct call *call)
{
    for (int turns = 0; !all_sent(call) && turns < BUFFER_TURN; turns++) {
        ssize_t sent = send_piece(call);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            break;
        if (sent < 0)
            return false;
        call->sent = true;
        size_t of_head = call->head.length - call->head_sent;
        if (of_head > (size_t)sent)
            of_head = (size_t)sent;
        call->head_sent += of_head;
        call->body_sent += (size_t)sent - of_head;
    }
    back_watch(call->back, EPOLLIN | (all_sent(call) ? 0u : EPOLLOUT));
    return true;
}

/* --- the answer --------------------------------------------------------------------------------------------------- */

/* The head leaves the buffer, which goes on being filled. */
static int keep_head(struct call *call)
{
    call->answer_bytes = kept_head(&call->answer, buffer_at(&call->in));
    if (!call->answer_bytes)
        return -ENOMEM;
    buffer_drop(&call->in, call->answer.size);
    http_body_begin(&call->reader, &call->answer);
    return 0;
}

/* What an app says when a connection has rested for too long; it may have crossed our request on the way. */
static bool is_farewell(const struct call *call)
{
    return call->answer.status == 408 && call->answer.close && may_ask_again(call);
}

/* 1: there; 0: more is needed; -ESTALE: to be asked again; negative: it cannot be read. Interim answers are left out:
 * who sent a request whole needs none. */
static int read_head(struct call *call, struct error *err)
{
    struct http_span method = {call->method, strlen(call->method)};
    while (buffer_length(&call->in) > 0) {
        int result = http_parse_response(buffer_at(&call->in), buffer_length(&call->in), method, &call->answer, err);
        if (result <= 0)
            return result;
        if (call->answer.status == 101 || call->answer.upgrade)
            return error_set(err, EBADMSG, "live changes the protocol without being asked");
        if (is_farewell(call))
            return -ESTALE;
        if (call->answer.status >= 200)
            return keep_head(call) < 0 ? error_errno(err, ENOMEM, "keep the answer") : 1;
        buffer_drop(&call->in, call->answer.size);
    }
    return 0;
}

static int read_body(struct call *call, struct error *err)
{
    struct buffer *in = &call->in;
    size_t content = 0;
    ssize_t took = http_body_gather(&call->reader, buffer_at(in), buffer_length(in), &content, err);
    if (took < 0)
        return (int)took;
    int result = spool_add(&call->content, call->role->directory, buffer_at(in), content, err);
    if (result == 0 && call->content.length > ANSWER_LENGTH)
        result = error_set(err, EFBIG, "the answer is larger than 256 MiB");
    if (result < 0)
        return result;
    buffer_drop(in, (size_t)took);
    return call->reader.done;
}

static void answered(struct call *call)
{
    struct back *back = call->back;
    bool again = all_sent(call) && !call->answer.close && call->answer.body != HTTP_BODY_TO_END && !call->alone &&
                 buffer_length(&call->in) == 0;
    call->back = NULL;
    call->deadline_ms = 0;
    if (again)
        back_keep(back);
    else
        back_close(back);
    call->done(call->context, CALL_ANSWERED);
}

static void on_end_of_answer(struct call *call)
{
    if (call->answer_bytes && call->answer.body == HTTP_BODY_TO_END)
        answered(call);
    else
        broken(call, call->answer_bytes ? "the app ended its answer in the middle"
                                        : "the app closed the connection without an answer");
}

static void read_answer(struct call *call)
{
    struct error err = {0};
    for (int turns = 0; turns < BUFFER_TURN; turns++) {
        ssize_t got = buffer_receive(&call->in, back_fd(call->back));
        if (got == -EAGAIN)
            return;
        if (got < 0) {
            broken(call, strerror((int)-got));
            return;
        }
        int result = call->answer_bytes ? 1 : read_head(call, &err);
        if (result == 1)
            result = read_body(call, &err);
        if (result != 0 || got == 0) {
            if (result == -ESTALE)
                ask_again(call);
            else if (result < 0)
                broken(call, err.text);
            else if (result == 1)
                answered(call);
            else
                on_end_of_answer(call);
            return;
        }
    }
}

/* --- its connection ----------------------------------------------------------------------------------------------- */

static void on_back(void *context, struct back *back, enum back_news news, uint32_t events)
{
    struct call *call = context;
    if (news == BACK_FAILED) {
        end(call, CALL_NOT_SENT, back_why(back));
        return;
    }
    bool fine = true;
    if (news == BACK_OPENED || events & EPOLLOUT)
        fine = send_request(call);
    if (!fine && !call->sent) {
        broken(call, "the request could not be sent");
        return;
    }
    /* Who refuses a request before it has read it all may have answered, and that counts. */
    if (!fine || events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        if (!fine)
            back_watch(back, EPOLLIN);
        read_answer(call);
    }
}

static void connect_to(struct call *call)
{
    const char *why = "no connection";
    call->back = back_open(call->backs, call->port, call->alone || call->retried, on_back, call, &why);
    if (!call->back)
        end(call, CALL_NOT_SENT, why);
    else if (back_is_open(call->back))
        on_back(call, call->back, BACK_OPENED, 0);
}

void call_begin(struct call *call, struct backs *backs, uint16_t port, call_done *done, void *context)
{
    call->done = done;
    call->context = context;
    call->backs = backs;
    call->port = port;
    call->deadline_ms = clock_monotonic_ms() + ANSWER_MS;
    connect_to(call);
}

void call_expire(struct call *call, uint64_t now_ms)
{
    if (call->back && call->deadline_ms && now_ms >= call->deadline_ms)
        end(call, call->sent ? CALL_LATE : CALL_NOT_SENT, "no answer within 300 s");
}
