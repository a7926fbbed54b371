/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection to the agent. */
#include "client/connection.h"

#include "base/json_ascii.h"
#include "client/decode.h"
#include "client/errors.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/bluegreen/control.sock"

/* --- opening ------------------------------------------------------------------------------------------- */

static int fail_connect(struct bluegreen_error *error, int errnum, const char *path)
{
    static const struct {
        int errnum;
        const char *what_to_do;
    } hints[] = {
        {ENOENT, "no agent has made this socket; start it with 'systemctl start bluegreend', or name another socket "
                 "with --socket or BLUEGREEN_SOCKET"},
        {ECONNREFUSED, "the agent that made this socket is gone; start it with 'systemctl start bluegreend'"},
        {EACCES, "only root and members of the agent's group may connect; join it with "
                 "'usermod --append --groups bluegreen USER' and log in again"},
        {EAGAIN, "the agent does not take new connections at the moment; try again"},
    };
    const char *hint = NULL;
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        if (hints[i].errnum == errnum)
            hint = hints[i].what_to_do;
    }
    return client_fail(error, BLUEGREEN_UNREACHABLE, errnum, "connect to %s: %s%s%s", path, strerror(errnum),
                       hint ? ": " : "", hint ? hint : "");
}

static int connect_to(const char *path, int *out, struct bluegreen_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return client_fail(error, BLUEGREEN_UNREACHABLE, ENAMETOOLONG,
                           "connect to %s: a socket's path has at most %zu characters", path,
                           sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return client_fail(error, BLUEGREEN_UNREACHABLE, errno, "make a socket: %s", strerror(errno));
    /* Of a UNIX socket this never waits: it is connected, or the agent's queue is full (EAGAIN). */
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        int errnum = errno;
        close(fd);
        return fail_connect(error, errnum, path);
    }
    *out = fd;
    return 0;
}

int bluegreen_open(const char *socket_path, struct bluegreen **out, struct bluegreen_error *error)
{
    const char *path = socket_path ? socket_path : getenv("BLUEGREEN_SOCKET");
    if (!path || !*path)
        path = DEFAULT_SOCKET;
    struct bluegreen *agent = calloc(1, sizeof *agent);
    if (!agent)
        return client_fail_memory(error);
    agent->timeout_ms = CONNECTION_TIMEOUT_MS;
    int result = connect_to(path, &agent->fd, error);
    if (result < 0) {
        free(agent);
        return result;
    }
    *out = agent;
    return 0;
}

static void drop_descriptors(struct bluegreen *agent)
{
    while (agent->fd_count > 0)
        close(agent->fds[--agent->fd_count]);
}

void bluegreen_close(struct bluegreen *agent)
{
    if (!agent)
        return;
    drop_descriptors(agent);
    close(agent->fd);
    free(agent->input);
    free(agent);
}

void bluegreen_set_timeout(struct bluegreen *agent, int milliseconds)
{
    agent->timeout_ms = milliseconds > 0 ? milliseconds : 0;
}

void bluegreen_set_tick(struct bluegreen *agent, int milliseconds)
{
    agent->tick_ms = milliseconds > 0 ? milliseconds : 0;
}

void bluegreen_set_lose(struct bluegreen *agent, uint64_t transactions)
{
    agent->lose = transactions;
}

/* The shutdown wakes the poll that the flag alone would not. */
void bluegreen_interrupt(struct bluegreen *agent)
{
    int saved = errno;
    agent->interrupted = 1;
    shutdown(agent->fd, SHUT_RDWR);
    errno = saved;
}

/* --- waiting ------------------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int fail_gone(struct bluegreen *agent, int errnum, struct bluegreen_error *error)
{
    agent->broken = true;
    if (agent->interrupted)
        return client_fail(error, BLUEGREEN_INTERRUPTED, 0, "interrupted; what was asked for goes on in the agent");
    return client_fail(error, BLUEGREEN_UNREACHABLE, errnum, "the agent closed the connection%s%s", errnum ? ": " : "",
                       errnum ? strerror(errnum) : "");
}

/* deadline_ms 0: for ever. */
static int wait_for(struct bluegreen *agent, short events, int64_t deadline_ms, struct bluegreen_error *error)
{
    for (;;) {
        if (agent->interrupted)
            return fail_gone(agent, 0, error);
        int64_t left = deadline_ms ? deadline_ms - now_ms() : -1;
        if (deadline_ms && left <= 0) {
            agent->broken = true; /* a late answer would be taken for the next call's */
            return client_fail(error, BLUEGREEN_UNREACHABLE, ETIMEDOUT,
                               "the agent does not answer; look at its log with 'journalctl -u bluegreend'");
        }
        struct pollfd wait = {.fd = agent->fd, .events = events};
        int ready = poll(&wait, 1, (int)left);
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return fail_gone(agent, errno, error);
    }
}

bool connection_readable(struct bluegreen *agent, int milliseconds)
{
    struct pollfd wait = {.fd = agent->fd, .events = POLLIN};
    bool whole = agent->length > agent->searched &&
                 memchr(agent->input + agent->searched, '\0', agent->length - agent->searched);
    if (agent->interrupted || whole)
        return true;
    return poll(&wait, 1, milliseconds) != 0; /* a signal, too: whoever reads says what it meant */
}

/* --- calling ------------------------------------------------------------------------------------------- */

/* An agent that turned us away has answered already and closed: its answer is worth more than the broken pipe. */
static int send_all(struct bluegreen *agent, const char *bytes, size_t length, struct bluegreen_error *error)
{
    int64_t deadline = now_ms() + CONNECTION_TIMEOUT_MS;
    while (length > 0) {
        ssize_t sent = send(agent->fd, bytes, length, MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes += sent;
            length -= (size_t)sent;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return 0;
        } else if (errno == EAGAIN) {
            int result = wait_for(agent, POLLOUT, deadline, error);
            if (result < 0)
                return result;
        } else if (errno != EINTR) {
            return fail_gone(agent, errno, error);
        }
    }
    return 0;
}

int connection_call(struct bluegreen *agent, const char *method, struct json_object *parameters, bool more,
                    struct bluegreen_error *error)
{
    drop_descriptors(agent);
    if (agent->running) {
        json_object_put(parameters);
        return client_fail(error, BLUEGREEN_INVALID, EBUSY, "the connection is busy with a command: wait for its end");
    }
    if (agent->broken || agent->interrupted) {
        json_object_put(parameters);
        return fail_gone(agent, 0, error);
    }
    char name[64];
    snprintf(name, sizeof name, CLIENT_INTERFACE "%s", method);
    struct json_object *call = json_object_new_object();
    if (!call) {
        json_object_put(parameters);
        return client_fail_memory(error);
    }
    json_object_object_add(call, "method", json_object_new_string(name));
    json_object_object_add(call, "parameters", parameters);
    if (more)
        json_object_object_add(call, "more", json_object_new_boolean(true));
    size_t length = 0;
    const char *json = json_object_to_json_string_length(call, DECODE_JSON_FLAGS, &length);
    int result = json ? send_all(agent, json, length + 1, error) : client_fail_memory(error);
    json_object_put(call);
    return result;
}

/* --- replies ------------------------------------------------------------------------------------------- */

static int fail_protocol(struct bluegreen *agent, const char *what, struct bluegreen_error *error)
{
    agent->broken = true;
    return client_fail(error, BLUEGREEN_PROTOCOL, EPROTO, "what answers at the socket is no bluegreen agent: %s", what);
}

static int make_room(struct bluegreen *agent, struct bluegreen_error *error)
{
    if (agent->start > 0) {
        agent->length -= agent->start;
        agent->searched -= agent->start;
        memmove(agent->input, agent->input + agent->start, agent->length);
        agent->start = 0;
    }
    if (agent->length < agent->capacity)
        return 0;
    if (agent->capacity >= CONNECTION_REPLY_MAX)
        return fail_protocol(agent, "its reply is too long", error);
    size_t capacity = agent->capacity ? agent->capacity * 2 : 4096;
    char *input = realloc(agent->input, capacity);
    if (!input)
        return client_fail_memory(error);
    agent->input = input;
    agent->capacity = capacity;
    return 0;
}

static int receive_some(struct bluegreen *agent, int64_t deadline_ms, struct bluegreen_error *error)
{
    int result = make_room(agent, error);
    if (result < 0)
        return result;
    for (;;) {
        ssize_t got = descriptors_receive(agent->fd, agent->input + agent->length, agent->capacity - agent->length,
                                          agent->fds, &agent->fd_count);
        if (got > 0) {
            agent->length += (size_t)got;
            return 0;
        }
        if (got == 0)
            return fail_gone(agent, 0, error);
        if (errno == EAGAIN) {
            result = wait_for(agent, POLLIN, deadline_ms, error);
            if (result < 0)
                return result;
        } else if (errno != EINTR) {
            return fail_gone(agent, errno, error);
        }
    }
}

static int receive_message(struct bluegreen *agent, int64_t deadline_ms, const char **message, size_t *length,
                           struct bluegreen_error *error)
{
    for (;;) {
        const char *end = agent->length > agent->searched
                              ? memchr(agent->input + agent->searched, '\0', agent->length - agent->searched)
                              : NULL;
        if (end) {
            *message = agent->input + agent->start;
            *length = (size_t)(end - *message);
            agent->start = agent->searched = (size_t)(end + 1 - agent->input);
            return 0;
        }
        agent->searched = agent->length;
        int result = receive_some(agent, deadline_ms, error);
        if (result < 0)
            return result;
    }
}

static struct json_object *parse(const char *message, size_t length)
{
    CLEANUP_TEXT struct text ascii = {0};
    bool read = json_ascii(message, length, &ascii) == 0 && ascii.data;
    struct json_tokener *tokener = read ? json_tokener_new_ex(CONNECTION_DEPTH_MAX) : NULL;
    if (!tokener)
        return NULL;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    struct json_object *value = json_tokener_parse_ex(tokener, ascii.data, (int)ascii.length + 1);
    bool whole =
        json_tokener_get_error(tokener) == json_tokener_success && json_tokener_get_parse_end(tokener) >= ascii.length;
    json_tokener_free(tokener);
    if (whole && json_object_is_type(value, json_type_object))
        return value;
    json_object_put(value);
    return NULL;
}

int connection_reply(struct bluegreen *agent, int timeout_ms, struct json_object **out, bool *continues,
                     struct bluegreen_error *error)
{
    const char *message;
    size_t length;
    int result = receive_message(agent, timeout_ms ? now_ms() + timeout_ms : 0, &message, &length, error);
    if (result < 0)
        return result;
    struct json_object *reply = parse(message, length);
    if (!reply)
        return fail_protocol(agent, "its reply is not a JSON object", error);
    struct json_object *parameters = decode_object(reply, "parameters");
    const char *name = decode_string(reply, "error");
    *continues = decode_bool(reply, "continues");
    if (name)
        result = client_fail_reply(name, parameters, error);
    else if (parameters)
        *out = json_object_get(parameters);
    else if (!(*out = json_object_new_object())) /* a reply without parameters is legal */
        result = client_fail_memory(error);
    json_object_put(reply);
    return result;
}
