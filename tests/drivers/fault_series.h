/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent is asked to do while faults are injected, and how it is brought back to where that began. */
#pragma once

#include "fault_agent.h"

struct series {
    const char *name;
    bool (*act)(struct said *said);
    bool (*mend)(struct said *said); /* the next command, and back to where it began */
    bool ends;                       /* the agent may end */
};

static const char *other_release(const char *app)
{
    struct seen seen;
    return look(app, &seen) && strcmp(seen.release, "v1") == 0 ? "v2" : "v1";
}

static bool deploy(struct said *said)
{
    return ask(BLUEGREEN_DEPLOY, "web", other_release("web"), 0, said);
}

static bool deploy_anew(struct said *said)
{
    return ask(BLUEGREEN_DEPLOY, "web", other_release("web"), BLUEGREEN_FORCE, said);
}

static bool change(struct said *said)
{
    return ask(BLUEGREEN_SWITCH, "web", NULL, 0, said);
}

static bool go_back(struct said *said)
{
    return ask(BLUEGREEN_ROLLBACK, "web", NULL, 0, said);
}

/* All of an app's life. */
static bool live_and_die(struct said *said)
{
    return ask(BLUEGREEN_DEPLOY, "api", "v1", 0, said) && ask(BLUEGREEN_STAGE, "api", "v2", 0, said) &&
           ask(BLUEGREEN_STOP, "api", NULL, 0, said) && ask(BLUEGREEN_START, "api", NULL, 0, said) &&
           ask(BLUEGREEN_REMOVE, "api", NULL, BLUEGREEN_FORCE, said);
}

static bool remove_api(struct said *said)
{
    ask(BLUEGREEN_REMOVE, "api", NULL, BLUEGREEN_FORCE, said); /* it may be in the middle, or not there */
    return ask(BLUEGREEN_DEPLOY, "api", "v1", BLUEGREEN_FORCE, said) &&
           ask(BLUEGREEN_REMOVE, "api", NULL, BLUEGREEN_FORCE, said);
}

/* All that is only asked for. */
static bool question(struct said *said)
{
    struct bluegreen *opened;
    struct bluegreen_error error = {0};
    struct bluegreen_history *history = NULL;
    struct bluegreen_connections *connections = NULL;
    struct bluegreen_status *status = NULL;
    int result = bluegreen_open(agent.socket, &opened, &error);
    if (result == 0) {
        bluegreen_set_timeout(opened, ANSWER_MS);
        result = bluegreen_status(opened, NULL, &status, &error);
        if (result == 0)
            result = bluegreen_history(opened, NULL, 20, &history, &error);
        if (result == 0)
            result = bluegreen_connections(opened, "web", BLUEGREEN_NONE, 20, &connections, &error);
        bluegreen_status_free(status);
        bluegreen_history_free(history);
        bluegreen_connections_free(connections);
        bluegreen_close(opened);
    }
    said->kind = result == 0 ? BLUEGREEN_OK : error.kind;
    snprintf(said->text, sizeof said->text, "%s", result == 0 ? "" : error.reason);
    return result == 0 && ask(BLUEGREEN_RELOAD, NULL, NULL, 0, said);
}

/* An agent that could not read its configuration runs without it until it is told to look again. */
static bool deploy_as_configured(struct said *said)
{
    return ask(BLUEGREEN_RELOAD, NULL, NULL, 0, said) && deploy_anew(said);
}

static bool restart(struct said *said)
{
    agent_kill(SIGKILL);
    said->kind = BLUEGREEN_FAILED;
    said->text[0] = '\0';
    return agent_start();
}

static const struct series all_series[] = {
    {"deploy", deploy, deploy_anew, false},    {"switch", change, deploy_anew, false},
    {"rollback", go_back, deploy_anew, false}, {"life", live_and_die, remove_api, false},
    {"ask", question, deploy_anew, false},     {"restart", restart, deploy_as_configured, true},
};
