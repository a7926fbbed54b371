/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of the moves of groups. */
#include "model/group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const phase_names[GROUP_PHASES] = {
    [GROUP_ABOUT] = "about", [GROUP_MOVED] = "moved", [GROUP_KEPT] = "kept"};

const char *group_phase_name(enum group_phase phase)
{
    return phase_names[phase];
}

bool group_phase_parse(const char *name, enum group_phase *phase)
{
    int found = text_index(name, phase_names, GROUP_PHASES);
    if (found >= 0)
        *phase = (enum group_phase)found;
    return found >= 0;
}

/* --- words ---------------------------------------------------------------------------------------- */

void group_format(const struct group_move *move, struct text *text)
{
    for (size_t i = 0; i < move->count; i++) {
        const struct group_member *member = &move->members[i];
        text_addf(text, "%s%s:%s", i ? "," : "", member->app,
                  member->zone < 0 ? "none" : colour_name((enum colour)member->zone));
    }
}

/* "web:green", of this length. */
static bool parse_member(const char *value, size_t length, struct group_member *member)
{
    char word[APP_NAME_MAX + 16];
    enum colour colour;
    if (length >= sizeof word)
        return false;
    memcpy(word, value, length);
    word[length] = '\0';
    char *zone = strchr(word, ':');
    if (!zone)
        return false;
    *zone++ = '\0';
    member->zone = -1;
    if (colour_parse(zone, &colour))
        member->zone = (int8_t)colour;
    else if (strcmp(zone, "none") != 0)
        return false;
    return app_name_valid(word) && text_copy(member->app, sizeof member->app, word);
}

bool group_parse(const char *value, struct group_move *move)
{
    move->count = 0;
    for (;;) {
        size_t length = strcspn(value, ",");
        struct group_member member;
        if (move->count == GROUP_APPS_MAX || !parse_member(value, length, &member) || group_member_of(move, member.app))
            return false;
        move->members[move->count++] = member;
        if (value[length] == '\0')
            return true;
        value += length + 1;
    }
}

static size_t index_of(const struct group_move *move, const char *app)
{
    size_t i = 0;
    while (i < move->count && strcmp(move->members[i].app, app) != 0)
        i++;
    return i;
}

const struct group_member *group_member_of(const struct group_move *move, const char *app)
{
    size_t index = index_of(move, app);
    return index < move->count ? &move->members[index] : NULL;
}

/* --- what is known ---------------------------------------------------------------------------------- */

static void drop(struct group_moves *moves, size_t index)
{
    moves->count--;
    memmove(&moves->items[index], &moves->items[index + 1], (moves->count - index) * sizeof *moves->items);
}

static void drop_named(struct group_moves *moves, const char *name, enum group_phase phase)
{
    const struct group_move *move = group_moves_find(moves, name, phase);
    if (move)
        drop(moves, (size_t)(move - moves->items));
}

int group_moves_add(struct group_moves *moves, const struct group_move *move)
{
    struct group_move added = *move;
    if (added.phase == GROUP_MOVED)
        added.phase = GROUP_KEPT;
    struct group_move *items = reallocarray(moves->items, moves->count + 1, sizeof *items);
    if (!items)
        return -ENOMEM;
    moves->items = items;
    if (move->phase == GROUP_MOVED)
        drop_named(moves, added.name, GROUP_ABOUT);
    drop_named(moves, added.name, added.phase);
    items[moves->count++] = added;
    return 0;
}

static bool all_struck(const struct group_move *move)
{
    for (size_t i = 0; i < move->count; i++) {
        if (move->members[i].zone >= 0)
            return false;
    }
    return true;
}

void group_moves_strike(struct group_moves *moves, const char *app)
{
    for (size_t i = moves->count; i-- > 0;) {
        struct group_move *move = &moves->items[i];
        size_t member = index_of(move, app);
        if (member == move->count)
            continue;
        move->members[member].zone = -1;
        if (move->phase == GROUP_ABOUT || all_struck(move))
            drop(moves, i);
    }
}

void group_moves_ended(struct group_moves *moves, const char *app)
{
    for (size_t i = moves->count; i-- > 0;) {
        if (moves->items[i].phase == GROUP_ABOUT && group_member_of(&moves->items[i], app))
            drop(moves, i);
    }
}

const struct group_move *group_moves_find(const struct group_moves *moves, const char *name, enum group_phase phase)
{
    for (size_t i = 0; i < moves->count; i++) {
        if (moves->items[i].phase == phase && strcmp(moves->items[i].name, name) == 0)
            return &moves->items[i];
    }
    return NULL;
}

const struct group_move *group_moves_of(const struct group_moves *moves, const char *app, int zone)
{
    for (size_t i = moves->count; i-- > 0;) {
        const struct group_move *move = &moves->items[i];
        const struct group_member *member = move->phase == GROUP_KEPT ? group_member_of(move, app) : NULL;
        if (member && zone >= 0 && member->zone == zone)
            return move;
    }
    return NULL;
}

int group_moves_copy(struct group_moves *to, const struct group_moves *from)
{
    *to = (struct group_moves){0};
    if (from->count == 0)
        return 0;
    to->items = reallocarray(NULL, from->count, sizeof *to->items);
    if (!to->items)
        return -ENOMEM;
    memcpy(to->items, from->items, from->count * sizeof *to->items);
    to->count = from->count;
    return 0;
}

void group_moves_clear(struct group_moves *moves)
{
    free(moves->items);
    *moves = (struct group_moves){0};
}
