/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a breach to the release that was live before. Apart from bake.c because it need not be there, or be any better:
 * then there is nothing to do but say so. */
#include "agent/bake.h"

#include "agent/agent.h"
#include "agent/giving_way.h"
#include "agent/groups.h"
#include "agent/hooks.h"
#include "agent/operations.h"
#include "agent/progress.h"
#include "agent/schema.h"
#include "os/log.h"

#include <stdio.h>

static const char who[] = "bluegreen (bake)";

void bake_say_stuck(struct app *app, const char *why)
{
    struct bake_run *bake = &app->bake;
    bool said = bake->stuck[0];
    snprintf(bake->stuck, sizeof bake->stuck, "%.*s", WIRE_TEXT_MAX, why);
    if (said)
        return;
    log_error("%s/%s: %s is bad and STAYS LIVE: %s; it is bad because: %s", app->name, colour_name(bake->zone),
              bake_zone(app)->release, why, bake->breach);
    char text[2 * WIRE_TEXT_MAX];
    snprintf(text, sizeof text, "%s is bad and stays live: %s; it is bad because: %.200s", bake_zone(app)->release, why,
             bake->breach);
    progress(app, bake->zone, "bake", "%s", text);
    if (hook_configured(bake_zone(app), HOOK_ON_FAILURE))
        hook_run(bake_zone(app), HOOK_ON_FAILURE, text, NULL, NULL);
}

bool bake_way_back(struct app *app, char *why, size_t size)
{
    struct error err = {0};
    struct app_zone *target = zone_of(app, colour_other(app->bake.zone));
    const struct verdict_tracker *tracker = &target->tracker;
    if (!zone_was_live(target))
        snprintf(why, size, "there is nothing to switch back to: zone %s is %s%s%.150s", colour_name(target->colour),
                 zone_state_name(target->state), target->expired ? ": " : "", target->expired ? target->reason : "");
    else if (target->mark == MARK_BAD)
        snprintf(why, size, "%s is bad, too: %.150s", target->release, target->mark_reason);
    else if (schema_admits(app, target, &err) < 0)
        text_copy(why, size, err.text);
    else if (app->bake.tried && (tracker->verdict != VERDICT_HEALTHY ||
                                 !verdict_fresh(tracker, &target->service->health, loop_now_ms(app->agent->loop))))
        snprintf(why, size, "%s is not healthy: %s", target->release,
                 target->state == ZONE_RESTING ? "it rests, and was tried" : tracker->last.detail);
    else
        return true;
    return false;
}

/* The gate of the rollback costs no time while the standby's verdict is fresh. The first attempt is made whatever the
 * verdict is, so that the history tells of it; further ones when it can succeed. */
void bake_switch_back(struct app *app)
{
    struct bake_run *bake = &app->bake;
    struct error err = {0};
    char why[WIRE_TEXT_MAX + 1];
    if (loop_now_ms(app->agent->loop) < bake->again_ms)
        return;
    bool back = bake_way_back(app, why, sizeof why);
    if (operation_running(app) && back)
        operation_gives_way(app, bake->breach);
    if (operation_running(app) || !bake->breach[0])
        return; /* an operation's end wakes us */
    if (!back) {
        bake_say_stuck(app, why);
        return;
    }
    bake->tried = true;
    if (group_back(app, who, bake->breach, &err) < 0)
        bake_say_stuck(app, err.text);
}
