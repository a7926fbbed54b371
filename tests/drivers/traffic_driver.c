/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The traffic module by hand: commands on stdin, one a line, each answered by one line "ok ..." or "error ..." (render
 * and inspect print more lines before it). Arguments are separated by blanks.
 *
 *   open | open-unowned | close          take the tables, leave them
 *   pools IPV4 IPV6
 *   zone APP COLOUR NUMBER IPV4 IPV6     the zone exists
 *   gone APP COLOUR | forget APP         it does not; nor does the app
 *   port APP COLOUR SPEC...              as in the configuration: 80 -> 8080/tcp
 *   live APP COLOUR|none
 *   canary APP PERCENT sticky|random
 *   preview APP COLOUR|none
 *   preview-port APP COLOUR SPEC...      as port, for the preview; the last ones of the zone
 *   from APP COLOUR PREFIX               a client of the preview
 *   fence APP COLOUR open|closed
 *   allow | share APP COLOUR DESTINATION...  what the fence lets through; the host's loopback by this way
 *   render                               what the next apply of everything would be, for nft -f
 *   apply                                "ok MICROSECONDS BEFORE AFTER"
 *   switch APP COUNT MILLISECONDS        COUNT switches of APP, so far apart; "ok LONGEST SHORTEST" in microseconds
 *   replace COUNT MILLISECONDS           COUNT replacements of the whole table, each by a new socket
 *   repair | remove | owned | watch
 *   release NUMBER | release-ports APP COLOUR | count-udp NUMBER
 *   sockets COUNT|DESTROY NETNS APP COLOUR
 *   inspect
 *   compare                                    what of the table is not as it should be
 *   flood BYTES                          shrinks the netlink socket's receive buffer and fills it with unread replies
 */
#include "base/cleanup.h"
#include "model/grammar.h"
#include "traffic/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct traffic *traffic;
static struct ruleset_state state;
static bool owning = true;

static struct ruleset_app *app_of(const char *name)
{
    for (size_t i = 0; i < state.count; i++)
        if (!strcmp(state.apps[i].name, name))
            return &state.apps[i];
    state.apps = reallocarray(state.apps, state.count + 1, sizeof *state.apps);
    if (!state.apps)
        abort();
    struct ruleset_app *app = &state.apps[state.count++];
    *app = (struct ruleset_app){.live = -1};
    text_copy(app->name, sizeof app->name, name);
    return app;
}

static struct ruleset_zone *zone_of(const char *name, const char *colour)
{
    enum colour index = BLUE;
    colour_parse(colour, &index);
    return &app_of(name)->zones[index];
}

static void command_zone(char **words)
{
    struct ruleset_zone *zone = zone_of(words[1], words[2]);
    zone->present = true;
    zone->number = (uint16_t)atoi(words[3]);
    address_parse(words[4], &zone->service4);
    address_parse(words[5], &zone->service6);
}

static int command_port(char **words, const char *spec, struct error *err)
{
    struct ruleset_zone *zone = zone_of(words[1], words[2]);
    struct port port = {0};
    int status = grammar_port(spec, &port, err);
    if (status)
        return status;
    zone->ports = reallocarray(zone->ports, zone->port_count + 1, sizeof *zone->ports);
    if (!zone->ports)
        abort();
    zone->ports[zone->port_count++] = port;
    return 0;
}

static void command_preview(char **words)
{
    for (int colour = 0; colour < COLOURS; colour++)
        app_of(words[1])->zones[colour].preview = !strcmp(words[2], colour_name((enum colour)colour));
}

static int command_preview_port(char **words, const char *spec, struct error *err)
{
    int status = command_port(words, spec, err);
    if (!status)
        zone_of(words[1], words[2])->preview_count++;
    return status;
}

static void command_from(char **words)
{
    struct ruleset_zone *zone = zone_of(words[1], words[2]);
    zone->preview_from = reallocarray(zone->preview_from, zone->preview_from_count + 1, sizeof *zone->preview_from);
    if (!zone->preview_from)
        abort();
    prefix_parse(words[3], &zone->preview_from[zone->preview_from_count++]);
}

/* allow or share: more of them. */
static int command_reach(char **words, const char *spec, struct error *err)
{
    struct ruleset_zone *zone = zone_of(words[1], words[2]);
    bool share = !strcmp(words[0], "share");
    struct reach_rule **rules = share ? &zone->shares : &zone->fence.allow;
    size_t *count = share ? &zone->share_count : &zone->fence.allow_count, more = 0;
    struct reach_rule parsed[REACH_RULES_MAX];
    int status = grammar_reach(spec, parsed, &more, err);
    if (status)
        return status;
    *rules = reallocarray(*rules, *count + more, sizeof **rules);
    if (!*rules)
        abort();
    memcpy(*rules + *count, parsed, more * sizeof **rules);
    *count += more;
    return 0;
}

static void command_fence(char **words)
{
    struct ruleset_fence *fence = &zone_of(words[1], words[2])->fence;
    fence->there = true;
    fence->closed = !strcmp(words[3], "closed");
}

static void command_canary(char **words)
{
    struct ruleset_app *app = app_of(words[1]);
    app->canary_percent = (uint8_t)atoi(words[2]);
    app->canary_sticky = !strcmp(words[3], "sticky");
}

static void command_gone(char **words)
{
    struct ruleset_zone *zone = zone_of(words[1], words[2]);
    free(zone->ports);
    free(zone->fence.allow);
    free(zone->shares);
    *zone = (struct ruleset_zone){0};
}

static void command_forget(const char *name)
{
    struct ruleset_app *app = app_of(name);
    for (int colour = 0; colour < COLOURS; colour++)
        free(app->zones[colour].ports);
    *app = state.apps[--state.count];
}

static int command_render(struct error *err)
{
    CLEANUP_TEXT struct text text = {0};
    struct ruleset_batch batch = {0};
    int status = ruleset_diff(NULL, &state, &batch, err);
    if (!status) {
        ruleset_render(&batch, &text);
        fputs(text.data, stdout);
    }
    ruleset_batch_clear(&batch);
    return status;
}

static int command_apply(struct error *err)
{
    struct transaction transaction;
    int status = traffic_apply(traffic, &state, &transaction, err);
    if (!status)
        printf("ok %u %u %u\n", transaction.microseconds, transaction.generation_before, transaction.generation_after);
    return status ?: 1;
}

static int command_switch(char **words, struct error *err)
{
    struct ruleset_app *app = app_of(words[1]);
    uint32_t longest = 0, shortest = UINT32_MAX;
    for (int i = atoi(words[2]); i > 0; i--) {
        struct transaction transaction;
        app->live = (int)colour_other((enum colour)app->live);
        int status = traffic_apply(traffic, &state, &transaction, err);
        if (status)
            return status;
        longest = transaction.microseconds > longest ? transaction.microseconds : longest;
        shortest = transaction.microseconds < shortest ? transaction.microseconds : shortest;
        poll(NULL, 0, atoi(words[3]));
    }
    printf("ok %u %u\n", longest, shortest);
    return 1;
}

static int command_replace(char **words, struct error *err)
{
    for (int i = atoi(words[1]); i > 0; i--) {
        struct transaction transaction;
        traffic_close(traffic);
        traffic = NULL;
        int status = traffic_open_as(&traffic, owning, err) ?: traffic_apply(traffic, &state, &transaction, err);
        if (status)
            return status;
        poll(NULL, 0, atoi(words[2]));
    }
    return 0;
}

/* A sock_diag socket of the named network namespace. */
static int diag_in(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/run/netns/%s", name);
    CLEANUP_FD int there = open(path, O_RDONLY | O_CLOEXEC), home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (there < 0 || setns(there, CLONE_NEWNET) < 0)
        return -1;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (setns(home, CLONE_NEWNET) < 0)
        abort();
    return fd;
}

static int command_sockets(char **words, struct error *err)
{
    CLEANUP_FD int fd = diag_in(words[2]);
    struct ruleset_zone *zone = zone_of(words[3], words[4]);
    uint32_t count;
    int status = !strcmp(words[1], "count") ? sockets_count(fd, zone->ports, zone->port_count, &count, err)
                                            : sockets_destroy(fd, zone->ports, zone->port_count, &count, err);
    if (!status)
        printf("ok %u\n", count);
    return status ?: 1;
}

static int command_count_udp(char **words, struct error *err)
{
    uint32_t count;
    int status = traffic_count_udp(traffic, (uint16_t)atoi(words[1]), &count, err);
    if (!status)
        printf("ok %u\n", count);
    return status ?: 1;
}

static int command_compare(struct error *err)
{
    CLEANUP_WORDS struct words differences = {0};
    struct traffic *view;
    int status = traffic_view(traffic, &view, err);
    if (status)
        return status;
    status = traffic_compare(view, &differences, err);
    traffic_close(view);
    for (size_t i = 0; i < differences.count; i++)
        printf("%s\n", differences.items[i]);
    if (!status)
        printf("ok %zu\n", differences.count);
    return status ?: 1;
}

static int command_inspect(struct error *err)
{
    CLEANUP_WORDS struct words findings = {0};
    struct port ports[64];
    size_t count = 0;
    for (size_t i = 0; i < state.count; i++)
        for (int colour = 0; colour < COLOURS; colour++)
            for (size_t j = 0; j < state.apps[i].zones[colour].port_count && count < 64; j++)
                ports[count++] = state.apps[i].zones[colour].ports[j];
    int status = firewall_inspect(traffic, &state.pools, ports, count, &findings, err);
    for (size_t i = 0; i < findings.count; i++)
        printf("%s\n", findings.items[i]);
    if (!status)
        printf("ok %zu\n", findings.count);
    return status ?: 1;
}

static int command_flood(char **words)
{
    int size = atoi(words[1]);
    if (setsockopt(nft_fd(traffic->nft), SOL_SOCKET, SO_RCVBUF, &size, sizeof size) < 0)
        return -errno;
    for (int i = 0; i < 20; i++) {
        struct nl_msg *request = nft_message(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN, 0, AF_UNSPEC);
        struct nlmsghdr *header = nlmsg_hdr(request);
        ssize_t sent = send(nft_fd(traffic->nft), header, header->nlmsg_len, 0);
        nlmsg_free(request);
        if (sent < 0)
            return -errno;
    }
    return 0;
}

static int command_watch(void)
{
    struct pollfd waiting = {.fd = traffic_watch_fd(traffic), .events = POLLIN};
    printf("ok %d\n", poll(&waiting, 1, 0));
    return 1;
}

static int command_repair(struct error *err)
{
    int status = traffic_repair(traffic, err);
    if (status >= 0)
        printf("ok %d\n", status);
    return status < 0 ? status : 1;
}

static int command_open(bool may_own, struct error *err)
{
    owning = may_own;
    return traffic_open_as(&traffic, may_own, err);
}

static void command_close(void)
{
    traffic_close(traffic);
    traffic = NULL;
}

/* 0: say ok; 1: has answered; negative: error. */
static int run_on_traffic(char **words, struct error *err)
{
    const char *command = words[0];
    if (!strcmp(command, "apply"))
        return command_apply(err);
    if (!strcmp(command, "switch"))
        return command_switch(words, err);
    if (!strcmp(command, "replace"))
        return command_replace(words, err);
    if (!strcmp(command, "repair"))
        return command_repair(err);
    if (!strcmp(command, "remove"))
        return traffic_remove(traffic, err);
    if (!strcmp(command, "owned"))
        return printf("ok %d\n", traffic_owned(traffic)) > 0;
    if (!strcmp(command, "watch"))
        return command_watch();
    if (!strcmp(command, "release"))
        return traffic_release_flows(traffic, (uint16_t)atoi(words[1]), err);
    if (!strcmp(command, "release-ports"))
        return traffic_release_udp_ports(traffic, zone_of(words[1], words[2])->ports,
                                         zone_of(words[1], words[2])->port_count, err);
    if (!strcmp(command, "count-udp"))
        return command_count_udp(words, err);
    if (!strcmp(command, "compare"))
        return command_compare(err);
    if (!strcmp(command, "inspect"))
        return command_inspect(err);
    if (!strcmp(command, "flood"))
        return command_flood(words);
    return error_set(err, EINVAL, "unknown command %s", command);
}

static int run(char **words, const char *line, struct error *err)
{
    const char *command = words[0];
    if (!strcmp(command, "open") || !strcmp(command, "open-unowned"))
        return command_open(!strcmp(command, "open"), err);
    if (!strcmp(command, "render"))
        return command_render(err);
    if (!strcmp(command, "sockets"))
        return command_sockets(words, err);
    if (!strcmp(command, "preview-port"))
        return command_preview_port(words, line, err);
    if (!strcmp(command, "port"))
        return command_port(words, line, err);
    if (!strcmp(command, "allow") || !strcmp(command, "share"))
        return command_reach(words, line, err);
    if (!strcmp(command, "close"))
        command_close();
    else if (!strcmp(command, "fence"))
        command_fence(words);
    else if (!strcmp(command, "pools"))
        return prefix_parse(words[1], &state.pools.ipv4) && prefix_parse(words[2], &state.pools.ipv6) ? 0 : -EINVAL;
    else if (!strcmp(command, "zone"))
        command_zone(words);
    else if (!strcmp(command, "gone"))
        command_gone(words);
    else if (!strcmp(command, "forget"))
        command_forget(words[1]);
    else if (!strcmp(command, "canary"))
        command_canary(words);
    else if (!strcmp(command, "preview"))
        command_preview(words);
    else if (!strcmp(command, "from"))
        command_from(words);
    else if (!strcmp(command, "live"))
        app_of(words[1])->live = strcmp(words[2], "none") ? !strcmp(words[2], "green") : -1;
    else
        return run_on_traffic(words, err);
    return 0;
}

int main(void)
{
    char line[512];
    setvbuf(stdout, NULL, _IOLBF, 0);
    prefix_parse("10.201.0.0/16", &state.pools.ipv4);
    prefix_parse("fd00:b9::/48", &state.pools.ipv6);
    while (fgets(line, sizeof line, stdin)) {
        static char empty[] = "";
        char copy[sizeof line], *words[8], *rest = copy;
        size_t count = 0;
        line[strcspn(line, "\n")] = '\0';
        memcpy(copy, line, sizeof copy);
        for (char *word; count < 7 && (word = strtok_r(NULL, " ", &rest));)
            words[count++] = word;
        if (!count)
            continue;
        /* What port is given begins at its fourth word. */
        const char *spec = count > 3 ? line + (words[3] - copy) : "";
        while (count < 8)
            words[count++] = empty;
        struct error err = {0};
        int status = run(words, spec, &err);
        if (status == 0)
            printf("ok\n");
        else if (status < 0)
            printf("error %d %s\n", status, err.text);
    }
    traffic_close(traffic);
    ruleset_state_clear(&state);
    return 0;
}
