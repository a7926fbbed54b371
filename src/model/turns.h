/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of those who wait for their turn: first come, first served among those of one app, and nobody waits for
 * another app's. Bounded. Pure.
 */
#pragma once

#include "model/types.h"

#include <stdint.h>

#define TURNS_MAX     64
#define TURNS_PER_APP 8

struct turn {
    uint64_t ticket; /* from 1, in the order of arrival */
    uint64_t client;
    bool group;                  /* name is a group's: not the same as the app of that name */
    char name[APP_NAME_MAX + 1]; /* whose turn it waits for */
    void *what;                  /* the owner's */
};

struct turns {
    uint64_t last_ticket;
    size_t count;
    struct turn items[TURNS_MAX]; /* by ticket */
};

/* Behind all others; NULL if as many wait already, for this name or in all. */
struct turn *turns_add(struct turns *turns, const char *name, bool group, uint64_t client, void *what);
/* The next whose turn it may be: behind that ticket, and the first of its name. NULL: none. */
struct turn *turns_next(struct turns *turns, uint64_t behind);
struct turn *turns_find(struct turns *turns, uint64_t ticket); /* NULL: gone */
size_t turns_waiting(const struct turns *turns, const char *name, bool group);
void turns_remove(struct turns *turns, struct turn *turn); /* what it holds stays the caller's to free */
/* Any of that client, 0 = of anybody; NULL: none. */
struct turn *turns_of_client(struct turns *turns, uint64_t client);
