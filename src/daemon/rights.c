/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor's capabilities and its system call filter, a deny-list. */
#include "daemon/rights.h"

#include "os/filter.h"
#include "os/process.h"

#include <linux/capability.h>

/* units/bluegreend.service and bluegreend(8) have the same list. */
static const int capabilities[] = {
    /* namespaces, mounts, cgroups */
    CAP_SYS_ADMIN,
    /* joining the mount namespace of an app, for commands and checks that run beside it */
    CAP_SYS_CHROOT,
    /* links, routes, rules, sockets of a zone */
    CAP_NET_ADMIN,
    /* giving all of it away, in the roles and in the app's processes */
    CAP_SETUID,
    CAP_SETGID,
    CAP_SETPCAP,
    /* ending an app */
    CAP_KILL,
    /* files of the apps' users */
    CAP_CHOWN,
    CAP_DAC_OVERRIDE,
    CAP_FOWNER,
    /* a shim that the kernel does not kill first when memory runs out; a container may lack it */
    CAP_SYS_RESOURCE,
    /* an app's sockets, which the shim nudges; a container may lack it */
    CAP_SYS_PTRACE,
};

/* Of these, what only the shim needs: it is handed on, and not used here. */
static const int set_aside[] = {CAP_SYS_PTRACE};

static const struct filter_rule rules[] = {
    /* another kernel, or more of this one */
    {"init_module", FILTER_REFUSE},
    {"finit_module", FILTER_REFUSE},
    {"delete_module", FILTER_REFUSE},
    {"create_module", FILTER_REFUSE},
    {"query_module", FILTER_REFUSE},
    {"get_kernel_syms", FILTER_REFUSE},
    {"kexec_load", FILTER_REFUSE},
    {"kexec_file_load", FILTER_REFUSE},
    {"bpf", FILTER_REFUSE},
    /* the whole machine: its power, clock, swap, accounting, quotas, log */
    {"reboot", FILTER_REFUSE},
    {"clock_settime", FILTER_REFUSE},
    {"clock_settime64", FILTER_REFUSE},
    {"clock_adjtime", FILTER_REFUSE},
    {"clock_adjtime64", FILTER_REFUSE},
    {"adjtimex", FILTER_REFUSE},
    {"settimeofday", FILTER_REFUSE},
    {"stime", FILTER_REFUSE},
    {"swapon", FILTER_REFUSE},
    {"swapoff", FILTER_REFUSE},
    {"acct", FILTER_REFUSE},
    {"quotactl", FILTER_REFUSE},
    {"quotactl_fd", FILTER_REFUSE},
    {"syslog", FILTER_REFUSE},
    {"vhangup", FILTER_REFUSE},
    /* devices, past their drivers */
    {"iopl", FILTER_REFUSE},
    {"ioperm", FILTER_REFUSE},
    {"pciconfig_iobase", FILTER_REFUSE},
    {"pciconfig_read", FILTER_REFUSE},
    {"pciconfig_write", FILTER_REFUSE},
    {"s390_pci_mmio_read", FILTER_REFUSE},
    {"s390_pci_mmio_write", FILTER_REFUSE},
    /* files, past every directory on the way */
    {"open_by_handle_at", FILTER_REFUSE},
    /* what only old programs knew, and old holes */
    {"_sysctl", FILTER_REFUSE},
    {"lookup_dcookie", FILTER_REFUSE},
    {"nfsservctl", FILTER_REFUSE},
    {"uselib", FILTER_REFUSE},
    {"vm86", FILTER_REFUSE},
    {"vm86old", FILTER_REFUSE},
};

static int load_filter(struct error *err)
{
    /* Apps of another architecture are welcome, so its calls are; the rules hold for them too. */
    const struct filter_spec spec = {
        .otherwise = FILTER_ALLOW,
        .foreign = FILTER_ALLOW,
        .rules = rules,
        .count = sizeof rules / sizeof *rules,
    };
    return filter_load(&spec, err);
}

int rights_limit(struct error *err)
{
    int result = privileges_limit(capabilities, sizeof capabilities / sizeof *capabilities, err);
    if (result == 0)
        result = privileges_set_aside(set_aside, sizeof set_aside / sizeof *set_aside, err);
    return result < 0 ? result : load_filter(err);
}
