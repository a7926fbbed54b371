/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the rule set module: what a state has, in an order in which it can be compared with another one's. */
#pragma once

#include "model/ruleset.h"

/* Zero-initialise. Nothing in it outlives the state. */
struct sorted {
    const struct ruleset_app **apps;   /* by name */
    struct ruleset_element *published; /* by key */
    size_t count, published_count;
};

void sorted_clear(struct sorted *sorted);
/* Both -ENOMEM. The apps; then, if they are needed, the ports that these publish. */
int sorted_build(struct sorted *sorted, const struct ruleset_state *state);
int sorted_ports(struct sorted *sorted);
/* -EEXIST if there is one twice. */
int sorted_check_apps(const struct sorted *sorted, struct error *err);
int sorted_check_ports(const struct sorted *sorted, struct error *err);
/* Of pointers to apps, by name; as qsort wants it. */
int sorted_compare_apps(const void *a, const void *b);
/* The published ports of one that are not in the other; one that leads to another app there counts as not in it. */
void sorted_publish_missing(struct ruleset_batch *ops, enum ruleset_op_kind kind, const struct sorted *one,
                            const struct sorted *other);
