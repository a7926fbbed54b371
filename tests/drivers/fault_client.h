/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client outside that is under way while faults are injected: it asks again and again, three times on each
 * connection, and counts the answers that did not come. In a thread of its own, in the client's network namespace. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENT_PORT = 80, CLIENT_EACH = 3, CLIENT_PAUSE_US = 4000 };

static struct {
    pthread_t thread;
    _Atomic bool end;
    _Atomic unsigned long requests, failed;
    char why[128]; /* of the last failure */
} client;

static void client_failed(const char *what)
{
    if (atomic_load(&client.end))
        return;
    snprintf(client.why, sizeof client.why, "%s: %s", what, strerror(errno));
    atomic_fetch_add(&client.failed, 1);
}

static bool client_ask(int fd)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: web\r\n\r\n";
    char answer[1024];
    size_t have = 0;
    atomic_fetch_add(&client.requests, 1);
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1) {
        client_failed("send a request");
        return false;
    }
    /* "ok RELEASE\n" ends it: the body has one line, and the head ends with two. */
    for (;;) {
        ssize_t got = recv(fd, answer + have, sizeof answer - 1 - have, 0);
        if (got <= 0) {
            errno = got == 0 ? ECONNRESET : errno;
            client_failed("receive an answer");
            return false;
        }
        have += (size_t)got;
        answer[have] = '\0';
        const char *body = strstr(answer, "\r\n\r\n");
        if (body && strncmp(body + 4, "ok ", 3) == 0 && strlen(body) > 8)
            return strncmp(answer, "HTTP/1.1 200", 12) == 0;
    }
}

static void client_connect(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(CLIENT_PORT)};
    const struct timeval limit = {.tv_sec = 3};
    inet_pton(AF_INET, "203.0.113.10", &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        atomic_fetch_add(&client.requests, 1);
        client_failed("connect");
    } else {
        for (int i = 0; i < CLIENT_EACH && client_ask(fd); i++)
            usleep(CLIENT_PAUSE_US);
    }
    close(fd);
}

static void *client_run(void *context)
{
    int namespace_fd = open("/run/netns/client", O_RDONLY | O_CLOEXEC);
    if (namespace_fd < 0 || setns(namespace_fd, CLONE_NEWNET) < 0) {
        client_failed("enter the client's network namespace");
        return context;
    }
    close(namespace_fd);
    while (!atomic_load(&client.end)) {
        client_connect();
        usleep(CLIENT_PAUSE_US);
    }
    return context;
}

static bool client_start(void)
{
    return pthread_create(&client.thread, NULL, client_run, NULL) == 0;
}

static void client_end(void)
{
    atomic_store(&client.end, true);
    pthread_join(client.thread, NULL);
}
