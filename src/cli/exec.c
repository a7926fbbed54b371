/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `exec`: asks the agent for a command in a zone and stands between it and the caller until it has ended. */
#include "cli/cli.h"
#include "cli/relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAIN_MS = 1000 }; /* after the end: how long its output may pause and still be waited for */

static volatile sig_atomic_t resized, ended_by;
static struct bluegreen *volatile asked; /* a signal ends the wait for its answer */

static void on_signal(int number)
{
    if (number == SIGWINCH) {
        resized = 1;
        return;
    }
    ended_by = number;
    if (asked)
        bluegreen_interrupt(asked);
}

static const int numbers[] = {SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void take_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* From now on they are let in only where we wait, so that none falls between a look and a wait. */
static void hold_signals(sigset_t *while_waiting)
{
    sigset_t ours;
    sigemptyset(&ours);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&ours, numbers[i]);
    sigprocmask(SIG_BLOCK, &ours, while_waiting);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigdelset(while_waiting, numbers[i]);
}

/* Carries until the agent says something, or a signal ends us; timeout_ms -1: for ever. False: nothing to wait for
 * came. */
static bool wait_and_carry(struct relay *relay, int agent, int timeout_ms, const sigset_t *while_waiting)
{
    struct pollfd polls[1 + RELAY_CHANNELS * 2] = {{.fd = agent, .events = POLLIN}};
    struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000};
    size_t count = 1 + relay_polls(relay, polls + 1);
    int ready = ppoll(polls, count, timeout_ms < 0 ? NULL : &timeout, while_waiting);
    if (resized) {
        resized = 0;
        relay_resize(relay);
    }
    if (ready > 0)
        relay_carry(relay);
    return ready > 0 || (ready < 0 && errno == EINTR);
}

static bool agent_speaks(int agent)
{
    struct pollfd wait = {.fd = agent, .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
}

/* What the command wrote before it ended is still on its way. */
static void drain(struct relay *relay, const sigset_t *while_waiting)
{
    while (!relay_drained(relay) && !ended_by && wait_and_carry(relay, -1, DRAIN_MS, while_waiting))
        ;
}

/* Without us the agent ends the command. Whoever waits for us is to see what ended us. */
static int leave(const struct cli *cli, int number)
{
    sigset_t none;
    fprintf(stderr, "bluegreen: interrupted; the command in the zone of %s is ended too\n", cli->arguments[0]);
    signal(number, SIG_DFL);
    sigemptyset(&none);
    sigaddset(&none, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &none, NULL);
    return EXIT_NOT_RUN;
}

static int fail(const struct cli *cli, const struct bluegreen_error *error)
{
    cli_fail(cli, error);
    return EXIT_NOT_RUN;
}

static const char *terminal_type(const struct relay *relay)
{
    const char *type = getenv("TERM");
    return !relay->terminal ? NULL : type && *type ? type : "dumb";
}

static int ask(const struct cli *cli, enum bluegreen_colour zone, struct bluegreen *agent, const struct relay *relay,
               int descriptors[3], struct bluegreen_error *error)
{
    struct bluegreen_command command = {.app = cli->arguments[0],
                                        .zone = zone,
                                        .arguments = (const char *const *)cli->command,
                                        .terminal = terminal_type(relay),
                                        .rows = relay->size.ws_row,
                                        .columns = relay->size.ws_col,
                                        .merge = relay->merge};
    asked = agent;
    int result = bluegreen_exec(agent, &command, descriptors, error);
    asked = NULL;
    return result;
}

/* The command's exit status as shells have it, or -1 with *error. */
static int run(const struct cli *cli, enum bluegreen_colour zone, struct bluegreen *agent, struct relay *relay,
               struct bluegreen_error *error)
{
    int code = 0, number = 0, descriptors[3];
    sigset_t while_waiting;
    take_signals();
    if (ask(cli, zone, agent, relay, descriptors, error) < 0)
        return -1;
    hold_signals(&while_waiting);
    if (relay_begin(relay, descriptors) < 0) {
        snprintf(error->reason, sizeof error->reason, "carry the command's input and output: %s", strerror(errno));
        return -1;
    }
    int socket = bluegreen_descriptor(agent);
    while (!ended_by && !agent_speaks(socket))
        wait_and_carry(relay, socket, -1, &while_waiting);
    if (ended_by)
        return 0;
    if (bluegreen_exec_wait(agent, &code, &number, error) < 0)
        return -1;
    drain(relay, &while_waiting);
    return number ? 128 + number : code;
}

int exec_run(struct cli *cli, enum bluegreen_colour zone)
{
    struct bluegreen *agent;
    struct bluegreen_error error = {.kind = BLUEGREEN_FAILED};
    struct relay relay;
    if (bluegreen_open(cli->socket, &agent, &error) < 0)
        return fail(cli, &error);
    relay_look(&relay);
    int status = run(cli, zone, agent, &relay, &error);
    relay_end(&relay);
    bluegreen_close(agent);
    if (ended_by)
        return leave(cli, ended_by);
    return status < 0 ? fail(cli, &error) : status;
}
