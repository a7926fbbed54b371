/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What came of an operation, for people: receipts and texts. With --json it is one line of JSON instead. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_WIDTH = 13 };

static enum style zone_style(enum bluegreen_colour zone)
{
    return zone == BLUEGREEN_BLUE ? STYLE_BLUE : zone == BLUEGREEN_GREEN ? STYLE_GREEN : STYLE_PLAIN;
}

static void print_label(const struct terminal *terminal, const char *label)
{
    printf("  ");
    terminal_cell(terminal, STYLE_DIM, label, LABEL_WIDTH);
}

static void print_headline(const struct terminal *terminal, const char *app, const struct bluegreen_receipt *receipt)
{
    const char *to = bluegreen_colour_name(receipt->to);
    terminal_print(terminal, STYLE_BOLD, app);
    if (!to) {
        printf(" is not live\n");
        return;
    }
    printf(" is live on ");
    terminal_print(terminal, zone_style(receipt->to), to);
    if (receipt->release) {
        printf(" with release ");
        terminal_print(terminal, STYLE_BOLD, receipt->release);
    }
    putchar('\n');
}

static void print_receipt(const struct terminal *terminal, const char *app, const struct bluegreen_receipt *receipt)
{
    const char *from = bluegreen_colour_name(receipt->from), *to = bluegreen_colour_name(receipt->to);
    const char *arrow = terminal_arrow(terminal);
    char took[32];
    putchar('\n');
    print_headline(terminal, app, receipt);
    print_label(terminal, "switched");
    printf("%s %s %s in %" PRIu64 " %s, rule set generation %" PRIu64 " %s %" PRIu64 "\n", from ? from : "nothing",
           arrow, to ? to : "nothing", receipt->transaction_us, terminal_micro(terminal), receipt->generation_before,
           arrow, receipt->generation_after);
    print_label(terminal, "connections");
    printf("%" PRIu64 " ended by themselves", receipt->drained);
    if (receipt->nudged)
        printf(" (%" PRIu64 " nudged)", receipt->nudged);
    printf(", %" PRIu64 " cut\n", receipt->cut);
    print_label(terminal, "took");
    printf("%s, asked for by ", format_duration(receipt->duration_ms, took, sizeof took));
    terminal_print(terminal, STYLE_PLAIN, receipt->who);
    putchar('\n');
}

/* May have several lines. */
static void print_text(const struct terminal *terminal, const char *text)
{
    while (*text) {
        int length = (int)strcspn(text, "\n");
        char line[BLUEGREEN_REASON_SIZE]; /* longer than any text of the agent */
        snprintf(line, sizeof line, "%.*s", length, text);
        terminal_print(terminal, STYLE_PLAIN, line);
        putchar('\n');
        text += length;
        text += *text == '\n';
    }
}

void show_result(const struct cli *cli, const char *app, const struct bluegreen_result *result)
{
    if (cli->json) {
        puts(result->receipt ? result->receipt->json : result->json);
        if (result->receipt && result->text)
            fprintf(stderr, "bluegreen: %s: %s\n", cli->verb, result->text);
        return;
    }
    if (result->receipt)
        print_receipt(&cli->terminal, app, result->receipt);
    if (result->text)
        print_text(&cli->terminal, result->text);
    if (!result->receipt && !result->text)
        puts("done");
}
