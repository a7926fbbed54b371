/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sd_notify protocol: a datagram to $NOTIFY_SOCKET. Ten lines, so the agent runs without libsystemd too. */
#include "os/notify.h"

#include "base/cleanup.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static void notify_send(const char *message)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* abstract */
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        sendto(fd, message, strlen(message), MSG_NOSIGNAL, (const struct sockaddr *)&address,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
}

void notify_ready(void)
{
    notify_send("READY=1");
}

void notify_reloading(uint64_t monotonic_us)
{
    char message[64];
    snprintf(message, sizeof message, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, monotonic_us);
    notify_send(message);
}

void notify_stopping(void)
{
    notify_send("STOPPING=1");
}
