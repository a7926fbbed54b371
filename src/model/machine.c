/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state machines' tables. */
#include "model/machine.h"

#define GONE  (ACTION_PROBE_OFF | ACTION_TEAR_DOWN | ACTION_RECORD)
#define AGAIN (ACTION_PROBE_OFF | ACTION_REBUILD | ACTION_PROBE_ON | ACTION_RECORD | ACTION_ALARM)
#define REST  (ACTION_PROBE_OFF | ACTION_FREEZE | ACTION_RECORD)
#define WAKE  (ACTION_THAW | ACTION_RECORD | ACTION_PROBE_ON)
#define QUIET (ACTION_PROBE_OFF | ACTION_RECORD | ACTION_REST)
#define REC   ACTION_RECORD
#define TO(state, does)                         \
    {                                           \
        .next = ZONE_##state, .actions = (does) \
    }
#define NO                 \
    {                      \
        .impossible = true \
    }
#define SAME(state) TO(state, 0)

/* clang-format off */
static const struct zone_cell zone_table[ZONE_STATES][ZONE_CHANGES] = {
    [ZONE_ABSENT] = {
        [CHANGE_STAGE] = TO(STAGING, REC), [CHANGE_STARTED] = NO, [CHANGE_PASS] = NO, [CHANGE_FAIL] = NO,
        [CHANGE_BREAK] = SAME(ABSENT), [CHANGE_GAIN] = NO, [CHANGE_LOSE] = NO, [CHANGE_DRAINED] = NO,
        [CHANGE_HALT] = SAME(ABSENT), [CHANGE_RESTORE] = SAME(ABSENT), [CHANGE_REMOVE] = SAME(ABSENT),
        [CHANGE_LOST] = SAME(ABSENT),
        [CHANGE_FREEZE] = NO, [CHANGE_THAW] = NO, [CHANGE_REST] = SAME(ABSENT),
    },
    [ZONE_STAGING] = {
        [CHANGE_STAGE] = NO, [CHANGE_STARTED] = TO(STARTING, ACTION_PROBE_ON), [CHANGE_PASS] = NO, [CHANGE_FAIL] = NO,
        [CHANGE_BREAK] = TO(FAILED, GONE), [CHANGE_GAIN] = NO, [CHANGE_LOSE] = NO, [CHANGE_DRAINED] = NO,
        [CHANGE_HALT] = TO(ABSENT, GONE), [CHANGE_RESTORE] = NO, [CHANGE_REMOVE] = TO(ABSENT, GONE),
        [CHANGE_LOST] = TO(FAILED, GONE),
        [CHANGE_FREEZE] = NO, [CHANGE_THAW] = NO, [CHANGE_REST] = TO(STAGING, QUIET),
    },
    [ZONE_STARTING] = {
        [CHANGE_STAGE] = NO, [CHANGE_STARTED] = NO, [CHANGE_PASS] = TO(HEALTHY, REC), [CHANGE_FAIL] = SAME(STARTING),
        [CHANGE_BREAK] = TO(FAILED, GONE), [CHANGE_GAIN] = NO, [CHANGE_LOSE] = NO, [CHANGE_DRAINED] = NO,
        [CHANGE_HALT] = TO(ABSENT, GONE), [CHANGE_RESTORE] = NO, [CHANGE_REMOVE] = TO(ABSENT, GONE),
        [CHANGE_LOST] = TO(FAILED, GONE),
        [CHANGE_FREEZE] = NO, [CHANGE_THAW] = NO, [CHANGE_REST] = TO(STAGING, QUIET),
    },
    [ZONE_HEALTHY] = {
        [CHANGE_STAGE] = NO, [CHANGE_STARTED] = NO, [CHANGE_PASS] = SAME(HEALTHY), [CHANGE_FAIL] = TO(UNHEALTHY, 0),
        [CHANGE_BREAK] = TO(FAILED, GONE), [CHANGE_GAIN] = TO(LIVE, REC), [CHANGE_LOSE] = NO, [CHANGE_DRAINED] = NO,
        [CHANGE_HALT] = TO(ABSENT, GONE), [CHANGE_RESTORE] = NO, [CHANGE_REMOVE] = TO(ABSENT, GONE),
        [CHANGE_LOST] = TO(FAILED, GONE | ACTION_ALARM),
        [CHANGE_FREEZE] = NO, [CHANGE_THAW] = NO, [CHANGE_REST] = TO(STAGING, QUIET),
    },
    [ZONE_UNHEALTHY] = {
        [CHANGE_STAGE] = NO, [CHANGE_STARTED] = NO, [CHANGE_PASS] = TO(HEALTHY, 0), [CHANGE_FAIL] = SAME(UNHEALTHY),
        [CHANGE_BREAK] = TO(FAILED, GONE), [CHANGE_GAIN] = TO(LIVE, REC), [CHANGE_LOSE] = NO, [CHANGE_DRAINED] = NO,
        [CHANGE_HALT] = TO(ABSENT, GONE), [CHANGE_RESTORE] = NO, [CHANGE_REMOVE] = TO(ABSENT, GONE),
        [CHANGE_LOST] = TO(FAILED, GONE | ACTION_ALARM),
        [CHANGE_FREEZE] = NO, [CHANGE_THAW] = NO, [CHANGE_REST] = TO(STAGING, QUIET),
    },
    [ZONE_LIVE] = {
        [CHANGE_STAGE] = NO, [CHANGE_STARTED] = SAME(LIVE), [CHANGE_PASS] = SAME(LIVE),
        [CHANGE_FAIL] = TO(LIVE, ACTION_ALARM),
        [CHANGE_BREAK] = NO, [CHANGE_GAIN] = NO, [CHANGE_LOSE] = TO(DRAINING, REC | ACTION_DRAIN_ON),
        [CHANGE_DRAINED] = NO,
        [CHANGE_HALT] = TO(STOPPED, GONE), [CHANGE_RESTORE] = TO(LIVE, AGAIN), [CHANGE_REMOVE] = TO(ABSENT, GONE),
        [CHANGE_LOST] = TO(LIVE, AGAIN),
        [CHANGE_FREEZE] = NO, [CHANGE_THAW] = NO, [CHANGE_REST] = TO(RESTING, QUIET),
    },
    [ZONE_DRAINING] = {
        [CHANGE_STAGE] = NO, [CHANGE_STARTED] = SAME(DRAINING), [CHANGE_PASS] = SAME(DRAINING),
        [CHANGE_FAIL] = SAME(DRAINING),
        [CHANGE_BREAK] = NO, [CHANGE_GAIN] = TO(LIVE, REC | ACTION_DRAIN_OFF), [CHANGE_LOSE] = NO,
        [CHANGE_DRAINED] = TO(STANDBY, REC | ACTION_DRAIN_OFF), [CHANGE_HALT] = TO(STOPPED, GONE | ACTION_DRAIN_OFF),
        [CHANGE_RESTORE] = TO(STANDBY, AGAIN | ACTION_DRAIN_OFF), [CHANGE_REMOVE] = TO(ABSENT, GONE | ACTION_DRAIN_OFF),
        [CHANGE_LOST] = TO(STANDBY, AGAIN | ACTION_DRAIN_OFF),
        [CHANGE_FREEZE] = NO, [CHANGE_THAW] = NO, [CHANGE_REST] = TO(RESTING, QUIET | ACTION_DRAIN_OFF),
    },
    [ZONE_STANDBY] = {
        [CHANGE_STAGE] = NO, [CHANGE_STARTED] = SAME(STANDBY), [CHANGE_PASS] = SAME(STANDBY),
        [CHANGE_FAIL] = TO(STANDBY, ACTION_ALARM),
        [CHANGE_BREAK] = NO, [CHANGE_GAIN] = TO(LIVE, REC), [CHANGE_LOSE] = NO, [CHANGE_DRAINED] = SAME(STANDBY),
        [CHANGE_HALT] = TO(STOPPED, GONE), [CHANGE_RESTORE] = TO(STANDBY, AGAIN), [CHANGE_REMOVE] = TO(ABSENT, GONE),
        [CHANGE_LOST] = TO(STANDBY, AGAIN),
        [CHANGE_FREEZE] = TO(FROZEN, REST), [CHANGE_THAW] = NO, [CHANGE_REST] = TO(RESTING, QUIET),
    },
    [ZONE_FROZEN] = { /* no probe reaches it, and no SIGTERM: it is thawed before anything else is asked of it */
        [CHANGE_STAGE] = NO, [CHANGE_STARTED] = NO, [CHANGE_PASS] = NO, [CHANGE_FAIL] = NO,
        [CHANGE_BREAK] = NO, [CHANGE_GAIN] = NO, [CHANGE_LOSE] = NO, [CHANGE_DRAINED] = SAME(FROZEN),
        [CHANGE_HALT] = TO(STOPPED, GONE | ACTION_THAW), [CHANGE_RESTORE] = TO(STANDBY, AGAIN),
        [CHANGE_REMOVE] = TO(ABSENT, GONE | ACTION_THAW), [CHANGE_LOST] = TO(STANDBY, AGAIN),
        [CHANGE_FREEZE] = SAME(FROZEN), [CHANGE_THAW] = TO(STANDBY, WAKE),
        [CHANGE_REST] = TO(RESTING, QUIET | ACTION_THAW),
    },
    [ZONE_FAILED] = {
        [CHANGE_STAGE] = TO(STAGING, REC), [CHANGE_STARTED] = NO, [CHANGE_PASS] = NO, [CHANGE_FAIL] = NO,
        [CHANGE_BREAK] = SAME(FAILED), [CHANGE_GAIN] = NO, [CHANGE_LOSE] = NO, [CHANGE_DRAINED] = NO,
        [CHANGE_HALT] = SAME(FAILED), [CHANGE_RESTORE] = SAME(FAILED), [CHANGE_REMOVE] = TO(ABSENT, REC),
        [CHANGE_LOST] = SAME(FAILED),
        [CHANGE_FREEZE] = NO, [CHANGE_THAW] = NO, [CHANGE_REST] = SAME(FAILED),
    },
    [ZONE_STOPPED] = {
        [CHANGE_STAGE] = NO, [CHANGE_STARTED] = NO, [CHANGE_PASS] = NO, [CHANGE_FAIL] = NO,
        [CHANGE_BREAK] = SAME(STOPPED), [CHANGE_GAIN] = NO, [CHANGE_LOSE] = NO, [CHANGE_DRAINED] = NO,
        [CHANGE_HALT] = SAME(STOPPED), [CHANGE_RESTORE] = TO(STANDBY, REC | ACTION_REBUILD | ACTION_PROBE_ON),
        [CHANGE_REMOVE] = TO(ABSENT, REC), [CHANGE_LOST] = SAME(STOPPED),
        [CHANGE_FREEZE] = NO, [CHANGE_THAW] = NO, [CHANGE_REST] = TO(RESTING, REC),
    },
    [ZONE_RESTING] = { /* nothing of its app runs, and no agent starts it but in its turn */
        [CHANGE_STAGE] = NO, [CHANGE_STARTED] = TO(STANDBY, REC | ACTION_PROBE_ON), [CHANGE_PASS] = NO,
        [CHANGE_FAIL] = NO,
        [CHANGE_BREAK] = NO, [CHANGE_GAIN] = NO, [CHANGE_LOSE] = NO, [CHANGE_DRAINED] = SAME(RESTING),
        [CHANGE_HALT] = TO(STOPPED, GONE), [CHANGE_RESTORE] = TO(STANDBY, REC | ACTION_REBUILD | ACTION_PROBE_ON),
        [CHANGE_REMOVE] = TO(ABSENT, GONE), [CHANGE_LOST] = TO(RESTING, ACTION_REST),
        [CHANGE_FREEZE] = NO, [CHANGE_THAW] = NO, [CHANGE_REST] = TO(RESTING, ACTION_REST),
    },
};

static const enum move step_table[STEPS][STEP_EVENTS] = {
    /*                      DONE         FAILED       GOOD         BAD          EXPIRED      LOST         ABORT */
    [STEP_IDLE]          = {MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_REFUSE },
    [STEP_MEMORY]        = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_STAY,   MOVE_FAIL   },
    [STEP_PARITY]        = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_STAY,   MOVE_FAIL   },
    [STEP_CLEAR]         = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_STAY,   MOVE_FAIL   },
    [STEP_BUILD]         = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_EXPAND]        = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_VERIFY]        = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_RETIRE]        = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_STAY,   MOVE_FAIL   },
    [STEP_CONTRACT]      = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_REVERT]        = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_PRE_START]     = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_START]         = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_HEALTH]        = {MOVE_NEXT,   MOVE_FAIL,   MOVE_NEXT,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_SEED]          = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_TEST]          = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_GATE]          = {MOVE_NEXT,   MOVE_FAIL,   MOVE_NEXT,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_FIREWALL]      = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_PRE_SWITCH]    = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_PRE_ROLLBACK]  = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_MEET]          = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_TAIL]          = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_SWITCH]        = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_REFUSE },
    [STEP_POST_SWITCH]   = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_POST_ROLLBACK] = {MOVE_NEXT,   MOVE_NEXT,   MOVE_STAY,   MOVE_STAY,   MOVE_NEXT,   MOVE_NEXT,   MOVE_NEXT   },
    [STEP_REHEARSE]      = {MOVE_NEXT,   MOVE_NEXT,   MOVE_STAY,   MOVE_NEXT,   MOVE_NEXT,   MOVE_NEXT,   MOVE_NEXT   },
    [STEP_BACK_TAIL]     = {MOVE_NEXT,   MOVE_NEXT,   MOVE_STAY,   MOVE_STAY,   MOVE_NEXT,   MOVE_NEXT,   MOVE_REFUSE },
    [STEP_SWITCH_BACK]   = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_REFUSE },
    [STEP_UNPUBLISH]     = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_REFUSE },
    [STEP_HALT]          = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_REFUSE },
    [STEP_RESTORE]       = {MOVE_NEXT,   MOVE_FAIL,   MOVE_NEXT,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_FORGET]        = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_REFUSE },
    [STEP_ON_FAILURE]    = {MOVE_FAIL,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_REVIVE]        = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_HOLD]          = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_REFUSE },
    [STEP_EMPTY]         = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_REST]          = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_FAIL,   MOVE_FAIL,   MOVE_FAIL   },
    [STEP_BACK_HOLD]     = {MOVE_NEXT,   MOVE_NEXT,   MOVE_STAY,   MOVE_STAY,   MOVE_NEXT,   MOVE_STAY,   MOVE_REFUSE },
    [STEP_BACK_REST]     = {MOVE_NEXT,   MOVE_NEXT,   MOVE_STAY,   MOVE_STAY,   MOVE_NEXT,   MOVE_STAY,   MOVE_REFUSE },
    [STEP_BACK_START]    = {MOVE_NEXT,   MOVE_NEXT,   MOVE_STAY,   MOVE_STAY,   MOVE_NEXT,   MOVE_STAY,   MOVE_REFUSE },
    [STEP_BACK_HEALTH]   = {MOVE_NEXT,   MOVE_NEXT,   MOVE_NEXT,   MOVE_STAY,   MOVE_NEXT,   MOVE_NEXT,   MOVE_REFUSE },
    [STEP_BACK_SWITCH]   = {MOVE_FAIL,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_REFUSE },
    [STEP_SHARE]         = {MOVE_NEXT,   MOVE_FAIL,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_STAY,   MOVE_REFUSE },
};

enum { PLAN_MAX = 20 };

static const enum step plans[VERBS][PLAN_MAX] = {
    [VERB_DEPLOY]   = { STEP_FIREWALL, STEP_MEMORY, STEP_PARITY, STEP_CLEAR, STEP_BUILD, STEP_EXPAND, STEP_VERIFY,
                        STEP_PRE_START, STEP_START, STEP_HEALTH, STEP_SEED, STEP_TEST, STEP_PRE_SWITCH, STEP_TAIL,
                        STEP_SWITCH, STEP_POST_SWITCH, STEP_IDLE },
    [VERB_STAGE]    = { STEP_MEMORY, STEP_PARITY, STEP_CLEAR, STEP_BUILD, STEP_EXPAND, STEP_VERIFY, STEP_PRE_START,
                        STEP_START, STEP_HEALTH, STEP_SEED, STEP_IDLE },
    [VERB_TEST]     = { STEP_GATE, STEP_TEST, STEP_IDLE },
    [VERB_SWITCH]   = { STEP_GATE, STEP_FIREWALL, STEP_PRE_SWITCH, STEP_TAIL, STEP_MEET, STEP_SWITCH,
                        STEP_POST_SWITCH, STEP_IDLE },
    [VERB_ROLLBACK] = { STEP_GATE, STEP_PRE_ROLLBACK, STEP_TAIL, STEP_MEET, STEP_SWITCH, STEP_POST_ROLLBACK,
                        STEP_IDLE },
    [VERB_FAILOVER] = { STEP_SWITCH, STEP_POST_ROLLBACK, STEP_IDLE },
    [VERB_REHEARSE] = { STEP_GATE, STEP_TAIL, STEP_SWITCH, STEP_REHEARSE, STEP_BACK_TAIL, STEP_SWITCH_BACK, STEP_IDLE },
    [VERB_STOP]     = { STEP_UNPUBLISH, STEP_HALT, STEP_IDLE },
    [VERB_START]    = { STEP_RESTORE, STEP_SWITCH, STEP_IDLE },
    [VERB_REMOVE]   = { STEP_UNPUBLISH, STEP_HALT, STEP_FORGET, STEP_IDLE },
};

/* The hooks that may say no come before anybody waits. */
static const enum step hold_plans[VERBS][PLAN_MAX] = {
    [VERB_DEPLOY]   = { STEP_PARITY, STEP_CLEAR, STEP_BUILD, STEP_EXPAND, STEP_VERIFY, STEP_PRE_START,
                        STEP_PRE_SWITCH, STEP_HOLD, STEP_EMPTY, STEP_REST, STEP_START, STEP_HEALTH, STEP_TEST,
                        STEP_SWITCH, STEP_POST_SWITCH, STEP_IDLE },
    [VERB_SWITCH]   = { STEP_REVIVE, STEP_PRE_SWITCH, STEP_HOLD, STEP_EMPTY, STEP_REST, STEP_START, STEP_HEALTH,
                        STEP_SWITCH, STEP_POST_SWITCH, STEP_IDLE },
    [VERB_ROLLBACK] = { STEP_REVIVE, STEP_PRE_ROLLBACK, STEP_HOLD, STEP_EMPTY, STEP_REST, STEP_START, STEP_HEALTH,
                        STEP_SWITCH, STEP_POST_ROLLBACK, STEP_IDLE },
    [VERB_FAILOVER] = { STEP_REVIVE, STEP_HOLD, STEP_EMPTY, STEP_REST, STEP_START, STEP_HEALTH, STEP_SWITCH,
                        STEP_POST_ROLLBACK, STEP_IDLE },
};

static const enum step hold_back_plan[] = {
    STEP_BACK_HOLD, STEP_BACK_REST, STEP_BACK_START, STEP_BACK_HEALTH, STEP_BACK_SWITCH, STEP_IDLE,
};

static const enum step canary_plan[] = { STEP_GATE, STEP_FIREWALL, STEP_PRE_SWITCH, STEP_SHARE, STEP_IDLE };
static const enum step canary_back_plan[] = { STEP_SHARE, STEP_IDLE };

static const enum step schema_plans[WIRE_ACTIONS][PLAN_MAX] = {
    [WIRE_SCHEMA_EXPAND]   = { STEP_MEMORY, STEP_CLEAR, STEP_BUILD, STEP_EXPAND, STEP_VERIFY, STEP_IDLE },
    [WIRE_SCHEMA_CHECK]    = { STEP_CLEAR, STEP_BUILD, STEP_VERIFY, STEP_IDLE },
    [WIRE_SCHEMA_CONTRACT] = { STEP_RETIRE, STEP_CONTRACT, STEP_IDLE },
    [WIRE_SCHEMA_REVERT]   = { STEP_CLEAR, STEP_BUILD, STEP_REVERT, STEP_IDLE },
};

static const char *const change_names[ZONE_CHANGES] = {
    "stage", "started", "pass", "fail", "break", "gain", "lose", "drained", "halt", "restore", "remove", "lost",
    "freeze", "thaw", "rest",
};
static const char *const step_names[STEPS] = {
    "idle", "memory", "parity", "clear", "build", "expand", "verify", "retire", "contract", "revert", "pre-start",
    "start", "health", "seed", "test", "gate", "firewall", "pre-switch", "pre-rollback", "meet", "tail", "switch",
    "post-switch", "post-rollback", "rehearse", "back-tail", "switch-back", "unpublish", "halt", "restore", "forget",
    "on-failure", "revive", "hold", "empty", "rest", "back-hold", "back-rest", "back-start", "back-health",
    "back-switch", "share",
};
static const char *const event_names[STEP_EVENTS] = { "done", "failed", "good", "bad", "expired", "lost", "abort" };
static const char *const move_names[] = { ".", "next", "fail", "refuse" };
static const char *const action_names[] = {
    "probe-off", "drain-off", "alarm", "freeze", "thaw", "record", "rebuild", "probe-on", "drain-on", "tear-down",
    "rest",
};
/* clang-format on */

struct zone_cell zone_transition(enum zone_state state, enum zone_change change)
{
    struct zone_cell cell = zone_table[state][change];
    if (cell.impossible)
        cell.next = state;
    return cell;
}

const char *zone_change_name(enum zone_change change)
{
    return change_names[change];
}

const char *step_name(enum step step)
{
    return step_names[step];
}

const char *step_event_name(enum step_event event)
{
    return event_names[event];
}

enum move step_transition(enum step step, enum step_event event)
{
    return step_table[step][event];
}

const enum step *plan_of_schema(enum wire_action action)
{
    return schema_plans[action][0] == STEP_IDLE ? NULL : schema_plans[action];
}

const enum step *plan_of(enum wire_verb verb)
{
    return plans[verb][0] == STEP_IDLE ? NULL : plans[verb];
}

const enum step *plan_of_canary(bool taken_away)
{
    return taken_away ? canary_back_plan : canary_plan;
}

const enum step *plan_of_hold(enum wire_verb verb)
{
    return hold_plans[verb][0] == STEP_IDLE ? NULL : hold_plans[verb];
}

const enum step *plan_of_hold_back(void)
{
    return hold_back_plan;
}

/* A release that is staged is seeded, too: with the health step, what comes behind it ends. */
static bool is_enough(const enum step *plan, size_t at, enum step stop_after)
{
    if (stop_after == STEP_IDLE)
        return false;
    return plan[at] == STEP_SEED ? plan[at - 1] == stop_after : plan[at] == stop_after && plan[at + 1] != STEP_SEED;
}

size_t plan_next(const enum step *plan, size_t at, const struct plan_choice *choice)
{
    do {
        bool enough = is_enough(plan, at, choice->stop_after);
        at++;
        while (enough && plan[at] != STEP_IDLE)
            at++;
    } while ((plan[at] == STEP_TEST && choice->no_test) || (plan[at] == STEP_MEET && !choice->group));
    return at;
}

bool plan_undoes_staging(enum wire_verb verb)
{
    return verb == VERB_DEPLOY || verb == VERB_STAGE || verb == VERB_SCHEMA;
}

bool plan_only_looked(const enum step *plan, size_t at)
{
    for (size_t i = 0; i <= at; i++) {
        if (plan[i] != STEP_FIREWALL && plan[i] != STEP_MEMORY && plan[i] != STEP_PARITY && plan[i] != STEP_GATE)
            return false;
    }
    return true;
}

bool plan_needs_journal(enum wire_verb verb)
{
    return verb != VERB_ROLLBACK && verb != VERB_FAILOVER;
}

static void describe_cell(struct text *text, const struct zone_cell *cell)
{
    if (cell->impossible) {
        text_add(text, " |");
        return;
    }
    text_addf(text, " %s", zone_state_name(cell->next));
    for (unsigned bit = 0; bit < sizeof action_names / sizeof *action_names; bit++) {
        if (cell->actions & (1u << bit))
            text_addf(text, "<br>+%s", action_names[bit]);
    }
    text_add(text, " |");
}

static void describe_zones(struct text *text)
{
    text_add(text, "| zone |");
    for (int change = 0; change < ZONE_CHANGES; change++)
        text_addf(text, " %s |", change_names[change]);
    text_add(text, "\n|");
    for (int change = 0; change <= ZONE_CHANGES; change++)
        text_add(text, "---|");
    for (int state = 0; state < ZONE_STATES; state++) {
        text_addf(text, "\n| **%s** |", zone_state_name((enum zone_state)state));
        for (int change = 0; change < ZONE_CHANGES; change++)
            describe_cell(text, &zone_table[state][change]);
    }
    text_add(text, "\n\n");
}

static void describe_plan(struct text *text, const char *name, const char *action, const enum step *plan)
{
    text_addf(text, "\n| **%s%s%s** |", name, action[0] ? " " : "", action);
    for (size_t i = 0; plan[i] != STEP_IDLE; i++)
        text_addf(text, "%s %s", i == 0 ? "" : " →", step_names[plan[i]]);
    text_add(text, " |");
}

static void describe_steps(struct text *text)
{
    text_add(text, "| step |");
    for (int event = 0; event < STEP_EVENTS; event++)
        text_addf(text, " %s |", event_names[event]);
    text_add(text, "\n|");
    for (int event = 0; event <= STEP_EVENTS; event++)
        text_add(text, "---|");
    for (int step = 0; step < STEPS; step++) {
        text_addf(text, "\n| **%s** |", step_names[step]);
        for (int event = 0; event < STEP_EVENTS; event++)
            text_addf(text, " %s |", move_names[step_table[step][event]]);
    }
    text_add(text, "\n\n");
}

void machine_describe(struct text *text)
{
    describe_zones(text);
    describe_steps(text);
    text_add(text, "| verb | plan |\n|---|---|");
    for (int verb = 0; verb < VERBS; verb++) {
        const enum step *plan = plan_of((enum wire_verb)verb);
        if (plan)
            describe_plan(text, verb_name((enum wire_verb)verb), "", plan);
    }
    for (int verb = 0; verb < VERBS; verb++) {
        const enum step *plan = plan_of_hold((enum wire_verb)verb);
        if (plan)
            describe_plan(text, verb_name((enum wire_verb)verb), "with hold", plan);
    }
    describe_plan(text, "a hold that fails", "", hold_back_plan);
    describe_plan(text, "switch --canary", "", canary_plan);
    describe_plan(text, "the way back from it", "", canary_back_plan);
    for (int action = 0; action < WIRE_ACTIONS; action++) {
        const enum step *plan = plan_of_schema((enum wire_action)action);
        if (plan)
            describe_plan(text, verb_name(VERB_SCHEMA), wire_action_name((enum wire_action)action), plan);
    }
    text_add(text, "\n");
}
