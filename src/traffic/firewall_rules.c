/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Owning and finding the parts of somebody's rule set. */
#include "traffic/firewall_rules.h"

#include <stdlib.h>
#include <string.h>

static void clear_rule(struct fw_rule *rule)
{
    for (size_t i = 0; i < rule->count; i++)
        free(rule->exprs[i].name);
    free(rule->exprs);
}

static void clear_chain(struct fw_chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        clear_rule(&chain->rules[i]);
    free(chain->rules);
    free(chain->table);
    free(chain->name);
}

static void clear_set(struct fw_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->elements[i].chain);
    free(set->elements);
    free(set->table);
    free(set->name);
}

void firewall_clear(struct firewall *firewall)
{
    for (size_t i = 0; i < firewall->chain_count; i++)
        clear_chain(&firewall->chains[i]);
    for (size_t i = 0; i < firewall->set_count; i++)
        clear_set(&firewall->sets[i]);
    free(firewall->chains);
    free(firewall->sets);
    *firewall = (struct firewall){0};
}

struct fw_chain *firewall_chain(const struct firewall *firewall, uint8_t family, const char *table, const char *name)
{
    for (size_t i = 0; name && i < firewall->chain_count; i++) {
        struct fw_chain *chain = &firewall->chains[i];
        if (chain->family == family && !strcmp(chain->name, name) && !strcmp(chain->table, table))
            return chain;
    }
    return NULL;
}

const struct fw_set *firewall_set(const struct firewall *firewall, uint8_t family, const char *table, const char *name)
{
    for (size_t i = 0; name && i < firewall->set_count; i++) {
        const struct fw_set *set = &firewall->sets[i];
        if (set->family == family && !strcmp(set->name, name) && !strcmp(set->table, table))
            return set;
    }
    return NULL;
}
