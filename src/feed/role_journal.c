/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The role's journal: opening it, what becomes of one that cannot be written, and of transactions in doubt. */
#include "feed/role.h"
#include "os/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

void role_journal_failed(struct role *role, const char *why)
{
    if (!role->broken[0])
        log_error("%s: the feed's journal: %s; fed requests are refused until it can be written", role->rules.app, why);
    text_copy(role->broken, sizeof role->broken, why);
    figures_touch(role);
}

void role_journal_works(struct role *role)
{
    if (!role->broken[0])
        return;
    log_notice("%s: the feed's journal can be written again", role->rules.app);
    role->broken[0] = '\0';
    figures_touch(role);
}

static int take_first(void *context, const struct wal_note *note)
{
    uint64_t *id = context;
    if (note->kind != WAL_NOTE_DOUBT)
        return 0;
    *id = note->id;
    return 1;
}

void role_settle_doubts(struct role *role)
{
    enum feed_doubt policy = (enum feed_doubt)role->rules.in_doubt;
    while (role->wal && policy != FEED_DOUBT_ASK && wal_book(role->wal)->in_doubt > 0) {
        struct error err = {0};
        uint64_t id = 0;
        if (wal_notes(role->wal, take_first, &id, &err) < 0 || id == 0 ||
            wal_settle(role->wal, id, policy == FEED_DOUBT_APPLY, &err) < 0) {
            log_error("%s: what is in doubt could not be settled: %s", role->rules.app, err.text);
            return;
        }
        log_notice("%s: transaction %" PRIu64 " was in doubt; by in_doubt it is %s", role->rules.app, id,
                   policy == FEED_DOUBT_APPLY ? "applied" : "left out");
    }
}

void role_write_stranded(struct role *role)
{
    while (role->wal && role->stranded_count > 0) {
        if (wal_doubt(role->wal, role->stranded[role->stranded_count - 1], NULL) < 0)
            return;
        role->stranded_count--;
        role_settle_doubts(role);
    }
}

void role_doubt(struct role *role, uint64_t id)
{
    struct error err = {0};
    if (wal_doubt(role->wal, id, &err) == 0) {
        role_settle_doubts(role);
        return;
    }
    role_journal_failed(role, err.text);
    if (role->stranded_count < STRANDED_MAX)
        role->stranded[role->stranded_count++] = id;
    else
        loop_quit(role->loop, EXIT_FAILURE);
}

/* One that is damaged is put aside: what it had is not read again, and the other zone must be seeded; but live goes on,
 * and what is acknowledged from now on is journalled. */
int role_open_journal(struct role *role, struct error *err)
{
    const struct feed_rules *rules = &role->rules;
    struct wal_options options = {
        .directory = role->directory, .max = rules->journal_max, .sync_ms = rules->sync_ms, .new_app = rules->new_app};
    int result = wal_open(role->loop, &options, &role->wal, err);
    if (result != -EBADMSG)
        return result;
    log_error("%s: %s; it is put aside and a new one is begun: seed the other zone", rules->app, err->text);
    options.new_app = false;
    result = wal_set_aside(role->directory, err);
    return result < 0 ? result : wal_open(role->loop, &options, &role->wal, err);
}
