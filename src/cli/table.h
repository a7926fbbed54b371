/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of text: cells are collected, then every column is as wide as its widest cell. */
#pragma once

#include "cli/terminal.h"

enum { TABLE_COLUMNS_MAX = 11 };

struct table {
    const struct terminal *terminal;
    const char *const *titles; /* `columns` of them */
    int columns;
    const bool *right; /* which columns are set to the right */
    struct table_cell {
        char *text; /* owned */
        enum style style;
    } * cells;
    size_t count, capacity;
    struct table_note {
        size_t row;
        enum style style;
        char *text; /* owned */
    } * notes;      /* below their rows, in order */
    size_t note_count;
};

/* Cells come row by row. */
void table_add(struct table *table, enum style style, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A line below the last row that was begun, for what has no column. */
void table_note(struct table *table, enum style style, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Prints titles and rows, each indented by two columns, and empties the table. */
void table_print(struct table *table);
