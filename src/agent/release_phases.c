/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done to releases on the disk, one thing after the other, each in a process with the app's user's rights and
 * with a time at which it is killed. What is asked for, and when that is granted, is releases.c's. */
#include "agent/release.h"

#include "agent/hook.h"
#include "agent/release_work.h"
#include "agent/waiting.h"
#include "base/cleanup.h"
#include "os/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    WORK_MS = 600000, /* for removing the largest of trees from the slowest of disks */
    TICK_MS = 500,    /* how often the command's last line is passed on */
    GRACE_MS = 5000,  /* from the kill to giving up on who hangs in the kernel */
};

/* --- the end ------------------------------------------------------------------------------------- */

void release_free(struct release_job *job)
{
    list_remove(&job->link);
    hook_output_close(&job->output);
    loop_remove_fd(job->exit_source);
    loop_timer_free(job->timer);
    command_forget(&job->child);
    close_fd(&job->said);
    resolved_clear(&job->resolved);
    releases_clear(&job->list);
    words_clear(&job->doomed);
    words_clear(&job->removed);
    text_clear(&job->notes);
    free(job->directory);
    free(job->place);
    free(job);
}

static void finish(struct release_job *job)
{
    struct agent *agent = job->app->agent;
    hook_output_close(&job->output);
    release_end(job);
    release_free(job);
    changed(agent);
}

void release_set_failure(struct release_job *job, const char *format, ...)
{
    va_list arguments;
    if (job->failure[0])
        return;
    va_start(arguments, format);
    vsnprintf(job->failure, sizeof job->failure, format, arguments);
    va_end(arguments);
    text_sanitise(job->failure);
}

/* What was begun for a release that did not come is removed; of one that came only what follows is left undone. */
static void fail(struct release_job *job, const char *why)
{
    bool cut_short = job->phase == PHASE_MAKE && (job->late || job->aborted);
    bool has_place = job->phase == PHASE_FETCH || job->phase == PHASE_KEEP || cut_short;
    release_set_failure(job, "%s", why);
    if (has_place)
        release_enter(job, PHASE_DISCARD);
    else
        finish(job);
}

/* --- what came of a phase ------------------------------------------------------------------------ */

/* What the child has said; it is our code, and writes no more than this. The caller's. */
static char *read_said(struct release_job *job, size_t *length)
{
    off_t size = lseek(job->said, 0, SEEK_END);
    *length = 0;
    if (size < 0 || size > (off_t)RELEASES_TEXT_MAX)
        return NULL;
    char *text = malloc((size_t)size + 1);
    ssize_t got = text ? pread(job->said, text, (size_t)size, 0) : -1;
    if (got != size) {
        free(text);
        return NULL;
    }
    text[got] = '\0';
    *length = (size_t)got;
    return text;
}

static void looked(struct release_job *job)
{
    CLEANUP_WORDS struct words held = {0};
    struct error err = {0};
    size_t length;
    CLEANUP_FREE char *text = read_said(job, &length);
    if (!text || releases_parse(text, length, &job->list, &err) < 0) {
        fail(job, text ? err.text : "read the list of releases: out of memory");
        return;
    }
    if (job->action == WIRE_RELEASE_LIST) {
        release_items(job);
        finish(job);
        return;
    }
    if (release_held(job, &held) < 0) {
        fail(job, "find out which releases are needed: the journal cannot be read, or memory is out");
        return;
    }
    releases_choose(&job->list, job->keep, &held);
    for (size_t i = 0; i < job->list.count; i++) {
        if (job->list.items[i].goes && words_add(&job->doomed, job->list.items[i].name) < 0)
            break; /* the next prune has it */
    }
    release_enter(job, PHASE_PRUNE);
}

/* "removed NAME", "kept NAME WHY", "left NAME WHY". */
static void take_pruned(struct release_job *job, char *line)
{
    char *name = strchr(line, ' '), *why = name ? strchr(name + 1, ' ') : NULL;
    if (!name)
        return;
    *name++ = '\0';
    if (why)
        *why++ = '\0';
    if (!release_name_valid(name))
        return;
    if (strcmp(line, "removed") == 0) {
        words_add(&job->removed, name);
        return;
    }
    text_sanitise(why ? why : name);
    bool gone = strcmp(line, "left") == 0;
    text_addf(&job->notes, gone ? "\n%s is gone, but not all that was in it could be removed: %s" : "\n%s stays: %s",
              name, why ? why : "");
}

static void pruned(struct release_job *job)
{
    size_t length;
    CLEANUP_FREE char *text = read_said(job, &length);
    for (char *line = text; line && *line;) {
        char *newline = strchr(line, '\n');
        if (newline)
            *newline = '\0';
        take_pruned(job, line);
        line = newline ? newline + 1 : NULL;
    }
    finish(job);
}

static void phase_done(struct release_job *job)
{
    switch (job->phase) {
    case PHASE_MAKE: release_enter(job, PHASE_FETCH); break;
    case PHASE_FETCH: release_enter(job, PHASE_KEEP); break;
    case PHASE_KEEP:
        job->fetched = true;
        release_enter(job, PHASE_LOOK);
        break;
    case PHASE_DISCARD: finish(job); break;
    case PHASE_LOOK: looked(job); break;
    case PHASE_PRUNE: pruned(job); break;
    case PHASES: break;
    }
}

static void describe_end(struct release_job *job, const struct command_end *end, char *text, size_t size)
{
    size_t length;
    CLEANUP_FREE char *said = job->said >= 0 ? read_said(job, &length) : NULL;
    if (job->late)
        snprintf(text, size, "killed after %u s", (job->phase == PHASE_FETCH ? job->timeout_ms : WORK_MS) / 1000);
    else if (end->failed)
        snprintf(text, size, "%s: %s", end->failed, strerror(end->error));
    else if (end->signalled)
        snprintf(text, size, "ended by signal %d (%s)", end->value, strsignal(end->value));
    else if (said && said[0])
        snprintf(text, size, "%.*s", (int)strcspn(said, "\n"), said);
    else
        snprintf(text, size, "exit status %d", end->value);
}

static void on_exit_of_child(void *context, int fd, uint32_t events)
{
    struct release_job *job = context;
    struct command_end end;
    char text[ERROR_TEXT_MAX];
    (void)fd;
    (void)events;
    loop_remove_fd(job->exit_source);
    job->exit_source = NULL;
    loop_timer_disarm(job->timer);
    command_collect(&job->child, &end);
    if (job->given_up) {
        release_free(job);
        return;
    }
    if (job->phase == PHASE_FETCH)
        release_output(job);
    bool well = !job->late && !end.failed && !end.signalled && end.value == 0;
    if (!well)
        describe_end(job, &end, text, sizeof text);
    if (job->aborted && job->failure[0])
        fail(job, job->failure);
    else if (well)
        phase_done(job);
    else
        fail(job, text);
}

/* --- time ---------------------------------------------------------------------------------------- */

static uint64_t limit_of(const struct release_job *job)
{
    return job->phase == PHASE_FETCH ? job->timeout_ms : WORK_MS;
}

static void arm(struct release_job *job)
{
    uint64_t passed = clock_monotonic_ms() - job->phase_ms, limit = limit_of(job);
    uint64_t left = passed < limit ? limit - passed : 0;
    bool ticks = job->phase == PHASE_FETCH && left > TICK_MS && !list_empty(&job->watchers);
    loop_timer_arm(job->timer, ticks ? TICK_MS : left);
}

void release_kill(struct release_job *job)
{
    command_kill(&job->child);
    loop_timer_arm(job->timer, GRACE_MS);
}

static void give_up(struct release_job *job)
{
    log_error("%s: a process for its releases was killed and does not end; it hangs in the kernel", job->app->name);
    release_set_failure(job, "killed, and it does not end: it hangs in the kernel");
    release_end(job);
    job->given_up = true;
}

void release_on_timer(void *context)
{
    struct release_job *job = context;
    bool killed = job->late || job->aborted;
    if (killed) {
        give_up(job);
        return;
    }
    if (job->phase == PHASE_FETCH)
        release_output(job);
    if (clock_monotonic_ms() - job->phase_ms < limit_of(job)) {
        arm(job);
        return;
    }
    job->late = true;
    release_kill(job);
}

void release_listen(struct release_job *job)
{
    if (job->phase == PHASE_FETCH && !job->late && !job->aborted)
        arm(job);
}

/* --- beginning a phase --------------------------------------------------------------------------- */

static int start_child(struct release_job *job, struct command_spec *spec, struct error *err)
{
    spec->uid = job->resolved.uid;
    spec->gid = job->resolved.gid;
    spec->groups = job->resolved.groups;
    spec->group_count = job->resolved.group_count;
    int result = command_start(spec, &job->child, err);
    if (result < 0)
        return result;
    job->exit_source = loop_add_fd(job->app->agent->loop, job->child.pidfd, EPOLLIN, on_exit_of_child, job);
    if (job->exit_source)
        return 0;
    command_kill(&job->child);
    command_forget(&job->child);
    return error_errno(err, ENOMEM, "watch a process");
}

static int start_work(struct release_job *job, struct error *err)
{
    static int (*const works[PHASES])(const void *) = {[PHASE_MAKE] = release_work_make,
                                                       [PHASE_KEEP] = release_work_keep,
                                                       [PHASE_DISCARD] = release_work_discard,
                                                       [PHASE_LOOK] = release_work_list,
                                                       [PHASE_PRUNE] = release_work_prune};
    const struct release_work work = {.directory = job->directory, .release = job->release, .doomed = &job->doomed};
    close_fd(&job->said);
    job->said = memfd_create("bluegreen-releases", MFD_CLOEXEC);
    if (job->said < 0)
        return error_errno(err, errno, "make a file for what it says");
    struct command_spec spec = {.work = works[job->phase], .context = &work, .workdir = "/", .output = job->said};
    return start_child(job, &spec, err);
}

static int start_fetch(struct release_job *job, struct error *err)
{
    CLEANUP_FD int writer = -1;
    const struct resolved *resolved = &job->resolved;
    close_fd(&job->said);
    int result = hook_output_open(&job->output, job->app->agent->loop, resolved->uid, resolved->gid, &writer, err);
    if (result < 0)
        return result;
    struct command_spec spec = {.argv = resolved->argv.items,
                                .environment = resolved->environment.items,
                                .workdir = job->place,
                                .output = writer};
    return start_child(job, &spec, err);
}

/* A copy of the agent starts what is to be done: it is seen as soon as it has ended, also at once. */
void release_enter(struct release_job *job, enum release_phase phase)
{
    struct error err = {0};
    char text[2 * WIRE_TEXT_MAX];
    job->phase = phase;
    job->phase_ms = clock_monotonic_ms();
    job->late = job->aborted = false;
    if (phase == PHASE_FETCH) {
        snprintf(text, sizeof text, "%s runs in %s", job->resolved.argv.items[0], job->place);
        release_progress(job, text);
    } else if (phase == PHASE_PRUNE && job->doomed.count > 0) {
        snprintf(text, sizeof text, "%zu of %zu releases are removed", job->doomed.count, job->list.count);
        release_progress(job, text);
    }
    if ((phase == PHASE_FETCH ? start_fetch(job, &err) : start_work(job, &err)) < 0)
        fail(job, err.text);
    else
        arm(job);
}
