/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Releases on the disk: what is asked for, and the list of them. */
#include "cli/cli.h"
#include "cli/table.h"

#include <stdio.h>
#include <string.h>

static void show_list(const struct cli *cli, const struct bluegreen_result *result)
{
    static const char *const titles[] = {"RELEASE", "SINCE", "USE"};
    static const bool right[3] = {false};
    struct table table = {.terminal = &cli->terminal, .titles = titles, .columns = 3, .right = right};
    for (size_t i = 0; i < result->item_count; i++) {
        const struct bluegreen_item *item = result->items[i];
        bool live = item->text && strncmp(item->text, "live ", 5) == 0;
        table_add(&table, live ? STYLE_BOLD : STYLE_PLAIN, "%s", item->name);
        table_add(&table, STYLE_PLAIN, "%s", item->time ? item->time : "");
        table_add(&table, STYLE_PLAIN, "%s", item->text ? item->text : "");
    }
    if (result->item_count > 0)
        table_print(&table);
    else
        puts("there are no releases");
    if (result->text)
        puts(result->text);
}

/* Those that can be deployed: for completion. */
static void show_names(const struct bluegreen_result *result)
{
    for (size_t i = 0; i < result->item_count; i++) {
        const char *text = result->items[i]->text;
        bool whole = !text || (strncmp(text, "incomplete", 10) != 0 && strcmp(text, "being fetched") != 0);
        if (whole)
            puts(result->items[i]->name);
    }
}

static int list(struct cli *cli, const struct bluegreen_request *request)
{
    struct bluegreen *agent;
    struct bluegreen_result *result;
    struct bluegreen_error error;
    if (bluegreen_open(cli->socket, &agent, &error) < 0)
        return cli_fail(cli, &error);
    int asked = bluegreen_ask(agent, request, NULL, NULL, &result, &error);
    bluegreen_close(agent);
    if (asked < 0)
        return cli_fail(cli, &error);
    if (cli->names)
        show_names(result);
    else if (cli->json)
        puts(result->json);
    else
        show_list(cli, result);
    bluegreen_result_free(result);
    return EXIT_DONE;
}

int release_run(struct cli *cli)
{
    const char *action = cli->arguments[1];
    bool fetch = strcmp(action, "fetch") == 0, lists = strcmp(action, "list") == 0;
    struct bluegreen_request request = {
        .verb = BLUEGREEN_RELEASE, .app = cli->arguments[0], .action = action, .flags = operate_flags(cli)};
    if (!fetch && !lists && strcmp(action, "prune") != 0)
        return cli_misuse(cli, NULL, "'%s' is nothing to do with releases: list, fetch or prune", action);
    if (fetch != (cli->count == 3))
        return cli_misuse(cli, NULL, fetch ? "which release is to be fetched?" : "'%s' takes no release", action);
    if (cli->names && !lists)
        return cli_misuse(cli, NULL, "--names means nothing to 'release %s'", action);
    if (fetch)
        request.release = cli->arguments[2];
    return lists ? list(cli, &request) : operate_ask(cli, &request);
}
