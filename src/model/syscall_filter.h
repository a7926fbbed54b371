/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System call filters as data: what os/filter.c makes a seccomp program of. Names are those of the kernel, whatever the
 * machine; one that this machine or its libseccomp does not know is skipped.
 */
#pragma once

#include "model/service.h"

#include <stddef.h>
#include <stdint.h>

enum filter_action {
    FILTER_ALLOW,
    FILTER_REFUSE,  /* EPERM: known, and not for you */
    FILTER_UNKNOWN, /* ENOSYS: as on an older kernel, so that programs fall back */
    FILTER_LOG,     /* allowed, and told to the audit log */
    FILTER_KILL     /* ends the process */
};

enum filter_compare {
    FILTER_EQUAL,     /* argument == value */
    FILTER_NOT_EQUAL, /* in the only rule of its call, or os/filter.c refuses the table: use ranges */
    FILTER_BELOW,     /* argument < value */
    FILTER_ABOVE,     /* argument > value */
    FILTER_MASKED     /* (argument & mask) == value */
};

struct filter_argument {
    uint8_t index;   /* 0..5 */
    uint8_t compare; /* enum filter_compare */
    uint64_t value, mask;
};

struct filter_rule {
    const char *call;
    uint8_t action;         /* enum filter_action; not that of everything else */
    uint8_t argument_count; /* all of them must match; 0 = whatever the arguments are */
    struct filter_argument arguments[3];
};

struct filter_spec {
    enum filter_action otherwise;
    /* Calls of another architecture's table (i386 on x86_64): FILTER_KILL, or FILTER_ALLOW, and then the rules hold for
     * them too. There, some calls have a second name, as setuid32. */
    enum filter_action foreign;
    const struct filter_rule *rules;
    size_t count;
};

/* What an app may call. *spec is static. False for SYSCALLS_OFF: there is no filter then. */
bool syscall_profile(enum syscall_profile profile, struct filter_spec *spec);
