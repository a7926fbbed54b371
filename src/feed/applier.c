/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Committed transactions on their way to the other zone: which are next, and what is wanted of them. */
#include "feed/applier.h"

#include "base/cleanup.h"
#include "feed/applied.h"
#include "feed/copies.h"
#include "feed/role.h"
#include "os/log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void applier_drop(struct applier *applier)
{
    struct applied *applied;
    list_for_each(applied, &applier->entries, link)
    {
        applied_take_out(applied);
        applied_forget(applied);
    }
    copies_clear(applier->role); /* what they are in the middle of, the other zone is not */
    loop_timer_disarm(applier->retry);
    applier->next = 0;
    applier->zone = -1;
    applier->stuck[0] = applier->why[0] = '\0';
}

/* --- which are next ----------------------------------------------------------------------------------------------- */

static bool may_go_on(const struct role *role)
{
    return !role->orders.paused && role->orders.seed == SEED_NONE &&
           backs_reachable(&role->backs[colour_other((enum colour)role->live)]);
}

/* Whose turn it is, and from where; false: nobody's. */
static bool find_target(struct applier *applier)
{
    struct role *role = applier->role;
    int8_t zone = role->wal && role->live >= 0 ? (int8_t)colour_other((enum colour)role->live) : -1;
    uint64_t position = zone >= 0 ? wal_book(role->wal)->zones[zone].position : WAL_UNKNOWN;
    if (zone != applier->zone || position == WAL_UNKNOWN)
        applier_drop(applier);
    if (position == WAL_UNKNOWN)
        return false;
    applier->zone = zone;
    if (applier->next == 0)
        applier->next = position + 1;
    return true;
}

/* After a change of lanes or keys the same key may be in another lane: what is in memory goes first, then what was
 * committed by the old ones, in one lane because there may have been several, then the rest. */
static bool may_read_on(struct applier *applier)
{
    bool behind = applier->next <= applier->barrier;
    if (applier->count > 0 && (applier->sorts_anew || (applier->barrier && !behind)))
        return false;
    if (applier->role->relane)
        return false;
    applier->sorts_anew = false;
    if (!behind)
        applier->barrier = 0;
    applier->newest = applier->barrier ? applier->barrier : UINT64_MAX;
    return true;
}

static void fill(struct applier *applier)
{
    struct role *role = applier->role;
    size_t most = role->feed.lanes > 1 ? (size_t)role->feed.lanes * 4 : 8;
    struct error err = {0};
    if (!may_read_on(applier))
        return;
    while (applier->count < most && applier->next <= applier->newest && applier->count < APPLIER_ENTRIES &&
           applier->bytes < APPLIER_BYTES && applier->next <= wal_book(role->wal)->committed) {
        struct applied *applied = applied_new(applier, (enum colour)applier->zone, applier->next, &err);
        if (!applied) {
            if (!applier->stuck[0])
                log_error("%s: %s", role->rules.app, err.text);
            text_copy(applier->stuck, sizeof applier->stuck, err.text);
            return;
        }
        applier->stuck[0] = '\0';
        if (applier->next <= applier->barrier)
            applied->lane = 0;
        list_append(&applier->entries, &applied->link);
        applier->count++;
        applier->bytes += applied->transaction.head_length + applied->transaction.body_length;
        applier->next++;
    }
}

void applier_proceed(struct applier *applier)
{
    bool taken[FEED_LANES_MAX] = {false};
    uint64_t now = clock_monotonic_ms();
    struct applied *applied;
    if (!find_target(applier) || !may_go_on(applier->role))
        return;
    fill(applier);
    list_for_each(applied, &applier->entries, link)
    {
        if (taken[applied->lane])
            continue;
        taken[applied->lane] = true;
        if (applied->state == RESTING && applied->due_ms <= now)
            applied_start(applied);
    }
}

static void on_retry(void *context)
{
    struct applier *applier = context;
    uint64_t now = clock_monotonic_ms(), next = 0;
    struct applied *applied;
    role_changed(applier->role);
    list_for_each(applied, &applier->entries, link)
    {
        if (applied->state == RESTING && applied->due_ms > now && (next == 0 || applied->due_ms < next))
            next = applied->due_ms;
    }
    if (next)
        loop_timer_arm(applier->retry, next - now);
}

void applier_try_now(struct applier *applier)
{
    struct applied *applied;
    list_for_each(applied, &applier->entries, link) applied->due_ms = 0;
}

void applier_sweep(struct applier *applier, uint64_t now_ms)
{
    struct applied *applied;
    list_for_each(applied, &applier->entries, link) call_expire(&applied->call, now_ms);
    if (applier->lost)
        call_expire(&applier->lost->call, now_ms);
}

void applier_relane(struct applier *applier)
{
    applier->sorts_anew = true;
    applier->barrier = wal_book(applier->role->wal)->committed;
}

/* --- what others want --------------------------------------------------------------------------------------------- */

uint64_t applier_oldest_ms(const struct applier *applier)
{
    return list_empty(&applier->entries) ? 0
                                         : list_entry(applier->entries.next, struct applied, link)->transaction.unix_ms;
}

/* Only what is to be done next may be left out: of what comes later nobody knows whether it is in the way. */
static int refuse_skip(const struct applier *applier, uint64_t sequence, struct error *err)
{
    const struct role *role = applier->role;
    if (applier->zone < 0)
        return error_set(err, ENOENT, "no transaction waits for a zone; \"bluegreen feed %s\" says why",
                         role->rules.app);
    const char *zone = colour_name((enum colour)applier->zone);
    uint64_t position = wal_book(role->wal)->zones[applier->zone].position, committed = wal_book(role->wal)->committed;
    if (position == committed)
        return error_set(err, ENOENT, "transaction %" PRIu64 " is not waiting: %s has all up to %" PRIu64, sequence,
                         zone, committed);
    return error_set(err, ENOENT,
                     "transaction %" PRIu64 " is not one that can be left out: what %s is to do next is %" PRIu64,
                     sequence, zone, position + 1);
}

int applier_skip(struct applier *applier, uint64_t sequence, struct error *err)
{
    struct role *role = applier->role;
    struct applied *applied;
    const struct wal_answer none = {0};
    list_for_each(applied, &applier->entries, link)
    {
        if (applied->transaction.sequence != sequence)
            continue;
        if (applied->state == MARKING)
            return error_set(err, EAGAIN, "transaction %" PRIu64 " is just being tried; ask again", sequence);
        int result = applied->marked ? 0 : wal_applying(role->wal, applied->zone, sequence, err);
        if (result == 0)
            result = wal_applied(role->wal, applied->zone, sequence, &none, true, false, err);
        if (result < 0)
            return result;
        applied_take_out(applied);
        applied_forget(applied);
        return 0;
    }
    return refuse_skip(applier, sequence, err);
}

int applier_restore(struct applier *applier, enum colour zone, uint64_t sequence, uint64_t token, struct error *err)
{
    struct role *role = applier->role;
    if (applier->lost)
        return error_set(err, EBUSY, "transaction %" PRIu64 " is being applied; ask again",
                         applier->lost->transaction.sequence);
    if (!backs_reachable(&role->backs[zone]))
        return error_set(err, EAGAIN, "%s does not run, or is frozen", colour_name(zone));
    struct applied *applied = applied_new(applier, zone, sequence, err);
    if (!applied)
        return -err->code;
    applied->token = token;
    int result = applied_mark(applied, err);
    if (result < 0)
        applied_free(applied);
    else
        applier->lost = applied;
    return result;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

int applier_init(struct applier *applier, struct role *role, struct error *err)
{
    *applier = (struct applier){.role = role, .zone = -1};
    list_init(&applier->entries);
    applier->retry = loop_timer_new(role->loop, on_retry, applier);
    return applier->retry ? 0 : error_errno(err, ENOMEM, "make the feed's applier");
}

void applier_clear(struct applier *applier)
{
    if (!applier->retry)
        return;
    applier_drop(applier);
    if (applier->lost)
        applied_forget(applier->lost);
    applier->lost = NULL;
    loop_timer_free(applier->retry);
    applier->retry = NULL;
}
