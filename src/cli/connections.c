/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bluegreen connections: who is connected to an app's zones. */
#include "cli/cli.h"
#include "cli/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static enum style colour_style(enum bluegreen_colour colour)
{
    return colour == BLUEGREEN_BLUE ? STYLE_BLUE : colour == BLUEGREEN_GREEN ? STYLE_GREEN : STYLE_PLAIN;
}

static void add_duration(struct table *table, int64_t ms, bool exact)
{
    char text[32];
    if (ms < 0)
        table_add(table, STYLE_DIM, "-");
    else
        table_add(table, STYLE_PLAIN, "%s%s", exact ? "" : ">", format_duration((uint64_t)ms, text, sizeof text));
}

static void add_bytes(struct table *table, int64_t bytes)
{
    char text[32];
    if (bytes < 0)
        table_add(table, STYLE_DIM, "-");
    else
        table_add(table, STYLE_PLAIN, "%s", format_bytes((uint64_t)bytes, text, sizeof text));
}

static void add_row(struct table *table, const struct bluegreen_connection *row)
{
    char queued[48] = "-";
    if (row->unread || row->unconfirmed)
        snprintf(queued, sizeof queued, "%" PRIu64 "/%" PRIu64, row->unread, row->unconfirmed);
    table_add(table, colour_style(row->zone), "%s",
              row->zone == BLUEGREEN_NONE ? "-" : bluegreen_colour_name(row->zone));
    table_add(table, STYLE_PLAIN, "%s", row->protocol);
    table_add(table, STYLE_PLAIN, "%s", row->port ? row->port : "-");
    table_add(table, STYLE_PLAIN, "%s", row->peer);
    table_add(table, STYLE_PLAIN, "%s%s", row->state, row->nudged ? ", nudged" : row->rests ? ", rests" : "");
    add_duration(table, row->age_ms, row->age_exact);
    add_duration(table, row->idle_ms, true);
    add_bytes(table, row->bytes_in);
    add_bytes(table, row->bytes_out);
    table_add(table, STYLE_PLAIN, "%s", queued);
}

static void show(const struct cli *cli, const struct bluegreen_connections *connections)
{
    static const char *const titles[] = {"zone", "prot", "port", "client", "state",
                                         "age",  "idle", "in",   "out",    "queued"};
    static const bool right[] = {false, false, false, false, false, true, true, true, true, true};
    struct table table = {.terminal = &cli->terminal, .titles = titles, .columns = 10, .right = right};
    for (size_t i = 0; i < connections->count; i++)
        add_row(&table, connections->connections[i]);
    if (connections->count > 0)
        table_print(&table);
    else
        puts("no client is connected");
    if (connections->text) {
        terminal_print(&cli->terminal, STYLE_PLAIN, connections->text);
        putchar('\n');
    }
}

int connections_run(struct cli *cli, enum bluegreen_colour zone)
{
    struct bluegreen *agent;
    struct bluegreen_connections *connections;
    struct bluegreen_error error;
    char *end = NULL;
    unsigned long limit = cli->limit ? strtoul(cli->limit, &end, 10) : 0;
    if (cli->limit && (*cli->limit < '0' || *cli->limit > '9' || *end || limit < 1 || limit > 1000))
        return cli_misuse(cli, NULL, "'%s' is no number of connections: 1 to 1000", cli->limit);
    if (bluegreen_open(cli->socket, &agent, &error) < 0)
        return cli_fail(cli, &error);
    int result = bluegreen_connections(agent, cli->arguments[0], zone, (unsigned)limit, &connections, &error);
    bluegreen_close(agent);
    if (result < 0)
        return cli_fail(cli, &error);
    if (cli->json)
        puts(connections->json);
    else
        show(cli, connections);
    bluegreen_connections_free(connections);
    return EXIT_DONE;
}
