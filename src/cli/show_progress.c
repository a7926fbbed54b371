/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Progress. */
#include "cli/show_progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    STEP_WIDTH = 14,
    ZONE_WIDTH = 7,
    TEXT_WIDTH = 44,
    TIME_WIDTH = 12,
    BAR_WIDTH = 14,
    BAR_TEXT_MIN = 20,                                        /* a bar is not worth more text than this */
    LINE_REST = 2 + STEP_WIDTH + ZONE_WIDTH + TIME_WIDTH + 1, /* of a line, beside the text */
    LINES_OF_A_WAIT = 20,
};

static enum style zone_style(enum bluegreen_colour zone)
{
    return zone == BLUEGREEN_BLUE ? STYLE_BLUE : zone == BLUEGREEN_GREEN ? STYLE_GREEN : STYLE_PLAIN;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool progress_moves(const struct cli *cli)
{
    return cli->terminal.live && cli->terminal.colour && !cli->json;
}

const char *progress_bar(bool utf8, int columns, uint64_t done, uint64_t whole, char *text, size_t size, size_t *filled)
{
    const char *full = utf8 ? "\u2501" : "#", *rest = utf8 ? "\u2501" : "-"; /* they differ in colour, too */
    int full_columns = whole == 0 ? 0 : done >= whole ? columns : (int)(done * (uint64_t)columns / whole);
    size_t used = 0;
    *filled = 0;
    text[0] = '\0';
    for (int i = 0; i < columns; i++) {
        const char *part = i < full_columns ? full : rest;
        size_t length = strlen(part);
        if (used + length >= size)
            break;
        memcpy(text + used, part, length + 1);
        used += length;
        if (i < full_columns)
            *filled = used;
    }
    return text;
}

const char *progress_left(uint64_t milliseconds, char *text, size_t size)
{
    uint64_t seconds = (milliseconds + 999) / 1000, minutes = seconds / 60, hours = minutes / 60;
    if (seconds < 60)
        snprintf(text, size, "%" PRIu64 "s left", seconds);
    else if (minutes < 60)
        snprintf(text, size, "%" PRIu64 "m%02" PRIu64 "s left", minutes, seconds % 60);
    else if (hours < 24)
        snprintf(text, size, "%" PRIu64 "h%02" PRIu64 "m left", hours, minutes % 60);
    else
        snprintf(text, size, "%" PRIu64 "d%02" PRIu64 "h left", hours / 24, hours % 24);
    return text;
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

/* --- lines -------------------------------------------------------------------------------------------- */

static void print_start(const struct progress_view *view, const struct terminal *terminal)
{
    const char *zone = bluegreen_colour_name(view->zone);
    printf("  ");
    terminal_cell(terminal, STYLE_BOLD, view->step, STEP_WIDTH);
    terminal_cell(terminal, zone_style(view->zone), zone ? zone : "", ZONE_WIDTH);
}

static void print_whole_line(const struct progress_view *view, const struct terminal *terminal)
{
    char elapsed[32];
    int room = terminal->width - LINE_REST;
    print_start(view, terminal);
    terminal_cell(terminal, STYLE_PLAIN, view->text,
                  !terminal->live || room > TEXT_WIDTH ? TEXT_WIDTH
                  : room < 1                           ? 1
                                                       : room);
    printf("%*s\n", TIME_WIDTH, format_duration(view->elapsed_ms, elapsed, sizeof elapsed));
}

static void print_bar(const struct progress_view *view, const struct terminal *terminal, uint64_t waited)
{
    char bar[BAR_WIDTH * 4 + 1], rest[sizeof bar];
    size_t filled;
    progress_bar(terminal->utf8, BAR_WIDTH, waited, view->wait_ms, bar, sizeof bar, &filled);
    snprintf(rest, sizeof rest, "%s", bar + filled);
    bar[filled] = '\0';
    putchar(' ');
    terminal_print(terminal, view->zone == BLUEGREEN_NONE ? STYLE_BOLD : zone_style(view->zone), bar);
    terminal_print(terminal, STYLE_DIM, rest);
    putchar(' ');
}

/* The line as it is at this moment. It must not wrap, or it could not be written again. */
static void print_moving_line(const struct progress_view *view, const struct terminal *terminal)
{
    char text[sizeof view->text], time[32];
    uint64_t passed = now_ms() - view->got_ms;
    int room = terminal->width - LINE_REST, padded = TEXT_WIDTH;
    bool bar = view->wait_ms > 0 && room >= BAR_TEXT_MIN + BAR_WIDTH + 2;
    if (bar) {
        room -= BAR_WIDTH + 2;
        padded -= BAR_WIDTH + 2;
    }
    room = room < 1 ? 1 : room;
    memcpy(text, view->text, sizeof text);
    cut_columns(text, room);
    print_start(view, terminal);
    terminal_cell(terminal, STYLE_PLAIN, text, room < padded ? room : padded);
    uint64_t waited = view->waited_ms + passed;
    if (bar)
        print_bar(view, terminal, waited);
    if (view->wait_ms > 0)
        progress_left(waited < view->wait_ms ? view->wait_ms - waited : 0, time, sizeof time);
    else
        format_duration(view->elapsed_ms + passed, time, sizeof time);
    printf("%*s", TIME_WIDTH, time);
}

static void draw(const struct progress_view *view)
{
    struct terminal terminal = view->cli->terminal;
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) /* it may have been resized */
        terminal.width = size.ws_col;
    putchar('\r');
    print_moving_line(view, &terminal);
    fputs("\033[K", stdout);
    fflush(stdout);
}

/* --- steps -------------------------------------------------------------------------------------------- */

void progress_end(struct progress_view *view)
{
    if (!view->open)
        return;
    view->open = false;
    if (progress_moves(view->cli))
        fputs("\r\033[K", stdout);
    print_whole_line(view, &view->cli->terminal);
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
    view->wait_ms = progress->wait_ms;
    view->waited_ms = progress->waited_ms;
    view->got_ms = now_ms();
}

/* Where lines are only added: one for what is new; of a wait not all of it, but how it ended. */
static void add_line(struct progress_view *view, const struct bluegreen_progress *progress, bool same_step)
{
    struct progress_view before = *view;
    take(view, progress);
    if (same_step && strcmp(before.text, view->text) == 0)
        return;
    view->open = same_step && view->elapsed_ms < view->printed_ms + view->wait_ms / LINES_OF_A_WAIT;
    if (view->open)
        return;
    print_whole_line(view, &view->cli->terminal);
    view->printed_ms = view->elapsed_ms;
}

bool progress_show(void *context, const struct bluegreen_progress *progress)
{
    struct progress_view *view = context;
    if (view->cli->json) {
        if (progress) {
            snprintf(view->step, sizeof view->step, "%s", progress->step);
            puts(progress->json);
        }
        return true;
    }
    if (progress) {
        bool same_step = strcmp(view->step, progress->step) == 0 && view->zone == progress->zone;
        if (!same_step)
            progress_end(view);
        if (!progress_moves(view->cli)) {
            add_line(view, progress, same_step);
            return true;
        }
        take(view, progress);
        view->open = true;
    }
    if (view->open && progress_moves(view->cli))
        draw(view);
    return true;
}
