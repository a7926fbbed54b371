/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of releases on the disk: to who waits for it, in rows, and in the history. */
#include "agent/release.h"

#include "agent/api_role.h"
#include "agent/clients.h"
#include "agent/hook.h"
#include "agent/hooks.h"
#include "agent/records.h"
#include "agent/releases.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "base/cleanup.h"
#include "model/wire_answers.h"
#include "os/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 500 };

/* --- who waits ----------------------------------------------------------------------------------- */

struct release_watcher *release_watch(struct release_job *job, const struct asked *asked)
{
    const struct wire_header *header = &asked->request->header;
    struct release_watcher *watcher = calloc(1, sizeof *watcher);
    if (!watcher) {
        request_answer(asked, RESULT_FAILED, "out of memory; try again");
        return NULL;
    }
    *watcher = (struct release_watcher){
        .client = header->client, .request = header->request, .brief = !asked->client->may_operate};
    list_append(&job->watchers, &watcher->link);
    return watcher;
}

static void forget(struct release_watcher *watcher)
{
    list_remove(&watcher->link);
    free(watcher);
}

void releases_client_gone(struct agent *agent, uint64_t client)
{
    struct app *app;
    list_for_each(app, &agent->apps, link)
    {
        struct release_job *job;
        list_for_each(job, &app->release_jobs, link)
        {
            struct release_watcher *watcher;
            list_for_each(watcher, &job->watchers, link)
            {
                if (client == 0 || watcher->client == client)
                    forget(watcher);
            }
        }
    }
}

/* --- while it lasts ------------------------------------------------------------------------------ */

static void send_progress(struct release_job *job, const struct release_watcher *watcher, const char *text)
{
    static const char *const names[PHASES] = {
        [PHASE_MAKE] = "prepare",    [PHASE_FETCH] = "fetch", [PHASE_KEEP] = "keep",
        [PHASE_DISCARD] = "discard", [PHASE_LOOK] = "look",   [PHASE_PRUNE] = "prune"};
    uint64_t now = clock_monotonic_ms();
    struct wire_progress message = {.zone = COLOURS, .elapsed_ms = now - job->begun_ms};
    if (job->phase == PHASE_FETCH) {
        uint64_t waited = now - job->phase_ms;
        message.wait_ms = job->timeout_ms;
        message.waited_ms = waited < job->timeout_ms ? (uint32_t)waited : job->timeout_ms;
    }
    text_copy(message.step, sizeof message.step, names[job->phase]);
    text_copy(message.text, sizeof message.text, text);
    text_sanitise(message.text);
    client_send(job->app->agent, &message, watcher->client, watcher->request, WIRE_PROGRESS, sizeof message);
}

void release_progress(struct release_job *job, const char *text)
{
    struct release_watcher *watcher;
    list_for_each(watcher, &job->watchers, link) send_progress(job, watcher, text);
}

void release_output(struct release_job *job)
{
    static char text[HOOK_OUTPUT_MAX + 1]; /* one loop, one thread */
    char line[WIRE_TEXT_MAX + 1];
    struct release_watcher *watcher;
    hook_output_text(&job->output, text);
    text_copy(line, sizeof line, hook_last_line(text));
    if (!line[0] || strcmp(line, job->told) == 0)
        return;
    text_copy(job->told, sizeof job->told, line);
    list_for_each(watcher, &job->watchers, link)
    {
        if (!watcher->brief)
            send_progress(job, watcher, line);
    }
}

void releases_attach(const struct asked *asked, struct app *app)
{
    struct release_job *job = release_running(app);
    char text[WIRE_TEXT_MAX + 1];
    struct release_watcher *watcher = job ? release_watch(job, asked) : NULL;
    if (!watcher)
        return;
    snprintf(text, sizeof text, "%s %s, asked for by %s", wire_action_name(job->action), job->release, job->who);
    send_progress(job, watcher, text);
    if (job->told[0] && !watcher->brief)
        send_progress(job, watcher, job->told);
    release_listen(job);
}

/* --- rows ---------------------------------------------------------------------------------------- */

static void describe(const struct app *app, const struct release_entry *entry, char *text, size_t size)
{
    const struct release_job *job = release_running(app);
    text[0] = '\0';
    if (entry->kind == RELEASE_NEW)
        text_copy(text, size,
                  job && strcmp(job->release, entry->name) == 0 ? "being fetched"
                                                                : "incomplete: its fetch was interrupted");
    for (int colour = 0; entry->kind == RELEASE_WHOLE && colour < COLOURS; colour++) {
        const struct app_zone *zone = &app->zones[colour];
        size_t used = strlen(text);
        if (zone->state != ZONE_ABSENT && strcmp(zone->release, entry->name) == 0)
            snprintf(text + used, size - used, "%s%s in %s", used ? ", " : "", zone_state_name(zone->state),
                     colour_name(zone->colour));
    }
}

void release_items(struct release_job *job)
{
    size_t sent = 0, hidden = 0;
    for (size_t i = 0; i < job->list.count; i++) {
        const struct release_entry *entry = &job->list.items[i];
        struct wire_item item = {.unix_ms = entry->unix_ms};
        struct release_watcher *watcher;
        if (entry->kind == RELEASE_OLD)
            continue;
        if (sent++ >= ROWS_MAX) {
            hidden++;
            continue;
        }
        text_copy(item.kind, sizeof item.kind, "release");
        text_copy(item.name, sizeof item.name, entry->name);
        describe(job->app, entry, item.text, sizeof item.text);
        list_for_each(watcher, &job->watchers, link)
            client_send(job->app->agent, &item, watcher->client, watcher->request, WIRE_ITEM, sizeof item);
    }
    if (hidden > 0)
        text_addf(&job->notes, "\n%zu older ones are not shown", hidden);
}

/* --- the end ------------------------------------------------------------------------------------- */

static void add_removed(const struct release_job *job, struct text *text)
{
    if (job->removed.count == 0 && job->action == WIRE_RELEASE_PRUNE)
        text_addf(text, "%snothing to remove", text->length ? "; " : "");
    for (size_t i = 0; i < job->removed.count; i++)
        text_addf(text, "%s%s", i ? ", " : text->length ? "; removed " : "removed ", job->removed.items[i]);
}

/* One line for the history and the log. */
static void outcome(const struct release_job *job, struct text *text)
{
    text_add(text, "");
    if (job->failure[0])
        text_addf(text, "%s: %s", wire_action_name(job->action), job->failure);
    else if (job->action == WIRE_RELEASE_FETCH)
        text_addf(text, "%s is in %s", job->release, job->directory);
    if (!job->failure[0] || job->fetched || job->removed.count > 0)
        add_removed(job, text);
}

static void record_end_of(const struct release_job *job, const char *text)
{
    struct record record;
    record_init(&record, RECORD_END, job->app->name);
    record.verb = VERB_RELEASE;
    record.begun_unix_ms = job->begun_unix_ms;
    record.ms = clock_monotonic_ms() - job->begun_ms;
    record.done = !job->failure[0];
    text_copy(record.release, sizeof record.release, job->release);
    text_copy(record.who, sizeof record.who, job->who);
    text_copy(record.reason, sizeof record.reason, text);
    text_sanitise(record.reason);
    agent_record(job->app->agent, &record, NULL);
    if (job->failure[0])
        log_warning("%s: releases: %s", job->app->name, text);
    else
        log_notice("%s: releases: %s", job->app->name, text);
}

static void answer_all(struct release_job *job, const char *line, const char *more)
{
    const char *notes = job->notes.data ? job->notes.data : "";
    if (!line[0] && notes[0]) /* each begins a line */
        notes++;
    char text[WIRE_END_TEXT_MAX + 1];
    enum wire_result result = job->failure[0] ? RESULT_FAILED : RESULT_DONE;
    struct release_watcher *watcher;
    list_for_each(watcher, &job->watchers, link)
    {
        bool all = !watcher->brief;
        snprintf(text, sizeof text, "%.*s%s%s", all ? ERROR_TEXT_MAX : (int)strcspn(line, "\n"), line, all ? notes : "",
                 all ? more : "");
        reply_end(job->app->agent, watcher->client, watcher->request, result, text);
        forget(watcher);
    }
}

void release_end(struct release_job *job)
{
    CLEANUP_TEXT struct text line = {0}, more = {0};
    static char said[HOOK_OUTPUT_MAX + 1];
    outcome(job, &line);
    hook_output_text(&job->output, said);
    if (job->failure[0] && said[0])
        text_addf(&more, "\nThe command's last output:\n%s", said);
    const char *text = line.failed ? "out of memory" : line.data;
    if (release_changes(job))
        record_end_of(job, text);
    answer_all(job, text, more.failed || !more.data ? "" : more.data);
}
