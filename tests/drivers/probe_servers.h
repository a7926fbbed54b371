/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Servers as apps can be: good, broken, hostile. Each takes one accepted connection and returns when it
 * is through with it; server_start runs one on a loopback port, with a process for each connection.
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

typedef void server_function(int fd);

struct server {
    int family;
    uint16_t port;
    pid_t pid; /* 0: none */
};

static const char *server_request; /* what the serving process has read, NUL-terminated */

/* --- talking ---------------------------------------------------------------------------------- */

static bool say_bytes(int fd, const void *bytes, size_t length)
{
    return send(fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static bool say(int fd, const char *text)
{
    return say_bytes(fd, text, strlen(text));
}

/* Reads up to the empty line. */
static void read_head(int fd)
{
    static char request[8192];
    size_t length = 0;
    ssize_t got;
    while (length < sizeof request - 1 && (got = recv(fd, request + length, sizeof request - 1 - length, 0)) > 0) {
        length += (size_t)got;
        request[length] = '\0';
        if (strstr(request, "\r\n\r\n"))
            break;
    }
    server_request = request;
}

static bool asked_for(const char *path)
{
    size_t length = strlen(path);
    return strncmp(server_request, "GET ", 4) == 0 && strncmp(server_request + 4, path, length) == 0 &&
           server_request[4 + length] == ' ';
}

static bool has_line(const char *line)
{
    const char *found = strstr(server_request, line);
    return found && found > server_request && found[-1] == '\n' && found[strlen(line)] == '\r';
}

static void wait_for_end(int fd)
{
    char byte;
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

/* --- good ones -------------------------------------------------------------------------------- */

static void serve_ok(int fd)
{
    read_head(fd);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    wait_for_end(fd); /* keeps the connection alive; the probe must not wait for us */
}

static void serve_http10(int fd)
{
    read_head(fd);
    say(fd, "HTTP/1.0 200 Fine\r\nServer: old\r\n\r\nread until I close");
}

static void serve_chunked(int fd)
{
    read_head(fd);
    say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nTrailer: x\r\n\r\n");
    wait_for_end(fd);
}

static void serve_continue(int fd)
{
    read_head(fd);
    say(fd, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    wait_for_end(fd);
}

static void serve_no_content(int fd)
{
    read_head(fd);
    say(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    wait_for_end(fd);
}

static void serve_late(int fd)
{
    read_head(fd);
    usleep(200000);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

/* Answers 200 only to exactly the request that the test has configured. */
static void serve_picky(int fd)
{
    read_head(fd);
    bool good = asked_for("/a/../healthz?deep=1&x=%20") && has_line("Host: www.example.org:81") &&
                has_line("User-Agent: bluegreen-probe/" BLUEGREEN_VERSION) && has_line("Connection: close") &&
                !strstr(server_request, "Authorization") && !strstr(server_request, "Cookie");
    say(fd, good ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                 : "HTTP/1.1 400 Other Request\r\nContent-Length: 0\r\n\r\n");
    if (!good)
        fprintf(stderr, "    the request was:\n%s", server_request);
    wait_for_end(fd);
}

static void serve_503(int fd)
{
    read_head(fd);
    say(fd, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nwait");
}

static void serve_no_phrase(int fd)
{
    read_head(fd);
    say(fd, "HTTP/1.1 500\r\nContent-Length: 0\r\n\r\n");
}

/* --- redirects -------------------------------------------------------------------------------- */

static void redirect(int fd, const char *where)
{
    char answer[512];
    snprintf(answer, sizeof answer, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", where);
    say(fd, answer);
    wait_for_end(fd);
}

/* Every path but /there leads to /there, relative to the path or by the name in Host. */
static void serve_redirect_relative(int fd)
{
    read_head(fd);
    if (asked_for("/a/there?q=1") && has_line("Host: www.example.org"))
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    else
        redirect(fd, "there?q=1#part");
}

static void serve_redirect_to_name(int fd)
{
    read_head(fd);
    if (asked_for("/there"))
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    else
        redirect(fd, "http://WWW.example.org:80/there");
}

static void serve_redirect_loop(int fd)
{
    read_head(fd);
    redirect(fd, "/again");
}

static char server_elsewhere[128]; /* set before server_start */

static void serve_redirect_elsewhere(int fd)
{
    read_head(fd);
    redirect(fd, server_elsewhere);
}

/* --- broken and hostile ones ------------------------------------------------------------------ */

static void serve_garbage(int fd)
{
    read_head(fd);
    say_bytes(fd, "\0\1\2\xff\xfe not HTTP at all\r\n\r\n", 26);
    wait_for_end(fd);
}

static void serve_ssh(int fd)
{
    say(fd, "SSH-2.0-OpenSSH_9.2p1\r\n");
    wait_for_end(fd);
}

static void serve_escape_codes(int fd)
{
    read_head(fd);
    say(fd, "HTTP/1.1 500 \x1b[2J\x07 \xff and a phrase that is far longer than any phrase ever has "
            "to be, so that it must be cut\r\nContent-Length: 0\r\n\r\n");
    wait_for_end(fd);
}

static void serve_status_999(int fd)
{
    read_head(fd);
    say(fd, "HTTP/1.1 999 Nonsense\r\nContent-Length: 0\r\n\r\n");
    wait_for_end(fd);
}

static void serve_endless_headers(int fd)
{
    read_head(fd);
    say(fd, "HTTP/1.1 200 OK\r\n");
    while (say(fd, "X-More: and more and more and more and more and more and more\r\n"))
        ;
}

static void serve_endless_header_line(int fd)
{
    read_head(fd);
    say(fd, "HTTP/1.1 200 OK\r\nX-Long: ");
    while (say(fd, "and more and more and more and more and more and more and more and more "))
        ;
}

static void serve_endless_continue(int fd)
{
    read_head(fd);
    while (say(fd, "HTTP/1.1 100 Continue\r\n\r\n"))
        ;
}

static void endless_body(int fd, const char *head)
{
    static const char block[4096];
    read_head(fd);
    say(fd, head);
    while (say_bytes(fd, block, sizeof block))
        ;
}

static void serve_endless_body(int fd)
{
    endless_body(fd, "HTTP/1.1 200 OK\r\n\r\n");
}

static void serve_endless_503(int fd)
{
    endless_body(fd, "HTTP/1.1 503 Busy\r\nContent-Length: 99999999999\r\n\r\n");
}

static void serve_short_body(int fd)
{
    read_head(fd);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nless than that");
}

static void serve_bad_length(int fd)
{
    read_head(fd);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n");
}

static void drip(int fd, const char *text)
{
    while (say_bytes(fd, text, 1)) {
        usleep(50000);
        text += text[1] != '\0'; /* the last character for ever */
    }
}

static void serve_drip_status(int fd)
{
    read_head(fd);
    drip(fd, "HTTP/1.1 200 OOOOOOOOOOOOOOOOOOOOOOOOOOOOOO");
}

static void serve_drip_headers(int fd)
{
    read_head(fd);
    say(fd, "HTTP/1.1 200 OK\r\n");
    drip(fd, "X-Slow: yyyyyy");
}

static void serve_drip_body(int fd)
{
    read_head(fd);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    drip(fd, "zzz");
}

static void serve_silence(int fd)
{
    wait_for_end(fd);
}

static void serve_reset(int fd)
{
    read_head(fd);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
}

static void serve_reset_in_body(int fd)
{
    read_head(fd);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
    usleep(50000);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
}

static void serve_close(int fd)
{
    read_head(fd);
}

static void serve_close_at_once(int fd)
{
    (void)fd;
}

/* --- running them ----------------------------------------------------------------------------- */

/* A listening socket on an unused loopback port; -1 if the family has no loopback here. */
static int listen_on_loopback(int family, int backlog, uint16_t *port)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *address = family == AF_INET6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in;
    socklen_t length = family == AF_INET6 ? sizeof in6 : sizeof in;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, address, length) < 0 || listen(fd, backlog) < 0 || getsockname(fd, address, &length) < 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *port = ntohs(family == AF_INET6 ? in6.sin6_port : in.sin_port);
    return fd;
}

static void serve_for_ever(int listener, server_function *serve)
{
    signal(SIGCHLD, SIG_IGN); /* nobody waits for the processes of the connections */
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        pid_t parent = getpid();
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(listener);
            if (getppid() == parent)
                serve(fd);
            _exit(0);
        }
        close(fd);
    }
}

/* False if this family has no loopback address here. */
static bool server_start(struct server *server, int family, server_function *serve)
{
    *server = (struct server){.family = family};
    int listener = listen_on_loopback(family, SOMAXCONN, &server->port);
    if (listener < 0)
        return false;
    fflush(stdout);
    pid_t parent = getpid();
    server->pid = fork();
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            serve_for_ever(listener, serve);
        _exit(0);
    }
    close(listener);
    return server->pid > 0;
}

static void server_stop(struct server *server)
{
    if (server->pid > 0)
        kill(server->pid, SIGKILL);
    server->pid = 0;
}
