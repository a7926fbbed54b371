/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as what an app answers to an HTTP check: headers, body, redirects, each connection's part in portions. Each
 * check ends when the app has said all and hung up, and its result is one that the monitor accepts. libcurl gets
 * connected sockets: connect(2) is ours here.
 *
 * Input: a byte of flags, one for the size of the portions, one for how much the first connection says (of each next
 * one the same), then what is said.
 */
#include "base/text.h"
#include "fuzz.h"
#include "probe/http.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FOLLOW = 1, CONTAINS = 2, RANGES = 4, HOST = 8, V6 = 16, EXPIRE = 32 };
enum { PORTIONS = 8 /* about: more of them cost time and cut nothing that few do not cut */ };

struct app {
    struct loop *loop;
    struct loop_timer *timer;
    struct check check;
    int ends[CHECK_SOCKETS_MAX];
    bool finished;
    struct check_result said;
};

static struct app *current;

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    (void)fd, (void)address, (void)length;
    return 0;
}

/* --- what http.c asks of the role ------------------------------------------------------------------ */

int check_take_socket(struct check *check)
{
    int pair[2];
    if (check->next_socket == check->socket_count)
        return -1;
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    current->ends[check->next_socket++] = pair[1];
    return pair[0];
}

void check_finish(struct check *check, struct probe_result *result)
{
    require(check == &current->check && !current->finished && !check->transfer);
    current->finished = true;
    current->said.result = *result;
}

/* --- the check --------------------------------------------------------------------------------------- */

static void begin(struct app *app, uint8_t flags)
{
    struct check_request *request = &app->check.request;
    *request = (struct check_request){.version = CHECK_VERSION, .id = 1};
    require(address_parse(flags & V6 ? "fd00:b9::2" : "10.201.0.2", &request->target));
    request->health = (struct health){
        .kind = HEALTH_HTTP, .port = 8080, .path = "/healthz", .timeout_ms = 1000, .follow_redirects = flags & FOLLOW};
    if (flags & HOST)
        text_copy(request->health.host, sizeof request->health.host, "app.example");
    if (flags & CONTAINS)
        text_copy(request->contains, sizeof request->contains, "ready");
    if (flags & RANGES) {
        request->health.status[0] = (struct status_range){301, 404};
        request->health.status_count = 1;
    }
    require(check_request_valid(request, sizeof *request));
    app->check.socket_count = CHECK_SOCKETS_MAX;
}

static void on_turn(void *context)
{
    loop_quit(((struct app *)context)->loop, 0);
}

static void turn(struct app *app)
{
    loop_timer_arm(app->timer, 0);
    loop_run(app->loop);
}

/* On the connection that the check is at; what it asks is of no interest, and has room in the socket. */
static void say(struct app *app, const uint8_t *at, size_t length)
{
    int fd = app->ends[app->check.next_socket - 1];
    if (send(fd, at, length, MSG_NOSIGNAL) < 0)
        shutdown(fd, SHUT_WR);
    turn(app);
}

static void talk(struct app *app, const uint8_t *at, const uint8_t *end, size_t share, size_t portion)
{
    for (size_t connection = 1; connection <= CHECK_SOCKETS_MAX && !app->finished; connection++) {
        const uint8_t *stop = (size_t)(end - at) > share ? at + share : end;
        while (at < stop && !app->finished && app->check.next_socket == connection) {
            size_t length = (size_t)(stop - at) < portion ? (size_t)(stop - at) : portion;
            say(app, at, length);
            at += length;
        }
        at = stop;
        if (app->check.next_socket == connection)
            shutdown(app->ends[connection - 1], SHUT_WR);
        for (int i = 0; i < 100 && !app->finished && app->check.next_socket == connection; i++)
            turn(app);
    }
}

static void check_result(const struct app *app)
{
    const struct health *health = &app->check.request.health;
    const struct probe_result *result = &app->said.result;
    require(check_result_valid(&app->said, sizeof app->said));
    require(result->outcome != PROBE_INTERNAL); /* whatever an app says is about the app */
    require(result->outcome != PROBE_PASS || verdict_status_accepted(health, result->status));
    require(result->outcome != PROBE_STATUS || !verdict_status_accepted(health, result->status));
    require(result->outcome != PROBE_FAILED || app->check.request.contains[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    static struct http *http;
    if (size < 3)
        return 0;
    /* As in the role: one for all checks. */
    if (!http)
        require(loop_new(&loop, NULL) == 0 && http_new(loop, &http, NULL) == 0);
    struct app app = {.loop = loop, .said = {.version = CHECK_VERSION, .id = 1}};
    current = &app;
    app.timer = loop_timer_new(app.loop, on_turn, &app);
    begin(&app, data[0]);
    http_begin(http, &app.check);
    for (int i = 0; i < 10 && app.check.next_socket == 0; i++)
        turn(&app);
    require(app.check.next_socket == 1);
    if (data[0] & EXPIRE) {
        say(&app, data + 3, size - 3);
        if (!app.finished) {
            http_expire(&app.check, &app.said.result);
            require(app.said.result.outcome == PROBE_TIMEOUT);
        }
    } else {
        size_t portion = data[1] * 8u + 1;
        talk(&app, data + 3, data + size, data[2] * 16u + 1, portion < size / PORTIONS ? size / PORTIONS : portion);
        require(app.finished); /* or the deadline would be what ends it */
    }
    check_result(&app);
    for (size_t i = 0; i < app.check.next_socket; i++)
        close(app.ends[i]);
    loop_timer_free(app.timer);
    return 0;
}
