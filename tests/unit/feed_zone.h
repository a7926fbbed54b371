/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An app in a zone, for tests of the feed role: an HTTP server on 127.0.0.1, a thread for each connection, that writes
 * down every request it got. What it answers is in the target: /die-before, /die-middle, /status/503, /slow/MS,
 * /big/BYTES, /chunked, /to-end, /hint, /colour, /upgrade, /raw (what the test has put there); else 200.
 */
#pragma once

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ZONE_LOG_MAX 65536

struct zone_request {
    char method[12], target[96], key[64];
    bool copy, forwarded, proxied;
    size_t body;
    uint32_t sum; /* of its body's bytes */
};

struct zone_client;

struct test_zone {
    const char *raw; /* what /raw is answered with, and then the connection ends */
    const char *name;
    int listener;
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t mutex;
    struct zone_request *log;
    size_t count;
    atomic_int delay_ms, status; /* 0: 200 */
    atomic_bool dead;            /* accepts, and closes */
    atomic_int most;             /* at the same time */
    atomic_int now;
    /* A test's own answers: 1 the connection goes on, 0 it ends, -1 it is answered as by any zone. */
    int (*answers)(struct zone_client *client, const struct zone_request *request);
};

struct zone_client {
    struct test_zone *zone;
    int fd;
    unsigned served; /* requests before this one */
    char bytes[70000];
    size_t length;
};

static inline void pause_ms(int ms)
{
    struct timespec wait = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&wait, NULL);
}

static inline bool zone_send(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

static inline bool zone_say(int fd, const char *text)
{
    return zone_send(fd, text, strlen(text));
}

/* More bytes behind those that are there. */
static inline bool zone_more(struct zone_client *client)
{
    if (client->length + 1 >= sizeof client->bytes)
        return false;
    ssize_t got = recv(client->fd, client->bytes + client->length, sizeof client->bytes - 1 - client->length, 0);
    if (got <= 0)
        return false;
    client->length += (size_t)got;
    client->bytes[client->length] = '\0';
    return true;
}

static inline void zone_drop(struct zone_client *client, size_t length)
{
    client->length -= length;
    memmove(client->bytes, client->bytes + length, client->length);
    client->bytes[client->length] = '\0';
}

static inline bool take_bytes(struct zone_client *client, struct zone_request *request, size_t length)
{
    while (length > 0) {
        if (client->length == 0 && !zone_more(client))
            return false;
        size_t here = client->length < length ? client->length : length;
        for (size_t i = 0; i < here; i++)
            request->sum = request->sum * 31 + (unsigned char)client->bytes[i];
        request->body += here;
        zone_drop(client, here);
        length -= here;
    }
    return true;
}

static inline bool take_chunks(struct zone_client *client, struct zone_request *request)
{
    for (;;) {
        char *end;
        while (!(end = strstr(client->bytes, "\r\n"))) {
            if (!zone_more(client))
                return false;
        }
        size_t size = strtoul(client->bytes, NULL, 16);
        zone_drop(client, (size_t)(end - client->bytes) + 2);
        if (!take_bytes(client, request, size))
            return false;
        while (client->length < 2) {
            if (!zone_more(client))
                return false;
        }
        zone_drop(client, 2);
        if (size == 0)
            return true;
    }
}

static inline void copy_field(const char *head, const char *name, char *to, size_t size)
{
    const char *at = strcasestr(head, name);
    to[0] = '\0';
    if (at)
        snprintf(to, size, "%.*s", (int)strcspn(at + strlen(name), "\r"), at + strlen(name));
}

/* A whole request; *upgrade: it wants another protocol. */
static inline bool zone_read(struct zone_client *client, struct zone_request *request, bool *upgrade)
{
    char *end, length[24];
    *request = (struct zone_request){0};
    while (!(end = strstr(client->bytes, "\r\n\r\n"))) {
        if (!zone_more(client))
            return false;
    }
    end[2] = '\0';
    request->proxied = strncmp(client->bytes, "PROXY TCP4 127.0.0.1 127.0.0.1 ", 31) == 0;
    sscanf(request->proxied ? strchr(client->bytes, '\n') + 1 : client->bytes, "%11s %95s", request->method,
           request->target);
    copy_field(client->bytes, "\nIdempotency-Key: ", request->key, sizeof request->key);
    copy_field(client->bytes, "\nContent-Length: ", length, sizeof length);
    request->copy = strcasestr(client->bytes, "\nBluegreen-Feed: copy\r") != NULL;
    request->forwarded = strcasestr(client->bytes, "\nX-Forwarded-For: 127.0.0.1\r") != NULL;
    *upgrade = strcasestr(client->bytes, "\nUpgrade: ") != NULL;
    bool chunked = strcasestr(client->bytes, "\nTransfer-Encoding: chunked") != NULL;
    zone_drop(client, (size_t)(end - client->bytes) + 4);
    if (strcmp(request->target, "/early") == 0)
        return true; /* answered before its body is read */
    return chunked ? take_chunks(client, request) : take_bytes(client, request, strtoul(length, NULL, 10));
}

static inline bool answer_with(int fd, int status, const char *fields, const char *body)
{
    char head[512];
    snprintf(head, sizeof head, "HTTP/1.1 %d Said\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(body), fields,
             body);
    return zone_say(fd, head);
}

static inline bool answer_big(int fd, size_t length)
{
    char head[96], piece[4096];
    memset(piece, 'b', sizeof piece);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", length);
    bool fine = zone_say(fd, head);
    for (; fine && length > 0; length -= length < sizeof piece ? length : sizeof piece)
        fine = zone_send(fd, piece, length < sizeof piece ? length : sizeof piece);
    return fine;
}

static inline void echo(struct zone_client *client)
{
    zone_say(client->fd, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: test\r\n\r\n");
    while (client->length > 0 || zone_more(client)) {
        if (!zone_send(client->fd, client->bytes, client->length))
            return;
        zone_drop(client, client->length);
    }
}

/* False: the connection ends. */
static inline bool zone_answer(struct zone_client *client, const struct zone_request *request, bool upgrade)
{
    int fd = client->fd, number = 0;
    const char *target = request->target;
    int own = client->zone->answers ? client->zone->answers(client, request) : -1;
    if (own >= 0)
        return own;
    if (upgrade && strcmp(target, "/upgrade") == 0) {
        echo(client);
        return false;
    }
    if (strcmp(target, "/die-before") == 0)
        return false;
    if (strcmp(target, "/die-middle") == 0) {
        zone_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        return false;
    }
    if (strcmp(target, "/raw") == 0 && client->zone->raw) {
        zone_say(fd, client->zone->raw);
        return false;
    }
    if (sscanf(target, "/slow/%d", &number) == 1)
        pause_ms(number);
    if (strcmp(target, "/status/204") == 0)
        return zone_say(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    if (sscanf(target, "/status/%d", &number) == 1)
        return answer_with(fd, number, "", "as wanted");
    if (sscanf(target, "/big/%d", &number) == 1)
        return answer_big(fd, (size_t)number);
    if (strcmp(target, "/chunked") == 0)
        return zone_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\npiece\r\n3\r\n by\r\n0\r\n\r\n");
    if (strcmp(target, "/to-end") == 0) {
        zone_say(fd, "HTTP/1.1 200 OK\r\n\r\nuntil it ends");
        return false;
    }
    if (strcmp(target, "/hint") == 0)
        zone_say(fd, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
    if (strcmp(target, "/colour") == 0)
        return answer_with(fd, strcmp(client->zone->name, "blue") == 0 ? 200 : 201, "", client->zone->name);
    return answer_with(fd, client->zone->status ? client->zone->status : 200, "", "done");
}

static inline void zone_note(struct test_zone *zone, const struct zone_request *request)
{
    pthread_mutex_lock(&zone->mutex);
    if (zone->count < ZONE_LOG_MAX)
        zone->log[zone->count++] = *request;
    pthread_mutex_unlock(&zone->mutex);
}

static inline void *zone_serve(void *context)
{
    struct zone_client *client = context;
    struct test_zone *zone = client->zone;
    struct zone_request request;
    bool upgrade, fine = true;
    while (fine && !zone->dead && zone_read(client, &request, &upgrade)) {
        int now = ++zone->now;
        if (now > zone->most)
            zone->most = now;
        if (zone->delay_ms)
            pause_ms(zone->delay_ms);
        if (zone->dead)
            break;
        zone_note(zone, &request);
        fine = zone_answer(client, &request, upgrade);
        client->served++;
        zone->now--;
    }
    close(client->fd);
    free(client);
    return NULL;
}

static inline void *zone_accept(void *context)
{
    struct test_zone *zone = context;
    for (;;) {
        int fd = accept(zone->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        struct zone_client *client = calloc(1, sizeof *client);
        pthread_t thread;
        client->zone = zone;
        client->fd = fd;
        if (pthread_create(&thread, NULL, zone_serve, client) == 0)
            pthread_detach(thread);
    }
}

/* A listening socket of 127.0.0.1 at a free port, or at that one. */
static inline int listen_at(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_port = htons(*port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 512) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

static inline bool zone_start(struct test_zone *zone, const char *name)
{
    *zone = (struct test_zone){.name = name, .log = calloc(ZONE_LOG_MAX, sizeof *zone->log)};
    pthread_mutex_init(&zone->mutex, NULL);
    zone->listener = listen_at(&zone->port);
    return zone->log && zone->listener >= 0 && pthread_create(&zone->thread, NULL, zone_accept, zone) == 0;
}

/* Nothing listens any more, or again at the same port. */
static inline void zone_silence(struct test_zone *zone)
{
    zone->dead = true;
    shutdown(zone->listener, SHUT_RDWR);
    pthread_join(zone->thread, NULL);
    close(zone->listener);
}

static inline bool zone_wake(struct test_zone *zone)
{
    zone->dead = false;
    zone->listener = listen_at(&zone->port);
    return zone->listener >= 0 && pthread_create(&zone->thread, NULL, zone_accept, zone) == 0;
}

static inline size_t zone_count(struct test_zone *zone, const char *target)
{
    size_t count = 0;
    pthread_mutex_lock(&zone->mutex);
    for (size_t i = 0; i < zone->count; i++)
        count += strcmp(zone->log[i].target, target) == 0;
    pthread_mutex_unlock(&zone->mutex);
    return count;
}

static inline bool zone_find(struct test_zone *zone, const char *target, struct zone_request *request)
{
    bool found = false;
    pthread_mutex_lock(&zone->mutex);
    for (size_t i = 0; i < zone->count && !found; i++) {
        found = strcmp(zone->log[i].target, target) == 0;
        if (found)
            *request = zone->log[i];
    }
    pthread_mutex_unlock(&zone->mutex);
    return found;
}
