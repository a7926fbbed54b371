/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Orders: pause, resume, seed, diff, skip, apply, verify. */
#include "feed/orders.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "feed/role.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEED_WAIT_MS = 10000, VERIFY_BATCH = 32 };

void orders_done(struct role *role, uint64_t token, int result, uint64_t sequence, const char *text)
{
    struct feed_done done = {.token = token, .result = result, .sequence = sequence};
    text_copy(done.text, sizeof done.text, text);
    text_sanitise(done.text);
    control_send(role->control, FEED_DONE, &done.header, sizeof done);
}

/* --- seeding ------------------------------------------------------------------------------------------------------ */

static void end_seed(struct role *role)
{
    role->orders.seed = SEED_NONE;
    loop_timer_disarm(role->orders.seed_late);
    if (role->wal)
        wal_pin(role->wal, WAL_UNKNOWN);
}

static void refuse_seed(struct role *role, int result, const char *why)
{
    uint64_t token = role->orders.seed_token;
    end_seed(role);
    orders_done(role, token, result, 0, why);
    role_changed(role);
}

/* What is under way now is neither surely in the copy nor surely not: so nothing is, at the mark. From here on nobody
 * knows what the other zone has, until the copy has ended well. */
void orders_look(struct role *role)
{
    struct orders *orders = &role->orders;
    struct error err = {0};
    if (orders->seed != SEED_WAITS || role->underway > 0)
        return;
    applier_drop(&role->applier);
    uint64_t mark = wal_book(role->wal)->committed;
    if (wal_seeded(role->wal, colour_other((enum colour)role->live), WAL_UNKNOWN, &err) < 0) {
        refuse_seed(role, -err.code, err.text);
        return;
    }
    orders->seed = SEED_COPIES;
    orders->seed_mark = mark;
    loop_timer_disarm(orders->seed_late);
    wal_pin(role->wal, mark);
    orders_done(role, orders->seed_token, 0, mark, "");
    role_changed(role);
}

static void on_seed_late(void *context)
{
    struct role *role = context;
    if (role->orders.seed == SEED_WAITS)
        refuse_seed(role, -ETIMEDOUT, "requests are under way for 10 s: no mark could be set; try again");
}

static void seed_begin(struct role *role, const struct feed_order *order)
{
    struct orders *orders = &role->orders;
    if (!role->wal || role->live < 0) {
        orders_done(role, order->token, -EAGAIN, 0, "no zone is live, or the journal is broken");
    } else if (orders->seed != SEED_NONE) {
        orders_done(role, order->token, -EBUSY, 0, "it is being seeded");
    } else {
        orders->seed = SEED_WAITS;
        orders->seed_token = order->token;
        loop_timer_arm(orders->seed_late, SEED_WAIT_MS);
        role_changed(role);
    }
}

/* Also for a role that was started again meanwhile: the journal knows that nobody knows what the zone has. */
static void seed_end(struct role *role, const struct feed_order *order)
{
    struct error err = {0};
    int result = 0;
    if (!role->wal || role->live < 0) {
        orders_done(role, order->token, -EAGAIN, 0, "no zone is live, or the journal is broken");
        return;
    }
    enum colour other = colour_other((enum colour)role->live);
    if (wal_book(role->wal)->zones[other].position != WAL_UNKNOWN ||
        (role->orders.seed == SEED_COPIES && role->orders.seed_mark != order->sequence))
        result = error_set(&err, EINVAL, "it is not being seeded from %" PRIu64, order->sequence);
    else if (!order->failed)
        result = wal_seeded(role->wal, other, order->sequence, &err);
    end_seed(role);
    orders_done(role, order->token, result, order->sequence, err.text);
    role_changed(role);
}

void orders_turn(struct role *role)
{
    if (role->orders.seed == SEED_WAITS)
        refuse_seed(role, -ECANCELED, "another zone has become live");
    else if (role->orders.seed == SEED_COPIES)
        end_seed(role);
}

/* --- what is on record -------------------------------------------------------------------------------------------- */

struct showing {
    struct role *role;
    uint64_t token;
};

static int show(void *context, const struct wal_note *note)
{
    const struct showing *showing = context;
    struct feed_item item = {.token = showing->token,
                             .kind = (uint8_t)note->kind,
                             .zone = note->zone,
                             .sequence = note->kind == WAL_NOTE_DOUBT ? note->id : note->sequence,
                             .unix_ms = note->unix_ms,
                             .status_live = note->live.status,
                             .status_other = note->other.status};
    text_copy(item.request, sizeof item.request, note->request);
    char *version = strstr(item.request, " HTTP/");
    if (version)
        *version = '\0';
    text_copy(item.live, sizeof item.live, note->live.sample);
    text_copy(item.other, sizeof item.other, note->other.sample);
    text_sanitise(item.request);
    text_sanitise(item.live);
    text_sanitise(item.other);
    control_send(showing->role->control, FEED_ITEM, &item.header, sizeof item);
    return 0;
}

_Static_assert((int)WAL_NOTE_DOUBT == (int)FEED_ITEM_DOUBT && (int)WAL_NOTE_TWICE == (int)FEED_ITEM_TWICE,
               "the kinds of notes are those of items");

static void diff(struct role *role, const struct feed_order *order)
{
    struct showing showing = {role, order->token};
    struct error err = {0};
    int result = wal_notes(role->wal, show, &showing, &err);
    orders_done(role, order->token, result, 0, err.text);
}

struct finding {
    enum wal_note_kind kind;
    uint64_t number;
    int8_t zone;
    bool found;
};

static int find(void *context, const struct wal_note *note)
{
    struct finding *finding = context;
    uint64_t number = note->kind == WAL_NOTE_DOUBT ? note->id : note->sequence;
    if (note->kind != finding->kind || number != finding->number)
        return 0;
    finding->zone = note->zone;
    finding->found = true;
    return 1;
}

static bool is_noted(struct role *role, enum wal_note_kind kind, uint64_t number, int8_t *zone)
{
    struct finding finding = {.kind = kind, .number = number};
    wal_notes(role->wal, find, &finding, NULL);
    *zone = finding.zone;
    return finding.found;
}

/* One in doubt is named by its id, as `diff` shows it; any other one by its number. */
static void skip(struct role *role, const struct feed_order *order)
{
    struct error err = {0};
    int8_t zone;
    bool doubt = is_noted(role, WAL_NOTE_DOUBT, order->sequence, &zone);
    int result = doubt ? wal_settle(role->wal, order->sequence, false, &err)
                       : applier_skip(&role->applier, order->sequence, &err);
    orders_done(role, order->token, result, 0,
                result < 0 ? err.text
                : doubt    ? "it was in doubt, and is left out"
                           : "the other zone does without it; it is on record as lost");
}

static void apply(struct role *role, const struct feed_order *order)
{
    struct error err = {0};
    int result;
    int8_t zone;
    if (is_noted(role, WAL_NOTE_DOUBT, order->sequence, &zone)) {
        result = wal_settle(role->wal, order->sequence, true, &err);
    } else if (is_noted(role, WAL_NOTE_LOST, order->sequence, &zone) && zone >= 0 && zone < COLOURS) {
        result = applier_restore(&role->applier, (enum colour)zone, order->sequence, order->token, &err);
        if (result == 0)
            return; /* answered when it is done */
    } else {
        result =
            error_set(&err, ENOENT, "%" PRIu64 " is neither in doubt nor lost; \"bluegreen feed %s diff\" lists those",
                      order->sequence, role->rules.app);
    }
    orders_done(role, order->token, result, 0, result < 0 ? err.text : "it was in doubt, and is applied");
}

/* --- reading the journal ------------------------------------------------------------------------------------------ */

static void end_verify(struct role *role, int result, const char *text)
{
    uint64_t token = role->orders.verify_token;
    role->orders.verify_token = 0;
    loop_timer_disarm(role->orders.verify);
    orders_done(role, token, result, 0, text);
}

/* A few at a time: clients wait meanwhile. */
static void on_verify(void *context)
{
    struct role *role = context;
    struct orders *orders = &role->orders;
    char text[FEED_TEXT_MAX + 1];
    for (int i = 0; i < VERIFY_BATCH; i++) {
        const struct wal_book *book = wal_book(role->wal);
        struct wal_transaction transaction = {0};
        struct error err = {0};
        if (orders->verify_next < book->oldest)
            orders->verify_next = book->oldest;
        if (orders->verify_next > book->committed) {
            snprintf(text, sizeof text, "%" PRIu64 " transaction%s can be read, as %s written", orders->verified,
                     orders->verified == 1 ? "" : "s", orders->verified == 1 ? "it was" : "they were");
            end_verify(role, 0, text);
            return;
        }
        int result = wal_read(role->wal, orders->verify_next, &transaction, &err);
        wal_transaction_clear(&transaction);
        if (result < 0) {
            end_verify(role, result, err.text);
            return;
        }
        orders->verify_next++;
        orders->verified++;
    }
    loop_timer_arm(orders->verify, 1);
}

static void verify(struct role *role, const struct feed_order *order)
{
    if (role->orders.verify_token) {
        orders_done(role, order->token, -EBUSY, 0, "it is being verified");
        return;
    }
    role->orders.verify_token = order->token;
    role->orders.verify_next = role->orders.verified = 0;
    loop_timer_arm(role->orders.verify, 0);
}

/* --- taking them -------------------------------------------------------------------------------------------------- */

/* For the role that comes after this one, as long as the journal is this one. */
static const char paused_mark[] = "paused";

static int keep_pause(struct role *role, bool paused, struct error *err)
{
    int result = 0;
    if (paused) {
        CLEANUP_FD int fd =
            openat(role->directory, paused_mark, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
        result = fd < 0 ? -errno : 0;
    } else if (unlinkat(role->directory, paused_mark, 0) < 0 && errno != ENOENT) {
        result = -errno;
    }
    if (result == 0 && fsync(role->directory) < 0)
        result = -errno;
    return result == 0 ? 0
                       : error_errno(err, -result, "it is %s, but a feed that is started again will not know it",
                                     paused ? "paused" : "resumed");
}

static void pause_applier(struct role *role, const struct feed_order *order, bool paused)
{
    struct error err = {0};
    role->orders.paused = paused;
    int result = keep_pause(role, paused, &err);
    orders_done(role, order->token, result, 0, err.text);
}

void orders_remember(struct role *role)
{
    struct stat status;
    role->orders.paused = fstatat(role->directory, paused_mark, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

void order_take(struct role *role, const struct feed_order *order)
{
    bool needs_journal = order->action != FEED_PAUSE && order->action != FEED_RESUME;
    if (needs_journal && !role->wal) {
        orders_done(role, order->token, -EAGAIN, 0, role->broken[0] ? role->broken : "the feed is starting");
        return;
    }
    switch ((enum feed_action)order->action) {
    case FEED_PAUSE: pause_applier(role, order, true); break;
    case FEED_RESUME: pause_applier(role, order, false); break;
    case FEED_SEED_BEGIN: seed_begin(role, order); break;
    case FEED_SEED_END: seed_end(role, order); break;
    case FEED_DIFF: diff(role, order); break;
    case FEED_SKIP: skip(role, order); break;
    case FEED_APPLY: apply(role, order); break;
    case FEED_VERIFY: verify(role, order); break;
    case FEED_ACTIONS: break;
    }
    role_changed(role);
}

int orders_init(struct role *role, struct error *err)
{
    role->orders.seed_late = loop_timer_new(role->loop, on_seed_late, role);
    role->orders.verify = loop_timer_new(role->loop, on_verify, role);
    return role->orders.seed_late && role->orders.verify ? 0 : error_errno(err, ENOMEM, "make the feed's orders");
}

void orders_clear(struct role *role)
{
    loop_timer_free(role->orders.seed_late);
    loop_timer_free(role->orders.verify);
    role->orders.seed_late = role->orders.verify = NULL;
}
