/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Holding new fed requests while the other zone catches up. */
#include "feed/hold.h"

#include "feed/role.h"

#include <errno.h>

/* What this zone would lack if it became live now. */
static uint64_t lacking(const struct role *role, enum colour zone)
{
    if (!role->wal || wal_has_failed(role->wal))
        return 1; /* nobody can say */
    const struct wal_book *book = wal_book(role->wal);
    uint64_t position = book->zones[zone].position, open = role->underway + book->in_doubt;
    if (book->live == (int8_t)zone)
        return 0;
    if (position == WAL_UNKNOWN)
        return (book->committed ? book->committed : 1) + open;
    return book->committed - position + open;
}

static void answer(struct role *role)
{
    uint64_t missing = lacking(role, role->hold.target);
    struct feed_ready ready = {.token = role->hold.token, .ready = missing == 0, .missing = missing};
    role->hold.answered = true;
    loop_timer_disarm(role->hold.late);
    control_send(role->control, FEED_READY, &ready.header, sizeof ready);
}

/* Waiting longer changes nothing: somebody has to decide first. */
static bool is_hopeless(const struct role *role)
{
    if (!role->wal || wal_has_failed(role->wal))
        return true;
    const struct wal_book *book = wal_book(role->wal);
    uint64_t position = book->zones[role->hold.target].position;
    bool behind = position != book->committed;
    return position == WAL_UNKNOWN || (behind && (role->orders.paused || role->orders.seed != SEED_NONE)) ||
           (!behind && book->in_doubt > 0);
}

void hold_look(struct role *role)
{
    struct hold *hold = &role->hold;
    if (!hold->on || hold->answered || role->underway > 0)
        return;
    if (lacking(role, hold->target) == 0 || is_hopeless(role))
        answer(role);
}

static void on_late(void *context)
{
    struct role *role = context;
    if (role->hold.on && role->hold.alone)
        hold_end(role);
    else if (role->hold.on && !role->hold.answered)
        answer(role);
}

void hold_alone(struct role *role)
{
    role->hold.alone = true;
    if (role->hold.on)
        loop_timer_arm(role->hold.late, HOLD_ALONE_MS);
}

void hold_begin(struct role *role, const struct feed_hold *message)
{
    role->hold.on = true;
    role->hold.answered = role->hold.alone = false;
    role->hold.token = message->token;
    role->hold.target = (enum colour)message->target;
    loop_timer_arm(role->hold.late, message->wait_ms);
    applier_try_now(&role->applier);
    role_changed(role);
}

void hold_end(struct role *role)
{
    role->hold.on = false;
    loop_timer_disarm(role->hold.late);
    role_changed(role);
}

int hold_init(struct role *role, struct error *err)
{
    role->hold.late = loop_timer_new(role->loop, on_late, role);
    return role->hold.late ? 0 : error_errno(err, ENOMEM, "make the feed's hold");
}

void hold_clear(struct role *role)
{
    loop_timer_free(role->hold.late);
    role->hold.late = NULL;
}
