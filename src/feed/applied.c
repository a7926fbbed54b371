/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One committed transaction on its way to one zone. */
#include "feed/applied.h"

#include "base/cleanup.h"
#include "feed/compare.h"
#include "feed/copies.h"
#include "feed/lane.h"
#include "feed/noting.h"
#include "feed/role.h"
#include "feed/sending.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RETRY_FIRST_MS = 100, RETRY_MAX_MS = 5000 };

/* --- memory ------------------------------------------------------------------------------------------------------- */

void applied_free(struct applied *applied)
{
    call_clear(&applied->call);
    wal_transaction_clear(&applied->transaction);
    free(applied);
}

/* One whose mark is on its way to the disk is still known there. */
void applied_forget(struct applied *applied)
{
    if (applied->state == CALLING)
        copies_forget(applied->applier->role, applied);
    if (applied->state == MARKING)
        applied->dropped = true;
    else
        applied_free(applied);
}

void applied_take_out(struct applied *applied)
{
    struct applier *applier = applied->applier;
    list_remove(&applied->link);
    applier->count--;
    applier->bytes -= applied->transaction.head_length + applied->transaction.body_length;
}

struct applied *applied_new(struct applier *applier, enum colour zone, uint64_t sequence, struct error *err)
{
    struct role *role = applier->role;
    struct applied *applied = calloc(1, sizeof *applied);
    if (!applied) {
        error_errno(err, ENOMEM, "apply transaction %" PRIu64, sequence);
        return NULL;
    }
    *applied = (struct applied){.applier = applier, .zone = zone};
    list_init(&applied->link);
    call_init(&applied->call, role);
    if (wal_read(role->wal, sequence, &applied->transaction, err) < 0) {
        free(applied);
        return NULL;
    }
    applied->lane = lane_number(applied->transaction.lane, role->feed.lanes);
    return applied;
}

/* --- the end of one ----------------------------------------------------------------------------------------------- */

static void answer_order(struct applied *applied, int result, const char *text)
{
    orders_done(applied->applier->role, applied->token, result, 0, text);
    applied->applier->lost = NULL;
    applied_forget(applied);
}

static void try_again(struct applied *applied, const char *why)
{
    struct applier *applier = applied->applier;
    applied->state = RESTING;
    if (applied->token) {
        answer_order(applied, -EIO, why);
        return;
    }
    snprintf(applier->why, sizeof applier->why, "transaction %" PRIu64 " is tried again: %s",
             applied->transaction.sequence, why);
    call_clear(&applied->call);
    applied->delay_ms = applied->delay_ms == 0 ? RETRY_FIRST_MS : applied->delay_ms * 2;
    uint32_t most = applier->role->hold.on ? RETRY_FIRST_MS : RETRY_MAX_MS;
    if (applied->delay_ms > most)
        applied->delay_ms = most;
    applied->due_ms = clock_monotonic_ms() + applied->delay_ms;
    uint64_t armed = loop_timer_due_ms(applier->retry);
    if (armed == 0 || armed > applied->due_ms)
        loop_timer_arm(applier->retry, applied->delay_ms);
}

/* Not sent again because the journal cannot be written. */
static void record(struct applied *applied)
{
    struct applier *applier = applied->applier;
    struct role *role = applier->role;
    uint64_t sequence = applied->transaction.sequence;
    struct error err = {0};
    if (wal_applied(role->wal, applied->zone, sequence, &applied->answer, false, !applied->same, &err) < 0) {
        role_journal_failed(role, err.text);
        try_again(applied, err.text);
        return;
    }
    applier->why[0] = '\0';
    figures_applied(role);
    if (applier->unreached)
        applier_try_now(applier); /* it is there again, for the other lanes, too */
    applier->unreached = false;
    if (applied->token) {
        answer_order(applied, 0, applied->same ? "applied" : "applied, with another answer than before");
    } else {
        applied_take_out(applied);
        applied_free(applied);
    }
    role_changed(role);
}

static void applied_well(struct applied *applied)
{
    const struct wal_transaction *transaction = &applied->transaction;
    const struct feed *feed = &applied->applier->role->feed;
    applied->done = applied->same = true;
    if (transaction->mode == FEED_HTTP) {
        noting_answer(&applied->call, &applied->answer);
        applied->same = compare_same(feed->compare, &transaction->answer, &applied->answer);
    }
    record(applied);
}

static void on_answer(void *context, enum call_end how)
{
    struct applied *applied = context;
    uint16_t status = how == CALL_ANSWERED ? applied->call.answer.status : 0;
    char text[96];
    applied->state = RESTING;
    applied->unsure |= how == CALL_BROKEN || how == CALL_LATE;
    applied->applier->unreached |= how == CALL_NOT_SENT;
    if (how != CALL_ANSWERED) {
        try_again(applied, applied->call.why);
    } else if (status >= 500 && status != applied->transaction.answer.status) {
        snprintf(text, sizeof text, "it answered %u", status);
        try_again(applied, text);
    } else {
        applied_well(applied);
    }
}

static void on_copied(void *context, const char *why)
{
    struct applied *applied = context;
    applied->state = RESTING;
    if (why)
        try_again(applied, why);
    else
        applied_well(applied);
}

/* --- the beginning of one ----------------------------------------------------------------------------------------- */

static void call(struct applied *applied)
{
    struct role *role = applied->applier->role;
    const struct wal_transaction *transaction = &applied->transaction;
    struct call *out = &applied->call;
    size_t proxy = sending_proxy_length(transaction->bytes, transaction->head_length);
    const char *method = transaction->bytes + proxy;
    applied->state = CALLING;
    if (transaction->mode != FEED_HTTP) {
        copies_send(role, applied->zone, transaction, on_copied, applied);
        return;
    }
    sending_copy(transaction->bytes, transaction->head_length, &out->head);
    snprintf(out->method, sizeof out->method, "%.*s", (int)strcspn(method, " "), method);
    out->alone = proxy > 0;
    out->body = transaction->bytes + transaction->head_length;
    out->body_length = transaction->body_length;
    if (out->head.failed)
        try_again(applied, "out of memory");
    else
        call_begin(out, &role->backs[applied->zone], door_target(role, applied->zone, transaction->door), on_answer,
                   applied);
}

static void on_marked(void *context, int result)
{
    struct applied *applied = context;
    applied->state = RESTING;
    if (applied->dropped) {
        applied_free(applied);
    } else if (result < 0) {
        role_journal_failed(applied->applier->role, strerror(-result));
        try_again(applied, strerror(-result));
    } else {
        call(applied);
    }
}

/* True: its mark is on its way. */
int applied_mark(struct applied *applied, struct error *err)
{
    struct role *role = applied->applier->role;
    bool again = applied->marked && applied->unsure;
    int result = again ? wal_applying_again(role->wal, applied->zone, applied->transaction.sequence, err)
                       : wal_applying(role->wal, applied->zone, applied->transaction.sequence, err);
    if (result < 0)
        return result;
    applied->marked = !applied->token;
    applied->told = again;
    result = wal_when_safe_too(role->wal, on_marked, applied, err);
    if (result == 0)
        applied->state = MARKING;
    return result;
}

void applied_start(struct applied *applied)
{
    struct error err = {0};
    if (applied->done) {
        record(applied);
        return;
    }
    if (applied->marked && (!applied->unsure || applied->told)) { /* all of that is on record already */
        call(applied);
        return;
    }
    int result = applied_mark(applied, &err);
    if (result == -EINVAL) { /* done in an earlier life, ahead of others */
        struct role *role = applied->applier->role;
        applied_take_out(applied);
        applied_free(applied);
        role_changed(role); /* the next one's turn */
    } else if (result < 0) {
        if (result != -EAGAIN)
            role_journal_failed(applied->applier->role, err.text);
        try_again(applied, err.text);
    }
}
