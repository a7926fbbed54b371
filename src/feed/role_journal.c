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

static int write_end(struct role *role, const struct stranded *stranded, struct error *err)
{
    return stranded->undone ? wal_abort(role->wal, stranded->id, err) : wal_doubt(role->wal, stranded->id, err);
}

void role_write_stranded(struct role *role)
{
    while (role->wal && role->stranded_count > 0) {
        if (write_end(role, &role->stranded[role->stranded_count - 1], NULL) < 0)
            return;
        role->stranded_count--;
        role_settle_doubts(role);
    }
}

static void end_one(struct role *role, struct stranded stranded)
{
    struct error err = {0};
    if (write_end(role, &stranded, &err) == 0) {
        role_settle_doubts(role);
        return;
    }
    role_journal_failed(role, err.text);
    if (role->stranded_count < STRANDED_MAX)
        role->stranded[role->stranded_count++] = stranded;
    else
        loop_quit(role->loop, EXIT_FAILURE);
}

void role_doubt(struct role *role, uint64_t id)
{
    end_one(role, (struct stranded){.id = id});
}

void role_undone(struct role *role, uint64_t id)
{
    end_one(role, (struct stranded){.id = id, .undone = true});
}

/* All that have no end are in doubt when a journal is opened, and of these we know more. */
static void end_stranded(struct role *role)
{
    for (size_t i = 0; i < role->stranded_count; i++) {
        if (role->stranded[i].undone)
            wal_settle(role->wal, role->stranded[i].id, false, NULL); /* it may not even have been on the disk */
    }
    role->stranded_count = 0;
}

/* One that is damaged is put aside: what it had is not read again, and the other zone must be seeded; but live goes on,
 * and what is acknowledged from now on is journalled. */
static int open_or_begin(struct role *role, struct error *err)
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

int role_open_journal(struct role *role, struct error *err)
{
    int result = open_or_begin(role, err);
    if (result == 0)
        end_stranded(role);
    return result;
}
