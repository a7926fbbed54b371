/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which apps a group's switch or rollback moves. A switch moves what is staged; a rollback undoes the group's last
 * move, which is in the journal, and nothing else. Nothing here changes anything.
 */
#include "agent/group.h"

#include "agent/admission.h"
#include "agent/apps.h"
#include "agent/groups.h"
#include "agent/operations.h"
#include "agent/requests.h"
#include "agent/routing.h"
#include "journal/journal.h"

#include <stdio.h>
#include <string.h>

static bool is_staged(const struct app_zone *zone)
{
    return zone->state == ZONE_HEALTHY || zone->state == ZONE_UNHEALTHY;
}

static bool has_staged(const struct app *app)
{
    return is_staged(&app->zones[BLUE]) || is_staged(&app->zones[GREEN]);
}

/* What is staged knows best with whom it wants to move; else what is live, else what the file says. */
const char *group_name_of(const struct app *app)
{
    for (int colour = 0; colour < COLOURS; colour++) {
        if (is_staged(&app->zones[colour]) && app->zones[colour].service)
            return app->zones[colour].service->group_name;
    }
    const struct service *live = app->live >= 0 ? app->zones[app->live].service : NULL;
    return live ? live->group_name : app->service ? app->service->group_name : "";
}

/* One that is being released may be about to come to the group, or to leave it: its file says which. */
static bool may_belong(const struct app *app, const char *name)
{
    bool by_file = operation_running(app) && app->service && strcmp(app->service->group_name, name) == 0;
    return by_file || strcmp(group_name_of(app), name) == 0;
}

static enum wire_result add(struct group_choice *choice, struct app *app, const struct wire_request *request,
                            struct error *err)
{
    struct wire_request one = *request;
    struct route *route = &choice->routes[choice->count];
    enum colour target = BLUE;
    if (choice->count == GROUP_APPS_MAX)
        return admit_refuse(err, RESULT_REFUSED, "group %s has more than %d apps to move; take some out of it",
                            request->app, GROUP_APPS_MAX);
    one.flags &= ~WIRE_GROUP;
    text_copy(one.app, sizeof one.app, app->name);
    enum wire_result result = admit(app, &one, &target, err);
    if (result != RESULT_DONE) {
        error_prefix(err, "none of group %s moves", request->app);
        return result;
    }
    *route = (struct route){.app = app, .to = target};
    choice->count++;
    return RESULT_DONE;
}

static enum wire_result choose_switch(const struct asked *asked, struct group_choice *choice, struct error *err)
{
    const char *name = asked->request->app;
    struct app *app;
    size_t apps = 0;
    list_for_each(app, &asked->agent->apps, link)
    {
        if (!may_belong(app, name))
            continue;
        apps++;
        enum wire_result result = admit_busy(app, err);
        if (result == RESULT_DONE && has_staged(app))
            result = add(choice, app, asked->request, err);
        else if (result == RESULT_DONE)
            text_addf(&choice->stays, "%s%s stays as it is: nothing is staged", choice->stays.length ? "\n" : "",
                      app->name);
        if (result != RESULT_DONE)
            return result;
    }
    if (apps == 0)
        return admit_refuse(err, RESULT_NO_SUCH_APP,
                            "no app is in a group %s; [app] group_name = %s in its file puts it there", name, name);
    if (choice->count == 0)
        return admit_refuse(
            err, RESULT_REFUSED,
            "nothing is staged in group %s: \"bluegreen stage APP RELEASE\" first, for each app that is "
            "to move; what was live before comes back with \"bluegreen rollback --group %s\"",
            name, name);
    return RESULT_DONE;
}

/* "web and api" for "bluegreen rollback web", ... */
static void list_members(const struct group_move *move, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < move->count && used + 1 < size; i++) {
        snprintf(text + used, size - used, "%s%s", i ? ", " : "", move->members[i].app);
        used = strlen(text);
    }
}

static const char *moved_since(const struct app *app, const struct group_member *member)
{
    if (!app || member->zone < 0)
        return "another release was put into one of its zones, or it was removed";
    if (app->state != APP_RUNNING)
        return "it is stopped";
    return app->live == member->zone ? NULL : "it was switched by itself";
}

static enum wire_result choose_rollback(const struct asked *asked, struct group_choice *choice, struct error *err)
{
    const char *name = asked->request->app;
    const struct group_move *move = group_moves_find(&journal_fold(asked->agent->journal)->groups, name, GROUP_KEPT);
    char members[WIRE_TEXT_MAX];
    if (!move)
        return admit_refuse(err, RESULT_REFUSED,
                            "group %s was not switched as a group since any of its apps was released, so there is "
                            "nothing to undo together; \"bluegreen rollback APP\" goes back with one app",
                            name);
    list_members(move, members, sizeof members);
    for (size_t i = 0; i < move->count; i++) {
        struct app *app = app_find(asked->agent, move->members[i].app);
        enum wire_result busy = app ? admit_running(app, VERB_ROLLBACK, err) : RESULT_DONE;
        if (busy != RESULT_DONE)
            return busy;
        const char *why = moved_since(app, &move->members[i]);
        if (why)
            return admit_refuse(err, RESULT_REFUSED,
                                "group %s moved %s together, and since then of %s: %s; so that cannot be undone as a "
                                "whole: \"bluegreen rollback APP\" for each app that is to go back",
                                name, members, move->members[i].app, why);
        enum wire_result result = add(choice, app, asked->request, err);
        if (result != RESULT_DONE)
            return result;
    }
    return RESULT_DONE;
}

enum wire_result group_admit(const struct asked *asked, struct group_choice *choice, struct error *err)
{
    return asked->request->verb == VERB_SWITCH ? choose_switch(asked, choice, err)
                                               : choose_rollback(asked, choice, err);
}

/* --- the agent's own way back ------------------------------------------------------------------------- */

/* One that is no good would keep the one that has to go back from it. */
static bool can_go_back(const struct app *app, const struct group_member *member)
{
    if (moved_since(app, member) || operation_running(app))
        return false;
    const struct app_zone *target = &app->zones[colour_other((enum colour)app->live)];
    bool was_live = target->state == ZONE_STANDBY || target->state == ZONE_DRAINING || target->state == ZONE_FROZEN;
    return was_live && target->service && target->kernel && !target->closing && target->mark != MARK_BAD &&
           target->tracker.verdict != VERDICT_UNHEALTHY;
}

void group_choose_back(struct app *app, struct group_choice *choice, char name[APP_NAME_MAX + 1])
{
    const struct group_move *move = group_moves_of(&journal_fold(app->agent->journal)->groups, app->name, app->live);
    choice->routes[0] = (struct route){.app = app, .to = colour_other((enum colour)app->live)};
    choice->count = 1;
    for (size_t i = 0; move && i < move->count; i++) {
        struct app *other = app_find(app->agent, move->members[i].app);
        if (other && other != app && can_go_back(other, &move->members[i]))
            choice->routes[choice->count++] =
                (struct route){.app = other, .to = colour_other((enum colour)other->live)};
    }
    if (move)
        text_copy(name, APP_NAME_MAX + 1, move->name);
}
