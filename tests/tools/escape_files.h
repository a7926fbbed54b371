/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attempts of escape.c on files: the host's, the kernel's in /proc and /sys, devices, control groups. */
#pragma once

#include "escape.h"

#include <dirent.h>
#include <linux/keyctl.h>

/* --- /proc and /sys -------------------------------------------------------------------------------- */

/* Opened for writing and closed: nothing is written. */
static bool try_sys_write(void)
{
    return can_open("/sys/kernel/mm/transparent_hugepage/enabled", O_WRONLY) ||
           can_open("/sys/class/net/lo/tx_queue_len", O_WRONLY);
}

static bool try_core_pattern(void)
{
    return can_open("/proc/sys/kernel/core_pattern", O_WRONLY);
}

static bool try_sysctl_network(void)
{
    return can_open("/proc/sys/net/ipv4/ip_forward", O_WRONLY);
}

static bool try_sysrq(void)
{
    return can_open("/proc/sysrq-trigger", O_WRONLY);
}

static bool try_kcore(void)
{
    return can_read("/proc/kcore");
}

static bool try_kernel_addresses(void)
{
    char line[256];
    FILE *file = fopen("/proc/kallsyms", "re");
    bool found = false;
    if (!file)
        return judge(-1, "/proc/kallsyms");
    for (int i = 0; i < 1000 && !found && fgets(line, sizeof line, file); i++)
        found = strtoull(line, NULL, 16) != 0;
    fclose(file);
    say("/proc/kallsyms: %s", found ? "addresses" : "nothing to see");
    return found;
}

static bool try_keys(void)
{
    syscall(SYS_add_key, "user", "bluegreen-escape", "x", 1, KEY_SPEC_PROCESS_KEYRING); /* something to see */
    return can_read("/proc/keys");
}

static bool try_key_users(void)
{
    return can_read("/proc/key-users");
}

static bool try_timer_list(void)
{
    return can_read("/proc/timer_list");
}

static bool try_kmsg_file(void)
{
    return can_open("/proc/kmsg", O_RDONLY);
}

static bool try_page_flags(void)
{
    return can_open("/proc/kpageflags", O_RDONLY);
}

static bool try_interrupt_affinity(void)
{
    return can_open("/proc/irq/default_smp_affinity", O_WRONLY);
}

static bool has_entries(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    unsigned count = 0;
    if (!directory)
        return judge(-1, path);
    while ((entry = readdir(directory)))
        count += entry->d_name[0] != '.';
    closedir(directory);
    say("%s: %u entries", path, count);
    return count > 0;
}

static bool try_firmware(void)
{
    return has_entries("/sys/firmware");
}

/* How much power the machine draws tells what others compute. */
static bool try_power(void)
{
    return has_entries("/sys/devices/virtual/powercap");
}

/* --- the host's files ------------------------------------------------------------------------------ */

/* Makes a file without a name where that can be, else one that is removed at once. */
static bool can_write_in(const char *path)
{
    char name[PATH_MAX];
    int fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        snprintf(name, sizeof name, "%s/.bluegreen-escape.%d", path, (int)getpid());
        fd = open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0)
            unlink(name);
    }
    return judge(fd, path);
}

static bool try_write_etc(void)
{
    return can_write_in("/etc");
}

static bool try_write_usr(void)
{
    return can_write_in("/usr");
}

static bool try_write_var(void)
{
    return can_write_in("/var");
}

static bool try_write_root(void)
{
    return can_write_in("/");
}

static bool try_write_release(void)
{
    return can_write_in(aim.release);
}

static bool try_shadow(void)
{
    return can_read("/etc/shadow");
}

static bool try_home(void)
{
    return has_entries("/home");
}

static bool try_root_home(void)
{
    return has_entries("/root");
}

static bool try_state(void)
{
    return has_entries(aim.state);
}

static bool try_configuration(void)
{
    return has_entries(aim.config);
}

/* By the name that the kernel gives to our own program's directory, should the mounts above be of use. */
static bool try_climb(void)
{
    char path[64 * 3 + 16] = "";
    for (int i = 0; i < 64; i++)
        memcpy(path + 3 * i, "../", 4);
    int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    strcat(path, "root");
    int up = fd < 0 ? -1 : openat(fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (up < 0)
        return judge(-1, "../../root");
    DIR *directory = fdopendir(up);
    const struct dirent *entry;
    unsigned count = 0;
    while (directory && (entry = readdir(directory)))
        count += entry->d_name[0] != '.';
    say("../../root: %u entries", count);
    return count > 0;
}

/* --- devices and control groups -------------------------------------------------------------------- */

static bool try_disk(void)
{
    static const char *const disks[] = {"/dev/vda",     "/dev/sda",     "/dev/xvda",
                                        "/dev/nvme0n1", "/dev/mmcblk0", "/dev/dm-0"};
    bool done = false;
    for (size_t i = 0; i < sizeof disks / sizeof *disks && !done; i++)
        done = can_open(disks[i], O_RDONLY);
    return done;
}

static bool try_loop_device(void)
{
    return can_open("/dev/loop-control", O_RDONLY);
}

static bool try_memory_device(void)
{
    return can_open("/dev/mem", O_RDONLY) || can_open("/dev/port", O_RDONLY);
}

static bool try_kernel_log_device(void)
{
    return can_open("/dev/kmsg", O_WRONLY);
}

static bool try_tunnel_device(void)
{
    return can_open("/dev/net/tun", O_RDWR);
}

static bool try_console(void)
{
    return can_open("/dev/console", O_WRONLY | O_NOCTTY);
}

static bool try_cgroup_processes(void)
{
    return can_open("/sys/fs/cgroup/cgroup.procs", O_WRONLY);
}

static bool try_cgroup_freeze(void)
{
    return can_open("/sys/fs/cgroup/cgroup.freeze", O_WRONLY);
}

static bool try_cgroup_kill(void)
{
    return can_open("/sys/fs/cgroup/cgroup.kill", O_WRONLY);
}

static bool try_cgroup_controllers(void)
{
    return can_open("/sys/fs/cgroup/cgroup.subtree_control", O_WRONLY);
}

static bool try_cgroup_limit(void)
{
    return can_open("/sys/fs/cgroup/memory.max", O_WRONLY) || can_open("/sys/fs/cgroup/pids.max", O_WRONLY);
}

static bool try_cgroup_make(void)
{
    int result = mkdir("/sys/fs/cgroup/bluegreen-escape", 0755);
    bool made = judge(result, "mkdir in /sys/fs/cgroup");
    if (result == 0)
        rmdir("/sys/fs/cgroup/bluegreen-escape");
    return made;
}
