/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Apps that move together. */
#pragma once

#include "base/error.h"
#include "model/machine.h"
#include "model/wire.h"

#include <stdbool.h>

struct agent;
struct app;
struct asked;
struct fold;
struct group_answer;
struct group_run;
struct transaction;
struct wire_receipt;

/* The group that it is in, "" if in none. */
const char *group_name_of(const struct app *app);
/* Switch or rollback of a group. */
void handle_group(const struct asked *asked);
/* STEP_MEET: waits for the others; the last one to come moves all. */
void group_meet(struct app *app);
void group_gather(struct group_run *run); /* one more is as near to the move as it gets without holding clients up */
/* The one that moved the app, behind it. */
const struct transaction *group_transaction(const struct app *app);
/* For operations.c: its operation is about to fail, and if nothing was moved yet, with it those of the others. */
void group_failed(struct app *app, enum step_event event, const char *reason);
/* Its operation has ended and is forgotten. run may be NULL, as below. */
void group_left(struct group_run *run, const struct app *app);
const char *group_run_name(const struct group_run *run);
/* The agent's own rollback of an app, and in the same transaction of those that its group moved with it, as far as they
 * can go back. */
int group_back(struct app *app, const char *who, const char *reason, struct error *err);
/* Makes one record of a move that took place before the agent ended. The apps are restored, and not looked at yet. */
void groups_recover(struct agent *agent, const struct fold *fold);
/* The request of one app is over; the last one of an answer sends it. */
void group_answer_add(struct group_answer *answer, const struct app *app, enum wire_result result,
                      const struct wire_receipt *receipt, const char *text);
void group_answer_drop(struct group_answer *answer, bool client_gone);
