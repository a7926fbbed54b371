/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A monitor without an agent: accepts clients on a UNIX socket, runs the real api role in a child, and answers its
 * requests from a script, so that api, library and CLI can be tested together by anyone.
 *
 *     fake_monitor SOCKET [--no-rights] [--bad-reload] [--empty] [--raw FILE]
 *
 * Apps: `web` is live on blue with a standby, `api` is stopped, `fresh` is empty and busy. What happens is told by the
 * release: `bad` fails its health check, `slow` never ends, `die` takes the monitor down; all others are deployed.
 * With --raw there is no api role either: every client gets the bytes of FILE, whatever it asks.
 */
#include "api/api.h"
#include "base/text.h"
#include "model/verdict.h"
#include "model/wire.h"
#include "os/files.h"
#include "os/process.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOME_TIME 1763869080123u /* 2025-11-23T03:38:00.123Z */

static struct {
    int channel;
    bool no_rights, bad_reload, empty;
} fake;

/* --- sending --------------------------------------------------------------------------------------- */

static struct wire_header head(const struct wire_request *request, enum wire_type type, size_t length)
{
    return (struct wire_header){.type = (uint16_t)type,
                                .version = WIRE_VERSION,
                                .length = (uint32_t)length,
                                .client = request->header.client,
                                .request = request->header.request};
}

static void emit(const void *message, size_t length)
{
    int result;
    while ((result = message_send(fake.channel, message, length, NULL, 0)) == -EAGAIN) {
        struct pollfd wait = {.fd = fake.channel, .events = POLLOUT};
        poll(&wait, 1, -1);
    }
    if (result < 0)
        errx(1, "send to the api role: %s", strerror(-result));
}

static void end(const struct wire_request *request, enum wire_result result, const char *text)
{
    struct wire_end message = {.header = head(request, WIRE_END, sizeof message), .result = result};
    text_copy(message.text, sizeof message.text, text);
    emit(&message, sizeof message);
}

static void progress(const struct wire_request *request, const char *step, int connections, unsigned elapsed_ms,
                     const char *text)
{
    struct wire_progress message = {
        .header = head(request, WIRE_PROGRESS, sizeof message),
        .zone = GREEN,
        .has_count = connections >= 0,
        .connections = connections >= 0 ? (uint32_t)connections : 0,
        .elapsed_ms = elapsed_ms,
    };
    text_copy(message.step, sizeof message.step, step);
    text_copy(message.text, sizeof message.text, text);
    emit(&message, sizeof message);
}

static void receipt(const struct wire_request *request, const char *release)
{
    struct wire_receipt message = {
        .header = head(request, WIRE_RECEIPT, sizeof message),
        .from = BLUE,
        .to = GREEN,
        .transaction_us = 14,
        .generation_before = 41,
        .generation_after = 42,
        .drained = 12,
        .cut = 1,
        .duration_ms = 2400,
    };
    text_copy(message.release, sizeof message.release, release);
    text_copy(message.who, sizeof message.who, "root (uid 0)");
    emit(&message, sizeof message);
}

/* --- status and history ------------------------------------------------------------------------------- */

static void fill_zone(struct wire_zone *zone, enum zone_state state, const char *release, int number)
{
    zone->state = (uint8_t)state;
    zone->verdict = state == ZONE_STOPPED ? VERDICT_UNKNOWN : VERDICT_HEALTHY;
    zone->ipv4 = (struct address){.family = 4, .bytes = {10, 201, 0, (uint8_t)(4 * number - 2)}};
    zone->ipv6 = (struct address){.family = 6, .bytes = {0xfd, 0, 0, 0xb9, [15] = (uint8_t)(4 * number - 2)}};
    text_copy(zone->release, sizeof zone->release, release);
}

static void add_port(struct wire_status *status, const char *name, const char *listen, uint16_t target)
{
    struct wire_port *port = &status->ports[status->port_count++];
    text_copy(port->name, sizeof port->name, name);
    text_copy(port->listen, sizeof port->listen, listen);
    port->target = target;
    port->protocol = PROTOCOL_TCP;
}

static void fill_web(struct wire_status *status)
{
    status->state = APP_RUNNING;
    status->live = BLUE;
    fill_zone(&status->zones[BLUE], ZONE_LIVE, "v1", 1);
    fill_zone(&status->zones[GREEN], ZONE_STANDBY, "v0", 2);
    status->zones[BLUE].pid = 4711;
    status->zones[BLUE].shim_pid = 4710;
    status->zones[BLUE].tcp = 12;
    status->zones[GREEN].restarts = 2;
    status->zones[GREEN].last_exit = (struct wire_exit){.known = 1, .value = 1, .unix_ms = SOME_TIME};
    text_copy(status->zones[GREEN].detail, sizeof status->zones[GREEN].detail, "HTTP 200 OK");
    add_port(status, "http", "80", 8080);
    add_port(status, "v6", "[2001:db8::7]:80", 8080);
    status->operation = (struct wire_operation){.present = 1, .verb = VERB_DRAIN, .since_unix_ms = SOME_TIME};
    text_copy(status->operation.step, sizeof status->operation.step, "drain");
    text_copy(status->operation.who, sizeof status->operation.who, "alice (uid 1000)");
}

static void fill_api(struct wire_status *status)
{
    status->state = APP_STOPPED;
    fill_zone(&status->zones[BLUE], ZONE_STOPPED, "2024.1", 3);
    status->zones[BLUE].last_exit = (struct wire_exit){.known = 1, .signalled = 1, .value = 15, .unix_ms = SOME_TIME};
}

static void fill_nothing(struct wire_status *status)
{
    (void)status;
}

static const struct {
    const char *name;
    void (*fill)(struct wire_status *status);
} apps[] = {{"api", fill_api}, {"fresh", fill_nothing}, {"web", fill_web}};

enum { APPS = sizeof apps / sizeof *apps };

static bool is_app(const char *name)
{
    for (int i = 0; i < APPS; i++) {
        if (strcmp(apps[i].name, name) == 0)
            return true;
    }
    return false;
}

static void answer_status(const struct wire_request *request)
{
    for (int i = 0; i < APPS && !fake.empty; i++) {
        if (request->app[0] && strcmp(request->app, apps[i].name) != 0)
            continue;
        struct wire_status status = {.header = head(request, WIRE_STATUS, sizeof status), .live = -1};
        text_copy(status.name, sizeof status.name, apps[i].name);
        apps[i].fill(&status);
        emit(&status, sizeof status);
    }
    end(request, RESULT_DONE, "");
}

static void answer_history(const struct wire_request *request)
{
    unsigned limit = request->limit ? request->limit : 50;
    for (unsigned i = 3 - (limit < 3 ? limit : 3); i < 3 && !fake.empty; i++) {
        struct wire_history entry = {
            .header = head(request, WIRE_HISTORY, sizeof entry),
            .sequence = i + 1,
            .begun_unix_ms = SOME_TIME + i * 60000,
            .duration_ms = 2400 + i * 30000,
            .verb = i == 1 ? VERB_ROLLBACK : VERB_DEPLOY,
            .from = i == 0   ? -1
                    : i == 1 ? BLUE
                             : GREEN,
            .to = i == 1 ? GREEN : BLUE,
            .done = i != 2,
        };
        text_copy(entry.app, sizeof entry.app, "web");
        text_copy(entry.release, sizeof entry.release, "v1");
        text_copy(entry.who, sizeof entry.who, "root (uid 0)");
        text_copy(entry.reason, sizeof entry.reason, i == 2 ? "no answer on :8080/healthz within 60 s" : "");
        emit(&entry, sizeof entry);
    }
    end(request, RESULT_DONE, "");
}

/* --- operations ----------------------------------------------------------------------------------------- */

static void answer_deploy(const struct wire_request *request)
{
    progress(request, "build", -1, 2, "zone made");
    progress(request, "start", -1, 11, "/srv/web/bin/server runs as pid 4720");
    if (strcmp(request->release, "die") == 0)
        exit(0);
    if (strcmp(request->release, "slow") == 0)
        return;
    if (strcmp(request->release, "bad") == 0) {
        end(request, RESULT_FAILED,
            "release bad did not become healthy within 60 s: HTTP 503 Service Unavailable\nlog: \033[31mno data base\n"
            "log: giving up");
        return;
    }
    progress(request, "health", -1, 412, "1 of 2 passes");
    progress(request, "health", -1, 1412, "2 of 2 passes");
    progress(request, "switch", -1, 1413, "");
    progress(request, "drain", 12, 1500, "");
    progress(request, "drain", 3, 1900, "");
    progress(request, "drain", 0, 2400, "");
    receipt(request, request->release);
    end(request, RESULT_DONE, "");
}

static void answer_switch(const struct wire_request *request)
{
    if (strcmp(request->app, "web") != 0 && !(request->flags & WIRE_FORCE)) {
        end(request, RESULT_REFUSED, "no zone is staged: stage a release first");
        return;
    }
    receipt(request, "v2");
    end(request, RESULT_DONE, request->verb == VERB_ROLLBACK ? "the journal cannot be written: No space left" : "");
}

static void answer_operation(const struct wire_request *request)
{
    if (!is_app(request->app))
        end(request, RESULT_NO_SUCH_APP, "no app of this name is configured");
    else if (strcmp(request->app, "fresh") == 0)
        end(request, RESULT_BUSY, "alice (uid 1000) is deploying v3, at step health, since 03:38:00");
    else if (request->verb == VERB_DEPLOY)
        answer_deploy(request);
    else if (request->verb == VERB_SWITCH || request->verb == VERB_ROLLBACK)
        answer_switch(request);
    else
        end(request, RESULT_DONE, request->verb == VERB_STAGE ? "v9 is staged in green\nand healthy" : "");
}

static void answer(const struct wire_request *request)
{
    if (fake.no_rights && verb_changes((enum wire_verb)request->verb)) {
        end(request, RESULT_NOT_ALLOWED, "only root and members of group bluegreen may do this");
        return;
    }
    switch (request->verb) {
    case VERB_STATUS:
        if (request->app[0] && !is_app(request->app))
            end(request, RESULT_NO_SUCH_APP, "no app of this name is configured");
        else
            answer_status(request);
        break;
    case VERB_HISTORY: answer_history(request); break;
    case VERB_VERSION: end(request, RESULT_DONE, "9.8.7"); break;
    case VERB_RELOAD:
        if (fake.bad_reload)
            end(request, RESULT_INVALID, "apps/web.conf: [ports] http: '80 => 8080' has no ' -> '");
        else
            end(request, RESULT_DONE, "");
        break;
    default: answer_operation(request);
    }
}

/* --- the monitor's part ------------------------------------------------------------------------------------ */

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!text_copy(address.sun_path, sizeof address.sun_path, path))
        errx(1, "%s is too long for a socket's path", path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 64) < 0)
        err(1, "listen on %s", path);
    return fd;
}

static void start_api(int listener)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        err(1, "socketpair");
    pid_t pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        close(listener);
        close(ends[0]);
        _exit(api_main(ends[1]));
    }
    close(ends[1]);
    fake.channel = ends[0];
}

static void take_client(int listener)
{
    static uint64_t clients;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct wire_client message = {
        .header = {.type = WIRE_CLIENT, .version = WIRE_VERSION, .length = sizeof message, .client = ++clients},
        .uid = getuid(),
        .may_operate = !fake.no_rights,
    };
    if (message_send(fake.channel, &message, sizeof message, &fd, 1) < 0)
        errx(1, "the api role is gone");
    close(fd);
}

static void take_request(void)
{
    struct wire_request request;
    struct error why;
    ssize_t length = message_receive(fake.channel, &request, sizeof request, NULL, NULL);
    if (length == 0)
        errx(1, "the api role is gone");
    if (length > 0 && request.header.type == WIRE_GONE)
        return;
    if (length < 0 || !wire_request_valid(&request, (size_t)length, &why))
        errx(1, "the api role sent what is no request");
    answer(&request);
}

static void serve_raw(int listener, const char *path)
{
    char *bytes;
    size_t length;
    struct error why;
    if (file_read(path, 1u << 20, &bytes, &length, &why) < 0)
        errx(1, "%s", why.text);
    for (;;) {
        char byte = 'x';
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        while (fd >= 0 && byte && recv(fd, &byte, 1, 0) == 1)
            ;
        if (fd >= 0 && length > 0)
            (void)!send(fd, bytes, length, MSG_NOSIGNAL);
        close(fd);
    }
}

int main(int argc, char *argv[])
{
    if (argc < 2)
        errx(2, "usage: fake_monitor SOCKET [--no-rights] [--bad-reload] [--empty] [--raw FILE]");
    const char *raw = NULL;
    for (int i = 2; i < argc; i++) {
        fake.no_rights |= strcmp(argv[i], "--no-rights") == 0;
        fake.bad_reload |= strcmp(argv[i], "--bad-reload") == 0;
        fake.empty |= strcmp(argv[i], "--empty") == 0;
        if (strcmp(argv[i], "--raw") == 0 && argv[i + 1])
            raw = argv[i + 1];
    }
    int listener = listen_at(argv[1]);
    if (raw)
        serve_raw(listener, raw);
    start_api(listener);
    for (;;) {
        struct pollfd waits[] = {{.fd = listener, .events = POLLIN}, {.fd = fake.channel, .events = POLLIN}};
        if (poll(waits, 2, -1) < 0 && errno != EINTR)
            err(1, "poll");
        if (waits[0].revents)
            take_client(listener);
        if (waits[1].revents)
            take_request();
    }
}
