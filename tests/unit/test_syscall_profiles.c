/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The profiles of system calls: what they say, by a small interpreter, and what the kernel makes of them. */
#include "os/filter.h"

#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct filter_spec spec_of(enum syscall_profile profile)
{
    struct filter_spec spec;
    assert_true(syscall_profile(profile, &spec));
    return spec;
}

static bool matches(const struct filter_rule *rule, const uint64_t arguments[6])
{
    for (unsigned i = 0; i < rule->argument_count; i++) {
        const struct filter_argument *argument = &rule->arguments[i];
        assert_int_equal(argument->compare, FILTER_MASKED);    /* all that the profiles use */
        assert_true((argument->value & ~argument->mask) == 0); /* or it would never match */
        if ((arguments[argument->index] & argument->mask) != argument->value)
            return false;
    }
    return true;
}

/* What becomes of a call. Rules that contradict each other are an error: nobody says which of them the kernel asks. */
static enum filter_action verdict(enum syscall_profile profile, const char *call, uint64_t a, uint64_t b, uint64_t c)
{
    const struct filter_spec spec = spec_of(profile);
    const uint64_t arguments[6] = {a, b, c};
    const struct filter_rule *found = NULL;
    for (size_t i = 0; i < spec.count; i++) {
        if (strcmp(spec.rules[i].call, call) != 0 || !matches(&spec.rules[i], arguments))
            continue;
        if (found)
            assert_int_equal(found->action, spec.rules[i].action);
        found = &spec.rules[i];
    }
    return found ? (enum filter_action)found->action : spec.otherwise;
}

#define DEFAULT(call, ...) verdict(SYSCALLS_DEFAULT, call, __VA_ARGS__)

/* --- the tables ------------------------------------------------------------------------------------ */

static void test_what_programs_need(void **state)
{
    /* By run-time systems and servers, found by tracing them; some exist on x86_64 only. */
    static const char *const calls[] = {
        "read",
        "write",
        "openat",
        "close",
        "mmap",
        "mprotect",
        "munmap",
        "brk",
        "futex",
        "exit_group",
        "execve",
        "wait4",
        "rt_sigaction",
        "rt_sigreturn",
        "sigaltstack",
        "set_robust_list",
        "rseq",
        "arch_prctl",
        "prlimit64",
        "getrandom",
        "clock_nanosleep",
        "epoll_pwait",
        "eventfd2",
        "timerfd_create",
        "accept4",
        "sendfile",
        "splice",
        "io_setup",
        "shmget",
        "semop",
        "mq_open",
        "sync_file_range",
        "fallocate",
        "fdatasync",
        "renameat2",
        "statx",
        "faccessat2",
        "memfd_create",
        "membarrier",
        "madvise",
        "mincore",
        "mbind",
        "sched_setaffinity",
        "setpriority",
        "prctl",
        "setresuid",
        "setgroups",
        "capget",
        "chown",
        "mknodat",
        "inotify_init1",
        "pidfd_open",
        "waitid",
        "copy_file_range",
        "landlock_create_ruleset",
        "seccomp",
        "tgkill",
        "getcpu",
        "get_mempolicy",
        "pkey_alloc",
        "close_range",
        "fork",
        "vfork",
        "open",
        "stat",
        "poll",
        "select",
        "epoll_wait",
        "pipe",
        "dup2",
    };
    for (size_t i = 0; i < COUNT(calls); i++)
        assert_int_equal(DEFAULT(calls[i], 0, 0, 0), FILTER_ALLOW);
}

static void test_what_no_program_needs(void **state)
{
    static const char *const calls[] = {
        "mount",        "umount2",       "pivot_root",    "chroot",        "move_mount",
        "fsopen",       "open_tree",     "mount_setattr", "unshare",       "setns",
        "init_module",  "finit_module",  "delete_module", "kexec_load",    "kexec_file_load",
        "reboot",       "swapon",        "acct",          "bpf",           "perf_event_open",
        "keyctl",       "add_key",       "request_key",   "userfaultfd",   "open_by_handle_at",
        "settimeofday", "clock_settime", "adjtimex",      "sethostname",   "syslog",
        "quotactl",     "iopl",          "ioperm",        "fanotify_init",
    };
    static const char *const intruding[] = {"ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd",
                                            "kcmp",   "io_uring_setup",   "io_uring_enter",    "io_uring_register"};
    for (size_t i = 0; i < COUNT(calls); i++) {
        assert_int_equal(DEFAULT(calls[i], 0, 0, 0), FILTER_REFUSE);
        assert_int_equal(verdict(SYSCALLS_BASELINE, calls[i], 0, 0, 0), FILTER_REFUSE);
    }
    for (size_t i = 0; i < COUNT(intruding); i++) {
        assert_int_equal(DEFAULT(intruding[i], 0, 0, 0), FILTER_REFUSE);
        assert_int_equal(verdict(SYSCALLS_BASELINE, intruding[i], 0, 0, 0), FILTER_ALLOW);
    }
}

static void test_what_nobody_knows(void **state)
{
    assert_int_equal(DEFAULT("a_call_of_tomorrow", 0, 0, 0), FILTER_UNKNOWN);
    assert_int_equal(verdict(SYSCALLS_BASELINE, "a_call_of_tomorrow", 0, 0, 0), FILTER_ALLOW);
    assert_int_equal(verdict(SYSCALLS_LOG, "a_call_of_tomorrow", 0, 0, 0), FILTER_LOG);
    assert_int_equal(DEFAULT("clone3", 0, 0, 0), FILTER_UNKNOWN);
    assert_int_equal(verdict(SYSCALLS_BASELINE, "clone3", 0, 0, 0), FILTER_UNKNOWN);
    assert_int_equal(verdict(SYSCALLS_LOG, "mount", 0, 0, 0), FILTER_LOG);
    assert_int_equal(verdict(SYSCALLS_LOG, "read", 0, 0, 0), FILTER_ALLOW);
    assert_int_equal(spec_of(SYSCALLS_DEFAULT).foreign, FILTER_KILL);
    assert_int_equal(spec_of(SYSCALLS_BASELINE).foreign, FILTER_KILL);
    assert_int_equal(spec_of(SYSCALLS_LOG).foreign, FILTER_ALLOW);
    struct filter_spec spec;
    assert_false(syscall_profile(SYSCALLS_OFF, &spec));
}

static void check_rules(enum syscall_profile profile)
{
    const struct filter_spec spec = spec_of(profile);
    for (size_t i = 0; i < spec.count; i++) {
        const struct filter_rule *rule = &spec.rules[i];
        assert_int_not_equal(rule->action, spec.otherwise);
        for (size_t j = 0; j < i; j++) { /* one without arguments stands alone: libseccomp drops what is beside it */
            if (strcmp(spec.rules[j].call, rule->call) != 0)
                continue;
            if (rule->argument_count == 0 || spec.rules[j].argument_count == 0)
                fail_msg("two rules for %s", rule->call);
        }
    }
}

static void test_rules_are_consistent(void **state)
{
    check_rules(SYSCALLS_DEFAULT);
    check_rules(SYSCALLS_BASELINE);
    check_rules(SYSCALLS_LOG);
}

/* --- arguments ------------------------------------------------------------------------------------- */

static const uint64_t high_bits[] = {0, 1ull << 32, 0xffffffff00000000ull};

static void test_clone_makes_no_namespaces(void **state)
{
    static const uint64_t namespaces[] = {CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,   CLONE_NEWUSER,
                                          CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP};
    const uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                            CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
#if defined(__s390__)
#define CLONE_VERDICT(profile, flags) verdict(profile, "clone", 0, flags, 0)
#else
#define CLONE_VERDICT(profile, flags) verdict(profile, "clone", flags, 0, 0)
#endif
    for (size_t high = 0; high < COUNT(high_bits); high++) {
        assert_int_equal(CLONE_VERDICT(SYSCALLS_DEFAULT, high_bits[high] | thread), FILTER_ALLOW);
        assert_int_equal(CLONE_VERDICT(SYSCALLS_DEFAULT, high_bits[high] | SIGCHLD), FILTER_ALLOW);
        assert_int_equal(CLONE_VERDICT(SYSCALLS_DEFAULT, high_bits[high] | CLONE_PIDFD | CLONE_VFORK), FILTER_ALLOW);
        for (size_t i = 0; i < COUNT(namespaces); i++) {
            uint64_t flags = high_bits[high] | namespaces[i] | namespaces[(i + 1) % COUNT(namespaces)] | SIGCHLD;
            assert_int_equal(CLONE_VERDICT(SYSCALLS_DEFAULT, namespaces[i]), FILTER_REFUSE);
            assert_int_equal(CLONE_VERDICT(SYSCALLS_DEFAULT, flags), FILTER_REFUSE);
            assert_int_equal(CLONE_VERDICT(SYSCALLS_BASELINE, flags), FILTER_REFUSE);
        }
    }
}

static void test_sockets_by_family(void **state)
{
    for (uint64_t family = 0; family < 64; family++) {
        bool good = family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
        for (size_t high = 0; high < COUNT(high_bits); high++)
            assert_int_equal(DEFAULT("socket", high_bits[high] | family, SOCK_STREAM, 0) == FILTER_ALLOW, good);
    }
    static const uint64_t refused[] = {AF_PACKET, AF_KEY,       AF_ALG, AF_VSOCK, AF_TIPC,
                                       AF_CAN,    AF_BLUETOOTH, AF_RDS, AF_XDP};
    for (size_t i = 0; i < COUNT(refused); i++) {
        for (size_t high = 0; high < COUNT(high_bits); high++) {
            assert_int_equal(DEFAULT("socket", high_bits[high] | refused[i], 0, 0), FILTER_REFUSE);
            assert_int_equal(verdict(SYSCALLS_BASELINE, "socket", high_bits[high] | refused[i], 0, 0), FILTER_REFUSE);
        }
    }
    assert_int_equal(DEFAULT("socket", AF_INET, SOCK_STREAM, 262 /* IPPROTO_MPTCP: Go listens so */), FILTER_ALLOW);
    assert_int_equal(DEFAULT("socket", AF_NETLINK, SOCK_RAW, 12 /* NETLINK_NETFILTER */), FILTER_UNKNOWN);
    assert_int_equal(DEFAULT("socketpair", AF_UNIX, 0, 0), FILTER_ALLOW);
    assert_int_equal(DEFAULT("socketpair", AF_TIPC, 0, 0), FILTER_REFUSE);
}

static void check_ioctl(uint64_t number)
{
    bool bad = (uint32_t)number == TIOCSTI || (uint32_t)number == TIOCLINUX;
    assert_int_equal(DEFAULT("ioctl", 0, number, 0), bad ? FILTER_REFUSE : FILTER_ALLOW);
    assert_int_equal(verdict(SYSCALLS_BASELINE, "ioctl", 0, number, 0), bad ? FILTER_REFUSE : FILTER_ALLOW);
}

static void test_ioctls(void **state)
{
    for (uint64_t number = 0; number < 0x800; number++)
        check_ioctl(0x5000 + number);
    for (size_t high = 0; high < COUNT(high_bits); high++) {
        check_ioctl(high_bits[high] | TIOCSTI);
        check_ioctl(high_bits[high] | TIOCLINUX);
        check_ioctl(high_bits[high] | FIONREAD);
        check_ioctl(high_bits[high] | TIOCGPTN);
        for (unsigned bit = 0; bit < 32; bit++) {
            check_ioctl(high_bits[high] | (TIOCSTI ^ 1ull << bit));
            check_ioctl(high_bits[high] | (TIOCLINUX ^ 1ull << bit));
        }
    }
}

static void test_personalities(void **state)
{
    assert_int_equal(DEFAULT("personality", 0xffffffff, 0, 0), FILTER_ALLOW);
    assert_int_equal(DEFAULT("personality", PER_LINUX, 0, 0), FILTER_ALLOW);
    assert_int_equal(DEFAULT("personality", PER_LINUX32, 0, 0), FILTER_ALLOW);
    assert_int_equal(DEFAULT("personality", ADDR_NO_RANDOMIZE, 0, 0), FILTER_UNKNOWN);
    assert_int_equal(DEFAULT("personality", READ_IMPLIES_EXEC | 1ull << 32, 0, 0), FILTER_UNKNOWN);
}

/* --- in the kernel --------------------------------------------------------------------------------- */

static void *nothing(void *argument)
{
    return argument;
}

#define REFUSED(code, call) (errno = 0, (call) == -1 && errno == (code))

/* 0, or the number of what was not as it should be. */
static int try_default(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) != 0 || pthread_join(thread, NULL) != 0)
        return 1;
    if (!REFUSED(EPERM, unshare(CLONE_NEWUSER)) || !REFUSED(EPERM, syscall(SYS_setns, -1, 0)))
        return 2;
    if (!REFUSED(EPERM, syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0)))
        return 3;
    if (!REFUSED(ENOSYS, syscall(SYS_clone3, NULL, 0)) || !REFUSED(ENOSYS, syscall(100000)))
        return 4;
    if (!REFUSED(EPERM, socket(AF_ALG, SOCK_SEQPACKET, 0)) || !REFUSED(EPERM, socket(AF_VSOCK, SOCK_STREAM, 0)) ||
        !REFUSED(EPERM, syscall(SYS_socket, 1ull << 32 | AF_ALG, SOCK_SEQPACKET, 0)))
        return 5;
    if (!REFUSED(EPERM, syscall(SYS_ioctl, 0, 1ull << 32 | TIOCSTI, "x")) || !REFUSED(EPERM, ioctl(0, TIOCLINUX, "x")))
        return 6;
    if (!REFUSED(EBADF, ioctl(-1, FIONREAD, 0)) || !REFUSED(EBADF, ioctl(-1, TIOCGPTN, 0)))
        return 7;
    if (personality(0xffffffff) < 0 || !REFUSED(ENOSYS, personality(ADDR_NO_RANDOMIZE)))
        return 8;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0 || if_nametoindex("lo") == 0)
        return 9;
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    int status;
    return waitpid(child, &status, 0) == child && status == 0 ? 0 : 10;
}

static int try_baseline(void)
{
    if (!REFUSED(EPERM, unshare(CLONE_NEWUSER)) || !REFUSED(EPERM, syscall(SYS_ioctl, 0, 1ull << 32 | TIOCSTI, "x")))
        return 1;
    if (!REFUSED(EPERM, syscall(SYS_socket, 1ull << 32 | AF_VSOCK, SOCK_STREAM, 0)))
        return 2;
    if (!REFUSED(ENOSYS, syscall(SYS_clone3, NULL, 0)))
        return 3;
    return REFUSED(EBADF, syscall(SYS_pidfd_getfd, -1, 0, 0)) ? 0 : 4;
}

#if defined(__x86_64__)
static int try_foreign(void)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20 /* getpid of i386 */) : "memory");
    return 0;
}
#endif

static int status_behind(enum syscall_profile profile, int (*body)(void))
{
    const struct filter_spec spec = spec_of(profile);
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(filter_load(&spec, NULL) < 0 ? 100 : body());
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_kernel(void **state)
{
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* needs ptrace at its end */
#endif
    int status = status_behind(SYSCALLS_DEFAULT, try_default);
    assert_int_equal(status, 0);
    status = status_behind(SYSCALLS_BASELINE, try_baseline);
    assert_int_equal(status, 0);
#if defined(__x86_64__)
    status = status_behind(SYSCALLS_DEFAULT, try_foreign);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
#endif
}

static void test_program_is_short(void **state)
{
    const struct filter_spec spec = spec_of(SYSCALLS_DEFAULT);
    void *program = NULL;
    size_t count = 0;
    assert_int_equal(filter_compile(&spec, &program, &count, NULL), 0);
    assert_in_range(count, 200, 4096); /* BPF_MAXINSNS */
    free(program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_programs_need),
        cmocka_unit_test(test_what_no_program_needs),
        cmocka_unit_test(test_what_nobody_knows),
        cmocka_unit_test(test_rules_are_consistent),
        cmocka_unit_test(test_clone_makes_no_namespaces),
        cmocka_unit_test(test_sockets_by_family),
        cmocka_unit_test(test_ioctls),
        cmocka_unit_test(test_personalities),
        cmocka_unit_test(test_kernel),
        cmocka_unit_test(test_program_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
