/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's own file, bluegreen.conf. */
#include "conf/conf.h"

#include "base/cleanup.h"
#include "conf/file.h"
#include "conf/ini.h"
#include "conf/keys.h"
#include "os/log.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

void agent_conf_default(struct agent_conf *conf)
{
    *conf = (struct agent_conf){.instance = "bluegreen", .group = "bluegreen", .log_level = LOG_LEVEL_INFO};
    prefix_parse("10.201.0.0/16", &conf->pools.ipv4);
    prefix_parse("fd00:b9::/48", &conf->pools.ipv6);
}

static int set_instance(void *target, const char *value, struct error *err)
{
    struct agent_conf *conf = target;
    if (!app_name_valid(value))
        return error_set(err, EINVAL,
                         "\"%.60s\" is not an instance's name: a small letter, then small letters, "
                         "digits and '-', at most %d",
                         value, INSTANCE_NAME_MAX);
    text_copy(conf->instance, sizeof conf->instance, value);
    return 0;
}

static int set_group(void *target, const char *value, struct error *err)
{
    struct agent_conf *conf = target;
    return key_account(value, conf->group, sizeof conf->group, err);
}

static int set_log_level(void *target, const char *value, struct error *err)
{
    static const struct {
        const char *name;
        enum log_level level;
    } levels[] = {{"error", LOG_LEVEL_ERROR},
                  {"warning", LOG_LEVEL_WARNING},
                  {"notice", LOG_LEVEL_NOTICE},
                  {"info", LOG_LEVEL_INFO},
                  {"debug", LOG_LEVEL_DEBUG}};
    struct agent_conf *conf = target;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (strcmp(value, levels[i].name) == 0) {
            conf->log_level = levels[i].level;
            return 0;
        }
    }
    return error_set(err, EINVAL, "\"%.60s\" is not one of error, warning, notice, info, debug", value);
}

/* Networks that every host has other uses for. */
static int check_pool(const struct prefix *pool, struct error *err)
{
    static const char *const taken[] = {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3",
                                        "::/96",     "fe80::/10",   "ff00::/8",       "::ffff:0:0/96"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        struct prefix prefix;
        if (prefix_parse(taken[i], &prefix) && prefix_overlaps(&prefix, pool))
            return error_set(err, EINVAL, "overlaps %s, which has another meaning; take a private network", taken[i]);
    }
    return 0;
}

static int set_pool(const char *value, int family, unsigned shortest, unsigned longest, struct prefix *pool,
                    struct error *err)
{
    struct prefix parsed;
    if (!prefix_parse(value, &parsed) || parsed.address.family != family)
        return error_set(err, EINVAL, "\"%.60s\" is not an IPv%d network without host bits, as in %s", value, family,
                         family == 4 ? "10.201.0.0/16" : "fd00:b9::/48");
    if (parsed.length < shortest || parsed.length > longest)
        return error_set(err, ERANGE, "/%u is out of range; a pool is /%u to /%u", parsed.length, shortest, longest);
    int result = check_pool(&parsed, err);
    if (result == 0)
        *pool = parsed;
    return result;
}

static int set_ipv4(void *target, const char *value, struct error *err)
{
    struct agent_conf *conf = target;
    return set_pool(value, 4, 8, 28, &conf->pools.ipv4, err);
}

static int set_ipv6(void *target, const char *value, struct error *err)
{
    struct agent_conf *conf = target;
    return set_pool(value, 6, 16, 120, &conf->pools.ipv6, err);
}

static const struct key_rule rules[] = {
    {"agent", "instance", set_instance, NULL},
    {"agent", "group", set_group, NULL},
    {"agent", "log_level", set_log_level, NULL},
    {"network", "ipv4", set_ipv4, NULL},
    {"network", "ipv6", set_ipv6, NULL},
    {"firewall", "integrate", .kind = KEY_BOOLEAN, .offset = offsetof(struct agent_conf, firewall_integrate)},
};

int conf_load_agent(const char *path, struct agent_conf *conf, struct words *list)
{
    struct problems problems = {.file = path, .list = list};
    CLEANUP_FREE char *content = NULL;
    CLEANUP_SCAN struct scan scan = {0};
    struct agent_conf parsed;
    size_t length;
    agent_conf_default(&parsed);
    int result = conf_read(path, &content, &length, &problems);
    if (result == 0) {
        ini_load(content, length, &scan, &problems);
        keys_apply(rules, sizeof rules / sizeof *rules, &scan, &parsed, &problems);
    } else if (result != -ENOENT) {
        return -EINVAL;
    }
    if (problems.count > 0)
        return -EINVAL;
    *conf = parsed;
    return 0;
}
