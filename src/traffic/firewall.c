/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Would the host's own firewall let the clients of a zone through? Our accept never overrides somebody else's drop,
 * and our probes of a zone do not pass the forward hook, so nothing but a look at the rules notices. A finding names
 * the chain and the line
 * that mends it, in the words of whatever made the chain.
 */
#include "traffic/traffic.h"

#include "base/cleanup.h"
#include "traffic/firewall_walk.h"
#include "traffic/internal.h"
#include "traffic/nft_dump.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DNAT_PRIORITY (-100) /* of our own chain, model/ruleset_build.c */

/* What chains say "drop" to; bits of a set. */
enum { NEW_TCP = 1, NEW_UDP = 2, REPLIES = 4 };

struct inspection {
    struct firewall firewall;
    struct fw_links outside, zones;
    bool has4, has6; /* the host has an address that clients outside could use */
    bool udp;        /* some zone publishes UDP */
    const struct address_pools *pools;
};

/* --- the host's interfaces ---------------------------------------------------------------------- */

static void add_link(struct fw_links *links, const char *name, uint32_t index)
{
    for (size_t i = 0; i < links->count; i++)
        if (!strcmp(links->names[i], name))
            return;
    if (links->count == FW_LINKS_MAX || !index)
        return;
    /* Padded with zeros as the kernel's registers are. */
    strncpy(links->names[links->count], name, IF_NAMESIZE - 1);
    links->indexes[links->count++] = index;
}

/* Lines of a routing table in /proc: is this one the default route, and through what? */
static bool default_route4(char *line, char name[IF_NAMESIZE])
{
    unsigned destination, mask;
    return sscanf(line, "%15s %x %*x %*x %*d %*d %*d %x", name, &destination, &mask) == 3 && !destination && !mask;
}

static bool default_route6(char *line, char name[IF_NAMESIZE])
{
    char destination[33];
    unsigned length;
    return sscanf(line, "%32s %x %*s %*x %*s %*x %*x %*x %*x %15s", destination, &length, name) == 3 && !length &&
           strspn(destination, "0") == 32;
}

static void add_default_routes(struct fw_links *links, const char *path,
                               bool (*parse)(char *line, char name[IF_NAMESIZE]))
{
    CLEANUP_FILE FILE *file = fopen(path, "re");
    char line[256], name[IF_NAMESIZE] = "";
    while (file && fgets(line, sizeof line, file))
        if (parse(line, name) && strcmp(name, "lo"))
            add_link(links, name, if_nametoindex(name));
}

/* "bg" and a number, see zone/link. */
static bool is_zone_link(const char *name)
{
    return !strncmp(name, "bg", 2) && name[2] && strspn(name + 2, "0123456789") == strlen(name + 2);
}

/* Clients come through the default routes; a host without any may be reached through whatever it has. */
static int find_links(struct inspection *inspection)
{
    struct if_nameindex *links = if_nameindex();
    if (!links)
        return -errno;
    add_default_routes(&inspection->outside, "/proc/self/net/route", default_route4);
    add_default_routes(&inspection->outside, "/proc/self/net/ipv6_route", default_route6);
    bool unknown = !inspection->outside.count;
    for (struct if_nameindex *link = links; link->if_index; link++)
        if (is_zone_link(link->if_name))
            add_link(&inspection->zones, link->if_name, link->if_index);
        else if (unknown && strcmp(link->if_name, "lo"))
            add_link(&inspection->outside, link->if_name, link->if_index);
    if_freenameindex(links);
    /* Before the first zone: the names begin like this, whatever their numbers; 0 is no interface's index. */
    if (!inspection->zones.count) {
        add_link(&inspection->zones, "bg0", UINT32_MAX);
        add_link(&inspection->zones, "bg9999999999", UINT32_MAX - 1);
    }
    return 0;
}

static int find_addresses(struct inspection *inspection)
{
    struct ifaddrs *addresses;
    if (getifaddrs(&addresses) < 0)
        return -errno;
    for (const struct ifaddrs *address = addresses; address; address = address->ifa_next) {
        if (!address->ifa_addr || !strcmp(address->ifa_name, "lo") || is_zone_link(address->ifa_name))
            continue;
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address->ifa_addr;
        if (address->ifa_addr->sa_family == AF_INET)
            inspection->has4 = true;
        if (address->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr))
            inspection->has6 = true;
    }
    freeifaddrs(addresses);
    return 0;
}

static bool publishes_udp(const struct ruleset_state *state)
{
    for (size_t i = 0; i < state->count; i++)
        for (int colour = 0; colour < COLOURS; colour++)
            for (size_t j = 0; j < state->apps[i].zones[colour].port_count; j++)
                if (state->apps[i].zones[colour].ports[j].protocol == PROTOCOL_UDP)
                    return true;
    return false;
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

static bool dropped(const struct inspection *inspection, const struct fw_chain *chain, const struct prefix *pool,
                    unsigned what, struct fw_fate *fate)
{
    struct fw_packet packet = {.reply = what == REPLIES,
                               .translated = translated(chain),
                               .routed = chain->hook != NF_INET_PRE_ROUTING,
                               .protocol = what == NEW_UDP ? PROTOCOL_UDP : PROTOCOL_TCP,
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

/* The set of what this chain surely drops, for one family. */
static unsigned losses(const struct inspection *inspection, const struct fw_chain *chain, const struct prefix *pool,
                       struct fw_fate *fate)
{
    bool six = pool->address.family == 6;
    unsigned lost = 0;
    if ((chain->family == NFPROTO_IPV4 && six) || (chain->family == NFPROTO_IPV6 && !six) ||
        !(six ? inspection->has6 : inspection->has4))
        return 0;
    if (dropped(inspection, chain, pool, REPLIES, fate))
        lost |= REPLIES;
    if (inspection->udp && dropped(inspection, chain, pool, NEW_UDP, fate))
        lost |= NEW_UDP;
    if (dropped(inspection, chain, pool, NEW_TCP, fate))
        lost |= NEW_TCP;
    return lost;
}

/* --- words ------------------------------------------------------------------------------------------- */

static const char *family_name(uint8_t family)
{
    return family == NFPROTO_IPV4 ? "ip" : family == NFPROTO_IPV6 ? "ip6" : "inet";
}

static const char *hook_place_name(uint32_t hook)
{
    return hook == NF_INET_FORWARD ? "forward" : hook == NF_INET_PRE_ROUTING ? "prerouting" : "postrouting";
}

enum maker { MADE_BY_UFW, MADE_BY_DOCKER, MADE_BY_FIREWALLD, MADE_BY_IPTABLES, MADE_BY_SOMEBODY };

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
static enum maker maker_of(const struct firewall *firewall, const struct fw_chain *chain)
{
    bool classic = chain->family != NFPROTO_INET;
    if (!strcmp(chain->table, "firewalld"))
        return MADE_BY_FIREWALLD;
    if (classic && chain->hook == NF_INET_FORWARD &&
        (has_chain(firewall, chain, "ufw-") || has_chain(firewall, chain, "ufw6-")))
        return MADE_BY_UFW;
    if (classic && chain->hook == NF_INET_FORWARD && has_chain(firewall, chain, "DOCKER-USER"))
        return MADE_BY_DOCKER;
    if (classic &&
        (!strcmp(chain->name, "FORWARD") || !strcmp(chain->name, "PREROUTING") || !strcmp(chain->name, "POSTROUTING")))
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
        text_addf(text, "\n    %s %s-I %s -p %s --dport PORT -j ACCEPT    (for each published port)", command, table,
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
    const char *family = family_name(chain->family), *port = lost & NEW_TCP ? "tcp" : "udp";
    if (lost & (NEW_TCP | NEW_UDP) && translated(chain))
        text_addf(text, "\n    nft insert rule %s %s %s ct status dnat accept", family, chain->table, chain->name);
    else if (lost & (NEW_TCP | NEW_UDP))
        text_addf(text, "\n    nft insert rule %s %s %s %s dport PORT accept    (for each published port)", family,
                  chain->table, chain->name, port);
    text_addf(text, "\n    nft insert rule %s %s %s ct state established,related accept", family, chain->table,
              chain->name);
}

/* For one family. */
static void mend_classic(struct text *text, enum maker maker, const struct fw_chain *chain, const struct prefix *pool,
                         unsigned lost)
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
    enum maker maker = maker_of(&inspection->firewall, chain);
    if (maker == MADE_BY_FIREWALLD)
        mend_firewalld(text, inspection->pools, lost4, lost6);
    else if (maker == MADE_BY_SOMEBODY)
        mend_nft(text, chain, lost4 | lost6);
    else if (lost4)
        mend_classic(text, maker, chain, &inspection->pools->ipv4, lost4);
    else
        mend_classic(text, maker, chain, &inspection->pools->ipv6, lost6);
}

static void describe(struct text *text, const struct inspection *inspection, const struct fw_chain *chain,
                     unsigned lost, const struct fw_fate *fate)
{
    static const char *const makers[] = {"ufw", "Docker", "firewalld", "iptables", NULL};
    const char *maker = makers[maker_of(&inspection->firewall, chain)];
    text_addf(text, "table %s %s, chain %s (hook %s, priority %d", family_name(chain->family), chain->table,
              chain->name, hook_place_name(chain->hook), chain->priority);
    text_addf(text, maker ? ", made by %s) drops " : ")%s drops ", maker ? maker : "");
    text_add(text, lost & NEW_TCP
                       ? lost & NEW_UDP ? "new TCP and UDP flows to the zones" : "new TCP connections to the zones"
                   : lost & NEW_UDP ? "new UDP flows to the zones"
                                    : "");
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
    struct fw_fate fate;
    unsigned lost4 = losses(inspection, chain, &inspection->pools->ipv4, &fate);
    unsigned lost6 = losses(inspection, chain, &inspection->pools->ipv6, &fate);
    if (!lost4 && !lost6)
        return 0;
    describe(&text, inspection, chain, lost4 | lost6, &fate);
    mend(&text, inspection, chain, lost4, lost6);
    return text.failed ? -ENOMEM : words_add(findings, text.data);
}

int firewall_inspect(struct traffic *traffic, const struct address_pools *pools, struct words *findings,
                     struct error *err)
{
    struct inspection inspection = {.pools = pools, .udp = publishes_udp(&traffic->state)};
    int status = find_links(&inspection) ?: find_addresses(&inspection);
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
