/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations that end because something matters more. Apart from operations.c because each of them says what may end
 * how, and for whom. */
#include "agent/giving_way.h"

#include "agent/agent.h"
#include "agent/operations.h"

#include <stdio.h>

/* How one ends that may: as what fails, if that made the bad release live, else as what never was, or is done. A group
 * is not torn apart for one of its apps. */
static bool gives_way_by(const struct app *app, enum step_event *event)
{
    const struct operation *operation = &app->operation;
    enum step step = operation_step(app);
    bool hook = step == STEP_PRE_ROLLBACK || step == STEP_PRE_SWITCH || step == STEP_ON_FAILURE;
    *event = step == STEP_POST_SWITCH ? EVENT_FAILED : step == STEP_POST_ROLLBACK ? EVENT_DONE : EVENT_ABORT;
    return operation->verb == VERB_TEST || *event != EVENT_ABORT ||
           (hook && !operation->new_release && !operation->group);
}

bool operation_may_give_way(const struct app *app)
{
    enum step_event event;
    return gives_way_by(app, &event);
}

bool operation_gives_way(struct app *app, const char *why)
{
    char reason[2 * WIRE_TEXT_MAX];
    enum step_event event;
    if (!operation_running(app))
        return false;
    if (!gives_way_by(app, &event))
        return true;
    snprintf(reason, sizeof reason, "it gives way, because %s is bad: %s", app->zones[app->live].release, why);
    operation_event(app, event, event == EVENT_FAILED ? why : event == EVENT_DONE ? NULL : reason);
    return true;
}

bool operation_can_be_left(const struct app *app, enum wire_verb verb)
{
    return verb == VERB_ROLLBACK && operation_step(app) == STEP_POST_SWITCH;
}

void operation_take_back(struct app *app, const char *reason)
{
    app->operation.taken_back = true;
    operation_event(app, EVENT_ABORT, reason);
}

void operation_leave(struct app *app, const char *who)
{
    char reason[WIRE_TEXT_MAX];
    snprintf(reason, sizeof reason, "ended in step %s, because %s asked for a rollback", step_name(operation_step(app)),
             who);
    operation_take_back(app, reason);
}
