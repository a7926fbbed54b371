/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a canary allows and what it keeps others from, each refusal with what to do; and its end, when somebody asks for
 * it. Apart from admission.c because all of it is about the share. */
#include "agent/agent.h"

#include "agent/admission.h"
#include "agent/bake.h"
#include "agent/canary.h"
#include "agent/clients.h"
#include "agent/feeding.h"
#include "agent/holding.h"
#include "agent/operations.h"
#include "agent/queue.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "agent/steps.h"

/* It would lose clients who have come to it. */
enum wire_result admit_canary_free(struct app *app, struct error *err)
{
    const struct app_zone *zone = canary_zone(app);
    if (!zone)
        return RESULT_DONE;
    return admit_refuse(err, RESULT_REFUSED,
                        "%s has %u%% of the new %s of %s; \"bluegreen switch %s\" gives it all, \"bluegreen abort %s\" "
                        "takes them back",
                        zone->release, app->canary.percent, app->canary.sticky ? "clients" : "connections", app->name,
                        app->name, app->name);
}

/* Whoever is sent over must find there what there is here. */
static bool publishes_all(const struct service *live, const struct service *canary, const char **missing)
{
    for (size_t i = 0; i < live->port_count; i++) {
        *missing = live->ports[i].name;
        if (!service_publishes(canary, &live->ports[i]))
            return false;
    }
    return true;
}

enum wire_result admit_canary(struct app *app, enum colour target, struct error *err)
{
    const struct app_zone *zone = zone_of(app, target);
    const char *missing = "";
    if (app->live < 0)
        return admit_refuse(err, RESULT_REFUSED,
                            "nothing is live on %s that a canary could have a share of; \"bluegreen switch %s\" makes "
                            "%s live",
                            app->name, app->name, zone->release);
    if (app_holds(app))
        return admit_refuse(err, RESULT_REFUSED,
                            "%s has [switch] mode = hold, so that no two releases of it run at once; without --canary "
                            "the switch is for all",
                            app->name);
    if (zone_is_fed(zone_of(app, (enum colour)app->live)) || zone_is_fed(zone))
        return admit_refuse(err, RESULT_REFUSED,
                            "%s has [feed], and what clients want is done by the live release first, whichever they "
                            "come to; without --canary the switch is for all",
                            app->name);
    if (zone->state == ZONE_DRAINING || baking(app))
        return admit_refuse(err, RESULT_BUSY,
                            "the last switch of %s is not over: %s; \"bluegreen finish %s\" ends that", app->name,
                            baking(app) ? "its bake goes on" : "it drains", app->name);
    if (!zone->service || !publishes_all(app->zones[app->live].service, zone->service, &missing))
        return admit_refuse(err, RESULT_REFUSED,
                            "%s does not publish all that %s does ([ports] %s), and would refuse its share of those "
                            "clients; without --canary the switch is for all",
                            zone->release, app->zones[app->live].release, missing);
    return RESULT_DONE;
}

/* What undoes a switch undoes a canary: its share goes, whatever its release is. */
void handle_canary_back(const struct asked *asked, struct app *app)
{
    struct error err = {0};
    enum wire_result busy = admit_busy(app, &err);
    if (busy != RESULT_DONE) {
        request_refuse(asked, busy, err.text);
        return;
    }
    if (canary_take_back(app, client_name(asked->client), &err) < 0) {
        request_answer(asked, RESULT_REFUSED, err.text);
        return;
    }
    request_wait_for(asked, app, WAIT_OPERATION);
    queue_begins(asked);
    step_enter(app, operation_step(app));
}
