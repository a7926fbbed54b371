/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed's figures and its state. */
#include "feed/figures.h"

#include "base/text.h"
#include "feed/role.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Seconds that have passed without one are emptied on the way. */
static void turn_seconds(struct figures *figures)
{
    uint64_t second = clock_monotonic_ms() / 1000;
    for (int i = 0; i < FIGURES_SECONDS && figures->second < second; i++)
        figures->applied[++figures->second % FIGURES_SECONDS] = 0;
    figures->second = second;
}

void figures_applied(struct role *role)
{
    turn_seconds(&role->figures);
    role->figures.applied[role->figures.second % FIGURES_SECONDS]++;
}

static uint64_t applied_in_a_minute(struct figures *figures)
{
    uint64_t sum = 0;
    turn_seconds(figures);
    for (int i = 0; i < FIGURES_SECONDS; i++)
        sum += figures->applied[i];
    return sum;
}

static enum feed_state broken_unknown(const struct role *role, enum colour other, char *why, size_t size)
{
    const struct wal_book *book = wal_book(role->wal);
    const char *app = role->rules.app;
    if (book->dropped)
        snprintf(why, size,
                 "%s is behind by more than the journal holds (up to %" PRIu64 " were dropped): it cannot be a backup "
                 "until it is seeded (\"bluegreen feed %s seed\")",
                 colour_name(other), book->dropped, app);
    else
        snprintf(why, size,
                 "nobody knows what %s has: it cannot be a backup until it is seeded (\"bluegreen feed %s seed\")",
                 colour_name(other), app);
    return FEED_STATE_BROKEN;
}

/* What is true whether or not somebody runs there to be fed. */
static enum feed_state state_of_copies(const struct role *role, const struct feed_figures *figures, enum colour other,
                                       char *why, size_t size)
{
    if (!backs_reachable(&role->backs[other]))
        snprintf(why, size, "%s does not run", colour_name(other));
    else if (figures->behind > 0)
        text_copy(why, size, role->applier.why);
    if (figures->behind > 0)
        return FEED_STATE_BEHIND;
    return wal_book(role->wal)->diverged > 0 ? FEED_STATE_DIVERGED : FEED_STATE_IN_STEP;
}

/* The worst that is true, why, and what mends it. */
static enum feed_state state_of(const struct role *role, const struct feed_figures *figures, char *why, size_t size)
{
    const struct wal_book *book = role->wal ? wal_book(role->wal) : NULL;
    text_copy(why, size, role->broken);
    if (role->broken[0])
        return FEED_STATE_BROKEN;
    if (!book || role->live < 0) {
        text_copy(why, size, book ? "no zone is live" : "no rules yet");
        return FEED_STATE_STARTING;
    }
    enum colour other = colour_other((enum colour)role->live);
    if (role->orders.seed != SEED_NONE)
        return FEED_STATE_SEEDING;
    if (book->zones[other].position == WAL_UNKNOWN)
        return broken_unknown(role, other, why, size);
    if (role->applier.stuck[0]) {
        snprintf(why, size, "%.220s: %s lacks what is from there on, and cannot be a backup until it is seeded",
                 role->applier.stuck, colour_name(other));
        return FEED_STATE_BROKEN;
    }
    if (book->in_doubt > 0) {
        snprintf(why, size,
                 "nobody knows whether live has done %s; \"bluegreen feed %s diff\" lists %s, apply or skip settles",
                 book->in_doubt == 1 ? "it" : "them", role->rules.app, book->in_doubt == 1 ? "it" : "them");
        return FEED_STATE_DOUBT;
    }
    if (role->orders.paused) {
        snprintf(why, size, "an operator has paused it; \"bluegreen feed %s resume\" goes on", role->rules.app);
        return FEED_STATE_PAUSED;
    }
    return state_of_copies(role, figures, other, why, size);
}

/* Of the oldest that the other zone lacks, when live had done it. The applier has it at hand, or, where nobody runs to
 * be fed, the journal. */
static uint64_t oldest_ms(struct role *role, uint64_t sequence)
{
    struct figures *own = &role->figures;
    struct wal_transaction transaction = {0};
    uint64_t at_hand = applier_oldest_ms(&role->applier);
    if (at_hand || own->oldest == sequence)
        return at_hand ? at_hand : own->oldest_ms;
    own->oldest = sequence;
    own->oldest_ms = wal_read(role->wal, sequence, &transaction, NULL) < 0 ? 0 : transaction.unix_ms;
    wal_transaction_clear(&transaction);
    return own->oldest_ms;
}

static void take_book(struct role *role, struct feed_figures *figures)
{
    const struct wal_book *book = wal_book(role->wal);
    figures->committed = book->committed;
    figures->in_doubt = book->in_doubt;
    figures->diverged = book->diverged;
    figures->lost = book->lost;
    figures->twice = book->twice;
    figures->journal_bytes = book->bytes;
    for (int zone = 0; zone < COLOURS; zone++)
        figures->applied[zone] = book->zones[zone].position;
    if (role->live < 0)
        return;
    uint64_t position = book->zones[colour_other((enum colour)role->live)].position, now = clock_unix_ms();
    figures->behind = book->committed - (position == WAL_UNKNOWN ? 0 : position);
    uint64_t oldest = figures->behind && position != WAL_UNKNOWN ? oldest_ms(role, position + 1) : 0;
    figures->behind_ms = oldest && oldest < now ? now - oldest : 0;
}

static void take(struct role *role, struct feed_figures *figures)
{
    char why[FEED_TEXT_MAX + 64];
    *figures = role->figures.now;
    figures->live = role->live;
    figures->waiting = role->queued;
    if (role->wal)
        take_book(role, figures);
    for (int zone = 0; zone < COLOURS; zone++) {
        figures->connections[zone] = 0;
        for (int i = 0; i < FEED_DOORS_MAX; i++)
            figures->connections[zone] += role->doors[zone][i].connections;
    }
    figures->applied_per_minute = applied_in_a_minute(&role->figures);
    figures->state = (uint8_t)state_of(role, figures, why, sizeof why);
    memset(figures->reason, 0, sizeof figures->reason);
    text_copy(figures->reason, sizeof figures->reason, why);
    text_sanitise(figures->reason);
}

static void on_due(void *context)
{
    struct role *role = context;
    struct figures *figures = &role->figures;
    struct feed_figures fresh;
    if (control_busy(role->control)) {
        loop_timer_arm(figures->due, FIGURES_EVERY_MS);
        return;
    }
    memset(&fresh, 0, sizeof fresh);
    take(role, &fresh);
    fresh.header = figures->told.header;
    if (memcmp(&fresh, &figures->told, sizeof fresh) == 0)
        return;
    figures->told_ms = clock_monotonic_ms();
    control_send(role->control, FEED_FIGURES, &fresh.header, sizeof fresh);
    figures->told = fresh;
}

void figures_touch(struct role *role)
{
    struct figures *figures = &role->figures;
    if (!figures->due || loop_timer_due_ms(figures->due))
        return;
    uint64_t since = clock_monotonic_ms() - figures->told_ms;
    loop_timer_arm(figures->due, since < FIGURES_EVERY_MS ? FIGURES_EVERY_MS - since : 0);
}

int figures_init(struct role *role, struct error *err)
{
    role->figures.due = loop_timer_new(role->loop, on_due, role);
    return role->figures.due ? 0 : error_errno(err, ENOMEM, "make the feed's figures");
}

void figures_clear(struct role *role)
{
    loop_timer_free(role->figures.due);
    role->figures.due = NULL;
}
