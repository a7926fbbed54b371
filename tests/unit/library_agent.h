/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An agent for the tests of libbluegreen, which says whatever they want it to; and the library, in pieces. */
#pragma once

#include "client/bluegreen.c"
#include "client/connection.c"
#include "client/decode.c"
#include "client/decode_connections.c"
#include "client/decode_feed.c"
#include "client/decode_history.c"
#include "client/decode_rows.c"
#include "client/decode_status.c"
#include "client/decode_zone.c"
#include "client/descriptors.c"
#include "client/errors.c"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

/* An agent of one connection in a child: reads one call, writes what it is told to, and then waits for the client to
 * close, or closes itself. */
struct agent {
    pid_t pid;
    char path[64];
};

static inline void serve(int listener, const char *reply, size_t length, bool stay)
{
    char byte = 'x';
    int fd = accept(listener, NULL, NULL);
    while (fd >= 0 && byte && recv(fd, &byte, 1, 0) == 1)
        ;
    if (length > 0)
        (void)!send(fd, reply, length, MSG_NOSIGNAL);
    while (stay && recv(fd, &byte, 1, 0) == 1)
        ;
    _exit(0);
}

static inline struct bluegreen *open_agent(struct agent *agent, const char *reply, size_t length, bool stay)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct bluegreen *connection = NULL;
    snprintf(agent->path, sizeof agent->path, "/tmp/test_libbluegreen.%d", (int)getpid());
    snprintf(address.sun_path, sizeof address.sun_path, "%s", agent->path);
    unlink(agent->path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    fflush(NULL);
    agent->pid = fork();
    if (agent->pid == 0)
        serve(listener, reply, length, stay);
    assert_true(agent->pid > 0);
    close(listener);
    struct bluegreen_error error;
    assert_int_equal(bluegreen_open(agent->path, &connection, &error), 0);
    return connection;
}

static inline void close_agent(struct agent *agent, struct bluegreen *connection)
{
    bluegreen_close(connection);
    assert_int_equal(waitpid(agent->pid, NULL, 0), agent->pid);
    unlink(agent->path);
}

#define OPEN(agent, reply) open_agent(agent, reply, sizeof(reply), true)
#define PROGRESS(connections)                                                                                         \
    "{\"parameters\":{\"progress\":{\"step\":\"drain\",\"zone\":\"blue\",\"text\":\"t\",\"connections\":" connections \
    ",\"elapsed_ms\":1500}},\"continues\":true}\0"
