/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting and ending the agent: everything opened in order, each refusal with what to do. */
#include "agent/run.h"

#include "agent/agent.h"
#include "agent/apps.h"
#include "agent/claims.h"
#include "agent/clients.h"
#include "agent/commands.h"
#include "agent/diffs.h"
#include "agent/doctor.h"
#include "agent/feeding.h"
#include "agent/host.h"
#include "agent/recovery.h"
#include "agent/reload.h"
#include "agent/status.h"
#include "agent/waiting.h"
#include "health/prober.h"
#include "journal/journal.h"
#include "os/files.h"
#include "os/log.h"
#include "os/notify.h"
#include "zone/forwarding.h"
#include "zone/routes.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PROBE_USER "bluegreen-probe"

static int load_configuration(struct agent *agent, struct error *err)
{
    char path[PATH_MAX];
    CLEANUP_WORDS struct words problems = {0};
    snprintf(path, sizeof path, "%s/bluegreen.conf", agent->options.config_dir);
    agent_conf_default(&agent->conf);
    if (conf_load_agent(path, &agent->conf, &problems) == 0) {
        log_set_level((enum log_level)agent->conf.log_level);
        return 0;
    }
    for (size_t i = 0; i < problems.count; i++)
        log_error("%s", problems.items[i]);
    return error_set(err, AGENT_MISCONFIGURED, "%s is not accepted (%zu problems); mend it and start again", path,
                     problems.count);
}

/* Apps with a bad file do not keep the others, or those that run, from coming back. */
static void load_apps(struct agent *agent)
{
    CLEANUP_WORDS struct words problems = {0};
    CLEANUP_TEXT struct text notes = {0};
    if (reload(agent, true, &problems, &notes) == 0) {
        if (notes.data)
            log_notice("%s", notes.data);
        return;
    }
    for (size_t i = 0; i < problems.count; i++)
        log_error("%s", problems.items[i]);
    log_error("no configuration was loaded; what ran goes on with what it was staged with; mend the files and "
              "\"bluegreen reload\"");
}

static int open_zones(struct agent *agent, struct error *err)
{
    char path[PATH_MAX];
    int result = routes_check_pools(&agent->conf.pools, err);
    if (result < 0 && result != -EADDRINUSE)
        return result; /* for the moment perhaps: no reason not to start it again */
    if (result < 0) {
        snprintf(path, sizeof path, "%s/bluegreen.conf", agent->options.config_dir);
        err->code = AGENT_MISCONFIGURED;
        return error_prefix(err, "%s", path);
    }
    struct zone_host_options options = {
        .instance = agent->conf.instance,
        .run_dir = agent->options.run_dir,
        .state_dir = agent->options.state_dir,
        .shim_path = agent->options.shim_path,
        .scope_path = agent->options.scope_path,
        .config_dir = agent->options.config_dir,
        .pools = agent->conf.pools,
    };
    result = zone_host_open(&options, &agent->zone_host, err);
    if (result < 0)
        return result;
    const char *controllers = zone_host_controllers(agent->zone_host);
    log_info("%s", zone_host_describe(agent->zone_host));
    if (controllers[0])
        log_info("[limits] can be set with these cgroup v2 controllers: %s", controllers);
    else
        log_warning("no cgroup v2 controllers for zones: a configuration with [limits] is refused unless it says "
                    "required = no");
    return 0;
}

static int enable_forwarding(struct agent *agent, struct error *err)
{
    char changes[512] = "";
    int result = forwarding_enable(agent->options.state_dir, changes, sizeof changes, err);
    if (changes[0])
        log_notice("forwarding was switched on, \"bluegreend --teardown\" restores it: %s", changes);
    return result;
}

static void on_tables_changed(void *context, int fd, uint32_t events)
{
    struct agent *agent = context;
    struct error err = {0};
    (void)fd;
    (void)events;
    int repaired = traffic_repair(agent->traffic, &err);
    if (repaired < 0)
        log_error("somebody changed table inet bluegreen and it cannot be put right: %s", err.text);
    else if (repaired > 0)
        log_warning("somebody changed table inet bluegreen; it was put right in one transaction");
    host_firewall_changed(agent);
}

static int open_traffic(struct agent *agent, struct error *err)
{
    int result = traffic_open(&agent->traffic, err);
    if (result < 0)
        return error_prefix(err, "take table inet bluegreen");
    if (!traffic_owned(agent->traffic))
        log_notice("this kernel cannot let a table outlive its owner (6.9 can), so the table is watched and repaired "
                   "instead");
    agent->watch_source = loop_add_fd(agent->loop, traffic_watch_fd(agent->traffic), EPOLLIN, on_tables_changed, agent);
    return agent->watch_source ? 0 : error_errno(err, errno, "watch the host's tables");
}

static void on_end_signal(void *context, int signal)
{
    struct agent *agent = context;
    log_notice("%s: the agent ends; zones and traffic go on", signal == SIGINT ? "SIGINT" : "SIGTERM");
    notify_stopping();
    loop_quit(agent->loop, 0);
}

static void on_reload_signal(void *context, int signal)
{
    CLEANUP_WORDS struct words problems = {0};
    CLEANUP_TEXT struct text notes = {0};
    (void)signal;
    notify_reloading(clock_monotonic_ns() / 1000);
    if (reload(context, false, &problems, &notes) < 0) {
        log_error("the configuration is not accepted, the former one stays");
        for (size_t i = 0; i < problems.count; i++)
            log_error("%s", problems.items[i]);
    } else if (notes.data) {
        log_notice("%s", notes.data);
    }
    notify_ready();
}

static int watch_signals(struct agent *agent, struct error *err)
{
    signal(SIGPIPE, SIG_IGN);
    int result = loop_add_signal(agent->loop, SIGTERM, on_end_signal, agent, err);
    if (result == 0)
        result = loop_add_signal(agent->loop, SIGINT, on_end_signal, agent, err);
    if (result == 0)
        result = loop_add_signal(agent->loop, SIGHUP, on_reload_signal, agent, err);
    return result;
}

static int make_directories(const struct agent_options *options, struct error *err)
{
    int result = directory_make(options->state_dir, 0700, err);
    return result < 0 ? result : directory_make(options->run_dir, 0755, err);
}

static int open_all(struct agent *agent, struct fold *fold, struct error *err)
{
    int result = make_directories(&agent->options, err);
    if (result == 0)
        result = loop_new(&agent->loop, err);
    if (result == 0)
        result = watch_signals(agent, err);
    if (result == 0)
        result = load_configuration(agent, err);
    if (result == 0)
        result = journal_open(agent->options.state_dir, &agent->journal, fold, err);
    /* First what may be refused, then what changes the host. */
    if (result == 0)
        result = clients_listen(agent, err);
    if (result == 0)
        result = claims_take(agent, err);
    if (result == 0)
        result = open_zones(agent, err);
    if (result == 0)
        result = open_traffic(agent, err);
    if (result == 0)
        result = prober_new(agent->loop, agent->options.probe_path, PROBE_USER, &agent->prober, err);
    if (result == 0)
        result = enable_forwarding(agent, err);
    if (result == 0)
        result = clients_open(agent, err);
    return result;
}

static void close_all(struct agent *agent)
{
    struct app *app;
    commands_close(agent);
    waiting_dispose(agent);
    diffs_dispose(agent);
    status_client_gone(agent, 0);
    doctor_dispose(agent);
    list_for_each(app, &agent->apps, link) app_free(app);
    loop_remove_fd(agent->listen_source);
    loop_remove_fd(agent->watch_source);
    loop_timer_free(agent->journal_timer);
    host_firewall_dispose(agent);
    host_ports_dispose(agent);
    if (agent->loop)
        clients_close(agent);
    if (agent->prober)
        prober_free(agent->prober);
    if (agent->traffic)
        traffic_close(agent->traffic);
    if (agent->zone_host)
        zone_host_close(agent->zone_host);
    if (agent->journal)
        journal_close(agent->journal);
    system_journal_close(&agent->system_journal);
    claims_release(agent);
    loop_free(agent->loop);
}

static void agent_init(struct agent *agent, const struct agent_options *options)
{
    *agent = (struct agent){.options = *options,
                            .listen_fd = -1,
                            .network_claim = -1,
                            .names_claim = -1,
                            .system_journal = SYSTEM_JOURNAL_NONE};
    agent->api.process = (struct process){.pidfd = -1, .channel = -1};
    list_init(&agent->apps);
    list_init(&agent->requests);
    list_init(&agent->clients);
    list_init(&agent->commands);
    list_init(&agent->waiters);
    list_init(&agent->diffs);
    list_init(&agent->status_sendings);
    list_init(&agent->digests);
    list_init(&agent->api.lost);
}

int agent_run(const struct agent_options *options, struct error *err)
{
    struct agent agent;
    struct fold fold = {0};
    agent_init(&agent, options);
    int result = open_all(&agent, &fold, err);
    if (result == 0)
        result = recover(&agent, &fold, err);
    fold_clear(&fold);
    if (result == 0) {
        load_apps(&agent);
        log_notice("bluegreend %s is ready", BLUEGREEN_VERSION);
        notify_ready();
        result = loop_run(agent.loop);
        if (result < 0)
            error_errno(err, -result, "run the event loop");
    }
    close_all(&agent);
    return result;
}

static int remove_zones(struct agent *agent, const struct fold *fold, struct error *err)
{
    for (size_t i = 0; i < fold->count; i++) {
        feeding_end_stray(agent, fold->apps[i].name);
        for (int colour = 0; colour < COLOURS; colour++) {
            struct zone_id id = {.colour = (enum colour)colour,
                                 .number = zone_number(fold->apps[i].index, (enum colour)colour)};
            text_copy(id.app, sizeof id.app, fold->apps[i].name);
            int result = zone_clean(agent->zone_host, &id, err);
            if (result < 0)
                return error_prefix(err, "remove zone %s/%s", id.app, colour_name(id.colour));
        }
    }
    return 0;
}

int agent_teardown(const struct agent_options *options, struct error *err)
{
    struct agent agent;
    struct fold fold = {0};
    agent_init(&agent, options);
    int result = make_directories(options, err);
    if (result == 0)
        result = load_configuration(&agent, err);
    if (result == 0)
        result = journal_open(options->state_dir, &agent.journal, &fold, err);
    if (result == 0)
        result = claims_take(&agent, err);
    if (result == 0)
        result = open_zones(&agent, err);
    if (result == 0)
        result = traffic_open(&agent.traffic, err);
    agent.conf.firewall_integrate = false;
    if (result == 0)
        host_firewall_accept(&agent);
    if (result == 0) /* first the rules: packets go nowhere else meanwhile, but no rule points at nothing */
        result = traffic_remove(agent.traffic, err);
    if (result == 0)
        result = remove_zones(&agent, &fold, err);
    if (result == 0)
        result = zone_host_remove(agent.zone_host, err);
    if (result == 0)
        clients_remove_socket(&agent);
    if (result == 0)
        result = forwarding_restore(options->state_dir, err);
    fold_clear(&fold);
    close_all(&agent);
    return result;
}
