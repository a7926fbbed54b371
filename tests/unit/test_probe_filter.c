/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probe role's filter, tried in child processes: what it refuses, and what must still work. */
#include "probe/filter.c" /* the probe's own files are in no library */

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sanitized.h"

/* Runs body in a child behind the filter; what it returns is the child's exit status. */
static int behind_filter(int (*body)(int fd))
{
    CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(probe_filter_load(NULL) < 0 ? 100 : body(fd));
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
static int try_forbidden(int fd)
{
    char *const argv[] = {(char *)"/bin/true", NULL};
    struct sockaddr_in any = {.sin_family = AF_INET};
    if (!refused(syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY), EPERM))
        return 1;
    if (!refused(socket(AF_INET, SOCK_STREAM, 0), EPERM))
        return 2;
    if (!refused(socket(AF_UNIX, SOCK_STREAM, 0), EPERM))
        return 3;
    if (!refused(execv(argv[0], argv), EPERM))
        return 4;
    if (!refused(bind(fd, (struct sockaddr *)&any, sizeof any), EPERM))
        return 5;
    if (!refused(listen(fd, 1), EPERM))
        return 6;
    return 0;
}

static int try_unknown(int fd)
{
    if (!refused(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0), ENOSYS))
        return 1;
    if (!refused(syscall(SYS_kill, getppid(), 0), ENOSYS))
        return 2;
    if (!refused(fcntl(fd, F_DUPFD_CLOEXEC, 100), ENOSYS))
        return 3;
    if (!refused(ioctl(fd, SIOCATMARK, &(int){0}), ENOSYS))
        return 4;
    if (!refused(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), ENOSYS))
        return 5;
    if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
        return 6;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || !refused(mprotect(page, 4096, PROT_READ | PROT_EXEC), ENOSYS))
        return 7;
    return 0;
}

static int try_needed(int fd)
{
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons(1)};
    int one = 1, errnum;
    socklen_t length = sizeof errnum;
    inet_pton(AF_INET, "127.0.0.1", &target.sin_addr);
    void *memory = malloc(8u << 20); /* large enough to be mapped */
    if (!memory)
        return 1;
    memset(memory, 1, 8u << 20);
    free(memory);
    if (setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof one) < 0)
        return 2;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_GETFL) < 0)
        return 3;
    if (connect(fd, (struct sockaddr *)&target, sizeof target) < 0 && (errno == EPERM || errno == ENOSYS))
        return 4;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &length) < 0 || close(fd) < 0)
        return 5;
    return 0;
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
