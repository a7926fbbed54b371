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
};

/* Cells come row by row. */
void table_add(struct table *table, enum style style, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Prints titles and rows, each indented by two columns, and empties the table. */
void table_print(struct table *table);
