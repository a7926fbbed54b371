/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bluegreen, the command line program: reads its arguments, asks the agent through libbluegreen, shows the answer. */
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/usage.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef BLUEGREEN_VERSION
#define BLUEGREEN_VERSION "unknown"
#endif

enum { HISTORY_LIMIT_MAX = 1000 };

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

int cli_fail(const struct cli *cli, const struct bluegreen_error *error)
{
    fprintf(stderr, "bluegreen: %s%s", cli->verb, cli->count > 0 ? " " : "");
    print_safely(stderr, cli->count > 0 ? cli->arguments[0] : "");
    fputs(": ", stderr);
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

static int run_status(struct cli *cli, const struct verb *verb)
{
    struct bluegreen *agent;
    struct bluegreen_status *status;
    struct bluegreen_error error;
    const char *app = argument(cli, 0);
    (void)verb;
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

static int run_history(struct cli *cli, const struct verb *verb)
{
    struct bluegreen *agent;
    struct bluegreen_history *history;
    struct bluegreen_error error;
    (void)verb;
    if (bluegreen_open(cli->socket, &agent, &error) < 0)
        return cli_fail(cli, &error);
    int result = bluegreen_history(agent, argument(cli, 0), cli->limit, &history, &error);
    bluegreen_close(agent);
    if (result < 0)
        return cli_fail(cli, &error);
    if (cli->json)
        puts(history->json);
    else
        show_history(cli, history);
    bluegreen_history_free(history);
    return EXIT_DONE;
}

/* This program's version is worth telling even where no agent tells its own. */
static int run_version(struct cli *cli, const struct verb *verb)
{
    struct bluegreen *agent;
    struct bluegreen_error error;
    char version[64] = "";
    (void)verb;
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
static int leave_interrupted(const struct cli *cli)
{
    const char *app = argument(cli, 0);
    fprintf(stderr, "bluegreen: interrupted, but the %s goes on in the agent", cli->verb);
    if (app)
        fprintf(stderr, ": 'bluegreen status %s' shows it, 'bluegreen abort %s' undoes it", app, app);
    fputc('\n', stderr);
    fflush(stdout);
    if (interrupted_by) {
        signal(interrupted_by, SIG_DFL);
        raise(interrupted_by);
    }
    return EXIT_REFUSED;
}

static int run_operation(struct cli *cli, const struct verb *verb)
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
    int result = bluegreen_operate(agent, verb->operation, argument(cli, 0), argument(cli, 1),
                                   cli->force ? BLUEGREEN_FORCE : 0, progress_show, &view, &outcome, &error);
    interruptible = NULL;
    bluegreen_close(agent);
    progress_end(&view);
    if (result < 0)
        return error.kind == BLUEGREEN_INTERRUPTED ? leave_interrupted(cli) : cli_fail(cli, &error);
    show_result(cli, argument(cli, 0), outcome);
    bluegreen_result_free(outcome);
    return EXIT_DONE;
}

static int run_check(struct cli *cli, const struct verb *verb)
{
    (void)verb;
    return check_run(cli);
}

static int run_help(struct cli *cli, const struct verb *verb)
{
    const char *name = argument(cli, 0);
    (void)verb;
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
    {"check", "[FILE...]", "check the configuration; works without an agent", 0, -1, 0, run_check, 0},
    {"reload", "", "read the configuration again", 0, 0, 0, run_operation, BLUEGREEN_RELOAD},
    {"deploy", "APP RELEASE", "start a release, wait for its health, switch to it, drain the old one", 2, 2,
     TAKES_FORCE, run_operation, BLUEGREEN_DEPLOY},
    {"stage", "APP RELEASE", "start a release in the zone that is not live, no further", 2, 2, TAKES_FORCE,
     run_operation, BLUEGREEN_STAGE},
    {"switch", "APP", "make the staged zone live, drain the other", 1, 1, TAKES_FORCE, run_operation, BLUEGREEN_SWITCH},
    {"rollback", "APP", "make the zone live again that was live before", 1, 1, TAKES_FORCE, run_operation,
     BLUEGREEN_ROLLBACK},
    {"abort", "APP", "undo the running operation", 1, 1, TAKES_FORCE, run_operation, BLUEGREEN_ABORT},
    {"drain", "APP", "wait for the zone that is not live to be empty", 1, 1, TAKES_FORCE, run_operation,
     BLUEGREEN_DRAIN},
    {"status", "[APP]", "show apps, zones, connections", 0, 1, TAKES_NAMES, run_status, 0},
    {"history", "[APP]", "show finished operations", 0, 1, TAKES_LIMIT, run_history, 0},
    {"stop", "APP", "stop both zones, over a reboot too", 1, 1, TAKES_FORCE, run_operation, BLUEGREEN_STOP},
    {"start", "APP", "undo stop", 1, 1, TAKES_FORCE, run_operation, BLUEGREEN_START},
    {"remove", "APP", "remove both zones and forget the app's state", 1, 1, TAKES_FORCE, run_operation,
     BLUEGREEN_REMOVE},
    {"version", "", "show the versions of this program and of the agent", 0, 0, 0, run_version, 0},
    {"help", "[VERB]", "show this help, or a verb's", 0, 1, 0, run_help, 0},
    {NULL},
};

/* --- arguments ------------------------------------------------------------------------------------------- */

enum { OPTION_JSON = 256, OPTION_SOCKET, OPTION_FORCE, OPTION_NAMES, OPTION_NO_COLOR };

static const struct option options[] = {
    {"json", no_argument, NULL, OPTION_JSON},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"force", no_argument, NULL, OPTION_FORCE},
    {"limit", required_argument, NULL, 'n'},
    {"names", no_argument, NULL, OPTION_NAMES},
    {"no-color", no_argument, NULL, OPTION_NO_COLOR},
    {"no-colour", no_argument, NULL, OPTION_NO_COLOR},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* What the arguments say beside what is in struct cli. */
struct arguments {
    bool help, version;
    char wrong[64]; /* the first option that is not right, and why */
    const char *why;
};

static void wrong_option(struct arguments *arguments, const char *option, const char *why)
{
    if (arguments->why)
        return;
    snprintf(arguments->wrong, sizeof arguments->wrong, "%s", option);
    arguments->why = why;
}

/* What getopt_long stumbled over: of "-xn" it is "-x", of a long option the whole argument. */
static const char *bad_option(char *argv[], char letter[3])
{
    if (optopt <= 0 || optopt >= OPTION_JSON)
        return argv[optind - 1];
    letter[0] = '-';
    letter[1] = (char)optopt;
    letter[2] = '\0';
    return letter;
}

static bool parse_limit(const char *text, unsigned *limit)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    *limit = (unsigned)number;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && number >= 1 && number <= HISTORY_LIMIT_MAX;
}

static void take_option(struct cli *cli, struct arguments *arguments, int option, char *argv[])
{
    char letter[3];
    switch (option) {
    case OPTION_JSON: cli->json = true; break;
    case OPTION_SOCKET: cli->socket = optarg; break;
    case OPTION_FORCE: cli->force = true; break;
    case OPTION_NAMES: cli->names = true; break;
    case OPTION_NO_COLOR: cli->no_color = true; break;
    case 'n':
        if (!parse_limit(optarg, &cli->limit))
            wrong_option(arguments, optarg, "is no number of history entries (1 to 1000)");
        break;
    case 'h': arguments->help = true; break;
    case 'V': arguments->version = true; break;
    case ':': wrong_option(arguments, bad_option(argv, letter), "wants a value"); break;
    default: wrong_option(arguments, bad_option(argv, letter), "is no option of this program, or is ambiguous");
    }
}

/* All options are read before anything is said, so that a later --json is heard. */
static void read_options(struct cli *cli, struct arguments *arguments, int argc, char *argv[])
{
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":n:hV", options, NULL)) != -1)
        take_option(cli, arguments, option, argv);
    cli->verb = optind < argc ? argv[optind] : NULL;
    cli->arguments = argv + optind + (cli->verb != NULL);
    cli->count = argc - optind - (cli->verb != NULL);
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
    if (cli->count < verb->least || (verb->most >= 0 && cli->count > verb->most))
        return cli_misuse(cli, NULL, "'%s' takes %s%s", verb->name,
                          verb->arguments[0] ? verb->arguments : "no argument",
                          cli->count < verb->least ? "" : ", no more");
    const char *alien = cli->force && !(verb->options & TAKES_FORCE)   ? "--force"
                        : cli->limit && !(verb->options & TAKES_LIMIT) ? "--limit"
                        : cli->names && !(verb->options & TAKES_NAMES) ? "--names"
                                                                       : NULL;
    if (alien)
        return cli_misuse(cli, NULL, "%s means nothing to '%s'", alien, verb->name);
    return verb->run(cli, verb);
}

static int run(int argc, char *argv[])
{
    struct cli cli = {0};
    struct arguments arguments = {0};
    read_options(&cli, &arguments, argc, argv);
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
