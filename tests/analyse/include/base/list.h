/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * base/list.h for the analysers: what looks at a list or changes it cannot be seen into. They follow a pointer into the
 * middle of what it points to badly: gcc's loses the owner of whatever is appended, clang's takes the first item of a
 * list to be the same one after that was removed.
 */
#pragma once

#define list_append list_append_seen
#define list_remove list_remove_seen
#define list_empty  list_empty_seen
#include_next "base/list.h"
#undef list_append
#undef list_remove
#undef list_empty

void list_append(struct list *list, struct list *item);
void list_remove(struct list *item);
/* For all they know it changes the list. */
bool list_asked_for_items(void *list);
#define list_empty(list) (!list_asked_for_items((void *)(list)))
