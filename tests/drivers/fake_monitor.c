/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A monitor without an agent: accepts clients on a UNIX socket, runs the real api role in a child, and answers its
 * requests from a script, so that api, library and CLI can be tested together by anyone.
 *
 *     fake_monitor SOCKET [--no-rights] [--bad-reload] [--empty] [--stays] [--logs DIRECTORY] [--raw FILE]
 *
 * Apps: `web` is live on blue with a standby, `api` is stopped, `fresh` is empty and busy. What happens is told by the
 * release: `bad` fails its health check, `slow` never ends, `die` takes the monitor down; all others are deployed.
 * Commands are run as they are, one at a time, and ended when their client goes; the log files of web are those of
 * DIRECTORY.
 * With --raw there is no api role either: every client gets the bytes of FILE, whatever it asks.
 */
#include "api/api.h"
#include "base/text.h"
#include "model/verdict.h"
#include "model/wire.h"
#include "model/wire_answers.h"
#include "model/wire_any.h"
#include "model/wire_command.h"
#include "model/wire_feed.h"
#include "model/wire_status.h"
#include "os/files.h"
#include "os/process.h"
#include "os/stdio.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOME_TIME 1763869080123u /* 2025-11-23T03:38:00.123Z */

static struct {
    int channel;
    bool no_rights, bad_reload, empty, stays;
    const char *logs;
    pid_t command; /* 0 = none runs */
    struct wire_header asked_by;
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

static void emit_with(const void *message, size_t length, const int *fds, size_t fd_count)
{
    int result;
    while ((result = message_send(fake.channel, message, length, fds, fd_count)) == -EAGAIN) {
        struct pollfd wait = {.fd = fake.channel, .events = POLLOUT};
        poll(&wait, 1, -1);
    }
    if (result < 0)
        errx(1, "send to the api role: %s", strerror(-result));
}

static void emit(const void *message, size_t length)
{
    emit_with(message, length, NULL, 0);
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

/* Of a wait with a known end, half of which is over. */
static void progress_wait(const struct wire_request *request, const char *step, uint32_t wait_ms, const char *text)
{
    struct wire_progress message = {
        .header = head(request, WIRE_PROGRESS, sizeof message),
        .zone = GREEN,
        .elapsed_ms = wait_ms / 2,
        .wait_ms = wait_ms,
        .waited_ms = wait_ms / 2,
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
    port->count = 1;
    port->protocol = PROTOCOL_TCP;
}

static void fill_bake(struct wire_status *status)
{
    status->bake = (struct wire_bake){.baking = 1, .until_unix_ms = SOME_TIME};
    text_copy(status->bake.verdict, sizeof status->bake.verdict, "3 of 41 probes failed, 0 restarts");
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
    status->zones[BLUE].usage = (struct wire_usage){.known = 1,
                                                    .limits = 1,
                                                    .memory = 12 << 20,
                                                    .memory_peak = 20 << 20,
                                                    .memory_limit = 512 << 20,
                                                    .cpu_permille = 37,
                                                    .cpu_limit = 1500,
                                                    .cpu_us = 1000000,
                                                    .tasks = 14,
                                                    .tasks_limit = 100,
                                                    .oom_kills = 2};
    status->zones[BLUE].process_count = 1;
    status->zones[BLUE].processes[0] =
        (struct wire_process){.name = "worker",
                              .live_only = 1,
                              .state = PROCESS_BACK_OFF,
                              .restarts = 3,
                              .last_exit = {.known = 1, .value = 7, .unix_ms = SOME_TIME}};
    status->zones[GREEN].shim_pid = 4800;
    status->zones[GREEN].crash_loop = 1;
    status->zones[GREEN].usage = (struct wire_usage){.memory = 3 << 20};
    add_port(status, "http", "80", 8080);
    add_port(status, "v6", "[2001:db8::7]:80", 8080);
    status->operation = (struct wire_operation){.present = 1, .verb = VERB_DRAIN, .since_unix_ms = SOME_TIME};
    text_copy(status->operation.step, sizeof status->operation.step, "drain");
    text_copy(status->operation.who, sizeof status->operation.who, "alice (uid 1000)");
    fill_bake(status);
}

static void fill_feed(const char *app, struct wire_feed *feed);

static void fill_api(struct wire_status *status)
{
    fill_feed("api", &status->feed);
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
        if (i == 2 && strcmp(request->app, "api") == 0) {
            entry.incident = INCIDENT_MEMORY;
            text_copy(entry.reason, sizeof entry.reason, "the limit of 512 MiB was hit");
        }
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
            "deploy web bad: release bad did not become healthy within 60 s: HTTP 503 Service Unavailable\n"
            "log: \033[31mno data base\nlog: giving up");
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

/* web bakes, or runs for ever where the scenario says so; api is idle. */
static void answer_attach(const struct wire_request *request)
{
    if (strcmp(request->app, "api") == 0) {
        end(request, RESULT_DONE, "nothing runs on api: it is stopped");
        return;
    }
    progress_wait(request, "bake", 900000, "0 of 40 probes failed");
    if (fake.stays)
        return;
    progress_wait(request, "bake", 900000, "1 of 41 probes failed");
    receipt(request, "v2");
    end(request, RESULT_DONE, "v2 has passed its bake");
}

static void answer_operation(const struct wire_request *request)
{
    if (!is_app(request->app))
        end(request, RESULT_NO_SUCH_APP, "no app of this name is configured");
    else if (strcmp(request->app, "fresh") == 0)
        end(request, RESULT_BUSY, "alice (uid 1000) is deploying v3, at step health, since 03:38:00");
    else if (request->verb == VERB_DEPLOY && request->stop_after)
        end(request, RESULT_DONE, request->flags & WIRE_NO_TEST ? "staged without a test" : "staged");
    else if (request->verb == VERB_DEPLOY)
        answer_deploy(request);
    else if (request->verb == VERB_ATTACH)
        answer_attach(request);
    else if (request->verb == VERB_TEST && strcmp(request->app, "api") == 0)
        end(request, RESULT_FAILED, "test api 2024.1: /healthz: HTTP 500, not 200");
    else if (request->verb == VERB_SWITCH || request->verb == VERB_ROLLBACK)
        answer_switch(request);
    else
        end(request, RESULT_DONE, request->verb == VERB_STAGE ? "v9 is staged in green\nand healthy" : "");
}

/* --- feeds ----------------------------------------------------------------------------------------------- */

/* web's is behind, api's is broken. */
static void fill_feed(const char *app, struct wire_feed *feed)
{
    bool good = strcmp(app, "web") == 0;
    *feed = (struct wire_feed){.state = good ? FEED_STATE_BEHIND : FEED_STATE_BROKEN,
                               .live = good ? BLUE : -1,
                               .mode = FEED_HTTP,
                               .committed = 12041,
                               .applied = {12041, good ? 12007 : UINT64_MAX},
                               .behind = 34,
                               .behind_ms = 2100,
                               .diverged = good ? 2 : 0,
                               .fed = 12041,
                               .journal_bytes = 12 << 20,
                               .journal_max = 1 << 30,
                               .connections = {7, 0}};
    text_copy(feed->reason, sizeof feed->reason, good ? "" : "the journal is full");
}

static void answer_feed(const struct wire_request *request)
{
    struct wire_feed_told told = {.header = head(request, WIRE_FEED, sizeof told)};
    struct wire_feed_item item = {.header = head(request, WIRE_FEED_ITEM, sizeof item),
                                  .kind = 1,
                                  .zone = GREEN,
                                  .sequence = 17,
                                  .unix_ms = SOME_TIME,
                                  .status_live = 201,
                                  .request = "POST /orders",
                                  .live = "{\"id\":7}"};
    fill_feed(request->app, &told.feed);
    if (request->action == WIRE_FEED_STATUS || request->action == WIRE_FEED_VERIFY)
        emit(&told, sizeof told);
    if (request->action == WIRE_FEED_DIFF)
        emit(&item, sizeof item);
    if (request->action == WIRE_FEED_SKIP && request->sequence != 17)
        end(request, RESULT_REFUSED, "transaction 18 is neither in doubt nor diverged");
    else
        end(request, RESULT_DONE, request->action == WIRE_FEED_SKIP ? "17 is left out" : "");
}

/* --- commands and logs ----------------------------------------------------------------------------------- */

static void answer_logs(const struct wire_request *request)
{
    static const char *const names[] = {[WIRE_FILE_LOG] = "log",
                                        [WIRE_FILE_LOG_OLD] = "log.1",
                                        [WIRE_FILE_INDEX] = "log.index",
                                        [WIRE_FILE_INDEX_OLD] = "log.1.index"};
    struct wire_files files = {.header = head(request, WIRE_FILES, sizeof files),
                               .zone = request->zone ? (uint8_t)(request->zone - 1) : BLUE};
    int fds[4];
    for (uint8_t kind = 0; fake.logs && kind < 4; kind++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", fake.logs, names[kind]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        fds[files.count] = fd;
        files.kinds[files.count++] = kind;
    }
    if (files.count == 0) {
        end(request, RESULT_REFUSED, "there is no log yet");
        return;
    }
    emit_with(&files, sizeof files, fds, files.count);
    for (uint8_t i = 0; i < files.count; i++)
        close(fds[i]);
    end(request, RESULT_DONE, "");
}

static void run_command(const struct wire_command *command, const int fds[3])
{
    char *argv[WIRE_ARGUMENT_COUNT + 1] = {0};
    const char *at = command->arguments;
    for (uint32_t i = 0; i < command->argument_count; i++, at += strlen(at) + 1)
        argv[i] = (char *)(uintptr_t)at;
    setsid();
    if (command->terminal) {
        ioctl(fds[0], TIOCSCTTY, 0);
        setenv("TERM", command->term, 1);
    }
    for (int fd = 0; fd < 3; fd++)
        dup2(fds[fd], fd);
    closefrom(3);
    execvp(argv[0], argv);
    _exit(127);
}

static void give_ends(const struct wire_request *request, const struct stdio *stdio)
{
    struct wire_stdio message = {.header = head(request, WIRE_STDIO, sizeof message)};
    int fds[STDIO_STREAMS];
    for (uint8_t stream = 0; stream < STDIO_STREAMS; stream++) {
        if (stdio->near[stream] < 0)
            continue;
        message.kinds[message.count] = stream == 0 && stdio->terminal >= 0 ? WIRE_STREAM_TERMINAL : stream;
        fds[message.count++] = stdio->near[stream];
    }
    emit_with(&message, sizeof message, fds, message.count);
}

static void begin_command(const struct wire_command *command, const struct wire_request *as_request)
{
    struct stdio_wish wish = {.terminal = command->terminal,
                              .merge = command->merge,
                              .rows = command->rows,
                              .columns = command->columns,
                              .uid = getuid(),
                              .gid = getgid()};
    struct stdio stdio;
    struct error why;
    if (stdio_open(&wish, &stdio, &why) < 0)
        errx(1, "%s", why.text);
    fake.asked_by = command->header;
    fake.command = fork();
    if (fake.command == 0)
        run_command(command, stdio.far);
    give_ends(as_request, &stdio);
    stdio_close(&stdio);
}

static void answer_command(const struct wire_command *command)
{
    struct wire_request as_request = {.header = command->header};
    if (!wire_command_valid(command, sizeof *command, NULL))
        errx(1, "the api role sent what is no command");
    if (fake.no_rights)
        end(&as_request, RESULT_NOT_ALLOWED, "only root and members of group bluegreen may do this");
    else if (strcmp(command->app, "web") != 0)
        end(&as_request, RESULT_REFUSED, "there is no live zone to run a command in");
    else if (fake.command)
        end(&as_request, RESULT_BUSY, "a command runs already");
    else
        begin_command(command, &as_request);
}

static void collect_command(void)
{
    int status;
    if (fake.command == 0 || waitpid(fake.command, &status, WNOHANG) != fake.command)
        return;
    fake.command = 0;
    struct wire_request asked = {.header = fake.asked_by};
    struct wire_exited exited = {.header = head(&asked, WIRE_EXIT, sizeof exited),
                                 .exit = {.known = 1,
                                          .signalled = WIFSIGNALED(status),
                                          .value =
                                              (uint16_t)(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)),
                                          .unix_ms = SOME_TIME}};
    emit(&exited, sizeof exited);
    end(&asked, RESULT_DONE, "");
}

static void client_gone(uint64_t client)
{
    if (fake.command && fake.asked_by.client == client)
        kill(-fake.command, SIGTERM);
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
    case VERB_LOGS: answer_logs(request); break;
    case VERB_FEED: answer_feed(request); break;
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
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof address.sun_path)
        errx(1, "%s is too long for a socket's path", path);
    unlink(address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* Whoever waits for the socket to be there connects at once. */
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 64) < 0 ||
        rename(address.sun_path, path) < 0)
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
    static union {
        struct wire_header header;
        struct wire_request request;
        struct wire_command command;
    } message;
    struct error why;
    ssize_t length = message_receive(fake.channel, &message, sizeof message, NULL, NULL);
    if (length == 0)
        errx(1, "the api role is gone");
    if (length < 0 || !wire_message_valid(&message, (size_t)length))
        errx(1, "the api role sent what is no message");
    if (message.header.type == WIRE_GONE)
        client_gone(message.header.client);
    else if (message.header.type == WIRE_COMMAND)
        answer_command(&message.command);
    else if (wire_request_valid(&message.request, (size_t)length, &why))
        answer(&message.request);
    else
        errx(1, "the api role sent what is no request: %s", why.text);
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
        errx(2, "usage: fake_monitor SOCKET [--no-rights] [--bad-reload] [--empty] [--logs DIRECTORY] [--raw FILE]");
    const char *raw = NULL;
    for (int i = 2; i < argc; i++) {
        fake.no_rights |= strcmp(argv[i], "--no-rights") == 0;
        fake.bad_reload |= strcmp(argv[i], "--bad-reload") == 0;
        fake.empty |= strcmp(argv[i], "--empty") == 0;
        fake.stays |= strcmp(argv[i], "--stays") == 0; /* attach does not end */
        if (strcmp(argv[i], "--logs") == 0)
            fake.logs = argv[i + 1];
        if (strcmp(argv[i], "--raw") == 0 && argv[i + 1])
            raw = argv[i + 1];
    }
    int listener = listen_at(argv[1]);
    if (raw)
        serve_raw(listener, raw);
    start_api(listener);
    for (;;) {
        struct pollfd waits[] = {{.fd = listener, .events = POLLIN}, {.fd = fake.channel, .events = POLLIN}};
        /* A command's end is looked for, not waited for: a signal would interrupt what must not be. */
        if (poll(waits, 2, fake.command ? 10 : -1) < 0 && errno != EINTR)
            err(1, "poll");
        collect_command();
        if (waits[0].revents)
            take_client(listener);
        if (waits[1].revents)
            take_request();
    }
}
