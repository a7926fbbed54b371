/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks that are open, and lists of them. */
#include "health/open_check.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

void open_check_close(int sockets[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        close_fd(&sockets[i]);
}

static bool usable(const int sockets[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fcntl(sockets[i], F_GETFD) < 0)
            return false;
    }
    return true;
}

int open_check_new(uint64_t id, const struct health *health, const char *contains, const struct address *target,
                   const int sockets[], size_t count, struct open_check **out, struct error *err)
{
    if (count == 0 || count > CHECK_SOCKETS_MAX)
        return error_set(err, EINVAL, "a check takes 1 to %d sockets, not %zu", CHECK_SOCKETS_MAX, count);
    if (!usable(sockets, count)) /* it would spoil the channel for the checks behind it */
        return error_set(err, EBADF, "a check's socket is not open");
    struct open_check *check = calloc(1, sizeof *check);
    if (!check)
        return error_errno(err, ENOMEM, "start a check");
    list_init(&check->link);
    check->request.version = CHECK_VERSION;
    check->request.id = id;
    check->request.target = *target;
    check->request.health = *health;
    text_copy(check->request.contains, sizeof check->request.contains, contains);
    if (!check_request_valid(&check->request, sizeof check->request)) {
        free(check);
        return error_set(err, EINVAL, "this check has no target, port or path that a probe can use");
    }
    memcpy(check->sockets, sockets, count * sizeof *sockets);
    check->socket_count = count;
    *out = check;
    return 0;
}

void open_check_free(struct open_check *check)
{
    list_remove(&check->link);
    open_check_close(check->sockets, check->socket_count);
    free(check);
}

void open_check_finish(struct open_check *check, const struct probe_result *result)
{
    prober_callback *callback = check->callback;
    void *context = check->context;
    open_check_free(check);
    if (callback)
        callback(context, result);
}

void open_check_fail_all(struct list *list, const char *why)
{
    struct probe_result result = {.outcome = PROBE_INTERNAL};
    text_copy(result.detail, sizeof result.detail, why);
    text_sanitise(result.detail);
    while (!list_empty(list))
        open_check_finish(list_entry(list->next, struct open_check, link), &result);
}

struct open_check *open_check_find(const struct list *list, uint64_t id)
{
    struct open_check *check;
    list_for_each(check, list, link)
    {
        if (check->request.id == id)
            return check;
    }
    return NULL;
}

size_t open_check_count(const struct list *list)
{
    size_t count = 0;
    for (const struct list *item = list->next; item != list; item = item->next)
        count++;
    return count;
}

uint64_t open_check_first_due(const struct list *list)
{
    uint64_t first = UINT64_MAX;
    struct open_check *check;
    list_for_each(check, list, link)
    {
        if (check->due_ms < first)
            first = check->due_ms;
    }
    return first;
}
