/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One HTTP/1.1 request and its answer over a blocking socket, checked to the last byte: status
 * line, framing, release and zone, length and content. Apart from load.c because what counts as a
 * failure is decided here and nowhere else.
 */
#pragma once

#include "../../demo/stream.h"
#include "target.h"

#include <inttypes.h>
#include <strings.h>

enum failure {
    OK,
    FAIL_REFUSED,  /* connection refused */
    FAIL_CONNECT,  /* any other error of connect() */
    FAIL_TIMEOUT,  /* no progress for the time allowed */
    FAIL_RESET,    /* RST, or another error of an open connection */
    FAIL_SHORT,    /* closed before the answer was complete */
    FAIL_STATUS,   /* not 200 */
    FAIL_HEADER,   /* not an answer we understand */
    FAIL_CONTENT,  /* wrong bytes */
    CLOSED_UNUSED, /* no failure yet: closed cleanly before the first byte of the answer */
    FAILURES
};

static const char *const failure_name[FAILURES] = {
    "ok", "refused", "connect", "timeout", "reset", "short", "status", "header", "content", "closed",
};

#define ANSWER_BUFFER 65536u

struct answer {
    char release[65], zone[33];
    uint64_t length;
    bool close;        /* the server ends the connection after this answer */
    int error;         /* errno of a failure, 0 when none applies */
    char what[160];    /* a failure in words */
    size_t used, have; /* of buffer: consumed, and read from the socket */
    char buffer[ANSWER_BUFFER];
};

__attribute__((format(printf, 3, 4))) static inline enum failure answer_failed(struct answer *a, enum failure why,
                                                                               const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(a->what, sizeof(a->what), format, args);
    va_end(args);
    return why;
}

/* An error of send or recv. */
static inline enum failure answer_error(struct answer *a, const char *doing)
{
    a->error = errno;
    if (errno == EAGAIN || errno == ETIMEDOUT)
        return answer_failed(a, FAIL_TIMEOUT, "no progress: %s", doing);
    return answer_failed(a, FAIL_RESET, "%s: %s", doing, strerror(errno));
}

/* Reads once more into the buffer: bytes read, 0 at the end, -1 with errno. */
static inline ssize_t answer_read(struct answer *a, int fd)
{
    ssize_t n;

    if (a->used == a->have)
        a->used = a->have = 0;
    do
        n = recv(fd, a->buffer + a->have, sizeof(a->buffer) - a->have, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        a->have += (size_t)n;
    return n;
}

/* A name as releases and zones have: nothing that would need quoting anywhere. */
static inline bool answer_name(char *to, size_t size, const char *from, size_t len)
{
    if (len == 0 || len >= size)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-", from[i]))
            return false;
    }
    memcpy(to, from, len);
    to[len] = '\0';
    return true;
}

static inline bool answer_header(struct answer *a, const char *name, size_t name_len, const char *value, size_t len,
                                 bool *has_length)
{
    if (name_len == 14 && strncasecmp(name, "Content-Length", 14) == 0) {
        if (*has_length || len == 0 || len > 12)
            return false;
        *has_length = true;
        for (size_t i = 0; i < len; i++) {
            if (value[i] < '0' || value[i] > '9')
                return false;
            a->length = a->length * 10 + (uint64_t)(value[i] - '0');
        }
    } else if (name_len == 9 && strncasecmp(name, "X-Release", 9) == 0) {
        return a->release[0] == '\0' && answer_name(a->release, sizeof(a->release), value, len);
    } else if (name_len == 6 && strncasecmp(name, "X-Zone", 6) == 0) {
        return a->zone[0] == '\0' && answer_name(a->zone, sizeof(a->zone), value, len);
    } else if (name_len == 10 && strncasecmp(name, "Connection", 10) == 0) {
        a->close = len == 5 && strncasecmp(value, "close", 5) == 0;
    } else if (name_len == 17 && strncasecmp(name, "Transfer-Encoding", 17) == 0) {
        return false;
    }
    return true;
}

/* The head is buffer[0..end), every line of it ending in CRLF. */
static inline enum failure answer_parse_head(struct answer *a, const char *end)
{
    const char *line = a->buffer;
    const char *eol = memmem(line, (size_t)(end - line), "\r\n", 2);
    bool has_length = false;

    if (eol - line < 13 || memcmp(line, "HTTP/1.1 ", 9) != 0)
        return answer_failed(a, FAIL_HEADER, "status line: %.*s", (int)(eol - line), line);
    if (memcmp(line + 9, "200 ", 4) != 0)
        return answer_failed(a, FAIL_STATUS, "%.*s", (int)(eol - line), line);
    for (line = eol + 2; line < end; line = eol + 2) {
        const char *colon, *value;
        size_t len;

        eol = memmem(line, (size_t)(end - line), "\r\n", 2);
        colon = memchr(line, ':', (size_t)(eol - line));
        if (!colon)
            return answer_failed(a, FAIL_HEADER, "header: %.*s", (int)(eol - line), line);
        for (value = colon + 1; value < eol && *value == ' '; value++)
            ;
        for (len = (size_t)(eol - value); len > 0 && value[len - 1] == ' '; len--)
            ;
        if (!answer_header(a, line, (size_t)(colon - line), value, len, &has_length))
            return answer_failed(a, FAIL_HEADER, "header: %.*s", (int)(eol - line), line);
    }
    if (!has_length)
        return answer_failed(a, FAIL_HEADER, "no Content-Length");
    if (!a->release[0] || !a->zone[0])
        return answer_failed(a, FAIL_HEADER, "no X-Release or no X-Zone");
    return OK;
}

static inline enum failure answer_read_head(struct answer *a, int fd)
{
    for (;;) {
        const char *end = memmem(a->buffer, a->have, "\r\n\r\n", 4);
        ssize_t n;

        if (end) {
            a->used = (size_t)(end - a->buffer) + 4;
            return answer_parse_head(a, end + 2);
        }
        if (a->have >= 16384)
            return answer_failed(a, FAIL_HEADER, "no end of the head in 16 KiB");
        n = answer_read(a, fd);
        if (n < 0)
            return answer_error(a, a->have ? "reading the head" : "waiting for the answer");
        if (n == 0 && a->have == 0)
            return answer_failed(a, CLOSED_UNUSED, "closed before the first byte of the answer");
        if (n == 0)
            return answer_failed(a, FAIL_SHORT, "closed after %zu bytes of the head", a->have);
    }
}

/* The body must be `length` bytes of `expect`, and nothing may follow it. */
static inline enum failure answer_read_body(struct answer *a, int fd, struct stream expect)
{
    uint64_t done = 0;

    while (done < a->length) {
        size_t here = a->have - a->used, same;
        ssize_t n;

        if (here > a->length - done)
            here = (size_t)(a->length - done);
        same = stream_matches(&expect, (const unsigned char *)a->buffer + a->used, here);
        if (same < here)
            return answer_failed(a, FAIL_CONTENT, "byte %" PRIu64 " of %" PRIu64 " is wrong", done + same, a->length);
        a->used += here;
        done += here;
        if (done == a->length)
            break;
        n = answer_read(a, fd);
        if (n < 0)
            return answer_error(a, "reading the body");
        if (n == 0)
            return answer_failed(a, FAIL_SHORT, "closed after %" PRIu64 " of %" PRIu64 " bytes", done, a->length);
    }
    if (a->used == a->have && a->close) {
        ssize_t n = answer_read(a, fd);

        if (n < 0)
            return answer_error(a, "waiting for the end of the connection");
    }
    if (a->used < a->have)
        return answer_failed(a, FAIL_CONTENT, "%zu bytes too many", a->have - a->used);
    return OK;
}

struct request {
    const struct target *target;
    uint64_t seed;
    size_t body; /* bytes to get, or to send and get back */
    unsigned slow_ms;
    bool post, close;
};

static inline enum failure request_send(const struct request *r, int fd, struct answer *a)
{
    char path[96];
    struct stream s = stream_start(r->seed);
    size_t len, sent = 0;

    if (r->post)
        snprintf(path, sizeof(path), "/echo");
    else if (r->slow_ms)
        snprintf(path, sizeof(path), "/slow/%" PRIu64 "/%zu/%u", r->seed, r->body, r->slow_ms);
    else
        snprintf(path, sizeof(path), "/bytes/%" PRIu64 "/%zu", r->seed, r->body);
    len = (size_t)snprintf(a->buffer, sizeof(a->buffer), "%s %s HTTP/1.1\r\nHost: %s\r\n%s", r->post ? "POST" : "GET",
                           path, r->target->host, r->close ? "Connection: close\r\n" : "");
    if (r->post)
        len += (size_t)snprintf(a->buffer + len, sizeof(a->buffer) - len,
                                "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n", r->body);
    memcpy(a->buffer + len, "\r\n", 2);
    len += 2;
    if (r->post) {
        stream_fill(&s, (unsigned char *)a->buffer + len, r->body);
        len += r->body;
    }
    while (sent < len) {
        ssize_t n = send(fd, a->buffer + sent, len - sent, MSG_NOSIGNAL);

        /* A server that has closed already answers with EPIPE; what it said before is still to be
         * read. */
        if (n < 0 && errno == EPIPE)
            break;
        if (n < 0 && errno != EINTR)
            return answer_error(a, "sending the request");
        if (n > 0)
            sent += (size_t)n;
    }
    return OK;
}

/* The largest body that a POST may have: request and head share the buffer. */
#define REQUEST_POST_MAX (ANSWER_BUFFER - 1024u)

/* Sends a request and checks the answer. */
static inline enum failure exchange(const struct request *r, int fd, struct answer *a)
{
    enum failure f;

    a->error = 0;
    a->what[0] = a->release[0] = a->zone[0] = '\0';
    a->length = 0;
    a->close = false;
    f = request_send(r, fd, a);
    a->used = a->have = 0;
    if (!f)
        f = answer_read_head(a, fd);
    if (!f && a->length != r->body)
        f = answer_failed(a, FAIL_CONTENT, "%" PRIu64 " bytes announced, %zu expected", a->length, r->body);
    return f ? f : answer_read_body(a, fd, stream_start(r->seed));
}
