/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `schema APP ACTION`: its status in words, and the question before what cannot be undone. */
#include "cli/cli.h"
#include "cli/confirm.h"
#include "cli/table.h"

#include <stdio.h>
#include <string.h>

enum { ROW_LABEL_WIDTH = 11 };

static const char *argument(const struct cli *cli, int index)
{
    return index < cli->count ? cli->arguments[index] : NULL;
}

/* What cannot be undone: who sits there is asked, and a script has to say --yes to lose a standby by it. */
static bool agreed(const struct cli *cli, bool *asked)
{
    char question[512];
    *asked = !cli->yes && confirm_possible(cli);
    if (!*asked)
        return cli->yes;
    snprintf(question, sizeof question,
             "contract removes what only older releases of %.64s need from its database, and the standby if it is one "
             "of them; there is no way back.",
             cli->arguments[0]);
    return confirm_ask(question);
}

static void show_row(const struct terminal *terminal, const struct bluegreen_item *item)
{
    char time[64];
    const char *arrow = "";
    printf("  ");
    terminal_cell(terminal, STYLE_DIM, item->name, ROW_LABEL_WIDTH);
    for (int colour = 0; colour < 2; colour++) {
        if (!item->values[colour])
            continue;
        printf("%s", arrow);
        terminal_print(terminal, STYLE_PLAIN, bluegreen_colour_name((enum bluegreen_colour)colour));
        putchar(' ');
        terminal_print(terminal, STYLE_PLAIN, item->values[colour]);
        arrow = ", ";
    }
    if (item->text)
        terminal_print(terminal, STYLE_PLAIN, item->text);
    if (item->time)
        printf(", %s", format_time(item->time, time, sizeof time));
    putchar('\n');
}

static int show(const struct cli *cli)
{
    struct bluegreen *agent;
    struct bluegreen_result *result;
    struct bluegreen_error error;
    const struct bluegreen_request request = {.verb = BLUEGREEN_SCHEMA, .app = cli->arguments[0], .action = "status"};
    if (bluegreen_open(cli->socket, &agent, &error) < 0)
        return cli_fail(cli, &error);
    int outcome = bluegreen_ask(agent, &request, NULL, NULL, &result, &error);
    bluegreen_close(agent);
    if (outcome < 0)
        return cli_fail(cli, &error);
    if (cli->json)
        puts(result->json);
    for (size_t i = 0; !cli->json && i < result->item_count; i++)
        show_row(&cli->terminal, result->items[i]);
    bluegreen_result_free(result);
    return EXIT_DONE;
}

int schema_run(struct cli *cli)
{
    const char *action = argument(cli, 1), *release = argument(cli, 2);
    if (!action || strcmp(action, "status") == 0)
        return release ? cli_misuse(cli, NULL, "'schema APP status' takes no release") : show(cli);
    bool expands = strcmp(action, "expand") == 0, contracts = strcmp(action, "contract") == 0;
    if (!expands && !contracts && strcmp(action, "check") != 0 && strcmp(action, "revert") != 0)
        return cli_misuse(cli, NULL, "'%s' is nothing to do with a schema: status, expand, check, contract or revert",
                          action);
    if (release && !expands)
        return cli_misuse(cli, NULL, "'schema APP %s' takes no release; only expand does", action);
    bool asked = false, force = contracts && agreed(cli, &asked);
    if (asked && !force) {
        fputs("bluegreen: schema: nothing was done; --yes goes on without a question\n", stderr);
        return EXIT_REFUSED;
    }
    const struct bluegreen_request request = {
        .verb = BLUEGREEN_SCHEMA,
        .app = cli->arguments[0],
        .action = action,
        .release = release,
        .flags = operate_flags(cli) | (force ? BLUEGREEN_FORCE : 0u),
    };
    return operate_ask(cli, &request);
}
