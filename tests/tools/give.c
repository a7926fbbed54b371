/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * give SOCKET: a client of the agent who asks for the status, and sends with it a descriptor that takes ten minutes to
 * close: of a TCP connection with SO_LINGER whose peer does not read. Prints "refused" if the kernel does not let it,
 * "given" if it does and ours is closed, and keeps the control connection open until it is killed.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CALL "{\"method\":\"io.bluegreen.Agent.Status\"}"

static int stuck_connection(void)
{
    static char bytes[1 << 16];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    struct linger linger = {.l_onoff = 1, .l_linger = 600};
    int small = 2048, listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
        connect(fd, (struct sockaddr *)&address, size) < 0 || accept(listener, NULL, NULL) < 0)
        err(1, "make a connection");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (send(fd, bytes, sizeof bytes, 0) > 0)
        ;
    fcntl(fd, F_SETFL, 0);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    return fd;
}

static int agent_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        err(1, "connect to %s", path);
    return fd;
}

int main(int argc, char *argv[])
{
    if (argc != 2)
        errx(2, "usage: give SOCKET");
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec part = {.iov_base = (char[]){CALL}, .iov_len = sizeof CALL};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int agent = agent_at(argv[1]), stuck = stuck_connection();
    memcpy(CMSG_DATA(&control.header), &stuck, sizeof stuck);
    ssize_t sent = sendmsg(agent, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno != EPERM)
        err(1, "send the descriptor");
    if (sent >= 0)
        close(stuck); /* what is under way is the last one, if the agent has not looked yet */
    puts(sent < 0 ? "refused" : "given");
    fflush(stdout);
    pause();
}
