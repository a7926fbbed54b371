/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The questions: what each verb would lose, by the app's status as it is now. */
#include "cli/confirm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool confirm_possible(const struct cli *cli)
{
    return !cli->json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

bool confirm_ask(const char *question)
{
    char line[16];
    fflush(stdout);
    fprintf(stderr, "%s Go on? [y/N] ", question);
    if (!fgets(line, sizeof line, stdin)) {
        fputc('\n', stderr);
        return false;
    }
    return strcasecmp(line, "y\n") == 0 || strcasecmp(line, "yes\n") == 0;
}

bool confirm_verb(const struct cli *cli, const struct verb *verb)
{
    char question[1024];
    if (cli->yes || !verb->loses || !confirm_possible(cli) || !verb->loses(cli, question, sizeof question))
        return true;
    if (confirm_ask(question))
        return true;
    fprintf(stderr, "bluegreen: %s: nothing was done; --yes goes on without a question\n", verb->name);
    return false;
}

/* --- what is lost ------------------------------------------------------------------------------------------- */

static struct bluegreen_status *fetch(const struct cli *cli)
{
    struct bluegreen *agent;
    struct bluegreen_status *status = NULL;
    if (cli->count == 0 || bluegreen_open(cli->socket, &agent, NULL) < 0)
        return NULL;
    if (bluegreen_status(agent, cli->arguments[0], &status, NULL) < 0)
        status = NULL;
    bluegreen_close(agent);
    return status;
}

static const char *release_of(const struct bluegreen_app *app, int zone)
{
    return app->zones[zone].release ? app->zones[zone].release : "-";
}

static bool is_state(const struct bluegreen_app *app, int zone, const char *a, const char *b, const char *c)
{
    const char *state = app->zones[zone].state;
    return strcmp(state, a) == 0 || strcmp(state, b) == 0 || strcmp(state, c) == 0;
}

static bool deploy_loses(const struct bluegreen_app *app, char *question, size_t size)
{
    for (int zone = 0; zone < 2; zone++) {
        if (zone == (int)app->live || app->operation)
            continue;
        if (is_state(app, zone, "healthy", "unhealthy", "unhealthy") && app->zones[zone].release) {
            bool staged = app->live != BLUEGREEN_NONE && !app->bake;
            snprintf(question, size, "%s %s in %s gives its place up.",
                     staged ? "What is there beside the live release," : "The release", release_of(app, zone),
                     bluegreen_colour_name((enum bluegreen_colour)zone));
            return true;
        }
        if (app->bake && (is_state(app, zone, "standby", "draining", "frozen") ||
                          is_state(app, zone, "resting", "resting", "resting"))) {
            snprintf(question, size, "%s is still in its bake, and %s, the way back from it, gives its place up.",
                     release_of(app, app->live), release_of(app, zone));
            return true;
        }
    }
    return false;
}

static bool stop_loses(const struct bluegreen_app *app, char *question, size_t size)
{
    if (app->live == BLUEGREEN_NONE)
        return false;
    snprintf(question, size,
             "%s, which is live with %" PRIu64 " TCP connections, stops serving, until 'bluegreen start %s'.",
             release_of(app, app->live), app->zones[app->live].tcp, app->name);
    return true;
}

static bool remove_loses(const struct bluegreen_app *app, char *question, size_t size)
{
    size_t used = 0;
    for (int zone = 0; zone < 2; zone++) {
        if (is_state(app, zone, "absent", "absent", "absent"))
            continue;
        int length = snprintf(question + used, size - used, "%s%s (%s, %s)", used ? " and " : "", release_of(app, zone),
                              bluegreen_colour_name((enum bluegreen_colour)zone), app->zones[zone].state);
        used += length > 0 && (size_t)length < size - used ? (size_t)length : 0;
    }
    if (used > 0)
        snprintf(question + used, size - used, " and what the agent knows of %s are removed; only the history stays.",
                 app->name);
    return used > 0;
}

static bool by_status(const struct cli *cli, bool (*loses)(const struct bluegreen_app *, char *, size_t),
                      char *question, size_t size)
{
    struct bluegreen_status *status = fetch(cli);
    bool lost = status && status->count == 1 && loses(status->apps[0], question, size);
    bluegreen_status_free(status);
    return lost;
}

bool confirm_deploy(const struct cli *cli, char *question, size_t size)
{
    return by_status(cli, deploy_loses, question, size);
}

bool confirm_stop(const struct cli *cli, char *question, size_t size)
{
    return by_status(cli, stop_loses, question, size);
}

bool confirm_remove(const struct cli *cli, char *question, size_t size)
{
    return by_status(cli, remove_loses, question, size);
}

bool confirm_release(const struct cli *cli, char *question, size_t size)
{
    bool prunes = cli->count > 1 && strcmp(cli->arguments[1], "prune") == 0;
    if (prunes)
        snprintf(question, size, "Old releases of %s that no zone needs are removed from the disk.", cli->arguments[0]);
    return prunes;
}

bool confirm_schema(const struct cli *cli, char *question, size_t size)
{
    bool reverts = cli->count > 1 && strcmp(cli->arguments[1], "revert") == 0;
    if (reverts)
        snprintf(question, size,
                 "The database of %s loses what expand brought, and with it what has been written there since.",
                 cli->arguments[0]);
    return reverts;
}
