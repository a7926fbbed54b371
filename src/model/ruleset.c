/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rule set's values: owning states and growing batches. */
#include "model/ruleset.h"

#include "model/ruleset_batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ruleset_state_clear(struct ruleset_state *state)
{
    for (size_t i = 0; i < state->count; i++)
        for (int colour = 0; colour < COLOURS; colour++) {
            free(state->apps[i].zones[colour].ports);
            free(state->apps[i].zones[colour].preview_from);
            free(state->apps[i].zones[colour].fence.allow);
            free(state->apps[i].zones[colour].shares);
        }
    free(state->apps);
    free(state->held);
    *state = (struct ruleset_state){0};
}

static int copy_array(void **to, const void *from, size_t count, size_t size)
{
    *to = NULL;
    if (!count)
        return 0;
    *to = calloc(count, size);
    if (!*to)
        return -ENOMEM;
    memcpy(*to, from, count * size);
    return 0;
}

/* What it owns; the rest is copied already. */
static int copy_zone(struct ruleset_zone *to, const struct ruleset_zone *from)
{
    void *ports = NULL, *clients = NULL, *allow = NULL, *shares = NULL;
    int status = copy_array(&ports, from->ports, from->port_count, sizeof *from->ports);
    if (copy_array(&clients, from->preview_from, from->preview_from_count, sizeof *from->preview_from) < 0)
        status = -ENOMEM;
    if (copy_array(&allow, from->fence.allow, from->fence.allow_count, sizeof *from->fence.allow) < 0 ||
        copy_array(&shares, from->shares, from->share_count, sizeof *from->shares) < 0)
        status = -ENOMEM;
    to->fence.allow = allow;
    to->shares = shares;
    to->ports = ports;
    to->preview_from = clients;
    return status;
}

int ruleset_held_copy(struct ruleset_state *to, const struct ruleset_state *from)
{
    void *held = NULL;
    int status = copy_array(&held, from->held, from->held_count, sizeof *from->held);
    to->held = held;
    to->held_count = held ? from->held_count : 0;
    return status;
}

int ruleset_state_copy(struct ruleset_state *to, const struct ruleset_state *from)
{
    *to = (struct ruleset_state){.pools = from->pools};
    if (!from->count)
        return 0;
    to->apps = calloc(from->count, sizeof *to->apps);
    if (!to->apps || ruleset_held_copy(to, from)) {
        ruleset_state_clear(to);
        return -ENOMEM;
    }
    for (size_t i = 0; i < from->count; i++) {
        struct ruleset_app *app = &to->apps[to->count++];
        *app = from->apps[i];
        int status = 0;
        for (int colour = 0; colour < COLOURS; colour++) { /* both: what is not copied would be freed twice */
            int result = copy_zone(&app->zones[colour], &from->apps[i].zones[colour]);
            status = result ? result : status;
        }
        if (status) {
            ruleset_state_clear(to);
            return status;
        }
    }
    return 0;
}

const char *ruleset_element_chain(const struct ruleset_element *element, char name[RULESET_NAME_MAX + 1])
{
    if (element->chain)
        snprintf(name, RULESET_NAME_MAX + 1, "%s.%s.%s", element->chain, element->app, colour_name(element->colour));
    else
        snprintf(name, RULESET_NAME_MAX + 1, "%s.%s", element->preview ? "preview" : "app", element->app);
    return name;
}

void ruleset_batch_reset(struct ruleset_batch *batch)
{
    batch->count = batch->piece_count = batch->element_count = 0;
    batch->failed = false;
}

void ruleset_batch_clear(struct ruleset_batch *batch)
{
    free(batch->ops);
    free(batch->pieces);
    free(batch->elements);
    *batch = (struct ruleset_batch){0};
}

/* Makes room for one more item; false and batch->failed if there is none. */
static bool grow(struct ruleset_batch *batch, void *array, size_t count, size_t *capacity, size_t size)
{
    if (batch->failed)
        return false;
    if (count < *capacity)
        return true;
    size_t more = *capacity ? *capacity * 2 : 32;
    void *grown = reallocarray(*(void **)array, more, size);
    if (!grown) {
        batch->failed = true;
        return false;
    }
    *(void **)array = grown;
    *capacity = more;
    return true;
}

struct ruleset_op *batch_op(struct ruleset_batch *batch, enum ruleset_op_kind kind, const char *table, const char *name)
{
    if (!grow(batch, &batch->ops, batch->count, &batch->capacity, sizeof *batch->ops))
        return NULL;
    struct ruleset_op *op = &batch->ops[batch->count++];
    *op = (struct ruleset_op){.kind = kind, .table = table};
    text_copy(op->name, sizeof op->name, name);
    return op;
}

void batch_base_chain(struct ruleset_batch *batch, const char *table, const char *name, bool nat,
                      enum ruleset_hook hook, int priority)
{
    struct ruleset_op *op = batch_op(batch, OP_ADD_CHAIN, table, name);
    if (!op)
        return;
    op->nat = nat;
    op->hook = hook;
    op->priority = priority;
}

void batch_set(struct ruleset_batch *batch, enum ruleset_op_kind kind, const char *name, enum ruleset_key key,
               enum ruleset_data data)
{
    struct ruleset_op *op = batch_op(batch, kind, RULESET_TABLE, name);
    if (!op)
        return;
    op->key = key;
    op->data = data;
}

void batch_rule(struct ruleset_batch *batch, const char *table, const char *chain, const struct rule_piece *pieces,
                size_t count)
{
    struct ruleset_op *op = batch_op(batch, OP_ADD_RULE, table, chain);
    if (!op)
        return;
    op->first = batch->piece_count;
    for (size_t i = 0; i < count && pieces[i].kind != RULE_END; i++) {
        if (!grow(batch, &batch->pieces, batch->piece_count, &batch->piece_capacity, sizeof *batch->pieces))
            return;
        batch->pieces[batch->piece_count++] = pieces[i];
    }
    op->count = batch->piece_count - op->first;
}

void batch_element(struct ruleset_batch *batch, enum ruleset_op_kind kind, const char *set, enum ruleset_key key,
                   enum ruleset_data data, const struct ruleset_element *element)
{
    struct ruleset_op *op = batch->count ? &batch->ops[batch->count - 1] : NULL;
    if (!op || op->kind != kind || strcmp(op->name, set)) {
        op = batch_op(batch, kind, RULESET_TABLE, set);
        if (!op)
            return;
        op->key = key;
        op->data = data;
        op->first = batch->element_count;
    }
    if (!grow(batch, &batch->elements, batch->element_count, &batch->element_capacity, sizeof *batch->elements))
        return;
    batch->elements[batch->element_count++] = *element;
    op->count++;
}
