/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a test client connects to, and how: address literals only, so that no resolver takes part
 * in a measurement.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct target {
    struct sockaddr_storage addr;
    socklen_t len;
    char host[80]; /* for the Host header: 203.0.113.10:80 or [2001:db8::1]:80 */
};

static inline uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* `host` is an address without brackets; port NULL is 0. */
static inline bool target_set(struct target *t, const char *host, const char *port)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;

    if (getaddrinfo(host, port, &hints, &found) != 0)
        return false;
    memcpy(&t->addr, found->ai_addr, found->ai_addrlen);
    t->len = found->ai_addrlen;
    snprintf(t->host, sizeof(t->host), found->ai_family == AF_INET6 ? "[%.60s]:%.8s" : "%.60s:%.8s", host,
             port ? port : "0");
    freeaddrinfo(found);
    return true;
}

/* HOST:PORT or [V6]:PORT, with or without http:// in front and a lone slash behind. */
static inline bool target_parse(struct target *t, const char *text)
{
    char copy[128], *host = copy, *port;
    size_t len;

    if (strncmp(text, "http://", 7) == 0)
        text += 7;
    len = strlen(text);
    if (len > 0 && text[len - 1] == '/')
        len--;
    if (len >= sizeof(copy))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    port = strrchr(copy, ':');
    if (!port)
        return false;
    *port++ = '\0';
    if (*host == '[') {
        if (port - 2 < host || port[-2] != ']')
            return false;
        port[-2] = '\0';
        host++;
    }
    return target_set(t, host, port);
}

/*
 * A socket with the deadline `timeout_s` on each connect, send and receive; bound to `from` when
 * that is of the same family (NULL: to nothing). Returns the descriptor or -1 with errno set;
 * ETIMEDOUT is the deadline.
 */
static inline int target_connect(const struct target *t, const struct target *from, int type, unsigned timeout_s)
{
    struct timeval limit = {.tv_sec = timeout_s};
    int fd = socket(t->addr.ss_family, type | SOCK_CLOEXEC, 0);
    int saved;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (type == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (from && from->addr.ss_family == t->addr.ss_family) {
        /* Without this, bind() would take one of the ephemeral ports for itself and run out of
         * them. */
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
        if (bind(fd, (const struct sockaddr *)&from->addr, from->len) < 0)
            goto failed;
    }
    if (connect(fd, (const struct sockaddr *)&t->addr, t->len) == 0)
        return fd;
    if (errno == EINPROGRESS)
        errno = ETIMEDOUT;
failed:
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}
