/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations: asked for, shown to their end, and left alone when the user goes away. */
#include "cli/json.h"
#include "cli/show_progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

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
static int detach(const struct cli *cli, const struct bluegreen_error *error)
{
    const char *app = cli->count > 0 ? cli->arguments[0] : NULL;
    const char *what = strcmp(cli->verb, "attach") == 0 ? "operation" : cli->verb;
    fprintf(stderr, "bluegreen: interrupted, but the %s goes on in the agent", what);
    if (app)
        fprintf(stderr, ": 'bluegreen attach %s' comes back to it, 'bluegreen abort %s' undoes it", app, app);
    fputc('\n', stderr);
    if (cli->json) {
        fputs("{\"error\":\"interrupted\",\"reason\":", stdout);
        json_print_string(stdout, error->reason);
        puts("}");
    }
    fflush(stdout);
    if (interrupted_by) { /* as shells expect: a loop around this program is to end, too */
        signal(interrupted_by, SIG_DFL);
        raise(interrupted_by);
    }
    return EXIT_REFUSED;
}

static unsigned flags_of(const struct cli *cli)
{
    const char *step = cli->stop_after ? cli->stop_after : "";
    return (cli->force ? BLUEGREEN_FORCE : 0u) | (cli->no_test ? BLUEGREEN_NO_TEST : 0u) |
           (strcmp(step, "health") == 0 ? BLUEGREEN_STOP_AFTER_HEALTH : 0u) |
           (strcmp(step, "test") == 0 ? BLUEGREEN_STOP_AFTER_TEST : 0u) | (cli->queue ? BLUEGREEN_QUEUE : 0u) |
           (cli->past_contract ? BLUEGREEN_PAST_CONTRACT : 0u);
}

int operate_run(struct cli *cli, enum bluegreen_verb operation)
{
    struct bluegreen *agent;
    struct bluegreen_result *outcome;
    struct bluegreen_error error;
    struct progress_view view = {.cli = cli, .zone = BLUEGREEN_NONE};
    struct sigaction action = {.sa_handler = on_interrupt};
    const char *app = cli->count > 0 ? cli->arguments[0] : NULL;
    if (bluegreen_open(cli->socket, &agent, &error) < 0)
        return cli_fail(cli, &error);
    interruptible = agent;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (progress_moves(cli))
        bluegreen_set_tick(agent, PROGRESS_TICK_MS);
    int result = bluegreen_operate(agent, operation, app, cli->count > 1 ? cli->arguments[1] : NULL, flags_of(cli),
                                   progress_show, &view, &outcome, &error);
    interruptible = NULL;
    bluegreen_close(agent);
    progress_end(&view);
    if (result < 0)
        return error.kind == BLUEGREEN_INTERRUPTED ? detach(cli, &error) : cli_fail(cli, &error);
    show_result(cli, app, outcome);
    bluegreen_result_free(outcome);
    return EXIT_DONE;
}
