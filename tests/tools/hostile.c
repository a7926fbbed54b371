/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostile stop | linger | flood: an app that does to its shim what it can.
 *
 *   stop     stops whatever process comes next, by guessing its number
 *   linger   sends to $NOTIFY_SOCKET a descriptor whose last close waits for ten minutes, behind messages that keep the
 *            shim from reading it before this process has closed its own
 *   flood    says READY=1 and takes it back, as fast as it can
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void stop(void)
{
    for (;;) {
        pid_t last = fork();
        if (last == 0)
            _exit(0);
        waitpid(last, NULL, 0);
        for (int tries = 0; tries < 200000; tries++) {
            if (kill(last + 1 + tries % 3, SIGSTOP) == 0)
                break;
        }
    }
}

static int notify_socket(void)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!name || name[0] != '@' || strlen(name) >= sizeof address.sun_path)
        exit(2);
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))) <
        0)
        exit(3);
    return fd;
}

/* A connection with unread bytes, whose close waits until somebody reads them. */
static int lingering(void)
{
    static char bytes[65536];
    const struct linger linger = {.l_onoff = 1, .l_linger = 600};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), small = 2048;
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) < 0 || accept(listener, NULL, NULL) < 0)
        exit(4);
    while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    return fd;
}

static void linger(void)
{
    int notify = notify_socket(), fd = lingering();
    char text[] = "STATUS=here";
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
    struct iovec part = {.iov_base = text, .iov_len = strlen(text)};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    while (send(notify, "STATUS=busy", 11, MSG_DONTWAIT) > 0)
        ;
    int sent = sendmsg(notify, &header, 0) >= 0, error = errno;
    if (sent) /* else it would be us who wait */
        close(fd);
    send(notify, "READY=1", 7, 0);
    printf("%s\n", sent ? "sent" : strerror(error));
    fflush(stdout);
    for (;;)
        pause();
}

static void flood(void)
{
    static const char line[] = "READY=1\nSTOPPING=1\n";
    char text[4096] = "";
    int fd = notify_socket();
    while (strlen(text) + sizeof line < sizeof text)
        strcat(text, line);
    for (;;)
        send(fd, text, strlen(text), 0);
}

int main(int argument_count, char *arguments[])
{
    static const struct {
        const char *name;
        void (*run)(void);
    } deeds[] = {{"stop", stop}, {"linger", linger}, {"flood", flood}};
    for (size_t i = 0; argument_count == 2 && i < sizeof deeds / sizeof *deeds; i++) {
        if (strcmp(arguments[1], deeds[i].name) == 0)
            deeds[i].run();
    }
    return 2;
}
