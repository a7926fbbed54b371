/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of processes: what is to run, starting it, and what it says of itself. */
#include "shim/child.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "os/clock.h"
#include "shim/shim.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
    STDIO_FDS = 3,
    NOTIFIED_APART_MS = 100,
};

/* --- the table ---------------------------------------------------------------------------------- */

static void empty(struct child *child)
{
    *child = (struct child){.cgroup = -1, .pidfd = -1, .notify = -1, .capture = -1};
}

void child_table(struct shim *shim)
{
    for (size_t i = 0; i < SHIM_PROCESSES_MAX; i++)
        empty(&shim->children[i]);
    shim->children[0].used = true;
}

struct child *child_find(struct shim *shim, const char *name)
{
    for (size_t i = 0; i < SHIM_PROCESSES_MAX; i++) {
        if (shim->children[i].used && text_equal(shim->children[i].name, name ? name : ""))
            return &shim->children[i];
    }
    return NULL;
}

void child_forget_start(struct shim *shim, struct child *child)
{
    shim_start_clear(&child->start);
    free(child->message);
    child->message = NULL;
    child->group = 0;
    close_fd(&child->cgroup);
    notify_close(shim, child);
}

void child_drop(struct shim *shim, struct child *child)
{
    child_forget_start(shim, child);
    close_fd(&child->pidfd);
    unwatch_fd(shim, &child->capture);
    empty(child);
}

/* Where a process of that name goes: its own entry if it does not run, or a free one. */
static int find_place(struct shim *shim, const struct shim_start *start, struct child **place)
{
    *place = child_find(shim, start->process);
    if (shim->leaving || shim->stopping || shim->frozen)
        return -EBUSY;
    if (*place)
        return (*place)->pid || (*place)->state.phase == SHIM_STOPPING ? -EBUSY : 0;
    for (size_t i = 0; i < SHIM_PROCESSES_MAX; i++) {
        if (!shim->children[i].used) {
            *place = &shim->children[i];
            return 0;
        }
    }
    return -EAGAIN;
}

/* --- starting ------------------------------------------------------------------------------------ */

static int failed(struct sandbox_failure *failure, enum shim_stage stage)
{
    *failure = (struct sandbox_failure){.stage = stage, .error = (uint32_t)errno};
    return -1;
}

/* Checks and commands join what the app's processes see. The first of those begins with an empty /tmp and /run, even
 * where somebody still has a shell in what they saw before. */
static void begin_anew_if_first(struct shim *shim, const struct child *child)
{
    if (child_is_transient(child))
        return;
    for (size_t i = 0; i < SHIM_PROCESSES_MAX; i++) {
        const struct child *other = &shim->children[i];
        if (other != child && other->used && other->pid && !child_is_transient(other))
            return;
    }
    close_fd(&shim->mounts);
}

static int spawn(struct shim *shim, struct sandbox_job *job, struct child *child, struct sandbox_failure *failure)
{
    CLEANUP_FREE char **environment = NULL;
    if (child->start.listen_count > 0) {
        environment = listeners_environment(shim, &child->start);
        if (!environment)
            return failed(failure, SHIM_STAGE_LISTEN);
        job->environment = environment;
        job->listeners = shim->listeners;
        job->listener_count = shim->listener_count;
        job->listen_pid = shim->listen_pid;
    }
    return sandbox_spawn(job, &child->pid, &child->pidfd, failure);
}

int child_spawn(struct shim *shim, struct child *child, const int given[3], struct sandbox_failure *failure)
{
    struct sandbox_job job = {
        .start = &child->start, .cgroup = child->cgroup, .stdio = {-1, -1, -1}, .mounts = &shim->mounts};
    CLEANUP_FD int writer = -1;
    *failure = (struct sandbox_failure){0};
    begin_anew_if_first(shim, child);
    if (notify_open(shim, child) < 0)
        return failed(failure, SHIM_STAGE_NOTIFY);
    if (listeners_open(shim, child, failure) < 0)
        return -1;
    if (given) {
        memcpy(job.stdio, given, sizeof job.stdio);
    } else {
        writer = output_open(shim, child);
        if (writer < 0)
            return failed(failure, SHIM_STAGE_PREPARE);
        job.stdio[1] = job.stdio[2] = writer;
    }
    if (spawn(shim, &job, child, failure) < 0)
        return -1; /* child_reap collects it */
    child->group = child->pid;
    child->started_ms = clock_monotonic_ms();
    child->state.phase = SHIM_ALIVE;
    child->state.ready = child->barked = child->over = false;
    child->watchdog_ms = 0; /* until it has said something: starting may take its time */
    child->due_ms = child->start.deadline_ms ? child->started_ms + child->start.deadline_ms : 0;
    return 0;
}

static void take_place(struct shim *shim, struct child *child, const struct shim_start *start, void *message,
                       int cgroup)
{
    bool used = child->used;
    if (used)
        child_drop(shim, child);
    child->used = true;
    child->start = *start;
    child->message = message;
    child->cgroup = cgroup;
    text_copy(child->name, sizeof child->name, start->process ? start->process : "");
    child->state.process = child->name[0] ? child->name : NULL;
}

static void answer_failed(struct shim *shim, struct child *child, const struct sandbox_failure *failure,
                          uint32_t serial)
{
    const struct shim_state state = {.process = child->state.process,
                                     .stage = failure->stage,
                                     .error = failure->error,
                                     .object = failure->object[0] ? failure->object : NULL};
    control_answer(shim, SHIM_FAILED, &state, serial, NULL);
    bool is_main = child == shim->children;
    if (is_main)
        listeners_close(shim);
    child_drop(shim, child);
    child->used = is_main;
}

int child_start(struct shim *shim, void *message, size_t length, int fds[], size_t fd_count, uint32_t serial,
                uint32_t *unknown)
{
    struct shim_start start;
    struct child *child = NULL;
    int result = shim_decode_start(message, length, &start, unknown);
    size_t given = start.stdio ? STDIO_FDS : 0;
    if (result == 0)
        result = fd_count == given || fd_count == given + 1 ? find_place(shim, &start, &child) : -EBADMSG;
    if (result != 0) {
        shim_start_clear(&start);
        free(message);
        return result;
    }
    take_place(shim, child, &start, message, fd_count > given ? steal_fd(&fds[0]) : -1);
    struct sandbox_failure failure;
    if (child_spawn(shim, child, given ? &fds[fd_count - given] : NULL, &failure) == 0)
        control_answer(shim, SHIM_STARTED, &child->state, serial, child);
    else
        answer_failed(shim, child, &failure, serial);
    return 0;
}

/* --- while it runs --------------------------------------------------------------------------------- */

void child_set(struct shim *shim, const struct shim_set *set)
{
    uint64_t now = clock_monotonic_ms();
    bool thawed = shim->frozen && set->has_frozen && !set->frozen;
    if (set->has_frozen)
        shim->frozen = set->frozen;
    for (size_t i = 0; i < SHIM_PROCESSES_MAX; i++) {
        struct child *child = &shim->children[i];
        if (set->has_oom_score)
            child->start.oom_score = set->oom_score;
        if (thawed && child->watchdog_ms > 0)
            child->watchdog_ms = now + child->start.watchdog_ms;
    }
}

static void feed_watchdog(struct child *child)
{
    if (child->start.watchdog_ms > 0)
        child->watchdog_ms = clock_monotonic_ms() + child->start.watchdog_ms;
}

void child_ready(struct shim *shim, struct child *child, bool ready)
{
    if (child->state.phase != SHIM_ALIVE || child->state.ready == ready)
        return;
    child->state.ready = ready;
    if (ready && !child->barked)
        feed_watchdog(child);
    /* It may change its mind as often as it likes: the agent hears of it now and then, and what holds in the end. */
    child->tell_ms = child->told_ms ? child->told_ms + NOTIFIED_APART_MS : clock_monotonic_ms();
    child_tell(shim, child, clock_monotonic_ms());
}

void child_tell(struct shim *shim, struct child *child, uint64_t now)
{
    if (child->tell_ms == 0 || now < child->tell_ms)
        return;
    child->tell_ms = 0;
    child->told_ms = now;
    if (child->state.phase == SHIM_ALIVE)
        control_say(shim, child, SHIM_NOTIFIED);
}

void child_watchdog(struct shim *shim, struct child *child, bool alive)
{
    if (child->state.phase != SHIM_ALIVE || child->barked)
        return;
    if (alive)
        feed_watchdog(child);
    else
        child_bark(shim, child);
}

/* SIGABRT, so that it leaves a core; if it does not go, it is killed when its stop timeout is over. */
void child_bark(struct shim *shim, struct child *child)
{
    const char *const note[] = {"bluegreen-zone: ", child->name[0] ? child->name : SHIM_PROCESS_MAIN,
                                ": the watchdog ends it\n"};
    logfile_note(&shim->log, note, sizeof note / sizeof *note);
    child->state.watchdog_hits++;
    child->barked = true;
    child->watchdog_ms = 0;
    members_signal(shim, child, SIGABRT);
    members_signal(shim, child, SIGCONT);
    child->due_ms = clock_monotonic_ms() + child->start.stop_timeout_ms;
}
