/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of the control channel: which requests and which messages pass. */
#include "model/feed_wire.h"
#include "model/wire.h"

#include "base/text.h"
#include "model/machine.h"
#include "model/wire_answers.h"
#include "model/wire_any.h"
#include "model/wire_command.h"
#include "model/wire_feed.h"
#include "model/wire_status.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct wire_request request(enum wire_verb verb, const char *app, const char *release)
{
    struct wire_request made = {.header = {.type = WIRE_REQUEST, .version = WIRE_VERSION, .length = sizeof made},
                                .verb = verb};
    assert_true(text_copy(made.app, sizeof made.app, app));
    assert_true(text_copy(made.release, sizeof made.release, release));
    return made;
}

static void check(const struct wire_request *request, const char *reason)
{
    struct error err = {0};
    bool valid = wire_request_valid(request, sizeof *request, &err);
    assert_int_equal(valid, reason == NULL);
    if (reason && !strstr(err.text, reason))
        fail_msg("\"%s\" does not say \"%s\"", err.text, reason);
}

static void test_names(void **state)
{
    static const char *const names[] = {"status",   "history",  "version",     "reload",  "deploy", "stage",
                                        "switch",   "rollback", "abort",       "drain",   "stop",   "start",
                                        "remove",   "exec",     "test",        "finish",  "attach", "rehearse",
                                        "failover", "logs",     "schema",      "release", "diff",   "lock",
                                        "unlock",   "wait",     "connections", "doctor",  "feed"};
    assert_int_equal(COUNT(names), VERBS);
    for (unsigned i = 0; i < VERBS; i++) {
        assert_string_equal(verb_name((enum wire_verb)i), names[i]);
        assert_int_equal(verb_changes((enum wire_verb)i), i > VERB_VERSION && i != VERB_ATTACH && i != VERB_WAIT);
    }
    assert_string_equal(verb_name(VERBS), "unknown");
    assert_true(verb_changes(VERBS)); /* when in doubt, rights are needed */
    assert_string_equal(app_state_name(APP_EMPTY), "empty");
    assert_string_equal(app_state_name(APP_RUNNING), "running");
    assert_string_equal(app_state_name(APP_STOPPED), "stopped");
    assert_string_equal(app_state_name((enum app_state)9), "unknown");
}

/* Each verb with and without each name. */
static void test_what_a_verb_takes(void **state)
{
    enum { NONE, OPTIONAL, REQUIRED };
    static const struct {
        int app, release;
    } takes[VERBS] = {
        [VERB_STATUS] = {OPTIONAL, NONE}, [VERB_HISTORY] = {OPTIONAL, OPTIONAL}, [VERB_VERSION] = {NONE, NONE},
        [VERB_RELOAD] = {NONE, NONE},     [VERB_DEPLOY] = {REQUIRED, REQUIRED},  [VERB_STAGE] = {REQUIRED, REQUIRED},
        [VERB_SWITCH] = {REQUIRED, NONE}, [VERB_ROLLBACK] = {REQUIRED, NONE},    [VERB_ABORT] = {REQUIRED, NONE},
        [VERB_DRAIN] = {REQUIRED, NONE},  [VERB_STOP] = {REQUIRED, NONE},        [VERB_START] = {REQUIRED, NONE},
        [VERB_REMOVE] = {REQUIRED, NONE}, [VERB_LOGS] = {REQUIRED, NONE},        [VERB_TEST] = {REQUIRED, NONE},
        [VERB_FINISH] = {REQUIRED, NONE}, [VERB_ATTACH] = {REQUIRED, NONE},      [VERB_REHEARSE] = {REQUIRED, NONE},
        [VERB_DIFF] = {REQUIRED, NONE},   [VERB_UNLOCK] = {REQUIRED, NONE},      [VERB_CONNECTIONS] = {REQUIRED, NONE},
        [VERB_DOCTOR] = {OPTIONAL, NONE},
    };
    for (unsigned verb = 0; verb < VERBS; verb++) {
        if (verb == VERB_EXEC || verb == VERB_FAILOVER)
            continue; /* is a command, not a request; is the agent's own */
        if (verb == VERB_SCHEMA || verb == VERB_RELEASE || verb == VERB_LOCK || verb == VERB_WAIT || verb == VERB_FEED)
            continue; /* below: they take more */
        for (int app = 0; app < 2; app++) {
            for (int release = 0; release < 2; release++) {
                struct wire_request made = request((enum wire_verb)verb, app ? "web" : "", release ? "v1" : "");
                bool app_fits = app ? takes[verb].app != NONE : takes[verb].app != REQUIRED;
                bool release_fits = release ? takes[verb].release != NONE : takes[verb].release != REQUIRED;
                struct error err = {0};
                assert_int_equal(wire_request_valid(&made, sizeof made, &err), app_fits && release_fits);
            }
        }
    }
}

/* Only the history has one, and nothing in it that means nothing. */
static void test_filters(void **state)
{
    struct wire_request made = request(VERB_HISTORY, "web", "v2");
    check(&made, NULL);
    made.filter = (struct wire_filter){.since_unix_ms = 5, .until_unix_ms = 6, .sequence = UINT64_MAX, .failed = 1};
    check(&made, NULL);
    made.filter.verb = VERBS;
    check(&made, NULL);
    made.filter.verb = VERBS + 1;
    check(&made, "malformed");
    made.filter.verb = WIRE_VERB_SERVED;
    check(&made, NULL);
    made.filter.incidents = 2;
    check(&made, NULL);
    made.filter.incidents = 1;
    check(&made, "one or the other");
    made.filter.verb = WIRE_ANY_VERB;
    check(&made, NULL);
    made.filter.incidents = 3;
    check(&made, "malformed");
    made.filter = (struct wire_filter){.failed = 2};
    check(&made, "malformed");
    made.filter = (struct wire_filter){.hooks = 2};
    check(&made, "malformed");
    made.filter = (struct wire_filter){.reserved = {[3] = 1}};
    check(&made, "malformed");
    made.filter = (struct wire_filter){.since_unix_ms = 6, .until_unix_ms = 6};
    check(&made, "later than since");
    made.filter = (struct wire_filter){.hooks = 1};
    made.limit = WIRE_WHOLE_MAX;
    check(&made, NULL);
    made.limit++;
    check(&made, "at most 50 entries with");
    made = request(VERB_STATUS, "web", "");
    made.filter.failed = 1;
    check(&made, "takes no limit and no filter");
}

/* What the verbs with actions and texts must and must not carry. */
static void test_actions_and_texts(void **state)
{
    struct wire_request made = request(VERB_SCHEMA, "web", "");
    check(&made, "what of it");
    made.action = WIRE_SCHEMA_CONTRACT;
    check(&made, NULL);
    made.action = WIRE_RELEASE_LIST;
    check(&made, "what of it");
    made.action = WIRE_ACTIONS;
    check(&made, "malformed");
    made = request(VERB_STOP, "web", "");
    made.action = WIRE_SCHEMA_STATUS;
    check(&made, "has no actions");
    made = request(VERB_SCHEMA, "web", "v2");
    made.action = WIRE_SCHEMA_EXPAND;
    check(&made, NULL);
    made.action = WIRE_SCHEMA_REVERT;
    check(&made, "only expand does");
    made = request(VERB_RELEASE, "web", "");
    made.action = WIRE_RELEASE_FETCH;
    check(&made, "needs a release");
    made = request(VERB_RELEASE, "web", "v1");
    made.action = WIRE_RELEASE_FETCH;
    check(&made, NULL);
    made.action = WIRE_RELEASE_PRUNE;
    check(&made, "takes no release");
    made = request(VERB_LOCK, "web", "");
    check(&made, "needs a reason");
    text_copy(made.text, sizeof made.text, "moving the host");
    check(&made, NULL);
    text_copy(made.text, sizeof made.text, "two\nlines");
    check(&made, "one line");
    text_copy(made.text, sizeof made.text, "\x1b[2J");
    check(&made, "one line");
    memset(made.text, 'a', sizeof made.text);
    check(&made, "malformed");
    made = request(VERB_SWITCH, "web", "");
    made.text[0] = 'a';
    check(&made, "takes no text");
}

static void test_feed(void **state)
{
    for (unsigned action = WIRE_FEED_STATUS; action <= WIRE_FEED_VERIFY; action++) {
        bool one = action == WIRE_FEED_SKIP || action == WIRE_FEED_APPLY;
        struct wire_request made = request(VERB_FEED, "web", "");
        made.action = (uint8_t)action;
        check(&made, one ? "needs the number of a transaction" : NULL);
        made.sequence = UINT64_MAX;
        check(&made, one ? NULL : "takes no number of a transaction");
    }
    struct wire_request made = request(VERB_FEED, "web", "");
    check(&made, "what of it?");
    made = request(VERB_FEED, "", "");
    made.action = WIRE_FEED_STATUS;
    check(&made, "feed needs app");
    made = request(VERB_FEED, "web", "v1");
    made.action = WIRE_FEED_STATUS;
    check(&made, "takes no release");
    made = request(VERB_FEED, "web", "");
    made.action = WIRE_SCHEMA_STATUS;
    check(&made, "what of it?");
    made = request(VERB_STATUS, "web", "");
    made.sequence = 1;
    check(&made, "takes no number of a transaction");
}

static void test_lose(void **state)
{
    for (unsigned verb = 0; verb < VERBS; verb++) {
        bool takes = verb == VERB_DEPLOY || verb == VERB_SWITCH || verb == VERB_ROLLBACK;
        struct wire_request made = request((enum wire_verb)verb, "web", verb == VERB_DEPLOY ? "v1" : "");
        made.lose = 7;
        struct error err = {0};
        assert_int_equal(wire_request_valid(&made, sizeof made, &err), takes);
    }
    struct wire_request made = request(VERB_SWITCH, "web", "");
    made.lose = 1;
    made.canary = 10;
    check(&made, "nothing to lose");
}

/* The figures of a feed role, as they are passed on. */
static void test_figures(void **state)
{
    const struct feed feed = {.mode = FEED_STREAM, .journal_max = 1ull << 30};
    struct feed_figures figures = {.state = FEED_STATE_BEHIND,
                                   .live = GREEN,
                                   .committed = 12041,
                                   .applied = {12007, UINT64_MAX},
                                   .behind = 34,
                                   .behind_ms = 2190,
                                   .fed = 7,
                                   .connections = {1, 2}};
    struct wire_feed wire;
    char text[WIRE_FEED_TEXT_MAX + 1];
    wire_feed_fill(&feed, &figures, &wire);
    assert_string_equal(wire_feed_text(&wire, text), "behind 34 (2.1 s)");
    assert_true(wire_feed_is_backup(&wire));
    assert_int_equal(wire.live, GREEN);
    assert_int_equal(wire.mode, FEED_STREAM);
    assert_true(wire.applied[BLUE] == 12007 && wire.applied[GREEN] == UINT64_MAX && wire.connections[GREEN] == 2);
    assert_true(wire.journal_max == 1ull << 30 && wire.fed == 7);
    figures.state = FEED_STATE_IN_STEP;
    wire_feed_fill(&feed, &figures, &wire);
    assert_string_equal(wire_feed_text(&wire, text), "in step, 12041 transactions");
    assert_true(wire_feed_is_backup(&wire));
    figures.state = FEED_STATE_BROKEN;
    figures.lost = 3;
    memset(figures.reason, 'x', FEED_TEXT_MAX);
    wire_feed_fill(&feed, &figures, &wire);
    wire_feed_text(&wire, text);
    assert_true(text_starts_with(text, "broken: xxx") && strstr(text, "x, 3 lost"));
    for (unsigned i = 0; i < FEED_STATES; i++) {
        wire.state = (uint8_t)i;
        assert_int_equal(wire_feed_is_backup(&wire), i == FEED_STATE_IN_STEP || i == FEED_STATE_BEHIND);
    }
    wire.state = FEED_STATE_IN_STEP;
    wire.alone = true; /* with nobody in the other zone there is no backup */
    assert_false(wire_feed_is_backup(&wire));
}

static void test_feed_items(void **state)
{
    struct feed_item item = {.kind = FEED_ITEM_LOST,
                             .zone = BLUE,
                             .sequence = 5,
                             .unix_ms = 6,
                             .status_live = 201,
                             .request = "POST /a",
                             .live = "one",
                             .other = "two"};
    struct wire_feed_item wire = {.header = {.type = WIRE_FEED_ITEM, .client = 9}};
    wire_feed_item_fill(&item, &wire);
    assert_int_equal(wire.header.client, 9);
    assert_true(wire.kind == FEED_ITEM_LOST && wire.zone == BLUE && wire.sequence == 5 && wire.unix_ms == 6);
    assert_true(wire.status_live == 201 && wire.status_other == 0);
    assert_string_equal(wire.request, "POST /a");
    assert_string_equal(wire.live, "one");
    assert_string_equal(wire.other, "two");
}

static void test_action_names(void **state)
{
    for (unsigned i = WIRE_ACTION_NONE + 1; i < WIRE_ACTIONS; i++) {
        enum wire_verb verb = i < WIRE_RELEASE_LIST ? VERB_SCHEMA : i < WIRE_FEED_STATUS ? VERB_RELEASE : VERB_FEED;
        enum wire_action action = WIRE_ACTION_NONE;
        assert_true(wire_action_parse(verb, wire_action_name((enum wire_action)i), &action));
        assert_int_equal(action, i);
        assert_false(wire_action_parse(VERB_DEPLOY, wire_action_name((enum wire_action)i), &action));
    }
    enum wire_action action;
    assert_string_equal(wire_action_name(WIRE_ACTIONS), "");
    assert_false(wire_action_parse(VERB_SCHEMA, "", &action));
}

/* Each flag where it means nothing. */
static void test_flags_out_of_place(void **state)
{
    static const struct {
        enum wire_verb verb;
        uint32_t flag;
        const char *reason;
    } wrong[] = {
        {VERB_START, WIRE_PAST_CONTRACT, "contracted schema"}, {VERB_DEPLOY, WIRE_GROUP, "not for a group"},
        {VERB_ATTACH, WIRE_QUEUE, "does not wait its turn"},   {VERB_SWITCH, WIRE_NO_TEST, "no test to leave out"},
        {VERB_LOCK, WIRE_FORCE, "cannot be forced"},
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct wire_request made = request(wrong[i].verb, "web", wrong[i].verb <= VERB_STAGE ? "v1" : "");
        text_copy(made.text, sizeof made.text, wrong[i].verb == VERB_LOCK ? "why" : "");
        made.flags = wrong[i].flag;
        check(&made, wrong[i].reason);
    }
    struct wire_request group = request(VERB_SWITCH, "shop", "");
    group.flags = WIRE_GROUP | WIRE_QUEUE | WIRE_FORCE | WIRE_PAST_CONTRACT;
    check(&group, NULL);
}

static struct wire_request canary(enum wire_verb verb, uint8_t percent, uint8_t sticky)
{
    struct wire_request made = request(verb, "web", verb <= VERB_STAGE ? "v1" : "");
    made.canary = percent;
    made.sticky = sticky;
    return made;
}

static void test_canary(void **state)
{
    struct wire_request made = canary(VERB_SWITCH, 1, 0);
    check(&made, NULL);
    made = canary(VERB_SWITCH, 99, 1);
    check(&made, NULL);
    made = canary(VERB_SWITCH, 100, 0);
    check(&made, "a canary's share is 1% to 99%");
    made = canary(VERB_SWITCH, 255, 0);
    check(&made, "a canary's share is 1% to 99%");
    made = canary(VERB_SWITCH, 0, 1);
    check(&made, "only a canary's clients can be told to stay");
    made = canary(VERB_SWITCH, 10, 2);
    check(&made, "malformed request");
    made = canary(VERB_DEPLOY, 10, 0);
    check(&made, "deploy has no canary; only switch has");
    made = canary(VERB_ROLLBACK, 10, 0);
    check(&made, "rollback has no canary; only switch has");
    made = canary(VERB_SWITCH, 10, 0);
    made.flags = WIRE_GROUP;
    check(&made, "a group moves as a whole");
}

static void test_hostile_names(void **state)
{
    static const char *const apps[] = {"Web", "../etc", "web/blue", "w b", "web\n", "\x1b[2J", "9web"};
    static const char *const releases[] = {"..", ".v1", "-v1", "a/b", "a b", "v1\n", "%r", "\xff"};
    for (size_t i = 0; i < COUNT(apps); i++) {
        struct wire_request made = request(VERB_DEPLOY, apps[i], "v1");
        check(&made, "is not a valid app name");
    }
    for (size_t i = 0; i < COUNT(releases); i++) {
        struct wire_request made = request(VERB_DEPLOY, "web", releases[i]);
        check(&made, "is not a valid release name");
    }
    struct wire_request escape = request(VERB_STATUS, "\x1b[2J", "");
    struct error err = {0};
    assert_false(wire_request_valid(&escape, sizeof escape, &err));
    assert_null(strchr(err.text, '\x1b')); /* the reason is shown to people */
}

static void test_unterminated_names(void **state)
{
    struct wire_request made = request(VERB_DEPLOY, "web", "v1");
    memset(made.app, 'a', sizeof made.app);
    check(&made, "malformed");
    made = request(VERB_DEPLOY, "web", "v1");
    memset(made.release, 'a', sizeof made.release);
    check(&made, "malformed");
    made.release[RELEASE_NAME_MAX] = '\0';
    check(&made, NULL);
    memset(made.release, 'a', RELEASE_NAME_MAX + 1); /* terminated, but one too long */
    made.release[RELEASE_NAME_MAX + 1] = '\0';
    check(&made, "is not a valid release name");
}

static void test_numbers_out_of_range(void **state)
{
    struct wire_request made = request(VERB_STATUS, "", "");
    check(&made, NULL);
    made.verb = VERBS;
    check(&made, "malformed");
    made.verb = UINT32_MAX;
    check(&made, "malformed");
    made = request(VERB_SWITCH, "web", "");
    made.flags = WIRE_FORCE;
    check(&made, NULL);
    made.flags = WIRE_FORCE | 0x20;
    check(&made, "malformed");
    made = request(VERB_SWITCH, "web", "");
    made.zone = 1;
    check(&made, "malformed");
    made = request(VERB_SWITCH, "web", "");
    made.limit = 1;
    check(&made, "takes no limit");
    made = request(VERB_HISTORY, "", "");
    made.limit = WIRE_HISTORY_MAX;
    check(&made, NULL);
    made.limit = WIRE_HISTORY_MAX + 1;
    check(&made, "at most");
    made = request(VERB_STATUS, "", "");
    made.flags = WIRE_FORCE;
    check(&made, "cannot be forced");
}

static void test_steps_of_a_deploy(void **state)
{
    struct wire_request made = request(VERB_DEPLOY, "web", "v1");
    made.flags = WIRE_FORCE | WIRE_NO_TEST;
    check(&made, NULL);
    made.stop_after = STEP_HEALTH;
    check(&made, NULL);
    made.stop_after = STEP_TEST;
    check(&made, "without its test");
    made.flags = 0;
    check(&made, NULL);
    for (unsigned step = 1; step <= UINT8_MAX; step++) {
        made.stop_after = (uint8_t)step;
        if (step != STEP_HEALTH && step != STEP_TEST)
            check(&made, "health or test");
    }
    made.stop_after = 0;
    for (size_t i = 0; i < sizeof made.reserved; i++) {
        made.reserved[i] = 1;
        check(&made, "malformed");
        made.reserved[i] = 0;
    }
    made = request(VERB_STAGE, "web", "v1");
    made.flags = WIRE_NO_TEST;
    check(&made, "stage has no test to leave out");
    made.flags = 0;
    made.stop_after = STEP_HEALTH;
    check(&made, "stage cannot be stopped after a step");
    made = request(VERB_FAILOVER, "web", "");
    check(&made, "the agent's own");
    made = request(VERB_TEST, "web", "");
    made.flags = WIRE_FORCE;
    check(&made, NULL);
    static const enum wire_verb unforced[] = {VERB_FINISH, VERB_ATTACH, VERB_REHEARSE};
    for (size_t i = 0; i < COUNT(unforced); i++) {
        made = request(unforced[i], "web", "");
        check(&made, NULL);
        made.flags = WIRE_FORCE;
        check(&made, "cannot be forced");
    }
}

static void test_zone(void **state)
{
    struct wire_request made = request(VERB_LOGS, "web", "");
    for (uint32_t zone = 0; zone <= COLOURS; zone++) {
        made.zone = zone;
        check(&made, NULL);
    }
    made.zone = COLOURS + 1;
    check(&made, "malformed");
    made.zone = UINT32_MAX;
    check(&made, "malformed");
    made = request(VERB_STATUS, "web", "");
    made.zone = 1;
    check(&made, "malformed");
    made = request(VERB_EXEC, "web", "");
    check(&made, "malformed");
}

/* --- commands --------------------------------------------------------------------------------------------- */

static struct wire_command *new_command(const char *app, const char *words, size_t length, uint32_t count)
{
    struct wire_command *made = calloc(1, sizeof *made);
    assert_non_null(made);
    made->header =
        (struct wire_header){.type = WIRE_COMMAND, .version = WIRE_VERSION, .length = (uint32_t)sizeof *made};
    made->zone = WIRE_ZONE_LIVE;
    made->argument_count = count;
    made->arguments_length = (uint32_t)length;
    memcpy(made->arguments, words, length);
    text_copy(made->app, sizeof made->app, app);
    return made;
}

#define COMMAND(words, count) new_command("web", words, sizeof(words), count)

/* Checks and frees it. */
static void check_command(struct wire_command *command, const char *reason)
{
    struct error err = {0};
    assert_int_equal(wire_command_valid(command, sizeof *command, &err), reason == NULL);
    if (reason && !strstr(err.text, reason))
        fail_msg("\"%s\" does not say \"%s\"", err.text, reason);
    free(command);
}

static void test_commands(void **state)
{
    check_command(COMMAND("ls", 1), NULL);
    check_command(COMMAND("ls\0-l\0", 3), NULL); /* the last word is empty */
    check_command(COMMAND("ls\0-l", 1), "needs a command");
    check_command(COMMAND("ls\0-l", 3), "needs a command");
    check_command(COMMAND("ls", 0), "needs a command");
    check_command(COMMAND("", 1), "needs a command");
    check_command(COMMAND("\0ls", 2), "needs a command");
    check_command(new_command("web", "ls", 2, 1), "needs a command"); /* does not end */
    check_command(new_command("web", "", 0, 0), "needs a command");
    check_command(new_command("", "ls", 3, 1), "needs app");
    check_command(new_command("../etc", "ls", 3, 1), "is not a valid app name");
    char *many = calloc(1, WIRE_ARGUMENTS_MAX);
    assert_non_null(many);
    memset(many, 'x', WIRE_ARGUMENTS_MAX - 1);
    check_command(new_command("web", many, WIRE_ARGUMENTS_MAX, 1), NULL);
    memset(many + 1, 0, WIRE_ARGUMENTS_MAX - 1);
    check_command(new_command("web", many, WIRE_ARGUMENT_COUNT + 1, WIRE_ARGUMENT_COUNT), NULL);
    check_command(new_command("web", many, WIRE_ARGUMENT_COUNT + 2, WIRE_ARGUMENT_COUNT + 1), "needs a command");
    free(many);
    struct wire_command *made = COMMAND("ls", 1);
    made->arguments_length = WIRE_ARGUMENTS_MAX + 1;
    check_command(made, "needs a command");
    made = COMMAND("ls", 1);
    made->arguments_length = UINT32_MAX;
    check_command(made, "needs a command");
}

static void test_command_fields(void **state)
{
    static const char *const terms[] = {"xterm-256color", "a", "tmux.x_y+z", NULL};
    static const char *const no_terms[] = {"", "x y", "x/y", "x=y", "x\n", NULL};
    struct wire_command *made;
    for (int i = 0; terms[i]; i++) {
        made = COMMAND("ls", 1);
        made->terminal = 1;
        text_copy(made->term, sizeof made->term, terms[i]);
        check_command(made, NULL);
        made = COMMAND("ls", 1); /* a type without a terminal */
        text_copy(made->term, sizeof made->term, terms[i]);
        check_command(made, "malformed");
    }
    for (int i = 0; no_terms[i]; i++) {
        made = COMMAND("ls", 1);
        made->terminal = 1;
        text_copy(made->term, sizeof made->term, no_terms[i]);
        check_command(made, "malformed");
    }
    for (unsigned zone = 0; zone <= UINT8_MAX; zone++) {
        made = COMMAND("ls", 1);
        made->zone = (uint8_t)zone;
        check_command(made, zone < COLOURS || zone == WIRE_ZONE_LIVE ? NULL : "malformed");
    }
    made = COMMAND("ls", 1);
    made->terminal = 2;
    check_command(made, "malformed");
    made = COMMAND("ls", 1);
    made->merge = 1;
    check_command(made, NULL);
    made = COMMAND("ls", 1);
    made->merge = 2;
    check_command(made, "malformed");
    for (int field = 0; field < 2; field++) { /* a size without a terminal */
        made = COMMAND("ls", 1);
        *(field ? &made->rows : &made->columns) = 24;
        check_command(made, "malformed");
    }
    made = COMMAND("ls", 1);
    memset(made->app, 'a', sizeof made->app);
    check_command(made, "malformed");
    made = COMMAND("ls", 1);
    made->terminal = 1;
    memset(made->term, 'a', sizeof made->term);
    check_command(made, "malformed");
    made = COMMAND("ls", 1);
    made->reserved = 1;
    check_command(made, "malformed");
    made = COMMAND("ls", 1);
    made->header.type = WIRE_REQUEST;
    check_command(made, "malformed");
    made = COMMAND("ls", 1);
    assert_false(wire_command_valid(made, sizeof *made - 1, NULL));
    assert_false(wire_command_valid(made, sizeof(struct wire_request), NULL));
    free(made);
}

static void test_headers(void **state)
{
    struct wire_request made = request(VERB_STATUS, "", "");
    assert_false(wire_request_valid(&made, sizeof made - 1, NULL));
    assert_false(wire_request_valid(&made, 0, NULL));
    made.header.length--;
    check(&made, "malformed");
    made = request(VERB_STATUS, "", "");
    made.header.version++;
    check(&made, "malformed");
    made = request(VERB_STATUS, "", "");
    made.header.type = WIRE_CLIENT;
    check(&made, "malformed");
}

/* Every type at its size, one less and one more; every other type at every size of a known one. */
static void test_message_sizes(void **state)
{
    static const struct {
        uint16_t type;
        size_t size;
    } known[] = {
        {WIRE_CLIENT, sizeof(struct wire_client)},     {WIRE_STATUS, sizeof(struct wire_status)},
        {WIRE_PROGRESS, sizeof(struct wire_progress)}, {WIRE_HISTORY, sizeof(struct wire_history)},
        {WIRE_RECEIPT, sizeof(struct wire_receipt)},   {WIRE_END, sizeof(struct wire_end)},
        {WIRE_FILES, sizeof(struct wire_files)},       {WIRE_EXIT, sizeof(struct wire_exited)},
        {WIRE_REQUEST, sizeof(struct wire_request)},   {WIRE_GONE, sizeof(struct wire_header)},
        {WIRE_COMMAND, sizeof(struct wire_command)},   {WIRE_STDIO, sizeof(struct wire_stdio)},
        {WIRE_PING, sizeof(struct wire_header)},       {WIRE_PONG, sizeof(struct wire_header)},
    };
    char *buffer = calloc(1, WIRE_MESSAGE_MAX + 2);
    char *message = buffer + 1; /* not aligned on purpose */
    assert_non_null(buffer);
    for (size_t i = 0; i < COUNT(known); i++) {
        for (int off = -1; off <= 1; off++) {
            size_t length = known[i].size + (size_t)off;
            struct wire_header header = {.type = known[i].type, .version = WIRE_VERSION, .length = (uint32_t)length};
            memcpy(message, &header, sizeof header);
            assert_int_equal(wire_message_valid(message, length), off == 0);
            assert_false(wire_message_valid(message, length + 1));
        }
        assert_true(known[i].size <= WIRE_MESSAGE_MAX);
    }
    for (unsigned type = 0; type <= UINT16_MAX; type++) {
        bool is_known = (type >= WIRE_CLIENT && type <= WIRE_PING) || (type >= WIRE_REQUEST && type <= WIRE_PONG);
        bool is_bare = type == WIRE_GONE || type == WIRE_PING || type == WIRE_PONG;
        struct wire_header header = {.type = (uint16_t)type, .version = WIRE_VERSION, .length = sizeof header};
        memcpy(message, &header, sizeof header);
        assert_int_equal(wire_message_valid(message, sizeof header), is_known && is_bare);
        assert_false(wire_message_valid(message, 0));
    }
    assert_false(wire_message_valid(message, sizeof(struct wire_header) - 1));
    free(buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_what_a_verb_takes),
        cmocka_unit_test(test_actions_and_texts),
        cmocka_unit_test(test_action_names),
        cmocka_unit_test(test_feed),
        cmocka_unit_test(test_lose),
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_feed_items),
        cmocka_unit_test(test_flags_out_of_place),
        cmocka_unit_test(test_canary),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_unterminated_names),
        cmocka_unit_test(test_numbers_out_of_range),
        cmocka_unit_test(test_steps_of_a_deploy),
        cmocka_unit_test(test_zone),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_command_fields),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_message_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
