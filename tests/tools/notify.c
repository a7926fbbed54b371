/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify [-n COUNT] [-f] TEXT...: sends each TEXT to $NOTIFY_SOCKET, as sd_notify(3) would, COUNT times over; with -f
 * with a descriptor beside it. "\n" in a TEXT is a line's end.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (from[0] == '\\' && from[1] == 'n') {
            *to++ = '\n';
            from++;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

static int send_text(int fd, const char *text, int with_descriptor)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)text, .iov_len = strlen(text)};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (with_descriptor) {
        header.msg_control = control.space;
        header.msg_controllen = sizeof control.space;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    return sendmsg(fd, &header, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int main(int argument_count, char *arguments[])
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    long count = 1;
    int with_descriptor = 0, option;
    while ((option = getopt(argument_count, arguments, "n:f")) > 0) {
        if (option == 'n')
            count = atol(optarg);
        else if (option == 'f')
            with_descriptor = 1;
        else
            return 2;
    }
    if (!name || strlen(name) >= sizeof address.sun_path) {
        fprintf(stderr, "notify: NOTIFY_SOCKET is not set\n");
        return 1;
    }
    memcpy(address.sun_path, name, strlen(name));
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))) < 0) {
        fprintf(stderr, "notify: connect to %s: %s\n", name, strerror(errno));
        return 1;
    }
    for (int i = optind; i < argument_count; i++)
        unescape(arguments[i]);
    for (long round = 0; round < count; round++) {
        for (int i = optind; i < argument_count; i++) {
            if (send_text(fd, arguments[i], with_descriptor) < 0) {
                fprintf(stderr, "notify: send: %s\n", strerror(errno));
                return 1;
            }
        }
    }
    return 0;
}
