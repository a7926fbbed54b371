/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rule set as data. The agent describes what should be (struct ruleset_state); this module says which operations on
 * nf_tables lead there from what is (struct ruleset_batch), and how they read in nft(8)'s language. Pure: traffic/
 * carries the operations to the kernel, all of a batch in one transaction.
 *
 * What the table holds:
 *   published, published4, published6   port (of any, of one local address) -> goto app.APP; the live zones' ports
 *   app.APP                             goto the zone that is live; before it the rules of a canary and of preview
 *                                       clients, without them empty while nothing is live. With two zones and no canary
 *                                       each of these is two rules, one of which asks green.APP
 *   green.APP                           all protocols while green is live, else nothing: all that a switch changes.
 *                                       Another rule with a verdict would have the kernel walk through the chains of
 *                                       every app, and two elements of a set do not (1 000 apps: 1 ms against 0.1 ms)
 *   preview.APP                         goto the zone that is not live, while that has ports of its own; with two zones
 *                                       two rules in the same way
 *   zone.APP.COLOUR                     marks the connection with the zone's number and sends it to the zone's address
 *   ports.APP.COLOUR, ports4., ports6.  published port (of any, of one local address) -> port in the zone
 *   moves.APP.COLOUR, moves4., moves6.  published UDP ports whose steady flows follow a switch at once
 *   fences                              link of a zone that is fenced at some time -> goto fence.APP.COLOUR
 *   fenced                              links of the zones whose fence is closed: only these are looked up in fences.
 *                                       An element with a verdict would cost what is said above
 *   shares                              link of a zone -> goto share.APP.COLOUR
 *   answers                             link of a zone . TCP port in it -> published port
 *   fence.APP.COLOUR                    what the zone may reach; fenced.APP.COLOUR counts what it may not
 *   share.APP.COLOUR                    sends the zone to the host's own loopback
 *   takeover                            leaves alone what belongs to connections of the host's own processes, on the
 *                                       ports of held, held4, held6; empty and without them while there are none
 *   guard, leaving, shared, pre, out, in, forward, to-zone, from-zone, post   the fixed part
 * Names contain a dot where an app's name is part of them, so none can collide with a fixed one.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/address_plan.h"
#include "model/service.h"

#define RULESET_TABLE      "bluegreen"
#define RULESET_KEEPER     "bluegreen-keeper"
#define RULESET_SPARE      "bluegreen-spare"
#define RULESET_SHARES     100u  /* a canary's are percents */
#define RULESET_LINK_GROUP 4802u /* interface group of every zone's host link */

/* The connection mark. The low 16 bits are not ours and are preserved. */
#define RULESET_MARK_SHIFT 16
#define RULESET_MARK_ZONE  0x7fff0000u /* number of the zone that the connection was sent to */
#define RULESET_MARK_MOVES 0x80000000u /* UDP that follows a switch at once */

/* What a zone may reach beyond what is shared with it. */
struct ruleset_fence {
    bool there;               /* its configuration fences it at some time */
    bool closed;              /* now: only to these */
    struct reach_rule *allow; /* while it is open, those that will count when it closes; owned */
    size_t allow_count;
};

struct ruleset_zone {
    bool present; /* the zone exists in the kernel */
    uint16_t number;
    struct address service4, service6;
    struct port *ports; /* of the configuration it was staged with; owned */
    size_t port_count;
    size_t preview_count;        /* the last of them that are published only while `preview` */
    bool preview;                /* it is not live: preview ports and preview clients lead to it */
    struct prefix *preview_from; /* clients that come to it by the published ports while `preview`; owned */
    size_t preview_from_count;
    struct ruleset_fence fence;
    struct reach_rule *shares; /* one port of one protocol at the host's end of its cable each; owned */
    size_t share_count;
};

struct ruleset_app {
    char name[APP_NAME_MAX + 1];
    struct ruleset_zone zones[COLOURS];
    int live;               /* enum colour or -1; the zone that is live is present. Published: the live zone's ports */
    uint8_t canary_percent; /* 1..99: of the new connections go to the other zone, which is present; 0 = none do */
    bool canary_sticky;     /* by the client's address, instead of by connection */
};

/* A TCP port that is published while a process of the host's still has connections on it. */
struct ruleset_held {
    struct address listen; /* as it is published */
    uint16_t port;
    uint32_t connections; /* at the last look; the rule set does not depend on it */
};

struct ruleset_state {
    struct address_pools pools;
    struct ruleset_app *apps; /* owned; any order */
    size_t count;
    struct ruleset_held *held; /* owned; by port */
    size_t held_count;
};

void ruleset_state_clear(struct ruleset_state *state);
/* *to is overwritten, not freed. On failure (-ENOMEM) it is empty. */
int ruleset_state_copy(struct ruleset_state *to, const struct ruleset_state *from);
/* The held ports alone, to a state that has none. -ENOMEM. */
int ruleset_held_copy(struct ruleset_state *to, const struct ruleset_state *from);

/* "moves4." APP ".green": the longest name of a chain or set. */
#define RULESET_NAME_MAX (7 + APP_NAME_MAX + 6)

/* What a map or set is looked up by. */
enum ruleset_key {
    KEY_PORT,  /* protocol . port */
    KEY_PORT4, /* IPv4 destination . protocol . port */
    KEY_PORT6, /* IPv6 destination . protocol . port */
    PORT_KEYS,
    KEY_LINK = PORT_KEYS, /* name of the link that it came in by: a zone's */
    KEY_ANSWER,           /* that . source port */
    KEY_PROTOCOL,
    KEYS
};

enum ruleset_data { DATA_NONE, DATA_VERDICT, DATA_PORT };

/* One piece of a rule: a condition, a statement or a verdict. The comment names the member that it uses. */
enum rule_kind {
    RULE_END,           /* no more pieces */
    RULE_CT_STATE,      /* bits: one of these states (enum ct_state_bit) */
    RULE_CT_DNAT,       /* its destination was translated */
    RULE_IIF_ZONE,      /* came in from a zone's link */
    RULE_OIF_ZONE,      /* leaves through a zone's link */
    RULE_IIF_LOOPBACK,  /* came in from lo */
    RULE_OIF_ELSEWHERE, /* leaves through anything but lo */
    RULE_DADDR_IN,      /* prefix */
    RULE_DADDR_LOCAL,   /* destination is an address of the host */
    RULE_SADDR_LOCAL,   /* source is an address of the host */
    RULE_UDP,
    RULE_VMAP,      /* key, name: verdict by map */
    RULE_IN_SET,    /* key, name */
    RULE_MARK_ZONE, /* bits: zone number */
    RULE_MARK_MOVES,
    RULE_DNAT, /* address, key, name: to this address, port by map */
    RULE_MASQUERADE,
    RULE_MASQUERADE_RANDOM, /* with a source port of the kernel's choice */
    RULE_MASQUERADE_AS,     /* key, name: with the source port that the map has */
    RULE_COUNTER,
    RULE_ACCEPT,
    RULE_DROP,
    RULE_RETURN,
    RULE_JUMP,     /* name */
    RULE_GOTO,     /* name */
    RULE_SADDR_IN, /* prefix */
    RULE_RANDOM,   /* bits: of a hundred */
    RULE_HASH,     /* bits: of a hundred of the source addresses of KEY_PORT4's or KEY_PORT6's family, by seed */
    RULE_TCP,
    RULE_TCP_BEGIN,     /* the first packet of a connection */
    RULE_DPORT,         /* bits: first port << 16 | last port; behind a condition on the protocol */
    RULE_SPORT,         /* the same */
    RULE_COUNT,         /* name of the counter */
    RULE_REJECT,        /* answered: administratively prohibited */
    RULE_RESET,         /* the same for TCP */
    RULE_DNAT_LOOPBACK, /* to 127.0.0.1, port as it is */
    RULE_SNAT_LOOPBACK, /* from 127.0.0.1 */
    RULE_TCP_MIDDLE     /* TCP that does not begin a connection */
};

/* As nf_conntrack_common.h has them: NF_CT_STATE_BIT(). */
enum ct_state_bit { CT_INVALID = 1, CT_ESTABLISHED = 2, CT_RELATED = 4, CT_NEW = 8 };

struct rule_piece {
    enum rule_kind kind;
    uint32_t bits;
    uint32_t seed;
    enum ruleset_key key;
    struct address address;
    struct prefix prefix;
    char name[RULESET_NAME_MAX + 1];
};

struct ruleset_element {
    struct address address; /* KEY_PORT4 and KEY_PORT6 */
    enum protocol protocol;
    uint16_t port;
    uint16_t target;            /* DATA_PORT */
    char app[APP_NAME_MAX + 1]; /* DATA_VERDICT: goto app.APP */
    bool preview;               /* instead: goto preview.APP */
    uint16_t link;              /* KEY_LINK, KEY_ANSWER: number of the zone whose it is */
    const char *chain;          /* DATA_VERDICT, not NULL: goto CHAIN.APP.COLOUR */
    enum colour colour;
};

enum ruleset_hook { HOOK_NONE, HOOK_PREROUTING, HOOK_FORWARD, HOOK_OUTPUT, HOOK_POSTROUTING, HOOK_INPUT };

enum ruleset_op_kind {
    OP_REPLACE_TABLE, /* an empty table instead of the one there is, if any */
    OP_ADD_CHAIN,     /* hook, nat, priority */
    OP_ADD_SET,       /* key, data */
    OP_ADD_RULE,      /* at the end of the chain; first and count of batch->pieces */
    OP_ADD_ELEMENTS,  /* first and count of batch->elements */
    OP_DELETE_ELEMENTS,
    OP_FLUSH_CHAIN,
    OP_DELETE_CHAIN,
    OP_DELETE_SET, /* key, data */
    OP_ADD_COUNTER,
    OP_DELETE_COUNTER
};

struct ruleset_op {
    enum ruleset_op_kind kind;
    const char *table; /* RULESET_TABLE, RULESET_KEEPER or RULESET_SPARE */
    char name[RULESET_NAME_MAX + 1];
    enum ruleset_hook hook; /* HOOK_NONE: a chain that is only jumped to */
    bool nat;
    int priority;
    enum ruleset_key key;
    enum ruleset_data data;
    size_t first, count;
};

/* One transaction. Zero-initialise; ruleset_batch_reset keeps the memory for the next one. */
struct ruleset_batch {
    struct ruleset_op *ops;
    size_t count, capacity;
    struct rule_piece *pieces;
    size_t piece_count, piece_capacity;
    struct ruleset_element *elements;
    size_t element_count, element_capacity;
    bool failed; /* memory ran out: the batch is not complete */
};

void ruleset_batch_reset(struct ruleset_batch *batch);
void ruleset_batch_clear(struct ruleset_batch *batch); /* frees */

/*
 * Appends what leads from one state to the other; from NULL: the table is replaced whole. Nothing is appended where
 * nothing differs. Refuses a state that cannot be (-EINVAL, -EEXIST: two apps publish the same port), naming the app.
 * On failure the batch's content is undefined.
 */
int ruleset_diff(const struct ruleset_state *from, const struct ruleset_state *to, struct ruleset_batch *ops,
                 struct error *err);

/* Appends the keeper: a table that keeps NAT and connection tracking switched on for the established connections
 * when somebody removes the other one. */
int ruleset_keeper(struct ruleset_batch *ops, struct error *err);

/*
 * Appends a second table with the same content, whose translation comes after the first one's. Deleting a table and
 * making it again is one transaction and yet not without a gap: a packet may run the new chain just before it takes
 * effect, and the old one or its maps just after they have lost theirs (measured: some in 100 000 connections met it).
 * While the table is replaced, the spare one catches these.
 */
int ruleset_spare(const struct ruleset_state *state, struct ruleset_batch *ops, struct error *err);

/* The chain that a verdict leads to. */
const char *ruleset_element_chain(const struct ruleset_element *element, char name[RULESET_NAME_MAX + 1]);

/* As commands for nft -f. */
void ruleset_render(const struct ruleset_batch *ops, struct text *text);
void ruleset_render_op(const struct ruleset_batch *ops, const struct ruleset_op *op, struct text *text);
