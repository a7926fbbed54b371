/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Apps of a group that move together: which ones (group_admission.c), their run (groups.c, group_back.c) and what who
 * asked for it is told (group_answer.c). What the rest of the agent needs of it is in agent/groups.h. */
#pragma once

#include "agent/agent.h"
#include "agent/requests.h"
#include "agent/routing.h"
#include "model/group.h"

/* Who moves, and where to; who stays, with the reason. */
struct group_choice {
    size_t count;
    struct route routes[GROUP_APPS_MAX];
    struct text stays; /* a line each; the owner's */
};

/* Of a switch or rollback of a group: RESULT_DONE and a choice of at least one, or a refusal of all. */
enum wire_result group_admit(const struct asked *asked, struct group_choice *choice, struct error *err);
/* The app, and what its group's last move has moved with it and can go back; 1 if there is nothing of that kind. */
void group_choose_back(struct app *app, struct group_choice *choice, char name[APP_NAME_MAX + 1]);

/* What is told when the last of them is done with. Held by its requests. */
struct group_answer *group_answer_new(const struct asked *asked, const struct group_choice *choice);
/* One more request waits for it. */
void group_answer_hold(struct group_answer *answer);
/* None may be held back because of one that could not be made, and was told. */
void group_answer_told(struct group_answer *answer);
/* The one that keeps the others from moving: its words are the answer. */
void group_answer_blame(struct group_answer *answer, const struct app *app);

/* --- groups.c --- */

struct group_run {
    char name[APP_NAME_MAX + 1];
    enum wire_verb verb;
    struct app *leader; /* of the agent's own way back: the one that has to go back, with or without the others */
    bool failed;        /* before the move: it will not happen */
    bool moved;
    struct transaction transaction;
    size_t count;
    struct app *members[GROUP_APPS_MAX]; /* whose operations run; NULL: ended */
    unsigned used;                       /* by this many that look through it: not freed meanwhile */
};

/* In use by one; NULL without memory. */
struct group_run *group_run_new(const char *name, enum wire_verb verb);
void group_run_unuse(struct group_run *run); /* it may be gone */
/* Its operation, which has begun, is part of it. */
void group_run_join(struct group_run *run, struct app *app);
void group_run_enter(struct group_run *run); /* the first step of all that have joined */
