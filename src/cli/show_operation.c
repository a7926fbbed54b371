/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Progress and receipts for people. With --json each is one line of JSON instead. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    STEP_WIDTH = 9,
    ZONE_WIDTH = 7,
    TEXT_WIDTH = 44,
    TIME_WIDTH = 12,
    LINE_REST = 2 + STEP_WIDTH + ZONE_WIDTH + TIME_WIDTH + 1, /* of a line, beside the text */
    LABEL_WIDTH = 13,
};

static enum style zone_style(enum bluegreen_colour zone)
{
    return zone == BLUEGREEN_BLUE ? STYLE_BLUE : zone == BLUEGREEN_GREEN ? STYLE_GREEN : STYLE_PLAIN;
}

/* text cut to columns, never within a character. */
static void cut_columns(char *text, int columns)
{
    for (char *c = text; *c; c++) {
        if (((unsigned char)*c & 0xc0) != 0x80 && columns-- == 0) {
            *c = '\0';
            return;
        }
    }
}

static int text_width(const struct terminal *terminal)
{
    int room = terminal->width - LINE_REST;
    return !terminal->live || room > TEXT_WIDTH ? TEXT_WIDTH : room < 1 ? 1 : room;
}

/* cut: a line that is to be rewritten must not wrap. */
static void print_line(const struct progress_view *view, bool cut)
{
    const struct terminal *terminal = &view->cli->terminal;
    const char *zone = bluegreen_colour_name(view->zone);
    char text[sizeof view->text], elapsed[32];
    memcpy(text, view->text, sizeof text);
    if (cut)
        cut_columns(text, terminal->width > LINE_REST ? terminal->width - LINE_REST : 1);
    printf("  ");
    terminal_cell(terminal, STYLE_BOLD, view->step, STEP_WIDTH);
    terminal_cell(terminal, zone_style(view->zone), zone ? zone : "", ZONE_WIDTH);
    terminal_cell(terminal, STYLE_PLAIN, text, text_width(terminal));
    printf("%*s", TIME_WIDTH, format_duration(view->elapsed_ms, elapsed, sizeof elapsed));
}

static void print_whole_line(const struct progress_view *view)
{
    print_line(view, false);
    putchar('\n');
}

void progress_end(struct progress_view *view)
{
    if (!view->open)
        return;
    fputs("\r\033[K", stdout);
    print_whole_line(view);
    view->open = false;
}

static void take(struct progress_view *view, const struct bluegreen_progress *progress)
{
    snprintf(view->step, sizeof view->step, "%s", progress->step);
    snprintf(view->text, sizeof view->text, "%s", progress->text);
    if (!*progress->text && progress->has_connections)
        snprintf(view->text, sizeof view->text, "%" PRIu64 " connection%s open", progress->connections,
                 progress->connections == 1 ? "" : "s");
    view->zone = progress->zone;
    view->elapsed_ms = progress->elapsed_ms;
}

bool progress_show(void *context, const struct bluegreen_progress *progress)
{
    struct progress_view *view = context;
    const struct terminal *terminal = &view->cli->terminal;
    if (view->cli->json) {
        puts(progress->json);
        return true;
    }
    bool same_step = strcmp(view->step, progress->step) == 0 && view->zone == progress->zone;
    if (!terminal->live) {
        struct progress_view before = *view;
        take(view, progress);
        if (!same_step || strcmp(before.text, view->text) != 0) /* a line only for what is new */
            print_whole_line(view);
        return true;
    }
    if (same_step)
        fputs("\r\033[K", stdout);
    else
        progress_end(view);
    take(view, progress);
    view->open = true;
    print_line(view, true);
    fflush(stdout);
    return true;
}

/* --- the end ------------------------------------------------------------------------------------------ */

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
    printf("%" PRIu64 " ended by themselves, %" PRIu64 " cut\n", receipt->drained, receipt->cut);
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
