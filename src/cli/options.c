/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options, the verb, its arguments, and the command behind "--". */
#include "cli/options.h"

#include "cli/usage.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_JSON = 256,
    OPTION_SOCKET,
    OPTION_FORCE,
    OPTION_NAMES,
    OPTION_NO_COLOR,
    OPTION_SINCE,
    OPTION_ROOT,
    OPTION_NO_TEST,
    OPTION_STOP_AFTER,
    OPTION_WAIT,
    OPTION_PAST_CONTRACT,
    OPTION_YES,
    OPTION_GROUP,
    OPTION_TIMEOUT,
    OPTION_UNTIL,
    OPTION_VERB,
    OPTION_RELEASE,
    OPTION_FAILED,
    OPTION_INCIDENTS,
    OPTION_NO_INCIDENTS,
    OPTION_CANARY,
    OPTION_STICKY,
    OPTION_LOSE
};

static const struct option options[] = {
    {"json", no_argument, NULL, OPTION_JSON},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"force", no_argument, NULL, OPTION_FORCE},
    {"limit", required_argument, NULL, 'n'},
    {"follow", no_argument, NULL, 'f'},
    {"since", required_argument, NULL, OPTION_SINCE},
    {"no-test", no_argument, NULL, OPTION_NO_TEST},
    {"stop-after", required_argument, NULL, OPTION_STOP_AFTER},
    {"wait", no_argument, NULL, OPTION_WAIT},
    {"force-past-contract", no_argument, NULL, OPTION_PAST_CONTRACT},
    {"yes", no_argument, NULL, 'y'},
    {"group", required_argument, NULL, OPTION_GROUP},
    {"message", required_argument, NULL, 'm'},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"until", required_argument, NULL, OPTION_UNTIL},
    {"verb", required_argument, NULL, OPTION_VERB},
    {"release", required_argument, NULL, OPTION_RELEASE},
    {"failed", no_argument, NULL, OPTION_FAILED},
    {"incidents", no_argument, NULL, OPTION_INCIDENTS},
    {"no-incidents", no_argument, NULL, OPTION_NO_INCIDENTS},
    {"canary", required_argument, NULL, OPTION_CANARY},
    {"sticky", no_argument, NULL, OPTION_STICKY},
    {"lose", required_argument, NULL, OPTION_LOSE},
    {"verbose", no_argument, NULL, 'v'},
    {"root", no_argument, NULL, OPTION_ROOT},
    {"names", no_argument, NULL, OPTION_NAMES},
    {"no-color", no_argument, NULL, OPTION_NO_COLOR},
    {"no-colour", no_argument, NULL, OPTION_NO_COLOR},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
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

static void take_option(struct cli *cli, struct arguments *arguments, int option, char *argv[])
{
    char letter[3];
    switch (option) {
    case OPTION_JSON: cli->json = true; break;
    case OPTION_SOCKET: cli->socket = optarg; break;
    case OPTION_FORCE: cli->force = true; break;
    case OPTION_NAMES: cli->names = true; break;
    case OPTION_NO_COLOR: cli->no_color = true; break;
    case OPTION_SINCE: cli->since = optarg; break;
    case OPTION_NO_TEST: cli->no_test = true; break;
    case OPTION_STOP_AFTER: cli->stop_after = optarg; break;
    case OPTION_WAIT: cli->queue = true; break;
    case OPTION_PAST_CONTRACT: cli->past_contract = true; break;
    case OPTION_GROUP: cli->group = optarg; break;
    case OPTION_TIMEOUT: cli->timeout = optarg; break;
    case OPTION_CANARY: cli->canary = optarg; break;
    case OPTION_STICKY: cli->sticky = true; break;
    case OPTION_LOSE: cli->lose = optarg; break;
    case OPTION_ROOT: cli->root = true; break;
    case OPTION_UNTIL: cli->until = optarg; break;
    case OPTION_VERB: cli->of_verb = optarg; break;
    case OPTION_RELEASE: cli->of_release = optarg; break;
    case OPTION_FAILED: cli->failed = true; break;
    case OPTION_INCIDENTS: cli->incidents = true; break;
    case OPTION_NO_INCIDENTS: cli->no_incidents = true; break;
    case 'v': cli->verbose = true; break;
    case 'y': cli->yes = true; break;
    case 'm': cli->message = optarg; break;
    case 'f': cli->follow = true; break;
    case 'n': cli->limit = optarg; break;
    case 'h': arguments->help = true; break;
    case 'V': arguments->version = true; break;
    case ':': wrong_option(arguments, bad_option(argv, letter), "wants a value"); break;
    default: wrong_option(arguments, bad_option(argv, letter), "is no option of this program, or is ambiguous");
    }
}

/* What stands behind "--" is no option: for exec it is the command, for others they are arguments. getopt_long would
 * take the "--" away, and with it the place where the command begins. */
static int end_of_options(int argc, char *argv[])
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            return i;
    }
    return argc;
}

/* All options are read before anything is said, so that a later --json is heard. */
void options_read(struct cli *cli, struct arguments *arguments, int argc, char *argv[])
{
    int option, end = end_of_options(argc, argv);
    opterr = 0;
    while ((option = getopt_long(end, argv, ":n:m:fyvhV", options, NULL)) != -1)
        take_option(cli, arguments, option, argv);
    cli->verb = optind < end ? argv[optind] : NULL;
    const struct verb *verb = cli->verb ? verb_find(cli->verb) : NULL;
    if (end < argc && verb && (verb->options & TAKES_COMMAND)) {
        cli->command = argv + end + 1;
        argc = end;
    } else if (end < argc) {
        memmove(argv + end, argv + end + 1, (size_t)(argc - end) * sizeof *argv); /* with the NULL */
        argc--;
        cli->verb = optind < argc ? argv[optind] : NULL;
    }
    cli->arguments = argv + optind + (cli->verb != NULL);
    cli->count = argc - optind - (cli->verb != NULL);
}

bool options_count(const char *text, uint64_t *count)
{
    char *end;
    errno = 0;
    *count = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *count > 0 && *count <= INT64_MAX;
}
