/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bluegreen, the command line program: reads its arguments, asks the agent through libbluegreen, shows the answer. */
#include "cli/cli.h"
#include "cli/confirm.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/usage.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef BLUEGREEN_VERSION
#define BLUEGREEN_VERSION "unknown"
#endif

/* --- failing ------------------------------------------------------------------------------------------- */

static void print_json_error(const char *kind, const char *reason)
{
    fputs("{\"error\":", stdout);
    json_print_string(stdout, kind);
    fputs(",\"reason\":", stdout);
    json_print_string(stdout, reason);
    puts("}");
}

/* Whatever the agent passes on of an app's log must not steer the terminal. Newlines stay. */
static void print_safely(FILE *file, const char *text)
{
    for (const char *c = text; *c; c++) {
        bool c1 = (unsigned char)c[0] == 0xc2 && (unsigned char)c[1] >= 0x80 && (unsigned char)c[1] < 0xa0;
        bool control = ((unsigned char)*c < 0x20 && *c != '\n' && *c != '\t') || *c == 0x7f || c1;
        fputc(control ? '?' : *c, file);
        c += c1;
    }
}

static const char *behind(const char *word, const char *text)
{
    size_t length = strlen(word);
    return text && strncmp(text, word, length) == 0 ? text + length : NULL;
}

/* Of an operation the agent says which: who follows one may not know, and of one's own it has the release, too. */
static bool names_what_failed(const struct cli *cli, const char *reason)
{
    const char *rest = behind(cli->verb, reason);
    if (cli->count > 0)
        rest = behind(cli->arguments[0], behind(" ", rest));
    return rest && (*rest == ' ' || *rest == ':');
}

int cli_fail(const struct cli *cli, const struct bluegreen_error *error)
{
    fputs("bluegreen: ", stderr);
    if (!names_what_failed(cli, error->reason)) {
        fprintf(stderr, "%s%s", cli->verb, cli->count > 0 ? " " : "");
        print_safely(stderr, cli->count > 0 ? cli->arguments[0] : "");
        fputs(": ", stderr);
    }
    print_safely(stderr, error->reason);
    fputc('\n', stderr);
    if (cli->json)
        print_json_error(bluegreen_error_name(error->kind), error->reason);
    switch (error->kind) {
    case BLUEGREEN_INVALID: return EXIT_WRONG;
    case BLUEGREEN_UNREACHABLE: return EXIT_UNREACHABLE;
    default: return EXIT_REFUSED;
    }
}

int cli_misuse(const struct cli *cli, const char *hint, const char *format, ...)
{
    char reason[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    fputs("bluegreen: ", stderr);
    print_safely(stderr, reason);
    fprintf(stderr, "\n%s%s", hint ? hint : "", hint ? "\n" : "");
    const struct verb *verb = cli->verb ? verb_find(cli->verb) : NULL;
    if (verb && !hint)
        usage_print_verb(stderr, verb);
    else if (!hint)
        usage_print(stderr);
    if (cli->json)
        print_json_error("usage", reason);
    return EXIT_WRONG;
}

/* --- verbs --------------------------------------------------------------------------------------------- */

static const char *argument(const struct cli *cli, int index)
{
    return index < cli->count ? cli->arguments[index] : NULL;
}

static int run_status(struct cli *cli)
{
    struct bluegreen *agent;
    struct bluegreen_status *status;
    struct bluegreen_error error;
    const char *app = argument(cli, 0);
    if (bluegreen_open(cli->socket, &agent, &error) < 0)
        return cli_fail(cli, &error);
    int result = bluegreen_status(agent, app, &status, &error);
    bluegreen_close(agent);
    if (result < 0)
        return cli_fail(cli, &error);
    for (size_t i = 0; cli->names && i < status->count; i++)
        puts(status->apps[i]->name);
    if (cli->json && !cli->names)
        puts(app && status->count == 1 ? status->apps[0]->json : status->json);
    else if (!cli->names)
        show_status(cli, status);
    bluegreen_status_free(status);
    return EXIT_DONE;
}

/* This program's version is worth telling even where no agent tells its own. */
static int run_version(struct cli *cli)
{
    struct bluegreen *agent;
    struct bluegreen_error error;
    char version[64] = "";
    if (!cli->json)
        puts("bluegreen " BLUEGREEN_VERSION);
    if (bluegreen_open(cli->socket, &agent, &error) < 0)
        return cli_fail(cli, &error);
    int result = bluegreen_version(agent, version, sizeof version, &error);
    bluegreen_close(agent);
    if (result < 0)
        return cli_fail(cli, &error);
    if (cli->json) {
        fputs("{\"bluegreen\":\"" BLUEGREEN_VERSION "\",\"bluegreend\":", stdout);
        json_print_string(stdout, version);
        puts("}");
    } else {
        printf("bluegreend %s\n", version);
    }
    return EXIT_DONE;
}

static int run_operation(struct cli *cli)
{
    const char *step = cli->stop_after;
    if (step && strcmp(step, "health") != 0 && strcmp(step, "test") != 0)
        return cli_misuse(cli, NULL, "'%s' is no step to stop after: health or test", step);
    if (step && strcmp(step, "test") == 0 && cli->no_test)
        return cli_misuse(cli, NULL,
                          "without its test a deploy cannot stop after it: leave --no-test out, or stop after "
                          "health");
    if (cli->lose && !options_count(cli->lose, &cli->lose_count))
        return cli_misuse(cli, NULL, "'%s' is no number of transactions to miss", cli->lose);
    return operate_run(cli, cli->operation);
}

/* "APP [ZONE]". False: the second argument names no zone. */
static bool zone_argument(const struct cli *cli, enum bluegreen_colour *zone)
{
    const char *name = argument(cli, 1);
    *zone = !name                        ? BLUEGREEN_NONE
            : strcmp(name, "blue") == 0  ? BLUEGREEN_BLUE
            : strcmp(name, "green") == 0 ? BLUEGREEN_GREEN
                                         : BLUEGREEN_NONE;
    return !name || *zone != BLUEGREEN_NONE;
}

static int run_exec(struct cli *cli)
{
    enum bluegreen_colour zone;
    if (!cli->command || !cli->command[0])
        return cli_misuse(cli, NULL, "which command? It stands behind '--', as in: bluegreen exec web -- ls -l");
    if (!zone_argument(cli, &zone))
        return cli_misuse(cli, NULL, "'%s' is no zone: blue or green, or leave it out for the live one",
                          argument(cli, 1));
    return cli->root ? enter_run(cli, zone) : exec_run(cli, zone);
}

static int run_logs(struct cli *cli)
{
    enum bluegreen_colour zone;
    if (!zone_argument(cli, &zone))
        return cli_misuse(cli, NULL, "'%s' is no zone: blue or green, or leave it out for the live one",
                          argument(cli, 1));
    return logs_run(cli, zone);
}

static int run_connections(struct cli *cli)
{
    enum bluegreen_colour zone;
    if (!zone_argument(cli, &zone))
        return cli_misuse(cli, NULL, "'%s' is no zone: blue or green, or leave it out for both", argument(cli, 1));
    return connections_run(cli, zone);
}

static int run_help(struct cli *cli)
{
    const char *name = argument(cli, 0);
    const struct verb *about = name ? verb_find(name) : NULL;
    if (name && !about)
        return cli_misuse(cli, NULL, "there is no verb '%s'", name);
    if (about)
        usage_print_verb(stdout, about);
    else
        usage_print(stdout);
    return EXIT_DONE;
}

const struct verb verbs[] = {
    {"check", "[FILE...]", "check the configuration; works without an agent", 0, -1, 0, check_run, 0},
    {"reload", "", "read the configuration again", 0, 0, 0, run_operation, BLUEGREEN_RELOAD},
    {"deploy", "APP RELEASE", "start a release, test it, switch to it, drain the old one", 2, 2,
     TAKES_FORCE | TAKES_PAST | TAKES_STEPS | TAKES_WAIT | TAKES_YES | TAKES_LOSE, run_operation, BLUEGREEN_DEPLOY,
     confirm_deploy},
    {"stage", "APP RELEASE", "start a release in the zone that is not live, no further", 2, 2,
     TAKES_FORCE | TAKES_PAST | TAKES_WAIT | TAKES_YES, run_operation, BLUEGREEN_STAGE, confirm_deploy},
    {"test", "APP", "test the staged release, as a deploy would", 1, 1, TAKES_FORCE | TAKES_WAIT, run_operation,
     BLUEGREEN_TEST},
    {"switch", "APP | --group NAME", "make the staged zone live, drain the other", 1, 1,
     TAKES_FORCE | TAKES_PAST | TAKES_GROUP | TAKES_WAIT | TAKES_CANARY | TAKES_LOSE, run_operation, BLUEGREEN_SWITCH},
    {"rollback", "APP | --group NAME", "make the zone live again that was live before", 1, 1,
     TAKES_FORCE | TAKES_PAST | TAKES_GROUP | TAKES_WAIT | TAKES_LOSE, run_operation, BLUEGREEN_ROLLBACK},
    {"abort", "APP", "undo the running operation", 1, 1, TAKES_FORCE, run_operation, BLUEGREEN_ABORT},
    {"drain", "APP", "wait for the zone that is not live to be empty", 1, 1, TAKES_FORCE, run_operation,
     BLUEGREEN_DRAIN},
    {"finish", "APP", "end drain and bake now, as they would end at their time", 1, 1, 0, run_operation,
     BLUEGREEN_FINISH},
    {"attach", "APP", "follow what runs: the operation, its drain, its bake", 1, 1, 0, run_operation, BLUEGREEN_ATTACH},
    {"rehearse", "APP", "switch to the standby and back, and measure", 1, 1, TAKES_WAIT, run_operation,
     BLUEGREEN_REHEARSE},
    {"release", "APP list|fetch|prune [RELEASE]", "list, fetch or prune the releases on the disk", 2, 3,
     TAKES_NAMES | TAKES_YES, release_run, 0, confirm_release},
    {"status", "[APP]", "show apps, zones, connections", 0, 1, TAKES_NAMES, run_status, 0},
    {"history", "[APP [NUMBER]]", "show finished operations, or one of them whole", 0, 2, TAKES_HISTORY, history_run,
     0},
    {"stop", "APP", "stop both zones, over a reboot too", 1, 1, TAKES_FORCE | TAKES_WAIT | TAKES_YES, run_operation,
     BLUEGREEN_STOP, confirm_stop},
    {"start", "APP", "undo stop", 1, 1, TAKES_FORCE | TAKES_WAIT, run_operation, BLUEGREEN_START},
    {"remove", "APP", "remove both zones and forget the app's state", 1, 1, TAKES_FORCE | TAKES_WAIT | TAKES_YES,
     run_operation, BLUEGREEN_REMOVE, confirm_remove},
    {"lock", "APP", "keep everybody from changing it, but for going back", 1, 1, TAKES_MESSAGE, lock_run,
     BLUEGREEN_LOCK},
    {"unlock", "APP", "undo lock", 1, 1, 0, run_operation, BLUEGREEN_UNLOCK},
    {"wait", "APP STATE", "wait until it is idle, live, healthy, standby, drained, baked, stopped or empty", 2, 2,
     TAKES_TIMEOUT, wait_run, BLUEGREEN_WAIT},
    {"exec", "APP [ZONE] -- COMMAND", "run a command in a zone, as the app's user", 1, 2, TAKES_COMMAND, run_exec, 0},
    {"logs", "APP [ZONE]", "show what an app wrote to its stdout and stderr", 1, 2, TAKES_LINES, run_logs, 0},
    {"connections", "APP [ZONE]", "show who is connected, and which connections rest", 1, 2, TAKES_LIMIT,
     run_connections, 0},
    {"top", "[APP]", "show what the zones use, again and again on a terminal", 0, 1, 0, top_run, 0},
    {"diff", "APP", "compare the zones: what differs beside the release", 1, 1, 0, diff_run, BLUEGREEN_DIFF},
    {"doctor", "[APP]", "look for what is in the way of clients, and say what mends it", 0, 1, 0, doctor_run,
     BLUEGREEN_DOCTOR},
    {"schema", "APP [ACTION [RELEASE]]",
     "change the database apart from a release: status expand check contract revert", 1, 3,
     TAKES_FORCE | TAKES_WAIT | TAKES_YES, schema_run, BLUEGREEN_SCHEMA, confirm_schema},
    {"feed", "APP [ACTION [NUMBER]]", "what feeds the standby: status pause resume seed diff skip apply verify", 1, 3,
     0, feed_run, 0},
    {"version", "", "show the versions of this program and of the agent", 0, 0, 0, run_version, 0},
    {"help", "[VERB]", "show this help, or a verb's", 0, 1, 0, run_help, 0},
    {NULL},
};

/* --- arguments ------------------------------------------------------------------------------------------- */

/* The option that means nothing to this verb, or NULL. */
static const char *alien_option(const struct cli *cli, const struct verb *verb)
{
    const struct {
        bool given;
        int options;
        const char *name;
    } known[] = {
        {cli->force, TAKES_FORCE, "--force"},
        {cli->limit, TAKES_HISTORY | TAKES_LINES | TAKES_LIMIT, "--limit"},
        {cli->names, TAKES_NAMES, "--names"},
        {cli->follow, TAKES_LINES, "--follow"},
        {cli->since != NULL, TAKES_HISTORY | TAKES_LINES, "--since"},
        {cli->root, TAKES_COMMAND, "--root"},
        {cli->no_test, TAKES_STEPS, "--no-test"},
        {cli->stop_after != NULL, TAKES_STEPS, "--stop-after"},
        {cli->queue, TAKES_WAIT, "--wait"},
        {cli->past_contract, TAKES_PAST, "--force-past-contract"},
        {cli->canary != NULL, TAKES_CANARY, "--canary"},
        {cli->sticky, TAKES_CANARY, "--sticky"},
        {cli->lose != NULL, TAKES_LOSE, "--lose"},
        {cli->yes, TAKES_YES, "--yes"},
        {cli->group != NULL, TAKES_GROUP, "--group"},
        {cli->message != NULL, TAKES_MESSAGE, "--message"},
        {cli->timeout != NULL, TAKES_TIMEOUT, "--timeout"},
        {cli->until != NULL, TAKES_HISTORY, "--until"},
        {cli->of_verb != NULL, TAKES_HISTORY, "--verb"},
        {cli->of_release != NULL, TAKES_HISTORY, "--release"},
        {cli->failed, TAKES_HISTORY, "--failed"},
        {cli->incidents, TAKES_HISTORY, "--incidents"},
        {cli->no_incidents, TAKES_HISTORY, "--no-incidents"},
        {cli->verbose, TAKES_HISTORY, "--verbose"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].given && !(verb->options & known[i].options))
            return known[i].name;
    }
    return NULL;
}

static int run_verb(struct cli *cli)
{
    const struct verb *verb = verb_find(cli->verb);
    if (!verb) {
        const char *nearest = verb_nearest(cli->verb), *name = cli->verb;
        char hint[64];
        snprintf(hint, sizeof hint, nearest ? "did you mean '%s'?" : "'bluegreen help' lists the verbs", nearest);
        cli->verb = NULL;
        return cli_misuse(cli, hint, "there is no verb '%s'", name);
    }
    bool group = cli->group && (verb->options & TAKES_GROUP); /* in the app's place */
    int least = verb->least - group, most = verb->most - group;
    if (cli->count < least || (verb->most >= 0 && cli->count > most))
        return cli_misuse(cli, NULL, "'%s' takes %s%s", verb->name,
                          verb->arguments[0] ? verb->arguments : "no argument", cli->count < least ? "" : ", no more");
    const char *alien = alien_option(cli, verb);
    if (alien) {
        bool share = verb->operation == BLUEGREEN_DEPLOY && strcmp(alien, "--canary") == 0;
        return cli_misuse(cli, share ? "stage the release first, then: bluegreen switch APP --canary N%" : NULL,
                          "%s means nothing to '%s'", alien, verb->name);
    }
    cli->operation = verb->operation;
    return confirm_verb(cli, verb) ? verb->run(cli) : EXIT_REFUSED;
}

static int run(int argc, char *argv[])
{
    struct cli cli = {0};
    struct arguments arguments = {0};
    options_read(&cli, &arguments, argc, argv);
    terminal_look(&cli.terminal, cli.no_color);
    if (arguments.why)
        return cli_misuse(&cli, "'bluegreen help' lists the options", "'%s' %s", arguments.wrong, arguments.why);
    if (arguments.version) {
        puts("bluegreen " BLUEGREEN_VERSION);
        return EXIT_DONE;
    }
    if (arguments.help) {
        const struct verb *verb = cli.verb ? verb_find(cli.verb) : NULL;
        if (verb)
            usage_print_verb(stdout, verb);
        else
            usage_print(stdout);
        return EXIT_DONE;
    }
    return cli.verb ? run_verb(&cli) : cli_misuse(&cli, NULL, "what to do?");
}

int main(int argc, char *argv[])
{
    setlocale(LC_CTYPE, "");
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* whoever reads progress through a pipe wants it now */
    int status = run(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "bluegreen: write the output: %s\n", strerror(errno));
        return status == EXIT_DONE ? EXIT_REFUSED : status;
    }
    return status;
}
