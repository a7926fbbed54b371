/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rule sets of others, as far as it takes to say whether a packet can get through: chains, the pieces of their rules,
 * and their sets. Filled by nft_dump.c from the kernel or by a test; firewall_walk.c reads it.
 */
#pragma once

#include "base/error.h"
#include "model/types.h"

#include <net/if.h>

#define FW_REGISTER_BYTES 64  /* sixteen registers of 4 bytes */
#define FW_INFO_MAX       176 /* struct xt_conntrack_mtinfo3 has 164 */

enum fw_kind {
    FW_NEUTRAL,  /* neither a condition nor a verdict: counter, log */
    FW_UNKNOWN,  /* may or may not match, may load anything anywhere */
    FW_META,     /* load meta key */
    FW_CT,       /* load ct key */
    FW_PAYLOAD,  /* load length bytes at base, offset */
    FW_FIB,      /* load a route look-up: key is the result, base the flags */
    FW_LOAD,     /* load something that is not known here; may end the rule */
    FW_CONSTANT, /* load data */
    FW_BITWISE,  /* (source & data) ^ more */
    FW_COMPARE,  /* source, op NFT_CMP_..., data */
    FW_RANGE,    /* source, op NFT_RANGE_..., data to more */
    FW_LOOKUP,   /* source in set; inverted; or the verdict by map */
    FW_VERDICT,  /* verdict */
    FW_REJECT,   /* drops, whatever it answers */
    FW_PASS_ON,  /* leaves the rule set with the packet alive, or may: queue, fwd, translation */
    FW_XT_MATCH, /* name, revision, data: an iptables match */
    FW_XT_TARGET /* name */
};

enum fw_verdict { FW_ACCEPT, FW_DROP, FW_RETURN, FW_JUMP, FW_GOTO, FW_CONTINUE };

struct fw_expr {
    enum fw_kind kind;
    uint8_t source, destination; /* byte offsets into the registers; destination of a load */
    uint8_t length;              /* bytes of a load, of data and of more */
    uint8_t base;                /* payload; fib flags */
    uint32_t key, op, offset;
    bool inverted, by_verdict;
    enum fw_verdict verdict;
    uint32_t revision;
    char *name; /* owned; chain, set, match or target; NULL = none */
    uint8_t data[FW_INFO_MAX];
};

/* The second operand, behind the room of the first. */
static inline const uint8_t *fw_more(const struct fw_expr *expr)
{
    return expr->data + FW_REGISTER_BYTES;
}

struct fw_rule {
    struct fw_expr *exprs; /* owned */
    size_t count;
};

struct fw_element {
    uint8_t key[FW_REGISTER_BYTES];
    uint8_t length;
    bool opaque; /* has an upper end or conditions of its own: may match */
    bool end;    /* of an interval: this key is the first outside */
    enum fw_verdict verdict;
    char *chain; /* owned, NULL = none */
};

struct fw_set {
    uint8_t family;     /* NFPROTO_... */
    char *table, *name; /* owned */
    bool intervals;
    bool opaque;                 /* nothing is said about what is in it */
    struct fw_element *elements; /* owned; intervals: by key */
    size_t count;
};

struct fw_chain {
    uint8_t family;
    char *table, *name; /* owned */
    bool base;
    char type[16];
    uint32_t hook; /* NF_INET_... */
    int32_t priority;
    bool policy_drop;
    struct fw_rule *rules; /* owned */
    size_t count;
};

struct firewall {
    struct fw_chain *chains; /* owned */
    size_t chain_count;
    struct fw_set *sets; /* owned */
    size_t set_count;
};

void firewall_clear(struct firewall *firewall);
/* Linear; NULL if there is none. */
struct fw_chain *firewall_chain(const struct firewall *firewall, uint8_t family, const char *table, const char *name);
const struct fw_set *firewall_set(const struct firewall *firewall, uint8_t family, const char *table, const char *name);
