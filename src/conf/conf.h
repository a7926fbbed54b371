/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration: files to validated model values. A scan of the raw text first refuses what iniparser would silently
 * change; then iniparser; then the grammars. All problems of a file are reported, each as
 * "FILE: [section] key: reason; what to do".
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/address_plan.h"
#include "model/service.h"

#define INSTANCE_NAME_MAX 31

struct agent_conf {
    char instance[INSTANCE_NAME_MAX + 1]; /* names cgroup and scopes; default "bluegreen"; app-name syntax */
    char group[USER_NAME_MAX + 1];        /* operators; default "bluegreen" */
    int log_level;                        /* enum log_level as a number; default 6 (info) */
    struct address_pools pools;
    bool firewall_integrate; /* accept what goes to the zones in the chains that others' firewalls have for that */
};

void agent_conf_default(struct agent_conf *conf);

/* DIR/bluegreen.conf; a missing file gives the defaults. 0, or -EINVAL with at least one problem added. */
int conf_load_agent(const char *path, struct agent_conf *conf, struct words *problems);
/* One app's file. [app] name must equal the file's name without .conf. 0 or -EINVAL with problems. */
int conf_load_app(const char *path, struct service *service, struct words *problems);
/* The same from memory (a zone's kept configuration); path is for messages. */
int conf_parse_app(const char *path, const char *content, size_t length, struct service *service,
                   struct words *problems);

/* What a good service's file says that may be so and still is not what most want, in the same form. */
void conf_app_warnings(const char *path, const struct service *service, struct words *warnings);

struct app_set {
    struct service **services; /* sorted by name, each on the heap */
    size_t count;
};

void app_set_clear(struct app_set *set);
/* Every DIR/NAME.conf (other names are ignored with no complaint if they do not end in .conf), and ports that two apps
 * both claim. 0 or -EINVAL with problems; then set is empty. A missing directory is an empty set. */
int conf_load_apps(const char *dir, struct app_set *set, struct words *problems);
