/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The terminal. */
#include "cli/terminal.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { DEFAULT_WIDTH = 80 };

void terminal_look(struct terminal *terminal, bool no_color)
{
    const char *term = getenv("TERM");
    const char *no_color_set = getenv("NO_COLOR"); /* no-color.org: present and not empty */
    struct winsize size;
    terminal->live = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
    terminal->colour = terminal->live && !no_color && !(no_color_set && *no_color_set);
    terminal->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    terminal->width = DEFAULT_WIDTH;
    if (terminal->live && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        terminal->width = size.ws_col;
}

/* C1 control characters (U+0080 to U+009F, in UTF-8) steer terminals like the ones of ASCII. */
static bool is_control(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    return c[0] < 0x20 || c[0] == 0x7f || (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0);
}

int terminal_columns(const char *text)
{
    int columns = 0;
    for (; *text; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80; /* not in the middle of a character */
    return columns;
}

int terminal_print(const struct terminal *terminal, enum style style, const char *text)
{
    static const char *const codes[STYLES] = {"", "1", "2", "34;1", "32;1", "33", "31;1"};
    bool styled = terminal->colour && style != STYLE_PLAIN && *text;
    if (styled)
        printf("\033[%sm", codes[style]);
    for (const char *c = text; *c; c++) {
        bool control = is_control(c);
        putchar(control ? '?' : *c);
        c += control && (unsigned char)*c == 0xc2; /* both its bytes */
    }
    if (styled)
        fputs("\033[0m", stdout);
    return terminal_columns(text);
}

void terminal_cell(const struct terminal *terminal, enum style style, const char *text, int width)
{
    int columns = terminal_print(terminal, style, text);
    if (columns < width)
        printf("%*s", width - columns, "");
}

const char *terminal_arrow(const struct terminal *terminal)
{
    return terminal->utf8 ? "\u2192" : "->";
}

const char *terminal_micro(const struct terminal *terminal)
{
    return terminal->utf8 ? "\u00b5s" : "us";
}

const char *format_duration(unsigned long long milliseconds, char *text, size_t size)
{
    unsigned long long seconds = milliseconds / 1000;
    if (milliseconds < 100)
        snprintf(text, size, "%llu ms", milliseconds);
    else if (seconds < 60)
        snprintf(text, size, "%llu.%llu s", seconds, milliseconds % 1000 / 100);
    else if (seconds < 3600)
        snprintf(text, size, "%llu min %02llu s", seconds / 60, seconds % 60);
    else
        snprintf(text, size, "%llu h %02llu min", seconds / 3600, seconds / 60 % 60);
    return text;
}

const char *format_bytes(unsigned long long bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;
    unsigned long long tenths = bytes > ~0ULL / 10 ? ~0ULL : bytes * 10;
    for (; tenths >= 10240 && unit + 1 < sizeof units / sizeof *units; unit++)
        tenths /= 1024;
    if (unit == 0 || tenths >= 100)
        snprintf(text, size, "%llu %s", tenths / 10, units[unit]);
    else
        snprintf(text, size, "%llu.%llu %s", tenths / 10, tenths % 10, units[unit]);
    return text;
}

const char *format_cpu(unsigned long long permille, char *text, size_t size)
{
    if (permille < 100)
        snprintf(text, size, "%llu.%llu%%", permille / 10, permille % 10);
    else
        snprintf(text, size, "%llu%%", permille / 10);
    return text;
}

const char *format_time(const char *rfc3339, char *text, size_t size)
{
    struct tm broken = {0}, local;
    if (strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &broken)) {
        time_t seconds = timegm(&broken);
        if (localtime_r(&seconds, &local) && strftime(text, size, "%Y-%m-%d %H:%M:%S", &local) > 0)
            return text;
    }
    snprintf(text, size, "%s", rfc3339);
    return text;
}
