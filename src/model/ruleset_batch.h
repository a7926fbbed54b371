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

/* ruleset_route.c: what leads to an app's zones. */
bool same_route(const struct ruleset_app *a, const struct ruleset_app *b);
bool same_preview(const struct ruleset_app *a, const struct ruleset_app *b);
/* The chain app.APP has rules; app NULL: no. */
bool has_route(const struct ruleset_app *app);
/* There is a chain preview.APP; app NULL: no. */
bool has_preview(const struct ruleset_app *app);
const struct ruleset_zone *previewed_zone(const struct ruleset_app *app); /* or NULL */
int check_route(const struct ruleset_app *app, struct error *err);
/* kind: OP_ADD_SET or OP_DELETE_SET. */
void build_green(struct ruleset_batch *batch, enum ruleset_op_kind kind, const struct ruleset_app *app);
void build_live(struct ruleset_batch *batch, const struct ruleset_app *old, const struct ruleset_app *app);
void build_route(struct ruleset_batch *batch, const struct ruleset_app *app);
void build_preview(struct ruleset_batch *batch, const struct ruleset_app *app);

/* ruleset_reach.c: what zones may reach. The maps and chains of the fixed part; a zone's own, from one state to another
 * (either may be NULL: it is not there); the links that lead to them, where `one` has them and `other` (NULL: it is not
 * there) has not. */
void build_reach_fixed(struct ruleset_batch *batch);
void reach_refill(struct ruleset_batch *batch, const char *app, enum colour colour, const struct ruleset_zone *was,
                  const struct ruleset_zone *zone);
void reach_remove(struct ruleset_batch *batch, const char *app, enum colour colour, const struct ruleset_zone *was,
                  const struct ruleset_zone *zone);
void reach_links(struct ruleset_batch *batch, enum ruleset_op_kind kind, const struct ruleset_app *one,
                 const struct ruleset_app *other);

/* ruleset_answer.c: zones' answers of connections that are not known any more. The map and its rule; the ports where
 * zones of `one` listen and `other` (NULL: is not there) has not the same. */
void build_answers_fixed(struct ruleset_batch *batch);
void answers_of_app(struct ruleset_batch *batch, enum ruleset_op_kind kind, const struct ruleset_app *one,
                    const struct ruleset_app *other);

/* ruleset_same.c. Of zones: number, addresses and ports; ports; clients of the preview. Of apps with one name: all. */
bool same_zone(const struct ruleset_zone *a, const struct ruleset_zone *b);
bool same_ports(const struct ruleset_zone *a, const struct ruleset_zone *b);
bool same_preview_from(const struct ruleset_zone *a, const struct ruleset_zone *b);
bool same_app(const struct ruleset_app *a, const struct ruleset_app *b);

/* ruleset_takeover.c: the ports that the host's own processes still have connections on. `from` may be NULL. */
void build_takeover(struct ruleset_batch *batch, const struct ruleset_state *from, const struct ruleset_state *to);

/* ruleset_check.c: states that cannot be. */
int check_values(const struct ruleset_state *state, struct error *err);
int check_zone_unique(const struct ruleset_app *app, const struct ruleset_zone *zone, struct error *err);

extern const char *const published_names[PORT_KEYS];

static inline enum ruleset_key port_key(const struct port *port)
{
    return port->listen.family == 4 ? KEY_PORT4 : port->listen.family == 6 ? KEY_PORT6 : KEY_PORT;
}
