/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Help, and finding verbs. */
#include "cli/usage.h"

#include <string.h>

const struct verb *verb_find(const char *name)
{
    for (const struct verb *verb = verbs; verb->name; verb++) {
        if (strcmp(verb->name, name) == 0)
            return verb;
    }
    return NULL;
}

enum { WORD_MAX = 16, SUMMARY_COLUMN = 34 };

static int least_of(int a, int b, int c)
{
    int least = a < b ? a : b;
    return least < c ? least : c;
}

/* Insertions, deletions and replacements from a to b (Levenshtein), row by row. The agent has such a function, too, but
 * this program is made of nothing that another one could not have: the library and its header. */
static int edit_distance(const char *a, const char *b)
{
    int row[WORD_MAX + 1];
    int b_length = (int)strlen(b);
    for (int j = 0; j <= b_length; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= b_length; j++) {
            int replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least_of(row[j] + 1, row[j - 1] + 1, replaced);
        }
    }
    return row[b_length];
}

const char *verb_nearest(const char *name)
{
    const char *nearest = NULL;
    size_t length = strlen(name);
    int best = length <= 3 ? 2 : 3; /* one slip in a short word, two in a long one */
    for (const struct verb *verb = verbs; verb->name && length <= WORD_MAX; verb++) {
        bool begun = length >= 2 && strncmp(verb->name, name, length) == 0; /* "hist" */
        int distance = begun ? 1 : edit_distance(name, verb->name);
        if (distance < best) {
            best = distance;
            nearest = verb->name;
        }
    }
    return nearest;
}

void usage_print(FILE *file)
{
    fputs("usage: bluegreen [OPTION...] VERB [ARGUMENT...]\n\nverbs:\n", file);
    for (const struct verb *verb = verbs; verb->name; verb++) {
        int used = fprintf(file, "  %-8s %s", verb->name, verb->arguments);
        if (used >= SUMMARY_COLUMN)
            used = fprintf(file, "\n") - 1;
        fprintf(file, "%*s%s\n", SUMMARY_COLUMN - used, "", verb->summary);
    }
    fputs("\noptions, before or after the verb:\n"
          "      --json         print JSON: one document, or one object a line and the result last\n"
          "      --socket PATH  the agent's socket (else $BLUEGREEN_SOCKET, else /run/bluegreen/control.sock)\n"
          "      --force        go on in spite of a refusal that can be overridden\n"
          "      --force-past-contract\n"
          "                     go to a release that needs the schema from before a contract\n"
          "      --group NAME   switch, rollback: all apps of this group, or none\n"
          "      --no-test      deploy: without its test\n"
          "      --stop-after STEP\n"
          "                     deploy: end after the step health or test; the release is staged then\n"
          "      --wait         behind the operation that runs, instead of a refusal because of it\n"
          "      --canary N%    switch: only so many of the new connections; the other zone stays live\n"
          "      --sticky       the same by client address: who comes to the one zone comes to it again\n"
          "      --lose N       deploy, switch, rollback: go on though the other zone misses up to N\n"
          "                     transactions of the feed\n"
          "  -y, --yes          no question before something is lost (asked on a terminal only)\n"
          "  -m, --message TEXT lock: why\n"
          "      --timeout TIME wait: at most so long: 30s, 10m, 1h30m\n"
          "  -n, --limit N      history: the newest N operations; logs: the last N lines, or all;\n"
          "                     connections: at most N of them\n"
          "  -f, --follow       logs: go on with what is written from now on\n"
          "      --since TIME   logs, history: from then on: 10m, 2h, '2026-11-23 10:00', @SECONDS\n"
          "      --until TIME   history: what began before then\n"
          "      --verb VERB    history: only those operations; 'served' shows what each release served\n"
          "      --release R    history: only of that release\n"
          "      --failed       history: only what failed, and incidents\n"
          "      --incidents, --no-incidents\n"
          "                     history: only incidents, or none\n"
          "  -v, --verbose      history: each entry whole, with its steps and what its hooks wrote\n"
          "      --root         exec: with your own rights, as root, and not those of the app\n"
          "      --names        status, release list: names only\n"
          "      --no-color     no colours (NO_COLOR in the environment does the same)\n"
          "  -h, --help         this help\n"
          "  -V, --version      this program's version\n"
          "\nexit status: 0 done, 1 refused or failed, 2 wrong usage or configuration, 3 agent not reachable,\n"
          "4 diff: the zones differ, 5 wait: not within --timeout,\n"
          "6 doctor: a fault was found, 7 doctor: no fault, but a warning;\n"
          "interrupted, as by any program, 130: what was asked for goes on then, and attach comes back to it;\n"
          "of exec: the command's, 128 and the number of the signal that ended it, 125 if it was not run\n",
          file);
}

void usage_print_verb(FILE *file, const struct verb *verb)
{
    static const struct {
        int option;
        const char *text;
    } texts[] = {
        {TAKES_FORCE, " [--force]"},
        {TAKES_PAST, " [--force-past-contract]"},
        {TAKES_HISTORY, " [FILTER...]"},
        {TAKES_NAMES, " [--names]"},
        {TAKES_LINES, " [-f] [-n N] [--since TIME]"},
        {TAKES_LIMIT, " [-n N]"},
        {TAKES_COMMAND, " [--root]"},
        {TAKES_STEPS, " [--no-test] [--stop-after health|test]"},
        {TAKES_WAIT, " [--wait]"},
        {TAKES_YES, " [--yes]"},
        {TAKES_CANARY, " [--canary N% [--sticky]]"},
        {TAKES_LOSE, " [--lose N]"},
        {TAKES_MESSAGE, " -m TEXT"},
        {TAKES_TIMEOUT, " [--timeout TIME]"},
    };
    fputs("usage: bluegreen [--json] [--socket PATH]", file);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        fputs(verb->options & texts[i].option ? texts[i].text : "", file);
    fprintf(file, " %s%s%s\n", verb->name, verb->arguments[0] ? " " : "", verb->arguments);
    fprintf(file, "%s\n", verb->summary);
}
