/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of checks that are open. */
#include "health/open_check.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdlib.h>

void open_check_close(int sockets[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        close_fd(&sockets[i]);
}

bool open_check_usable(const int sockets[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fcntl(sockets[i], F_GETFD) < 0)
            return false;
    }
    return true;
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
