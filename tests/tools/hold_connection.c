/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens a TCP connection, keeps it, and says when and how the other side ends it: for tests of
 * draining and cutting. Prints one line for each thing that happens:
 *
 *   open PORT                            connected from this local port
 *   answer STATUS RELEASE BYTES          to a request
 *   closed fin|reset|timeout MS          ended by the other side after so many milliseconds
 *   left MS                              stdin closed: we ended it
 *
 * A line on stdin is a path to GET over the connection; SIGUSR1 gets /healthz. Exits 0 when either
 * side closed it cleanly, 3 when it was reset, 1 on everything else.
 */
#include "target.h"

#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <strings.h>
#include <sys/signalfd.h>

static struct {
    struct target target, from;
    bool has_from, without_stdin;
    const char *first;
    uint64_t started;
} hold;

static unsigned long long elapsed_ms(void)
{
    return (now_ns() - hold.started) / 1000000u;
}

/* Says how the connection ended and exits. `n` is what recv() returned. */
static void closed(ssize_t n)
{
    const char *how = n == 0                                  ? "fin"
                      : errno == EAGAIN || errno == ETIMEDOUT ? "timeout"
                      : errno == ECONNRESET || errno == EPIPE ? "reset"
                                                              : strerror(errno);

    printf("closed %s %llu\n", how, elapsed_ms());
    fflush(stdout);
    exit(n == 0 ? 0 : strcmp(how, "reset") == 0 ? 3 : 1);
}

static const char *header(const char *head, const char *name, char *to, size_t size)
{
    const char *at = strcasestr(head, name);
    size_t len;

    snprintf(to, size, "-");
    if (!at)
        return to;
    at += strlen(name);
    at += strspn(at, ": ");
    len = strcspn(at, "\r\n");
    snprintf(to, size, "%.*s", (int)len, at);
    return to;
}

/* Sends a GET and reads its answer to the end. */
static void get(int fd, const char *path)
{
    char request[1200], head[8193], release[80], length[32];
    size_t have = 0;
    char *end = NULL;
    unsigned long long body, left;
    int n = snprintf(request, sizeof(request), "GET %.1000s HTTP/1.1\r\nHost: %s\r\n\r\n", path, hold.target.host);

    if (send(fd, request, (size_t)n, MSG_NOSIGNAL) < 0 && errno != EPIPE)
        closed(-1);
    while (!end) {
        ssize_t got = recv(fd, head + have, sizeof(head) - 1 - have, 0);

        if (got <= 0)
            closed(got);
        have += (size_t)got;
        head[have] = '\0';
        end = strstr(head, "\r\n\r\n");
    }
    *end = '\0';
    body = strtoull(header(head, "\r\nContent-Length", length, sizeof(length)), NULL, 10);
    left = body - (have - (size_t)(end + 4 - head));
    while (left > 0) {
        char drop[65536];
        ssize_t got = recv(fd, drop, left < sizeof(drop) ? left : sizeof(drop), 0);

        if (got <= 0)
            closed(got);
        left -= (size_t)got;
    }
    printf("answer %.3s %s %llu\n", head + 9, header(head, "\r\nX-Release", release, sizeof(release)), body);
    fflush(stdout);
}

/* One line of stdin, or the end of it. */
static void on_stdin(int fd)
{
    static char line[1024];
    static size_t have;
    ssize_t n = read(0, line + have, sizeof(line) - 1 - have);
    char *newline;

    if (n <= 0) {
        printf("left %llu\n", elapsed_ms());
        fflush(stdout);
        exit(0);
    }
    have += (size_t)n;
    line[have] = '\0';
    while ((newline = strchr(line, '\n'))) {
        *newline = '\0';
        if (line[0])
            get(fd, line);
        have -= (size_t)(newline + 1 - line);
        memmove(line, newline + 1, have + 1);
    }
    if (have == sizeof(line) - 1)
        have = 0;
}

static void parse_arguments(int argc, char **argv)
{
    static const struct option options[] = {
        {"request", 1, NULL, 'r'},
        {"from", 1, NULL, 'f'},
        {"no-stdin", 0, NULL, 'n'},
        {NULL, 0, NULL, 0},
    };
    int opt;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == 'r')
            hold.first = optarg;
        else if (opt == 'n')
            hold.without_stdin = true;
        else if (opt == 'f' && target_set(&hold.from, optarg, NULL))
            hold.has_from = true;
        else
            optind = argc + 1;
    }
    if (optind != argc - 1 || !target_parse(&hold.target, argv[optind])) {
        fprintf(stderr, "usage: hold_connection [--request PATH] [--from ADDRESS] [--no-stdin] "
                        "ADDRESS:PORT\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_storage local;
    socklen_t len = sizeof(local);
    struct pollfd fds[3] = {{.events = POLLIN | POLLRDHUP}, {.events = POLLIN}, {.events = POLLIN}};
    sigset_t set;
    int fd;

    parse_arguments(argc, argv);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fds[1].fd = signalfd(-1, &set, SFD_CLOEXEC);
    fds[2].fd = hold.without_stdin ? -1 : 0;
    hold.started = now_ns();
    fd = target_connect(&hold.target, hold.has_from ? &hold.from : NULL, SOCK_STREAM, 30);
    if (fd < 0) {
        fprintf(stderr, "hold_connection: connect to %s: %s\n", hold.target.host, strerror(errno));
        return 1;
    }
    fds[0].fd = fd;
    getsockname(fd, (struct sockaddr *)&local, &len);
    printf("open %u\n", ntohs(((struct sockaddr_in *)&local)->sin_port));
    fflush(stdout);
    if (hold.first)
        get(fd, hold.first);
    while (poll(fds, 3, -1) > 0 || errno == EINTR) {
        struct signalfd_siginfo info;
        char c;

        if (fds[0].revents) {
            ssize_t n = recv(fd, &c, 1, 0);

            if (n <= 0)
                closed(n);
        } else if (fds[1].revents && read(fds[1].fd, &info, sizeof(info)) > 0) {
            get(fd, "/healthz");
        } else if (fds[2].revents) {
            on_stdin(fd);
        }
    }
    return 1;
}
