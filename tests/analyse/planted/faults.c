/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fault of each kind that the analysers are for, and beside it what looks like one and is none. It is built into
 * nothing: each analyser has to find here what a comment on the line says it finds, and nothing else, before what it
 * says of src/ counts.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "base/list.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
    struct list link;
    char *name;
    int value;
};

int planted_leak(size_t size);
int planted_no_leak(size_t size);
void planted_owner(struct list *list, const char *name);
void planted_emptying(struct list *list);
int planted_freed(struct item *item);
void planted_twice(char *text);
int planted_missing(int wanted);
int planted_null(const int *value, int wanted);
int planted_found(int wanted);
int planted_unset(int wanted);
const char *planted_gone(int wanted);
int planted_divided(int wanted);
int planted_outside(int at);
size_t planted_length(int wanted);
int planted_handler(void);
int planted_slip(int wanted, int given);

int planted_leak(size_t size)
{
    char *kept = malloc(size);
    if (!kept)
        return -1;
    if (size < 7)
        return -1; /* clang_tidy: clang-analyzer-unix.Malloc, cppcheck: memleak */
    free(kept);
    return 0;
}

int planted_no_leak(size_t size)
{
    CLEANUP_FREE char *kept = malloc(size);
    if (!kept)
        return -1;
    if (size < 7)
        return -1;
    return 0;
}

void planted_owner(struct list *list, const char *name)
{
    struct item *item = calloc(1, sizeof *item);
    if (!item)
        return;
    item->name = strdup(name);
    list_append(list, &item->link);
}

void planted_emptying(struct list *list)
{
    while (!list_empty(list)) {
        struct item *item = list_entry(list->next, struct item, link);
        list_remove(&item->link);
        free(item->name);
        free(item);
    }
}

int planted_freed(struct item *item)
{
    free(item);
    return item->value; /* gcc: analyzer-use-after-free, clang_tidy: clang-analyzer-unix.Malloc */
}

void planted_twice(char *text)
{
    if (text[0])
        free(text);
    free(text); /* gcc: analyzer-double-free, clang_tidy: clang-analyzer-unix.Malloc, cppcheck: doubleFree */
}

static int find(int wanted, const int **found)
{
    static const int values[] = {1, 2, 3};
    if (wanted < 0)
        return error_errno(NULL, errno, "find it");
    *found = &values[wanted % 3];
    return 0;
}

int planted_missing(int wanted)
{
    const int *found = NULL;
    int result = find(wanted, &found);
    if (result < -1)
        return result;
    return *found; /* gcc: analyzer-null-dereference */
}

int planted_null(const int *value, int wanted)
{
    if (!value && wanted > 7)
        return *value; /* clang_tidy: clang-analyzer-core.NullDereference, cppcheck: nullPointerRedundantCheck */
    return 0;
}

int planted_found(int wanted)
{
    const int *found = NULL;
    int result = find(wanted, &found);
    if (result < 0)
        return result;
    return *found;
}

int planted_unset(int wanted)
{
    int value;
    if (wanted > 0)
        value = wanted;
    /* gcc: analyzer-use-of-uninitialized-value, cppcheck: uninitvar */
    /* clang_tidy: clang-analyzer-core.uninitialized.UndefReturn */
    return value;
}

const char *planted_gone(int wanted)
{
    char text[16];
    snprintf(text, sizeof text, "%d", wanted);
    const char *shown = text;
    return shown; /* clang_tidy: clang-analyzer-core.StackAddressEscape, cppcheck: returnDanglingLifetime */
}

int planted_divided(int wanted)
{
    int zero = 0;
    return wanted / zero; /* clang_tidy: clang-analyzer-core.DivideZero, cppcheck: zerodiv */
}

int planted_outside(int at)
{
    int values[4] = {1, 2, 3, 4};
    /* gcc: analyzer-use-of-uninitialized-value, cppcheck: arrayIndexOutOfBounds */
    /* clang_tidy: clang-analyzer-core.UndefinedBinaryOperatorResult */
    return values[4] + at;
}

size_t planted_length(int wanted)
{
    const char *text = NULL;
    if (wanted > 7)
        text = "seven";
    /* gcc: analyzer-null-argument, clang_tidy: clang-analyzer-core.NonNullParamChecker, cppcheck: nullPointer */
    return strlen(text);
}

static void on_signal(int signal)
{
    printf("%d\n", signal); /* gcc: analyzer-unsafe-call-within-signal-handler, clang_tidy: bugprone-signal-handler */
}

int planted_handler(void)
{
    return signal(SIGUSR1, on_signal) == SIG_ERR ? -errno : 0;
}

int planted_slip(int wanted, int given)
{
    if (wanted == given || wanted == given) /* clang_tidy: misc-redundant-expression */
        return 1;
    return 0;
}
