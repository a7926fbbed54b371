/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transient scopes, by the executable bluegreen-scope. */
#include "zone/scope.h"

#include "base/cleanup.h"
#include "os/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_TIMEOUT_MS = 15000 }; /* its own limits end before: two jobs of 5 s and a start again */

bool scope_wanted(void)
{
    return access("/run/systemd/system", F_OK) == 0; /* sd_booted(3) */
}

bool scope_available(const char *executable)
{
    return scope_wanted() && executable && access(executable, X_OK) == 0;
}

static int read_answer(const struct process *process, const char *what, const char *name, struct error *err)
{
    char text[ERROR_TEXT_MAX] = "";
    struct pollfd answer = {.fd = process->channel, .events = POLLIN};
    int ready;
    do
        ready = poll(&answer, 1, ANSWER_TIMEOUT_MS);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        return error_set(err, ETIMEDOUT, "%s scope %s: systemd does not answer; see \"systemctl status\"", what, name);
    ssize_t got = message_receive(process->channel, text, sizeof text - 1, NULL, NULL);
    if (got <= 0)
        return error_set(err, EIO, "%s scope %s: bluegreen-scope died", what, name);
    return text[0] ? error_set(err, EIO, "%s", text) : 0;
}

static int run(char *const argv[], struct error *err)
{
    struct process process;
    int result = process_start(argv, &process, err);
    if (result < 0)
        return result;
    result = read_answer(&process, argv[1], argv[2], err);
    if (result < 0)
        kill(process.pid, SIGKILL);
    waitpid(process.pid, NULL, 0);
    process_forget(&process);
    return result;
}

int scope_start(const char *executable, const char *name, const char *slice, const char *description, pid_t pid,
                struct error *err)
{
    char verb[] = "start", number[16];
    snprintf(number, sizeof number, "%d", (int)pid);
    char *argv[] = {(char *)executable, verb, (char *)name, (char *)slice, (char *)description, number, NULL};
    return run(argv, err);
}

int scope_end(const char *executable, const char *name, struct error *err)
{
    char verb[] = "end";
    char *argv[] = {(char *)executable, verb, (char *)name, NULL};
    return run(argv, err);
}
