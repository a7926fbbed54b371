/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * failing RULE TRACE PROGRAM [ARG...]: runs a program, and all that it starts, with system calls that fail when told
 * to. The shim is static and an app's child is not executed yet when most of its steps run, so nothing can be
 * preloaded: a seccomp filter, which children inherit, asks this process about each call below instead.
 *
 * While the file RULE exists it has one line,
 *   CALL ERRNO SKIP COMMAND OBJECT
 * and the call after SKIP that match fails with ERRNO (a number); COMMAND is the task's name, OBJECT a pattern as in
 * fnmatch(3). After that, RULE is renamed to RULE.hit, so that it fails once. While the file TRACE exists, each call is
 * appended to it as "CALL COMMAND OBJECT".
 *
 * Object: the path, for a call with one; what a descriptor is; else a number that tells calls apart, or "-".
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __x86_64__
#define MACHINE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define MACHINE AUDIT_ARCH_AARCH64
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1ul << 5) /* linux 5.19; not in Debian 12's glibc headers */
#endif

enum kind { NOTHING, PATH, PATH_AT, DESCRIPTOR, NUMBER, LIMIT };

/* Which calls are asked about, and which argument is the object. PATH_AT: the argument before it is the directory;
 * LIMIT: a number, and whether it is set or only asked for. */
static const struct call {
    const char *name;
    int number;
    enum kind kind;
    int argument;
} calls[] = {
    {"clone3", SYS_clone3, NOTHING, 0},
    {"unshare", SYS_unshare, NUMBER, 0},
    {"setns", SYS_setns, DESCRIPTOR, 0},
    {"mount", SYS_mount, PATH, 1},
    {"umount2", SYS_umount2, PATH, 0},
    {"mount_setattr", SYS_mount_setattr, PATH_AT, 1},
    {"open_tree", SYS_open_tree, PATH_AT, 1},
    {"move_mount", SYS_move_mount, PATH_AT, 3},
    {"fsopen", SYS_fsopen, PATH, 0},
    {"fsmount", SYS_fsmount, NOTHING, 0},
    {"fsconfig", SYS_fsconfig, NUMBER, 1},
    {"pivot_root", SYS_pivot_root, PATH, 0},
    {"chroot", SYS_chroot, PATH, 0},
    {"chdir", SYS_chdir, PATH, 0},
    {"fchdir", SYS_fchdir, DESCRIPTOR, 0},
    {"mkdirat", SYS_mkdirat, PATH_AT, 1},
    {"mknodat", SYS_mknodat, PATH_AT, 1},
    {"symlinkat", SYS_symlinkat, PATH_AT, 2},
    {"openat", SYS_openat, PATH_AT, 1},
    {"openat2", SYS_openat2, PATH_AT, 1},
#ifdef SYS_mkdir
    {"mkdir", SYS_mkdir, PATH, 0},
    {"mknod", SYS_mknod, PATH, 0},
    {"symlink", SYS_symlink, PATH, 1},
    {"open", SYS_open, PATH, 0},
    {"chown", SYS_chown, PATH, 0},
    {"chmod", SYS_chmod, PATH, 0},
    {"dup2", SYS_dup2, NUMBER, 1},
#endif
    {"fchownat", SYS_fchownat, PATH_AT, 1},
    {"fchown", SYS_fchown, DESCRIPTOR, 0},
    {"fchmod", SYS_fchmod, DESCRIPTOR, 0},
    {"fchmodat", SYS_fchmodat, PATH_AT, 1},
    {"write", SYS_write, DESCRIPTOR, 0},
    {"sendmsg", SYS_sendmsg, DESCRIPTOR, 0},
    {"sendto", SYS_sendto, DESCRIPTOR, 0},
    {"socket", SYS_socket, NUMBER, 0},
    {"socketpair", SYS_socketpair, NUMBER, 0},
    {"bind", SYS_bind, DESCRIPTOR, 0},
    {"listen", SYS_listen, DESCRIPTOR, 0},
    {"pipe2", SYS_pipe2, NOTHING, 0},
    {"dup3", SYS_dup3, NUMBER, 1},
    {"sethostname", SYS_sethostname, NOTHING, 0},
    {"setsid", SYS_setsid, NOTHING, 0},
    {"prlimit64", SYS_prlimit64, LIMIT, 1},
    {"setrlimit", SYS_setrlimit, NUMBER, 0},
    {"setgroups", SYS_setgroups, NOTHING, 0},
    {"setresgid", SYS_setresgid, NUMBER, 0},
    {"setresuid", SYS_setresuid, NUMBER, 0},
    {"capset", SYS_capset, NOTHING, 0},
    {"prctl", SYS_prctl, NUMBER, 0},
    {"seccomp", SYS_seccomp, NUMBER, 0},
    {"close_range", SYS_close_range, NUMBER, 0},
    {"pidfd_open", SYS_pidfd_open, NOTHING, 0},
    {"inotify_add_watch", SYS_inotify_add_watch, PATH, 1},
    {"execve", SYS_execve, PATH, 0},
    {"execveat", SYS_execveat, PATH_AT, 1},
};

enum { CALLS = sizeof calls / sizeof *calls };

static const char *rule_path, *trace_path;
static unsigned seen; /* calls that matched the rule and were let through */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "failing: %s: %s\n", what, strerror(errno));
    exit(125);
}

/* --- in the program's process, before it is executed -------------------------------------------------- */

static int load_filter(void)
{
    struct sock_filter program[2 * CALLS + 6];
    unsigned short length = 0;
    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < CALLS; i++) {
        program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].number, 0, 1);
        program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    }
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const struct sock_fprog all = {.len = length, .filter = program};
    const unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &all);
    if (fd < 0 && errno == EINVAL)
        fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &all);
    return (int)fd;
}

/* The table of descriptors is shared until the program is executed, so the listener needs no sending: a call that sends
 * would wait for its own answer. It has the number that was free. */
static pid_t launch(char *const words[], int *listener)
{
    int expected = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(expected);
    long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        if (load_filter() != expected)
            _exit(125);
        execv(words[0], words);
        _exit(127);
    }
    if (pid < 0)
        die("clone");
    for (int i = 0; i < 5000 && fcntl(expected, F_GETFD) < 0; i++)
        poll(NULL, 0, 1);
    if (fcntl(expected, F_GETFD) < 0)
        die("load the filter");
    *listener = expected;
    return (pid_t)pid;
}

/* --- what a call is about ------------------------------------------------------------------------------ */

static void read_string(pid_t pid, uint64_t address, char *text, size_t size)
{
    /* A page at a time, so that the end of the last one does no harm. */
    size_t length = 0;
    while (length + 1 < size) {
        size_t chunk = 4096 - ((address + length) & 4095);
        if (chunk > size - 1 - length)
            chunk = size - 1 - length;
        struct iovec here = {text + length, chunk}, there = {(void *)(uintptr_t)(address + length), chunk};
        if (process_vm_readv(pid, &here, 1, &there, 1, 0) != (ssize_t)chunk)
            break;
        char *end = memchr(text + length, '\0', chunk);
        if (end)
            return;
        length += chunk;
    }
    text[length] = '\0';
}

static pid_t process_of(pid_t task)
{
    char path[64], text[2048] = "";
    snprintf(path, sizeof path, "/proc/%d/status", (int)task);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    const char *line = got > 0 ? strstr(text, "\nTgid:") : NULL;
    return line ? atoi(line + strlen("\nTgid:")) : task;
}

static void name_socket(pid_t task, int number, char *text, size_t size)
{
    int domain = -1, protocol = -1;
    socklen_t length = sizeof domain;
    int pidfd = (int)syscall(SYS_pidfd_open, process_of(task), 0);
    int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
    if (fd >= 0) {
        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
        getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length);
        close(fd);
    }
    if (pidfd >= 0)
        close(pidfd);
    snprintf(text, size, "socket:%s.%d",
             domain == AF_NETLINK ? "netlink"
             : domain == AF_UNIX  ? "unix"
                                  : "other",
             protocol);
}

static void name_descriptor(pid_t task, int number, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)task, number);
    ssize_t length = readlink(path, text, size - 1);
    text[length < 0 ? 0 : length] = '\0';
    if (length < 0)
        snprintf(text, size, "?");
    else if (strncmp(text, "socket:", strlen("socket:")) == 0)
        name_socket(task, number, text, size);
}

static void name_path(pid_t task, int directory, uint64_t address, char *text, size_t size)
{
    char relative[PATH_MAX], base[PATH_MAX];
    read_string(task, address, relative, sizeof relative);
    if (relative[0] == '/' || directory == AT_FDCWD) {
        snprintf(text, size, "%s", relative[0] ? relative : "?");
        return;
    }
    name_descriptor(task, directory, base, sizeof base);
    snprintf(text, size, "%.*s%s%.*s", (int)(size / 2), base, relative[0] ? "/" : "", (int)(size / 2) - 2, relative);
}

static void name_object(const struct call *call, const struct seccomp_notif *asked, char *text, size_t size)
{
    const uint64_t *arguments = (const uint64_t *)asked->data.args;
    pid_t task = (pid_t)asked->pid;
    switch (call->kind) {
    case PATH: name_path(task, AT_FDCWD, arguments[call->argument], text, size); break;
    case PATH_AT: name_path(task, (int)arguments[call->argument - 1], arguments[call->argument], text, size); break;
    case DESCRIPTOR: name_descriptor(task, (int)arguments[call->argument], text, size); break;
    case NUMBER: snprintf(text, size, "%llu", (unsigned long long)arguments[call->argument]); break;
    case LIMIT:
        snprintf(text, size, "%s.%llu", arguments[call->argument + 1] ? "set" : "get",
                 (unsigned long long)arguments[call->argument]);
        break;
    default: snprintf(text, size, "-");
    }
    for (char *at = text; *at; at++) {
        if (*at == ' ' || *at == '\n')
            *at = '_';
    }
}

/* --- deciding --------------------------------------------------------------------------------------------- */

static void name_task(pid_t task, char name[32])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)task);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, name, 31);
    if (fd >= 0)
        close(fd);
    name[got > 0 ? got - 1 : 0] = '\0'; /* without its newline */
}

static void trace(const char *call, const char *task, const char *object)
{
    int fd = open(trace_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0)
        return;
    dprintf(fd, "%s %s %s\n", call, task, object);
    close(fd);
}

/* The errno that this call is to fail with, 0 = let it through. */
static int decide(const char *call, const char *task, const char *object)
{
    char line[PATH_MAX + 128] = "", rule_call[32], rule_task[32], rule_object[PATH_MAX], hit[PATH_MAX];
    int error;
    unsigned skip;
    int fd = open(rule_path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (fd >= 0)
        close(fd);
    if (got <= 0) {
        seen = 0;
        return 0;
    }
    if (sscanf(line, "%31s %d %u %31s %4095s", rule_call, &error, &skip, rule_task, rule_object) != 5)
        die("understand the rule");
    if (strcmp(call, rule_call) != 0 || strcmp(task, rule_task) != 0 || fnmatch(rule_object, object, 0) != 0 ||
        seen++ < skip)
        return 0;
    seen = 0;
    snprintf(hit, sizeof hit, "%s.hit", rule_path);
    if (rename(rule_path, hit) < 0)
        die(rule_path);
    return error;
}

static void answer(int listener, struct seccomp_notif *asked, struct seccomp_notif_resp *reply)
{
    const struct call *call = NULL;
    char task[32], object[PATH_MAX];
    for (size_t i = 0; i < CALLS && !call; i++)
        call = calls[i].number == asked->data.nr ? &calls[i] : NULL;
    memset(reply, 0, sizeof *reply);
    reply->id = asked->id;
    name_task((pid_t)asked->pid, task);
    name_object(call, asked, object, sizeof object);
    /* Whoever asked may have died meanwhile and its number may be somebody else's. */
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &asked->id) < 0)
        return;
    trace(call->name, task, object);
    reply->error = -decide(call->name, task, object);
    if (reply->error == 0)
        reply->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, reply);
}

static pid_t child;

static void pass_on(int signal)
{
    kill(child, signal);
}

int main(int argc, char *argv[])
{
    struct seccomp_notif_sizes sizes;
    int listener, status;
    if (argc < 4) {
        fprintf(stderr, "usage: failing RULE TRACE PROGRAM [ARG...]\n");
        return 2;
    }
    rule_path = argv[1];
    trace_path = argv[2];
    if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
        die("ask for the sizes of notifications");
    struct seccomp_notif *asked = calloc(1, sizes.seccomp_notif + sizeof *asked);
    struct seccomp_notif_resp *reply = calloc(1, sizes.seccomp_notif_resp + sizeof *reply);
    if (!asked || !reply)
        die("allocate");
    child = launch(argv + 3, &listener);
    signal(SIGTERM, pass_on);
    signal(SIGINT, pass_on);
    for (;;) {
        struct pollfd ready = {.fd = listener, .events = POLLIN};
        int count = poll(&ready, 1, 100);
        if (count > 0 && ready.revents & POLLIN) {
            memset(asked, 0, sizes.seccomp_notif);
            if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, asked) == 0)
                answer(listener, asked, reply);
            else if (errno != EINTR && errno != ENOENT)
                die("receive a notification");
        } else if (waitpid(child, &status, WNOHANG) == child) {
            /* What it leaves behind runs on; its calls are not asked about any more, and fail with ENOSYS. */
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
    }
}
