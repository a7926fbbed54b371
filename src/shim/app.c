/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The app's life: started, started again with growing pauses, stopped; and how it ended. */
#include "shim/shim.h"

#include "base/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    DELAY_MIN_MS = 100,           /* a delay of 0 would spin */
    DELAY_MAX_MS = 30 * 1000,     /* the back-off is doubled up to this */
    STEADY_MS = 60 * 1000,        /* who ran this long begins again with the first delay */
    KILL_AGAIN_MS = 1000,         /* until everything has gone */
    EXIT_CODE_NOT_EXECUTED = 127, /* what shells say */
};

static uint64_t now_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void forget_start(struct shim *shim)
{
    shim_start_clear(&shim->start);
    free(shim->message);
    shim->message = NULL;
    close_fd(&shim->payload);
}

static uint32_t first_delay(const struct shim *shim)
{
    uint32_t delay = shim->start.restart_delay_ms;
    return delay < DELAY_MIN_MS ? DELAY_MIN_MS : delay > DELAY_MAX_MS ? DELAY_MAX_MS : delay;
}

static void record_exit(struct shim *shim, bool signalled, int value)
{
    shim->state.exited = true;
    shim->state.signalled = signalled;
    shim->state.exit_value = (uint32_t)value;
    shim->state.exit_unix_ms = now_ms(CLOCK_REALTIME);
}

static int spawn(struct shim *shim, struct sandbox_failure *failure)
{
    if (sandbox_spawn(shim, &shim->app, &shim->app_pidfd, failure) < 0)
        return -1;
    shim->started_ms = now_ms(CLOCK_MONOTONIC);
    shim->state.phase = SHIM_ALIVE;
    shim->due_ms = 0;
    return 0;
}

void app_start(struct shim *shim, void *message, size_t length, int payload, uint32_t serial)
{
    struct shim_start start;
    uint32_t unknown;
    int result = shim_decode_start(message, length, &start, &unknown);
    if (result < 0) {
        free(message);
        close_fd(&payload);
        shim->state.error = (uint32_t)-result;
        shim->state.tag = unknown;
        control_say(shim, SHIM_REFUSED, serial);
        shim->state.error = shim->state.tag = 0;
        return;
    }
    forget_start(shim);
    shim->start = start;
    shim->message = message;
    shim->payload = payload;
    shim->delay_ms = first_delay(shim);
    shim->state = (struct shim_state){.phase = SHIM_IDLE};
    shim->due_ms = 0;
    struct sandbox_failure failure = {0};
    if (spawn(shim, &failure) == 0) {
        control_say(shim, SHIM_STARTED, serial);
        return;
    }
    forget_start(shim);
    shim->state.stage = failure.stage;
    shim->state.error = failure.error;
    control_say(shim, SHIM_FAILED, serial);
    shim->state.stage = shim->state.error = 0;
}

/* --- ending ---------------------------------------------------------------------------------- */

static void back_off(struct shim *shim)
{
    shim->state.phase = SHIM_BACK_OFF;
    shim->due_ms = now_ms(CLOCK_MONOTONIC) + shim->delay_ms;
    shim->delay_ms = shim->delay_ms > DELAY_MAX_MS / 2 ? DELAY_MAX_MS : shim->delay_ms * 2;
    control_say(shim, SHIM_EXITED, 0);
}

static void restart(struct shim *shim)
{
    struct sandbox_failure failure = {0};
    shim->state.restarts++;
    if (spawn(shim, &failure) == 0) {
        control_say(shim, SHIM_RUNNING, 0);
        return;
    }
    const char *name = strerrorname_np((int)failure.error);
    const char *const note[] = {"bluegreen-zone: ",
                                shim_stage_text(failure.stage),
                                " (",
                                shim->start.argv[0],
                                "): ",
                                name ? name : "unknown error",
                                "\n"};
    logfile_note(&shim->log, note, sizeof note / sizeof *note);
    record_exit(shim, false, EXIT_CODE_NOT_EXECUTED);
    back_off(shim);
}

static void stopped(struct shim *shim)
{
    forget_start(shim);
    shim->state.phase = SHIM_IDLE;
    shim->due_ms = 0;
    control_say(shim, SHIM_STOPPED, 0);
}

static void app_ended(struct shim *shim, int status)
{
    shim->app = 0;
    close_fd(&shim->app_pidfd);
    record_exit(shim, WIFSIGNALED(status), WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    if (shim->state.phase != SHIM_ALIVE)
        return; /* stopping: app_reap sees when the rest has gone too */
    /* What it leaves behind must not meet the next one. The kernel spares us: we are PID 1. */
    kill(-1, SIGKILL);
    if (now_ms(CLOCK_MONOTONIC) - shim->started_ms >= STEADY_MS)
        shim->delay_ms = first_delay(shim);
    back_off(shim);
}

void app_reap(struct shim *shim)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
        if (pid == shim->app)
            app_ended(shim, status);
    }
    if (pid < 0 && errno == ECHILD && shim->state.phase == SHIM_STOPPING)
        stopped(shim);
}

/* --- stopping -------------------------------------------------------------------------------- */

void app_stop(struct shim *shim)
{
    switch (shim->state.phase) {
    case SHIM_ALIVE:
        shim->state.phase = SHIM_STOPPING;
        /* To all, as systemd does: the app may be the child of a shell script that passes nothing on. */
        kill(-1, SIGTERM);
        kill(-1, SIGCONT);
        shim->due_ms = now_ms(CLOCK_MONOTONIC) + shim->start.stop_timeout_ms;
        break;
    case SHIM_STOPPING: break;
    default: stopped(shim);
    }
}

void app_tick(struct shim *shim)
{
    uint64_t now = now_ms(CLOCK_MONOTONIC);
    if (shim->due_ms == 0 || now < shim->due_ms)
        return;
    if (shim->state.phase == SHIM_BACK_OFF) {
        restart(shim);
    } else {
        kill(-1, SIGKILL);
        shim->due_ms = now + KILL_AGAIN_MS;
    }
}

int app_patience(const struct shim *shim)
{
    if (shim->due_ms == 0)
        return -1;
    uint64_t now = now_ms(CLOCK_MONOTONIC);
    return shim->due_ms <= now ? 0 : shim->due_ms - now > 60000 ? 60000 : (int)(shim->due_ms - now);
}
