/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent itself, its zones as they are, and its files. */
#include "agent/doctor_look.h"

#include "agent/apps.h"
#include "agent/processes.h"
#include "agent/reload.h"
#include "agent/zones.h"
#include "base/cleanup.h"
#include "health/prober.h"
#include "os/files.h"
#include "zone/counters.h"
#include "zone/host.h"
#include "zone/netns.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { PROBLEMS_MAX = 20, STAT_MAX = 4096 };

/* --- the agent ------------------------------------------------------------------------------------- */

void doctor_look_at_state(struct look *look)
{
    const struct agent *agent = look->agent;
    struct statvfs place;
    struct app *app;
    struct doctor_state state = {
        .directory = agent->options.state_dir,
        .journal_broken = agent->journal_broken,
        .api_pid = agent->api.process.channel >= 0 ? agent->api.process.pid : 0,
        .probe_pid = prober_pid(agent->prober),
        .now_unix_ms = clock_unix_ms(),
    };
    if (statvfs(agent->options.state_dir, &place) == 0) {
        state.available = (uint64_t)place.f_bavail * place.f_frsize;
        state.size = (uint64_t)place.f_blocks * place.f_frsize;
        state.read_only = place.f_flag & ST_RDONLY;
    }
    list_for_each(app, &look->agent->apps, link)
    {
        for (int colour = 0; colour < COLOURS; colour++) {
            if (app->zones[colour].since_unix_ms > state.latest_unix_ms)
                state.latest_unix_ms = app->zones[colour].since_unix_ms;
        }
    }
    doctor_judge_state(&look->doctor, &state);
}

/* --- zones ----------------------------------------------------------------------------------------- */

/* The third field of proc(5)'s stat; the second may have anything in it. 0: there is no such process. */
static char process_state(pid_t pid)
{
    char path[32];
    CLEANUP_FREE char *content = NULL;
    size_t length;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (file_read(path, STAT_MAX, &content, &length, NULL) < 0)
        return 0;
    const char *end = strrchr(content, ')');
    return end && end[1] == ' ' ? end[2] : 0;
}

/* Through a namespace of its own name: the copy has none of the zone's descriptors. */
static int64_t overflows_of(const struct app_zone *zone)
{
    char name[ZONE_NAME_MAX + 4];
    struct zone_id id;
    struct zone_counters counters;
    struct counter_files files = COUNTER_FILES_NONE;
    CLEANUP_FD int netns = -1;
    zone_id_of(zone, &id);
    if (!zone_netns_name(&id, name) || netns_open(name, &netns, NULL) < 0)
        return 0;
    int result = counters_read(&files, netns, &counters, NULL);
    counters_close(&files);
    return result < 0 ? 0 : (int64_t)counters.listen_overflows;
}

static void look_at_zone(struct look *look, const struct app_zone *zone)
{
    char loop[WIRE_TEXT_MAX + 1] = "";
    if (zone->state == ZONE_ABSENT || zone->state == ZONE_STOPPED)
        return;
    struct doctor_zone facts = {
        .app = zone->app->name,
        .colour = zone->colour,
        .state = zone->state,
        .release = zone->release,
        .why = zone->reason[0] ? zone->reason : zone->tracker.last.detail,
        .unhealthy = zone->state == ZONE_UNHEALTHY || zone->tracker.verdict == VERDICT_UNHEALTHY,
        .lost = zone->lost,
        .unlimited = zone->unlimited,
        .shim = '-',
    };
    facts.crash_loop = zone_in_crash_loop(zone, true, loop, sizeof loop);
    if (loop[0])
        facts.why = loop;
    if (zone->kernel && !zone->closing) {
        facts.shim_pid = zone_shim_pid(zone->kernel);
        facts.shim = process_state((pid_t)facts.shim_pid);
        facts.overflows = overflows_of(zone);
    }
    doctor_judge_zone(&look->doctor, &facts);
}

void doctor_look_at_zones(struct look *look)
{
    struct app *app;
    doctor_looked(&look->doctor, DOCTOR_ZONES);
    doctor_looked(&look->doctor, DOCTOR_STANDBY);
    doctor_looked(&look->doctor, DOCTOR_SHIMS);
    list_for_each(app, &look->agent->apps, link)
    {
        for (int colour = 0; colour < COLOURS && doctor_wants(look, app); colour++)
            look_at_zone(look, &app->zones[colour]);
    }
}

/* --- files ----------------------------------------------------------------------------------------- */

/* NULL if it can be executed by somebody, else why not. */
static const char *not_executable(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return errno == ENOENT ? "it does not exist" : strerror(errno);
    if (!S_ISREG(status.st_mode))
        return "it is no file";
    return status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH) ? NULL : "nobody may execute it";
}

static void look_at_hook(struct look *look, const struct app_zone *zone, enum hook hook)
{
    const struct hook_rule *rule = &zone->service->hooks[hook];
    CLEANUP_FREE char *path = NULL;
    struct error err = {0};
    if (rule->run.count == 0)
        return;
    doctor_looked(&look->doctor, DOCTOR_HOOKS);
    /* What the zone sees elsewhere than the host does is not looked for. */
    if (service_substitute(rule->run.items[0], zone->release, zone->colour, &path, &err) < 0 ||
        (!rule->on_host && zone->service->file_count > 0))
        return;
    const char *why = not_executable(path);
    if (!why)
        return;
    doctor_begin(&look->doctor, DOCTOR_FAULT, DOCTOR_HOOKS, zone->app->name,
                 "%s of release %s (zone %s) cannot be run: %.400s: %s", hook_place(hook), zone->release,
                 colour_name(zone->colour), path, why);
    doctor_line(&look->doctor, strcmp(why, "nobody may execute it") == 0 ? "chmod a+x %s" : "ls -l %s", path);
    doctor_end(&look->doctor);
}

static void look_at_hooks(struct look *look)
{
    struct app *app;
    list_for_each(app, &look->agent->apps, link)
    {
        for (int colour = 0; colour < COLOURS && doctor_wants(look, app); colour++) {
            const struct app_zone *zone = &app->zones[colour];
            for (int hook = 0; hook < HOOKS && zone->service && zone->state != ZONE_FAILED; hook++)
                look_at_hook(look, zone, (enum hook)hook);
        }
    }
}

static void tell_problems(struct look *look, const struct words *problems)
{
    for (size_t i = 0; i < problems->count && i < PROBLEMS_MAX; i++) {
        doctor_begin(&look->doctor, DOCTOR_WARNING, DOCTOR_CONFIGURATION, NULL,
                     "a reload, and a restart of the agent, would refuse this: %s", problems->items[i]);
        doctor_line(&look->doctor, "bluegreen check");
        doctor_end(&look->doctor);
    }
}

/* The app's file is another one than the agent has read. */
static void compare_file(struct look *look, const struct service *file)
{
    const struct app *app = app_find(look->agent, file->name);
    const struct service *known = app ? app->service : NULL;
    if (app && !doctor_wants(look, app))
        return;
    if (known && known->source_length == file->source_length &&
        memcmp(known->source, file->source, file->source_length) == 0)
        return;
    doctor_begin(&look->doctor, DOCTOR_NOTE, DOCTOR_CONFIGURATION, file->name,
                 "%s/apps/%s.conf %s since the agent read its files; a deploy takes it as it is",
                 look->agent->options.config_dir, file->name, known ? "was changed" : "has come");
    doctor_line(&look->doctor, "bluegreen reload");
    doctor_end(&look->doctor);
}

void doctor_look_at_files(struct look *look)
{
    CLEANUP_WORDS struct words problems = {0};
    const char *directory = look->agent->options.config_dir;
    struct agent_conf conf;
    struct app_set set = {0};
    char path[PATH_MAX];
    look_at_hooks(look);
    doctor_looked(&look->doctor, DOCTOR_CONFIGURATION);
    snprintf(path, sizeof path, "%s/bluegreen.conf", directory);
    if (conf_load_agent(path, &conf, &problems) == 0 && agent_conf_differs(&look->agent->conf, &conf)) {
        doctor_begin(&look->doctor, DOCTOR_NOTE, DOCTOR_CONFIGURATION, NULL,
                     "%s has changes that take effect when the agent is started again", path);
        doctor_line(&look->doctor, "systemctl restart bluegreend");
        doctor_end(&look->doctor);
    }
    snprintf(path, sizeof path, "%s/apps", directory);
    conf_load_apps(path, &set, &problems);
    check_host(directory, NULL, &set, &problems);
    for (size_t i = 0; i < set.count; i++)
        compare_file(look, set.services[i]);
    app_set_clear(&set);
    tell_problems(look, &problems);
}
