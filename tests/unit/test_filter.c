/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System call filters, each loaded in a child process that then tries them. */
#include "os/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sanitized.h"

#define SPEC(others, strangers, table)                                                                            \
    {                                                                                                             \
        .otherwise = (others), .foreign = (strangers), .rules = (table), .count = sizeof(table) / sizeof *(table) \
    }

enum how { BY_LOADING, BY_COMPILING };

/* As the shim does it. */
static int install_compiled(const struct filter_spec *spec)
{
    void *bytes;
    size_t count;
    struct error err = {0};
    if (filter_compile(spec, &bytes, &count, &err) < 0 || count > BPF_MAXINSNS)
        return -1;
    struct sock_fprog program = {.len = (unsigned short)count, .filter = bytes};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

/* The wait status of a child that tries body behind the filter. */
static int status_behind(const struct filter_spec *spec, enum how how, int (*body)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        int result = how == BY_LOADING ? filter_load(spec, NULL) : install_compiled(spec);
        _exit(result < 0 ? 100 : body());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* Both ways: body returns 0 or the number of what went wrong. */
static void behind(const struct filter_spec *spec, int (*body)(void))
{
    for (enum how how = BY_LOADING; how <= BY_COMPILING; how++) {
        int status = status_behind(spec, how, body);
        if (WIFSIGNALED(status))
            fail_msg("killed by signal %d", WTERMSIG(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static void expect_killed(const struct filter_spec *spec, int (*body)(void))
{
    for (enum how how = BY_LOADING; how <= BY_COMPILING; how++) {
        int status = status_behind(spec, how, body);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    }
}

static bool refused(long result, int errnum)
{
    return result == -1 && errno == errnum;
}

/* --- actions ----------------------------------------------------------------------------------------- */

static int try_actions(void)
{
    if (!refused(syscall(SYS_getppid), EPERM))
        return 1;
    if (!refused(syscall(SYS_getuid), ENOSYS))
        return 2;
    if (syscall(SYS_getgid) < 0)
        return 3;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 4;
}

static void test_actions(void **state)
{
    static const struct filter_rule rules[] = {
        {.call = "getppid", .action = FILTER_REFUSE},
        {.call = "getuid", .action = FILTER_UNKNOWN},
        {.call = "getgid", .action = FILTER_LOG},
    };
    static const struct filter_spec spec = SPEC(FILTER_ALLOW, FILTER_KILL, rules);
    (void)state;
    behind(&spec, try_actions);
}

static int call_getppid(void)
{
    syscall(SYS_getppid);
    return 0;
}

static void test_kill(void **state)
{
    static const struct filter_rule rules[] = {{.call = "getppid", .action = FILTER_KILL}};
    static const struct filter_spec spec = SPEC(FILTER_ALLOW, FILTER_KILL, rules);
    (void)state;
    expect_killed(&spec, call_getppid);
}

static int try_allow_list(void)
{
    if (syscall(SYS_getppid) < 0)
        return 1;
    if (!refused(syscall(SYS_getuid), ENOSYS))
        return 2;
    return refused(syscall(SYS_openat, -1, "/etc/passwd", 0), EPERM) ? 0 : 3;
}

static void test_allow_list(void **state)
{
    static const struct filter_rule rules[] = {
        {.call = "getppid", .action = FILTER_ALLOW},
        {.call = "exit_group", .action = FILTER_ALLOW},
        {.call = "openat", .action = FILTER_REFUSE},
    };
    static const struct filter_spec spec = SPEC(FILTER_UNKNOWN, FILTER_KILL, rules);
    (void)state;
    not_sanitized(NO_SUCH_FILTER);
    behind(&spec, try_allow_list);
}

/* --- arguments --------------------------------------------------------------------------------------- */

/* Of no descriptor: EBADF when it is let through. */
static bool seek_is(off_t offset, int whence, int errnum)
{
    return refused(syscall(SYS_lseek, -1, offset, whence), errnum);
}

static int try_compare(void)
{
    if (!seek_is(1, 0, EPERM) || !seek_is(1 + (1LL << 32), 0, EBADF)) /* EQUAL 1, of all 64 bits */
        return 1;
    if (!seek_is(99, 1, EPERM) || !seek_is(100, 1, EBADF)) /* BELOW 100 */
        return 2;
    if (!seek_is(101, 2, EPERM) || !seek_is(100, 2, EBADF)) /* ABOVE 100 */
        return 3;
    if (!seek_is(0x1f4, 3, EPERM) || !seek_is(0x1f8, 3, EBADF)) /* MASKED 0xf: 4 */
        return 4;
    return seek_is(1, 5, EBADF) ? 0 : 5; /* no rule for this one */
}

#define SEEK(which, how, wanted, of)                                                    \
    {                                                                                   \
        .call = "lseek", .action = FILTER_REFUSE, .argument_count = 2,                  \
        .arguments = {{.index = 2, .compare = FILTER_EQUAL, .value = (which)},          \
                      {.index = 1, .compare = (how), .value = (wanted), .mask = (of)}}, \
    }

static void test_arguments(void **state)
{
    static const struct filter_rule rules[] = {
        SEEK(0, FILTER_EQUAL, 1, 0),
        SEEK(1, FILTER_BELOW, 100, 0),
        SEEK(2, FILTER_ABOVE, 100, 0),
        SEEK(3, FILTER_MASKED, 4, 0xf),
    };
    static const struct filter_spec spec = SPEC(FILTER_ALLOW, FILTER_KILL, rules);
    (void)state;
    behind(&spec, try_compare);
}

static int try_not_equal(void)
{
    return seek_is(8, 4, EPERM) && seek_is(7, 4, EBADF) && seek_is(8, 5, EBADF) ? 0 : 1;
}

static void test_not_equal(void **state)
{
    static const struct filter_rule rules[] = {SEEK(4, FILTER_NOT_EQUAL, 7, 0)};
    static const struct filter_spec spec = SPEC(FILTER_ALLOW, FILTER_KILL, rules);
    (void)state;
    behind(&spec, try_not_equal);
}

static void expect_refused(const struct filter_spec *spec, const char *says)
{
    struct error err = {0};
    void *program = NULL;
    size_t count = 0;
    assert_true(filter_compile(spec, &program, &count, &err) < 0);
    assert_non_null(strstr(err.text, says));
    assert_null(program);
}

/* What libseccomp would take and get wrong. */
static void test_not_equal_beside_others(void **state)
{
    static const struct filter_rule rules[] = {SEEK(0, FILTER_EQUAL, 1, 0), SEEK(4, FILTER_NOT_EQUAL, 7, 0)};
    static const struct filter_spec spec = SPEC(FILTER_ALLOW, FILTER_KILL, rules);
    (void)state;
    expect_refused(&spec, "lseek");
}

/* --- names ------------------------------------------------------------------------------------------- */

static void test_names_that_nobody_knows(void **state)
{
    static const struct filter_rule rules[] = {
        {.call = "cure_all_ills", .action = FILTER_REFUSE}, /* of a kernel to come */
        {.call = "s390_runtime_instr", .action = FILTER_REFUSE},
        {.call = "arm_fadvise64_64", .action = FILTER_REFUSE},
        {.call = "stime", .action = FILTER_REFUSE},
        {.call = "getppid", .action = FILTER_REFUSE},
        {.call = "getuid", .action = FILTER_UNKNOWN},
    };
    static const struct filter_spec native = SPEC(FILTER_ALLOW, FILTER_KILL, rules);
    static const struct filter_spec everywhere = SPEC(FILTER_ALLOW, FILTER_ALLOW, rules);
    (void)state;
    behind(&native, try_actions);
    behind(&everywhere, try_actions);
}

static void test_table_that_cannot_be(void **state)
{
    static const struct filter_rule rules[] = {{.call = "getppid", .action = FILTER_ALLOW}};
    static const struct filter_spec spec = SPEC(FILTER_ALLOW, FILTER_KILL, rules);
    (void)state;
    expect_refused(&spec, "getppid");
}

/* --- other architectures ------------------------------------------------------------------------------ */

#if defined(__x86_64__)

/* A call by i386's table. */
static long foreign_call(long number)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number) : "memory", "r8", "r9", "r10", "r11");
    return result;
}

enum { I386_GETPPID = 64, I386_GETUID = 24, I386_GETGID = 47, X32_GETPPID = 0x40000000 + SYS_getppid };

static int try_foreign(void)
{
    return foreign_call(I386_GETPPID) > 0 ? 0 : 1;
}

static int try_foreign_refused(void)
{
    if (foreign_call(I386_GETPPID) != -EPERM || foreign_call(I386_GETUID) != -ENOSYS)
        return 1;
    if (foreign_call(I386_GETGID) < 0)
        return 2;
    return try_actions();
}

static int try_x32_refused(void)
{
    return refused(syscall(X32_GETPPID), EPERM) ? 0 : 1;
}

static bool kernel_serves_i386(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(try_foreign());
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static const struct filter_rule foreign_rules[] = {
    {.call = "getppid", .action = FILTER_REFUSE},
    {.call = "getuid", .action = FILTER_UNKNOWN},
};

static void test_foreign_killed(void **state)
{
    static const struct filter_spec spec = SPEC(FILTER_ALLOW, FILTER_KILL, foreign_rules);
    (void)state;
    expect_killed(&spec, try_x32_refused);
    if (!kernel_serves_i386())
        skip();
    expect_killed(&spec, try_foreign);
}

/* Let through, but the rules hold: nobody walks around a deny-list by calling with another architecture's numbers. */
static void test_foreign_allowed(void **state)
{
    static const struct filter_spec spec = SPEC(FILTER_ALLOW, FILTER_ALLOW, foreign_rules);
    (void)state;
    behind(&spec, try_x32_refused);
    if (!kernel_serves_i386())
        skip();
    behind(&spec, try_foreign_refused);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_allow_list),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_not_equal),
        cmocka_unit_test(test_not_equal_beside_others),
        cmocka_unit_test(test_names_that_nobody_knows),
        cmocka_unit_test(test_table_that_cannot_be),
#if defined(__x86_64__)
        cmocka_unit_test(test_foreign_killed),
        cmocka_unit_test(test_foreign_allowed),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
