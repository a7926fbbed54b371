/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Would the host's own firewall let the clients of a zone through? Our accept never overrides somebody else's drop,
 * and our probes of a zone do not pass the forward hook, so nothing but a look at the rules notices. A finding names
 * the chain and the line
 * that mends it, in the words of whatever made the chain.
 */
#include "traffic/traffic.h"

#include "base/cleanup.h"
#include "traffic/firewall_host.h"
#include "traffic/firewall_walk.h"
#include "traffic/internal.h"
#include "traffic/nft_dump.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DNAT_PRIORITY (-100) /* of our own chain, model/ruleset_build.c */

/* What chains say "drop" to; bits of a set. */
enum { NEW_TCP = 1, NEW_UDP = 2, REPLIES = 4 };

/* What is published. */
struct way {
    uint8_t protocol;
    uint16_t published, target; /* 0: not known */
};

/* Each is walked through every chain. */
#define WAYS_MAX 64

struct inspection {
    struct firewall firewall;
    struct fw_links outside, zones;
    bool has4, has6; /* the host has an address that clients outside could use */
    struct way ways[WAYS_MAX];
    size_t way_count;
    const struct address_pools *pools;
};

/* --- what is published ------------------------------------------------------------------------------- */

static bool has_way(const struct inspection *inspection, const struct way *way)
{
    for (size_t i = 0; i < inspection->way_count; i++) {
        const struct way *other = &inspection->ways[i];
        if (other->protocol == way->protocol && other->published == way->published && other->target == way->target)
            return true;
    }
    return false;
}

/* The ends of a range stand for what is between them. */
static bool add_ways(struct inspection *inspection, const struct port *port)
{
    unsigned last = port_span(port) - 1;
    for (unsigned at = 0; at <= last; at += last ? last : 1) {
        const struct way way = {(uint8_t)port->protocol, (uint16_t)(port->published + at),
                                (uint16_t)(port->target + at)};
        if (has_way(inspection, &way))
            continue;
        if (inspection->way_count == WAYS_MAX)
            return false;
        inspection->ways[inspection->way_count++] = way;
    }
    return true;
}

/* Without any port, and where there are too many, whatever port it is: less is found then, never too much. */
static void add_any_port(struct inspection *inspection, const struct port ports[], size_t count)
{
    bool udp = false;
    for (size_t i = 0; i < count; i++)
        udp |= ports[i].protocol == PROTOCOL_UDP;
    inspection->ways[0] = (struct way){.protocol = PROTOCOL_TCP};
    inspection->ways[1] = (struct way){.protocol = PROTOCOL_UDP};
    inspection->way_count = udp ? 2 : 1;
}

static void find_ways(struct inspection *inspection, const struct port ports[], size_t count)
{
    bool room = true;
    for (size_t i = 0; i < count && room; i++)
        room = add_ways(inspection, &ports[i]);
    if (!room || !count)
        add_any_port(inspection, ports, count);
}

/* --- what a chain does ----------------------------------------------------------------------------- */

static bool on_the_way(const struct fw_chain *chain)
{
    return chain->base && !strcmp(chain->type, "filter") &&
           (chain->hook == NF_INET_PRE_ROUTING || chain->hook == NF_INET_FORWARD ||
            chain->hook == NF_INET_POST_ROUTING);
}

static bool translated(const struct fw_chain *chain)
{
    return chain->hook != NF_INET_PRE_ROUTING || chain->priority > DNAT_PRIORITY;
}

/* way NULL: an answer. */
static bool dropped(const struct inspection *inspection, const struct fw_chain *chain, const struct prefix *pool,
                    const struct way *way, struct fw_fate *fate)
{
    struct fw_packet packet = {.reply = !way,
                               .translated = translated(chain),
                               .routed = chain->hook != NF_INET_PRE_ROUTING,
                               .protocol = way ? way->protocol : PROTOCOL_TCP,
                               .port = !way                ? 0
                                       : translated(chain) ? way->target
                                                           : way->published,
                               .pool = *pool,
                               .outside = inspection->outside,
                               .zones = inspection->zones};
    struct fw_fate now;
    /* That a connection was translated holds for its replies from the first hook on. */
    packet.translated |= packet.reply;
    firewall_walk(&inspection->firewall, chain, &packet, &now);
    if (now.dropped)
        *fate = now;
    return now.dropped;
}

/* What a chain surely drops, for one family. */
struct loss {
    unsigned what;
    const struct way *one; /* of the ways; NULL: all of them */
    struct fw_fate fate;
};

static unsigned new_flow(const struct way *way)
{
    return way->protocol == PROTOCOL_UDP ? NEW_UDP : NEW_TCP;
}

/* Those that may be lost in this way. */
static size_t count_ways(const struct inspection *inspection, unsigned what)
{
    size_t count = 0;
    for (size_t i = 0; i < inspection->way_count; i++)
        count += (new_flow(&inspection->ways[i]) & what) != 0;
    return count;
}

static struct loss losses(const struct inspection *inspection, const struct fw_chain *chain, const struct prefix *pool)
{
    bool six = pool->address.family == 6;
    struct loss loss = {0};
    size_t count = 0;
    if ((chain->family == NFPROTO_IPV4 && six) || (chain->family == NFPROTO_IPV6 && !six) ||
        !(six ? inspection->has6 : inspection->has4))
        return loss;
    if (dropped(inspection, chain, pool, NULL, &loss.fate))
        loss.what |= REPLIES;
    for (size_t i = inspection->way_count; i-- > 0;)
        if (dropped(inspection, chain, pool, &inspection->ways[i], &loss.fate)) {
            loss.what |= new_flow(&inspection->ways[i]);
            loss.one = &inspection->ways[i];
            count++;
        }
    if (count == count_ways(inspection, loss.what))
        loss.one = NULL;
    return loss;
}

/* --- words ------------------------------------------------------------------------------------------- */

const char *firewall_family_name(uint8_t family)
{
    return family == NFPROTO_IPV4 ? "ip" : family == NFPROTO_IPV6 ? "ip6" : "inet";
}

static const char *hook_place_name(uint32_t hook)
{
    return hook == NF_INET_FORWARD       ? "forward"
           : hook == NF_INET_PRE_ROUTING ? "prerouting"
           : hook == NF_INET_LOCAL_IN    ? "input"
                                         : "postrouting";
}

static bool has_chain(const struct firewall *firewall, const struct fw_chain *in, const char *prefix)
{
    for (size_t i = 0; i < firewall->chain_count; i++) {
        const struct fw_chain *chain = &firewall->chains[i];
        if (chain->family == in->family && !strcmp(chain->table, in->table) &&
            !strncmp(chain->name, prefix, strlen(prefix)))
            return true;
    }
    return false;
}

/* ufw before Docker: what it is told survives a reboot. */
enum fw_maker firewall_maker(const struct firewall *firewall, const struct fw_chain *chain)
{
    bool classic = chain->family != NFPROTO_INET;
    if (!strcmp(chain->table, "firewalld"))
        return MADE_BY_FIREWALLD;
    if (classic && (chain->hook == NF_INET_FORWARD || chain->hook == NF_INET_LOCAL_IN) &&
        (has_chain(firewall, chain, "ufw-") || has_chain(firewall, chain, "ufw6-")))
        return MADE_BY_UFW;
    if (classic && chain->hook == NF_INET_FORWARD && has_chain(firewall, chain, "DOCKER-USER"))
        return MADE_BY_DOCKER;
    if (classic && (!strcmp(chain->name, "FORWARD") || !strcmp(chain->name, "PREROUTING") ||
                    !strcmp(chain->name, "POSTROUTING") || !strcmp(chain->name, "INPUT")))
        return MADE_BY_IPTABLES;
    return MADE_BY_SOMEBODY;
}

static void mend_ufw(struct text *text, const char *pool, bool six, unsigned lost)
{
    if (lost & NEW_TCP)
        text_addf(text, "\n    ufw route allow proto tcp to %s", pool);
    if (lost & NEW_UDP)
        text_addf(text, "\n    ufw route allow proto udp to %s", pool);
    if (lost & REPLIES)
        text_addf(text, "\n    %s -I FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
                  six ? "ip6tables" : "iptables");
}

static void mend_iptables(struct text *text, const struct fw_chain *chain, const char *name, bool six, unsigned lost)
{
    const char *command = six ? "ip6tables" : "iptables", *port = lost & NEW_TCP ? "tcp" : "udp";
    char table[32] = "";
    if (strcmp(chain->table, "filter"))
        snprintf(table, sizeof table, "-t %.24s ", chain->table);
    if (lost & (NEW_TCP | NEW_UDP) && translated(chain))
        text_addf(text, "\n    %s %s-I %s -m conntrack --ctstate DNAT -j ACCEPT", command, table, name);
    else if (lost & (NEW_TCP | NEW_UDP))
        text_addf(text, "\n    %s %s-I %s -p %s --dport PORT -j ACCEPT    # for each published port", command, table,
                  name, port);
    text_addf(text, "\n    %s %s-I %s -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT", command, table, name);
}

/* Only what goes to the zones' addresses, which nobody outside can name: our own table sees to that. */
static void mend_firewalld(struct text *text, const struct address_pools *pools, unsigned lost4, unsigned lost6)
{
    static const char command[] = "\n    firewall-cmd --permanent";
    char prefix[ADDRESS_TEXT_MAX + 4];
    text_addf(text, "%s --new-policy bluegreen", command);
    text_addf(text, "%s --policy bluegreen --add-ingress-zone ANY", command);
    text_addf(text, "%s --policy bluegreen --add-egress-zone ANY", command);
    if (lost4)
        text_addf(text, "%s --policy bluegreen --add-rich-rule 'rule family=ipv4 destination address=%s accept'",
                  command, prefix_format(&pools->ipv4, prefix));
    if (lost6)
        text_addf(text, "%s --policy bluegreen --add-rich-rule 'rule family=ipv6 destination address=%s accept'",
                  command, prefix_format(&pools->ipv6, prefix));
    text_add(text, "\n    firewall-cmd --reload");
}

static void mend_nft(struct text *text, const struct fw_chain *chain, unsigned lost)
{
    const char *family = firewall_family_name(chain->family), *port = lost & NEW_TCP ? "tcp" : "udp";
    if (lost & (NEW_TCP | NEW_UDP) && translated(chain))
        text_addf(text, "\n    nft insert rule %s %s %s ct status dnat accept", family, chain->table, chain->name);
    else if (lost & (NEW_TCP | NEW_UDP))
        text_addf(text, "\n    nft insert rule %s %s %s %s dport PORT accept    # for each published port", family,
                  chain->table, chain->name, port);
    text_addf(text, "\n    nft insert rule %s %s %s ct state established,related accept", family, chain->table,
              chain->name);
}

/* For one family. */
static void mend_classic(struct text *text, enum fw_maker maker, const struct fw_chain *chain,
                         const struct prefix *pool, unsigned lost)
{
    char prefix[ADDRESS_TEXT_MAX + 4];
    bool six = pool->address.family == 6;
    if (maker == MADE_BY_UFW)
        mend_ufw(text, prefix_format(pool, prefix), six, lost);
    else
        mend_iptables(text, chain, maker == MADE_BY_DOCKER ? "DOCKER-USER" : chain->name, six, lost);
}

static void mend(struct text *text, const struct inspection *inspection, const struct fw_chain *chain, unsigned lost4,
                 unsigned lost6)
{
    enum fw_maker maker = firewall_maker(&inspection->firewall, chain);
    if (maker == MADE_BY_FIREWALLD)
        mend_firewalld(text, inspection->pools, lost4, lost6);
    else if (maker == MADE_BY_SOMEBODY)
        mend_nft(text, chain, lost4 | lost6);
    else if (lost4)
        mend_classic(text, maker, chain, &inspection->pools->ipv4, lost4);
    else
        mend_classic(text, maker, chain, &inspection->pools->ipv6, lost6);
}

void firewall_name_chain(struct text *text, const struct firewall *firewall, const struct fw_chain *chain)
{
    static const char *const makers[] = {"ufw", "Docker", "firewalld", "iptables", NULL};
    const char *maker = makers[firewall_maker(firewall, chain)];
    text_addf(text, "table %s %s, chain %s (hook %s, priority %d%s%s)", firewall_family_name(chain->family),
              chain->table, chain->name, hook_place_name(chain->hook), chain->priority, maker ? ", made by " : "",
              maker ? maker : "");
}

static void describe(struct text *text, const struct inspection *inspection, const struct fw_chain *chain,
                     unsigned lost, const struct loss *loss)
{
    const struct fw_fate *fate = &loss->fate;
    firewall_name_chain(text, &inspection->firewall, chain);
    text_add(text, " drops ");
    text_add(text, lost & NEW_TCP
                       ? lost & NEW_UDP ? "new TCP and UDP flows to the zones" : "new TCP connections to the zones"
                   : lost & NEW_UDP ? "new UDP flows to the zones"
                                    : "");
    if (loss->one)
        text_addf(text, " by port %u%s", translated(chain) ? loss->one->target : loss->one->published,
                  translated(chain) ? " in the zone" : "");
    if (lost & REPLIES)
        text_addf(text, "%sthe zones' answers", lost & (NEW_TCP | NEW_UDP) ? " and " : "");
    if (fate->by_policy)
        text_add(text, ": its policy is drop and no rule accepts them");
    else
        text_addf(text, ": chain %s drops them", fate->chain ? fate->chain : chain->name);
    text_add(text, ". To let them through:");
}

static int inspect_chain(const struct inspection *inspection, const struct fw_chain *chain, struct words *findings)
{
    CLEANUP_TEXT struct text text = {0};
    struct loss four = losses(inspection, chain, &inspection->pools->ipv4);
    struct loss six = losses(inspection, chain, &inspection->pools->ipv6);
    if (!four.what && !six.what)
        return 0;
    describe(&text, inspection, chain, four.what | six.what, four.what ? &four : &six);
    mend(&text, inspection, chain, four.what, six.what);
    return text.failed ? -ENOMEM : words_add(findings, text.data);
}

int firewall_inspect(struct traffic *traffic, const struct address_pools *pools, const struct port ports[],
                     size_t count, struct words *findings, struct error *err)
{
    struct inspection inspection = {.pools = pools};
    find_ways(&inspection, ports, count);
    int status =
        firewall_links(&inspection.outside, &inspection.zones) ?: firewall_families(&inspection.has4, &inspection.has6);
    if (status)
        return error_errno(err, -status, "list the host's interfaces");
    status = nft_dump(traffic->nft, &inspection.firewall, err);
    for (size_t i = 0; i < inspection.firewall.chain_count && !status; i++)
        if (on_the_way(&inspection.firewall.chains[i])) {
            status = inspect_chain(&inspection, &inspection.firewall.chains[i], findings);
            if (status)
                error_errno(err, -status, "describe what the host's firewall does");
        }
    firewall_clear(&inspection.firewall);
    return status;
}

int firewall_mend(struct traffic *traffic, const struct address_pools *pools, const struct firewall_place *place,
                  struct text *lines, struct error *err)
{
    struct inspection inspection = {.pools = pools};
    unsigned lost = place->answer ? REPLIES : NEW_TCP;
    int status = nft_dump(traffic->nft, &inspection.firewall, err);
    const struct fw_chain *chain =
        status ? NULL : firewall_chain(&inspection.firewall, place->family, place->table, place->chain);
    if (chain)
        mend(lines, &inspection, chain, place->packet == 4 ? lost : 0, place->packet == 6 ? lost : 0);
    firewall_clear(&inspection.firewall);
    return status;
}
