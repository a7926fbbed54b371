/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small array, sorted by arrival. */
#include "model/turns.h"

#include "base/text.h"

#include <string.h>

static bool is_same(const struct turn *turn, const char *name, bool group)
{
    return turn->group == group && strcmp(turn->name, name) == 0;
}

size_t turns_waiting(const struct turns *turns, const char *name, bool group)
{
    size_t count = 0;
    for (size_t i = 0; i < turns->count; i++)
        count += is_same(&turns->items[i], name, group);
    return count;
}

struct turn *turns_add(struct turns *turns, const char *name, bool group, uint64_t client, void *what)
{
    if (turns->count == TURNS_MAX || turns_waiting(turns, name, group) == TURNS_PER_APP)
        return NULL;
    struct turn *turn = &turns->items[turns->count++];
    *turn = (struct turn){.ticket = ++turns->last_ticket, .client = client, .group = group, .what = what};
    text_copy(turn->name, sizeof turn->name, name);
    return turn;
}

static bool is_first_of_its_name(const struct turns *turns, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (is_same(&turns->items[i], turns->items[at].name, turns->items[at].group))
            return false;
    }
    return true;
}

struct turn *turns_next(struct turns *turns, uint64_t behind)
{
    for (size_t i = 0; i < turns->count; i++) {
        if (turns->items[i].ticket > behind && is_first_of_its_name(turns, i))
            return &turns->items[i];
    }
    return NULL;
}

struct turn *turns_find(struct turns *turns, uint64_t ticket)
{
    for (size_t i = 0; i < turns->count; i++) {
        if (turns->items[i].ticket == ticket)
            return &turns->items[i];
    }
    return NULL;
}

void turns_remove(struct turns *turns, struct turn *turn)
{
    size_t at = (size_t)(turn - turns->items);
    memmove(turn, turn + 1, (turns->count - at - 1) * sizeof *turn);
    turns->count--;
}

struct turn *turns_of_client(struct turns *turns, uint64_t client)
{
    for (size_t i = 0; i < turns->count; i++) {
        if (client == 0 || turns->items[i].client == client)
            return &turns->items[i];
    }
    return NULL;
}
