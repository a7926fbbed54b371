/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bluegreen doctor: what the agent has found, each with the lines to type. Findings come as rows (a text that is longer
 * than one goes on in the next, and each line has one): here they are put together again, for people and as JSON.
 */
#include "cli/cli.h"
#include "cli/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 16, INDENT = 4, LINE_INDENT = 8, NARROWEST = 40, WIDEST = 110 };

struct finding {
    const char *level, *id, *app; /* app: "" = none */
    char name[128];               /* what id and app point into */
    char text[1200];
    const char *lines[LINES_MAX];
    size_t line_count;
};

/* --- rows to findings ------------------------------------------------------------------------------------- */

static void begin(struct finding *finding, const struct bluegreen_item *item)
{
    finding->level = item->kind;
    finding->line_count = 0;
    snprintf(finding->name, sizeof finding->name, "%s", item->name);
    snprintf(finding->text, sizeof finding->text, "%s", item->text ? item->text : "");
    char *colon = strchr(finding->name, ':');
    finding->id = finding->name;
    finding->app = colon ? colon + 1 : "";
    if (colon)
        *colon = '\0';
}

static void go_on(struct finding *finding, const char *text)
{
    size_t length = strlen(finding->text);
    snprintf(finding->text + length, sizeof finding->text - length, " %s", text);
}

/* The finding that begins at this row; how many rows it has. */
static size_t read_finding(const struct bluegreen_result *result, size_t at, struct finding *finding)
{
    begin(finding, result->items[at]);
    for (size_t i = at + 1; i < result->item_count; i++) {
        const struct bluegreen_item *item = result->items[i];
        const char *text = item->text ? item->text : "";
        if (strcmp(item->kind, "more") == 0)
            go_on(finding, text);
        else if (strcmp(item->kind, "mend") == 0 && finding->line_count < LINES_MAX)
            finding->lines[finding->line_count++] = text;
        else if (strcmp(item->kind, "mend") != 0)
            return i - at;
    }
    return result->item_count - at;
}

static bool is(const struct finding *finding, const char *level)
{
    return strcmp(finding->level, level) == 0;
}

static unsigned count(const struct bluegreen_result *result, const char *level)
{
    unsigned found = 0;
    for (size_t i = 0; i < result->item_count; i++)
        found += strcmp(result->items[i]->kind, level) == 0;
    return found;
}

/* --- as JSON ---------------------------------------------------------------------------------------------- */

static void print_member(const char *name, const char *value)
{
    printf("\"%s\":", name);
    if (value[0])
        json_print_string(stdout, value);
    else
        fputs("null", stdout);
    putchar(',');
}

static void print_json_finding(const struct finding *finding)
{
    putchar('{');
    print_member("level", finding->level);
    print_member("id", finding->id);
    print_member("app", finding->app);
    print_member("text", finding->text);
    fputs("\"mend\":[", stdout);
    for (size_t i = 0; i < finding->line_count; i++) {
        if (i)
            putchar(',');
        json_print_string(stdout, finding->lines[i]);
    }
    fputs("]}", stdout);
}

static void print_json(const struct bluegreen_result *result)
{
    struct finding finding;
    fputs("{\"findings\":[", stdout);
    for (size_t at = 0; at < result->item_count; at += read_finding(result, at, &finding)) {
        if (at)
            putchar(',');
        read_finding(result, at, &finding);
        print_json_finding(&finding);
    }
    printf("],\"faults\":%u,\"warnings\":%u,\"notes\":%u}\n", count(result, "fault"), count(result, "warning"),
           count(result, "note"));
}

/* --- for people --------------------------------------------------------------------------------------------- */

static int columns_of(const struct cli *cli)
{
    int width = cli->terminal.width - INDENT;
    return width < NARROWEST ? NARROWEST : width > WIDEST ? WIDEST : width;
}

/* Words in lines of the terminal's width; one that is longer has a line of its own. */
static void print_wrapped(const struct cli *cli, const char *text)
{
    int width = columns_of(cli), used = 0;
    char word[1200];
    for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        snprintf(word, sizeof word, "%.*s", (int)length, at);
        int columns = terminal_columns(word);
        if (used > 0 && used + 1 + columns > width) {
            putchar('\n');
            used = 0;
        }
        printf("%*s", used > 0 ? 1 : INDENT, "");
        used += columns + (used > 0);
        terminal_print(&cli->terminal, STYLE_PLAIN, word);
        at += length;
    }
    putchar('\n');
}

static void print_finding(const struct cli *cli, const struct finding *finding)
{
    enum style style = is(finding, "fault") ? STYLE_RED : is(finding, "warning") ? STYLE_YELLOW : STYLE_BOLD;
    terminal_print(&cli->terminal, style, finding->level);
    putchar(' ');
    terminal_print(&cli->terminal, STYLE_BOLD, finding->id);
    if (finding->app[0])
        putchar(' ');
    terminal_print(&cli->terminal, STYLE_BOLD, finding->app);
    putchar('\n');
    print_wrapped(cli, finding->text);
    for (size_t i = 0; i < finding->line_count; i++) {
        printf("%*s", LINE_INDENT, "");
        terminal_print(&cli->terminal, STYLE_GREEN, finding->lines[i]);
        putchar('\n');
    }
}

static void print_level(const struct cli *cli, const struct bluegreen_result *result, const char *level)
{
    struct finding finding;
    for (size_t at = 0; at < result->item_count; at += read_finding(result, at, &finding)) {
        read_finding(result, at, &finding);
        if (is(&finding, level))
            print_finding(cli, &finding);
    }
}

/* Their names only: nobody reads on about what is well. */
static void print_well(const struct cli *cli, const struct bluegreen_result *result)
{
    char text[1200] = "";
    size_t length = 0;
    for (size_t i = 0; i < result->item_count && length < sizeof text; i++) {
        if (strcmp(result->items[i]->kind, "ok") == 0)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%s", length ? ", " : "",
                                       result->items[i]->name);
    }
    if (!text[0])
        return;
    terminal_print(&cli->terminal, STYLE_GREEN, "ok");
    putchar('\n');
    print_wrapped(cli, text);
}

static void print_all(const struct cli *cli, const struct bluegreen_result *result)
{
    static const char *const levels[] = {"fault", "warning", "note"};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        print_level(cli, result, levels[i]);
    print_well(cli, result);
    if (result->text)
        terminal_print(&cli->terminal, STYLE_BOLD, result->text);
    putchar('\n');
}

/* --- asking ------------------------------------------------------------------------------------------------- */

/* Without an agent nobody can look, but there is where to look. */
static int fail(const struct cli *cli, const struct bluegreen_error *error)
{
    if (error->kind == BLUEGREEN_UNREACHABLE && !cli->json)
        fputs("bluegreen: the doctor is the agent. Why it does not answer:\n"
              "        systemctl status bluegreend\n"
              "        journalctl -u bluegreend -n 50\n"
              "        bluegreen check\n",
              stderr);
    return cli_fail(cli, error);
}

int doctor_run(struct cli *cli)
{
    struct bluegreen *agent;
    struct bluegreen_result *result;
    struct bluegreen_error error;
    const struct bluegreen_request request = {.verb = BLUEGREEN_DOCTOR,
                                              .app = cli->count > 0 ? cli->arguments[0] : NULL};
    if (bluegreen_open(cli->socket, &agent, &error) < 0)
        return fail(cli, &error);
    int failed = bluegreen_ask(agent, &request, NULL, NULL, &result, &error);
    bluegreen_close(agent);
    if (failed < 0)
        return fail(cli, &error);
    if (cli->json)
        print_json(result);
    else
        print_all(cli, result);
    int status = count(result, "fault") ? EXIT_FAULTY : count(result, "warning") ? EXIT_WARNED : EXIT_DONE;
    bluegreen_result_free(result);
    return status;
}
