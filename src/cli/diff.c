/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bluegreen diff: what differs between the zones, as a table, with an exit status that scripts can ask. */
#include "cli/show_progress.h"
#include "cli/table.h"

#include <stdio.h>
#include <string.h>

enum { SUM_SHOWN = 12 };

#define SUM "sha256:"

/* A digest's first digits are enough for people. */
static void add_value(struct table *table, enum style style, const char *value)
{
    const char *sum = value ? strstr(value, SUM) : NULL;
    if (sum)
        table_add(table, style, "%.*s%.*s", (int)(sum - value), value, (int)SUM_SHOWN, sum + strlen(SUM));
    else
        table_add(table, style, "%s", value ? value : "-");
}

static bool is_unknown(const struct bluegreen_item *item)
{
    return strcmp(item->kind, "unknown") == 0;
}

static bool is_beyond(const struct bluegreen_item *item)
{
    return is_unknown(item) || !item->text || strcmp(item->text, "release") != 0;
}

static void show_table(const struct cli *cli, const struct bluegreen_result *result)
{
    static const char *const titles[] = {"WHAT", "BLUE", "GREEN", "OF"};
    static const bool right[4] = {false};
    struct table table = {.terminal = &cli->terminal, .titles = titles, .columns = 4, .right = right};
    for (size_t i = 0; i < result->item_count; i++) {
        const struct bluegreen_item *item = result->items[i];
        if (is_unknown(item) && !item->values[0] && !item->values[1])
            continue; /* a sentence, not a row */
        enum style style = is_beyond(item) ? STYLE_BOLD : STYLE_PLAIN;
        table_add(&table, style, "%s", item->name);
        add_value(&table, style, item->values[BLUEGREEN_BLUE]);
        add_value(&table, style, item->values[BLUEGREEN_GREEN]);
        table_add(&table, style, "%s", is_unknown(item) ? "unknown" : item->text ? item->text : "");
    }
    if (table.count > 0)
        table_print(&table);
}

static void show_sentences(const struct cli *cli, const struct bluegreen_result *result)
{
    for (size_t i = 0; i < result->item_count; i++) {
        const struct bluegreen_item *item = result->items[i];
        if (!is_unknown(item) || item->values[0] || item->values[1] || !item->text)
            continue;
        terminal_print(&cli->terminal, STYLE_BOLD, item->name);
        fputs(": ", stdout);
        terminal_print(&cli->terminal, STYLE_PLAIN, item->text);
        putchar('\n');
    }
}

static void show(const struct cli *cli, const struct bluegreen_result *result)
{
    if (!cli->json) {
        show_table(cli, result);
        show_sentences(cli, result);
    }
    show_result(cli, cli->arguments[0], result);
}

int diff_run(struct cli *cli)
{
    struct bluegreen *agent;
    struct bluegreen_result *result;
    struct bluegreen_error error;
    struct progress_view view = {.cli = cli, .zone = BLUEGREEN_NONE};
    const struct bluegreen_request request = {.verb = BLUEGREEN_DIFF, .app = cli->arguments[0]};
    if (bluegreen_open(cli->socket, &agent, &error) < 0)
        return cli_fail(cli, &error);
    int failed = bluegreen_ask(agent, &request, progress_show, &view, &result, &error);
    bluegreen_close(agent);
    progress_end(&view);
    if (failed < 0)
        return cli_fail(cli, &error);
    bool differs = false;
    for (size_t i = 0; i < result->item_count; i++)
        differs = differs || is_beyond(result->items[i]);
    show(cli, result);
    bluegreen_result_free(result);
    return differs ? EXIT_DIFFERENT : EXIT_DONE;
}
