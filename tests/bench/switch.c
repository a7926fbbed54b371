/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A switch in the agent (traffic_take: comparing the states, building, sending, reading the replies) against the
 * least that the kernel takes for the same change: one netlink batch written by hand that adds two elements to a set,
 * or deletes them, on a socket with the same settings, in a table with the same content. Beside it what the same switch
 * takes as a rule that is replaced, whose verdict has the kernel walk through the chains of every app. In turn, so that
 * all see the same machine. Then the same with apps that have a preview, and with apps whose standby is fenced: more
 * moves with these, and it must not cost more than one or two elements.
 */
#include "figure.h"
#include "traffic/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS      500
#define FLOOR_TABLE "bluegreen-floor"

static void die(const char *what, const struct error *err)
{
    fprintf(stderr, "switch: %s: %s\n", what, err ? err->text : strerror(errno));
    exit(1);
}

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* --- the floor ------------------------------------------------------------------------------------ */

struct bare {
    int fd;
    uint32_t sequence;
    size_t length;
    unsigned char batch[2048] __attribute__((aligned(4)));
    struct nlmsghdr *message;
};

static void bare_message(struct bare *bare, uint16_t type, uint16_t flags, uint8_t family, uint16_t resource)
{
    bare->message = (struct nlmsghdr *)(void *)(bare->batch + bare->length);
    *bare->message = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg)),
                                       .nlmsg_type = type,
                                       .nlmsg_flags = NLM_F_REQUEST | flags,
                                       .nlmsg_seq = ++bare->sequence};
    struct nfgenmsg header = {.nfgen_family = family, .res_id = htons(resource)};
    memcpy(NLMSG_DATA(bare->message), &header, sizeof header);
    bare->length += bare->message->nlmsg_len;
}

static struct nlattr *bare_attribute(struct bare *bare, uint16_t type, const void *data, size_t size)
{
    struct nlattr *attribute = (struct nlattr *)(void *)(bare->batch + bare->length);
    *attribute = (struct nlattr){.nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = type};
    memset(attribute + 1, 0, NLA_ALIGN(size));
    if (data)
        memcpy(attribute + 1, data, size);
    bare->length += NLA_ALIGN(attribute->nla_len);
    bare->message->nlmsg_len += NLA_ALIGN(attribute->nla_len);
    return attribute;
}

static struct nlattr *bare_nest(struct bare *bare, uint16_t type)
{
    return bare_attribute(bare, type | NLA_F_NESTED, NULL, 0);
}

static void bare_close(struct bare *bare, struct nlattr *nest)
{
    nest->nla_len = (uint16_t)(bare->batch + bare->length - (unsigned char *)nest);
}

static void bare_rule(struct bare *bare, const char *zone_chain)
{
    uint32_t reg = htonl(NFT_REG_VERDICT), code = htonl((uint32_t)NFT_GOTO);
    struct nlattr *exprs = bare_nest(bare, NFTA_RULE_EXPRESSIONS), *expr = bare_nest(bare, NFTA_LIST_ELEM);
    bare_attribute(bare, NFTA_EXPR_NAME, "immediate", sizeof "immediate");
    struct nlattr *immediate = bare_nest(bare, NFTA_EXPR_DATA);
    bare_attribute(bare, NFTA_IMMEDIATE_DREG, &reg, sizeof reg);
    struct nlattr *data = bare_nest(bare, NFTA_IMMEDIATE_DATA), *verdict = bare_nest(bare, NFTA_DATA_VERDICT);
    bare_attribute(bare, NFTA_VERDICT_CODE, &code, sizeof code);
    bare_attribute(bare, NFTA_VERDICT_CHAIN, zone_chain, strlen(zone_chain) + 1);
    struct nlattr *open[] = {verdict, data, immediate, expr, exprs};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        bare_close(bare, open[i]);
}

static void bare_begin(struct bare *bare)
{
    bare->length = 0;
    bare_message(bare, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
}

static void bare_commit(struct bare *bare)
{
    unsigned char reply[4096] __attribute__((aligned(4)));
    bare_message(bare, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    if (send(bare->fd, bare->batch, bare->length, 0) < 0)
        die("send the bare batch", NULL);
    if (recv(bare->fd, reply, sizeof reply, 0) < 0)
        die("receive the bare batch's reply", NULL);
    const struct nlmsgerr *answer = NLMSG_DATA((struct nlmsghdr *)(void *)reply);
    if ((errno = -answer->error))
        die("the bare batch", NULL);
}

static void bare_switch(struct bare *bare, bool green)
{
    static const char table[] = FLOOR_TABLE, set[] = "green.a0001";
    static const uint8_t protocols[] = {PROTOCOL_TCP, PROTOCOL_UDP};
    bare_begin(bare);
    bare_message(bare, NFNL_SUBSYS_NFTABLES << 8 | (green ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM),
                 NLM_F_ACK | (green ? NLM_F_CREATE : 0), NFPROTO_INET, 0);
    bare_attribute(bare, NFTA_SET_ELEM_LIST_TABLE, table, sizeof table);
    bare_attribute(bare, NFTA_SET_ELEM_LIST_SET, set, sizeof set);
    struct nlattr *list = bare_nest(bare, NFTA_SET_ELEM_LIST_ELEMENTS);
    for (size_t i = 0; i < sizeof protocols; i++) {
        struct nlattr *element = bare_nest(bare, NFTA_LIST_ELEM), *key = bare_nest(bare, NFTA_SET_ELEM_KEY);
        bare_attribute(bare, NFTA_DATA_VALUE, &protocols[i], sizeof protocols[i]);
        bare_close(bare, key);
        bare_close(bare, element);
    }
    bare_close(bare, list);
    bare_commit(bare);
}

/* The same switch as a rule with a verdict, in a chain of its own beside the others. */
static void bare_rule_switch(struct bare *bare, bool green)
{
    static const char table[] = FLOOR_TABLE, chain[] = "app.a0002";
    bare_begin(bare);
    bare_message(bare, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELRULE, 0, NFPROTO_INET, 0);
    bare_attribute(bare, NFTA_RULE_TABLE, table, sizeof table);
    bare_attribute(bare, NFTA_RULE_CHAIN, chain, sizeof chain);
    bare_message(bare, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK,
                 NFPROTO_INET, 0);
    bare_attribute(bare, NFTA_RULE_TABLE, table, sizeof table);
    bare_attribute(bare, NFTA_RULE_CHAIN, chain, sizeof chain);
    bare_rule(bare, green ? "zone.a0002.green" : "zone.a0002.blue");
    bare_commit(bare);
}

/* The same table under another name. */
static void make_floor(struct bare *bare, const struct ruleset_state *state)
{
    struct ruleset_batch ops = {0};
    struct nft_batch messages = {0};
    struct nft_tables tables = {0};
    struct nft_failure failure;
    struct nft *nft;
    struct error err = {0};
    uint32_t generation;
    if (nft_open(&nft, &err) || ruleset_diff(NULL, state, &ops, &err) || nft_generation(nft, &generation, &err))
        die("make the floor's table", &err);
    for (size_t i = 0; i < ops.count; i++)
        ops.ops[i].table = FLOOR_TABLE;
    nft_batch_begin(nft, &messages);
    nft_build(&ops, &tables, &messages);
    nft_batch_end(&messages);
    errno = -nft_commit(nft, &messages, generation, &failure, NULL);
    if (errno)
        die("make the floor's table", NULL);
    ruleset_batch_clear(&ops);
    nft_batch_clear(&messages);
    bare->fd = nft_fd(nft); /* lives as long as the program, with the agent's settings */
    bare->sequence = 1u << 20;
}

static void remove_floor(struct bare *bare)
{
    unsigned char reply[4096];
    bare->length = 0;
    bare_message(bare, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    bare_message(bare, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, NLM_F_ACK, NFPROTO_INET, 0);
    bare_attribute(bare, NFTA_TABLE_NAME, FLOOR_TABLE, sizeof FLOOR_TABLE);
    bare_message(bare, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    if (send(bare->fd, bare->batch, bare->length, 0) < 0 || recv(bare->fd, reply, sizeof reply, 0) < 0)
        die("remove the floor's table", NULL);
    close(bare->fd);
}

/* --- the measurement ------------------------------------------------------------------------------ */

enum kind { PLAIN, PREVIEW, FENCED };

/* The zone that is not live is previewed, on the last of its ports and by its clients; or it is fenced. */
static void set_kind(struct ruleset_app *app, enum kind kind)
{
    static struct prefix client = {.address = {4, {198, 51, 100, 0}}, .length = 24};
    for (enum colour colour = BLUE; colour < COLOURS; colour++) {
        struct ruleset_zone *zone = &app->zones[colour];
        zone->preview = kind == PREVIEW && app->live != (int)colour;
        zone->preview_count = kind == PREVIEW;
        zone->preview_from = kind == PREVIEW ? &client : NULL;
        zone->preview_from_count = kind == PREVIEW;
        zone->fence.there = kind == FENCED;
        zone->fence.closed = kind == FENCED && app->live != (int)colour;
    }
}

static void fill(struct ruleset_state *state, uint16_t apps, uint16_t ports, enum kind kind)
{
    prefix_parse("10.128.0.0/9", &state->pools.ipv4);
    prefix_parse("fd00:b9::/48", &state->pools.ipv6);
    state->apps = calloc(apps, sizeof *state->apps);
    for (uint16_t i = 0; i < apps; i++) {
        struct ruleset_app *app = &state->apps[state->count++];
        snprintf(app->name, sizeof app->name, "a%04u", i + 1u);
        app->live = BLUE;
        for (enum colour colour = BLUE; colour < COLOURS; colour++) {
            struct ruleset_zone *zone = &app->zones[colour];
            struct zone_addresses addresses;
            zone->present = true;
            zone->number = zone_number(i, colour);
            address_plan(&state->pools, zone->number, &addresses, NULL);
            zone->service4 = addresses.service4;
            zone->service6 = addresses.service6;
            zone->ports = calloc(ports, sizeof *zone->ports);
            zone->port_count = ports;
            for (uint16_t j = 0; j < ports; j++)
                zone->ports[j] = (struct port){
                    .published = (uint16_t)(1000 + i * ports + j), .target = 8080, .protocol = PROTOCOL_TCP};
        }
        set_kind(app, kind);
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(uint16_t apps, uint16_t ports, enum kind kind)
{
    static const char *const kinds[] = {"", " and a preview", " and a fenced standby"};
    static double agent[ROUNDS], kernel[ROUNDS], floor[ROUNDS], rule[ROUNDS];
    struct ruleset_state state = {0};
    struct bare bare = {0};
    struct traffic *traffic;
    struct transaction transaction;
    struct error err = {0};
    fill(&state, apps, ports, kind);
    if (traffic_open(&traffic, &err) || traffic_apply(traffic, &state, &transaction, &err))
        die("the agent's table", &err);
    make_floor(&bare, &state);
    /* The first rounds fill caches. The floor moves the generation on, as another program would: that the agent would
     * have to ask for it again is not what is measured. */
    for (int i = -100; i < ROUNDS; i++) {
        state.apps[0].live = (int)colour_other((enum colour)state.apps[0].live);
        set_kind(&state.apps[0], kind);
        traffic->generation = 0;
        nft_generation(traffic->nft, &traffic->generation, NULL);
        struct ruleset_state wanted;
        if (ruleset_state_copy(&wanted, &state))
            die("describe the rule set", NULL);
        double begun = now_us();
        if (traffic_take(traffic, &wanted, &transaction, &err))
            die("switch", &err);
        double between = now_us();
        bare_switch(&bare, state.apps[0].live == GREEN);
        double ended = now_us();
        bare_rule_switch(&bare, state.apps[0].live == GREEN);
        if (i >= 0) {
            agent[i] = between - begun;
            kernel[i] = transaction.microseconds;
            floor[i] = ended - between;
            rule[i] = now_us() - ended;
        }
    }
    qsort(agent, ROUNDS, sizeof *agent, compare);
    qsort(kernel, ROUNDS, sizeof *kernel, compare);
    qsort(floor, ROUNDS, sizeof *floor, compare);
    qsort(rule, ROUNDS, sizeof *rule, compare);
    printf("switch: agent %.1f/%.1f/%.1f us, of these the kernel %.0f/%.0f us, floor %.1f/%.1f/%.1f us, as a rule "
           "%.1f/%.1f us, ratio %.2f "
           "(min/median/max of %d; %u apps, %u ports each%s)\n",
           agent[0], agent[ROUNDS / 2], agent[ROUNDS - 1], kernel[0], kernel[ROUNDS / 2], floor[0], floor[ROUNDS / 2],
           floor[ROUNDS - 1], rule[0], rule[ROUNDS / 2], agent[ROUNDS / 2] / floor[ROUNDS / 2], ROUNDS, apps, ports,
           kinds[kind]);
    fflush(stdout);
    char metric[96];
    snprintf(metric, sizeof metric, "us, %u apps with %u ports%s", apps, ports, kinds[kind]);
    figure("A switch", metric, "bluegreen", agent[ROUNDS / 2]);
    figure("A switch", metric, "floor: one bare message", floor[ROUNDS / 2]);
    figure("A switch", metric, "replacing a rule", rule[ROUNDS / 2]);
    remove_floor(&bare);
    traffic_remove(traffic, NULL);
    traffic_close(traffic);
    for (size_t i = 0; i < state.count; i++)
        set_kind(&state.apps[i], PLAIN); /* the client is nobody's to free */
    ruleset_state_clear(&state);
}

int main(void)
{
    /* Nothing of the machine's own is touched, wherever this is run. */
    if (unshare(CLONE_NEWNET) < 0)
        die("make a network namespace (needs root)", NULL);
    measure(2, 3, PLAIN);
    measure(2, 64, PLAIN);
    measure(100, 3, PLAIN);
    for (enum kind kind = PLAIN; kind <= FENCED; kind++)
        measure(1000, 3, kind);
    return 0;
}
