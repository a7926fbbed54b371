/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the rule set module: appending operations to a batch. Running out of memory sticks in batch->failed. */
#pragma once

#include "model/ruleset.h"

/* name is cut to what fits; the callers' names are bounded. */
struct ruleset_op *batch_op(struct ruleset_batch *batch, enum ruleset_op_kind kind, const char *table,
                            const char *name);
void batch_base_chain(struct ruleset_batch *batch, const char *table, const char *name, bool nat,
                      enum ruleset_hook hook, int priority);
/* kind: OP_ADD_SET or OP_DELETE_SET. */
void batch_set(struct ruleset_batch *batch, enum ruleset_op_kind kind, const char *name, enum ruleset_key key,
               enum ruleset_data data);
/* Pieces up to RULE_END or count. */
void batch_rule(struct ruleset_batch *batch, const char *table, const char *chain, const struct rule_piece *pieces,
                size_t count);
/* The elements go to the end of the last operation if that is the same one on the same set. */
void batch_element(struct ruleset_batch *batch, enum ruleset_op_kind kind, const char *set, enum ruleset_key key,
                   enum ruleset_data data, const struct ruleset_element *element);

/* ruleset_build.c: the parts of the table. */
void build_fixed(struct ruleset_batch *batch, const struct address_pools *pools);
void build_guard_rules(struct ruleset_batch *batch, const struct address_pools *pools);
void build_zone_sets(struct ruleset_batch *batch, const char *app, enum colour colour, const struct ruleset_zone *zone);
void build_zone_rules(struct ruleset_batch *batch, const char *app, enum colour colour,
                      const struct ruleset_zone *zone);
void build_zone_sets_gone(struct ruleset_batch *batch, const char *app, enum colour colour,
                          const struct ruleset_zone *zone);
void build_switch_rule(struct ruleset_batch *batch, const char *app, enum colour colour);

extern const char *const published_names[KEYS];

static inline enum ruleset_key port_key(const struct port *port)
{
    return port->listen.family == 4 ? KEY_PORT4 : port->listen.family == 6 ? KEY_PORT6 : KEY_PORT;
}
