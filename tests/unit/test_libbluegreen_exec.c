/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libbluegreen: commands in a zone, and logs, with descriptors that come along and are nobody's else. */
#include "library_agent.h"

/* As os/process.c has it, which is not the library's. */
static void send_with(int socket, const char *bytes, size_t length, const int *fds, size_t count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
    } space = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        header.msg_control = &space;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(rights), fds, sizeof(int) * count);
    }
    sendmsg(socket, &header, MSG_NOSIGNAL);
}

/* An agent that takes a call and replies, with as many descriptors of its own and what else there is to reply later.
 * The last of them is a file with the call in it. */
static struct bluegreen *open_passing_agent(struct agent *agent, const char *reply, size_t give, const char *later)
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
    if (agent->pid == 0) {
        char call[4096];
        int own[DESCRIPTORS_MAX];
        int fd = accept(listener, NULL, NULL);
        ssize_t got = recv(fd, call, sizeof call, 0);
        for (size_t i = 0; i < give; i++) {
            own[i] = memfd_create("given", MFD_CLOEXEC);
            dprintf(own[i], "file %zu", i);
            if (later && i + 1 == give)
                dprintf(own[i], "%.*s", (int)got, call);
        }
        send_with(fd, reply, strlen(reply) + 1, own, give);
        if (later)
            send_with(fd, later, strlen(later) + 1, NULL, 0);
        while (recv(fd, call, 1, 0) == 1)
            ;
        _exit(0);
    }
    close(listener);
    assert_int_equal(bluegreen_open(agent->path, &connection, NULL), 0);
    return connection;
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void assert_content(int fd, const char *content)
{
    char got[512] = "";
    assert_true(pread(fd, got, sizeof got - 1, 0) > 0);
    assert_string_equal(got, content);
    close(fd);
}

#define ENDED "{\"parameters\":{\"code\":3,\"signal\":null,\"time\":\"T\"}}"

static void test_exec(void **state)
{
    (void)state;
    static const char *const words[] = {"ls", "-l", "\xc3\xa4 b", NULL};
    struct agent agent;
    struct bluegreen_error error;
    int code, number, descriptors[3];
    int before = open_descriptors();
    struct bluegreen *connection =
        open_passing_agent(&agent, "{\"parameters\":{\"streams\":[\"stderr\",\"terminal\"]},\"continues\":true}", 2,
                           ENDED);
    struct bluegreen_command command = {
        .app = "web", .zone = BLUEGREEN_GREEN, .arguments = words, .terminal = "xterm", .rows = 24, .columns = 80};
    assert_int_equal(bluegreen_exec_wait(connection, &code, &number, &error), -EINVAL); /* nothing was asked for */
    assert_int_equal(bluegreen_exec(connection, &command, descriptors, &error), 0);
    assert_int_equal(bluegreen_status(connection, NULL, NULL, &error), -EBUSY);
    assert_int_equal(descriptors[1], -1);
    assert_content(descriptors[2], "file 0");
    assert_content(descriptors[0],
                   "file 1{\"method\":\"io.bluegreen.Agent.Exec\",\"parameters\":{\"app\":\"web\",\"zone\":"
                   "\"green\",\"command\":[\"ls\",\"-l\",\"\xc3\xa4 b\"],\"terminal\":\"xterm\",\"rows\":24,"
                   "\"columns\":80},\"more\":true}");
    assert_int_equal(bluegreen_exec_wait(connection, &code, &number, &error), 0);
    assert_int_equal(code, 3);
    assert_int_equal(number, 0);
    close_agent(&agent, connection);
    assert_int_equal(open_descriptors(), before);
}

/* Pipes; with one for both, two. */
static void test_exec_pipes(void **state)
{
    (void)state;
    static const char *const words[] = {"ls", NULL};
    for (int merge = 0; merge < 2; merge++) {
        struct agent agent;
        int descriptors[3];
        struct bluegreen_command command = {.app = "web", .zone = BLUEGREEN_NONE, .arguments = words, .merge = merge};
        struct bluegreen *connection =
            open_passing_agent(&agent,
                               merge ? "{\"parameters\":{\"streams\":[\"stdin\",\"stdout\"]},\"continues\":true}"
                                     : "{\"parameters\":{\"streams\":[\"stdin\",\"stdout\",\"stderr\"]},"
                                       "\"continues\":true}",
                               merge ? 2 : 3, NULL);
        assert_int_equal(bluegreen_exec(connection, &command, descriptors, NULL), 0);
        assert_content(descriptors[0], "file 0");
        assert_content(descriptors[1], "file 1");
        if (merge)
            assert_int_equal(descriptors[2], -1);
        else
            assert_content(descriptors[2], "file 2");
        close_agent(&agent, connection);
    }
}

/* First replies that are refusals, or what no agent says. Whatever came with them is closed. */
static void test_exec_refused(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        size_t give;
        int result;
    } cases[] = {
        {"{\"error\":\"io.bluegreen.Agent.Busy\",\"parameters\":{\"reason\":\"R\"}}", 0, -EBUSY},
        {"{\"parameters\":{\"code\":0}}", 0, -EPROTO},
        {"{\"parameters\":{\"streams\":[\"stdin\",\"stdout\",\"stderr\"]}}", 3, -EPROTO}, /* and no end to follow */
        {"{\"parameters\":{\"streams\":[\"stdin\",\"stdout\"]},\"continues\":true}", 2, -EPROTO},
        {"{\"parameters\":{\"streams\":[\"stdin\",\"stdout\",\"stderr\"]},\"continues\":true}", 2, -EPROTO},
        {"{\"parameters\":{\"streams\":[\"terminal\",\"stderr\"]},\"continues\":true}", 2, -EPROTO},
        {"{\"parameters\":{\"streams\":[1,null,{}]},\"continues\":true}", 3, -EPROTO},
        {"{\"parameters\":{},\"continues\":true}", 4, -EPROTO},
    };
    static const char *const words[] = {"ls", NULL};
    static const char *const wrong[] = {"ls", "\xff", NULL};
    int before = open_descriptors();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct agent agent;
        struct bluegreen *connection = open_passing_agent(&agent, cases[i].reply, cases[i].give, NULL);
        int code, number, descriptors[3];
        struct bluegreen_command command = {.app = "web", .zone = BLUEGREEN_NONE, .arguments = wrong};
        assert_int_equal(bluegreen_exec(connection, &command, descriptors, NULL), -EILSEQ);
        command.arguments = words;
        assert_int_equal(bluegreen_exec(connection, &command, descriptors, NULL), cases[i].result);
        assert_int_equal(bluegreen_exec_wait(connection, &code, &number, NULL), -EINVAL);
        close_agent(&agent, connection);
        assert_int_equal(open_descriptors(), before);
    }
}

static void test_exec_ends(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        int result, code, number;
    } cases[] = {
        {"{\"parameters\":{\"code\":null,\"signal\":9}}", 0, -1, 9},
        {"{\"parameters\":{\"code\":0,\"signal\":null}}", 0, 0, 0},
        {"{\"parameters\":{}}", -EPROTO, 0, 0},
        {"{\"parameters\":{\"code\":1,\"signal\":1}}", -EPROTO, 0, 0},
        {"{\"parameters\":{\"code\":256}}", -EPROTO, 0, 0},
        {"{\"error\":\"io.bluegreen.Agent.Failed\",\"parameters\":{\"reason\":\"R\"}}", -EIO, 0, 0},
    };
    static const char *const words[] = {"ls", NULL};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct agent agent;
        struct bluegreen *connection =
            open_passing_agent(&agent, "{\"parameters\":{\"streams\":[\"terminal\"]},\"continues\":true}", 1,
                               cases[i].reply);
        int code = 0, number = 0, descriptors[3];
        struct bluegreen_command command = {
            .app = "web", .zone = BLUEGREEN_NONE, .arguments = words, .terminal = "dumb", .merge = 1};
        assert_int_equal(bluegreen_exec(connection, &command, descriptors, NULL), 0);
        close(descriptors[0]);
        assert_int_equal(bluegreen_exec_wait(connection, &code, &number, NULL), cases[i].result);
        if (cases[i].result == 0) {
            assert_int_equal(code, cases[i].code);
            assert_int_equal(number, cases[i].number);
        }
        close_agent(&agent, connection);
    }
}

static void test_logs(void **state)
{
    (void)state;
    struct agent agent;
    struct bluegreen_logs *logs;
    char content[16] = "";
    int before = open_descriptors();
    struct bluegreen *connection = open_passing_agent(
        &agent, "{\"parameters\":{\"zone\":\"green\",\"release\":\"v1\",\"files\":[\"index\",\"log\",\"future\"]}}", 4,
        NULL);
    assert_int_equal(bluegreen_logs(connection, "web", BLUEGREEN_NONE, &logs, NULL), 0);
    assert_int_equal(logs->zone, BLUEGREEN_GREEN);
    assert_string_equal(logs->release, "v1");
    assert_int_equal(pread(logs->index, content, sizeof content - 1, 0), 6);
    assert_string_equal(content, "file 0");
    assert_int_equal(pread(logs->log, content, sizeof content - 1, 0), 6);
    assert_string_equal(content, "file 1");
    assert_int_equal(logs->old_log, -1);
    assert_int_equal(logs->old_index, -1);
    close_agent(&agent, connection);
    bluegreen_logs_free(logs);
    bluegreen_logs_free(NULL);
    assert_int_equal(open_descriptors(), before); /* what nobody knows, or was not named, is closed too */
    connection = open_passing_agent(&agent, "{\"error\":\"io.bluegreen.Agent.Refused\"}", 2, NULL);
    assert_int_equal(bluegreen_logs(connection, "web", BLUEGREEN_BLUE, &logs, NULL), -EPERM);
    close_agent(&agent, connection);
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exec),      cmocka_unit_test(test_exec_pipes), cmocka_unit_test(test_exec_refused),
        cmocka_unit_test(test_exec_ends), cmocka_unit_test(test_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
