/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How processes end: by themselves, and are started again with growing pauses or not; because they were asked to; or
 * by force. An end is told when all that a process started has gone too, so that who hears of it can clean up.
 */
#include "shim/child.h"

#include "base/cleanup.h"
#include "os/clock.h"
#include "shim/shim.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

enum {
    DELAY_MIN_MS = 100,           /* a delay of 0 would spin */
    STEADY_MS = 60 * 1000,        /* who ran this long begins again with the first delay */
    KILL_AGAIN_MS = 1000,         /* until everything has gone */
    LOOK_AGAIN_MS = 20,           /* the kernel does not say when a cgroup is empty, but it is soon */
    LEFTOVERS_MS = 5000,          /* who hangs in the kernel longer does not keep the app from coming back */
    EXIT_CODE_NOT_EXECUTED = 127, /* what shells say */
};

static bool nobody_left(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 && errno == ECHILD;
}

/* --- exits ---------------------------------------------------------------------------------------- */

static uint32_t longest_delay(const struct child *child)
{
    return child->start.restart_max_ms ? child->start.restart_max_ms : SHIM_RESTART_MAX_USUAL_MS;
}

static uint32_t first_delay(const struct child *child)
{
    uint32_t delay = child->start.restart_delay_ms, longest = longest_delay(child);
    delay = delay > longest ? longest : delay;
    return delay < DELAY_MIN_MS ? DELAY_MIN_MS : delay;
}

static void record_exit(struct child *child, bool signalled, int value)
{
    child->state.exited = true;
    child->state.signalled = signalled;
    child->state.exit_value = (uint32_t)value;
    child->state.exit_unix_ms = clock_unix_ms();
    child->exit_ms[child->exit_count++ % SHIM_EXITS_MAX] = clock_monotonic_ms();
}

static bool is_started_again(const struct child *child)
{
    if (child_is_transient(child) || child->start.restart == SHIM_RESTART_NO)
        return false;
    bool success = !child->state.signalled && child->state.exit_value == 0 && !child->barked;
    return child->start.restart == SHIM_RESTART_ALWAYS || !success;
}

static void back_off(struct shim *shim, struct child *child)
{
    uint64_t now = clock_monotonic_ms();
    uint32_t longest = longest_delay(child);
    if (child->delay_ms == 0 || now - child->started_ms >= STEADY_MS)
        child->delay_ms = first_delay(child);
    child->state.phase = SHIM_BACK_OFF;
    child->due_ms = now + child->delay_ms;
    child->kill_ms = child->due_ms + LEFTOVERS_MS;
    child->delay_ms = child->delay_ms > longest / 2 ? longest : child->delay_ms * 2;
    control_say(shim, child, SHIM_EXITED);
}

/* --- the end ---------------------------------------------------------------------------------------- */

/* Nothing of it is left. The process may be gone from the table afterwards. */
static void finish(struct shim *shim, struct child *child)
{
    bool transient = child_is_transient(child), over = child->over;
    if (transient)
        output_close(shim, child);
    child_forget_start(shim, child);
    if (child == shim->children) /* nobody will take up who waits there */
        listeners_close(shim);
    child->due_ms = 0;
    child->over = false;
    child->state.phase = over && !transient ? SHIM_OVER : SHIM_IDLE;
    child->done = transient || (!over && child != shim->children);
    if (transient || over)
        control_say(shim, child, SHIM_ENDED);
    else if (child != shim->children)
        control_say(shim, child, SHIM_STOPPED); /* main: when everybody has gone */
}

/* STOPPING: kills when it is time, looks, and looks again. */
static void see_whether_gone(struct shim *shim, struct child *child)
{
    uint64_t now = clock_monotonic_ms();
    bool late = now >= child->kill_ms;
    if (child->pid == 0 && (members_gone(shim, child) || (late && child->over))) {
        finish(shim, child);
        return;
    }
    if (late || child->over)
        members_kill(shim, child);
    if (late)
        child->kill_ms = now + KILL_AGAIN_MS;
    child->due_ms = child->kill_ms;
    if (child->pid == 0 && child->due_ms > now + LOOK_AGAIN_MS)
        child->due_ms = now + LOOK_AGAIN_MS;
}

/* Its number is not free yet, so nobody else can have it as that of his group. */
static void child_ended(struct shim *shim, struct child *child, const siginfo_t *info)
{
    child->pid = 0;
    close_fd(&child->pidfd);
    record_exit(child, info->si_code != CLD_EXITED, info->si_status);
    child->state.ready = false;
    child->watchdog_ms = 0;
    if (child->state.phase == SHIM_STOPPING)
        return;                /* child_reap looks whether the rest has gone too */
    members_kill(shim, child); /* what it leaves behind must not meet the next one */
    if (is_started_again(child)) {
        back_off(shim, child);
        return;
    }
    child->over = true;
    child->state.phase = SHIM_STOPPING;
    child->kill_ms = clock_monotonic_ms() + KILL_AGAIN_MS;
}

static struct child *child_of(struct shim *shim, pid_t pid)
{
    for (size_t i = 0; i < SHIM_PROCESSES_MAX; i++) {
        if (shim->children[i].used && shim->children[i].pid == pid)
            return &shim->children[i];
    }
    return NULL;
}

/* When the last one of those who were asked to end has gone, the main process's STOPPED says it for all. */
static void see_whether_all_stopped(struct shim *shim)
{
    if (!shim->stopping)
        return;
    for (size_t i = 0; i < SHIM_PROCESSES_MAX; i++) {
        const struct child *child = &shim->children[i];
        if (child->used && !child->done && child->state.phase != SHIM_IDLE)
            return;
    }
    if (nobody_left()) {
        shim->stopping = false;
        shim->sweep_ms = 0;
        control_say(shim, shim->children, SHIM_STOPPED);
    } else if (shim->sweep_ms == 0) {
        shim->sweep_ms = clock_monotonic_ms() + LOOK_AGAIN_MS;
    }
}

void child_reap(struct shim *shim)
{
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 && info.si_pid > 0) {
        struct child *child = child_of(shim, info.si_pid);
        if (child)
            child_ended(shim, child, &info);
        waitpid(info.si_pid, NULL, WNOHANG | __WALL);
        info.si_pid = 0;
    }
    if (nobody_left())
        close_fd(&shim->mounts); /* whoever comes next begins with an empty /tmp and /run */
    for (size_t i = 0; i < SHIM_PROCESSES_MAX; i++) {
        if (shim->children[i].used && shim->children[i].state.phase == SHIM_STOPPING)
            see_whether_gone(shim, &shim->children[i]);
    }
    see_whether_all_stopped(shim);
}

/* --- stopping --------------------------------------------------------------------------------------- */

static void ask_to_end(struct shim *shim, struct child *child)
{
    switch (child->state.phase) {
    case SHIM_ALIVE:
        child->state.phase = SHIM_STOPPING;
        child->watchdog_ms = 0;
        /* To all, as systemd does: it may be a shell script that passes nothing on to what it runs. */
        members_signal(shim, child, child->start.stop_signal ? (int)child->start.stop_signal : SIGTERM);
        members_signal(shim, child, SIGCONT);
        child->due_ms = child->kill_ms = clock_monotonic_ms() + child->start.stop_timeout_ms;
        break;
    case SHIM_STOPPING: child->over = false; break;
    default: child->over = false; finish(shim, child);
    }
}

void child_stop(struct shim *shim, const char *name)
{
    struct child *child = name ? child_find(shim, name) : NULL;
    if (child) {
        ask_to_end(shim, child);
    } else if (name) { /* there is nothing to end */
        const struct shim_state state = {.process = name};
        control_answer(shim, SHIM_STOPPED, &state, 0, NULL);
    } else {
        shim->stopping = true;
        for (size_t i = 0; i < SHIM_PROCESSES_MAX; i++) {
            if (shim->children[i].used && !shim->children[i].done)
                ask_to_end(shim, &shim->children[i]);
        }
        see_whether_all_stopped(shim);
    }
}

/* --- what is due ------------------------------------------------------------------------------------ */

static void restart(struct shim *shim, struct child *child)
{
    struct sandbox_failure failure;
    if (!members_gone(shim, child) && clock_monotonic_ms() < child->kill_ms) {
        members_kill(shim, child);
        child->due_ms = clock_monotonic_ms() + LOOK_AGAIN_MS;
        return;
    }
    child->state.restarts++;
    if (child_spawn(shim, child, NULL, &failure) == 0) {
        control_say(shim, child, SHIM_RUNNING);
        return;
    }
    char what[SHIM_STAGE_TEXT_MAX];
    const char *name = strerrorname_np((int)failure.error);
    shim_stage_describe(failure.stage, failure.object, what);
    const char *const note[] = {"bluegreen-zone: start ",
                                child->name[0] ? child->name : SHIM_PROCESS_MAIN,
                                ": ",
                                what,
                                ": ",
                                name ? name : "unknown error",
                                failure.stage == SHIM_STAGE_KILLED ? " (it was killed before that)\n" : "\n"};
    logfile_note(&shim->log, note, sizeof note / sizeof *note);
    child->started_ms = clock_monotonic_ms();
    record_exit(child, false, EXIT_CODE_NOT_EXECUTED);
    back_off(shim, child);
}

static void kill_when_late(struct shim *shim, struct child *child)
{
    if (child->start.deadline_ms > 0)
        child->state.error = ETIMEDOUT;
    members_kill(shim, child);
    child->due_ms = clock_monotonic_ms() + KILL_AGAIN_MS;
}

static bool is_due(uint64_t when, uint64_t now)
{
    return when > 0 && now >= when;
}

static void tick(struct shim *shim, struct child *child, uint64_t now)
{
    notify_tick(shim, child, now);
    child_tell(shim, child, now);
    if (!shim->frozen && is_due(child->watchdog_ms, now))
        notify_drain(shim, child); /* it may have been the shim that was late */
    if (!shim->frozen && is_due(child->watchdog_ms, now))
        child_bark(shim, child);
    if (!is_due(child->due_ms, now))
        return;
    switch (child->state.phase) {
    case SHIM_ALIVE: kill_when_late(shim, child); break;
    case SHIM_STOPPING: see_whether_gone(shim, child); break;
    case SHIM_BACK_OFF:
        if (!shim->frozen)
            restart(shim, child);
        break;
    default: child->due_ms = 0;
    }
}

void child_tick(struct shim *shim)
{
    uint64_t now = clock_monotonic_ms();
    for (size_t i = 0; i < SHIM_PROCESSES_MAX; i++) {
        if (shim->children[i].used)
            tick(shim, &shim->children[i], now);
    }
    if (is_due(shim->sweep_ms, now)) { /* what no process of the table answers for */
        kill(-1, SIGKILL);
        shim->sweep_ms = now + KILL_AGAIN_MS;
    }
    if (is_due(shim->log.rest_until_ms, now))
        logfile_serve(&shim->log);
    see_whether_all_stopped(shim);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a == 0 || (b > 0 && b < a) ? b : a;
}

int child_patience(const struct shim *shim)
{
    uint64_t due = earlier(shim->sweep_ms, shim->log.rest_until_ms), now = clock_monotonic_ms();
    for (size_t i = 0; i < SHIM_PROCESSES_MAX; i++) {
        const struct child *child = &shim->children[i];
        if (!child->used)
            continue;
        due = earlier(earlier(due, child->deaf_until_ms), child->tell_ms);
        if (!shim->frozen)
            due = earlier(due, child->watchdog_ms);
        if (!shim->frozen || child->state.phase != SHIM_BACK_OFF)
            due = earlier(due, child->due_ms);
    }
    if (due == 0)
        return -1;
    return due <= now ? 0 : due - now > INT_MAX ? INT_MAX : (int)(due - now);
}
