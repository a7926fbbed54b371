/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who waits for the feed's journal to be on the disk, and when it is brought there. */
#include "feed/wal_inside.h"

#include "os/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct waiter {
    struct list link;
    uint64_t at; /* is to be on the disk; 0: nothing */
    bool patient;
    wal_safe *callback;
    void *context;
};

/* Calls back whom it can. They may call anything, wal_close too. */
static void serve_waiting(struct wal *wal)
{
    bool gone = false, *outer = wal->gone;
    struct list ready;
    struct waiter *waiter;
    list_init(&ready);
    list_for_each(waiter, &wal->waiting, link)
    {
        if (waiter->at > wal->safe && wal->failure == 0)
            continue;
        list_remove(&waiter->link);
        list_append(&ready, &waiter->link);
    }
    wal->gone = &gone; /* cppcheck-suppress autoVariables ; until this has ended, see below */
    int result = wal->failure;
    while (!list_empty(&ready)) {
        waiter = list_entry(ready.next, struct waiter, link);
        list_remove(&waiter->link);
        if (!gone)
            waiter->callback(waiter->context, result);
        free(waiter);
    }
    if (!gone)
        wal->gone = outer;
    else if (outer)
        *outer = true;
}

/* Up to where somebody waits who is patient, or who is not; 0: nobody. */
static uint64_t wanted_by(const struct wal *wal, bool patient)
{
    uint64_t at = 0;
    struct waiter *waiter;
    list_for_each(waiter, &wal->waiting, link)
    {
        if (waiter->patient == patient)
            at = waiter->at;
    }
    return at;
}

static void sync_all(struct wal *wal)
{
    wal->asked = wal->state.end;
    wal_sync_want(wal->sync, wal->asked);
}

void wal_pace(struct wal *wal, uint64_t delay_ms)
{
    if (wal->paced || !wal->pace)
        return;
    wal->paced = true;
    loop_timer_arm(wal->pace, delay_ms);
}

static void on_pace(void *context)
{
    struct wal *wal = context;
    bool under_way = wal->asked > wal->safe && wal->failure == 0;
    wal->paced = false;
    if (wal->sync_ms == 0 && under_way)
        wal_pace(wal, WAL_PATIENCE_MS); /* whoever waits for this one is to be first with the next */
    else
        sync_all(wal);
}

/* All that was appended in this turn of the loop is synced at once, the end of one transaction with the beginning of
 * the next. Who is patient goes along; by itself only where nobody else has waited of late. */
static void sync_wanted(struct wal *wal)
{
    uint64_t urgent = wanted_by(wal, false), patient = wanted_by(wal, true);
    if (urgent > wal->asked) {
        sync_all(wal);
        wal->urgent = wal->asked;
    } else if (patient > wal->asked) {
        bool alone = wal->urgent <= wal->safe && clock_monotonic_ms() - wal->urgent_ms >= WAL_PATIENCE_MS;
        if (alone)
            sync_all(wal);
        else
            wal_pace(wal, WAL_PATIENCE_MS);
    }
}

static void on_turn(void *context)
{
    struct wal *wal = context;
    sync_wanted(wal);
    serve_waiting(wal);
}

static void on_synced(void *context, int fd, uint32_t events)
{
    struct wal *wal = context;
    uint64_t count;
    int before = wal->failure;
    if (read(fd, &count, sizeof count) < 0)
        return;
    uint64_t safe = wal_sync_done(wal->sync, &wal->failure);
    if (wal->urgent > wal->safe && wal->urgent <= safe)
        wal->urgent_ms = clock_monotonic_ms();
    wal->safe = safe;
    if (wal->failure != 0 && before == 0)
        log_error("the feed's journal cannot be written to the disk: %s", strerror(-wal->failure));
    serve_waiting(wal);
}

static int wait_for(struct wal *wal, bool patient, wal_safe *callback, void *context, struct error *err)
{
    struct waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter)
        return error_errno(err, ENOMEM, "wait for the feed's journal");
    waiter->callback = callback;
    waiter->context = context;
    waiter->patient = patient;
    waiter->at = wal->sync_ms == 0 ? wal->state.end : 0;
    list_init(&waiter->link);
    list_append(&wal->waiting, &waiter->link);
    loop_timer_arm(wal->turn, 0);
    return 0;
}

int wal_when_safe(struct wal *wal, wal_safe *callback, void *context, struct error *err)
{
    return wait_for(wal, false, callback, context, err);
}

int wal_when_safe_too(struct wal *wal, wal_safe *callback, void *context, struct error *err)
{
    return wait_for(wal, true, callback, context, err);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

int wal_safe_start(struct wal *wal, struct error *err)
{
    int result = wal_sync_new(wal->directory, wal->safe, &wal->sync, err);
    if (result == 0)
        result = wal_sync_file(wal->sync, wal->current.fd, true, err);
    if (result < 0)
        return result;
    wal->event = loop_add_fd(wal->loop, wal_sync_event(wal->sync), EPOLLIN, on_synced, wal);
    wal->turn = loop_timer_new(wal->loop, on_turn, wal);
    wal->pace = loop_timer_new(wal->loop, on_pace, wal);
    if (!wal->event || !wal->turn || !wal->pace)
        return error_errno(err, ENOMEM, "sync the feed's journal");
    return 0;
}

void wal_safe_end(struct wal *wal)
{
    struct waiter *waiter;
    if (wal->gone)
        *wal->gone = true;
    loop_remove_fd(wal->event);
    loop_timer_free(wal->turn);
    loop_timer_free(wal->pace);
    wal_sync_free(wal->sync);
    list_for_each(waiter, &wal->waiting, link) free(waiter);
}
