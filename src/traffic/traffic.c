/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two tables: taking them, bringing them to a wanted state, repairing them where others can touch them. */
#include "traffic/traffic.h"

#include "base/cleanup.h"
#include "traffic/internal.h"
#include "traffic/table.h"
#include "traffic/takeover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Each attempt fails only if another program changed the rule set within some microseconds. */
#define ATTEMPTS 16

/* What failed, in nft's words, with the kernel's reason. */
static int explain(struct traffic *traffic, int status, const struct nft_failure *failure, struct error *err)
{
    CLEANUP_TEXT struct text text = {0};
    const char *what = "commit the rule set";
    bool rule = false;
    if (failure->owner < traffic->ops.count) {
        const struct ruleset_op *op = &traffic->ops.ops[failure->owner];
        rule = op->kind == OP_ADD_RULE;
        ruleset_render_op(&traffic->ops, op, &text);
        what = text.data ? text.data : what;
    }
    error_errno(err, -status, "%.300s", what);
    if (*failure->detail)
        error_suffix(err, " (%s)", failure->detail);
    if (status == -EPERM)
        error_suffix(err, "; changing the rule set needs root, or the capability NET_ADMIN");
    if (rule && (status == -ENOENT || status == -EOPNOTSUPP))
        error_suffix(err, "; does this kernel lack a module of nf_tables (nft_ct, nft_fib_inet, nft_masq, nft_nat)?");
    return status;
}

static uint32_t flags_wanted(const struct traffic *traffic)
{
    return traffic->owned ? NFT_OWNER | NFT_PERSIST : 0;
}

/* What a replacement has to delete. */
static int look(struct traffic *traffic, struct nft_tables *tables, struct error *err)
{
    struct table_now table = {0}, keeper = {0}, spare = {0};
    struct nft *nft = traffic->nft;
    *tables = (struct nft_tables){.flags = flags_wanted(traffic)};
    if (traffic->known && traffic->keeper_known)
        return 0;
    int status = table_find(nft, RULESET_TABLE, &table, err) ?: table_find(nft, RULESET_KEEPER, &keeper, err)
                                                             ?: table_find(nft, RULESET_SPARE, &spare, err);
    tables->table_there = table.there;
    tables->keeper_there = keeper.there;
    tables->spare_there = spare.there;
    return status;
}

/* What stands between begin and end of traffic->messages, as one transaction. */
static int commit(struct traffic *traffic, struct transaction *transaction, struct nft_failure *failure)
{
    uint32_t before = traffic->generation;
    transaction->generation_before = before;
    int status = nft_commit(traffic->nft, &traffic->messages, before, failure, &transaction->microseconds);
    /* A transaction adds one, and 0 means none (nf_tables_commit()); that ours was next, the kernel has checked. */
    traffic->generation = status ? 0 : before + 1 ?: 1;
    transaction->generation_after = traffic->generation;
    return status;
}

/* Sends traffic->ops. */
static int commit_ops(struct traffic *traffic, const struct nft_tables *tables, struct transaction *transaction,
                      struct error *err)
{
    struct nft_failure failure;
    nft_batch_begin(traffic->nft, &traffic->messages);
    nft_build(&traffic->ops, tables, &traffic->messages);
    nft_batch_end(&traffic->messages);
    int status = commit(traffic, transaction, &failure);
    return status ? explain(traffic, status, &failure, err) : 0;
}

/* Puts the spare table beside the one that is about to be replaced (ruleset_spare() says why). */
static int add_spare(struct traffic *traffic, const struct ruleset_state *to, const struct nft_tables *tables,
                     struct error *err)
{
    struct transaction transaction;
    struct nft_tables spare = *tables;
    /* Owned without PERSIST it goes away by itself, should the agent die now. */
    spare.flags &= NFT_OWNER;
    ruleset_batch_reset(&traffic->ops);
    return ruleset_spare(to, &traffic->ops, err) ?: commit_ops(traffic, &spare, &transaction, err);
}

/* Whatever of these there is, in one transaction. */
static int delete_tables(struct traffic *traffic, const char *const names[], size_t count, struct error *err)
{
    struct nft_failure failure;
    struct transaction transaction;
    int status = -ERESTART;
    for (int i = 0; i < ATTEMPTS && status == -ERESTART; i++) {
        bool any = false;
        status = nft_generation(traffic->nft, &traffic->generation, err);
        nft_batch_begin(traffic->nft, &traffic->messages);
        for (size_t j = 0; j < count && !status; j++) {
            struct table_now now;
            status = table_find(traffic->nft, names[j], &now, err);
            if (!status && now.there)
                nft_build_delete_table(&traffic->messages, names[j], NFT_OWNER_NONE);
            any |= now.there;
        }
        if (status || !any)
            return status;
        nft_batch_end(&traffic->messages);
        status = commit(traffic, &transaction, &failure);
    }
    return status ? error_errno(err, -status, "remove table inet %s", names[0]) : 0;
}

static int delete_spare(struct traffic *traffic, struct error *err)
{
    static const char *const spare[] = {RULESET_SPARE};
    return delete_tables(traffic, spare, 1, err);
}

static int describe_as_is(struct traffic *traffic, const struct ruleset_state *to, struct error *err)
{
    ruleset_batch_reset(&traffic->ops);
    int status = traffic->keeper_known ? 0 : ruleset_keeper(&traffic->ops, err);
    return status || !to ? status : ruleset_diff(traffic->known ? &traffic->state : NULL, to, &traffic->ops, err);
}

/* The operations that lead there; to->held becomes what is true now of the ports that they publish. */
static int describe(struct traffic *traffic, struct ruleset_state *to, struct error *err)
{
    int status = describe_as_is(traffic, to, err);
    if (status || !to)
        return status;
    status = takeover_begin(traffic->diag_fd, &traffic->ops, to);
    if (status < 0)
        return error_errno(err, -status, "describe the rule set");
    return status ? describe_as_is(traffic, to, err) : 0;
}

/* to NULL: only the keeper. One attempt; *sent tells whether it is the kernel that refused. */
static int attempt(struct traffic *traffic, struct ruleset_state *to, struct transaction *transaction, bool *sent,
                   struct error *err)
{
    struct nft_tables tables;
    *sent = false;
    *transaction = (struct transaction){0};
    int status = describe(traffic, to, err);
    if (status || !traffic->ops.count)
        return status;
    /* First the generation, then a look: what changes in between makes the generation stale. */
    status = traffic->generation ? 0 : nft_generation(traffic->nft, &traffic->generation, err);
    if (!status)
        status = look(traffic, &tables, err);
    if (status)
        return status;
    *sent = true;
    bool guarded = to && !traffic->known && tables.table_there;
    if (guarded)
        status = add_spare(traffic, to, &tables, err) ?: describe(traffic, to, err);
    if (!status)
        status = commit_ops(traffic, &tables, transaction, err);
    if (!guarded)
        return status;
    /* Should this fail, the next attempt finds the table replaced and the spare one there, and does both again. */
    int left = delete_spare(traffic, status ? NULL : err);
    return status ?: left;
}

static void forget_if_touched(struct traffic *traffic)
{
    if (!traffic->owned && watch_touched(traffic->watch))
        traffic->known = traffic->keeper_known = false;
}

static int synchronise(struct traffic *traffic, struct ruleset_state *to, struct transaction *transaction,
                       struct error *err)
{
    int status = -ERESTART;
    for (int i = 0; i < ATTEMPTS && status; i++) {
        forget_if_touched(traffic);
        bool difference = traffic->known && traffic->keeper_known, sent;
        status = attempt(traffic, to, transaction, &sent, err);
        if (!status || status == -ERESTART)
            continue;
        if (!difference || !sent)
            return status;
        /* The kernel did not take the difference: whatever the reason, the whole table is as good. */
        traffic->known = traffic->keeper_known = false;
    }
    if (status)
        return error_prefix(err, "another program keeps changing the rule set; gave up after %d attempts", ATTEMPTS);
    if (err)
        err->code = 0; /* of an attempt before this one */
    traffic->keeper_known = true;
    traffic->known |= to != NULL;
    return 0;
}

/* Takes an orphan of an earlier agent at once, so that nobody flushes it before the first traffic_apply. */
static int adopt(struct traffic *traffic, struct error *err)
{
    struct table_now now;
    struct nft_failure failure;
    struct transaction transaction;
    int status = -ERESTART;
    for (int i = 0; i < ATTEMPTS && status == -ERESTART; i++) {
        status = nft_generation(traffic->nft, &traffic->generation, err)
                     ?: table_find(traffic->nft, RULESET_TABLE, &now, err);
        /* A table without PERSIST cannot become ours; the first traffic_apply puts a new one in its place. */
        if (status || !now.there || now.owner || !(now.flags & NFT_PERSIST))
            return status;
        nft_batch_begin(traffic->nft, &traffic->messages);
        nft_build_table(&traffic->messages, RULESET_TABLE, flags_wanted(traffic), NFT_OWNER_NONE);
        nft_batch_end(&traffic->messages);
        status = commit(traffic, &transaction, &failure);
    }
    return status ? error_errno(err, -status, "adopt table inet %s", RULESET_TABLE) : 0;
}

static int take(struct traffic *traffic, bool may_own, struct error *err)
{
    struct table_now now;
    struct transaction transaction;
    /* Refuse before anything is changed if another agent is at work; then remove what one left that was killed while
     * it replaced the table. */
    int status = table_find(traffic->nft, RULESET_TABLE, &now, err) ?: delete_spare(traffic, err);
    if (status)
        return status;
    status = watch_open(&traffic->watch, nft_port(traffic->nft), err);
    if (status)
        return status;
    if (may_own) {
        traffic->owned = true;
        status = synchronise(traffic, NULL, &transaction, err);
        if (status != -EOPNOTSUPP)
            return status ? status : adopt(traffic, err);
    }
    /* Owned without PERSIST, the tables would die with the agent (kernels before 6.9): watched ones live on. */
    traffic->owned = false;
    return synchronise(traffic, NULL, &transaction, err);
}

int traffic_open_as(struct traffic **traffic, bool may_own, struct error *err)
{
    struct traffic *opened = calloc(1, sizeof *opened);
    if (!opened)
        return error_errno(err, ENOMEM, "open the rule set");
    opened->diag_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    int status = opened->diag_fd < 0 ? error_errno(err, errno, "open a socket to list the host's connections") : 0;
    if (!status)
        status = nft_open(&opened->nft, err);
    if (!status)
        status = take(opened, may_own, err);
    if (status) {
        traffic_close(opened);
        return error_prefix(err, "take over the rule set");
    }
    *traffic = opened;
    return 0;
}

int traffic_open(struct traffic **traffic, struct error *err)
{
    return traffic_open_as(traffic, true, err);
}

void traffic_close(struct traffic *traffic)
{
    if (!traffic)
        return;
    watch_close(traffic->watch);
    nft_close(traffic->nft);
    ruleset_state_clear(&traffic->state);
    ruleset_batch_clear(&traffic->ops);
    nft_batch_clear(&traffic->messages);
    close_fd(&traffic->diag_fd);
    free(traffic);
}

bool traffic_owned(const struct traffic *traffic)
{
    return traffic->owned;
}

int traffic_bring_to(struct traffic *traffic, struct ruleset_state *state, struct transaction *transaction,
                     struct error *err)
{
    struct transaction own;
    int status = synchronise(traffic, state, transaction ? transaction : &own, err);
    if (status) {
        ruleset_state_clear(state);
        return status;
    }
    ruleset_state_clear(&traffic->state);
    traffic->state = *state;
    traffic->applied = true;
    return 0;
}

int traffic_take(struct traffic *traffic, struct ruleset_state *state, struct transaction *transaction,
                 struct error *err)
{
    struct ruleset_state wanted = *state;
    *state = (struct ruleset_state){0};
    if (ruleset_held_copy(&wanted, &traffic->state)) {
        ruleset_state_clear(&wanted);
        return error_errno(err, ENOMEM, "copy the rule set");
    }
    return traffic_bring_to(traffic, &wanted, transaction, err);
}

int traffic_apply(struct traffic *traffic, const struct ruleset_state *state, struct transaction *transaction,
                  struct error *err)
{
    struct ruleset_state copy, own = {.pools = state->pools, .apps = state->apps, .count = state->count};
    if (ruleset_state_copy(&copy, &own))
        return error_errno(err, ENOMEM, "copy the rule set");
    return traffic_take(traffic, &copy, transaction, err);
}

int traffic_remove(struct traffic *traffic, struct error *err)
{
    static const char *const tables[] = {RULESET_TABLE, RULESET_KEEPER, RULESET_SPARE};
    int status = delete_tables(traffic, tables, sizeof tables / sizeof *tables, err);
    if (status)
        return status;
    ruleset_state_clear(&traffic->state);
    traffic->known = traffic->keeper_known = traffic->applied = false;
    return 0;
}

int traffic_watch_fd(const struct traffic *traffic)
{
    return watch_fd(traffic->watch);
}

int traffic_repair(struct traffic *traffic, struct error *err)
{
    struct transaction transaction;
    if (traffic->owned) {
        watch_touched(traffic->watch);
        return 0;
    }
    forget_if_touched(traffic);
    if (!traffic->applied || (traffic->known && traffic->keeper_known))
        return 0;
    int status = synchronise(traffic, &traffic->state, &transaction, err);
    return status ? error_prefix(err, "reload the rule set after somebody changed it") : 1;
}

bool traffic_others_changed(struct traffic *traffic, char by[TRAFFIC_PROGRAM_MAX + 1])
{
    return watch_others(traffic->watch, by);
}
