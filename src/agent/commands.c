/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What operators run in a zone beside the app, as the app's user and in its sandbox. A command's stdin, stdout and
 * stderr are pipes or a terminal that are made here, and their other ends the client's. It lives as long as its client
 * waits, and counts until it has ended.
 */
#include "agent/commands.h"

#include "agent/admission.h"
#include "agent/agent.h"
#include "agent/api_role.h"
#include "agent/apps.h"
#include "agent/clients.h"
#include "agent/launching.h"
#include "agent/replies.h"
#include "base/cleanup.h"
#include "model/wire_command.h"
#include "os/log.h"
#include "os/stdio.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COMMANDS_MAX = 4,       /* in a zone at a time; a shim has place for SHIM_PROCESSES_MAX of all kinds */
    STOP_TIMEOUT_MS = 5000, /* from the signal to the kill, for a command that nobody waits for any more */
    NAMES_TRIED_MAX = 64,
};

struct command {
    struct list link;
    uint64_t client, request; /* client 0: nobody waits any more, it was asked to end */
    struct app_zone *zone;
    char name[PROCESS_NAME_MAX + 1];
};

#define NAME_PREFIX "exec-"

/* --- may it be run ----------------------------------------------------------------------------------- */

/* What belongs to root is not an operator's, and neither is what root's group may read. */
static bool runs_as_root(const struct zone_launch *launch)
{
    bool root = launch->uid == 0 || launch->gid == 0;
    for (size_t i = 0; i < launch->group_count; i++)
        root = root || launch->groups[i] == 0;
    return root;
}

static size_t commands_in(const struct app_zone *zone)
{
    struct command *command;
    size_t count = 0;
    list_for_each(command, &zone->app->agent->commands, link) count += command->zone == zone;
    return count;
}

static enum wire_result admit_zone(const struct app_zone *zone, struct error *err)
{
    const struct app *app = zone->app;
    if (!zone->kernel || !zone->service || zone->closing)
        return admit_refuse(err, RESULT_REFUSED, "zone %s of %s is %s: there is nothing to run a command in",
                            colour_name(zone->colour), app->name, zone_state_name(zone->state));
    if (zone_frozen(zone->kernel))
        return admit_refuse(err, RESULT_REFUSED,
                            "zone %s of %s is frozen: nothing runs in it until \"bluegreen rollback %s\" lets it go on",
                            colour_name(zone->colour), app->name, app->name);
    if (commands_in(zone) >= COMMANDS_MAX)
        return admit_refuse(err, RESULT_BUSY, "%d commands run in zone %s of %s already; wait for one of them",
                            COMMANDS_MAX, colour_name(zone->colour), app->name);
    return RESULT_DONE;
}

/* --- running it -------------------------------------------------------------------------------------- */

static int add_arguments(const struct wire_command *command, struct words *argv)
{
    const char *at = command->arguments, *end = at + command->arguments_length;
    int result = 0;
    /* Where it is found is for the app's own PATH and view to say: a shell looks there, and gives way to it. */
    if (at[0] != '/') {
        static const char *const shell[] = {"/bin/sh", "-c", "exec \"$@\"", "bluegreen"};
        for (size_t i = 0; result == 0 && i < sizeof shell / sizeof *shell; i++)
            result = words_add(argv, shell[i]);
    }
    for (; result == 0 && at < end; at += strlen(at) + 1)
        result = words_add(argv, at);
    return result;
}

static int add_environment(const struct wire_command *command, const struct words *app, struct words *environment)
{
    char term[sizeof "TERM=" + WIRE_TERM_MAX];
    int result = 0;
    for (size_t i = 0; result == 0 && i < app->count; i++) {
        if (!command->terminal || !text_starts_with(app->items[i], "TERM="))
            result = words_add(environment, app->items[i]);
    }
    snprintf(term, sizeof term, "TERM=%s", command->term);
    return result == 0 && command->terminal ? words_add(environment, term) : result;
}

static bool is_configured(const struct service *service, const char *name)
{
    for (size_t i = 0; i < service->process_count; i++) {
        if (strcmp(service->processes[i].name, name) == 0)
            return true;
    }
    return false;
}

/* A former agent may have left commands that still end: their names are passed over. */
static int start(struct command *command, struct zone_launch *launch, struct error *err)
{
    struct agent *agent = command->zone->app->agent;
    int result = -EBUSY;
    for (int tries = 0; result == -EBUSY && tries < NAMES_TRIED_MAX; tries++) {
        snprintf(command->name, sizeof command->name, NAME_PREFIX "%u", ++agent->last_command);
        if (!is_configured(command->zone->service, command->name))
            result = zone_start(command->zone->kernel, launch, err);
    }
    return result;
}

static int run(const struct wire_command *asked, struct zone_launch *launch, const int *fds, struct command *command,
               struct error *err)
{
    CLEANUP_WORDS struct words argv = {0};
    CLEANUP_WORDS struct words environment = {0};
    if (add_arguments(asked, &argv) < 0 || add_environment(asked, &launch->environment, &environment) < 0)
        return error_errno(err, ENOMEM, "prepare the command");
    launch->argv = argv;
    launch->environment = environment;
    launch->process = command->name;
    launch->stdio = fds;
    launch->terminal = asked->terminal;
    launch->stop_timeout_ms = STOP_TIMEOUT_MS;
    launch->stop_signal = asked->terminal ? SIGHUP : SIGTERM; /* interactive shells pass over SIGTERM */
    return start(command, launch, err);
}

static void log_command(const struct command *command, const struct wire_command *asked)
{
    const struct app_zone *zone = command->zone;
    struct client *client = client_find(zone->app->agent, command->client);
    char program[64];
    text_copy(program, sizeof program, asked->arguments);
    text_sanitise(program);
    log_notice("%s/%s: %s runs %s as %s%s", zone->app->name, colour_name(zone->colour),
               client ? client_name(client) : "somebody", program, command->name,
               asked->terminal ? ", with a terminal" : "");
}

static void hand_over(struct agent *agent, const struct wire_header *asked, const struct stdio *stdio)
{
    struct wire_stdio message = {0};
    int fds[STDIO_STREAMS];
    for (uint8_t stream = 0; stream < STDIO_STREAMS; stream++) {
        if (stdio->near[stream] < 0)
            continue;
        bool terminal = stream == 0 && stdio->terminal >= 0;
        message.kinds[message.count] = terminal ? WIRE_STREAM_TERMINAL : stream; /* the first three of the enum */
        fds[message.count++] = stdio->near[stream];
    }
    client_send_files(agent, &message, asked->client, asked->request, WIRE_STDIO, sizeof message, fds, message.count);
}

static int begin(struct app_zone *zone, const struct wire_command *asked, struct zone_launch *launch, struct error *err)
{
    struct agent *agent = zone->app->agent;
    struct stdio_wish wish = {.terminal = asked->terminal,
                              .merge = asked->merge,
                              .rows = asked->rows,
                              .columns = asked->columns,
                              .uid = launch->uid,
                              .gid = launch->gid};
    struct stdio stdio;
    struct command *command = calloc(1, sizeof *command);
    if (!command)
        return error_errno(err, ENOMEM, "run the command");
    *command = (struct command){.client = asked->header.client, .request = asked->header.request, .zone = zone};
    int result = stdio_open(&wish, &stdio, err);
    if (result == 0) {
        result = run(asked, launch, stdio.far, command, err);
        if (result == 0) {
            list_append(&agent->commands, &command->link);
            log_command(command, asked);
            hand_over(agent, &asked->header, &stdio);
        }
        stdio_close(&stdio);
    }
    if (result != 0)
        free(command);
    return result;
}

static enum wire_result run_in(struct app *app, const struct wire_command *asked, const struct client *client,
                               struct error *err)
{
    struct zone_launch launch;
    if (asked->zone == WIRE_ZONE_LIVE && (app->state != APP_RUNNING || app->live < 0))
        return admit_refuse(err, RESULT_REFUSED, "%s has no live zone; name one: \"bluegreen exec %s blue -- COMMAND\"",
                            app->name, app->name);
    struct app_zone *zone = zone_of(app, (enum colour)(asked->zone == WIRE_ZONE_LIVE ? app->live : asked->zone));
    enum wire_result result = admit_zone(zone, err);
    if (result != RESULT_DONE)
        return result;
    if (zone_launch_prepare(zone, &launch, err) < 0)
        return RESULT_FAILED;
    if (client->uid != 0 && runs_as_root(&launch))
        return admit_refuse(
            err, RESULT_NOT_ALLOWED,
            "%s runs as root or in root's group, and only root may exec there: a command would have root's "
            "files; use sudo, or give the app a user of its own",
            app->name);
    return begin(zone, asked, &launch, err) < 0 ? RESULT_FAILED : RESULT_DONE;
}

void handle_exec(struct agent *agent, const struct wire_command *asked)
{
    struct client *client = client_find(agent, asked->header.client);
    struct error err = {0};
    struct app *app = NULL;
    enum wire_result result = RESULT_DONE;
    if (!client)
        return; /* gone meanwhile, or made up: nobody to answer */
    if (!wire_command_valid(asked, sizeof *asked, &err))
        result = RESULT_INVALID;
    else if (!client->may_operate)
        result =
            admit_refuse(&err, RESULT_NOT_ALLOWED, "%s may look but not exec; only root and members of group %s may",
                         client_name(client), agent->conf.group);
    else if (!(app = app_find(agent, asked->app)))
        result = admit_refuse(&err, RESULT_NO_SUCH_APP, "there is no app %s", asked->app);
    else
        result = run_in(app, asked, client, &err);
    if (result != RESULT_DONE)
        reply_end(agent, asked->header.client, asked->header.request, result, err.text);
}

/* --- its end ----------------------------------------------------------------------------------------- */

static void forget(struct command *command)
{
    list_remove(&command->link);
    free(command);
}

static void tell_exit(struct agent *agent, const struct command *command, const struct zone_app *about)
{
    if (about->start_error) {
        reply_end(agent, command->client, command->request, RESULT_FAILED, about->reason);
        return;
    }
    struct wire_exited exited = {
        .exit = {
            .known = 1, .signalled = about->signalled, .value = (uint16_t)about->value, .unix_ms = about->unix_ms}};
    client_send(agent, &exited, command->client, command->request, WIRE_EXIT, sizeof exited);
    reply_end(agent, command->client, command->request, RESULT_DONE, "");
}

void commands_ended(struct app_zone *zone, const struct zone_app *about)
{
    struct agent *agent = zone->app->agent;
    struct command *command;
    list_for_each(command, &agent->commands, link)
    {
        if (command->zone != zone || strcmp(command->name, about->name) != 0)
            continue;
        if (command->client)
            tell_exit(agent, command, about);
        forget(command);
        return;
    }
}

void commands_zone_gone(struct app_zone *zone)
{
    struct agent *agent = zone->app->agent;
    struct command *command;
    list_for_each(command, &agent->commands, link)
    {
        if (command->zone != zone)
            continue;
        if (command->client)
            reply_end(agent, command->client, command->request, RESULT_FAILED,
                      "the zone is gone, and the command was ended with it");
        forget(command);
    }
}

static void stop(struct app_zone *zone, const char *name)
{
    struct error err = {0};
    if (zone->kernel && zone_stop(zone->kernel, name, &err) < 0)
        log_warning("%s/%s: end the command %s: %s", zone->app->name, colour_name(zone->colour), name, err.text);
}

void commands_of_client_gone(struct agent *agent, uint64_t client)
{
    struct command *command;
    list_for_each(command, &agent->commands, link)
    {
        if (command->client == 0 || (client != 0 && command->client != client))
            continue;
        command->client = 0; /* it takes a place until it has ended, however long that is */
        stop(command->zone, command->name);
    }
}

void commands_close(struct agent *agent)
{
    struct command *command;
    commands_of_client_gone(agent, 0);
    list_for_each(command, &agent->commands, link) forget(command);
}

/* One of a former agent: it takes a place too. */
static void remember(struct app_zone *zone, const char *name)
{
    struct command *command = calloc(1, sizeof *command);
    if (!command)
        return;
    command->zone = zone;
    text_copy(command->name, sizeof command->name, name);
    list_append(&zone->app->agent->commands, &command->link);
}

void commands_found(struct app_zone *zone)
{
    size_t count = 0;
    const struct zone_app *processes = zone_processes(zone->kernel, &count);
    for (size_t i = 0; i < count; i++) {
        if (!processes[i].pid || !text_starts_with(processes[i].name, NAME_PREFIX) ||
            (zone->service && is_configured(zone->service, processes[i].name)))
            continue;
        remember(zone, processes[i].name);
        stop(zone, processes[i].name);
    }
}
