/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VERB_DIFF: both zones side by side. What is configured and what the host made of it is compared at once; the files of
 * the releases and what their processes have loaded are read by bluegreen-digest, two at a time, and compared as they
 * come (diff_files.c). Nothing here changes anything, and nobody waits for it but who asked.
 */
#include "agent/diff.h"

#include "agent/admission.h"
#include "agent/api_role.h"
#include "agent/diffs.h"
#include "agent/digests.h"
#include "agent/parity.h"
#include "agent/processes.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "base/cleanup.h"
#include "conf/effective.h"
#include "model/wire_answers.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- telling -------------------------------------------------------------------------------------- */

void diff_send(struct diff *diff, const char *kind, const char *name, const char *blue, const char *green,
               const char *text)
{
    struct wire_item item = {0};
    text_copy(item.kind, sizeof item.kind, kind);
    text_copy(item.name, sizeof item.name, name);
    text_copy(item.values[BLUE], sizeof item.values[BLUE], blue);
    text_copy(item.values[GREEN], sizeof item.values[GREEN], green);
    text_copy(item.text, sizeof item.text, text);
    text_sanitise(item.name);
    text_sanitise(item.values[BLUE]);
    text_sanitise(item.values[GREEN]);
    text_sanitise(item.text);
    client_send(diff->agent, &item, diff->client, diff->request, WIRE_ITEM, sizeof item);
}

void diff_found(void *context, const struct parity_difference *difference)
{
    struct diff *diff = context;
    if (difference->of == PARITY_RELEASE)
        diff->of_release++;
    else
        diff->beyond++;
    diff_send(diff, "difference", difference->name, difference->values[BLUE], difference->values[GREEN],
              parity_of_name(difference->of));
}

void diff_unknown(struct diff *diff, const char *name, const char *format, ...)
{
    char text[2 * WIRE_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    diff->unknown++;
    diff_send(diff, "unknown", name, "", "", text);
}

/* --- the end -------------------------------------------------------------------------------------- */

static void diff_free(struct diff *diff)
{
    diff_drop_runs(diff);
    for (int colour = 0; colour < COLOURS; colour++) {
        words_clear(&diff->sides[colour].pids);
        free(diff->sides[colour].directory);
        free(diff->sides[colour].groups);
    }
    loop_timer_free(diff->timer);
    text_clear(&diff->notes);
    list_remove(&diff->link);
    free(diff);
}

void diff_finish(struct diff *diff)
{
    CLEANUP_TEXT struct text text = {0};
    if (diff->notes.length && !diff->notes.failed)
        text_addf(&text, "%s\n", diff->notes.data);
    text_addf(&text, "%u difference%s beyond the release, %u of the release", diff->beyond,
              diff->beyond == 1 ? "" : "s", diff->of_release);
    if (diff->unknown)
        text_addf(&text, "; %u thing%s could not be compared", diff->unknown, diff->unknown == 1 ? "" : "s");
    reply_end(diff->agent, diff->client, diff->request, RESULT_DONE, text.failed ? "" : text.data);
    diff_free(diff);
}

void diffs_client_gone(struct agent *agent, uint64_t client)
{
    struct diff *diff;
    list_for_each(diff, &agent->diffs, link)
    {
        if (client == 0 || diff->client == client)
            diff_free(diff);
    }
}

void diffs_dispose(struct agent *agent)
{
    diffs_client_gone(agent, 0);
    digests_dispose(agent);
}

/* --- the beginning of all ---------------------------------------------------------------------------------- */

static int add_pid(struct words *pids, const struct zone_app *process)
{
    char text[16];
    if (!process || process->pid <= 0)
        return 0;
    snprintf(text, sizeof text, "%d", (int)process->pid);
    return words_add(pids, text);
}

/* What runs in the live zone only is in none of the other's business. */
static int fill_pids(const struct app_zone *zone, struct words *pids)
{
    int result = add_pid(pids, zone_app(zone->kernel));
    for (size_t i = 0; result == 0 && i < zone->service->process_count; i++) {
        if (!zone->service->processes[i].live_only)
            result = add_pid(pids, worker_app(zone, i + 1));
    }
    return result;
}

static int fill_side(struct diff *diff, const struct app_zone *zone, const struct parity_zone *parity,
                     struct error *err)
{
    struct diff_side *side = &diff->sides[zone->colour];
    const struct resolved *resolved = parity->resolved;
    int result = conf_release_directory(parity->service, parity->release, parity->colour, &side->directory, err);
    if (result == 0 && zone->kernel && !zone->closing)
        result = fill_pids(zone, &side->pids);
    if (result < 0 || !resolved)
        return result;
    side->uid = resolved->uid;
    side->gid = resolved->gid;
    side->groups = calloc(resolved->group_count + 1, sizeof *side->groups);
    if (!side->groups)
        return error_errno(err, ENOMEM, "compare the zones");
    for (size_t i = 0; i < resolved->group_count; i++)
        side->groups[side->group_count++] = resolved->groups[i];
    side->known = true;
    return 0;
}

static int compare_both(struct diff *diff, struct app *app, struct error *err)
{
    CLEANUP(parity_zone_clear) struct parity_zone blue = {0};
    CLEANUP(parity_zone_clear) struct parity_zone green = {0};
    struct parity_zone *both[COLOURS] = {&blue, &green};
    int result = 0;
    for (int colour = 0; colour < COLOURS; colour++) {
        const struct app_zone *zone = &app->zones[colour];
        struct error unknown = {0};
        if (parity_zone_init(both[colour], zone->service, zone->release, zone->colour, zone->resolved, &unknown) < 0)
            diff_unknown(diff, "host", "zone %s: %s", colour_name(zone->colour), unknown.text);
        if (result == 0)
            result = fill_side(diff, zone, both[colour], err);
    }
    return result < 0 ? result : parity_zones_compare(&blue, &green, diff_found, diff, err);
}

/* How they were limited is no key: what the host could not do is left out by [limits] required = no. */
static void compare_limits(struct diff *diff, const struct app *app)
{
    const struct app_zone *blue = &app->zones[BLUE], *green = &app->zones[GREEN];
    static const char *const words[] = {"set", "not set: the host could not"};
    if (!blue->kernel || !green->kernel || blue->unlimited == green->unlimited)
        return;
    diff->beyond++;
    diff_send(diff, "difference", "host.limits", words[blue->unlimited], words[green->unlimited],
              parity_of_name(PARITY_HOST));
}

static struct diff *diff_new(const struct asked *asked, const struct app *app)
{
    struct diff *diff = calloc(1, sizeof *diff);
    if (!diff)
        return NULL;
    *diff = (struct diff){
        .agent = asked->agent,
        .client = asked->request->header.client,
        .request = asked->request->header.request,
        .began_ms = clock_monotonic_ms(),
        .said_ms = clock_monotonic_ms(),
    };
    list_init(&diff->link);
    text_copy(diff->app, sizeof diff->app, app->name);
    diff->timer = loop_timer_new(asked->agent->loop, diff_go_on, diff);
    if (!diff->timer) {
        free(diff);
        return NULL;
    }
    list_append(&asked->agent->diffs, &diff->link);
    return diff;
}

/* Against the file as it is on the disk now: what a deploy of the same release would give the empty zone. */
static int compare_with_file(struct diff *diff, const struct app_zone *zone, struct error *err)
{
    CLEANUP_WORDS struct words problems = {0};
    CLEANUP_SERVICE struct service service = {0};
    CLEANUP(parity_zone_clear) struct parity_zone present = {0};
    CLEANUP(parity_zone_clear) struct parity_zone would = {0};
    enum colour other = colour_other(zone->colour);
    struct error unknown = {0};
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/apps/%s.conf", diff->agent->options.config_dir, diff->app);
    if (conf_load_app(path, &service, &problems) < 0)
        return error_set(err, EINVAL, "zone %s is empty, and the file that would fill it is not right: %s",
                         colour_name(other), problems.count ? problems.items[0] : path);
    int result = parity_zone_init(&present, zone->service, zone->release, zone->colour, zone->resolved, &unknown);
    if (parity_zone_init(&would, &service, zone->release, other, NULL, &unknown) < 0 || result < 0)
        diff_unknown(diff, "host", "%s", unknown.text);
    text_addf(&diff->notes, "zone %s is empty: compared with what %s would make of %s there", colour_name(other), path,
              zone->release);
    return parity_zones_compare(&present, &would, diff_found, diff, err);
}

static enum wire_result refuse(const struct app *app, const struct asked *asked, struct error *err)
{
    struct diff *diff;
    if (!app->zones[BLUE].service && !app->zones[GREEN].service)
        return admit_refuse(err, RESULT_REFUSED,
                            "%s has nothing to compare: no zone of it holds a release; deploy one first", app->name);
    list_for_each(diff, &asked->agent->diffs, link)
    {
        if (strcmp(diff->app, app->name) == 0)
            return admit_refuse(err, RESULT_BUSY, "the zones of %s are being compared for somebody else; try again",
                                app->name);
    }
    return RESULT_DONE;
}

void handle_diff(const struct asked *asked, struct app *app)
{
    struct error err = {0};
    enum wire_result refused = refuse(app, asked, &err);
    if (refused != RESULT_DONE) {
        request_answer(asked, refused, err.text);
        return;
    }
    bool both = app->zones[BLUE].service && app->zones[GREEN].service;
    struct diff *diff = diff_new(asked, app);
    if (!diff) {
        request_answer(asked, RESULT_FAILED, "out of memory; try again");
        return;
    }
    int result = both ? compare_both(diff, app, &err)
                      : compare_with_file(diff, &app->zones[app->zones[BLUE].service ? BLUE : GREEN], &err);
    if (result < 0) {
        request_answer(asked, RESULT_FAILED, err.text);
        diff_free(diff);
        return;
    }
    if (both)
        compare_limits(diff, app);
    diff->phase = both ? DIFF_FILES : DIFF_PHASES;
    diff_next_phase(diff);
}
