/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Apps that move together: what a group's move is, its words in the journal, and which moves are still known. Apart
 * from the fold, because the words are a language of their own. Pure.
 */
#pragma once

#include "base/text.h"
#include "model/types.h"

#define GROUP_APPS_MAX 32

struct group_member {
    char app[APP_NAME_MAX + 1];
    int8_t zone; /* enum colour: what is live from the move on; -1: one of its zones has other content since */
};

enum group_phase {
    GROUP_ABOUT, /* all are ready: the next transaction moves them. Nothing has changed */
    GROUP_MOVED, /* it has: from now on this is live, of each */
    GROUP_KEPT,  /* remembered as the group's last move; changes nothing */
    GROUP_PHASES
};

struct group_move {
    char name[APP_NAME_MAX + 1]; /* of the group; has the form of an app's */
    enum group_phase phase;
    size_t count; /* 1..GROUP_APPS_MAX */
    struct group_member members[GROUP_APPS_MAX];
};

const char *group_phase_name(enum group_phase phase);
bool group_phase_parse(const char *name, enum group_phase *phase);
/* "web:green,domain:blue", "none" for -1. */
void group_format(const struct group_move *move, struct text *text);
bool group_parse(const char *value, struct group_move *move); /* count and members; nothing but what is written so */
const struct group_member *group_member_of(const struct group_move *move, const char *app);

/* The last move of each group, and any that is about to be made. All zero is empty. */
struct group_moves {
    struct group_move *items;
    size_t count;
};

/* In place of what was known of the phase and the name; a move that was made is kept and ends what was about to be. 0
 * or -ENOMEM. */
int group_moves_add(struct group_moves *moves, const struct group_move *move);
/* One of its zones has other content, or it is removed: it cannot be moved back any more. */
void group_moves_strike(struct group_moves *moves, const char *app);
/* Its operation ended: what it was about to do with others is over. */
void group_moves_ended(struct group_moves *moves, const char *app);
/* NULL: none. */
const struct group_move *group_moves_find(const struct group_moves *moves, const char *name, enum group_phase phase);
/* The last move that made this zone of the app live; NULL: none. */
const struct group_move *group_moves_of(const struct group_moves *moves, const char *app, int zone);
int group_moves_copy(struct group_moves *to, const struct group_moves *from); /* to is empty; 0 or -ENOMEM */
void group_moves_clear(struct group_moves *moves);
