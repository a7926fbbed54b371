/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Says who was reached and as whom: for tests of paths.
 *
 *   witness serve NAME LOG ADDRESS PORT...    answers "NAME CLIENT'S-ADDRESS" to whatever comes by TCP or UDP, and
 *                                             writes a line "tcp|udp CLIENT'S-ADDRESS PORT" to LOG before it answers
 *   witness ask tcp|udp ADDRESS PORT          prints the answer, or refused, unreachable, reset, silent
 *   witness watch tcp|udp ADDRESS MILLISECONDS PORT...
 *                                             asks these ports in turn for so long, and prints one line for each time
 *                                             that the answer differs from the one before
 *
 * ADDRESS :: serves IPv4 as well. A TCP client that speaks HTTP is answered in it. "silent" is after a second.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORTS_MAX 64
#define WAIT_MS   1000

struct place {
    struct sockaddr_storage address;
    socklen_t length;
};

static void die(const char *what)
{
    fprintf(stderr, "witness: %s: %s\n", what, strerror(errno));
    exit(2);
}

static struct place place_of(const char *address, const char *port)
{
    struct place place = {0};
    struct sockaddr_in *four = (struct sockaddr_in *)&place.address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&place.address;
    if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)atoi(port));
        place.length = sizeof *four;
    } else if (inet_pton(AF_INET6, address, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)atoi(port));
        place.length = sizeof *six;
    } else {
        errno = EINVAL;
        die(address);
    }
    return place;
}

/* IPv4 clients of an IPv6 socket as what they are. */
static const char *client_text(const struct sockaddr_storage *client, char text[INET6_ADDRSTRLEN])
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)client;
    if (client->ss_family == AF_INET)
        return inet_ntop(AF_INET, &((const struct sockaddr_in *)client)->sin_addr, text, INET6_ADDRSTRLEN);
    if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        return inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, text, INET6_ADDRSTRLEN);
    return inet_ntop(AF_INET6, &six->sin6_addr, text, INET6_ADDRSTRLEN);
}

/* --- serving -------------------------------------------------------------------------------------- */

struct server {
    const char *name;
    FILE *log;
    struct pollfd sockets[2 * PORTS_MAX]; /* TCP and UDP in turn */
    const char *ports[PORTS_MAX];
    nfds_t count;
};

static void add_socket(struct server *server, int type, const struct place *place)
{
    int fd = socket(place->address.ss_family, type | SOCK_CLOEXEC, 0), one = 1, zero = 0;
    if (place->address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&place->address, place->length) < 0 ||
        (type == SOCK_STREAM && listen(fd, 1024) < 0))
        die("listen");
    server->sockets[server->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static size_t testify(struct server *server, const char *protocol, const char *port,
                      const struct sockaddr_storage *client, char *answer, size_t size)
{
    char text[INET6_ADDRSTRLEN];
    client_text(client, text);
    fprintf(server->log, "%s %s %s\n", protocol, text, port);
    fflush(server->log);
    return (size_t)snprintf(answer, size, "%s %s\n", server->name, text);
}

static void serve_tcp(struct server *server, int listener, const char *port)
{
    static const char header[] = "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n";
    struct sockaddr_storage client;
    socklen_t length = sizeof client;
    char request[4096], answer[256];
    int fd = accept4(listener, (struct sockaddr *)&client, &length, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    size_t said = testify(server, "tcp", port, &client, answer, sizeof answer);
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    ssize_t got = poll(&waiting, 1, WAIT_MS) == 1 ? recv(fd, request, sizeof request, 0) : 0;
    if (got > 4 && !memcmp(request, "GET ", 4))
        send(fd, header, sizeof header - 1, MSG_NOSIGNAL | MSG_MORE);
    if (got > 0)
        send(fd, answer, said, MSG_NOSIGNAL);
    close(fd);
}

static void serve_udp(struct server *server, int fd, const char *port)
{
    struct sockaddr_storage client;
    socklen_t length = sizeof client;
    char request[4096], answer[256];
    if (recvfrom(fd, request, sizeof request, 0, (struct sockaddr *)&client, &length) < 0)
        return;
    size_t said = testify(server, "udp", port, &client, answer, sizeof answer);
    sendto(fd, answer, said, 0, (const struct sockaddr *)&client, length);
}

static int serve(char **words, int count)
{
    static struct server server;
    server.name = words[0];
    server.log = fopen(words[1], "ae");
    if (!server.log)
        die(words[1]);
    for (int i = 3; i < count && i - 3 < PORTS_MAX; i++) {
        struct place place = place_of(words[2], words[i]);
        server.ports[i - 3] = words[i];
        add_socket(&server, SOCK_STREAM, &place);
        add_socket(&server, SOCK_DGRAM, &place);
    }
    while (poll(server.sockets, server.count, -1) > 0)
        for (nfds_t i = 0; i < server.count; i++)
            if (server.sockets[i].revents)
                (i % 2 ? serve_udp : serve_tcp)(&server, server.sockets[i].fd, server.ports[i / 2]);
    return 1;
}

/* --- asking --------------------------------------------------------------------------------------- */

static const char *failure(int error)
{
    return error == ECONNREFUSED                                  ? "refused"
           : error == ECONNRESET || error == EPIPE                ? "reset"
           : error == EAGAIN || error == EINPROGRESS              ? "silent"
           : error == EHOSTUNREACH || error == ENETUNREACH        ? "unreachable"
           : error == EINVAL || error == EACCES || error == EPERM ? "unreachable"
                                                                  : strerror(error);
}

/* The answer without its newline, or what came instead of one. */
static void ask(bool tcp, const struct place *place, char *answer, size_t size)
{
    const struct timeval limit = {.tv_sec = WAIT_MS / 1000};
    int fd = socket(place->address.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    ssize_t got = -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&place->address, place->length) == 0 &&
        send(fd, "?\n", 2, MSG_NOSIGNAL) == 2)
        got = recv(fd, answer, size - 1, 0);
    snprintf(answer + (got > 0 ? got : 0), size - (size_t)(got > 0 ? got : 0), "%s",
             got > 0    ? ""
             : got == 0 ? "reset"
                        : failure(errno));
    answer[strcspn(answer, "\n")] = '\0';
    if (fd >= 0)
        close(fd);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int watch(bool tcp, char **words, int count)
{
    char last[256] = "", answer[256];
    uint64_t end = now_ms() + (uint64_t)atoi(words[1]);
    for (int i = 2; now_ms() < end; i = i + 1 < count ? i + 1 : 2) {
        struct place place = place_of(words[0], words[i]);
        ask(tcp, &place, answer, sizeof answer);
        if (strcmp(answer, last)) {
            puts(answer);
            fflush(stdout);
        }
        memcpy(last, answer, sizeof last);
    }
    return 0;
}

int main(int argc, char **argv)
{
    bool tcp = argc > 2 && !strcmp(argv[2], "tcp");
    if (argc >= 6 && !strcmp(argv[1], "serve"))
        return serve(argv + 2, argc - 2);
    if (argc >= 6 && !strcmp(argv[1], "watch"))
        return watch(tcp, argv + 3, argc - 3);
    if (argc != 5 || strcmp(argv[1], "ask") != 0) {
        fprintf(stderr, "usage: witness serve|ask|watch ...\n");
        return 2;
    }
    char answer[256];
    struct place place = place_of(argv[3], argv[4]);
    ask(tcp, &place, answer, sizeof answer);
    puts(answer);
    return 0;
}
