/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent that faults are injected into: started with fail_at.so, killed, asked, and what it wrote into its log. */
#pragma once

#include "fail_at.h"

#include "bluegreen/bluegreen.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MS = 10000, START_MS = 8000, TICK_MS = 250 };

static struct {
    const char *world, *build;
    char socket[256], control_path[256], log_path[256];
    pid_t pid;    /* 0: it does not run */
    char end[48]; /* how the last one ended */
    struct fail_control *control;
    off_t log_from; /* what it wrote before belongs to other faults */
} agent;

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool agent_open(const char *world, const char *build)
{
    agent.world = world;
    agent.build = build;
    snprintf(agent.socket, sizeof agent.socket, "%s/run/control.sock", world);
    snprintf(agent.control_path, sizeof agent.control_path, "%s/fail-at", world);
    snprintf(agent.log_path, sizeof agent.log_path, "%s/agent.log", world);
    int fd = open(agent.control_path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || ftruncate(fd, sizeof *agent.control) < 0)
        return false;
    agent.control = mmap(NULL, sizeof *agent.control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return agent.control != MAP_FAILED;
}

/* --- its log ------------------------------------------------------------------------------------------------- */

static void log_mark(void)
{
    struct stat status;
    agent.log_from = stat(agent.log_path, &status) == 0 ? status.st_size : 0;
}

static void log_read(char *text, size_t size)
{
    int fd = open(agent.log_path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : pread(fd, text, size - 1, agent.log_from);
    text[got < 0 ? 0 : got] = '\0';
    if (fd >= 0)
        close(fd);
}

/* --- its life ------------------------------------------------------------------------------------------------ */

static bool agent_gone(void)
{
    int status;
    if (agent.pid > 0 && waitpid(agent.pid, &status, WNOHANG) == agent.pid) {
        agent.pid = 0;
        if (WIFSIGNALED(status))
            snprintf(agent.end, sizeof agent.end, "signal %d", WTERMSIG(status));
        else
            snprintf(agent.end, sizeof agent.end, "status %d", WEXITSTATUS(status));
    }
    return agent.pid == 0;
}

static bool agent_answers(void)
{
    struct bluegreen *opened;
    struct bluegreen_status *status = NULL;
    if (bluegreen_open(agent.socket, &opened, NULL) < 0)
        return false;
    bluegreen_set_timeout(opened, 1000);
    bool answers = bluegreen_status(opened, NULL, &status, NULL) == 0;
    bluegreen_status_free(status);
    bluegreen_close(opened);
    return answers;
}

static _Noreturn void be_agent(void)
{
    char program[256], config[256], state[256], run[256], preload[256];
    snprintf(program, sizeof program, "%s/bluegreend", agent.build);
    snprintf(config, sizeof config, "%s/etc", agent.world);
    snprintf(state, sizeof state, "%s/state", agent.world);
    snprintf(run, sizeof run, "%s/run", agent.world);
    snprintf(preload, sizeof preload, "%s/tests/drivers/fail_at.so", agent.build);
    int log = open(agent.log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    dup2(open("/dev/null", O_RDWR | O_CLOEXEC), 0);
    dup2(log, 1);
    dup2(log, 2);
    setenv("LD_PRELOAD", preload, 1);
    setenv(FAIL_ENVIRONMENT, agent.control_path, 1);
    execl(program, program, "--config", config, "--state", state, "--run", run, NULL);
    _exit(127);
}

/* True when it answers; false when it has ended, or did not answer in time (then it is ended). */
static bool agent_start(void)
{
    uint64_t until = now_ms() + START_MS;
    agent.pid = fork();
    if (agent.pid == 0)
        be_agent();
    while (!agent_gone() && now_ms() < until) {
        if (agent_answers())
            return true;
        usleep(10000);
    }
    if (agent.pid > 0) {
        kill(agent.pid, SIGKILL);
        waitpid(agent.pid, NULL, 0);
        agent.pid = 0;
        snprintf(agent.end, sizeof agent.end, "no answer in %d ms", START_MS);
    }
    return false;
}

static void agent_kill(int number)
{
    if (agent_gone())
        return;
    kill(agent.pid, number);
    waitpid(agent.pid, NULL, 0);
    agent.pid = 0;
}

/* --- asking it ------------------------------------------------------------------------------------------------ */

struct said {
    enum bluegreen_error_kind kind;
    char text[BLUEGREEN_REASON_SIZE];
};

static bool go_on(void *context, const struct bluegreen_progress *progress)
{
    (void)progress;
    return now_ms() < *(uint64_t *)context && !agent_gone();
}

/* True if it was done. An answer that does not come is BLUEGREEN_INTERRUPTED. */
static bool ask(enum bluegreen_verb verb, const char *app, const char *release, unsigned flags, struct said *said)
{
    struct bluegreen *opened;
    struct bluegreen_error error = {0};
    uint64_t until = now_ms() + ANSWER_MS;
    int result = bluegreen_open(agent.socket, &opened, &error);
    if (result == 0) {
        bluegreen_set_tick(opened, TICK_MS);
        bluegreen_set_timeout(opened, ANSWER_MS);
        result = bluegreen_operate(opened, verb, app, release, flags, go_on, &until, NULL, &error);
        bluegreen_close(opened);
    }
    said->kind = result == 0 ? BLUEGREEN_OK : error.kind;
    snprintf(said->text, sizeof said->text, "%s", result == 0 ? "" : error.reason);
    return result == 0;
}

/* What an app is like, in short. */
struct seen {
    bool there, busy, draining;
    int live; /* zone, or -1 */
    char release[64];
    char states[2][16];
};

static bool look(const char *app, struct seen *seen)
{
    struct bluegreen *opened;
    struct bluegreen_status *status = NULL;
    *seen = (struct seen){.live = -1};
    if (bluegreen_open(agent.socket, &opened, NULL) < 0)
        return false;
    bluegreen_set_timeout(opened, 3000);
    bool done = bluegreen_status(opened, app, &status, NULL) == 0;
    if (done && status->count == 1) {
        const struct bluegreen_app *found = status->apps[0];
        seen->there = true;
        seen->busy = found->operation != NULL;
        seen->live = (int)found->live;
        if (found->live >= 0 && found->zones[found->live].release)
            snprintf(seen->release, sizeof seen->release, "%s", found->zones[found->live].release);
        for (int i = 0; i < 2; i++) {
            snprintf(seen->states[i], sizeof seen->states[i], "%s", found->zones[i].state);
            seen->draining = seen->draining || strcmp(found->zones[i].state, "draining") == 0;
        }
    }
    bluegreen_status_free(status);
    bluegreen_close(opened);
    return done;
}
