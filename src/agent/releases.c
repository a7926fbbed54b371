/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VERB_RELEASE: the releases in an app's directory are listed, fetched and pruned. Beside the operations: a fetch may
 * take its time while a bake goes on. The directory is the app's user's, so all that is done there is done by processes
 * with that user's rights (release_work.c, and the configured command), one after the other; here is only the order.
 *
 * A fetch happens in .RELEASE.new, which becomes RELEASE when it is whole; a prune renames to .RELEASE.old and removes
 * that. So what carries a release's name is whole, whenever the agent dies, and the rest goes with the next fetch.
 */
#include "agent/releases.h"

#include "agent/admission.h"
#include "agent/clients.h"
#include "agent/records.h"
#include "agent/release.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "base/cleanup.h"
#include "os/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LISTS_MAX = 8, /* at one time */
};

struct release_job *release_running(const struct app *app)
{
    struct release_job *job;
    list_for_each(job, &app->release_jobs, link)
    {
        if (release_changes(job) && !job->given_up)
            return job;
    }
    return NULL;
}

/* --- beginning ----------------------------------------------------------------------------------- */

static int prepare(struct release_job *job, const struct service *service, struct error *err)
{
    bool fetches = job->action == WIRE_RELEASE_FETCH;
    char name[RELEASE_ENTRY_MAX];
    CLEANUP_TEXT struct text place = {0};
    text_addf(&place, "%s/%s", service->releases_dir, release_entry_name(RELEASE_NEW, job->release, name));
    job->directory = strdup(service->releases_dir);
    job->place = steal_ptr(&place.data);
    job->timer = loop_timer_new(job->app->agent->loop, release_on_timer, job);
    if (!job->directory || place.failed || !job->place || !job->timer)
        return error_errno(err, ENOMEM, "%s releases", wire_action_name(job->action));
    job->keep = service->releases_keep;
    job->timeout_ms = service->releases_timeout_ms;
    return releases_resolve(service, fetches ? job->release : NULL, job->place, &job->resolved, err);
}

static struct release_job *job_new(struct app *app, const struct asked *asked)
{
    struct release_job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    *job = (struct release_job){
        .app = app,
        .action = (enum wire_action)asked->request->action,
        .begun_ms = clock_monotonic_ms(),
        .begun_unix_ms = clock_unix_ms(),
        .child = {.pidfd = -1, .status = -1},
        .said = -1,
        .output = {.fd = -1},
    };
    text_copy(job->release, sizeof job->release, asked->request->release);
    text_copy(job->who, sizeof job->who, client_name(asked->client));
    list_init(&job->watchers);
    list_append(&app->release_jobs, &job->link);
    return job;
}

/* Into the journal before anything is touched, so that one that the agent's death interrupts is in the history. */
static int record_beginning(const struct release_job *job, struct error *err)
{
    struct record record;
    if (!release_changes(job))
        return 0;
    int result = record_app(job->app, err);
    if (result < 0)
        return result;
    record_init(&record, RECORD_RELEASES, job->app->name);
    record.begun_unix_ms = job->begun_unix_ms;
    text_copy(record.release, sizeof record.release, job->release);
    text_copy(record.who, sizeof record.who, job->who);
    return agent_record(job->app->agent, &record, err);
}

static void begin(const struct asked *asked, struct app *app)
{
    struct error err = {0};
    struct release_job *job = job_new(app, asked);
    if (!job || prepare(job, app->service, &err) < 0 || record_beginning(job, &err) < 0) {
        request_answer(asked, RESULT_FAILED, job ? err.text : "out of memory");
        if (job)
            release_free(job);
        return;
    }
    release_watch(job, asked); /* without memory for it, it goes on, and the client was told */
    if (release_changes(job))
        log_notice("%s: release %s%s%s, asked for by %s", app->name, wire_action_name(job->action),
                   job->release[0] ? " " : "", job->release, job->who);
    release_enter(job, job->action == WIRE_RELEASE_FETCH ? PHASE_MAKE : PHASE_LOOK);
}

static size_t count_jobs(const struct app *app)
{
    struct release_job *job;
    size_t count = 0;
    list_for_each(job, &app->release_jobs, link) count++;
    return count;
}

void handle_release(const struct asked *asked, struct app *app)
{
    struct error err = {0};
    enum wire_result result = release_admit(app, asked->request, &err);
    if (result == RESULT_DONE && count_jobs(app) > LISTS_MAX)
        result = admit_refuse(&err, RESULT_BUSY, "too many ask for the releases of %s at once; try again", app->name);
    if (result != RESULT_DONE)
        request_answer(asked, result, err.text);
    else
        begin(asked, app);
}

bool releases_abort(const struct asked *asked, struct app *app)
{
    struct release_job *job = release_running(app);
    char text[2 * WIRE_TEXT_MAX];
    if (!job)
        return false;
    if (job->phase == PHASE_MAKE || job->phase == PHASE_FETCH) {
        release_set_failure(job, "aborted by %s", client_name(asked->client));
        job->aborted = true;
        release_kill(job);
        snprintf(text, sizeof text, "the fetch of %s for %s is aborted; what has come of it is removed", job->release,
                 app->name);
        request_answer(asked, RESULT_DONE, text);
        return true;
    }
    snprintf(text, sizeof text,
             "the releases of %s are being put in order, which cannot be aborted; \"bluegreen attach "
             "%s\" waits for it",
             app->name, app->name);
    request_answer(asked, RESULT_REFUSED, text);
    return true;
}

/* --- the agent's end and beginning --------------------------------------------------------------- */

bool releases_changing(const struct app *app)
{
    return release_running(app) != NULL;
}

void releases_dispose(struct app *app)
{
    struct release_job *job;
    list_for_each(job, &app->release_jobs, link)
    {
        if (job->exit_source)
            command_kill(&job->child);
        release_set_failure(job, "it was ended with the agent, or with the app");
        if (!job->given_up)
            release_end(job);
        release_free(job);
    }
}

void releases_recover(struct app *app, const struct folded_app *folded)
{
    const struct folded_releases *was = &folded->releases;
    struct record record;
    if (was->since_unix_ms == 0)
        return;
    record_init(&record, RECORD_END, app->name);
    record.verb = VERB_RELEASE;
    record.begun_unix_ms = was->since_unix_ms;
    text_copy(record.release, sizeof record.release, was->release);
    text_copy(record.who, sizeof record.who, was->who);
    snprintf(record.reason, sizeof record.reason,
             "%s: the agent ended before it was done; what is left of it goes with "
             "the next fetch or prune",
             was->release[0] ? "fetch" : "prune");
    agent_record(app->agent, &record, NULL);
    log_notice("%s: release %s", app->name, record.reason);
}
