/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The api role's filter, tried in child processes: what it refuses, and what must still work. The role as a whole runs
 * behind it in test_api.c. */
#include "api/filter.h"
#include "base/cleanup.h"
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sanitized.h"

/* Runs body in a child behind the filter, with both ends of a pair; what it returns is the child's exit status. */
static int behind_filter(int (*body)(const int pair[2]))
{
    int pair[2], status;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(api_filter_load(NULL) < 0 ? 100 : body(pair));
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        fail_msg("killed by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

static bool refused(long result, int errnum)
{
    return result == -1 && errno == errnum;
}

/* The number of the first line that was not refused, or 0. */
static int try_forbidden(const int pair[2])
{
    char *const argv[] = {(char *)"/bin/true", NULL};
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(1)};
    int fds[2];
    if (!refused(syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY), EPERM))
        return 1;
    if (!refused(socket(AF_INET, SOCK_STREAM, 0), EPERM) || !refused(socket(AF_UNIX, SOCK_STREAM, 0), EPERM))
        return 2;
    if (!refused(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), EPERM))
        return 3;
    if (!refused(connect(pair[0], (struct sockaddr *)&any, sizeof any), EPERM))
        return 4;
    if (!refused(bind(pair[0], (struct sockaddr *)&any, sizeof any), EPERM) || !refused(listen(pair[0], 1), EPERM))
        return 5;
    if (!refused(execv(argv[0], argv), EPERM))
        return 6;
    return refused(ptrace(PTRACE_ATTACH, getppid(), 0, 0), EPERM) ? 0 : 7;
}

static int try_unknown(const int pair[2])
{
    if (!refused(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0), ENOSYS) || !refused(syscall(SYS_fork), ENOSYS))
        return 1;
    if (!refused(syscall(SYS_kill, 1, 0), ENOSYS))
        return 2;
    if (!refused(fcntl(pair[0], F_DUPFD_CLOEXEC, 100), ENOSYS))
        return 3;
    if (!refused(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)), ENOSYS))
        return 4;
    if (!refused(syscall(SYS_memfd_create, "code", 0), ENOSYS))
        return 5;
    if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
        return 6;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED && refused(mprotect(page, 4096, PROT_READ | PROT_EXEC), ENOSYS) ? 0 : 7;
}

/* A message with a descriptor, there and back. */
static int try_needed(const int pair[2])
{
    char said[8];
    int fds[MESSAGE_FDS_MAX];
    size_t count = 0;
    if (message_send(pair[0], "hello", 6, &pair[1], 1) < 0)
        return 1;
    if (message_receive(pair[1], said, sizeof said, fds, &count) != 6 || count != 1 || strcmp(said, "hello") != 0)
        return 2;
    if (send(fds[0], "a", 1, MSG_NOSIGNAL) != 1 || recv(pair[0], said, sizeof said, MSG_DONTWAIT) != 1)
        return 3;
    if (close(fds[0]) < 0)
        return 4;
    char *memory = malloc(8u << 20); /* large enough to be mapped */
    if (!memory)
        return 5;
    memset(memory, 1, 8u << 20);
    memory = realloc(memory, 16u << 20);
    free(memory);
    return memory ? 0 : 6;
}

static void test_forbidden(void **state)
{
    (void)state;
    not_sanitized(NO_SUCH_FILTER);
    assert_int_equal(behind_filter(try_forbidden), 0);
}

static void test_unknown(void **state)
{
    (void)state;
    not_sanitized(NO_SUCH_FILTER);
    assert_int_equal(behind_filter(try_unknown), 0);
}

static void test_needed(void **state)
{
    (void)state;
    not_sanitized(NO_SUCH_FILTER);
    assert_int_equal(behind_filter(try_needed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forbidden),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
