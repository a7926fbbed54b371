/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `history`: a table of what was done, or each entry whole. */
#include "cli/cli.h"
#include "cli/since.h"
#include "cli/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char history_verbs[] = "deploy, stage, test, switch, rollback, rehearse, failover, schema, stop, start, "
                                    "remove, lock, unlock, release, served";

enum { LIMIT_MAX = 1000, LABEL_WIDTH = 13, STEP_WIDTH = 16 };

/* --- words ----------------------------------------------------------------------------------------- */

const char *format_served(const struct bluegreen_served *served, char *text, size_t size)
{
    int used =
        snprintf(text, size, "%" PRIu64 " connection%s", served->connections, served->connections == 1 ? "" : "s");
    if (served->datagrams && used > 0 && (size_t)used < size)
        used += snprintf(text + used, size - (size_t)used, ", %" PRIu64 " datagrams", served->datagrams);
    if (served->requests_known && used > 0 && (size_t)used < size)
        snprintf(text + used, size - (size_t)used, ", %" PRIu64 " requests", served->requests);
    return text;
}

/* "v2 was live for 3 min 12 s and served 1204 connections" */
static void served_sentence(const struct bluegreen_served *served, char *text, size_t size)
{
    char took[32], what[160];
    snprintf(text, size, "%s was live for %s and served %s", served->release ? served->release : "what was there",
             format_duration(served->duration_ms, took, sizeof took), format_served(served, what, sizeof what));
}

static const char *result_of(const struct bluegreen_entry *entry)
{
    return entry->incident ? entry->incident : entry->done ? "done" : "failed";
}

static bool is_served(const struct bluegreen_entry *entry)
{
    return strcmp(entry->verb, "served") == 0;
}

/* "blue -> green", "green", or "-". */
static void format_move(const struct terminal *terminal, const struct bluegreen_entry *entry, char *text, size_t size)
{
    const char *from = bluegreen_colour_name(entry->from), *to = bluegreen_colour_name(entry->to);
    if (from && to && from != to)
        snprintf(text, size, "%s %s %s", from, terminal_arrow(terminal), to);
    else
        snprintf(text, size, "%s", to ? to : from ? from : "-");
}

/* --- the table --------------------------------------------------------------------------------------- */

static void add_row(struct table *table, const struct bluegreen_entry *entry, bool with_app)
{
    char text[256];
    bool by_somebody = !entry->incident && !is_served(entry);
    table_add(table, STYLE_DIM, "%" PRIu64, entry->sequence);
    table_add(table, STYLE_DIM, "%s", format_time(entry->time, text, sizeof text));
    if (with_app)
        table_add(table, STYLE_BOLD, "%s", entry->app);
    table_add(table, STYLE_PLAIN, "%s", entry->verb);
    format_move(table->terminal, entry, text, sizeof text);
    table_add(table, STYLE_PLAIN, "%s", text);
    table_add(table, STYLE_PLAIN, "%s", entry->release ? entry->release : "-");
    table_add(table, STYLE_PLAIN, "%s", entry->incident ? "-" : format_duration(entry->duration_ms, text, sizeof text));
    table_add(table, STYLE_PLAIN, "%s", by_somebody ? entry->who : "-");
    table_add(table, entry->done ? STYLE_PLAIN : STYLE_RED, "%s", is_served(entry) ? "-" : result_of(entry));
    if (entry->reason)
        table_note(table, entry->done ? STYLE_DIM : STYLE_RED, "%s", entry->reason);
    for (size_t i = 0; i < entry->served_count; i++) {
        served_sentence(&entry->served[i], text, sizeof text);
        table_note(table, STYLE_DIM, "%s", text);
    }
}

static void show_table(const struct cli *cli, const struct bluegreen_history *history)
{
    static const char *const all[] = {"number", "time", "app", "verb", "zone", "release", "took", "by", "result"},
                             *const of_one[] = {"number", "time", "verb", "zone", "release", "took", "by", "result"};
    static const bool all_right[] = {true, false, false, false, false, false, true, false, false},
                      of_one_right[] = {true, false, false, false, false, true, false, false};
    bool with_app = cli->count == 0;
    struct table table = {.terminal = &cli->terminal,
                          .titles = with_app ? all : of_one,
                          .columns = with_app ? 9 : 8,
                          .right = with_app ? all_right : of_one_right};
    for (size_t i = 0; i < history->count; i++)
        add_row(&table, history->entries[i], with_app);
    table_print(&table);
}

/* --- one whole ----------------------------------------------------------------------------------------- */

static void print_field(const struct terminal *terminal, const char *label, enum style style, const char *text)
{
    printf("  ");
    terminal_cell(terminal, STYLE_DIM, label, LABEL_WIDTH);
    terminal_print(terminal, style, text);
    putchar('\n');
}

static void print_steps(const struct terminal *terminal, const struct bluegreen_entry *entry)
{
    char took[32];
    for (size_t i = 0; i < entry->step_count; i++) {
        printf("  ");
        terminal_cell(terminal, STYLE_DIM, i ? "" : "steps", LABEL_WIDTH);
        terminal_cell(terminal, STYLE_PLAIN, entry->steps[i].name, STEP_WIDTH);
        printf("%s\n", format_duration(entry->steps[i].duration_ms, took, sizeof took));
    }
}

static void print_switched(const struct terminal *terminal, const struct bluegreen_switched *switched)
{
    char text[192], took[32];
    if (!switched)
        return;
    snprintf(text, sizeof text, "in %" PRIu64 " %s, rule set generation %" PRIu64 " %s %" PRIu64,
             switched->transaction_us, terminal_micro(terminal), switched->generation_before, terminal_arrow(terminal),
             switched->generation_after);
    print_field(terminal, "switched", STYLE_PLAIN, text);
    if (!switched->drain_ended)
        return;
    char nudged[40] = "", ended[100] = "some may have ended by themselves (the agent was started again)";
    if (switched->nudged)
        snprintf(nudged, sizeof nudged, " (%" PRIu64 " nudged)", switched->nudged);
    if (switched->drain_known)
        snprintf(ended, sizeof ended, "%" PRIu64 " ended by themselves%s", switched->drained, nudged);
    snprintf(text, sizeof text, "%s, %" PRIu64 " cut, %" PRIu64 " left, in %s", ended, switched->cut, switched->left,
             format_duration(switched->drain_ms, took, sizeof took));
    print_field(terminal, "connections", STYLE_PLAIN, text);
}

static void print_output(const struct terminal *terminal, const char *output)
{
    while (*output) {
        size_t length = strcspn(output, "\n");
        char *line = strndup(output, length);
        printf("    ");
        terminal_print(terminal, STYLE_DIM, line ? line : "");
        putchar('\n');
        free(line);
        output += length;
        output += *output == '\n';
    }
}

static void print_hooks(const struct terminal *terminal, const struct bluegreen_entry *entry)
{
    for (size_t i = 0; i < entry->hook_count; i++) {
        const struct bluegreen_hook *hook = &entry->hooks[i];
        char text[512], took[32];
        snprintf(text, sizeof text, "%s: %s in %s%s%s", hook->name, hook->done ? "passed" : "failed",
                 format_duration(hook->duration_ms, took, sizeof took), hook->reason ? ": " : "",
                 hook->reason ? hook->reason : "");
        print_field(terminal, i ? "" : "hooks", hook->done ? STYLE_PLAIN : STYLE_RED, text);
        print_output(terminal, hook->output);
    }
}

static void show_whole(const struct terminal *terminal, const struct bluegreen_entry *entry)
{
    char text[512], when[64], took[32], move[64];
    format_move(terminal, entry, move, sizeof move);
    snprintf(text, sizeof text, "%s %s %s", entry->app, entry->verb, entry->release ? entry->release : "");
    printf("%" PRIu64 " ", entry->sequence);
    terminal_print(terminal, STYLE_BOLD, text);
    putchar('\n');
    print_field(terminal, "time", STYLE_PLAIN, format_time(entry->time, when, sizeof when));
    print_field(terminal, "zone", STYLE_PLAIN, move);
    if (!entry->incident)
        print_field(terminal, "took", STYLE_PLAIN, format_duration(entry->duration_ms, took, sizeof took));
    if (!entry->incident && !is_served(entry))
        print_field(terminal, "by", STYLE_PLAIN, entry->who);
    if (!is_served(entry))
        print_field(terminal, "result", entry->done ? STYLE_PLAIN : STYLE_RED, result_of(entry));
    if (entry->reason)
        print_field(terminal, "reason", STYLE_PLAIN, entry->reason);
    print_steps(terminal, entry);
    print_switched(terminal, entry->switched);
    for (size_t i = 0; i < entry->served_count; i++) {
        served_sentence(&entry->served[i], text, sizeof text);
        print_field(terminal, i ? "" : "served", STYLE_PLAIN, text);
    }
    print_hooks(terminal, entry);
}

static void show(const struct cli *cli, const struct bluegreen_history *history, bool whole)
{
    bool wanted = cli->of_verb || cli->of_release || cli->since || cli->until || cli->failed || cli->incidents ||
                  cli->no_incidents || cli->count > 1;
    if (history->count == 0)
        printf(wanted ? "there is nothing like that in the history\n" : "nothing has been done yet\n");
    else if (!whole)
        show_table(cli, history);
    for (size_t i = 0; whole && i < history->count; i++) {
        if (i > 0)
            putchar('\n');
        show_whole(&cli->terminal, history->entries[i]);
    }
}

/* --- asking ----------------------------------------------------------------------------------------------- */

static bool number_valid(const char *text, uint64_t most, uint64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *number >= 1 && *number <= most;
}

static bool time_valid(const char *text, uint64_t *unix_ms)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return since_parse(text, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000, unix_ms);
}

/* Those that leave entries, as the manual page has them. */
static bool verb_valid(const char *verb)
{
    const char *rest = history_verbs;
    size_t length = strlen(verb);
    while (*rest) {
        size_t word = strcspn(rest, ",");
        if (word == length && strncmp(rest, verb, length) == 0)
            return true;
        rest += word;
        rest += strspn(rest, ", ");
    }
    return false;
}

/* The exit status if the options are wrong, else EXIT_DONE. */
static int fill_filter(const struct cli *cli, struct bluegreen_history_filter *filter)
{
    uint64_t limit = 0;
    const char *time_forms = "times are like 10m, 2h, '2026-11-23 10:00' or @SECONDS";
    *filter = (struct bluegreen_history_filter){
        .app = cli->count > 0 ? cli->arguments[0] : NULL,
        .verb = cli->of_verb,
        .release = cli->of_release,
        .failed = cli->failed,
        .incidents = cli->incidents      ? 1
                     : cli->no_incidents ? -1
                                         : 0,
        .hooks = cli->verbose || cli->count > 1,
    };
    if (cli->limit && !number_valid(cli->limit, LIMIT_MAX, &limit))
        return cli_misuse(cli, "'bluegreen help' lists the options", "'%s' is no number of history entries (1 to %d)",
                          cli->limit, LIMIT_MAX);
    filter->limit = (unsigned)limit;
    if (cli->of_verb && !verb_valid(cli->of_verb))
        return cli_misuse(cli, NULL, "--verb: '%s' is no verb of the history; these are: %s", cli->of_verb,
                          history_verbs);
    if (cli->count > 1 && !number_valid(cli->arguments[1], INT64_MAX, &filter->sequence))
        return cli_misuse(cli, NULL, "'%s' is no number of an entry, as the history shows it", cli->arguments[1]);
    if (cli->since && !time_valid(cli->since, &filter->since_ms))
        return cli_misuse(cli, time_forms, "'%s' is no time", cli->since);
    if (cli->until && !time_valid(cli->until, &filter->until_ms))
        return cli_misuse(cli, time_forms, "'%s' is no time", cli->until);
    if (cli->incidents && cli->no_incidents)
        return cli_misuse(cli, NULL, "--incidents and --no-incidents: one or the other");
    return EXIT_DONE;
}

int history_run(struct cli *cli)
{
    struct bluegreen *agent;
    struct bluegreen_history *history;
    struct bluegreen_history_filter filter;
    struct bluegreen_error error;
    int wrong = fill_filter(cli, &filter);
    if (wrong != EXIT_DONE)
        return wrong;
    if (bluegreen_open(cli->socket, &agent, &error) < 0)
        return cli_fail(cli, &error);
    int result = bluegreen_history_of(agent, &filter, &history, &error);
    bluegreen_close(agent);
    if (result < 0)
        return cli_fail(cli, &error);
    if (cli->json)
        puts(history->json);
    else
        show(cli, history, filter.hooks);
    bluegreen_history_free(history);
    return EXIT_DONE;
}
