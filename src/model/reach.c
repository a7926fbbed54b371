/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a zone may reach. */
#include "model/reach.h"

static bool rule_equal(const struct reach_rule *a, const struct reach_rule *b)
{
    return address_equal(&a->to.address, &b->to.address) && a->to.length == b->to.length &&
           a->protocol == b->protocol && a->first == b->first && a->last == b->last;
}

bool reach_equal(const struct reach_rule a[], size_t a_count, const struct reach_rule b[], size_t b_count)
{
    bool same = a_count == b_count;
    for (size_t i = 0; i < a_count && same; i++)
        same = rule_equal(&a[i], &b[i]);
    return same;
}

bool reach_allows(const struct reach_rule rules[], size_t count, const struct address *to, uint8_t protocol,
                  uint16_t port)
{
    for (size_t i = 0; i < count; i++) {
        const struct reach_rule *rule = &rules[i];
        if ((!rule->protocol || rule->protocol == protocol) &&
            (!rule->first || (port >= rule->first && port <= rule->last)) && prefix_contains(&rule->to, to))
            return true;
    }
    return false;
}
