/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every app gets to see of the system, and what never: the tables. */
#include "model/view_system.h"

enum condition {
    ALWAYS,
    SYSTEM_READ_ONLY,
    SYSTEM_WRITABLE,
    HOME_HIDDEN,
    RUN_HIDDEN,
    RUN_VISIBLE_HOME_HIDDEN,
    KERNEL_HIDDEN,
    KERNEL_VISIBLE,
    CGROUP,
    ROOT, /* the app is uid 0: it owns the files that only their modes keep from apps */
};

enum { SYSTEMS_OWN = VIEW_SYSTEMS_OWN };

static const struct {
    enum condition condition;
    struct view_fixed step;
} fixed[] = {
    {SYSTEM_READ_ONLY, {VIEW_SEAL, VIEW_READ_ONLY, "/"}},
    {SYSTEM_WRITABLE, {VIEW_SEAL, 0, "/"}},

    {ALWAYS, {VIEW_TMPFS, SYSTEMS_OWN | VIEW_SHARED, "/tmp"}},
    {ALWAYS, {VIEW_TMPFS, SYSTEMS_OWN | VIEW_SHARED, "/var/tmp"}},
    {HOME_HIDDEN, {VIEW_TMPFS, SYSTEMS_OWN | VIEW_READ_ONLY, "/home"}},
    {HOME_HIDDEN, {VIEW_TMPFS, SYSTEMS_OWN | VIEW_READ_ONLY, "/root"}},
    {RUN_VISIBLE_HOME_HIDDEN, {VIEW_TMPFS, SYSTEMS_OWN | VIEW_READ_ONLY, "/run/user"}},
    {RUN_HIDDEN, {VIEW_TMPFS, SYSTEMS_OWN | VIEW_OWNED, "/run"}},
    {ALWAYS, {VIEW_DEV, VIEW_FOLLOW, "/dev"}},

    {ALWAYS, {VIEW_PROC, VIEW_FOLLOW, "/proc"}},
    {ALWAYS, {VIEW_LOCK, SYSTEMS_OWN, "/proc/1"}}, /* the shim, which an app of root's could offer to the OOM killer */
    {KERNEL_HIDDEN, {VIEW_LOCK, SYSTEMS_OWN, "/proc/bus"}},
    {KERNEL_HIDDEN, {VIEW_LOCK, SYSTEMS_OWN, "/proc/fs"}},
    {KERNEL_HIDDEN, {VIEW_LOCK, SYSTEMS_OWN, "/proc/irq"}},
    {KERNEL_HIDDEN, {VIEW_LOCK, SYSTEMS_OWN, "/proc/sys"}},
    /* Addresses of the kernel, contents of memory, timing of others, hardware, and what makes the machine act. */
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/acpi"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/asound"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/dynamic_debug"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/interrupts"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/iomem"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/ioports"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/kallsyms"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/kcore"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/key-users"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/keys"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/kmsg"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/kpagecgroup"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/kpagecount"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/kpageflags"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/latency_stats"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/modules"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/mtrr"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/sched_debug"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/scsi"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/slabinfo"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/sysrq-trigger"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/timer_list"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/timer_stats"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/proc/vmallocinfo"}},

    {KERNEL_HIDDEN, {VIEW_SYS, VIEW_FOLLOW | VIEW_READ_ONLY, "/sys"}},
    {KERNEL_VISIBLE, {VIEW_SYS, VIEW_FOLLOW, "/sys"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/sys/devices/virtual/powercap"}}, /* tells what others compute */
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/sys/firmware"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/sys/fs/bpf"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/sys/fs/pstore"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/sys/kernel/config"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/sys/kernel/debug"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/sys/kernel/security"}},
    {KERNEL_HIDDEN, {VIEW_HIDE, SYSTEMS_OWN, "/sys/kernel/tracing"}},
    /* Read-only whatever is loosened: an app of root's could raise its own limits. */
    {CGROUP, {VIEW_CGROUP, SYSTEMS_OWN | VIEW_READ_ONLY, "/sys/fs/cgroup"}},

    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/etc/NetworkManager/system-connections"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/etc/gshadow"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/etc/gshadow-"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/etc/ipsec.secrets"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/etc/krb5.keytab"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/etc/kubernetes"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/etc/security/opasswd"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/etc/shadow"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/etc/shadow-"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/etc/ssh"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/etc/ssl/private"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/etc/sudoers"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/etc/sudoers.d"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/etc/wireguard"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/run/credentials"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/var/backups"}}, /* has copies of the above */
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/var/lib/containers"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/var/lib/docker"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/var/lib/incus"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/var/lib/kubelet"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/var/lib/libvirt"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/var/lib/lxd"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/var/lib/machines"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/var/lib/private"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/var/lib/systemd"}}, /* the key of its credentials, the random seed */
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/var/snap"}},
    {ROOT, {VIEW_HIDE, SYSTEMS_OWN, "/var/spool/cron"}},
};

static bool holds(enum condition condition, const struct view_request *request)
{
    const struct sandbox *sandbox = request->sandbox;
    switch (condition) {
    case ALWAYS: return true;
    case SYSTEM_READ_ONLY: return !sandbox->system_writable;
    case SYSTEM_WRITABLE: return sandbox->system_writable;
    case HOME_HIDDEN: return !sandbox->home_visible;
    case RUN_HIDDEN: return !sandbox->run_visible;
    case RUN_VISIBLE_HOME_HIDDEN: return sandbox->run_visible && !sandbox->home_visible;
    case KERNEL_HIDDEN: return !sandbox->kernel_visible;
    case KERNEL_VISIBLE: return sandbox->kernel_visible;
    case CGROUP: return request->cgroup;
    case ROOT: return request->root;
    }
    return false;
}

const struct view_fixed *view_system(const struct view_request *request, size_t *at)
{
    while (*at < sizeof fixed / sizeof *fixed) {
        size_t i = (*at)++;
        if (holds(fixed[i].condition, request))
            return &fixed[i].step;
    }
    return NULL;
}

const struct view_fixed *view_secrets(const struct view_request *request, size_t *at)
{
    while (*at < sizeof fixed / sizeof *fixed) {
        size_t i = (*at)++;
        if (fixed[i].condition == ROOT && holds(ROOT, request))
            return &fixed[i].step;
    }
    return NULL;
}
