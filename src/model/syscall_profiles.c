/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which system calls an app may make. Apart from the filter compiler because it is data, and the part that is looked at
 * when a program does not run.
 *
 * Arguments are compared by their lower half where the kernel takes an int: a filter that compares all 64 bits is
 * passed by one bit above them, which the kernel drops (CVE-2019-10063). For machines of 64 bits: calls that only those
 * of 32 bits have are missing.
 */
#include "model/syscall_filter.h"

/* What servers, their languages' run-time systems and ordinary tools use and what needs no right that an app lacks. */
/* clang-format off */
#define FILE_CALLS(_) \
    _(access) _(cachestat) _(chdir) _(chmod) _(chown) _(close) _(close_range) _(copy_file_range) _(creat) _(dup) \
    _(dup2) _(dup3) _(faccessat) _(faccessat2) _(fadvise64) _(fallocate) _(fchdir) _(fchmod) _(fchmodat) _(fchmodat2) \
    _(fchown) _(fchownat) _(fcntl) _(fdatasync) _(fgetxattr) _(flistxattr) _(flock) _(fremovexattr) _(fsetxattr) \
    _(fstat) _(fstatfs) _(fsync) _(ftruncate) _(futimesat) _(getcwd) _(getdents) _(getdents64) _(getxattr) \
    _(getxattrat) _(inotify_add_watch) _(inotify_init) _(inotify_init1) _(inotify_rm_watch) _(io_cancel) \
    _(io_destroy) _(io_getevents) _(io_pgetevents) _(io_setup) _(io_submit) _(lchown) _(lgetxattr) _(link) _(linkat) \
    _(listxattr) _(listxattrat) _(llistxattr) _(lremovexattr) _(lseek) _(lsetxattr) _(lstat) _(memfd_create) _(mkdir) \
    _(mkdirat) _(mknod) _(mknodat) _(name_to_handle_at) _(newfstatat) _(open) _(openat) _(openat2) _(pipe) _(pipe2) \
    _(pread64) _(preadv) _(preadv2) _(pwrite64) _(pwritev) _(pwritev2) _(read) _(readahead) _(readlink) _(readlinkat) \
    _(readv) _(removexattr) _(removexattrat) _(rename) _(renameat) _(renameat2) _(rmdir) _(sendfile) _(setxattr) \
    _(setxattrat) _(splice) _(stat) _(statfs) _(statx) _(symlink) _(symlinkat) _(sync) _(sync_file_range) \
    _(sync_file_range2) _(syncfs) _(tee) _(truncate) _(umask) _(unlink) _(unlinkat) _(utime) _(utimensat) _(utimes) \
    _(vmsplice) _(write) _(writev)
#define MEMORY_CALLS(_) \
    _(brk) _(get_mempolicy) _(madvise) _(map_shadow_stack) _(mbind) _(membarrier) _(memfd_secret) _(migrate_pages) \
    _(mincore) _(mlock) _(mlock2) _(mlockall) _(mmap) _(move_pages) _(mprotect) _(mremap) _(mseal) _(msync) \
    _(munlock) _(munlockall) _(munmap) _(pkey_alloc) _(pkey_free) _(pkey_mprotect) _(process_mrelease) \
    _(remap_file_pages) _(riscv_flush_icache) _(riscv_hwprobe) _(set_mempolicy) _(set_mempolicy_home_node)
#define PROCESS_CALLS(_) \
    _(arch_prctl) _(capget) _(capset) _(execve) _(execveat) _(exit) _(exit_group) _(fork) _(futex) _(futex_requeue) \
    _(futex_wait) _(futex_waitv) _(futex_wake) _(get_robust_list) _(getcpu) _(getegid) _(geteuid) _(getgid) \
    _(getgroups) _(getpgid) _(getpgrp) _(getpid) _(getppid) _(getpriority) _(getrandom) _(getresgid) _(getresuid) \
    _(getrlimit) _(getrusage) _(getsid) _(gettid) _(getuid) _(ioprio_get) _(ioprio_set) _(kill) \
    _(landlock_add_rule) _(landlock_create_ruleset) _(landlock_restrict_self) _(pause) _(pidfd_open) \
    _(pidfd_send_signal) _(prctl) _(prlimit64) _(restart_syscall) _(rseq) _(rt_sigaction) _(rt_sigpending) \
    _(rt_sigprocmask) _(rt_sigqueueinfo) _(rt_sigreturn) _(rt_sigsuspend) _(rt_sigtimedwait) _(rt_tgsigqueueinfo) \
    _(sched_get_priority_max) _(sched_get_priority_min) _(sched_getaffinity) _(sched_getattr) _(sched_getparam) \
    _(sched_getscheduler) _(sched_rr_get_interval) _(sched_setaffinity) _(sched_setattr) _(sched_setparam) \
    _(sched_setscheduler) _(sched_yield) _(seccomp) _(set_robust_list) _(set_tid_address) _(setfsgid) _(setfsuid) \
    _(setgid) _(setgroups) _(setpgid) _(setpriority) _(setregid) _(setresgid) _(setresuid) _(setreuid) _(setrlimit) \
    _(setsid) _(setuid) _(sigaltstack) _(signalfd) _(signalfd4) _(sysinfo) _(tgkill) _(tkill) _(uname) _(uprobe) \
    _(uretprobe) _(vfork) _(wait4) _(waitid)
#define WAITING_CALLS(_) \
    _(alarm) _(clock_getres) _(clock_gettime) _(clock_nanosleep) _(epoll_create) _(epoll_create1) _(epoll_ctl) \
    _(epoll_pwait) _(epoll_pwait2) _(epoll_wait) _(eventfd) _(eventfd2) _(getitimer) _(gettimeofday) _(nanosleep) \
    _(poll) _(ppoll) _(pselect6) _(select) _(setitimer) _(time) _(timer_create) _(timer_delete) _(timer_getoverrun) \
    _(timer_gettime) _(timer_settime) _(timerfd_create) _(timerfd_gettime) _(timerfd_settime) _(times)
/* System V and POSIX queues, semaphores and shared memory are the zone's own: it has an IPC namespace. */
#define TALKING_CALLS(_) \
    _(accept) _(accept4) _(bind) _(connect) _(getpeername) _(getsockname) _(getsockopt) _(listen) _(mq_getsetattr) \
    _(mq_notify) _(mq_open) _(mq_timedreceive) _(mq_timedsend) _(mq_unlink) _(msgctl) _(msgget) _(msgrcv) _(msgsnd) \
    _(recvfrom) _(recvmmsg) _(recvmsg) _(semctl) _(semget) _(semop) _(semtimedop) _(sendmmsg) _(sendmsg) _(sendto) \
    _(setsockopt) _(shmat) _(shmctl) _(shmdt) _(shmget) _(shutdown)

/* The machine is not the app's: its clock, modules, mounts, namespaces, keys, its log, its other users' work. Most of
 * it takes capabilities that no app has; refused here too, for it is where the kernel's holes have been. */
#define HOST_CALLS(_) \
    _(acct) _(add_key) _(adjtimex) _(bpf) _(chroot) _(clock_adjtime) _(clock_settime) _(create_module) \
    _(delete_module) _(fanotify_init) _(fanotify_mark) _(finit_module) _(fsconfig) _(fsmount) _(fsopen) _(fspick) \
    _(init_module) _(ioperm) _(iopl) _(kexec_file_load) _(kexec_load) _(keyctl) _(lookup_dcookie) _(modify_ldt) \
    _(mount) _(mount_setattr) _(move_mount) _(nfsservctl) _(open_by_handle_at) _(open_tree) _(open_tree_attr) \
    _(perf_event_open) _(pivot_root) _(query_module) _(quotactl) _(quotactl_fd) _(reboot) _(request_key) \
    _(setdomainname) _(sethostname) _(setns) _(settimeofday) _(swapoff) _(swapon) _(syslog) _(umount2) _(unshare) \
    _(uselib) _(userfaultfd) _(vhangup)
/* Looking into other processes of the same user, and ways around this very filter. */
#define INTRUDING_CALLS(_) \
    _(io_uring_enter) _(io_uring_register) _(io_uring_setup) _(kcmp) _(pidfd_getfd) _(process_madvise) \
    _(process_vm_readv) _(process_vm_writev) _(ptrace)
/* clang-format on */

#define ALLOW(name)  {.call = #name, .action = FILTER_ALLOW},
#define REFUSE(name) {.call = #name, .action = FILTER_REFUSE},
#define LOW_HALF     0xffffffffu

/* The bits of mask in the argument are these. */
#define ALLOW_BITS(name, which, of, wanted)                         \
    {                                                               \
        .call = #name, .action = FILTER_ALLOW, .argument_count = 1, \
        .arguments = {{(which), FILTER_MASKED, (wanted), (of)}},    \
    }
#define REFUSE_BITS(name, which, of, wanted)                         \
    {                                                                \
        .call = #name, .action = FILTER_REFUSE, .argument_count = 1, \
        .arguments = {{(which), FILTER_MASKED, (wanted), (of)}},     \
    }

/* --- clone ------------------------------------------------------------------------------------------ */

#if defined(__s390__)
#define CLONE_FLAGS 1 /* clone(2): the arguments' order is the machine's */
#else
#define CLONE_FLAGS 0
#endif
/* linux/sched.h; all but CLONE_NEWTIME, whose bit is part of the signal in clone(2) and which only clone3(2) takes */
#define NEW_NS         0x00020000u
#define NEW_CGROUP     0x02000000u
#define NEW_UTS        0x04000000u
#define NEW_IPC        0x08000000u
#define NEW_USER       0x10000000u
#define NEW_PID        0x20000000u
#define NEW_NET        0x40000000u
#define NEW_NAMESPACES (NEW_NS | NEW_CGROUP | NEW_UTS | NEW_IPC | NEW_USER | NEW_PID | NEW_NET)

#define REFUSE_NAMESPACE(flag) REFUSE_BITS(clone, CLONE_FLAGS, flag, flag)
/* clone3(2) has its flags in memory, which no filter sees. Where it is unknown, C libraries use clone(2). */
#define REFUSED_CLONES                                                                                            \
    REFUSE_NAMESPACE(NEW_NS), REFUSE_NAMESPACE(NEW_CGROUP), REFUSE_NAMESPACE(NEW_UTS), REFUSE_NAMESPACE(NEW_IPC), \
        REFUSE_NAMESPACE(NEW_USER), REFUSE_NAMESPACE(NEW_PID), REFUSE_NAMESPACE(NEW_NET)

/* --- sockets ---------------------------------------------------------------------------------------- */

/* linux/socket.h */
enum { FAMILY_UNIX = 1, FAMILY_INET = 2, FAMILY_INET6 = 10, FAMILY_NETLINK = 16 };
/* linux/netlink.h: addresses and routes, socket statistics, device events (of which a zone has none). The others are
 * for who administers a machine, and opening one loads its module. */
enum { NETLINK_ROUTES = 0, NETLINK_SOCKETS = 4, NETLINK_EVENTS = 15 };

#define ALLOW_FAMILY(family)  ALLOW_BITS(socket, 0, LOW_HALF, family)
#define REFUSE_FAMILY(family) REFUSE_BITS(socket, 0, LOW_HALF, family)
#define ALLOW_NETLINK(protocol)                                                                                \
    {                                                                                                          \
        .call = "socket", .action = FILTER_ALLOW, .argument_count = 2,                                         \
        .arguments = {{0, FILTER_MASKED, FAMILY_NETLINK, LOW_HALF}, {2, FILTER_MASKED, (protocol), LOW_HALF}}, \
    }
/* Radio, industry, clusters, virtual machines, cryptography, raw packets: most load a module of their own. */
#define REFUSED_FAMILIES                                                                               \
    REFUSE_FAMILY(3 /* AX25 */), REFUSE_FAMILY(4 /* IPX */), REFUSE_FAMILY(5 /* APPLETALK */),         \
        REFUSE_FAMILY(6 /* NETROM */), REFUSE_FAMILY(8 /* ATMPVC */), REFUSE_FAMILY(9 /* X25 */),      \
        REFUSE_FAMILY(11 /* ROSE */), REFUSE_FAMILY(15 /* KEY */), REFUSE_FAMILY(17 /* PACKET */),     \
        REFUSE_FAMILY(20 /* ATMSVC */), REFUSE_FAMILY(21 /* RDS */), REFUSE_FAMILY(24 /* PPPOX */),    \
        REFUSE_FAMILY(26 /* LLC */), REFUSE_FAMILY(27 /* IB */), REFUSE_FAMILY(29 /* CAN */),          \
        REFUSE_FAMILY(30 /* TIPC */), REFUSE_FAMILY(31 /* BLUETOOTH */), REFUSE_FAMILY(32 /* IUCV */), \
        REFUSE_FAMILY(33 /* RXRPC */), REFUSE_FAMILY(34 /* ISDN */), REFUSE_FAMILY(35 /* PHONET */),   \
        REFUSE_FAMILY(36 /* IEEE802154 */), REFUSE_FAMILY(37 /* CAIF */), REFUSE_FAMILY(38 /* ALG */), \
        REFUSE_FAMILY(39 /* NFC */), REFUSE_FAMILY(40 /* VSOCK */), REFUSE_FAMILY(41 /* KCM */),       \
        REFUSE_FAMILY(42 /* QIPCRTR */), REFUSE_FAMILY(43 /* SMC */), REFUSE_FAMILY(44 /* XDP */),     \
        REFUSE_FAMILY(45 /* MCTP */), REFUSE_BITS(socketpair, 0, LOW_HALF, 30 /* TIPC */)

/* --- ioctl ------------------------------------------------------------------------------------------ */

/* asm-generic/ioctls.h: put input into a terminal, and choose text on the console, which comes to the same. */
#define PUT_INPUT    0x5412u /* TIOCSTI */
#define CHOOSE_INPUT 0x541cu /* TIOCLINUX */
/* "Neither of the two" cannot be said in one rule, nor in two that must both hold. But a number is neither of them if
 * it differs from what they share in one bit, or is not like either in the three bits where they differ from each
 * other. */
#define IOCTL_WITH(mask, value) ALLOW_BITS(ioctl, 1, mask, value)
#define IOCTL_UNLIKE(bit)       IOCTL_WITH(1u << (bit), ~PUT_INPUT & 1u << (bit))
#define ALLOWED_IOCTLS                                                                                              \
    IOCTL_UNLIKE(0), IOCTL_UNLIKE(4), IOCTL_UNLIKE(5), IOCTL_UNLIKE(6), IOCTL_UNLIKE(7), IOCTL_UNLIKE(8),           \
        IOCTL_UNLIKE(9), IOCTL_UNLIKE(10), IOCTL_UNLIKE(11), IOCTL_UNLIKE(12), IOCTL_UNLIKE(13), IOCTL_UNLIKE(14),  \
        IOCTL_UNLIKE(15), IOCTL_UNLIKE(16), IOCTL_UNLIKE(17), IOCTL_UNLIKE(18), IOCTL_UNLIKE(19), IOCTL_UNLIKE(20), \
        IOCTL_UNLIKE(21), IOCTL_UNLIKE(22), IOCTL_UNLIKE(23), IOCTL_UNLIKE(24), IOCTL_UNLIKE(25), IOCTL_UNLIKE(26), \
        IOCTL_UNLIKE(27), IOCTL_UNLIKE(28), IOCTL_UNLIKE(29), IOCTL_UNLIKE(30),                                     \
        IOCTL_UNLIKE(31), /* bits 3, 2, 1 are 001 in the one and 110 in the other */                                \
        IOCTL_WITH(0xa, 0x0), IOCTL_WITH(0xc, 0x4), IOCTL_WITH(0xc, 0x8), IOCTL_WITH(0xa, 0xa)
#define REFUSED_IOCTLS REFUSE_BITS(ioctl, 1, LOW_HALF, PUT_INPUT), REFUSE_BITS(ioctl, 1, LOW_HALF, CHOOSE_INPUT)

/* --- personality ------------------------------------------------------------------------------------ */

/* linux/personality.h: asking; Linux, of 64 and 32 bits, under its old number 2.6 too. The others turn protections of
 * memory off, or change what calls mean. */
#define ALLOW_PERSONALITY(value) ALLOW_BITS(personality, 0, LOW_HALF, value)
#define ALLOWED_PERSONALITIES                                                                                  \
    ALLOW_PERSONALITY(LOW_HALF), ALLOW_PERSONALITY(0x0), ALLOW_PERSONALITY(0x8), ALLOW_PERSONALITY(0x0020000), \
        ALLOW_PERSONALITY(0x0020008)

/* --- the profiles ----------------------------------------------------------------------------------- */

#define ALLOWED                                                                                              \
    FILE_CALLS(ALLOW)                                                                                        \
    MEMORY_CALLS(ALLOW)                                                                                      \
    PROCESS_CALLS(ALLOW)                                                                                     \
    WAITING_CALLS(ALLOW)                                                                                     \
    TALKING_CALLS(ALLOW)                                                                                     \
    ALLOW_BITS(clone, CLONE_FLAGS, NEW_NAMESPACES, 0), ALLOW_FAMILY(FAMILY_UNIX), ALLOW_FAMILY(FAMILY_INET), \
        ALLOW_FAMILY(FAMILY_INET6), ALLOW_NETLINK(NETLINK_ROUTES), ALLOW_NETLINK(NETLINK_SOCKETS),           \
        ALLOW_NETLINK(NETLINK_EVENTS), ALLOW_BITS(socketpair, 0, LOW_HALF, FAMILY_UNIX), ALLOWED_IOCTLS,     \
        ALLOWED_PERSONALITIES

/* clang-format off */
static const struct filter_rule default_rules[] = {
    ALLOWED,
    HOST_CALLS(REFUSE)
    INTRUDING_CALLS(REFUSE)
    REFUSED_CLONES,
    REFUSED_FAMILIES,
    REFUSED_IOCTLS,
};

/* Debuggers, io_uring and what is newer than our list run. */
static const struct filter_rule baseline_rules[] = {
    HOST_CALLS(REFUSE)
    REFUSED_CLONES,
    REFUSED_FAMILIES,
    REFUSED_IOCTLS,
    {.call = "clone3", .action = FILTER_UNKNOWN},
};

static const struct filter_rule log_rules[] = {ALLOWED};
/* clang-format on */

#define SPEC(others, strangers, table)                                                                            \
    (struct filter_spec)                                                                                          \
    {                                                                                                             \
        .otherwise = (others), .foreign = (strangers), .rules = (table), .count = sizeof(table) / sizeof *(table) \
    }

bool syscall_profile(enum syscall_profile profile, struct filter_spec *spec)
{
    switch (profile) {
    case SYSCALLS_DEFAULT: *spec = SPEC(FILTER_UNKNOWN, FILTER_KILL, default_rules); return true;
    case SYSCALLS_BASELINE: *spec = SPEC(FILTER_ALLOW, FILTER_KILL, baseline_rules); return true;
    case SYSCALLS_LOG: *spec = SPEC(FILTER_LOG, FILTER_ALLOW, log_rules); return true;
    case SYSCALLS_OFF: break;
    }
    return false;
}
