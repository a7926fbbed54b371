/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api: the whole role in a child process, with the monitor and many clients played by the test. */
#include "api/api.h"
#include "base/text.h"
#include "model/wire.h"
#include "model/wire_answers.h"
#include "model/wire_any.h"
#include "os/log.h"
#include "os/process.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STATUS "{\"method\":\"io.bluegreen.Agent.Status\"}"
#define INFO   "{\"method\":\"org.varlink.service.GetInfo\"}"

enum { PATIENCE_MS = 5000 };

struct role {
    pid_t pid;
    int channel;
    uint64_t clients;
};

static void start_role(struct role *role)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    fflush(NULL);
    *role = (struct role){.pid = fork(), .channel = ends[0]};
    assert_true(role->pid >= 0);
    if (role->pid == 0) {
        close(ends[0]);
        log_set_level(LOG_LEVEL_ERROR - 1); /* what it says of hostile clients is not the test's output */
        _exit(api_main(ends[1]));
    }
    close(ends[1]);
}

/* Closes the channel if it is open; the role's exit status. */
static int end_role(struct role *role)
{
    int status;
    close(role->channel);
    assert_int_equal(waitpid(role->pid, &status, 0), role->pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A connection of this user; the client program's end. */
static int add_client(struct role *role, uint32_t uid, bool may_operate)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct wire_client who = {
        .header = {.type = WIRE_CLIENT, .version = WIRE_VERSION, .length = sizeof who, .client = ++role->clients},
        .uid = uid,
        .may_operate = may_operate};
    assert_int_equal(message_send(role->channel, &who, sizeof who, &ends[1], 1), 0);
    close(ends[1]);
    return ends[0];
}

/* Reads one message with its NUL. False: the connection ended before. */
static bool read_reply(int fd, char *reply, size_t size)
{
    size_t length = 0;
    while (length < size) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, PATIENCE_MS) != 1)
            fail_msg("no reply within %d ms", PATIENCE_MS);
        if (recv(fd, reply + length, 1, 0) != 1)
            return false;
        if (reply[length++] == '\0')
            return true;
    }
    fail_msg("the reply is longer than %zu bytes", size);
    return false;
}

static bool ask_info(int fd)
{
    char reply[1024];
    return send(fd, INFO, sizeof INFO, MSG_NOSIGNAL) == sizeof INFO && read_reply(fd, reply, sizeof reply) &&
           strstr(reply, "vendor");
}

/* The next message of the role; 0 at its end. */
static ssize_t next_message(struct role *role, struct wire_request *request)
{
    struct pollfd wait = {.fd = role->channel, .events = POLLIN};
    if (poll(&wait, 1, PATIENCE_MS) != 1)
        fail_msg("the role says nothing within %d ms", PATIENCE_MS);
    return message_receive(role->channel, request, sizeof *request, NULL, NULL);
}

static void assert_gone(struct role *role, uint64_t client)
{
    struct wire_request message = {0};
    assert_int_equal(next_message(role, &message), sizeof(struct wire_header));
    assert_true(wire_message_valid(&message, sizeof(struct wire_header)));
    assert_int_equal(message.header.type, WIRE_GONE);
    assert_int_equal(message.header.client, client);
}

static void send_end(struct role *role, const struct wire_request *request, uint64_t client)
{
    struct wire_end end = {.header = {.type = WIRE_END,
                                      .version = WIRE_VERSION,
                                      .length = sizeof end,
                                      .client = client,
                                      .request = request->header.request}};
    assert_int_equal(message_send(role->channel, &end, sizeof end, NULL, 0), 0);
}

static void test_life(void **state)
{
    (void)state;
    struct role role;
    struct wire_request request;
    char reply[256];
    start_role(&role);
    int client = add_client(&role, 1000, true);
    assert_true(ask_info(client));
    assert_true(send(client, STATUS, sizeof STATUS, 0) > 0);
    assert_int_equal(next_message(&role, &request), sizeof request);
    assert_true(wire_request_valid(&request, sizeof request, NULL));
    assert_int_equal(request.header.client, 1);
    send_end(&role, &request, 4711); /* of no client */
    send_end(&role, &request, 1);
    assert_true(read_reply(client, reply, sizeof reply));
    assert_string_equal(reply, "{\"parameters\":{\"apps\":[]}}");
    close(client);
    assert_gone(&role, 1);
    send_end(&role, &request, 1); /* of one that is no more */
    assert_int_equal(end_role(&role), 0);
}

/* The monitor goes: so do the role and its clients. */
static void test_monitor_gone(void **state)
{
    (void)state;
    struct role role;
    char byte;
    start_role(&role);
    int client = add_client(&role, 1000, false);
    assert_true(ask_info(client));
    assert_true(send(client, STATUS "\0{\"half", sizeof STATUS + 6, 0) > 0);
    assert_int_equal(end_role(&role), 0);
    assert_int_equal(recv(client, &byte, 1, 0) > 0, 0);
    close(client);
}

static void test_wrong_monitor(void **state)
{
    (void)state;
    struct wire_header wrong[] = {
        {.type = WIRE_END, .version = WIRE_VERSION, .length = sizeof(struct wire_end)}, /* and is shorter */
        {.type = 999, .version = WIRE_VERSION, .length = sizeof(struct wire_header)},
        {.type = WIRE_CLIENT, .version = WIRE_VERSION + 1, .length = sizeof(struct wire_header)},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct role role;
        struct wire_request request;
        start_role(&role);
        assert_int_equal(message_send(role.channel, &wrong[i], sizeof wrong[i], NULL, 0), 0);
        assert_int_equal(next_message(&role, &request), 0); /* it ends by itself */
        assert_int_equal(end_role(&role), 1);
    }
}

static void assert_turned_away(struct role *role, uint32_t uid, bool may_operate, const char *why)
{
    char reply[512];
    int fd = add_client(role, uid, may_operate);
    assert_true(read_reply(fd, reply, sizeof reply));
    assert_non_null(strstr(reply, "io.bluegreen.Agent.Refused"));
    if (!strstr(reply, why))
        fail_msg("turned away with: %s", reply);
    assert_false(read_reply(fd, reply, sizeof reply)); /* and closed */
    assert_gone(role, role->clients);
    close(fd);
}

/* Each with a user of its own: all places up to `upto`, and no more. */
static void fill(struct role *role, int fds[], int *count, int upto, bool may_operate)
{
    for (; *count < upto; ++*count)
        fds[*count] = add_client(role, (uint32_t)(2000 + *count), may_operate);
    assert_turned_away(role, 3000, may_operate, "too many clients");
}

static void end_all(struct role *role, const int fds[], int count)
{
    for (int i = 0; i < count; i++)
        assert_true(ask_info(fds[i])); /* all that have a place are served */
    for (int i = 0; i < count; i++)
        close(fds[i]);
    assert_int_equal(end_role(role), 0);
}

static void test_limits(void **state)
{
    (void)state;
    enum { NOT_ROOTS = API_CLIENTS_MAX - API_CLIENTS_FOR_ROOT, OTHERS = NOT_ROOTS - API_CLIENTS_FOR_OPERATORS };
    struct role role;
    int fds[API_CLIENTS_MAX], count = 0;
    start_role(&role);
    while (count < API_CLIENTS_PER_USER)
        fds[count++] = add_client(&role, 1000, false);
    assert_turned_away(&role, 1000, false, "your user");
    fill(&role, fds, &count, OTHERS, false);
    fill(&role, fds, &count, NOT_ROOTS, true);
    while (count < API_CLIENTS_MAX)
        fds[count++] = add_client(&role, 0, true);
    assert_turned_away(&role, 0, true, "too many clients");
    close(fds[0]);
    assert_gone(&role, 1);
    fds[0] = add_client(&role, 0, true); /* a place is free again */
    end_all(&role, fds, count);
}

/* Root is bound as well, so that others find places beside a script of root's that went wild. */
static void test_root_leaves_places(void **state)
{
    (void)state;
    struct role role;
    int fds[API_CLIENTS_OF_ROOT + 2], count = 0;
    start_role(&role);
    while (count < API_CLIENTS_OF_ROOT)
        fds[count++] = add_client(&role, 0, true);
    assert_turned_away(&role, 0, true, "your user");
    fds[count++] = add_client(&role, 1000, false);
    fds[count++] = add_client(&role, 1001, true);
    end_all(&role, fds, count);
}

/* AddressSanitizer keeps what was freed: its figures are not ours. */
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_IS_OURS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_IS_OURS 0
#endif
#endif
#ifndef MEMORY_IS_OURS
#define MEMORY_IS_OURS 1
#endif

static size_t resident_kib(pid_t pid)
{
    char path[64];
    unsigned long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char line[256];
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "VmRSS: %lu", &kib) == 1)
            break;
    }
    fclose(file);
    return kib;
}

/* Everything bad at once, from different clients, while a good one goes on being served. */
static void test_hostile_clients(void **state)
{
    (void)state;
    enum { BAD = 24, ROUNDS = 50 };
    struct role role;
    int bad[BAD], good;
    char junk[4096];
    start_role(&role);
    good = add_client(&role, 1, false);
    for (int i = 0; i < BAD; i++)
        bad[i] = add_client(&role, (uint32_t)(100 + i), false);
    memset(junk, 'j', sizeof junk);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BAD; i++) {
            switch (i % 4) {
            case 0: /* a megabyte and more without an end */
                while (send(bad[i], junk, sizeof junk, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
                    ;
                break;
            case 1: /* half a message */ (void)!send(bad[i], "{", 1, MSG_DONTWAIT | MSG_NOSIGNAL); break;
            case 2: /* calls without end, no answer read */
                while (send(bad[i], INFO, sizeof INFO, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
                    ;
                break;
            default: /* garbage, and away */
                (void)!send(bad[i], "\0\xff\0[", 4, MSG_DONTWAIT | MSG_NOSIGNAL);
                close(bad[i]);
                bad[i] = add_client(&role, (uint32_t)(100 + i), false);
            }
        }
        assert_true(ask_info(good));
        struct wire_request drained; /* the monitor reads its notices */
        while (message_receive(role.channel, &drained, sizeof drained, NULL, NULL) > 0)
            assert_int_equal(drained.header.type, WIRE_GONE);
    }
    assert_true(!MEMORY_IS_OURS || resident_kib(role.pid) < 32 * 1024);
    for (int i = 0; i < BAD; i++)
        close(bad[i]);
    assert_true(ask_info(good));
    close(good);
    assert_int_equal(end_role(&role), 0);
}

/* All unread replies together are bounded: the client with the most goes first. */
static void test_backlog_of_all(void **state)
{
    (void)state;
    enum { READERS = 8 };
    struct role role;
    struct wire_request requests[READERS];
    int fds[READERS], gone = 0;
    start_role(&role);
    static const char call[] =
        "{\"method\":\"io.bluegreen.Agent.Drain\",\"parameters\":{\"app\":\"web\"},\"more\":true}";
    for (int i = 0; i < READERS; i++) {
        fds[i] = add_client(&role, (uint32_t)i, true);
        assert_true(send(fds[i], call, sizeof call, 0) > 0);
        assert_int_equal(next_message(&role, &requests[i]), sizeof requests[i]);
    }
    struct wire_progress progress = {
        .header = {.type = WIRE_PROGRESS, .version = WIRE_VERSION, .length = sizeof progress}};
    memset(progress.text, 't', sizeof progress.text - 1);
    /* 60 000 lines of 350 bytes are 21 MB: fewer for each than one alone may leave, more than all may */
    for (int line = 0; line < 60000 / READERS; line++) {
        for (int i = 0; i < READERS; i++) {
            progress.header.client = requests[i].header.client;
            progress.header.request = requests[i].header.request;
            int result;
            while ((result = message_send(role.channel, &progress, sizeof progress, NULL, 0)) == -EAGAIN) {
                struct pollfd wait = {.fd = role.channel, .events = POLLOUT};
                poll(&wait, 1, PATIENCE_MS);
            }
            assert_int_equal(result, 0);
        }
    }
    int other = add_client(&role, 99, true);
    assert_true(ask_info(other)); /* all before it was handled */
    assert_true(!MEMORY_IS_OURS || resident_kib(role.pid) < 64 * 1024);
    struct wire_request message;
    while (message_receive(role.channel, &message, sizeof message, NULL, NULL) > 0)
        gone += message.header.type == WIRE_GONE;
    assert_in_range(gone, 1, READERS - 1);
    for (int i = 0; i < READERS; i++)
        close(fds[i]);
    close(other);
    assert_int_equal(end_role(&role), 0);
}

/* Whether it hangs is what the monitor asks, with and without clients. */
static void test_ping(void **state)
{
    (void)state;
    struct role role;
    struct wire_request message = {0};
    struct wire_header ping = {.type = WIRE_PING, .version = WIRE_VERSION, .length = sizeof ping};
    start_role(&role);
    int fd = add_client(&role, 1000, true);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(message_send(role.channel, &ping, sizeof ping, NULL, 0), 0);
        assert_int_equal(next_message(&role, &message), sizeof(struct wire_header));
        assert_true(wire_message_valid(&message, sizeof(struct wire_header)));
        assert_int_equal(message.header.type, WIRE_PONG);
    }
    assert_true(ask_info(fd));
    close(fd);
    assert_gone(&role, 1);
    assert_int_equal(end_role(&role), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_monitor_gone),
        cmocka_unit_test(test_wrong_monitor),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_root_leaves_places),
        cmocka_unit_test(test_hostile_clients),
        cmocka_unit_test(test_backlog_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
