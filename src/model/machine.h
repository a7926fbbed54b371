/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two state machines, as tables: what a zone is, and how far an operation on an app has come. A cell says the next
 * state and the actions; agent/ performs them and feeds back what happened. Pure: no clock, no I/O.
 */
#pragma once

#include "base/text.h"
#include "model/types.h"
#include "model/wire.h"

/* --- a zone ----------------------------------------------------------------------------------- */

enum zone_change {
    CHANGE_STAGE,   /* an operation begins to build it */
    CHANGE_STARTED, /* the app was executed */
    CHANGE_PASS,    /* its verdict became healthy */
    CHANGE_FAIL,    /* its verdict became unhealthy */
    CHANGE_BREAK,   /* staging failed or was given up */
    CHANGE_GAIN,    /* a transaction sends new connections to it */
    CHANGE_LOSE,    /* a transaction sends them elsewhere */
    CHANGE_DRAINED, /* its clients are gone, or were cut */
    CHANGE_HALT,    /* the operator stops the app */
    CHANGE_RESTORE, /* the operator starts it again, or the host rebooted */
    CHANGE_REMOVE,  /* its place is needed, or the app is removed */
    CHANGE_LOST,    /* its shim died, and everything in it */
    CHANGE_FREEZE,  /* drained, healthy and told to rest: it gets no CPU */
    CHANGE_THAW,    /* it is needed again, or could not be frozen */
    CHANGE_REST,    /* its app stops, the zone stays: it is the other one's turn */
    ZONE_CHANGES
};

/* Actions, performed in this order. */
enum zone_action {
    ACTION_PROBE_OFF = 1 << 0, /* forget the verdict, no further probes */
    ACTION_DRAIN_OFF = 1 << 1, /* stop counting, leave the connections */
    ACTION_ALARM = 1 << 2,     /* say it loudly */
    ACTION_FREEZE = 1 << 3,    /* stop everything in it where it stands */
    ACTION_THAW = 1 << 4,      /* let it go on */
    ACTION_RECORD = 1 << 5,    /* the journal must know */
    ACTION_REBUILD = 1 << 6,   /* same configuration and release, again */
    ACTION_PROBE_ON = 1 << 7,  /* probe from now on */
    ACTION_DRAIN_ON = 1 << 8,  /* count its connections until they end or are cut */
    ACTION_TEAR_DOWN = 1 << 9, /* stop the app gracefully, then remove every trace but the log */
    ACTION_REST = 1 << 10,     /* stop the app gracefully, and leave the zone */
};

struct zone_cell {
    enum zone_state next;
    unsigned actions; /* of enum zone_action */
    bool impossible;  /* the agent asked for what cannot be: refuse, change nothing */
};

/* Every pair is filled in; impossible cells have next = state and no actions. */
struct zone_cell zone_transition(enum zone_state state, enum zone_change change);
const char *zone_change_name(enum zone_change change);

/* --- an operation ------------------------------------------------------------------------------ */

enum step {
    STEP_IDLE,          /* no operation */
    STEP_MEMORY,        /* looking whether the host has the memory for one more release */
    STEP_PARITY,        /* looking what would differ from the live zone beside the release */
    STEP_CLEAR,         /* waiting for the target zone's former content to be gone */
    STEP_BUILD,         /* namespaces, links, cgroup, shim */
    STEP_EXPAND,        /* [schema] expand, where the release needs more than there is */
    STEP_VERIFY,        /* the schema's check, and whether the live release is well on it: the way back */
    STEP_RETIRE,        /* waiting for the standby to be gone, which a contract leaves behind */
    STEP_CONTRACT,      /* [schema] contract: no way back from here on */
    STEP_REVERT,        /* [schema] revert */
    STEP_PRE_START,     /* the hook of that name, as in the other steps called PRE and POST */
    STEP_START,         /* executing the app */
    STEP_HEALTH,        /* waiting for the staged app's first healthy verdict */
    STEP_SEED,          /* [feed] seed_on = release: copying what live has into the new zone */
    STEP_TEST,          /* smoke pages, then the hook, on a release that is not live yet */
    STEP_GATE,          /* making sure that a zone which ran already is healthy now */
    STEP_FIREWALL,      /* looking for what would drop the packets of clients */
    STEP_PRE_SWITCH,    /* the last chance to say no */
    STEP_PRE_ROLLBACK,  /* the same, before an operator's rollback */
    STEP_MEET,          /* of a group only: waiting until all its apps have come so far */
    STEP_TAIL,          /* [feed]: the target gets what it lacks of what live has done; new transactions wait */
    STEP_SWITCH,        /* the transaction */
    STEP_POST_SWITCH,   /* failing switches back */
    STEP_POST_ROLLBACK, /* decides nothing */
    STEP_REHEARSE,      /* measuring while the standby serves; whatever comes of it, the way back follows */
    STEP_BACK_TAIL,     /* the tail, the other way; whatever comes of it */
    STEP_SWITCH_BACK,   /* the transaction, the other way */
    STEP_UNPUBLISH,     /* taking the app's ports out of the rule set */
    STEP_HALT,          /* waiting for both zones to be gone */
    STEP_RESTORE,       /* building the zone that was live, from what was kept */
    STEP_FORGET,        /* taking the app out of the journal */
    STEP_ON_FAILURE,    /* in no plan: where an operation goes that failed, before what it did is undone */
    STEP_REVIVE,        /* building the zone of a resting release again, where it has gone */
    STEP_HOLD,          /* the transaction of a hold: from here on new connections wait */
    STEP_EMPTY,         /* the connections of the live release end, or are cut */
    STEP_REST,          /* stopping the live release */
    STEP_BACK_HOLD,     /* a hold failed: new connections wait for the release that was live */
    STEP_BACK_REST,     /* stopping the other one */
    STEP_BACK_START,    /* executing the one that was live, again */
    STEP_BACK_HEALTH,   /* waiting until it is healthy */
    STEP_BACK_SWITCH,   /* letting clients in; the operation has failed */
    STEP_SHARE,         /* the transaction of a canary */
    STEPS
};

const char *step_name(enum step step); /* as progress lines and status show it */

enum step_event {
    EVENT_DONE,    /* what the step does is done */
    EVENT_FAILED,  /* it could not be done */
    EVENT_GOOD,    /* the target zone's verdict became healthy or was confirmed */
    EVENT_BAD,     /* it became unhealthy */
    EVENT_EXPIRED, /* the step's time is over */
    EVENT_LOST,    /* the target zone's shim died */
    EVENT_ABORT,   /* somebody asked for it */
    STEP_EVENTS
};

enum move {
    MOVE_STAY,   /* goes on as it was */
    MOVE_NEXT,   /* on to the plan's next step; after the last: done */
    MOVE_FAIL,   /* ends, and what the plan says is undone */
    MOVE_REFUSE, /* the event has no say here (an abort that comes too late) */
};

/* Every pair is filled in. */
enum move step_transition(enum step step, enum step_event event);
const char *step_event_name(enum step_event event);

/* Steps of a verb, ended by STEP_IDLE; NULL for verbs that are no operation. */
const enum step *plan_of(enum wire_verb verb);
/* The same of what VERB_SCHEMA does; NULL: that is no operation. */
const enum step *plan_of_schema(enum wire_action action);

/* Of a canary: it gets a share, or has it taken away. */
const enum step *plan_of_canary(bool taken_away);
/* The same where the two releases must not run at once: the old one stops before the new one starts, and clients wait
 * meanwhile. NULL: the verb has none. */
const enum step *plan_of_hold(enum wire_verb verb);
/* What follows when one of those fails between STEP_HOLD and its switch: whatever comes of a step, the next one is
 * taken. */
const enum step *plan_of_hold_back(void);

/* How much of a plan somebody wants. */
struct plan_choice {
    bool no_test;         /* without STEP_TEST */
    enum step stop_after; /* done behind this one; STEP_IDLE = go on to the end */
    bool group;           /* with STEP_MEET: it moves together with others */
};

/* Where the plan goes on behind `at`: an index into it, of STEP_IDLE if that was all. */
size_t plan_next(const enum step *plan, size_t at, const struct plan_choice *choice);
/* True if failing means that the target zone is given up (it was only staged). */
bool plan_undoes_staging(enum wire_verb verb);
/* True if the steps up to and with this one only look: a plan that ends there has changed nothing. */
bool plan_only_looked(const enum step *plan, size_t at);
/* True if the journal must be writable for it to begin: all but rollback and failover, which must work with a full
 * disk. */
bool plan_needs_journal(enum wire_verb verb);

/* Both tables and the plans as text, for ARCHITECTURE.md and its check. */
void machine_describe(struct text *text);
