/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the monitor gives up, tried in child processes. Its filter is tried as root with calls that would fail in
 * another way without it, so that the refusal is the filter's. */
#include "daemon/rights.c" /* the daemon's own files are in no library */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void expect_in_child(int (*body)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- capabilities ---------------------------------------------------------------------------------------- */

/* A set of /proc/self/status, as "CapEff:". */
static uint64_t capability_set(const char *name)
{
    char line[256];
    unsigned long long set = ~0ull;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + strlen(name), "%llx", &set);
    }
    if (file)
        fclose(file);
    return set;
}

static const char *const sets[] = {"CapEff:", "CapPrm:", "CapBnd:"};

static int limit_to_two(void)
{
    static const int kept[] = {CAP_KILL, CAP_SETPCAP, CAP_LAST_CAP};
    static const int fewer[] = {CAP_KILL, CAP_CHOWN};
    uint64_t have = capability_set("CapPrm:");
    uint64_t wanted = (1u << CAP_KILL | 1u << CAP_SETPCAP | 1ull << CAP_LAST_CAP) & have;
    if (privileges_limit(kept, 3, NULL) < 0)
        return 1;
    for (int i = 0; i < 3; i++) {
        if (capability_set(sets[i]) != wanted)
            return 2 + i;
    }
    /* What is not there any more cannot be kept. */
    if (privileges_limit(fewer, 2, NULL) < 0)
        return 5;
    for (int i = 0; i < 3; i++) {
        if (capability_set(sets[i]) != 1u << CAP_KILL)
            return 6 + i;
    }
    return 0;
}

static int limit_without_setpcap(void)
{
    static const int kept[] = {CAP_KILL, CAP_CHOWN}, fewer[] = {CAP_KILL};
    struct error err = {0};
    if (privileges_limit(kept, 2, NULL) < 0)
        return 1;
    if (privileges_limit(fewer, 1, &err) != -EPERM || !strstr(err.text, "CAP_SETPCAP"))
        return 2;
    return 0;
}

static void test_capabilities(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    expect_in_child(limit_to_two);
    expect_in_child(limit_without_setpcap);
}

/* --- the filter ------------------------------------------------------------------------------------------- */

static const char *const nowhere = "/proc/self/nowhere";

/* Each as root fails for its arguments; errno, or 0 where it did not. */
static int errno_of_call(int which)
{
    long result = 0;
    errno = 0;
    switch (which) {
    case 0: result = syscall(SYS_delete_module, "no such module", O_NONBLOCK); break;
    case 1: result = syscall(SYS_finit_module, -1, "", 0); break;
    case 2: result = syscall(SYS_clock_settime, -1, NULL); break;
    case 3: result = syscall(SYS_swapoff, nowhere); break;
    case 4: result = syscall(SYS_swapon, nowhere, 0); break;
    case 5: result = syscall(SYS_acct, nowhere); break;
    case 6: result = syscall(SYS_reboot, 0, 0, 0, NULL); break;
    case 7: result = syscall(SYS_open_by_handle_at, -1, NULL, 0); break;
    case 8: result = syscall(SYS_syslog, -1, NULL, 0); break;
    case 9: result = syscall(SYS_bpf, -1, NULL, 0); break;
    default: return -1;
    }
    return result < 0 ? errno : 0;
}

/* Not all that root may do is possible everywhere; some is. */
static int try_filter(void)
{
    int without[10], tried = 0;
    for (int i = 0; i < 10; i++)
        without[i] = errno_of_call(i);
    if (load_filter(NULL) < 0)
        return 100;
    for (int i = 0; i < 10; i++) {
        if (errno_of_call(i) != EPERM)
            return 1 + i;
        tried += without[i] != EPERM && without[i] != 0;
    }
    return tried >= 5 ? 0 : 101;
}

/* Zones and apps inherit it: what they are made of is let through. */
static int try_needed(void)
{
    if (load_filter(NULL) < 0)
        return 100;
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/true", "true", NULL);
        _exit(1);
    }
    int status = 1;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        return 1;
    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS) < 0)
        return 2;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return 3;
    return 0;
}

static void test_filter_refuses(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    expect_in_child(try_filter);
}

static void test_filter_lets_through(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    expect_in_child(try_needed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_filter_refuses),
        cmocka_unit_test(test_filter_lets_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
