/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables. */
#include "cli/table.h"

#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void table_add(struct table *table, enum style style, const char *format, ...)
{
    if (table->count == table->capacity) {
        table->capacity = table->capacity ? table->capacity * 2 : 32;
        table->cells = reallocarray(table->cells, table->capacity, sizeof *table->cells);
    }
    struct table_cell cell = {.style = style};
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&cell.text, format, arguments);
    va_end(arguments);
    if (!table->cells || length < 0)
        errx(1, "out of memory");
    table->cells[table->count++] = cell;
}

static void find_widths(const struct table *table, int widths[])
{
    for (int column = 0; column < table->columns; column++)
        widths[column] = terminal_columns(table->titles[column]);
    for (size_t i = 0; i < table->count; i++) {
        int columns = terminal_columns(table->cells[i].text);
        int *width = &widths[i % (size_t)table->columns];
        if (columns > *width)
            *width = columns;
    }
}

static void print_cell(const struct table *table, int column, enum style style, const char *text, int width)
{
    bool last = column == table->columns - 1;
    fputs(last && !*text ? "" : "  ", stdout); /* no blanks at the end of a line */
    if (table->right[column])
        printf("%*s", width - terminal_columns(text), "");
    terminal_cell(table->terminal, style, text, last || table->right[column] ? 0 : width);
    if (last)
        putchar('\n');
}

void table_print(struct table *table)
{
    int widths[TABLE_COLUMNS_MAX];
    find_widths(table, widths);
    for (int column = 0; column < table->columns; column++)
        print_cell(table, column, STYLE_DIM, table->titles[column], widths[column]);
    for (size_t i = 0; i < table->count; i++) {
        int column = (int)(i % (size_t)table->columns);
        print_cell(table, column, table->cells[i].style, table->cells[i].text, widths[column]);
        free(table->cells[i].text);
    }
    free(table->cells);
    table->cells = NULL;
    table->count = table->capacity = 0;
}
