/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables. */
#include "cli/table.h"

#include <err.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOTE_INDENT = 6 };

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

void table_note(struct table *table, enum style style, const char *format, ...)
{
    struct table_note note = {.row = (table->count - 1) / (size_t)table->columns, .style = style};
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&note.text, format, arguments);
    va_end(arguments);
    table->notes = reallocarray(table->notes, table->note_count + 1, sizeof *table->notes);
    if (!table->notes || length < 0)
        errx(1, "out of memory");
    table->notes[table->note_count++] = note;
}

/* How much of text goes into a line of so many columns: up to a blank where there is one. */
static size_t piece_of(const char *text, int columns)
{
    size_t length = 0, blank = 0;
    for (int used = 0; text[length] && used < columns; used++) {
        length++;
        while (((unsigned char)text[length] & 0xc0) == 0x80)
            length++;
        if (text[length] == ' ')
            blank = length;
    }
    return text[length] && blank ? blank : length;
}

/* On a terminal in as many lines as it takes; elsewhere a line stays one. */
static void print_note(const struct terminal *terminal, const struct table_note *note)
{
    int columns = terminal->live && terminal->width > 2 * NOTE_INDENT ? terminal->width - NOTE_INDENT - 1 : INT_MAX;
    for (const char *text = note->text; *text;) {
        size_t length = piece_of(text, columns);
        char *line = strndup(text, length);
        if (!line)
            errx(1, "out of memory");
        printf("%*s", NOTE_INDENT, "");
        terminal_print(terminal, note->style, line);
        putchar('\n');
        free(line);
        text += length;
        text += strspn(text, " ");
    }
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
    size_t note = 0;
    find_widths(table, widths);
    for (int column = 0; column < table->columns; column++)
        print_cell(table, column, STYLE_DIM, table->titles[column], widths[column]);
    for (size_t i = 0; i < table->count; i++) {
        int column = (int)(i % (size_t)table->columns);
        print_cell(table, column, table->cells[i].style, table->cells[i].text, widths[column]);
        free(table->cells[i].text);
        while (column == table->columns - 1 && note < table->note_count &&
               table->notes[note].row == i / (size_t)table->columns) {
            print_note(table->terminal, &table->notes[note]);
            free(table->notes[note++].text);
        }
    }
    free(table->notes);
    table->notes = NULL;
    table->note_count = 0;
    free(table->cells);
    table->cells = NULL;
    table->count = table->capacity = 0;
}
