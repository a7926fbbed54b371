/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's own way back for an app that was moved together with others. Apart from groups.c because here one of
 * them has to move, with or without the others. */
#include "agent/group.h"

#include "agent/apps.h"
#include "agent/giving_way.h"
#include "agent/groups.h"
#include "agent/operations.h"
#include "journal/journal.h"
#include "os/log.h"

#include <stdio.h>

/* Those of the same move whose hooks still run behind it: what they come to does not matter any more. */
static void end_what_runs(struct app *app, const char *reason)
{
    const struct group_move *known = group_moves_of(&journal_fold(app->agent->journal)->groups, app->name, app->live);
    struct group_move move = known ? *known : (struct group_move){0}; /* ends are recorded, and the fold moves on */
    for (size_t i = 0; i < move.count; i++) {
        struct app *other = app_find(app->agent, move.members[i].app);
        struct group_run *run = other && other != app && operation_running(other) ? other->operation.group : NULL;
        if (!run || !run->moved || operation_step(other) != STEP_POST_SWITCH)
            continue;
        operation_take_back(other, reason);
    }
}

int group_back(struct app *app, const char *who, const char *reason, struct error *err)
{
    struct group_choice choice = {0};
    char name[APP_NAME_MAX + 1] = "", text[WIRE_TEXT_MAX + 1];
    if (operation_running(app) || app->live < 0)
        return operation_by_agent(app, VERB_ROLLBACK, who, reason, err);
    snprintf(text, sizeof text, "with %s: %.180s", app->name, reason);
    end_what_runs(app, text);
    group_choose_back(app, &choice, name);
    struct group_run *run = choice.count > 1 ? group_run_new(name, VERB_ROLLBACK) : NULL;
    if (!run)
        return operation_by_agent(app, VERB_ROLLBACK, who, reason, err);
    run->leader = app;
    int result = 0;
    for (size_t i = 0; result == 0 && i < choice.count; i++) {
        struct app *member = choice.routes[i].app;
        struct error why = {0};
        int begun = operation_begin_by_agent(member, VERB_ROLLBACK, who, member == app ? reason : text, &why);
        if (begun == 0)
            group_run_join(run, member);
        else if (member == app)
            result = error_set(err, -begun, "%s", why.text);
        else
            log_warning("group %s: goes back without %s: %s", name, member->name, why.text);
    }
    group_run_enter(run);
    group_run_unuse(run);
    return result;
}
