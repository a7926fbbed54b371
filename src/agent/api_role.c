/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The api role: started, listened to, and started again when it dies, talks nonsense or hangs. Whether it hangs is
 * asked while there are clients only, so that an agent that nobody talks to sleeps.
 */
#include "agent/api_role.h"

#include "agent/agent.h"
#include "agent/clients.h"
#include "agent/commands.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "model/wire_any.h"
#include "model/wire_command.h"
#include "os/log.h"
#include "os/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum {
    RESPAWN_MS = 100,
    RESPAWN_MAX_SHIFT = 7, /* 100 ms doubled up to 12.8 s */
    PING_MS = 1000,
    UNANSWERED_MAX = 3,
    END_MS = 1000, /* what it may take to pass on the last answers when the agent ends, or to die when it is killed */
};

/* Killed, and yet not gone: it waits in the kernel for what may never come. It is let lie. */
struct lost_role {
    struct list link;
    struct process process;
    struct loop_source *source;
};

static void kill_role(struct agent *agent, const char *why)
{
    if (agent->api.killed || agent->api.process.pid == 0)
        return;
    log_error("the api role %s; it is killed and started again", why);
    kill(agent->api.process.pid, SIGKILL);
    agent->api.killed = true;
    loop_timer_arm(agent->api.ping_timer, END_MS);
}

/* --- to it -------------------------------------------------------------------------------------------- */

void client_send_files(struct agent *agent, void *message, uint64_t client, uint64_t request, enum wire_type type,
                       size_t length, const int *fds, size_t fd_count)
{
    struct wire_header *header = message;
    *header = (struct wire_header){.type = (uint16_t)type,
                                   .version = WIRE_VERSION,
                                   .length = (uint32_t)length,
                                   .client = client,
                                   .request = request};
    if (agent->api.process.pid == 0)
        return;
    /* It reads only its own sockets and never waits: a full channel is one that hangs. Without memory for a message its
     * client would wait for ever; that the role has ended is told elsewhere. */
    int result = message_send(agent->api.process.channel, message, length, fds, fd_count);
    if (result < 0 && result != -EPIPE) {
        char why[128];
        snprintf(why, sizeof why, "does not take messages (%s)", strerror(-result));
        kill_role(agent, why);
    }
}

void client_send(struct agent *agent, void *message, uint64_t client, uint64_t request, enum wire_type type,
                 size_t length)
{
    client_send_files(agent, message, client, request, type, length, NULL, 0);
}

/* --- its end ------------------------------------------------------------------------------------------ */

static void respawn_later(struct agent *agent)
{
    uint32_t shift = agent->api.failures < RESPAWN_MAX_SHIFT ? agent->api.failures : RESPAWN_MAX_SHIFT;
    agent->api.failures++;
    loop_timer_arm(agent->api.respawn_timer, (uint64_t)RESPAWN_MS << shift);
}

static void forget_role(struct agent *agent)
{
    loop_timer_disarm(agent->api.ping_timer);
    loop_remove_fd(agent->api.source);
    loop_remove_fd(agent->api.exit_source);
    agent->api.source = agent->api.exit_source = NULL;
    process_forget(&agent->api.process);
    requests_of_client_gone(agent, 0);
    commands_of_client_gone(agent, 0);
    struct client *client;
    list_for_each(client, &agent->clients, link) client_forget(client);
}

static void on_exit_of_role(void *context, int fd, uint32_t events)
{
    struct agent *agent = context;
    int status = 0;
    (void)fd;
    (void)events;
    waitpid(agent->api.process.pid, &status, 0);
    log_error("the api role ended (%s %d) and is started again; zones and traffic do not notice",
              WIFSIGNALED(status) ? "signal" : "code", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    forget_role(agent);
    respawn_later(agent);
}

static void forget_lost(struct lost_role *lost)
{
    loop_remove_fd(lost->source);
    waitpid(lost->process.pid, NULL, WNOHANG);
    process_forget(&lost->process);
    list_remove(&lost->link);
    free(lost);
}

static void on_exit_of_lost(void *context, int fd, uint32_t events)
{
    (void)fd;
    (void)events;
    forget_lost(context);
}

/* False: there is no memory to remember it by. */
static bool let_lie(struct agent *agent)
{
    struct lost_role *lost = calloc(1, sizeof *lost);
    if (!lost)
        return false;
    loop_remove_fd(agent->api.exit_source);
    agent->api.exit_source = NULL;
    close(agent->api.process.channel);
    lost->process = (struct process){.pid = agent->api.process.pid, .pidfd = agent->api.process.pidfd, .channel = -1};
    agent->api.process.pidfd = agent->api.process.channel = -1;
    lost->source = loop_add_fd(agent->loop, lost->process.pidfd, EPOLLIN, on_exit_of_lost, lost);
    list_append(&agent->api.lost, &lost->link);
    return true;
}

static void on_ping_timer(void *context)
{
    struct agent *agent = context;
    struct role *role = &agent->api;
    if (role->process.pid == 0)
        return;
    if (role->killed) {
        log_error("the api role (pid %d) does not die of SIGKILL; another one takes its place", (int)role->process.pid);
        if (!let_lie(agent)) {
            loop_timer_arm(role->ping_timer, END_MS);
            return;
        }
        forget_role(agent);
        respawn_later(agent);
        return;
    }
    if (list_empty(&agent->clients)) {
        role->watched = false;
        return;
    }
    if (role->unanswered >= UNANSWERED_MAX) {
        kill_role(agent, "does not answer");
        return;
    }
    struct wire_header ping;
    role->unanswered++;
    loop_timer_arm(role->ping_timer, PING_MS);
    client_send(agent, &ping, 0, 0, WIRE_PING, sizeof ping);
}

void api_role_watch(struct agent *agent)
{
    if (agent->api.killed || agent->api.watched)
        return;
    agent->api.watched = true;
    loop_timer_arm(agent->api.ping_timer, PING_MS);
}

/* --- from it ------------------------------------------------------------------------------------------ */

static void on_client_gone(struct agent *agent, uint64_t id)
{
    struct client *client = client_find(agent, id);
    requests_of_client_gone(agent, id ? id : UINT64_MAX);
    commands_of_client_gone(agent, id ? id : UINT64_MAX);
    if (client)
        client_forget(client);
}

union from_role {
    struct wire_header header;
    struct wire_request request;
    struct wire_command command;
};

static void take_message(struct agent *agent, const union from_role *message, size_t length)
{
    agent->api.unanswered = 0;
    if (message->header.type == WIRE_PONG)
        return;
    agent->api.failures = 0;
    if (message->header.type == WIRE_GONE)
        on_client_gone(agent, message->header.client);
    else if (message->header.type == WIRE_COMMAND)
        handle_exec(agent, &message->command);
    else
        request_handle(agent, &message->request, length);
}

static void on_message(void *context, int fd, uint32_t events)
{
    struct agent *agent = context;
    static union from_role message;
    (void)events;
    ssize_t got = message_receive(fd, &message, sizeof message, NULL, NULL);
    if (got == 0 || (got < 0 && got != -EAGAIN && got != -EMSGSIZE)) {
        loop_remove_fd(agent->api.source); /* its exit is next */
        agent->api.source = NULL;
        return;
    }
    if (got == -EAGAIN)
        return;
    if (got < 0 || !wire_message_valid(&message, (size_t)got) || message.header.type < WIRE_REQUEST)
        kill_role(agent, "sent what is no message");
    else
        take_message(agent, &message, (size_t)got);
}

/* --- its start ---------------------------------------------------------------------------------------- */

static int start(struct agent *agent, struct error *err)
{
    char user[] = API_USER;
    char *argv[] = {(char *)agent->options.api_path, user, NULL};
    int result = process_start(argv, &agent->api.process, err);
    if (result < 0)
        return error_prefix(err, "start the api role");
    int buffer = 4 << 20; /* a status of a thousand apps is sent without waiting */
    setsockopt(agent->api.process.channel, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
    agent->api.killed = agent->api.watched = false;
    agent->api.unanswered = 0;
    agent->api.source = loop_add_fd(agent->loop, agent->api.process.channel, EPOLLIN, on_message, agent);
    agent->api.exit_source = loop_add_fd(agent->loop, agent->api.process.pidfd, EPOLLIN, on_exit_of_role, agent);
    if (!agent->api.source || !agent->api.exit_source)
        return error_errno(err, errno, "watch the api role");
    return 0;
}

static void on_respawn(void *context)
{
    struct agent *agent = context;
    struct error err = {0};
    if (start(agent, &err) == 0)
        return;
    log_error("%s", err.text);
    loop_timer_arm(agent->api.respawn_timer, (uint64_t)RESPAWN_MS << RESPAWN_MAX_SHIFT);
}

int api_role_start(struct agent *agent, struct error *err)
{
    agent->api.respawn_timer = loop_timer_new(agent->loop, on_respawn, agent);
    agent->api.ping_timer = loop_timer_new(agent->loop, on_ping_timer, agent);
    if (!agent->api.respawn_timer || !agent->api.ping_timer)
        return error_errno(err, ENOMEM, "start the api role");
    return start(agent, err);
}

/* However it hangs, the agent's end does not wait for it. */
static void end_process(struct agent *agent)
{
    struct pollfd ended = {.fd = agent->api.process.pidfd, .events = POLLIN};
    pid_t pid = agent->api.process.pid;
    loop_remove_fd(agent->api.source);
    agent->api.source = NULL;
    close(agent->api.process.channel); /* it ends when its channel does */
    agent->api.process.channel = -1;
    if (poll(&ended, 1, END_MS) != 1) {
        kill(pid, SIGKILL);
        poll(&ended, 1, END_MS);
    }
    waitpid(pid, NULL, WNOHANG);
}

void api_role_end(struct agent *agent)
{
    struct lost_role *lost;
    if (agent->api.process.pid) {
        end_process(agent);
        forget_role(agent);
    }
    list_for_each(lost, &agent->api.lost, link) forget_lost(lost);
    loop_timer_free(agent->api.respawn_timer);
    loop_timer_free(agent->api.ping_timer);
}
