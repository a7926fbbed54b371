/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listening sockets that the app takes over, as sd_listen_fds(3) has it: made before it starts and kept while it is
 * started again, so that clients wait in the kernel's queue instead of being refused. The app may do to them whatever
 * it likes, for they are its own; what matters of that is undone before the next start.
 */
#include "shim/shim.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Both families, where the kernel has both. */
static int bind_any(int fd, int family, uint16_t port)
{
    static const int on = 1, off = 0;
    const struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    const struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return -1;
    if (family == AF_INET)
        return bind(fd, (const struct sockaddr *)&any4, sizeof any4);
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0)
        return -1;
    return bind(fd, (const struct sockaddr *)&any6, sizeof any6);
}

static int make_socket(const struct shim_listen *listen)
{
    int type = (listen->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, family = AF_INET6;
    CLEANUP_FD int fd = socket(family, type, 0);
    if (fd < 0 && errno == EAFNOSUPPORT) {
        family = AF_INET;
        fd = socket(family, type, 0);
    }
    return fd < 0 || bind_any(fd, family, (uint16_t)listen->port) < 0 ? -1 : steal_fd(&fd);
}

static bool is_for(const struct listener *listener, const struct shim_listen *wanted)
{
    return listener->port == wanted->port && listener->protocol == wanted->protocol;
}

/* A socket that is there already stays, with whoever waits there. */
static int take_or_make(struct shim *shim, const struct shim_listen *wanted)
{
    for (size_t i = 0; i < shim->listener_count; i++) {
        if (shim->listeners[i].fd >= 0 && is_for(&shim->listeners[i], wanted))
            return steal_fd(&shim->listeners[i].fd);
    }
    return make_socket(wanted);
}

/* As new, whatever the last one has made of it: listening again after shutdown(2), blocking as one that is inherited
 * usually is. */
static int renew(const struct listener *listener)
{
    if (listener->protocol == IPPROTO_TCP && listen(listener->fd, SOMAXCONN) < 0)
        return -1;
    return fcntl(listener->fd, F_SETFL, 0);
}

void listeners_close(struct shim *shim)
{
    for (size_t i = 0; i < shim->listener_count; i++)
        close_fd(&shim->listeners[i].fd);
    shim->listener_count = 0;
}

int listeners_open(struct shim *shim, const struct child *child, struct sandbox_failure *failure)
{
    const struct shim_start *start = &child->start;
    struct listener fresh[SHIM_LISTENS_MAX];
    if (child != shim->children) /* the app's main process has them, and nobody else */
        return 0;
    for (size_t i = 0; i < start->listen_count; i++) {
        const struct shim_listen *wanted = &start->listens[i];
        fresh[i] = (struct listener){
            .fd = take_or_make(shim, wanted), .port = (uint16_t)wanted->port, .protocol = wanted->protocol};
        if (fresh[i].fd >= 0 && renew(&fresh[i]) == 0)
            continue;
        *failure = (struct sandbox_failure){.stage = SHIM_STAGE_LISTEN, .error = (uint32_t)errno};
        text_copy(failure->object, sizeof failure->object, wanted->name);
        for (size_t j = 0; j <= i; j++)
            close_fd(&fresh[j].fd);
        return -1;
    }
    listeners_close(shim); /* those that are not asked for any more */
    memcpy(shim->listeners, fresh, start->listen_count * sizeof *fresh);
    shim->listener_count = start->listen_count;
    return 0;
}

/* --- the environment ------------------------------------------------------------------------------------ */

static void name_variables(struct shim *shim, const struct shim_start *start)
{
    size_t used = (size_t)snprintf(shim->listen_names, sizeof shim->listen_names, "LISTEN_FDNAMES=");
    snprintf(shim->listen_fds, sizeof shim->listen_fds, "LISTEN_FDS=%zu", start->listen_count);
    for (size_t i = 0; i < start->listen_count && used < sizeof shim->listen_names; i++)
        used += (size_t)snprintf(shim->listen_names + used, sizeof shim->listen_names - used, "%s%s", i ? ":" : "",
                                 start->listens[i].name);
}

/* What was asked for, with ours instead of what that says of the same names. LISTEN_PID is the process's own to fill
 * in: nobody else knows it before. */
char **listeners_environment(struct shim *shim, const struct shim_start *start)
{
    size_t kept = 0;
    char **environment = calloc(start->variable_count + 4, sizeof *environment);
    if (!environment)
        return NULL;
    for (size_t i = 0; i < start->variable_count; i++) {
        if (!text_starts_with(start->environment[i], "LISTEN_"))
            environment[kept++] = start->environment[i];
    }
    name_variables(shim, start);
    environment[kept++] = shim->listen_fds;
    environment[kept++] = shim->listen_names;
    environment[kept++] = shim->listen_pid;
    return environment;
}
