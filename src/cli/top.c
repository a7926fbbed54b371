/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `top`: what every zone uses, from the status; on a terminal it is shown again every two seconds. */
#include "cli/cli.h"
#include "cli/table.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { INTERVAL_MS = 2000 };

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static void add_of(struct table *table, const char *used, const char *limit, bool tight)
{
    table_add(table, tight ? STYLE_RED : STYLE_PLAIN, "%s%s%s", used, limit[0] ? " / " : "", limit);
}

static void add_usage(struct table *table, const struct bluegreen_usage *usage)
{
    char used[32], limit[32] = "";
    if (usage->cpu_limit)
        format_cpu(usage->cpu_limit, limit, sizeof limit);
    if (usage->measured || usage->cpu_us)
        add_of(table, format_cpu(usage->cpu_permille, used, sizeof used), limit,
               usage->cpu_limit && usage->cpu_permille >= usage->cpu_limit * 9 / 10);
    else
        table_add(table, STYLE_DIM, "-");
    limit[0] = '\0';
    if (usage->memory_limit)
        format_bytes(usage->memory_limit, limit, sizeof limit);
    add_of(table, format_bytes(usage->memory, used, sizeof used), limit,
           usage->memory_limit && usage->memory >= usage->memory_limit / 10 * 9);
    limit[0] = '\0';
    if (usage->tasks_limit)
        snprintf(limit, sizeof limit, "%" PRIu64, usage->tasks_limit);
    snprintf(used, sizeof used, "%" PRIu64, usage->tasks);
    if (usage->tasks)
        add_of(table, used, limit, usage->tasks_limit && usage->tasks >= usage->tasks_limit / 10 * 9);
    else
        table_add(table, STYLE_DIM, "-");
}

static void add_zone(struct table *table, const struct bluegreen_app *app, enum bluegreen_colour colour)
{
    const struct bluegreen_zone *zone = &app->zones[colour];
    const struct bluegreen_workload *workload = app->workload[colour];
    if (!workload->usage) /* nothing runs there */
        return;
    table_add(table, STYLE_BOLD, "%s", app->name);
    table_add(table, colour == BLUEGREEN_BLUE ? STYLE_BLUE : STYLE_GREEN, "%s%s", bluegreen_colour_name(colour),
              app->live == colour ? "*" : "");
    table_add(table, workload->crash_loop ? STYLE_RED : STYLE_PLAIN, "%s",
              workload->crash_loop ? "crash loop" : zone->state);
    table_add(table, STYLE_PLAIN, "%s", zone->release ? zone->release : "-");
    add_usage(table, workload->usage);
    table_add(table, STYLE_PLAIN, "%" PRIu64, zone->tcp);
    table_add(table, STYLE_PLAIN, "%" PRIu64, zone->udp);
    table_add(table, zone->restarts ? STYLE_YELLOW : STYLE_PLAIN, "%" PRIu64, zone->restarts);
    table_add(table, workload->usage->oom_kills ? STYLE_RED : STYLE_PLAIN, "%" PRIu64, workload->usage->oom_kills);
}

static void print_table(const struct cli *cli, const struct bluegreen_status *status)
{
    static const char *const titles[] = {"app",   "zone", "state", "release",  "cpu", "memory",
                                         "tasks", "tcp",  "udp",   "restarts", "oom"};
    static const bool right[] = {false, false, false, false, true, true, true, true, true, true, true};
    struct table table = {
        .terminal = &cli->terminal, .titles = titles, .columns = sizeof titles / sizeof *titles, .right = right};
    for (size_t i = 0; i < status->count; i++) {
        add_zone(&table, status->apps[i], BLUEGREEN_BLUE);
        add_zone(&table, status->apps[i], BLUEGREEN_GREEN);
    }
    table_print(&table);
}

/* 0, or -1 with *error. */
static int show_once(const struct cli *cli, bool again, struct bluegreen_error *error)
{
    struct bluegreen *agent;
    struct bluegreen_status *status;
    if (bluegreen_open(cli->socket, &agent, error) < 0)
        return -1;
    int result = bluegreen_status(agent, cli->count > 0 ? cli->arguments[0] : NULL, &status, error);
    bluegreen_close(agent);
    if (result < 0)
        return -1;
    if (again) /* over the one before, without a flicker; what is left of that below is taken away */
        fputs("\033[H", stdout);
    if (cli->json)
        puts(status->json);
    else
        print_table(cli, status);
    if (again)
        fputs("\033[J", stdout);
    fflush(stdout);
    bluegreen_status_free(status);
    return 0;
}

/* Until Ctrl-C or q. */
static int show_again_and_again(const struct cli *cli)
{
    struct termios before, quiet;
    struct bluegreen_error error;
    bool keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    if (keys) {
        quiet = before;
        quiet.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet);
    }
    fputs("\033[?1049h\033[?25l", stdout); /* the other screen, without a cursor */
    int result = 0;
    while (!ended && result == 0) {
        struct pollfd key = {.fd = keys ? STDIN_FILENO : -1, .events = POLLIN};
        char letter = '\0';
        result = show_once(cli, true, &error);
        if (result == 0 && poll(&key, 1, INTERVAL_MS) == 1)
            ended = read(STDIN_FILENO, &letter, 1) != 1 || letter == 'q';
    }
    fputs("\033[?25h\033[?1049l", stdout);
    if (keys)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    return result < 0 ? cli_fail(cli, &error) : EXIT_DONE; /* on the screen that stays */
}

int top_run(struct cli *cli)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct bluegreen_error error;
    if (!cli->terminal.live || cli->json)
        return show_once(cli, false, &error) < 0 ? cli_fail(cli, &error) : EXIT_DONE;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    return show_again_and_again(cli);
}
