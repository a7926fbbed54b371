/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bluegreen-feed without its write-ahead rule, as a mirror would do it: clients have their answers first, and the
 * journal is written a little later. Linked around the real journal (the Makefile wraps these calls), for a test that
 * has to see what that loses.
 */
#include "feed/wal_inside.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BEHIND_MS = 200 };

struct pending {
    struct list link;
    struct wal_request request; /* with copies of its own */
    struct wal_answer answer;
    uint64_t id; /* that the role knows */
    bool answered;
};

static struct list all;
static struct loop_timer *later;
static uint64_t next_id;

int __real_wal_begin(struct wal *wal, const struct wal_request *request, uint64_t *id, struct error *err);
uint64_t __real_wal_next_id(const struct wal *wal);
int __real_wal_commit(struct wal *wal, uint64_t id, const struct wal_answer *answer, uint64_t *sequence,
                      struct error *err);
int __real_wal_abort(struct wal *wal, uint64_t id, struct error *err);
int __real_wal_doubt(struct wal *wal, uint64_t id, struct error *err);
int __real_wal_when_safe(struct wal *wal, wal_safe *callback, void *context, struct error *err);
int __wrap_wal_begin(struct wal *wal, const struct wal_request *request, uint64_t *id, struct error *err);
uint64_t __wrap_wal_next_id(const struct wal *wal);
int __wrap_wal_commit(struct wal *wal, uint64_t id, const struct wal_answer *answer, uint64_t *sequence,
                      struct error *err);
int __wrap_wal_abort(struct wal *wal, uint64_t id, struct error *err);
int __wrap_wal_doubt(struct wal *wal, uint64_t id, struct error *err);
int __wrap_wal_when_safe(struct wal *wal, wal_safe *callback, void *context, struct error *err);

static void *copy_of(const void *from, size_t length)
{
    void *copy = malloc(length + 1);
    if (!copy)
        abort();
    return length ? memcpy(copy, from, length) : copy;
}

static void forget(struct pending *pending)
{
    list_remove(&pending->link);
    free((void *)pending->request.head);
    free((void *)pending->request.body);
    if (pending->request.body_fd >= 0)
        close(pending->request.body_fd);
    free(pending);
}

static struct pending *find(uint64_t id)
{
    struct pending *pending;
    if (!later)
        return NULL;
    list_for_each(pending, &all, link)
    {
        if (pending->id == id)
            return pending;
    }
    return NULL;
}

static void on_later(void *context)
{
    struct wal *wal = context;
    struct pending *pending;
    uint64_t id;
    list_for_each(pending, &all, link)
    {
        if (!pending->answered)
            continue;
        if (__real_wal_begin(wal, &pending->request, &id, NULL) < 0 ||
            __real_wal_commit(wal, id, &pending->answer, NULL, NULL) < 0)
            abort();
        forget(pending);
    }
    if (!list_empty(&all))
        loop_timer_arm(later, BEHIND_MS);
}

int __wrap_wal_begin(struct wal *wal, const struct wal_request *request, uint64_t *id, struct error *err)
{
    struct pending *pending = calloc(1, sizeof *pending);
    if (!later) {
        list_init(&all);
        later = loop_timer_new(wal->loop, on_later, wal);
    }
    if (!pending || !later)
        abort();
    pending->id = __wrap_wal_next_id(wal);
    pending->request = *request;
    pending->request.head = copy_of(request->head, request->head_length);
    pending->request.body = request->body ? copy_of(request->body, request->body_length) : NULL;
    if (request->body_fd >= 0)
        pending->request.body_fd = fcntl(request->body_fd, F_DUPFD_CLOEXEC, 0);
    list_append(&all, &pending->link);
    if (loop_timer_due_ms(later) == 0)
        loop_timer_arm(later, BEHIND_MS);
    next_id = pending->id + 1;
    *id = pending->id;
    return 0;
}

uint64_t __wrap_wal_next_id(const struct wal *wal)
{
    uint64_t real = __real_wal_next_id(wal);
    return real > next_id ? real : next_id;
}

int __wrap_wal_commit(struct wal *wal, uint64_t id, const struct wal_answer *answer, uint64_t *sequence,
                      struct error *err)
{
    struct pending *pending = find(id);
    if (!pending)
        return __real_wal_commit(wal, id, answer, sequence, err);
    pending->answer = *answer;
    pending->answered = true;
    return 0;
}

int __wrap_wal_abort(struct wal *wal, uint64_t id, struct error *err)
{
    struct pending *pending = find(id);
    if (!pending)
        return __real_wal_abort(wal, id, err);
    forget(pending);
    return 0;
}

int __wrap_wal_doubt(struct wal *wal, uint64_t id, struct error *err)
{
    struct pending *pending = find(id);
    if (!pending)
        return __real_wal_doubt(wal, id, err);
    int result = __real_wal_begin(wal, &pending->request, &id, err);
    forget(pending);
    return result < 0 ? result : __real_wal_doubt(wal, id, err);
}

/* From the loop's next turn, whatever the disk has. */
int __wrap_wal_when_safe(struct wal *wal, wal_safe *callback, void *context, struct error *err)
{
    uint32_t sync_ms = wal->sync_ms;
    wal->sync_ms = 1;
    int result = __real_wal_when_safe(wal, callback, context, err);
    wal->sync_ms = sync_ms;
    return result;
}
