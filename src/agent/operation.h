/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent keeps of an operation, while it runs and until the next one. Part of agent/app.h. */
#pragma once

#include "base/error.h"
#include "model/machine.h"
#include "model/record.h"
#include "model/types.h"
#include "model/wire_answers.h"

struct group_run;

struct operation {
    const enum step *plan; /* NULL: none */
    uint64_t number;       /* of its BEGIN in the journal; 0: it has none. Stays when it has ended */
    char steps[RECORD_STEPS_MAX + 1];
    bool idle_step; /* there was nothing to do in its step */
    size_t at;
    enum wire_verb verb;
    enum colour target;
    int from; /* live when it began: enum colour or -1 */
    bool force;
    bool by_agent;             /* nobody asked for it: nothing waits that need not, and no pre_rollback hook is asked */
    bool new_release;          /* the target was never live before */
    struct plan_choice choice; /* how much of the plan was asked for */
    uint64_t step_ms;          /* when its step began */
    char release[RELEASE_NAME_MAX + 1];
    char who[WIRE_WHO_MAX + 1];
    char reason[WIRE_TEXT_MAX + 1]; /* why the agent began it, "" when somebody asked; rehearse: what came of it */
    char parity[WIRE_TEXT_MAX + 1]; /* what of it differs from the live zone beside the release, or "" */
    uint64_t begun_ms, begun_unix_ms;
    struct wire_receipt receipt; /* filled by the switch */
    bool staged;                 /* the target zone is this operation's: failing gives it up */
    uint64_t log_before;         /* bytes of the target's log that an earlier release wrote */
    bool hold;                   /* its plan is that of a hold */
    bool held;                   /* clients wait, or did so when it failed */
    bool back;                   /* it failed in the hold: its plan is the way back */
    enum step failed_in;         /* that failed */
    bool switched;
    bool aborted;
    bool taken_back;         /* somebody else sees to the way back from what it made live */
    enum wire_action action; /* of VERB_SCHEMA */
    bool canary;             /* it changes a share only: its plan is plan_of_canary's */
    uint8_t share;           /* that the target is to have; 0: the one that it goes back from has none any more */
    bool sticky;
    uint64_t lose;           /* so many transactions of its feed may be missed */
    struct group_run *group; /* it moves together with others (groups.c); NULL: by itself */
    size_t test_page;        /* STEP_TEST: the page that is asked for */
    uint64_t test_probe;     /* of the prober; 0 = none is under way */
    bool failing;            /* STEP_ON_FAILURE: the plan's step `at` failed */
    char failure[ERROR_TEXT_MAX];
    char *output; /* of the hook that failed, its last lines; NULL = none */
};
