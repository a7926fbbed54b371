/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed role as a whole: its rules, its zones, who is live, and what follows from a change. */
#include "feed/role.h"

#include "base/cleanup.h"
#include "feed/client.h"
#include "feed/copies.h"
#include "feed/crowd.h"
#include "feed/exchange.h"
#include "feed/pass.h"
#include "feed/stream.h"

#include <errno.h>
#include <string.h>

/* --- what follows from what --------------------------------------------------------------------------------------- */

bool role_holds(const struct role *role)
{
    return role->hold.on || role->orders.seed == SEED_WAITS || role->relane;
}

static void end_relane(struct role *role)
{
    if (!role->relane || role->underway > 0 || !role->wal)
        return;
    role->relane = false;
    applier_relane(&role->applier);
}

/* What one of them does may concern the others: they are asked again, not from inside. */
void role_changed(struct role *role)
{
    role->changed = true;
    if (role->changing)
        return;
    role->changing = true;
    while (role->changed) {
        role->changed = false;
        end_relane(role);
        exchanges_proceed(role);
        streams_proceed(role);
        datagrams_proceed(role);
        applier_proceed(&role->applier);
        orders_look(role);
        hold_look(role);
    }
    role->changing = false;
    role_wake(role);
    figures_touch(role);
}

/* Rules are there and the journal is not, or nothing is taken by it any more. */
static bool lacks_journal(const struct role *role)
{
    return role->rules.mode != FEED_OFF && (!role->wal || wal_has_failed(role->wal));
}

static bool is_idle(const struct role *role)
{
    return role->stranded_count == 0 && !lacks_journal(role) && list_empty(&role->clients) &&
           list_empty(&role->streams) && list_empty(&role->copies) && list_empty(&role->datagrams.flows) &&
           role->queued == 0 && role->underway == 0 && role->applier.count == 0 && !role->applier.lost &&
           !role->applier.stuck[0] && backs_idle(&role->backs[BLUE]) && backs_idle(&role->backs[GREEN]);
}

static void say_live(struct role *role)
{
    struct error err = {0};
    if (!role->wal || role->live < 0 || wal_book(role->wal)->live == role->live)
        return;
    if (wal_live(role->wal, (enum colour)role->live, &err) < 0)
        role_journal_failed(role, err.text);
}

static void open_journal(struct role *role)
{
    struct error err = {0};
    if (role_open_journal(role, &err) < 0) {
        role_journal_failed(role, err.text);
        return;
    }
    role_journal_works(role);
    orders_remember(role);
    say_live(role);
    applier_relane(&role->applier); /* keys and lanes may have been others when it was written */
    role_settle_doubts(role);
}

/* What is wrong with the disk may be over. One that failed is read again from what the disk has, once nobody is in the
 * middle of something. */
static void try_journal(struct role *role)
{
    if (!lacks_journal(role) || role->underway > 0 || role->applier.lost || role->orders.seed != SEED_NONE ||
        role->orders.verify_token)
        return;
    if (role->wal) {
        applier_drop(&role->applier);
        wal_close(role->wal);
        role->wal = NULL;
    }
    open_journal(role);
}

static void on_sweep(void *context)
{
    struct role *role = context;
    uint64_t now = clock_monotonic_ms();
    crowd_sweep(role, now);
    role_write_stranded(role);
    try_journal(role);
    exchanges_sweep(role, now);
    passes_sweep(role, now);
    datagrams_sweep(role, now);
    copies_sweep(role, now);
    applier_sweep(&role->applier, now);
    backs_sweep(&role->backs[BLUE], now);
    backs_sweep(&role->backs[GREEN], now);
    role_changed(role);
}

void role_wake(struct role *role)
{
    if (loop_timer_due_ms(role->sweep) == 0 && !is_idle(role))
        loop_timer_arm(role->sweep, SWEEP_MS);
}

static void on_burial(void *context)
{
    clients_bury(context);
}

/* --- what the monitor says ---------------------------------------------------------------------------------------- */

static void take_rules(struct role *role, const struct feed_rules *rules)
{
    struct feed *feed = &role->feed;
    role->rules = *rules;
    *feed = (struct feed){.mode = (enum feed_mode)rules->mode,
                          .all_methods = rules->all_methods,
                          .method_count = rules->method_count,
                          .lanes = rules->lanes,
                          .key = {.kind = (enum feed_key_kind)rules->key_kind, .part = rules->key_part},
                          .compare = (enum feed_compare)rules->compare,
                          .client = (enum feed_client)rules->client,
                          .in_doubt = (enum feed_doubt)rules->in_doubt,
                          .body_max = rules->body_max};
    memcpy(feed->methods, rules->methods, sizeof feed->methods);
    memcpy(feed->key.name, rules->key_name, sizeof feed->key.name);
}

void role_rules(struct role *role, const struct feed_rules *rules)
{
    bool relane =
        role->wal && (rules->lanes != role->rules.lanes || rules->key_kind != role->rules.key_kind ||
                      rules->key_part != role->rules.key_part || strcmp(rules->key_name, role->rules.key_name) != 0);
    take_rules(role, rules);
    if (relane) {
        role->relane = true;
        exchanges_relane(role);
    }
    if (role->wal)
        wal_options_change(role->wal, rules->journal_max, rules->sync_ms);
    else
        open_journal(role);
    role_settle_doubts(role);
    role_changed(role);
}

void role_zone(struct role *role, const struct feed_zone *zone)
{
    struct backs *backs = &role->backs[zone->zone];
    bool anew = zone->serial != backs->serial;
    backs_zone(backs, zone);
    if (anew) { /* no answer reaches them any more: better they hear the end while it can; what waits is not begun */
        clients_cut(role, (enum colour)zone->zone);
        doors_end(role, (enum colour)zone->zone);
    }
    applier_try_now(&role->applier);
    role_changed(role);
}

void role_live(struct role *role, int8_t zone, bool planned)
{
    (void)planned; /* what is missing is written down either way; after a hold that was ready that is nothing */
    if (zone >= 0 && zone != role->live) {
        exchanges_cut(role, (enum colour)zone);
        streams_cut(role, (enum colour)zone);
        datagrams_cut(role);
        orders_turn(role);
        applier_drop(&role->applier);
    }
    role->live = zone;
    say_live(role);
    role->hold.on = false;
    loop_timer_disarm(role->hold.late);
    passes_proceed(role);
    role_changed(role);
}

/* Its doors stay what they are, and get more sockets; what was asked of the former one will not come. A hold goes on
 * until it says who is live: that may be the zone which the hold was for. */
void role_adopted(struct role *role)
{
    role->hold.alone = false;
    loop_timer_disarm(role->hold.late);
    for (int zone = 0; zone < COLOURS; zone++) {
        for (int i = 0; i < FEED_DOORS_MAX; i++)
            role->doors[zone][i].keeps = true;
        role->backs[zone].asked = 0;
        backs_ask(&role->backs[zone]);
    }
    memset(&role->figures.told, 0, sizeof role->figures.told);
    figures_touch(role);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static void init_lists(struct role *role)
{
    list_init(&role->clients);
    list_init(&role->buried);
    list_init(&role->waiting_passes);
    list_init(&role->streams);
    datagrams_init(role);
    list_init(&role->copies);
    for (size_t i = 0; i < FEED_LANES_MAX; i++)
        list_init(&role->lanes[i].waiting);
    backs_init(&role->backs[BLUE], role, BLUE);
    backs_init(&role->backs[GREEN], role, GREEN);
}

static int make_timers(struct role *role, struct error *err)
{
    role->sweep = loop_timer_new(role->loop, on_sweep, role);
    role->burial = loop_timer_new(role->loop, on_burial, role);
    if (!role->sweep || !role->burial)
        return error_errno(err, ENOMEM, "make the feed role");
    int result = hold_init(role, err);
    if (result == 0)
        result = orders_init(role, err);
    if (result == 0)
        result = figures_init(role, err);
    return result == 0 ? applier_init(&role->applier, role, err) : result;
}

int role_new(struct loop *loop, int channel, int directory, size_t clients_max, struct role **out, struct error *err)
{
    struct role *role = calloc(1, sizeof *role);
    if (!role)
        return error_errno(err, ENOMEM, "make the feed role");
    role->loop = loop;
    role->directory = directory;
    role->clients_max = clients_max;
    role->live = -1;
    init_lists(role);
    int result = make_timers(role, err);
    if (result == 0)
        result = control_new(role, channel, &role->control, err);
    if (result < 0)
        role_free(role);
    else
        *out = role;
    return result;
}

/* The journal first: nothing that it still calls back is freed before it. What is under way is found in doubt by the
 * next role, as after any other end. */
void role_free(struct role *role)
{
    if (!role)
        return;
    wal_close(role->wal);
    role->wal = NULL;
    doors_clear(role);
    clients_clear(role);
    streams_clear(role);
    datagrams_cut(role);
    copies_clear(role);
    exchanges_clear(role);
    applier_clear(&role->applier);
    backs_clear(&role->backs[BLUE]);
    backs_clear(&role->backs[GREEN]);
    hold_clear(role);
    orders_clear(role);
    figures_clear(role);
    loop_timer_free(role->sweep);
    loop_timer_free(role->burial);
    control_free(role->control);
    free(role);
}
