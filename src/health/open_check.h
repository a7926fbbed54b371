/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks that the prober has accepted and not ended yet: what it owes to whom. Only prober.c uses this. */
#pragma once

#include "base/list.h"
#include "health/prober.h"

struct open_check {
    struct list link;
    struct check_request request;
    int sockets[CHECK_SOCKETS_MAX]; /* ours until it is sent */
    size_t socket_count;
    uint64_t due_ms;           /* when its result is overdue; set when it is sent */
    prober_callback *callback; /* NULL: cancelled */
    void *context;
};

/* In no list, and without a callback yet. id is not 0. The sockets are its own from now on, unless it is refused:
 * -EINVAL or -EBADF for what no probe can use. */
int open_check_new(uint64_t id, const struct health *health, const char *contains, const struct address *target,
                   const int sockets[], size_t count, struct open_check **out, struct error *err);
void open_check_free(struct open_check *check);
/* Frees it, then calls back. */
void open_check_finish(struct open_check *check, const struct probe_result *result);
/* Ends all of a list with PROBE_INTERNAL, those too that callbacks put there meanwhile. */
void open_check_fail_all(struct list *list, const char *why);
struct open_check *open_check_find(const struct list *list, uint64_t id);
size_t open_check_count(const struct list *list);
/* UINT64_MAX for an empty list. */
uint64_t open_check_first_due(const struct list *list);

void open_check_close(int sockets[], size_t count);
