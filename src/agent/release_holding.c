/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which releases on the disk are needed, and who may change them now. */
#include "agent/release.h"

#include "agent/admission.h"
#include "agent/operations.h"
#include "agent/releases.h"
#include "journal/journal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- what must stay ------------------------------------------------------------------------------ */

static int hold(struct words *held, const char *release)
{
    return release[0] ? words_add(held, release) : 0;
}

/* Of every app, and whatever directory it is from: two may share one, and a release that stays for nothing costs no
 * more than its place. */
static int hold_zones(const struct agent *agent, struct words *held)
{
    struct app *app;
    int result = 0;
    list_for_each(app, &agent->apps, link)
    {
        for (int colour = 0; result == 0 && colour < COLOURS; colour++) {
            if (app->zones[colour].state != ZONE_ABSENT)
                result = hold(held, app->zones[colour].release);
        }
        if (result == 0 && operation_running(app))
            result = hold(held, app->operation.release);
        const struct release_job *job = release_running(app);
        if (result == 0 && job)
            result = hold(held, job->release);
    }
    return result;
}

static bool made_live(const struct record *record)
{
    bool can = record->verb == VERB_DEPLOY || record->verb == VERB_SWITCH || record->verb == VERB_ROLLBACK ||
               record->verb == VERB_FAILOVER;
    return record->kind == RECORD_END && can && record->done && record->release[0];
}

struct previous {
    const char *live;
    char release[RELEASE_NAME_MAX + 1];
};

static int look_for_previous(void *context, const struct record *record, struct error *err)
{
    struct previous *previous = context;
    if (made_live(record) && strcmp(record->release, previous->live) != 0)
        text_copy(previous->release, sizeof previous->release, record->release);
    return 0;
}

/* The one that was live before: its zone may be gone by now. */
static int hold_previous(const struct release_job *job, struct words *held)
{
    const struct app *app = job->app;
    struct previous previous = {.live = app->live >= 0 ? app->zones[app->live].release : ""};
    const struct history_filter filter = {.app = app->name, .verb = HISTORY_ANY_VERB, .limit = WIRE_HISTORY_MAX};
    int result = journal_history(app->agent->journal, &filter, look_for_previous, &previous, NULL);
    return result == 0 && previous.release[0] ? hold(held, previous.release) : result;
}

int release_held(const struct release_job *job, struct words *held)
{
    int result = hold_zones(job->app->agent, held);
    return result == 0 ? hold_previous(job, held) : result;
}

/* --- who may ------------------------------------------------------------------------------------- */

static bool same_directory(const char *a, const char *b)
{
    struct stat first, second;
    if (strcmp(a, b) == 0)
        return true;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

static enum wire_result admit_directory(struct app *app, struct error *err)
{
    struct app *other;
    list_for_each(other, &app->agent->apps, link)
    {
        const struct release_job *job = release_running(other);
        if (!job || (other != app && !same_directory(job->directory, app->service->releases_dir)))
            continue;
        bool fetches = job->action == WIRE_RELEASE_FETCH;
        return admit_refuse(
            err, RESULT_BUSY,
            "%s is busy with its releases: %s %s %s, since %llu s; \"bluegreen attach %s\" waits for it, "
            "\"bluegreen abort %s\" ends it",
            other->name, job->who, fetches ? "is fetching" : "is pruning", fetches ? job->release : "them",
            (unsigned long long)(clock_monotonic_ms() - job->begun_ms) / 1000, other->name, other->name);
    }
    return RESULT_DONE;
}

enum wire_result release_admit(struct app *app, const struct wire_request *request, struct error *err)
{
    const struct service *service = app->service;
    const char *config = app->agent->options.config_dir;
    if (!service || !service->releases_dir)
        return admit_refuse(err, RESULT_REFUSED,
                            "nothing is known of where %s has its releases: write \"[releases] dir = /srv/...\" into "
                            "%s/apps/%s.conf",
                            app->name, config, app->name);
    if (request->action == WIRE_RELEASE_LIST)
        return RESULT_DONE;
    if (request->action == WIRE_RELEASE_FETCH && service->releases_fetch.count == 0)
        return admit_refuse(
            err, RESULT_REFUSED,
            "%s cannot fetch: write the command that does it as [releases] fetch into %s/apps/%s.conf, or "
            "put the release into %s/%s yourself",
            app->name, config, app->name, service->releases_dir, request->release);
    return admit_directory(app, err);
}

/* --- for a deploy -------------------------------------------------------------------------------- */

static bool is_doomed(const struct app *app, const char *release)
{
    struct app *other;
    list_for_each(other, &app->agent->apps, link)
    {
        const struct release_job *job = release_running(other);
        for (size_t i = 0; job && i < job->doomed.count; i++) {
            if (strcmp(job->doomed.items[i], release) == 0 &&
                same_directory(job->directory, app->service->releases_dir))
                return true;
        }
    }
    return false;
}

static enum wire_result missing(const struct app *app, const char *release, struct error *err)
{
    const struct service *service = app->service;
    const struct release_job *job = release_running(app);
    if (job && strcmp(job->release, release) == 0)
        return admit_refuse(err, RESULT_BUSY, "release %s of %s is being fetched; \"bluegreen attach %s\" waits for it",
                            release, app->name, app->name);
    if (service->releases_fetch.count > 0)
        return admit_refuse(
            err, RESULT_REFUSED,
            "release %s is not in %s: \"bluegreen release %s fetch %s\" brings it, \"bluegreen release %s "
            "list\" shows what is there",
            release, service->releases_dir, app->name, release, app->name);
    return admit_refuse(
        err, RESULT_REFUSED,
        "release %s is not in %s: put it there first; \"bluegreen release %s list\" shows what is there", release,
        service->releases_dir, app->name);
}

enum wire_result release_admit_staging(const struct app *app, const char *release, struct error *err)
{
    char path[PATH_MAX];
    struct stat status;
    if (!app->service || !app->service->releases_dir)
        return RESULT_DONE;
    if (is_doomed(app, release))
        return admit_refuse(err, RESULT_BUSY,
                            "release %s of %s is being removed by a prune; deploy another one, or fetch "
                            "it again",
                            release, app->name);
    snprintf(path, sizeof path, "%s/%s", app->service->releases_dir, release);
    if (stat(path, &status) == 0)
        return S_ISDIR(status.st_mode)
                   ? RESULT_DONE
                   : admit_refuse(err, RESULT_REFUSED, "%s is no directory, and a release is one", path);
    if (errno == ENOENT)
        return missing(app, release, err);
    return admit_refuse(err, RESULT_REFUSED, "look at %s: %s", path, strerror(errno));
}
