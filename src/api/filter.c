/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The api role's system call filter: an allow-list. */
#include "api/filter.h"

#include "os/role_filter.h"

static const struct filter_rule own[] = {
    {"connect", FILTER_REFUSE}, /* its clients come to it */
};

int api_filter_load(struct error *err)
{
    return role_filter_load(own, sizeof own / sizeof *own, err);
}
