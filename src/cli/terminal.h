/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What standard output is, and writing to it so that nothing an app says can steer a terminal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct terminal {
    bool live;   /* a line can be rewritten */
    bool colour; /* colours are wanted */
    bool utf8;   /* arrows and the micro sign can be shown */
    int width;   /* columns */
};

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_BLUE, STYLE_GREEN, STYLE_YELLOW, STYLE_RED, STYLES };

/* Looks at stdout, TERM, NO_COLOR and the locale. */
void terminal_look(struct terminal *terminal, bool no_color);
/* Control characters come out as '?'; newlines too where a line is wanted. Returns the columns that it took. */
int terminal_print(const struct terminal *terminal, enum style style, const char *text);
/* The same and then blanks up to width columns. */
void terminal_cell(const struct terminal *terminal, enum style style, const char *text, int width);
/* Columns of text, counting one for each character. */
int terminal_columns(const char *text);
const char *terminal_arrow(const struct terminal *terminal);
const char *terminal_micro(const struct terminal *terminal);

/* "14 ms", "0.4 s", "1 min 05 s", "2 h 03 min". */
const char *format_duration(unsigned long long milliseconds, char *text, size_t size);
/* "812 KiB", "1.4 MiB", "12 GiB". */
const char *format_bytes(unsigned long long bytes, char *text, size_t size);
/* Thousandths of a CPU: "0.4%", "37%", "150%". */
const char *format_cpu(unsigned long long permille, char *text, size_t size);
/* RFC 3339 in UTC to local time to the second; what is not RFC 3339 as it is. */
const char *format_time(const char *rfc3339, char *text, size_t size);
