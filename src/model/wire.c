/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between the monitor and its api role: their names, and what makes one acceptable. */
#include "model/wire.h"

#include "base/text.h"
#include "model/history.h"
#include "model/machine.h"
#include "model/wire_answers.h"
#include "model/wire_any.h"
#include "model/wire_command.h"
#include "model/wire_feed.h"
#include "model/wire_status.h"

#include <errno.h>
#include <string.h>

/* What a request of each verb must and may carry. */
enum need { NONE, OPTIONAL, REQUIRED };
enum { FORCE = WIRE_FORCE, QUEUE = WIRE_QUEUE, KNOWN_FLAGS = 0x1f };

static const struct {
    const char *name;
    enum need app, release, text;
    bool operator_only, limit;
    uint32_t flags; /* that it may have */
} verbs[VERBS] = {
    [VERB_STATUS] = {"status", OPTIONAL, NONE, NONE, false, false, 0},
    [VERB_HISTORY] = {"history", OPTIONAL, OPTIONAL, NONE, false, true, 0},
    [VERB_VERSION] = {"version", NONE, NONE, NONE, false, false, 0},
    [VERB_RELOAD] = {"reload", NONE, NONE, NONE, true, false, 0},
    [VERB_DEPLOY] = {"deploy", REQUIRED, REQUIRED, NONE, true, false,
                     FORCE | WIRE_NO_TEST | QUEUE | WIRE_PAST_CONTRACT},
    [VERB_STAGE] = {"stage", REQUIRED, REQUIRED, NONE, true, false, FORCE | QUEUE | WIRE_PAST_CONTRACT},
    [VERB_SWITCH] = {"switch", REQUIRED, NONE, NONE, true, false, FORCE | QUEUE | WIRE_PAST_CONTRACT | WIRE_GROUP},
    [VERB_ROLLBACK] = {"rollback", REQUIRED, NONE, NONE, true, false, FORCE | QUEUE | WIRE_PAST_CONTRACT | WIRE_GROUP},
    [VERB_ABORT] = {"abort", REQUIRED, NONE, NONE, true, false, FORCE},
    [VERB_DRAIN] = {"drain", REQUIRED, NONE, NONE, true, false, FORCE},
    [VERB_STOP] = {"stop", REQUIRED, NONE, NONE, true, false, FORCE | QUEUE},
    [VERB_START] = {"start", REQUIRED, NONE, NONE, true, false, FORCE | QUEUE},
    [VERB_REMOVE] = {"remove", REQUIRED, NONE, NONE, true, false, FORCE | QUEUE},
    [VERB_EXEC] = {"exec", REQUIRED, NONE, NONE, true, false, 0},
    [VERB_TEST] = {"test", REQUIRED, NONE, NONE, true, false, FORCE | QUEUE},
    [VERB_FINISH] = {"finish", REQUIRED, NONE, NONE, true, false, 0},
    [VERB_ATTACH] = {"attach", REQUIRED, NONE, NONE, false, false, 0},
    [VERB_REHEARSE] = {"rehearse", REQUIRED, NONE, NONE, true, false, QUEUE},
    [VERB_FAILOVER] = {"failover", REQUIRED, NONE, NONE, true, false, 0},
    [VERB_LOGS] = {"logs", REQUIRED, NONE, NONE, true, false, 0},
    [VERB_SCHEMA] = {"schema", REQUIRED, OPTIONAL, NONE, true, false, FORCE | QUEUE},
    [VERB_RELEASE] = {"release", REQUIRED, OPTIONAL, NONE, true, false, 0},
    [VERB_DIFF] = {"diff", REQUIRED, NONE, NONE, true, false, 0},
    [VERB_LOCK] = {"lock", REQUIRED, NONE, REQUIRED, true, false, 0},
    [VERB_UNLOCK] = {"unlock", REQUIRED, NONE, NONE, true, false, 0},
    [VERB_WAIT] = {"wait", REQUIRED, NONE, REQUIRED, false, false, 0},
    [VERB_CONNECTIONS] = {"connections", REQUIRED, NONE, NONE, true, true, 0},
    [VERB_DOCTOR] = {"doctor", OPTIONAL, NONE, NONE, true, false, 0},
    [VERB_FEED] = {"feed", REQUIRED, NONE, NONE, true, false, 0},
};

static const struct {
    const char *name;
    enum wire_verb verb;
} actions[WIRE_ACTIONS] = {
    [WIRE_ACTION_NONE] = {"", VERBS},
    [WIRE_SCHEMA_STATUS] = {"status", VERB_SCHEMA},
    [WIRE_SCHEMA_EXPAND] = {"expand", VERB_SCHEMA},
    [WIRE_SCHEMA_CHECK] = {"check", VERB_SCHEMA},
    [WIRE_SCHEMA_CONTRACT] = {"contract", VERB_SCHEMA},
    [WIRE_SCHEMA_REVERT] = {"revert", VERB_SCHEMA},
    [WIRE_RELEASE_LIST] = {"list", VERB_RELEASE},
    [WIRE_RELEASE_FETCH] = {"fetch", VERB_RELEASE},
    [WIRE_RELEASE_PRUNE] = {"prune", VERB_RELEASE},
    [WIRE_FEED_STATUS] = {"status", VERB_FEED},
    [WIRE_FEED_PAUSE] = {"pause", VERB_FEED},
    [WIRE_FEED_RESUME] = {"resume", VERB_FEED},
    [WIRE_FEED_SEED] = {"seed", VERB_FEED},
    [WIRE_FEED_DIFF] = {"diff", VERB_FEED},
    [WIRE_FEED_SKIP] = {"skip", VERB_FEED},
    [WIRE_FEED_APPLY] = {"apply", VERB_FEED},
    [WIRE_FEED_VERIFY] = {"verify", VERB_FEED},
};

const char *wire_action_name(enum wire_action action)
{
    return (unsigned)action < WIRE_ACTIONS ? actions[action].name : "";
}

bool wire_action_parse(enum wire_verb verb, const char *name, enum wire_action *action)
{
    for (unsigned i = WIRE_ACTION_NONE + 1; i < WIRE_ACTIONS; i++) {
        if (actions[i].verb == verb && strcmp(actions[i].name, name) == 0) {
            *action = (enum wire_action)i;
            return true;
        }
    }
    return false;
}

const char *verb_name(enum wire_verb verb)
{
    return (unsigned)verb < VERBS ? verbs[verb].name : "unknown";
}

bool verb_changes(enum wire_verb verb)
{
    return (unsigned)verb >= VERBS || verbs[verb].operator_only;
}

static bool terminated(const char *string, size_t size)
{
    return memchr(string, '\0', size) != NULL;
}

/* A field that is there for the layout only says nothing, so that it may say something one day. */
static bool all_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static bool request_shape_valid(const struct wire_request *request, size_t length)
{
    bool zoned = length == sizeof *request && (request->verb == VERB_LOGS || request->verb == VERB_CONNECTIONS);
    uint32_t last_zone = zoned ? COLOURS : 0;
    return length == sizeof *request && wire_message_valid(request, length) && request->header.type == WIRE_REQUEST &&
           request->verb < VERBS && request->verb != VERB_EXEC && (request->flags & ~(uint32_t)KNOWN_FLAGS) == 0 &&
           request->action < WIRE_ACTIONS && all_zero(request->reserved, sizeof request->reserved) &&
           request->zone <= last_zone && terminated(request->app, sizeof request->app) &&
           terminated(request->release, sizeof request->release) && terminated(request->text, sizeof request->text);
}

static int check_name(const char *what, const char *name, enum need need, bool valid, const char *form,
                      const char *verb, struct error *err)
{
    char shown[RELEASE_NAME_MAX + 8];
    text_copy(shown, sizeof shown, name);
    text_sanitise(shown);
    if (!name[0] && need == REQUIRED)
        return error_set(err, EINVAL, "%s needs %s", verb, what);
    if (name[0] && need == NONE)
        return error_set(err, EINVAL, "%s takes no %s", verb, what);
    if (name[0] && !valid)
        return error_set(err, EINVAL, "\"%s\" is not a valid %s name: %s", shown, what, form);
    return 0;
}

/* What only a deploy may leave out, and where only a deploy may stop. */
static int check_steps(const struct wire_request *request, struct error *err)
{
    const char *name = verbs[request->verb].name;
    bool steps = request->verb == VERB_DEPLOY;
    if (request->stop_after == 0)
        return 0;
    if (!steps)
        return error_set(err, EINVAL, "%s cannot be stopped after a step; only deploy can", name);
    if (request->stop_after != STEP_HEALTH && request->stop_after != STEP_TEST)
        return error_set(err, EINVAL, "a deploy can be stopped after the step health or test, and no other");
    if (request->stop_after == STEP_TEST && (request->flags & WIRE_NO_TEST))
        return error_set(err, EINVAL,
                         "a deploy without its test cannot be stopped after it; stop it after health, or let it test");
    return 0;
}

static int check_flags(const struct wire_request *request, struct error *err)
{
    static const struct {
        uint32_t flag;
        const char *why;
    } wrong[] = {
        {WIRE_NO_TEST, "has no test to leave out; only deploy has"},
        {WIRE_FORCE, "cannot be forced"},
        {WIRE_QUEUE, "does not wait its turn: it never has to"},
        {WIRE_PAST_CONTRACT, "is not kept from anything by a contracted schema"},
        {WIRE_GROUP, "is for one app, not for a group"},
    };
    uint32_t alien = request->flags & ~verbs[request->verb].flags;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (alien & wrong[i].flag)
            return error_set(err, EINVAL, "%s %s", verbs[request->verb].name, wrong[i].why);
    }
    return 0;
}

static int check_canary(const struct wire_request *request, struct error *err)
{
    const char *name = verbs[request->verb].name;
    if (request->canary == 0)
        return request->sticky
                   ? error_set(err, EINVAL, "only a canary's clients can be told to stay: give it a share, too")
                   : 0;
    if (request->verb != VERB_SWITCH)
        return error_set(err, EINVAL, "%s has no canary; only switch has", name);
    if (request->flags & WIRE_GROUP)
        return error_set(err, EINVAL, "a group moves as a whole; a canary is for one app");
    if (request->canary > 99)
        return error_set(err, EINVAL, "a canary's share is 1%% to 99%%; without --canary the switch is for all");
    return request->sticky > 1 ? error_set(err, EBADMSG, "malformed request") : 0;
}

/* Which action, and whether it comes with a release. */
static int check_action(const struct wire_request *request, struct error *err)
{
    const char *name = verbs[request->verb].name;
    bool has = request->verb == VERB_SCHEMA || request->verb == VERB_RELEASE || request->verb == VERB_FEED;
    if (actions[request->action].verb != (has ? (enum wire_verb)request->verb : VERBS))
        return error_set(err, EINVAL, has ? "%s: what of it? bluegreen(1) lists the actions" : "%s has no actions",
                         name);
    if (request->verb == VERB_SCHEMA && request->action != WIRE_SCHEMA_EXPAND && request->release[0])
        return error_set(err, EINVAL, "schema %s takes no release; only expand does", actions[request->action].name);
    bool fetches = request->action == WIRE_RELEASE_FETCH;
    if (request->verb == VERB_RELEASE && fetches != (request->release[0] != '\0'))
        return error_set(err, EINVAL, fetches ? "release fetch needs a release" : "release %s takes no release",
                         actions[request->action].name);
    return 0;
}

/* Of a feed: which transaction, and how many of them may be missed. */
static int check_feed(const struct wire_request *request, struct error *err)
{
    const char *name = verbs[request->verb].name;
    bool one = request->action == WIRE_FEED_SKIP || request->action == WIRE_FEED_APPLY;
    if (one != (request->sequence != 0))
        return error_set(err, EINVAL,
                         one ? "%s %s needs the number of a transaction; feed diff lists them"
                             : "%s %s takes no number of a transaction",
                         name, actions[request->action].name);
    bool loses = request->verb == VERB_DEPLOY || request->verb == VERB_SWITCH || request->verb == VERB_ROLLBACK;
    if (request->lose != 0 && !loses)
        return error_set(err, EINVAL, "%s misses no transactions; only deploy, switch and rollback can", name);
    if (request->lose != 0 && request->canary != 0)
        return error_set(err, EINVAL, "a canary takes nothing away from live, so there is nothing to lose");
    return 0;
}

/* Which entries of the history. */
static int check_filter(const struct wire_request *request, struct error *err)
{
    const struct wire_filter *filter = &request->filter;
    const char *name = verbs[request->verb].name;
    if (request->limit > WIRE_HISTORY_MAX)
        return error_set(err, EINVAL, "limit: at most %d entries", WIRE_HISTORY_MAX);
    if (request->verb != VERB_HISTORY)
        return (request->limit != 0 && !verbs[request->verb].limit) ||
                       !all_zero((const uint8_t *)filter, sizeof *filter)
                   ? error_set(err, EINVAL, "%s takes no limit and no filter", name)
                   : 0;
    if (filter->hooks == 1 && request->limit > WIRE_WHOLE_MAX)
        return error_set(err, EINVAL, "history: at most %d entries with what their hooks wrote", WIRE_WHOLE_MAX);
    bool known = filter->verb <= VERBS || filter->verb == WIRE_VERB_SERVED;
    if (!known || filter->failed > 1 || filter->hooks > 1 || filter->incidents > HISTORY_NO_INCIDENTS ||
        !all_zero(filter->reserved, sizeof filter->reserved))
        return error_set(err, EBADMSG, "malformed request");
    if (filter->until_unix_ms && filter->until_unix_ms <= filter->since_unix_ms)
        return error_set(err, EINVAL, "history: until must be later than since");
    if (filter->incidents == HISTORY_INCIDENTS && filter->verb != WIRE_ANY_VERB)
        return error_set(err, EINVAL, "history: incidents have no verb; ask for one or the other");
    return 0;
}

/* What people wrote is shown to other people. */
static int check_text(const struct wire_request *request, struct error *err)
{
    char clean[sizeof request->text];
    enum need need = verbs[request->verb].text;
    const char *name = verbs[request->verb].name, *what = request->verb == VERB_LOCK ? "reason" : "state";
    if (request->text[0] && need == NONE)
        return error_set(err, EINVAL, "%s takes no text", name);
    if (!request->text[0] && need == REQUIRED)
        return error_set(err, EINVAL, "%s needs a %s", name, what);
    text_copy(clean, sizeof clean, request->text);
    text_sanitise(clean);
    if (strcmp(clean, request->text) != 0 || strchr(clean, '\n'))
        return error_set(err, EINVAL, "the %s of %s must be one line of UTF-8 without control characters", what, name);
    return 0;
}

bool wire_request_valid(const struct wire_request *request, size_t length, struct error *err)
{
    if (!request_shape_valid(request, length)) {
        error_set(err, EBADMSG, "malformed request");
        return false;
    }
    enum wire_verb verb = (enum wire_verb)request->verb;
    const char *name = verbs[verb].name;
    const char *named = request->flags & WIRE_GROUP ? "group" : "app";
    if (check_name(named, request->app, verbs[verb].app, app_name_valid(request->app),
                   "a small letter, then small letters, digits and '-', at most 31", name, err) < 0 ||
        check_name("release", request->release, verbs[verb].release, release_name_valid(request->release),
                   "1 to 64 letters, digits and ._+-, not beginning with '.' or '-'", name, err) < 0)
        return false;
    if (verb == VERB_FAILOVER) {
        error_set(err, EINVAL,
                  "a failover is the agent's own; \"bluegreen rollback\" does the same, and "
                  "\"bluegreen rehearse\" tries it");
        return false;
    }
    if (check_flags(request, err) < 0 || check_steps(request, err) < 0 || check_canary(request, err) < 0 ||
        check_action(request, err) < 0 || check_feed(request, err) < 0 || check_text(request, err) < 0 ||
        check_filter(request, err) < 0)
        return false;
    return true;
}

bool wire_term_valid(const char *term)
{
    size_t length = strspn(term, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-");
    return length > 0 && length <= WIRE_TERM_MAX && term[length] == '\0';
}

/* As many texts as there are said to be, the last one ends where they all end, and the first one says something. */
static bool arguments_valid(const struct wire_command *command)
{
    uint32_t texts = 0;
    if (command->argument_count < 1 || command->argument_count > WIRE_ARGUMENT_COUNT || command->arguments_length < 2 ||
        command->arguments_length > WIRE_ARGUMENTS_MAX)
        return false;
    for (uint32_t i = 0; i < command->arguments_length; i++)
        texts += command->arguments[i] == '\0';
    return texts == command->argument_count && command->arguments[0] != '\0' &&
           command->arguments[command->arguments_length - 1] == '\0';
}

static bool command_shape_valid(const struct wire_command *command, size_t length)
{
    return length == sizeof *command && wire_message_valid(command, length) && command->header.type == WIRE_COMMAND &&
           (command->zone < COLOURS || command->zone == WIRE_ZONE_LIVE) && command->terminal <= 1 &&
           command->merge <= 1 && command->reserved == 0 &&
           (command->terminal || (command->rows == 0 && command->columns == 0)) &&
           terminated(command->app, sizeof command->app) && terminated(command->term, sizeof command->term) &&
           (command->terminal ? wire_term_valid(command->term) : command->term[0] == '\0');
}

bool wire_command_valid(const struct wire_command *command, size_t length, struct error *err)
{
    if (!command_shape_valid(command, length)) {
        error_set(err, EBADMSG, "malformed command");
        return false;
    }
    if (check_name("app", command->app, REQUIRED, app_name_valid(command->app),
                   "a small letter, then small letters, digits and '-', at most 31", "exec", err) < 0)
        return false;
    if (!arguments_valid(command)) {
        error_set(err, EINVAL, "exec needs a command: 1 to %d words that are no longer than %d bytes together",
                  WIRE_ARGUMENT_COUNT, WIRE_ARGUMENTS_MAX);
        return false;
    }
    return true;
}

/* 0 for a type that does not exist. */
static size_t message_size(uint16_t type)
{
    switch (type) {
    case WIRE_CLIENT: return sizeof(struct wire_client);
    case WIRE_STATUS: return sizeof(struct wire_status);
    case WIRE_PROGRESS: return sizeof(struct wire_progress);
    case WIRE_HISTORY: return sizeof(struct wire_history);
    case WIRE_RECEIPT: return sizeof(struct wire_receipt);
    case WIRE_END: return sizeof(struct wire_end);
    case WIRE_FILES: return sizeof(struct wire_files);
    case WIRE_EXIT: return sizeof(struct wire_exited);
    case WIRE_STDIO: return sizeof(struct wire_stdio);
    case WIRE_ITEM: return sizeof(struct wire_item);
    case WIRE_HOOK: return sizeof(struct wire_hook);
    case WIRE_CONNECTION: return sizeof(struct wire_connection);
    case WIRE_FEED: return sizeof(struct wire_feed_told);
    case WIRE_FEED_ITEM: return sizeof(struct wire_feed_item);
    case WIRE_REQUEST: return sizeof(struct wire_request);
    case WIRE_COMMAND: return sizeof(struct wire_command);
    case WIRE_PING:
    case WIRE_PONG:
    case WIRE_GONE: return sizeof(struct wire_header);
    default: return 0;
    }
}

bool wire_message_valid(const void *message, size_t length)
{
    struct wire_header header;
    if (length < sizeof header)
        return false;
    memcpy(&header, message, sizeof header); /* a received buffer need not be aligned */
    return header.version == WIRE_VERSION && header.length == length && message_size(header.type) == length;
}
