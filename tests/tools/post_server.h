/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP/1.1 server of apps that keep what is posted to them, for tests of the feed: kept connections, a thread for
 * each, bodies read and thrown away. Apart, because where they keep it is all that differs between them: each defines
 * `serve`.
 */
#pragma once

#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define HEAD_MAX 16384
#define WORD_MAX 80

/* Answers the request with this head; false: the connection ends. */
static bool serve(int fd, const char *head);

static inline const char *field(const char *head, const char *name, char *value)
{
    value[0] = '\0';
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        size_t length = strlen(name);
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':')
            sscanf(line + 3 + length, " %79[^\r\n]", value);
    }
    return value;
}

static inline bool answer(int fd, const char *head, const char *status, const char *body)
{
    char text[512], connection[WORD_MAX];
    const char *release = getenv("BLUEGREEN_RELEASE");
    bool close_after = strcasecmp(field(head, "Connection", connection), "close") == 0;
    int length = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nX-Release: %s\r\n%s\r\n%s", status,
                          strlen(body), release ? release : "", close_after ? "Connection: close\r\n" : "", body);
    return write(fd, text, (size_t)length) == length && !close_after;
}

/* Reads more behind what is there; false: there is no more. */
static inline bool read_more(int fd, char *buffer, size_t *used)
{
    ssize_t got = *used < HEAD_MAX ? read(fd, buffer + *used, HEAD_MAX - *used) : 0;
    if (got <= 0)
        return false;
    *used += (size_t)got;
    return true;
}

static inline bool drop(int fd, char *buffer, size_t *used, size_t length)
{
    while (length > *used) {
        length -= *used;
        *used = 0;
        if (!read_more(fd, buffer, used))
            return false;
    }
    memmove(buffer, buffer + length, *used - length);
    *used -= length;
    return true;
}

static inline bool serve_next(int fd, char *buffer, size_t *used)
{
    char value[WORD_MAX], head[HEAD_MAX + 1], *end;
    for (;;) {
        buffer[*used] = '\0';
        end = strstr(buffer, "\r\n\r\n");
        if (end)
            break;
        if (!read_more(fd, buffer, used))
            return false;
    }
    size_t length = (size_t)(end + 4 - buffer);
    memcpy(head, buffer, length);
    head[length] = '\0';
    return drop(fd, buffer, used, length + strtoul(field(head, "Content-Length", value), NULL, 10)) && serve(fd, head);
}

static inline void *connection(void *argument)
{
    int fd = (int)(long)argument;
    static __thread char buffer[HEAD_MAX + 1];
    size_t used = 0;
    while (serve_next(fd, buffer, &used))
        ;
    close(fd);
    return NULL;
}

static inline int listen_at(uint16_t port)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int one = 1, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 1024) < 0)
        err(1, "listen at port %u", port);
    return fd;
}

static inline void serve_port(uint16_t port)
{
    int fd = listen_at(port);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC), one = 1;
        pthread_t thread;
        if (client < 0)
            continue;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (pthread_create(&thread, NULL, connection, (void *)(long)client) == 0)
            pthread_detach(thread);
        else
            close(client);
    }
}
