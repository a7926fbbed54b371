/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `feed APP ACTION`: how a feed stands, what it is to do, and the transactions that there is something to say of. */
#include "cli/options.h"
#include "cli/show_progress.h"
#include "cli/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ROW_LABEL_WIDTH = 9 };

static const char *argument(const struct cli *cli, int index)
{
    return index < cli->count ? cli->arguments[index] : NULL;
}

static bool is_one_of(const char *word, const char *const words[])
{
    while (*words && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

/* --- how it stands ------------------------------------------------------------------------------ */

static enum style feed_style(const struct bluegreen_feed *feed)
{
    return strcmp(feed->state, "broken") == 0 ? STYLE_RED : feed->backup ? STYLE_PLAIN : STYLE_YELLOW;
}

void show_feed_line(const struct cli *cli, const struct bluegreen_feed *feed)
{
    terminal_cell(&cli->terminal, STYLE_DIM, "feed", ROW_LABEL_WIDTH);
    terminal_print(&cli->terminal, feed_style(feed), feed->text);
    putchar('\n');
}

static void label(const struct cli *cli, const char *name)
{
    terminal_cell(&cli->terminal, STYLE_DIM, name, ROW_LABEL_WIDTH);
}

static void show_zones(const struct cli *cli, const struct bluegreen_feed *feed)
{
    for (int zone = 0; zone < 2; zone++) {
        label(cli, bluegreen_colour_name((enum bluegreen_colour)zone));
        if (feed->applied[zone] < 0)
            printf("nobody knows what it has");
        else if (feed->live == (enum bluegreen_colour)zone)
            printf("live, has all");
        else
            printf("has %" PRId64 " of %" PRIu64 ", %" PRIu64 " a minute", feed->applied[zone], feed->committed,
                   feed->applied_per_minute);
        if (feed->connections[zone])
            printf(", %" PRIu64 " connection%s of clients", feed->connections[zone],
                   feed->connections[zone] == 1 ? "" : "s");
        putchar('\n');
    }
}

/* "2 in doubt, 1 lost; 'bluegreen feed web diff' lists them", where there are any. */
static void show_remarks(const struct cli *cli, const struct bluegreen_feed *feed)
{
    const struct {
        uint64_t count;
        const char *what;
    } remarks[] = {{feed->in_doubt, "in doubt"},
                   {feed->diverged, "answered differently"},
                   {feed->lost, "lost"},
                   {feed->twice, "perhaps done twice"}};
    bool any = false;
    for (size_t i = 0; i < sizeof remarks / sizeof *remarks; i++) {
        if (remarks[i].count == 0)
            continue;
        if (!any)
            label(cli, "remarks");
        printf("%s%" PRIu64 " %s", any ? ", " : "", remarks[i].count, remarks[i].what);
        any = true;
    }
    if (any)
        printf("; 'bluegreen feed %s diff' lists them\n", cli->arguments[0]);
}

static void show_feed(const struct cli *cli, const struct bluegreen_feed *feed)
{
    char bytes[32], most[32];
    show_feed_line(cli, feed);
    show_zones(cli, feed);
    label(cli, "requests");
    printf("%" PRIu64 " fed, %" PRIu64 " passed, %" PRIu64 " could not be fed\n", feed->fed, feed->passed,
           feed->not_fed);
    label(cli, "journal");
    printf("%s of %s\n", format_bytes(feed->journal_bytes, bytes, sizeof bytes),
           format_bytes(feed->journal_max, most, sizeof most));
    if (feed->waiting) {
        label(cli, "waiting");
        printf("%" PRIu64 " client%s, for a switch\n", feed->waiting, feed->waiting == 1 ? "" : "s");
    }
    show_remarks(cli, feed);
}

/* --- transactions ------------------------------------------------------------------------------- */

static void add_status(struct table *table, unsigned status)
{
    if (status)
        table_add(table, STYLE_PLAIN, "%u", status);
    else
        table_add(table, STYLE_DIM, "-");
}

static void add_answer(struct table *table, const char *whose, const char *answer)
{
    if (answer)
        table_note(table, STYLE_DIM, "%s: %s", whose, answer);
}

static void show_transactions(const struct cli *cli, const struct bluegreen_feed_answer *answer)
{
    static const char *const titles[] = {"number", "what", "zone", "time", "live", "other", "request"};
    static const bool right[] = {true, false, false, false, true, true, false};
    struct table table = {.terminal = &cli->terminal, .titles = titles, .columns = 7, .right = right};
    for (size_t i = 0; i < answer->count; i++) {
        const struct bluegreen_transaction *row = answer->transactions[i];
        const char *zone = bluegreen_colour_name(row->zone);
        char time[64];
        table_add(&table, STYLE_PLAIN, "%" PRIu64, row->sequence);
        table_add(&table, STYLE_BOLD, "%s", row->kind);
        table_add(&table, STYLE_PLAIN, "%s", zone ? zone : "-");
        table_add(&table, STYLE_PLAIN, "%s", format_time(row->time, time, sizeof time));
        add_status(&table, row->status_live);
        add_status(&table, row->status_other);
        table_add(&table, STYLE_PLAIN, "%s", row->request);
        add_answer(&table, "live", row->live);
        add_answer(&table, "other", row->other);
    }
    if (table.count > 0)
        table_print(&table);
}

/* --- asking ------------------------------------------------------------------------------------- */

static void show_answer(const struct cli *cli, const char *action, const struct bluegreen_feed_answer *answer)
{
    if (cli->json) {
        puts(answer->json);
        return;
    }
    if (answer->feed)
        show_feed(cli, answer->feed);
    show_transactions(cli, answer);
    if (answer->text)
        terminal_print(&cli->terminal, STYLE_PLAIN, answer->text);
    else if (strcmp(action, "diff") == 0 && answer->count == 0)
        printf("there is nothing to say of any transaction");
    else if (!answer->feed && answer->count == 0)
        printf("done");
    else
        return;
    putchar('\n');
}

static int ask(struct cli *cli, const char *action, uint64_t sequence)
{
    struct bluegreen *agent;
    struct bluegreen_feed_answer *answer;
    struct bluegreen_error error;
    struct progress_view view = {.cli = cli, .zone = BLUEGREEN_NONE};
    if (bluegreen_open(cli->socket, &agent, &error) < 0)
        return cli_fail(cli, &error);
    if (progress_moves(cli))
        bluegreen_set_tick(agent, PROGRESS_TICK_MS);
    int result = bluegreen_feed(agent, cli->arguments[0], action, sequence, progress_show, &view, &answer, &error);
    bluegreen_close(agent);
    progress_end(&view);
    if (result < 0)
        return cli_fail(cli, &error);
    show_answer(cli, action, answer);
    bool backup = !answer->feed || answer->feed->backup;
    bluegreen_feed_free(answer);
    return backup ? EXIT_DONE : EXIT_REFUSED;
}

int feed_run(struct cli *cli)
{
    static const char *const plain[] = {"status", "pause", "resume", "seed", "diff", "verify", NULL};
    static const char *const of_one[] = {"skip", "apply", NULL};
    const char *action = argument(cli, 1) ? argument(cli, 1) : "status", *number = argument(cli, 2);
    bool one = is_one_of(action, of_one);
    uint64_t sequence = 0;
    if (!one && !is_one_of(action, plain))
        return cli_misuse(cli, NULL,
                          "'%s' is nothing to do with a feed: status, pause, resume, seed, diff, skip, apply or verify",
                          action);
    if (one != (number != NULL))
        return cli_misuse(cli, NULL,
                          one ? "'feed APP %s' wants the number of a transaction: 'feed APP diff' lists them"
                              : "'feed APP %s' takes no number",
                          action);
    if (number && !options_count(number, &sequence))
        return cli_misuse(cli, NULL, "'%s' is no number of a transaction", number);
    return ask(cli, action, sequence);
}
