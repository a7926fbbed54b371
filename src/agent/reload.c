/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration read again while the agent runs: all of it or nothing. */
#include "agent/reload.h"

#include "agent/agent.h"
#include "agent/applying.h"
#include "agent/apps.h"
#include "agent/host.h"
#include "agent/operations.h"
#include "conf/resolve.h"
#include "os/log.h"
#include "zone/routes.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool agent_conf_differs(const struct agent_conf *a, const struct agent_conf *b)
{
    return strcmp(a->instance, b->instance) != 0 || strcmp(a->group, b->group) != 0 ||
           memcmp(&a->pools, &b->pools, sizeof a->pools) != 0;
}

static int take_service(struct agent *agent, struct service **service, struct text *notes, struct error *err)
{
    struct app *app = NULL;
    int result = app_get(agent, (*service)->name, &app, err);
    if (result < 0)
        return result;
    if (operation_running(app) && plan_undoes_staging(app->operation.verb)) {
        text_addf(notes,
                  "%s%s: is being deployed as its file was when that began; what is new waits for the next release",
                  notes->length ? "\n" : "", app->name);
        return 0;
    }
    app_take_file(app, *service, notes);
    *service = NULL;
    return 0;
}

/* Apps whose file is gone: forgotten if they have nothing, else kept until they are removed. */
static void drop_missing(struct agent *agent, const struct app_set *set, struct text *notes)
{
    struct app *app;
    list_for_each(app, &agent->apps, link)
    {
        bool configured = false;
        for (size_t i = 0; i < set->count && !configured; i++)
            configured = strcmp(set->services[i]->name, app->name) == 0;
        bool staging = operation_running(app) && plan_undoes_staging(app->operation.verb);
        if (configured || staging) /* a deploy goes on with the file as it was when it began */
            continue;
        service_free(app->service);
        app->service = NULL;
        if (app_is_empty(app))
            app_free(app);
        else
            text_addf(notes, "%s%s: its file is gone but it has zones; they stay until \"bluegreen remove %s\"",
                      notes->length ? "\n" : "", app->name, app->name);
    }
}

int check_host(const char *config_dir, const struct address_pools *pools, const struct app_set *set,
               struct words *problems)
{
    char path[PATH_MAX];
    struct error err = {0};
    size_t before = problems->count;
    for (size_t i = 0; i < set->count; i++) {
        snprintf(path, sizeof path, "%s/apps/%s.conf", config_dir, set->services[i]->name);
        conf_check_host(path, set->services[i], problems);
    }
    if (pools && routes_check_pools(pools, &err) < 0) {
        error_prefix(&err, "%s/bluegreen.conf", config_dir);
        words_add(problems, err.text);
    }
    return problems->count > before ? -EINVAL : 0;
}

static void note_warnings(const struct service *service, struct text *notes)
{
    CLEANUP_WORDS struct words warnings = {0};
    conf_app_warnings(service->name, service, &warnings);
    for (size_t i = 0; i < warnings.count; i++)
        text_addf(notes, "%swarning: %s", notes->length ? "\n" : "", warnings.items[i]);
}

int reload(struct agent *agent, bool at_start, struct words *problems, struct text *notes)
{
    char path[PATH_MAX];
    struct agent_conf conf;
    struct app_set set = {0};
    snprintf(path, sizeof path, "%s/bluegreen.conf", agent->options.config_dir);
    int result = conf_load_agent(path, &conf, problems);
    snprintf(path, sizeof path, "%s/apps", agent->options.config_dir);
    if (conf_load_apps(path, &set, problems) < 0)
        result = -EINVAL;
    if (result == 0 && !at_start) {
        bool moved = memcmp(&conf.pools, &agent->conf.pools, sizeof conf.pools) != 0;
        result = check_host(agent->options.config_dir, moved ? &conf.pools : NULL, &set, problems);
    }
    if (result < 0) {
        app_set_clear(&set);
        return -EINVAL;
    }
    log_set_level((enum log_level)conf.log_level);
    agent->conf.log_level = conf.log_level;
    agent->conf.firewall_integrate = conf.firewall_integrate;
    if (!at_start) {
        host_firewall_accept(agent);
        host_firewall_changed(agent);
    }
    if (agent_conf_differs(&agent->conf, &conf))
        text_add(notes,
                 "bluegreen.conf: instance, group and the address pools take effect when the agent is started again");
    drop_missing(agent, &set, notes);
    for (size_t i = 0; i < set.count; i++) {
        struct error err = {0};
        note_warnings(set.services[i], notes);
        if (take_service(agent, &set.services[i], notes, &err) < 0)
            text_addf(notes, "%s%s: %s", notes->length ? "\n" : "", set.services[i]->name, err.text);
    }
    log_notice("configuration loaded: %zu app%s", set.count, set.count == 1 ? "" : "s");
    app_set_clear(&set);
    return 0;
}

static void add_problem(struct words *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_problem(struct words *problems, const char *format, ...)
{
    char text[ERROR_TEXT_MAX + PATH_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    words_add(problems, text);
}

int reload_app(struct agent *agent, const char *name, struct app **app, struct words *problems)
{
    char path[PATH_MAX];
    struct error err = {0};
    snprintf(path, sizeof path, "%s/apps/%s.conf", agent->options.config_dir, name);
    int result = access(path, F_OK) < 0 ? -errno : 0;
    if (result == -ENOENT)
        add_problem(problems, "there is no app %s: %s does not exist; write it, then deploy", name, path);
    else if (result < 0)
        add_problem(problems, "look for the app %s: %s: %s", name, path, strerror(-result));
    if (result < 0)
        return result;
    struct service *service = calloc(1, sizeof *service);
    if (!service)
        return -ENOMEM;
    result = conf_load_app(path, service, problems);
    if (result == 0 && (result = app_get(agent, name, app, &err)) < 0)
        add_problem(problems, "%s", err.text);
    if (result < 0) {
        service_free(service);
        return result;
    }
    CLEANUP_TEXT struct text notes = {0};
    app_take_file(*app, service, &notes);
    if (notes.data)
        log_info("%s", notes.data);
    return 0;
}
