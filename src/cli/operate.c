/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations: asked for, shown to their end, and left alone when the user goes away. */
#include "cli/json.h"
#include "cli/show_progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* For the signal handler alone. */
static struct bluegreen *volatile interruptible;
static volatile sig_atomic_t interrupted_by;

static void on_interrupt(int signal)
{
    interrupted_by = signal;
    if (interruptible)
        bluegreen_interrupt(interruptible);
}

/* Going away does not end the operation, and whoever pressed Ctrl-C probably thinks it does. */
static void say_how_to_come_back(const struct cli *cli, const char *what)
{
    const char *app = cli->count > 0 ? cli->arguments[0] : NULL;
    fprintf(stderr, "bluegreen: interrupted, but the %s goes on in the agent", what);
    if (app)
        fprintf(stderr, ": 'bluegreen attach %s' comes back to it, 'bluegreen abort %s' undoes it", app, app);
}

static int leave(const struct cli *cli, const struct bluegreen_error *error)
{
    bool timed_out = interrupted_by == SIGALRM;
    if (cli->json) {
        printf("{\"error\":\"%s\",\"reason\":", timed_out ? "timeout" : "interrupted");
        json_print_string(stdout, error->reason);
        puts("}");
    }
    fflush(stdout);
    if (timed_out)
        return EXIT_TIMED_OUT;
    if (interrupted_by) { /* as shells expect: a loop around this program is to end, too */
        signal(interrupted_by, SIG_DFL);
        raise(interrupted_by);
    }
    return EXIT_REFUSED;
}

unsigned operate_flags(const struct cli *cli)
{
    const char *step = cli->stop_after ? cli->stop_after : "";
    return (cli->force ? BLUEGREEN_FORCE : 0u) | (cli->no_test ? BLUEGREEN_NO_TEST : 0u) |
           (strcmp(step, "health") == 0 ? BLUEGREEN_STOP_AFTER_HEALTH : 0u) |
           (strcmp(step, "test") == 0 ? BLUEGREEN_STOP_AFTER_TEST : 0u) | (cli->queue ? BLUEGREEN_QUEUE : 0u) |
           (cli->past_contract ? BLUEGREEN_PAST_CONTRACT : 0u) | (cli->sticky ? BLUEGREEN_STICKY : 0u);
}

/* What the line of the view says last: who only waited for a turn leaves nothing behind. */
static bool only_waited(const struct progress_view *view)
{
    return strcmp(view->step, "queue") == 0;
}

static int interrupted(const struct cli *cli, const struct progress_view *view, const struct bluegreen_error *error)
{
    const char *what = strcmp(cli->verb, "attach") == 0 ? "operation" : cli->verb;
    if (interrupted_by == SIGALRM)
        fprintf(stderr, "bluegreen: wait %s %s: not within %s", cli->arguments[0], cli->arguments[1], cli->timeout);
    else if (strcmp(cli->verb, "wait") == 0 || strcmp(cli->verb, "drain") == 0) /* nothing that abort is for */
        fprintf(stderr, "bluegreen: interrupted: nobody waits any more");
    else if (only_waited(view))
        fprintf(stderr, "bluegreen: interrupted before its turn: the %s was not begun, and will not be", what);
    else
        say_how_to_come_back(cli, what);
    fputc('\n', stderr);
    return leave(cli, error);
}

/* Ends the wait as Ctrl-C would. */
static void set_timeout(uint64_t milliseconds)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    uint64_t seconds = milliseconds / 1000; /* what has been read has no smaller unit */
    sigaction(SIGALRM, &action, NULL);
    alarm(seconds < UINT32_MAX ? (unsigned)seconds : UINT32_MAX);
}

int operate_ask(struct cli *cli, const struct bluegreen_request *request)
{
    struct bluegreen *agent;
    struct bluegreen_result *outcome;
    struct bluegreen_error error;
    struct progress_view view = {.cli = cli, .zone = BLUEGREEN_NONE};
    struct sigaction action = {.sa_handler = on_interrupt};
    if (bluegreen_open(cli->socket, &agent, &error) < 0)
        return cli_fail(cli, &error);
    interruptible = agent;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (cli->timeout_ms > 0)
        set_timeout(cli->timeout_ms);
    bluegreen_set_lose(agent, cli->lose_count);
    if (progress_moves(cli))
        bluegreen_set_tick(agent, PROGRESS_TICK_MS);
    int result = bluegreen_ask(agent, request, progress_show, &view, &outcome, &error);
    interruptible = NULL;
    bluegreen_close(agent);
    progress_end(&view);
    if (result < 0)
        return error.kind == BLUEGREEN_INTERRUPTED ? interrupted(cli, &view, &error) : cli_fail(cli, &error);
    show_result(cli, request->app ? request->app : request->group, outcome);
    bluegreen_result_free(outcome);
    return EXIT_DONE;
}

int operate_run(struct cli *cli, enum bluegreen_verb operation)
{
    struct bluegreen_request request = {
        .verb = operation,
        .app = cli->group || cli->count == 0 ? NULL : cli->arguments[0],
        .group = cli->group,
        .release = cli->count > 1 ? cli->arguments[1] : NULL,
        .text = cli->canary ? cli->canary : cli->message,
        .flags = operate_flags(cli),
    };
    return operate_ask(cli, &request);
}
