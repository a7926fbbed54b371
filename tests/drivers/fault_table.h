/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was walked, counted for each series: by kind of call, and by error. */
#pragma once

#include "fault_errors.h"

#include <stdio.h>

enum counted { PLACES, FAULTS, REFUSED, NO_LOSS, UNREACHED, WRONG, COUNTED };

enum { TABLE_ROWS = 512, NAME_WIDTH = 22 };

struct table {
    struct row {
        char name[48]; /* "SERIES NAME" */
        unsigned counts[COUNTED];
    } rows[TABLE_ROWS];
    size_t count;
};

static struct table table_of_kinds, table_of_errors;

/* The last row takes what there is no room for. */
static void table_add(struct table *table, const char *series, const char *name, enum counted counted)
{
    char key[sizeof table->rows->name];
    size_t i = 0;
    snprintf(key, sizeof key, "%-9s %s", series, name);
    while (i < table->count && strcmp(table->rows[i].name, key) != 0)
        i++;
    if (i == TABLE_ROWS)
        i--;
    if (i == table->count)
        memcpy(table->rows[table->count++].name, key, sizeof key);
    table->rows[i].counts[counted]++;
}

/* error 0: none yet. */
static void count(const char *series, const struct fail_point *point, int error, enum counted counted)
{
    char name[64];
    table_add(&table_of_kinds, series, fail_group(point), counted);
    if (error)
        table_add(&table_of_errors, series, error_name(error, name), counted);
}

static void show_row(const char *name, const unsigned counts[COUNTED])
{
    printf("%-*s", NAME_WIDTH + 10, name);
    for (int i = 0; i < COUNTED; i++)
        printf(" %9u", counts[i]);
    printf("\n");
}

static int compare_rows(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->name, ((const struct row *)b)->name);
}

static void show_table(struct table *table, const char *title)
{
    unsigned all[COUNTED] = {0};
    printf("%-*s %9s %9s %9s %9s %9s %9s\n", NAME_WIDTH + 10, title, "places", "faults", "refused", "no loss",
           "unreached", "wrong");
    qsort(table->rows, table->count, sizeof *table->rows, compare_rows);
    for (size_t i = 0; i < table->count; i++) {
        show_row(table->rows[i].name, table->rows[i].counts);
        for (int j = 0; j < COUNTED; j++)
            all[j] += table->rows[i].counts[j];
    }
    show_row("all", all);
}
