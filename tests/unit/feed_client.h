/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients of a fed app, for tests of the feed role: plain, blocking, with 15 s for everything. */
#pragma once

#include "feed_monitor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>

struct test_client {
    int fd;
    size_t length;
    char bytes[262144];
};

struct test_answer {
    int status; /* 0: none came */
    char head[4096], body[262144];
    size_t length;
};

static inline bool client_open(struct test_client *client, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval wait = {.tv_sec = 15};
    client->length = 0;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    return connect(client->fd, (struct sockaddr *)&address, sizeof address) == 0;
}

static inline void client_end(struct test_client *client)
{
    close(client->fd);
    client->fd = -1;
}

static inline bool client_more(struct test_client *client)
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

static inline void client_take(struct test_client *client, char *to, size_t length)
{
    if (to)
        memcpy(to, client->bytes, length);
    client->length -= length;
    memmove(client->bytes, client->bytes + length, client->length);
    client->bytes[client->length] = '\0';
}

static inline bool has_field(const struct test_answer *answer, const char *field)
{
    char line[256];
    snprintf(line, sizeof line, "\n%s\r\n", field);
    return strcasestr(answer->head, line) != NULL;
}

static inline bool read_chunks(struct test_client *client, struct test_answer *answer)
{
    for (;;) {
        char *end;
        while (client->length == 0 || !(end = strstr(client->bytes, "\r\n"))) {
            if (!client_more(client))
                return false;
        }
        size_t size = strtoul(client->bytes, NULL, 16);
        client_take(client, NULL, (size_t)(end - client->bytes) + 2);
        while (client->length < size + 2) {
            if (!client_more(client))
                return false;
        }
        if (answer->length + size >= sizeof answer->body)
            return false;
        client_take(client, answer->body + answer->length, size);
        answer->length += size;
        client_take(client, NULL, 2);
        if (size == 0)
            return true;
    }
}

/* One answer, interim ones too; false: it did not come whole. */
static inline bool read_one(struct test_client *client, struct test_answer *answer, bool head_only)
{
    char *end, length[24];
    answer->status = 0;
    answer->length = 0;
    answer->body[0] = '\0';
    while (client->length == 0 || !(end = strstr(client->bytes, "\r\n\r\n"))) {
        if (!client_more(client))
            return false;
    }
    size_t size = (size_t)(end - client->bytes) + 4;
    if (size >= sizeof answer->head)
        return false;
    client_take(client, answer->head, size);
    answer->head[size] = '\0';
    int status = atoi(answer->head + 9);
    bool bodyless = head_only || status < 200 || status == 204 || status == 304;
    bool fine = true;
    copy_field(answer->head, "\nContent-Length: ", length, sizeof length);
    if (!bodyless && strcasestr(answer->head, "\nTransfer-Encoding: chunked")) {
        fine = read_chunks(client, answer);
    } else if (!bodyless) {
        size_t want = length[0] ? strtoul(length, NULL, 10) : sizeof answer->body - 1;
        while (fine && answer->length < want) {
            size_t left = want - answer->length, here = client->length < left ? client->length : left;
            client_take(client, answer->body + answer->length, here);
            answer->length += here;
            if (answer->length < want && !client_more(client))
                fine = !length[0];
            if (answer->length < want && client->length == 0)
                break;
        }
    }
    answer->body[answer->length] = '\0';
    answer->status = fine ? status : 0;
    return fine;
}

/* The final one. */
static inline bool read_final(struct test_client *client, struct test_answer *answer, bool head_only)
{
    bool fine;
    do
        fine = read_one(client, answer, head_only);
    while (fine && answer->status < 200 && answer->status != 101);
    return fine;
}

static inline bool send_text(struct test_client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline bool send_text(struct test_client *client, const char *format, ...)
{
    char text[8192];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return zone_say(client->fd, text);
}

/* One request on an open connection, and its answer's status; 0: none. */
static inline int ask(struct test_client *client, struct test_answer *answer, const char *method, const char *target,
                      const char *fields, const char *body)
{
    if (!send_text(client, "%s %s HTTP/1.1\r\nHost: test\r\n%sContent-Length: %zu\r\n\r\n%s", method, target, fields,
                   strlen(body), body))
        return 0;
    return read_final(client, answer, strcmp(method, "HEAD") == 0) ? answer->status : 0;
}

/* The same on a connection of its own. */
static inline int ask_once(struct monitor *monitor, struct test_answer *answer, const char *method, const char *target)
{
    static __thread struct test_client client;
    int status = 0;
    answer->status = 0;
    if (client_open(&client, monitor->door_ports[monitor->live >= 0 ? monitor->live : 0]))
        status = ask(&client, answer, method, target, "", "");
    client_end(&client);
    return status;
}
