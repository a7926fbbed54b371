/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attempts of escape.c on other processes, on what the app itself is, and on its place among the machine's. */
#pragma once

#include "escape.h"

#include <dirent.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/uio.h>
#include <sys/wait.h>

static bool number(const char *name)
{
    return name[0] >= '0' && name[0] <= '9';
}

static bool process_has_marker(const char *pid)
{
    char path[300], line[4096];
    snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, line, sizeof line);
    if (fd >= 0)
        close(fd);
    /* Our own command line has it too, but says so with an option. */
    return got > 0 && memmem(line, (size_t)got, aim.marker, strlen(aim.marker)) &&
           !memmem(line, (size_t)got, "--marker", strlen("--marker"));
}

static bool try_host_processes(void)
{
    DIR *directory = opendir("/proc");
    const struct dirent *entry;
    unsigned seen = 0;
    bool found = false;
    while (directory && (entry = readdir(directory))) {
        seen += number(entry->d_name);
        found = found || (number(entry->d_name) && process_has_marker(entry->d_name));
    }
    say("%u processes seen%s", seen, found ? ", the host's among them" : "");
    return found;
}

/* State letter of proc(5), 0 if it is gone. */
static char state_of(pid_t pid)
{
    char path[64], line[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
    if (fd >= 0)
        close(fd);
    const char *end = got > 0 ? strrchr(line, ')') : NULL;
    return end ? end[2] : 0;
}

static bool signal_victim(int which, int signal, const char *bad)
{
    pid_t pid = aim.victims[which];
    if (kill(pid, signal) < 0)
        return judge(-1, "kill");
    poll(NULL, 0, 300); /* the shim would stop the zone, and us with it */
    char state = state_of(pid);
    bool hit = state == 0 || strchr(bad, state);
    say("kill: taken, state afterwards %c", state ? state : '-');
    if (signal == SIGSTOP)
        kill(pid, SIGCONT);
    return hit;
}

static bool try_signal_term(void)
{
    return signal_victim(VICTIM_TERM, SIGTERM, "ZXx");
}

static bool try_signal_stop(void)
{
    return signal_victim(VICTIM_STOP, SIGSTOP, "TtZXx");
}

static bool try_signal_kill(void)
{
    return signal_victim(VICTIM_KILL, SIGKILL, "ZXx");
}

static bool try_ptrace(void)
{
    return judge(ptrace(PTRACE_SEIZE, aim.init, NULL, NULL), "ptrace");
}

static bool try_read_memory(void)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)1, 1};
    return judge_rights(process_vm_readv(aim.init, &here, 1, &there, 1, 0), "process_vm_readv");
}

static bool try_write_memory(void)
{
    char byte = 0;
    struct iovec here = {&byte, 1}, there = {(void *)1, 1};
    return judge_rights(process_vm_writev(aim.init, &here, 1, &there, 1, 0), "process_vm_writev");
}

static bool try_pidfd_getfd(void)
{
    int pidfd = (int)syscall(SYS_pidfd_open, aim.init, 0);
    return pidfd < 0 ? judge(-1, "pidfd_open") : judge(syscall(SYS_pidfd_getfd, pidfd, 0, 0), "pidfd_getfd");
}

static bool try_init_root(void)
{
    return init_can_open("root/etc", O_RDONLY | O_DIRECTORY);
}

static bool try_init_cwd(void)
{
    return init_can_open("cwd/", O_RDONLY | O_DIRECTORY);
}

static bool try_init_environment(void)
{
    return init_can_open("environ", O_RDONLY);
}

static bool try_init_descriptors(void)
{
    return init_can_open("fd/2", O_RDONLY);
}

static bool try_init_memory_file(void)
{
    return init_can_open("mem", O_RDWR);
}

static bool try_init_program(void)
{
    return init_can_open("exe", O_RDONLY);
}

static bool try_init_oom_score(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)aim.init);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? judge(fd, path) : judge(write(fd, "1000", 4), path);
}

static bool enter(const char *name, int type)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)aim.init, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? judge(fd, path) : judge(setns(fd, type), "setns");
}

static bool try_setns_mount(void)
{
    return enter("mnt", CLONE_NEWNS);
}

static bool try_setns_network(void)
{
    return enter("net", CLONE_NEWNET);
}

static bool try_setns_pid(void)
{
    return enter("pid", CLONE_NEWPID);
}

static bool try_setns_pidfd(void)
{
    int pidfd = (int)syscall(SYS_pidfd_open, aim.init, 0);
    return pidfd < 0 ? judge(-1, "pidfd_open") : judge(setns(pidfd, CLONE_NEWNS | CLONE_NEWUTS), "setns");
}

/* System V memory and POSIX memory of the host, by name. */
static bool try_host_shared_memory(void)
{
    char path[128];
    snprintf(path, sizeof path, "/dev/shm/%s", aim.marker);
    return can_open(path, O_RDONLY);
}

static bool try_host_ipc(void)
{
    return judge(shmget(aim.host_key, 0, 0), "shmget");
}

static bool try_host_tmp(void)
{
    char path[128];
    snprintf(path, sizeof path, "/tmp/%s", aim.marker);
    return can_open(path, O_RDONLY);
}

static bool try_host_var_tmp(void)
{
    char path[128];
    snprintf(path, sizeof path, "/var/tmp/%s", aim.marker);
    return can_open(path, O_RDONLY);
}

/* --- what the app itself is ------------------------------------------------------------------------ */

static bool try_leaked_descriptors(void)
{
    /* 3 is the pipe to our parent, which main() made there, and 4 what opendir has. */
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;
    if (!directory)
        return judge(-1, "/proc/self/fd");
    while ((entry = readdir(directory))) {
        int fd = number(entry->d_name) ? atoi(entry->d_name) : 0;
        if (fd > 3 && fd != dirfd(directory)) {
            char path[64], target[128] = "";
            snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
            if (readlink(path, target, sizeof target - 1) < 0)
                continue;
            say("%d is %s", fd, target);
            return true;
        }
    }
    say("none beyond stderr");
    return false;
}

/* The value of a line of /proc/self/status as a number of the base. */
static unsigned long long status_value(const char *name, int base)
{
    char text[8192] = "", wanted[32];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
        return ~0ull;
    close(fd);
    snprintf(wanted, sizeof wanted, "\n%s:", name);
    const char *line = strstr(text, wanted);
    return line ? strtoull(line + strlen(wanted), NULL, base) : ~0ull;
}

static bool try_own_capabilities(void)
{
    unsigned long long all = status_value("CapInh", 16) | status_value("CapPrm", 16) | status_value("CapEff", 16) |
                             status_value("CapBnd", 16) | status_value("CapAmb", 16);
    say("any set: %llx", all);
    return all != 0;
}

static bool try_own_new_privileges(void)
{
    say("NoNewPrivs %llu", status_value("NoNewPrivs", 10));
    return status_value("NoNewPrivs", 10) != 1;
}

static bool try_own_filter(void)
{
    say("Seccomp %llu", status_value("Seccomp", 10));
    return status_value("Seccomp", 10) != 2;
}

static bool try_raise_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{.effective = 1u << CAP_SYS_CHROOT, .permitted = 1u << CAP_SYS_CHROOT}};
    return judge(syscall(SYS_capset, &header, data), "capset");
}

static bool try_other_user(void)
{
    uid_t other = getuid() + 1;
    return judge(setresuid(other, other, other), "setresuid");
}

static bool try_other_group(void)
{
    gid_t other = getgid() + 1;
    return judge(setresgid(other, other, other), "setresgid");
}

static bool try_drop_groups(void)
{
    /* Giving up groups evades permissions that deny to a group. */
    return judge(syscall(SYS_setgroups, 0, NULL), "setgroups");
}

/* Executes ourselves under another name and reads what rights that gave: "EUID CAPABILITIES". */
static bool gains_rights(const char *path)
{
    int ends[2], status;
    char answer[64] = "";
    if (!path || pipe(ends) < 0)
        return judge(-1, "pipe");
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl(path, path, "--print-rights", (char *)NULL);
        dprintf(STDOUT_FILENO, "error %s", error_name(errno));
        _exit(0);
    }
    close(ends[1]);
    ssize_t got = child < 0 ? -1 : read(ends[0], answer, sizeof answer - 1);
    waitpid(child, &status, 0);
    unsigned long euid = 0;
    unsigned long long rights = 0;
    bool understood = got > 0 && sscanf(answer, "%lu %llx", &euid, &rights) == 2;
    say("%s: %s", path, understood ? answer : got > 0 ? answer : "no answer");
    return understood && (euid != geteuid() || rights != 0);
}

static bool try_set_user_id(void)
{
    return gains_rights(aim.setuid);
}

static bool try_file_capability(void)
{
    return gains_rights(aim.filecap);
}

static void print_rights(void)
{
    printf("%lu %llx", (unsigned long)geteuid(), status_value("CapEff", 16));
}

/* --- its place among the machine's ----------------------------------------------------------------- */

static bool try_nice(void)
{
    return judge(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) - 1), "setpriority");
}

static bool try_real_time(void)
{
    struct sched_param parameter = {.sched_priority = 1};
    return judge(sched_setscheduler(0, SCHED_FIFO, &parameter), "sched_setscheduler");
}

static bool try_io_priority(void)
{
    return judge(syscall(SYS_ioprio_set, 1, 0, 1 << 13), "ioprio_set"); /* the real-time class */
}

static bool try_oom_score(void)
{
    int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    char text[16] = "";
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
        return judge(-1, "/proc/self/oom_score_adj");
    return judge(pwrite(fd, "-1", 2, 0), "an oom_score_adj below a live zone's");
}

static bool try_raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_MSGQUEUE, &limit) < 0)
        return judge(-1, "getrlimit");
    limit.rlim_max++;
    return judge(setrlimit(RLIMIT_MSGQUEUE, &limit), "setrlimit");
}
