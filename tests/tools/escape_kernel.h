/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attempts of escape.c on the kernel: namespaces and mounts, system calls that no server needs. Those that would harm
 * the machine if they worked have arguments that the kernel refuses after it has looked at the caller's rights.
 */
#pragma once

#include "escape.h"

#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <linux/quota.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/quota.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <termios.h>
#ifdef __x86_64__
#include <sys/io.h>
#endif

/* --- mounts and namespaces ------------------------------------------------------------------------- */

/* What follows is done to a copy of the mounts, where we may have one. */
static void own_mounts(void)
{
    if (unshare(CLONE_NEWNS) == 0)
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static bool try_mount(void)
{
    own_mounts();
    return judge(mount("none", "/tmp", "tmpfs", 0, NULL), "mount");
}

static bool try_bind(void)
{
    own_mounts();
    return judge(mount("/", "/tmp", NULL, MS_BIND, NULL), "mount --bind");
}

static bool try_umount(void)
{
    own_mounts();
    return judge(umount2("/proc", MNT_DETACH), "umount");
}

static bool try_remount(void)
{
    own_mounts();
    return judge(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL), "remount / writable");
}

static bool try_mount_setattr(void)
{
    struct mount_attr attribute = {.attr_clr = MOUNT_ATTR_RDONLY};
    own_mounts();
    return judge(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &attribute, sizeof attribute), "mount_setattr");
}

static bool try_open_tree(void)
{
    return judge(syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE), "open_tree");
}

static bool try_fsopen(void)
{
    return judge(syscall(SYS_fsopen, "tmpfs", 0), "fsopen");
}

static bool try_pivot_root(void)
{
    own_mounts();
    return judge_rights(syscall(SYS_pivot_root, "/", "/"), "pivot_root");
}

static bool try_chroot(void)
{
    return judge(chroot("/"), "chroot");
}

static bool try_unshare_user(void)
{
    return judge(unshare(CLONE_NEWUSER), "unshare");
}

static bool try_unshare_mount(void)
{
    return judge(unshare(CLONE_NEWNS), "unshare");
}

static bool try_unshare_network(void)
{
    return judge(unshare(CLONE_NEWNET), "unshare");
}

static bool try_unshare_pid(void)
{
    return judge(unshare(CLONE_NEWPID), "unshare");
}

static bool try_clone_user(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);
    if (pid == 0)
        _exit(0);
    return judge(pid, "clone");
}

static bool try_clone3_user(void)
{
    struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0)
        _exit(0);
    return judge(pid, "clone3");
}

/* --- subsystems that no server needs --------------------------------------------------------------- */

static bool try_add_key(void)
{
    return judge(syscall(SYS_add_key, "user", "bluegreen-escape", "x", 1, KEY_SPEC_PROCESS_KEYRING), "add_key");
}

static bool try_keyctl(void)
{
    return judge(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1), "keyctl");
}

static bool try_request_key(void)
{
    return judge_rights(syscall(SYS_request_key, "user", "bluegreen-escape", NULL, 0), "request_key");
}

static bool try_io_uring(void)
{
    char parameters[256] = "";
    return judge(syscall(SYS_io_uring_setup, 1, parameters), "io_uring_setup");
}

static bool try_bpf(void)
{
    union bpf_attr attribute = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    return judge(syscall(SYS_bpf, BPF_MAP_CREATE, &attribute, sizeof attribute), "bpf");
}

static bool try_perf_event(void)
{
    struct perf_event_attr attribute = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof attribute, .config = PERF_COUNT_SW_CPU_CLOCK};
    return judge(syscall(SYS_perf_event_open, &attribute, 0, -1, -1, 0), "perf_event_open");
}

static bool try_userfaultfd(void)
{
    return judge(syscall(SYS_userfaultfd, O_CLOEXEC), "userfaultfd");
}

static bool try_fanotify(void)
{
    return judge(fanotify_init(FAN_CLASS_CONTENT, 0), "fanotify_init");
}

static bool try_kernel_log(void)
{
    return judge(klogctl(10, NULL, 0), "syslog"); /* the size of the buffer */
}

static bool try_file_handle(void)
{
    struct {
        struct file_handle head;
        char bytes[8];
    } handle = {.head = {.handle_bytes = 8, .handle_type = 1}};
    int root = open("/", O_RDONLY | O_CLOEXEC);
    return judge_rights(open_by_handle_at(root, &handle.head, O_RDONLY), "open_by_handle_at");
}

static bool try_personality(void)
{
    return judge(personality(READ_IMPLIES_EXEC), "personality");
}

/* Types a key on our own terminal, as if its user had. */
static bool terminal_ioctl(unsigned long request, const char *what)
{
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
        return judge(-1, "/dev/ptmx");
    setsid();
    int slave = open(ptsname(master), O_RDWR | O_CLOEXEC);
    ioctl(slave, TIOCSCTTY, 0);
    char byte[2] = {'x', 0};
    return slave < 0 ? judge(slave, "the terminal") : judge(ioctl(slave, request, byte), what);
}

static bool try_terminal_input(void)
{
    return terminal_ioctl(TIOCSTI, "TIOCSTI");
}

/* A filter that looks at 64 bits lets this one through; the kernel looks at 32. */
static bool try_terminal_input_high_bits(void)
{
    return terminal_ioctl(TIOCSTI | 1ul << 32, "TIOCSTI with a high bit");
}

#ifdef __x86_64__
/* getpid by the i386 table; the numbers mean other calls there. */
static bool try_foreign_calls(void)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
    errno = (int)-result;
    return judge(result > 0 ? 0 : -1, "int 0x80");
}

static bool try_x32_calls(void)
{
    return judge(syscall(0x40000000 | SYS_getpid), "getpid by the x32 table");
}

static bool try_ports(void)
{
    return judge(ioperm(0x80, 1, 1), "ioperm");
}
#endif

/* --- the machine as a whole ------------------------------------------------------------------------ */

static bool try_init_module(void)
{
    return judge_rights(syscall(SYS_init_module, NULL, 0, ""), "init_module");
}

static bool try_finit_module(void)
{
    return judge_rights(syscall(SYS_finit_module, -1, "", 0), "finit_module");
}

static bool try_delete_module(void)
{
    return judge_rights(syscall(SYS_delete_module, "bluegreen_escape", O_NONBLOCK), "delete_module");
}

/* Neither a time nor a zone: nothing is set, but who may not set anything is told so. */
static bool try_set_time(void)
{
    return judge(syscall(SYS_settimeofday, NULL, NULL), "settimeofday");
}

/* A tick of 0 is refused once the right to set one was found. */
static bool try_adjust_time(void)
{
    struct timex change = {.modes = ADJ_TICK};
    return judge_rights(adjtimex(&change), "adjtimex");
}

static bool try_reboot(void)
{
    return judge_rights(syscall(SYS_reboot, 0, 0, 0, NULL), "reboot without its magic numbers");
}

static bool try_kexec(void)
{
    return judge_rights(syscall(SYS_kexec_load, 0, 0, NULL, 0xfffful), "kexec_load with bad flags");
}

static bool try_swap(void)
{
    return judge_rights(swapon("/nonexistent/bluegreen-escape", 0), "swapon");
}

static bool try_accounting(void)
{
    return judge_rights(acct("/nonexistent/bluegreen-escape"), "acct");
}

static bool try_quota(void)
{
    /* The kernel wants a block device before it looks at the rights. */
    return judge_rights(quotactl(QCMD(Q_QUOTAON, USRQUOTA), "/dev/null", 2, (char *)"/x"), "quotactl");
}

static bool try_host_name(void)
{
    char name[65] = "";
    gethostname(name, sizeof name - 1);
    return judge(sethostname(name, strlen(name)), "sethostname");
}

static bool try_hang_up(void)
{
    setsid(); /* without a terminal there is nothing to hang up */
    return judge(syscall(SYS_vhangup), "vhangup");
}

static bool make_device(const char *name, mode_t kind, dev_t device)
{
    int result = mknod(name, kind | 0600, device);
    bool made = judge(result, "mknod");
    if (result == 0)
        unlink(name);
    return made;
}

static bool try_character_device(void)
{
    return make_device("/tmp/bluegreen-escape-c", S_IFCHR, makedev(1, 11)); /* kmsg */
}

static bool try_block_device(void)
{
    return make_device("/tmp/bluegreen-escape-b", S_IFBLK, makedev(7, 0)); /* loop0 */
}
