/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Would the host's own firewall let through what zones begin by themselves? A host that forwards nothing but answers,
 * as ufw and Docker have it, serves its clients well and keeps the apps from their mail server and their database.
 * Apart from firewall.c because it is no reason to refuse a deploy, and its lines open another way.
 */
#include "traffic/traffic.h"

#include "base/cleanup.h"
#include "traffic/firewall_host.h"
#include "traffic/internal.h"
#include "traffic/nft_dump.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>

struct outward {
    struct firewall firewall;
    struct fw_links outside, zones;
    bool has4, has6;
    const struct address_pools *pools;
};

/* share NULL: to an address that stands for all others, as it belongs to nobody (RFC 5737, RFC 3849). */
static bool dropped(const struct outward *outward, const struct fw_chain *chain, const struct prefix *pool,
                    const struct share_port *share)
{
    static const struct address elsewhere4 = {4, {192, 0, 2, 254}}, loopback = {4, {127, 0, 0, 1}},
                                elsewhere6 = {6, {0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, [15] = 1}};
    bool six = pool->address.family == 6;
    const struct fw_packet packet = {.reply = true,
                                     .begins = true,
                                     .to = share ? loopback
                                           : six ? elsewhere6
                                                 : elsewhere4,
                                     .translated = share,
                                     .routed = !share,
                                     .protocol = share ? share->protocol : PROTOCOL_TCP,
                                     .port = share ? share->port : 0,
                                     .pool = *pool,
                                     .outside = outward->outside,
                                     .zones = outward->zones};
    struct fw_fate fate;
    if ((chain->family == NFPROTO_IPV4 && six) || (chain->family == NFPROTO_IPV6 && !six) ||
        !(six ? outward->has6 || share : outward->has4 || share))
        return false;
    firewall_walk(&outward->firewall, chain, &packet, &fate);
    return fate.dropped;
}

/* --- the lines that mend it ------------------------------------------------------------------------ */

static void mend_iptables(struct text *text, const struct fw_chain *chain, enum fw_maker maker, const char *pool,
                          const struct share_port *share)
{
    const char *name = maker == MADE_BY_DOCKER ? "DOCKER-USER" : chain->name;
    char command[48];
    bool usual = strcmp(chain->table, "filter") == 0;
    snprintf(command, sizeof command, "%s%s%.24s -I", chain->family == NFPROTO_IPV6 ? "ip6tables" : "iptables",
             usual ? "" : " -t ", usual ? "" : chain->table);
    if (share)
        text_addf(text, "\n    %s %s -s %s -p %s --dport %u -j ACCEPT", command, name, pool,
                  protocol_name((enum protocol)share->protocol), share->port);
    else
        text_addf(text, "\n    %s %s -s %s -j ACCEPT\n    %s %s -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
                  command, name, pool, command, name);
}

static void mend_ufw(struct text *text, const char *pool, const struct share_port *share)
{
    if (share)
        text_addf(text, "\n    ufw allow proto %s from %s to 127.0.0.1 port %u",
                  protocol_name((enum protocol)share->protocol), pool, share->port);
    else
        text_addf(text, "\n    ufw route allow from %s", pool);
}

static void mend_nft(struct text *text, const struct fw_chain *chain, const char *pool, bool six,
                     const struct share_port *share)
{
    text_addf(text, "\n    nft insert rule %s %s %s %s saddr %s ", firewall_family_name(chain->family), chain->table,
              chain->name, six ? "ip6" : "ip", pool);
    if (share)
        text_addf(text, "%s dport %u ", protocol_name((enum protocol)share->protocol), share->port);
    text_add(text, "accept");
}

static void begin_firewalld(struct text *text, const struct share_port *share)
{
    static const char command[] = "\n    firewall-cmd --permanent";
    const char *policy = share ? "bluegreen-share" : "bluegreen-out";
    text_addf(text, "%s --new-policy %s", command, policy);
    text_addf(text, "%s --policy %s --add-ingress-zone ANY", command, policy);
    text_addf(text, "%s --policy %s --add-egress-zone %s", command, policy, share ? "HOST" : "ANY");
}

static void mend_firewalld(struct text *text, const char *pool, bool six, const struct share_port *share)
{
    text_addf(text, "\n    firewall-cmd --permanent --policy %s --add-rich-rule 'rule family=%s source address=%s",
              share ? "bluegreen-share" : "bluegreen-out", six ? "ipv6" : "ipv4", pool);
    if (share)
        text_addf(text, " port port=%u protocol=%s", share->port, protocol_name((enum protocol)share->protocol));
    text_add(text, " accept'");
}

static void mend(struct text *text, const struct outward *outward, const struct fw_chain *chain, bool six,
                 const struct share_port *share)
{
    enum fw_maker maker = firewall_maker(&outward->firewall, chain);
    char pool[ADDRESS_TEXT_MAX + 4];
    prefix_format(six ? &outward->pools->ipv6 : &outward->pools->ipv4, pool);
    if (maker == MADE_BY_UFW)
        mend_ufw(text, pool, share);
    else if (maker == MADE_BY_FIREWALLD)
        mend_firewalld(text, pool, six, share);
    else if (maker == MADE_BY_SOMEBODY)
        mend_nft(text, chain, pool, six, share);
    else
        mend_iptables(text, chain, maker, pool, share);
}

/* What holds for both families. */
static void end(struct text *text, const struct outward *outward, const struct fw_chain *chain,
                const struct share_port *share)
{
    enum fw_maker maker = firewall_maker(&outward->firewall, chain);
    if (maker == MADE_BY_FIREWALLD)
        text_add(text, "\n    firewall-cmd --reload");
    else if (maker == MADE_BY_SOMEBODY && !share)
        text_addf(text, "\n    nft insert rule %s %s %s ct state established,related accept",
                  firewall_family_name(chain->family), chain->table, chain->name);
}

/* --- looking ----------------------------------------------------------------------------------------- */

static void describe(struct text *text, const struct outward *outward, const struct fw_chain *chain,
                     const struct share_port *share)
{
    firewall_name_chain(text, &outward->firewall, chain);
    if (share)
        text_addf(text, " drops what zones send to port %u/%s of the host, which [share] gives them", share->port,
                  protocol_name((enum protocol)share->protocol));
    else
        text_add(text, " drops what zones begin by themselves: apps reach no other host, unless a rule names it");
    text_add(text, ". To let them through:");
    if (firewall_maker(&outward->firewall, chain) == MADE_BY_FIREWALLD)
        begin_firewalld(text, share);
}

static int inspect_chain(const struct outward *outward, const struct fw_chain *chain, const struct share_port *share,
                         struct words *findings)
{
    CLEANUP_TEXT struct text text = {0};
    bool four = dropped(outward, chain, &outward->pools->ipv4, share);
    bool six = !share && dropped(outward, chain, &outward->pools->ipv6, share); /* what is shared is IPv4 only */
    if (!four && !six)
        return 0;
    describe(&text, outward, chain, share);
    if (four)
        mend(&text, outward, chain, false, share);
    if (six)
        mend(&text, outward, chain, true, share);
    end(&text, outward, chain, share);
    return text.failed ? -ENOMEM : words_add(findings, text.data);
}

static int inspect(const struct outward *outward, bool elsewhere, const struct share_port shares[], size_t count,
                   struct words *findings)
{
    int status = 0;
    for (size_t i = 0; i < outward->firewall.chain_count && !status; i++) {
        const struct fw_chain *chain = &outward->firewall.chains[i];
        if (!chain->base || strcmp(chain->type, "filter"))
            continue;
        if (chain->hook == NF_INET_FORWARD && elsewhere)
            status = inspect_chain(outward, chain, NULL, findings);
        for (size_t j = 0; chain->hook == NF_INET_LOCAL_IN && j < count && !status; j++)
            status = inspect_chain(outward, chain, &shares[j], findings);
    }
    return status;
}

int firewall_inspect_outward(struct traffic *traffic, const struct address_pools *pools, bool elsewhere,
                             const struct share_port shares[], size_t count, struct words *findings, struct error *err)
{
    struct outward outward = {.pools = pools};
    int status = firewall_links(&outward.outside, &outward.zones) ?: firewall_families(&outward.has4, &outward.has6);
    if (status)
        return error_errno(err, -status, "list the host's interfaces");
    status = nft_dump(traffic->nft, &outward.firewall, err);
    if (!status && (status = inspect(&outward, elsewhere, shares, count, findings)) < 0)
        error_errno(err, -status, "describe what the host's firewall does");
    firewall_clear(&outward.firewall);
    return status;
}
