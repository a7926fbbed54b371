/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address plan: arithmetic on pools. */
#include "model/address_plan.h"

#include <errno.h>
#include <stdio.h>

enum {
    ADDRESSES_PER_ZONE_BITS = 2, /* four each */
    HOST_OFFSET = 1,
    SERVICE_OFFSET = 2,
    EGRESS_OFFSET = 3,
};

void link_name(uint16_t number, char name[LINK_NAME_MAX + 1])
{
    snprintf(name, LINK_NAME_MAX + 1, "bg%u", number);
}

static unsigned address_bits(const struct address *address)
{
    return address->family == 4 ? 32 : 128;
}

/* Zones that fit in one pool, at most ZONE_NUMBER_MAX. */
static uint16_t prefix_capacity(const struct prefix *pool)
{
    unsigned bits = address_bits(&pool->address);
    unsigned host_bits = pool->length < bits ? bits - pool->length : 0;
    if (host_bits < ADDRESSES_PER_ZONE_BITS)
        return 0;
    unsigned zone_bits = host_bits - ADDRESSES_PER_ZONE_BITS;
    return zone_bits >= 15 ? ZONE_NUMBER_MAX : (uint16_t)(1u << zone_bits); /* 2^15 = ZONE_NUMBER_MAX + 1 */
}

uint16_t address_plan_capacity(const struct address_pools *pools)
{
    uint16_t ipv4 = prefix_capacity(&pools->ipv4), ipv6 = prefix_capacity(&pools->ipv6);
    return ipv4 < ipv6 ? ipv4 : ipv6;
}

/* The pool's address number `offset`: an addition with carry on the address as a big-endian number. */
static struct address prefix_at(const struct prefix *pool, uint32_t offset)
{
    struct address address = pool->address;
    uint64_t carry = offset;
    for (unsigned i = address_bits(&address) / 8; i-- > 0 && carry > 0;) {
        carry += address.bytes[i];
        address.bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
    return address;
}

static int pool_check(const struct prefix *pool, unsigned family, unsigned shortest, unsigned longest,
                      struct error *err)
{
    if (pool->address.family != family)
        return error_set(err, EINVAL, "the IPv%u pool is not an IPv%u prefix", family, family);
    if (pool->length < shortest || pool->length > longest)
        return error_set(err, EINVAL, "the IPv%u pool has a prefix length of %u: it must be %u to %u", family,
                         pool->length, shortest, longest);
    return 0;
}

int address_plan(const struct address_pools *pools, uint16_t number, struct zone_addresses *addresses,
                 struct error *err)
{
    int result = pool_check(&pools->ipv4, 4, 8, 28, err);
    if (result == 0)
        result = pool_check(&pools->ipv6, 6, 16, 120, err);
    if (result < 0)
        return result;
    uint16_t capacity = address_plan_capacity(pools);
    if (number == 0 || number > capacity) {
        char ipv4[ADDRESS_TEXT_MAX + 4], ipv6[ADDRESS_TEXT_MAX + 4];
        return error_set(err, ERANGE,
                         "zone number %u is outside 1 to %u, which is what the pools %s and %s have room for; "
                         "remove apps or widen [network] ipv4 and ipv6",
                         number, capacity, prefix_format(&pools->ipv4, ipv4), prefix_format(&pools->ipv6, ipv6));
    }
    uint32_t base = (uint32_t)(number - 1) << ADDRESSES_PER_ZONE_BITS;
    *addresses = (struct zone_addresses){
        .host4 = prefix_at(&pools->ipv4, base + HOST_OFFSET),
        .service4 = prefix_at(&pools->ipv4, base + SERVICE_OFFSET),
        .egress4 = prefix_at(&pools->ipv4, base + EGRESS_OFFSET),
        .host6 = prefix_at(&pools->ipv6, base + HOST_OFFSET),
        .service6 = prefix_at(&pools->ipv6, base + SERVICE_OFFSET),
        .egress6 = prefix_at(&pools->ipv6, base + EGRESS_OFFSET),
    };
    return 0;
}
