/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients and the api role: the monitor accepts, finds out who it is and what they may do, and hands the connection
 * over. What comes back from the role are requests; not one byte of a client is read here.
 */
#include "agent/agent.h"

#include "base/cleanup.h"
#include "os/log.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    /* The api role has limits of 64 and 32 and says so to who exceeds them; these are for a flood that it cannot answer
     * fast enough. root is not counted: the last word is always heard. */
    CLIENTS_MAX = 96,
    CLIENTS_PER_USER_MAX = 48,
    GROUPS_MAX = 256, /* supplementary groups looked at; Linux allows 65536, nobody has them */
    LISTEN_PAUSE_MS = 200,
    RESPAWN_MS = 100,
    RESPAWN_MAX_SHIFT = 7, /* 100 ms doubled up to 12.8 s */
    API_END_MS = 1000,     /* what the role may take to pass on the last answers when the agent ends */
};

struct client *client_find(struct agent *agent, uint64_t id)
{
    struct client *client;
    list_for_each(client, &agent->clients, link)
    {
        if (client->id == id)
            return client;
    }
    return NULL;
}

static void client_forget(struct client *client)
{
    list_remove(&client->link);
    free(client);
}

/* --- who is it ---------------------------------------------------------------------------------- */

static bool in_operator_group(struct agent *agent, int fd, gid_t primary)
{
    if (!agent->have_operator_gid)
        return false;
    if (primary == agent->operator_gid)
        return true;
    gid_t groups[GROUPS_MAX];
    socklen_t size = sizeof groups;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
        return false;
    for (size_t i = 0; i < size / sizeof *groups; i++) {
        if (groups[i] == agent->operator_gid)
            return true;
    }
    return false;
}

const char *client_name(struct client *client)
{
    if (client->who[0])
        return client->who;
    const struct passwd *entry = client->may_operate ? getpwuid(client->uid) : NULL;
    if (entry)
        snprintf(client->who, sizeof client->who, "%.40s (uid %u)", entry->pw_name, client->uid);
    else
        snprintf(client->who, sizeof client->who, "uid %u", client->uid);
    text_sanitise(client->who);
    return client->who;
}

static bool too_many(struct agent *agent, uid_t uid)
{
    size_t all = 0, same = 0;
    struct client *client;
    list_for_each(client, &agent->clients, link)
    {
        all++;
        same += client->uid == uid;
    }
    return uid != 0 && (all >= CLIENTS_MAX || same >= CLIENTS_PER_USER_MAX);
}

static struct client *client_new(struct agent *agent, int fd, pid_t *pid)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || too_many(agent, peer.uid))
        return NULL;
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    *client = (struct client){.id = ++agent->last_client_id, .uid = peer.uid};
    client->may_operate = peer.uid == 0 || in_operator_group(agent, fd, peer.gid);
    list_append(&agent->clients, &client->link);
    *pid = peer.pid;
    return client;
}

/* Who cannot be accepted now stays in the queue; without a pause the loop would spin on it. */
static void pause_listening(struct agent *agent)
{
    log_warning("a connection cannot be accepted: %s; trying again in %d ms", strerror(errno), LISTEN_PAUSE_MS);
    loop_set_events(agent->listen_source, 0);
    loop_timer_arm(agent->listen_timer, LISTEN_PAUSE_MS);
}

static void on_listen_timer(void *context)
{
    loop_set_events(((struct agent *)context)->listen_source, EPOLLIN);
}

static void on_connection(void *context, int listen_fd, uint32_t events)
{
    struct agent *agent = context;
    (void)events;
    CLEANUP_FD int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_listening(agent);
        return;
    }
    pid_t pid = 0;
    struct client *client = agent->api.process.pid ? client_new(agent, fd, &pid) : NULL;
    if (!client) {
        log_debug("a connection was closed: too many of them, or the api role is not there");
        return;
    }
    struct wire_client message = {
        .header = {.type = WIRE_CLIENT, .version = WIRE_VERSION, .length = sizeof message, .client = client->id},
        .uid = client->uid,
        .pid = pid,
        .may_operate = client->may_operate,
    };
    if (message_send(agent->api.process.channel, &message, sizeof message, &fd, 1) < 0)
        client_forget(client);
}

/* --- the api role ---------------------------------------------------------------------------------- */

void client_send(struct agent *agent, void *message, uint64_t client, uint64_t request, enum wire_type type,
                 size_t length)
{
    struct wire_header *header = message;
    *header = (struct wire_header){.type = (uint16_t)type,
                                   .version = WIRE_VERSION,
                                   .length = (uint32_t)length,
                                   .client = client,
                                   .request = request};
    if (agent->api.process.pid == 0)
        return;
    int result = message_send(agent->api.process.channel, message, length, NULL, 0);
    if (result == -EAGAIN) { /* it reads only its own socket and never waits: it hangs */
        log_error("the api role does not take messages; it is killed and started again");
        kill(agent->api.process.pid, SIGKILL);
    }
}

static int start_api(struct agent *agent, struct error *err);

static void on_respawn(void *context)
{
    struct agent *agent = context;
    struct error err = {0};
    if (start_api(agent, &err) == 0)
        return;
    log_error("%s", err.text);
    loop_timer_arm(agent->api.respawn_timer, (uint64_t)RESPAWN_MS << RESPAWN_MAX_SHIFT);
}

static void forget_api(struct agent *agent)
{
    loop_remove_fd(agent->api.source);
    loop_remove_fd(agent->api.exit_source);
    agent->api.source = agent->api.exit_source = NULL;
    process_forget(&agent->api.process);
    requests_of_client_gone(agent, 0);
    struct client *client;
    list_for_each(client, &agent->clients, link) client_forget(client);
}

static void on_api_exit(void *context, int fd, uint32_t events)
{
    struct agent *agent = context;
    int status = 0;
    (void)fd;
    (void)events;
    waitpid(agent->api.process.pid, &status, 0);
    log_error("the api role ended (%s %d) and is started again; zones and traffic do not notice",
              WIFSIGNALED(status) ? "signal" : "code", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    forget_api(agent);
    uint32_t shift = agent->api.failures < RESPAWN_MAX_SHIFT ? agent->api.failures : RESPAWN_MAX_SHIFT;
    agent->api.failures++;
    loop_timer_arm(agent->api.respawn_timer, (uint64_t)RESPAWN_MS << shift);
}

static void on_api_message(void *context, int fd, uint32_t events)
{
    struct agent *agent = context;
    union {
        struct wire_header header;
        struct wire_request request;
        char bytes[WIRE_MESSAGE_MAX];
    } message;
    ssize_t got = message_receive(fd, &message, sizeof message, NULL, NULL);
    if (got == 0 || (got < 0 && got != -EAGAIN && got != -EMSGSIZE)) {
        loop_remove_fd(agent->api.source); /* its exit is next */
        agent->api.source = NULL;
        return;
    }
    if (got < 0)
        return;
    if (!wire_message_valid(&message, (size_t)got) || message.header.type < WIRE_REQUEST) {
        log_error("the api role sent what is no message; it is killed and started again");
        kill(agent->api.process.pid, SIGKILL);
        return;
    }
    agent->api.failures = 0;
    if (message.header.type == WIRE_GONE) {
        struct client *client = client_find(agent, message.header.client);
        requests_of_client_gone(agent, message.header.client ? message.header.client : UINT64_MAX);
        if (client)
            client_forget(client);
        return;
    }
    request_handle(agent, &message.request, (size_t)got);
    (void)events;
}

static int start_api(struct agent *agent, struct error *err)
{
    char role[] = "--role=api";
    char *argv[] = {(char *)agent->options.self, role, NULL};
    int result = process_start(argv, &agent->api.process, err);
    if (result < 0)
        return error_prefix(err, "start the api role");
    int buffer = 4 << 20; /* a status of a thousand apps is sent without waiting */
    setsockopt(agent->api.process.channel, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
    agent->api.source = loop_add_fd(agent->loop, agent->api.process.channel, EPOLLIN, on_api_message, agent);
    agent->api.exit_source = loop_add_fd(agent->loop, agent->api.process.pidfd, EPOLLIN, on_api_exit, agent);
    if (!agent->api.source || !agent->api.exit_source)
        return error_errno(err, errno, "watch the api role");
    return 0;
}

/* --- the socket ------------------------------------------------------------------------------------ */

static int bind_socket(int fd, const struct sockaddr_un *address, struct error *err)
{
    CLEANUP_FD int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe >= 0 && connect(probe, (const struct sockaddr *)address, sizeof *address) == 0)
        return error_set(
            err, EADDRINUSE,
            "listen on %s: another agent answers there; stop it first, or use --run DIR and [agent] instance",
            address->sun_path);
    struct stat status;
    if (lstat(address->sun_path, &status) == 0 && !S_ISSOCK(status.st_mode))
        return error_set(err, EEXIST,
                         "listen on %s: something that is no socket is there; move it away or use --run DIR",
                         address->sun_path);
    if (unlink(address->sun_path) < 0 && errno != ENOENT)
        return error_errno(err, errno, "replace %s", address->sun_path);
    /* Everybody may connect and look; who may operate is decided by the peer's groups. */
    mode_t former = umask(0111);
    int result = bind(fd, (const struct sockaddr *)address, sizeof *address);
    umask(former);
    if (result < 0 || listen(fd, SOMAXCONN) < 0)
        return error_errno(err, errno, "listen on %s", address->sun_path);
    return 0;
}

/* Inherited from systemd (sd_listen_fds(3)): the first passed descriptor. */
static int inherited_socket(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    bool ours = pid && count && strtol(pid, NULL, 10) == (long)getpid() && strtol(count, NULL, 10) == 1;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    return ours ? 3 : -1;
}

static int open_socket(struct agent *agent, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int inherited = inherited_socket();
    if (inherited >= 0) {
        agent->listen_fd = inherited;
        return 0;
    }
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/control.sock", agent->options.run_dir);
    if (length < 0 || (size_t)length >= sizeof address.sun_path)
        return error_set(err, ENAMETOOLONG,
                         "listen on %s/control.sock: UNIX sockets allow 107 characters; choose a shorter --run DIR",
                         agent->options.run_dir);
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_errno(err, errno, "open the control socket");
    int result = bind_socket(fd, &address, err);
    if (result == 0)
        agent->listen_fd = steal_fd(&fd);
    return result;
}

static void find_operators(struct agent *agent)
{
    struct error err = {0};
    agent->have_operator_gid = group_find(agent->conf.group, &agent->operator_gid, &err) == 0;
    if (!agent->have_operator_gid)
        log_warning("%s; until then only root may operate", err.text);
}

int clients_listen(struct agent *agent, struct error *err)
{
    struct user_ids ids;
    int result = user_find(API_USER, &ids, err);
    return result < 0 ? error_prefix(err, "prepare the api role") : open_socket(agent, err);
}

int clients_open(struct agent *agent, struct error *err)
{
    find_operators(agent);
    agent->api.respawn_timer = loop_timer_new(agent->loop, on_respawn, agent);
    agent->listen_timer = loop_timer_new(agent->loop, on_listen_timer, agent);
    if (!agent->api.respawn_timer || !agent->listen_timer)
        return error_errno(err, ENOMEM, "start the api role");
    int result = start_api(agent, err);
    if (result < 0)
        return result;
    agent->listen_source = loop_add_fd(agent->loop, agent->listen_fd, EPOLLIN, on_connection, agent);
    return agent->listen_source ? 0 : error_errno(err, errno, "watch the control socket");
}

void clients_close(struct agent *agent)
{
    if (agent->api.process.pid) {
        pid_t pid = agent->api.process.pid;
        struct pollfd ended = {.fd = agent->api.process.pidfd, .events = POLLIN};
        loop_remove_fd(agent->api.source);
        agent->api.source = NULL;
        close_fd(&agent->api.process.channel); /* it ends when its channel does */
        if (poll(&ended, 1, API_END_MS) != 1)
            kill(pid, SIGKILL);
        forget_api(agent);
        waitpid(pid, NULL, 0);
    }
    loop_timer_free(agent->api.respawn_timer);
    loop_timer_free(agent->listen_timer);
    close_fd(&agent->listen_fd);
}
