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
#include "fake_script.h"

#include "api/api.h"
#include "model/wire_answers.h"
#include "model/wire_any.h"
#include "model/wire_command.h"
#include "os/files.h"
#include "os/process.h"
#include "os/stdio.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

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
