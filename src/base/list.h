/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Intrusive doubly linked list with a sentinel, as in the kernel's list.h idiom. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *previous;
};

static inline void list_init(struct list *list)
{
    list->next = list->previous = list;
}

static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_append(struct list *list, struct list *item)
{
    item->previous = list->previous;
    item->next = list;
    list->previous->next = item;
    list->previous = item;
}

/* Safe on an item that is in no list but initialised. */
static inline void list_remove(struct list *item)
{
    item->previous->next = item->next;
    item->next->previous = item->previous;
    list_init(item);
}

#define list_entry(item, type, member) ((type *)(void *)((char *)(item)-offsetof(type, member)))

/* The current item may be removed (and freed) inside the loop. */
#define list_for_each(entry, head, member)                                                               \
    for (struct list *at_##entry = (head)->next, *next_##entry = at_##entry->next;                       \
         at_##entry != (head) && ((entry) = list_entry(at_##entry, __typeof__(*(entry)), member), true); \
         at_##entry = next_##entry, next_##entry = at_##entry->next)
