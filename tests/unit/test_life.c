/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of an app at random, against the tables: commands, checks, lost zones and crashes in any order, performed by
 * a small executor that does what the tables' actions mean with a kernel and a journal made of variables. After every
 * event the invariants of ARCHITECTURE.md must hold. A sequence that breaks one is made as short as it gets and
 * printed; LIFE_SEED=N repeats it, LIFE_RUNS=N makes more of them.
 */
#include "life_recovery.h"

/* --- events ------------------------------------------------------------------------------------- */

enum event {
    DO_DEPLOY,
    DO_STAGE,
    DO_SWITCH,
    DO_SWITCH_FORCE,
    DO_ROLLBACK,
    DO_ROLLBACK_FORCE,
    DO_REHEARSE,
    DO_TEST,
    DO_ABORT,
    DO_STOP,
    DO_START,
    DO_REMOVE,
    DO_CONTRACT,
    NEEDS_MORE, /* the file is changed: the next release needs more of the schema, or less */
    NEEDS_LESS,
    STEP_GOES_ON, /* what the step waits for has happened */
    STEPS_GO_ON,  /* until the operation has ended */
    STEP_GOES_WRONG,
    STEP_TAKES_LONG,
    BLUE_WELL,
    GREEN_WELL,
    BLUE_SICK,
    GREEN_SICK,
    BLUE_LOST,
    GREEN_LOST,
    DRAIN_ENDS,
    FREEZE,
    BAKE_BREACH, /* the agent's own rollback, and its failover: where it may */
    FAIL_OVER,
    CRASH,
    CRASH_IN,     /* while the next record is written: half of it is there */
    CRASH_BEHIND, /* when the next record has been written */
    COMPACT,
    EVENTS
};

/* What an event is called, and how often it comes, against the others. */
static const struct {
    const char *name;
    unsigned weight;
} kinds[EVENTS] = {
    [DO_DEPLOY] = {"deploy", 10},
    [DO_STAGE] = {"stage", 6},
    [DO_SWITCH] = {"switch", 6},
    [DO_SWITCH_FORCE] = {"switch --force", 1},
    [DO_ROLLBACK] = {"rollback", 6},
    [DO_ROLLBACK_FORCE] = {"rollback --force", 1},
    [DO_REHEARSE] = {"rehearse", 4},
    [DO_TEST] = {"test", 2},
    [DO_ABORT] = {"abort", 2},
    [DO_STOP] = {"stop", 3},
    [DO_START] = {"start", 6},
    [DO_REMOVE] = {"remove", 1},
    [DO_CONTRACT] = {"contract", 4},
    [NEEDS_MORE] = {"needs more", 4},
    [NEEDS_LESS] = {"needs less", 2},
    [STEP_GOES_ON] = {"step done", 30},
    [STEPS_GO_ON] = {"steps done until it has ended", 20},
    [STEP_GOES_WRONG] = {"step failed", 2},
    [STEP_TAKES_LONG] = {"step expired", 1},
    [BLUE_WELL] = {"blue well", 4},
    [GREEN_WELL] = {"green well", 4},
    [BLUE_SICK] = {"blue sick", 2},
    [GREEN_SICK] = {"green sick", 2},
    [BLUE_LOST] = {"blue lost", 1},
    [GREEN_LOST] = {"green lost", 1},
    [DRAIN_ENDS] = {"drained", 5},
    [FREEZE] = {"freeze", 2},
    [BAKE_BREACH] = {"breach", 2},
    [FAIL_OVER] = {"failover", 5},
    [CRASH] = {"crash", 3},
    [CRASH_IN] = {"crash in the next record", 3},
    [CRASH_BEHIND] = {"crash behind the next record", 5},
    [COMPACT] = {"compact", 2},
};

/* --- what always holds --------------------------------------------------------------------------------- */

static bool should_exist(enum zone_state state)
{
    return state != ZONE_ABSENT && state != ZONE_FAILED && state != ZONE_STOPPED;
}

/* What a state that is not recorded is called in the journal. */
static enum zone_state recorded(enum zone_state state)
{
    return state == ZONE_UNHEALTHY ? ZONE_HEALTHY : state == ZONE_STARTING ? ZONE_STAGING : state;
}

static void journal_is_true(void)
{
    const struct folded_app *app = fold_find(&folded, "web");
    if (!app != !world.indexed)
        breaks("the journal %s the app", app ? "still knows" : "does not know");
    if (!app || broken[0])
        return;
    if (app->live != world.live || app->state != world.state)
        breaks("the journal has another zone live, or the app in another state");
    if (app->interrupted != (world.operation.plan != NULL))
        breaks("an operation %s",
               app->interrupted ? "has ended, and the journal does not know" : "is not in the journal");
    for (int colour = 0; colour < COLOURS; colour++) {
        if (recorded(app->zones[colour].state) != recorded(world.zones[colour].state))
            breaks("zone %s is %s and in the journal %s", colour_name((enum colour)colour),
                   zone_state_name(world.zones[colour].state), zone_state_name(app->zones[colour].state));
        if (app->zones[colour].mark != world.zones[colour].mark)
            breaks("zone %s has another mark in the journal", colour_name((enum colour)colour));
    }
}

static void check_invariants(void)
{
    int lives = (world.zones[BLUE].state == ZONE_LIVE) + (world.zones[GREEN].state == ZONE_LIVE);
    if (lives > 1)
        breaks("both zones are live");
    if (world.was_live && !world.withdrawn && world.kernel_live < 0)
        breaks("nothing is live, and nobody asked for that");
    if (world.kernel_live != (world.state == APP_RUNNING && !world.withdrawn ? world.live : -1))
        breaks("the rules do not go to what is live");
    if (world.kernel_live >= 0 && world.zones[world.kernel_live].state != ZONE_LIVE)
        breaks("clients reach a zone that is %s", zone_state_name(world.zones[world.kernel_live].state));
    for (int colour = 0; colour < COLOURS; colour++) {
        const struct zone_model *zone = &world.zones[colour];
        if (zone->exists != should_exist(zone->state))
            breaks("zone %s is %s, and %s", colour_name((enum colour)colour), zone_state_name(zone->state),
                   zone->exists ? "it was left behind" : "nothing of it exists");
    }
    journal_is_true();
    schema_is_right();
}

/* Whatever it waits for comes, or its time is over: no operation lasts for ever. */
static void let_it_end(void)
{
    for (int i = 0; world.operation.plan && i < 40; i++) {
        const enum step *plan = world.operation.plan;
        size_t at = world.operation.at;
        goes_on();
        if (world.operation.plan == plan && world.operation.at == at)
            step_event(EVENT_EXPIRED);
    }
    if (world.operation.plan)
        breaks("%s never ends: it is in step %s", verb_name(world.operation.verb),
               step_name(world.operation.plan[world.operation.at]));
}

/* --- sequences ------------------------------------------------------------------------------------------- */

enum { SEQUENCE_MAX = 120 };

static void happen(enum event event)
{
    bool idle = !world.operation.plan;
    enum colour colour = event == BLUE_WELL || event == BLUE_SICK || event == BLUE_LOST ? BLUE : GREEN;
    switch (event) {
    case DO_DEPLOY: command(VERB_DEPLOY, false); break;
    case DO_STAGE: command(VERB_STAGE, false); break;
    case DO_SWITCH:
    case DO_SWITCH_FORCE: command(VERB_SWITCH, event == DO_SWITCH_FORCE); break;
    case DO_ROLLBACK:
    case DO_ROLLBACK_FORCE: command(VERB_ROLLBACK, event == DO_ROLLBACK_FORCE); break;
    case DO_REHEARSE: command(VERB_REHEARSE, false); break;
    case DO_TEST: command(VERB_TEST, false); break;
    case DO_ABORT: abort_operation(); break;
    case DO_STOP: command(VERB_STOP, false); break;
    case DO_START: command(VERB_START, false); break;
    case DO_REMOVE: command(VERB_REMOVE, true); break;
    case DO_CONTRACT: command(VERB_SCHEMA, false); break;
    case NEEDS_MORE: world.needs++; break;
    case NEEDS_LESS: world.needs -= world.needs > 0; break;
    case STEP_GOES_ON: goes_on(); break;
    case STEPS_GO_ON: let_it_end(); break;
    case STEP_GOES_WRONG: goes_wrong(); break;
    case STEP_TAKES_LONG: step_event(EVENT_EXPIRED); break;
    case BLUE_WELL:
    case GREEN_WELL:
    case BLUE_SICK:
    case GREEN_SICK: check_says(colour, event == BLUE_WELL || event == GREEN_WELL); break;
    case BLUE_LOST:
    case GREEN_LOST: lose(colour); break;
    case DRAIN_ENDS:
    case FREEZE:
        for (int i = 0; idle && i < COLOURS; i++) {
            const struct zone_model *zone = &world.zones[i];
            if (zone->state == (event == FREEZE ? ZONE_STANDBY : ZONE_DRAINING) && !(event == FREEZE && zone->sick))
                change((enum colour)i, event == FREEZE ? CHANGE_FREEZE : CHANGE_DRAINED);
        }
        break;
    case BAKE_BREACH: by_agent(VERB_ROLLBACK); break;
    case FAIL_OVER: by_agent(VERB_FAILOVER); break;
    case CRASH: longjmp(stopped, 1);
    case CRASH_IN:
    case CRASH_BEHIND: crash_at = event == CRASH_IN ? IN_RECORD : BEHIND_RECORD; break;
    case COMPACT: compact(); break;
    case EVENTS: break;
    }
}

/* Until an invariant breaks; how many events that took, or -1. */
static int live_through(const enum event *events, int count)
{
    static volatile int i;
    world = (struct world){.live = -1, .kernel_live = -1};
    journal_length = 0;
    fold_clear(&folded);
    crash_at = NO_CRASH;
    broken[0] = '\0';
    for (i = 0; i <= count; i++) {
        if (setjmp(stopped) == 0) {
            if (i < count)
                happen(events[i]);
            else
                let_it_end();
        } else {
            recover(); /* which may crash, too: then this is entered again */
        }
        if (!broken[0])
            check_invariants();
        if (broken[0])
            return i;
    }
    return -1;
}

/* The same without whatever does not matter. */
static int shorten(enum event *events, int count)
{
    enum event fewer[SEQUENCE_MAX];
    for (int chunk = count / 2; chunk > 0; chunk = chunk > 1 ? chunk / 2 : 0) {
        for (int at = 0; at + chunk <= count;) {
            memcpy(fewer, events, (size_t)at * sizeof *events);
            memcpy(fewer + at, events + at + chunk, (size_t)(count - at - chunk) * sizeof *events);
            if (live_through(fewer, count - chunk) < 0) {
                at += chunk;
                continue;
            }
            count -= chunk;
            memcpy(events, fewer, (size_t)count * sizeof *events);
        }
    }
    return count;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static enum event any_event(uint64_t *random)
{
    unsigned sum = 0;
    int event = 0;
    for (int i = 0; i < EVENTS; i++)
        sum += kinds[i].weight;
    unsigned at = (unsigned)(next_random(random) % sum);
    while (at >= kinds[event].weight)
        at -= kinds[event++].weight;
    return (enum event)event;
}

static void report_and_fail(uint64_t seed, enum event *events, int count)
{
    count = shorten(events, count);
    int at = live_through(events, count);
    print_error("LIFE_SEED=%llu: %s\n", (unsigned long long)seed, broken);
    for (int i = 0; i < count; i++)
        print_error("  %s%s\n", kinds[events[i]].name, i == at ? "   <- here" : "");
    fail_msg("%s, after the %d events above", broken, count);
}

static unsigned long number_from(const char *variable, unsigned long otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoul(text, NULL, 10) : otherwise;
}

static void any_sequence_keeps_the_invariants(void **state)
{
    enum event events[SEQUENCE_MAX];
    unsigned long seed = number_from("LIFE_SEED", 0), runs = seed ? 1 : number_from("LIFE_RUNS", 10000);
    for (unsigned long run = 1; run <= runs; run++) {
        uint64_t random = (seed ? seed : run) * 0x9E3779B97F4A7C15u;
        for (int i = 0; i < SEQUENCE_MAX; i++)
            events[i] = any_event(&random);
        int at = live_through(events, SEQUENCE_MAX);
        if (at >= 0)
            report_and_fail(seed ? seed : run, events, at < SEQUENCE_MAX ? at + 1 : SEQUENCE_MAX);
    }
    for (int verb = 0; verb < VERBS && !seed; verb++) {
        if (!plan_of((enum wire_verb)verb) && verb != VERB_SCHEMA)
            continue;
        assert_true(seen.done[verb] > 20);
        assert_true(seen.recovered[verb] > 20);
    }
    free(journal);
    fold_clear(&folded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_sequence_keeps_the_invariants)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
