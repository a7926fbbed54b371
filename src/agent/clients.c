/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients: the monitor accepts, finds out who it is and what they may do, and hands the connection over to the api role
 * (api_role.c). Not one byte of a client is read here.
 */
#include "agent/clients.h"

#include "agent/agent.h"
#include "agent/api_role.h"
#include "base/cleanup.h"
#include "os/log.h"
#include "os/process.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    /* The api role has lower ones (api/api.h), and says so to who exceeds them; these are for a flood that it cannot
     * answer fast enough. What the others have does not count against root. */
    CLIENTS_MAX = 192,
    CLIENTS_PER_USER_MAX = 48,
    CLIENTS_OF_ROOT_MAX = 96,
    GROUPS_MAX = 256, /* supplementary groups looked at; Linux allows 65536, nobody has them */
    LISTEN_PAUSE_MS = 200,
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

void client_forget(struct client *client)
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
    if (uid == 0)
        return same >= CLIENTS_OF_ROOT_MAX;
    return all >= CLIENTS_MAX || same >= CLIENTS_PER_USER_MAX;
}

static int client_new(struct agent *agent, int fd, struct client **out, pid_t *pid)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    if (too_many(agent, peer.uid))
        return -EUSERS;
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        return -ENOMEM;
    *client = (struct client){.id = ++agent->last_client_id, .uid = peer.uid};
    client->may_operate = peer.uid == 0 || in_operator_group(agent, fd, peer.gid);
    list_append(&agent->clients, &client->link);
    *pid = peer.pid;
    *out = client;
    return 0;
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
    struct client *client = NULL;
    int result = agent->api.process.pid ? client_new(agent, fd, &client, &pid) : -ENOTCONN;
    if (result == -EUSERS || result == -ENOTCONN) /* anybody can have that said as often as they like */
        log_debug("a connection was closed: too many of them, or the api role is not there");
    else if (result < 0)
        log_warning("a connection was closed: find out who it is: %s", strerror(-result));
    if (!client)
        return;
    struct wire_client message = {
        .header = {.type = WIRE_CLIENT, .version = WIRE_VERSION, .length = sizeof message, .client = client->id},
        .uid = client->uid,
        .pid = pid,
        .may_operate = client->may_operate,
    };
    result = message_send(agent->api.process.channel, &message, sizeof message, &fd, 1);
    if (result < 0) {
        log_warning("a connection of uid %u was closed: hand it to the api role: %s", client->uid, strerror(-result));
        client_forget(client);
    }
    api_role_watch(agent);
}

/* --- the socket ------------------------------------------------------------------------------------ */

static int socket_address(const struct agent *agent, struct sockaddr_un *address, struct error *err)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(address->sun_path, sizeof address->sun_path, "%s/control.sock", agent->options.run_dir);
    if (length < 0 || (size_t)length >= sizeof address->sun_path)
        return error_set(err, ENAMETOOLONG,
                         "listen on %s/control.sock: UNIX sockets allow 107 characters; choose a shorter --run DIR",
                         agent->options.run_dir);
    return 0;
}

/* 1: somebody does, 0: nobody, or why that cannot be found out. */
static int somebody_answers(const struct sockaddr_un *address, struct error *err)
{
    CLEANUP_FD int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return error_errno(err, errno, "look whether another agent answers on %s", address->sun_path);
    return connect(probe, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN;
}

static int bind_socket(int fd, const struct sockaddr_un *address, struct error *err)
{
    int answered = somebody_answers(address, err);
    if (answered < 0)
        return answered;
    if (answered)
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
    struct sockaddr_un address;
    struct stat status;
    int inherited = inherited_socket();
    if (inherited >= 0) {
        agent->listen_fd = inherited;
        message_refuse_descriptors(inherited);
        return 0;
    }
    int result = socket_address(agent, &address, err);
    if (result < 0)
        return result;
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_errno(err, errno, "open the control socket");
    message_refuse_descriptors(fd);
    result = bind_socket(fd, &address, err);
    if (result < 0)
        return result;
    agent->listen_fd = steal_fd(&fd);
    agent->socket_inode = lstat(address.sun_path, &status) == 0 ? status.st_ino : 0;
    return 0;
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
    agent->listen_timer = loop_timer_new(agent->loop, on_listen_timer, agent);
    if (!agent->listen_timer)
        return error_errno(err, ENOMEM, "watch the control socket");
    int result = api_role_start(agent, err);
    if (result < 0)
        return result;
    agent->listen_source = loop_add_fd(agent->loop, agent->listen_fd, EPOLLIN, on_connection, agent);
    return agent->listen_source ? 0 : error_errno(err, errno, "watch the control socket");
}

void clients_close(struct agent *agent)
{
    struct sockaddr_un address;
    struct stat status;
    api_role_end(agent);
    loop_timer_free(agent->listen_timer);
    /* Only our own: whoever moved it away may have put another agent's there. */
    if (agent->socket_inode && socket_address(agent, &address, NULL) == 0 && lstat(address.sun_path, &status) == 0 &&
        status.st_ino == agent->socket_inode)
        unlink(address.sun_path);
    close_fd(&agent->listen_fd);
}

void clients_remove_socket(struct agent *agent)
{
    struct sockaddr_un address;
    struct stat status;
    if (socket_address(agent, &address, NULL) == 0 && lstat(address.sun_path, &status) == 0 &&
        S_ISSOCK(status.st_mode) && somebody_answers(&address, NULL) == 0)
        unlink(address.sun_path);
}
