/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A relay that spoils what it carries, so that the test clients can be seen to notice. It forwards
 * TCP connections and does one thing to what the server says on each:
 *
 *   --flip N     the lowest bit of byte N (from 0) is inverted
 *   --cut N      after N bytes the connection is closed cleanly
 *   --reset N    after N bytes the connection is reset
 *   --append     one byte follows the server's last
 */
#include "target.h"

#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>

static struct {
    struct target target;
    long flip, cut, reset;
    bool append;
} relay = {.flip = -1, .cut = -1, .reset = -1};

static bool send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Spoils and forwards a piece of the server's side, which begins at byte `done`; false: the
 * connection ends. */
static bool from_server(int client, char *data, size_t len, long done)
{
    long end = done + (long)len;
    bool cut = relay.cut >= 0 && end >= relay.cut;

    if (relay.flip >= done && relay.flip < end)
        data[relay.flip - done] ^= 1;
    if (relay.reset >= 0 && end >= relay.reset) {
        send_all(client, data, (size_t)(relay.reset - done));
        /* Time zero to linger is what makes close() send RST. */
        setsockopt(client, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        return false;
    }
    return send_all(client, data, cut ? (size_t)(relay.cut - done) : len) && !cut;
}

static void carry(int client, int server)
{
    struct pollfd fds[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    char data[16384];
    long done = 0;

    while (poll(fds, 2, -1) > 0) {
        if (fds[0].revents) {
            ssize_t n = recv(client, data, sizeof(data), 0);

            if (n <= 0 || !send_all(server, data, (size_t)n))
                return;
        }
        if (fds[1].revents) {
            ssize_t n = recv(server, data, sizeof(data), 0);

            if (n <= 0) {
                if (relay.append)
                    send_all(client, "!", 1);
                return;
            }
            if (!from_server(client, data, (size_t)n, done))
                return;
            done += n;
        }
    }
}

/* Ends our side and reads what still comes: closing with unread data would send RST. */
static void close_cleanly(int client)
{
    char drop[4096];

    shutdown(client, SHUT_WR);
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 1}, sizeof(struct timeval));
    while (recv(client, drop, sizeof(drop), 0) > 0)
        ;
}

static void *connection(void *arg)
{
    int client = (int)(intptr_t)arg;
    int server = target_connect(&relay.target, NULL, SOCK_STREAM, 10);

    if (server >= 0) {
        carry(client, server);
        close(server);
        if (relay.reset < 0)
            close_cleanly(client);
    }
    close(client);
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"flip", 1, NULL, 'f'},   {"cut", 1, NULL, 'c'}, {"reset", 1, NULL, 'r'},
        {"append", 0, NULL, 'a'}, {NULL, 0, NULL, 0},
    };
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int opt, listener, client;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {
        case 'f': relay.flip = atol(optarg); break;
        case 'c': relay.cut = atol(optarg); break;
        case 'r': relay.reset = atol(optarg); break;
        case 'a': relay.append = true; break;
        default: optind = argc; break;
        }
    }
    if (optind != argc - 2 || !target_parse(&relay.target, argv[optind + 1])) {
        fprintf(stderr, "usage: relay [--flip N] [--cut N] [--reset N] [--append] PORT ADDRESS:PORT\n");
        return 2;
    }
    at.sin_port = htons((uint16_t)atoi(argv[optind]));
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 128) < 0) {
        perror("relay: listen");
        return 1;
    }
    while ((client = accept(listener, NULL, NULL)) >= 0) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, connection, (void *)(intptr_t)client) == 0)
            pthread_detach(thread);
    }
    return 1;
}
