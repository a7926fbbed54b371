/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The history for a client: the journal's records as messages, one entry after the other, each with what belongs to
 * it. */
#include "agent/history.h"

#include "agent/agent.h"
#include "agent/api_role.h"
#include "agent/apps.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "journal/journal.h"
#include "model/wire_answers.h"
#include "model/wire_status.h"
#include "os/log.h"

#include <string.h>

enum {
    ENTRIES_DEFAULT = 50,
    HOOKS_MAX = 320, /* of all entries: six for each, and more than anybody has */
};

/* An entry is sent when all that belongs to it was seen. */
struct telling {
    const struct asked *asked;
    struct wire_history entry;
    bool begun;
    size_t served; /* of the entry */
    size_t hooks;  /* of all */
};

static void send_message(const struct telling *telling, void *message, enum wire_type type, size_t length)
{
    const struct wire_header *request = &telling->asked->request->header;
    client_send(telling->asked->agent, message, request->client, request->request, type, length);
}

static void send_entry(struct telling *telling)
{
    if (telling->begun)
        send_message(telling, &telling->entry, WIRE_HISTORY, sizeof telling->entry);
    telling->begun = false;
}

static uint64_t duration_of(const struct record *record)
{
    if (record->kind == RECORD_END && record->ms > 0)
        return record->ms;
    return record->unix_ms > record->begun_unix_ms ? record->unix_ms - record->begun_unix_ms : 0;
}

static void fill_entry(const struct record *record, struct wire_history *entry)
{
    *entry = (struct wire_history){
        .sequence = record->sequence,
        .begun_unix_ms = record->begun_unix_ms,
        .duration_ms = duration_of(record),
        .verb = (uint8_t)record->verb,
        .from = record->from,
        .to = record->to,
        .done = record->done,
        .switched = record->transaction_us > 0,
        .transaction_us = record->transaction_us,
        .generation_before = record->generation_before,
        .generation_after = record->generation_after,
    };
    text_copy(entry->app, sizeof entry->app, record->app);
    text_copy(entry->release, sizeof entry->release, record->release);
    text_copy(entry->who, sizeof entry->who, record->who);
    text_copy(entry->reason, sizeof entry->reason, record->reason);
    text_copy(entry->steps, sizeof entry->steps, record->steps);
}

static void add_served(struct telling *telling, const struct record *record)
{
    if (telling->served == WIRE_SERVED_MAX)
        return;
    struct wire_served *served = &telling->entry.served[telling->served++];
    *served = (struct wire_served){
        .known = 1,
        .zone = record->zone,
        .requests_known = record->requests_known,
        .since_unix_ms = record->begun_unix_ms,
        .until_unix_ms = record->unix_ms,
        .connections = (uint64_t)record->connections,
        .datagrams = (uint64_t)record->datagrams,
        .requests = record->requests,
    };
    text_copy(served->release, sizeof served->release, record->release);
}

static void begin_entry(struct telling *telling, const struct record *record)
{
    struct wire_history *entry = &telling->entry;
    send_entry(telling);
    fill_entry(record, entry);
    telling->begun = true;
    telling->served = 0;
    if (record->kind == RECORD_END)
        return;
    entry->to = record->zone;
    entry->done = record->kind == RECORD_SERVED;
    entry->is_served = record->kind == RECORD_SERVED;
    if (record->kind == RECORD_SERVED) {
        add_served(telling, record);
        return;
    }
    entry->incident = (uint8_t)record->incident;
    entry->begun_unix_ms = record->unix_ms;
    entry->duration_ms = 0;
}

static void add_drain(struct wire_history *entry, const struct record *record)
{
    entry->has_drain = 1;
    entry->drained_unknown = record->drained_unknown;
    entry->drained = record->drained;
    entry->cut = record->cut;
    entry->left = record->left;
    entry->nudged = record->nudged;
    entry->drain_ms = record->ms;
}

static void send_hook(struct telling *telling, const struct record *record)
{
    static struct wire_hook message;
    if (telling->hooks++ == HOOKS_MAX)
        log_warning("the history: more than %d hooks were asked for at once; the others are left out", HOOKS_MAX);
    if (telling->hooks > HOOKS_MAX)
        return;
    message = (struct wire_hook){
        .ended_unix_ms = record->unix_ms,
        .duration_ms = record->ms,
        .zone = (uint8_t)record->zone,
        .ok = record->done,
    };
    text_copy(message.name, sizeof message.name, hook_name(record->hook));
    text_copy(message.reason, sizeof message.reason, record->reason);
    record_decode_output(record, message.output);
    send_message(telling, &message, WIRE_HOOK, sizeof message);
}

static int tell(void *context, const struct record *record, struct error *err)
{
    struct telling *telling = context;
    bool served_alone = record->kind == RECORD_SERVED && telling->asked->request->filter.verb == WIRE_VERB_SERVED;
    if (record->kind == RECORD_DRAINED)
        add_drain(&telling->entry, record);
    else if (record->kind == RECORD_HOOK)
        send_hook(telling, record);
    else if (record->kind == RECORD_SERVED && !served_alone)
        add_served(telling, record);
    else
        begin_entry(telling, record);
    return 0;
}

static int note_any(void *context, const struct record *record, struct error *err)
{
    *(bool *)context = true;
    return 0;
}

/* Its history outlives an app, so without one it may be an app all the same. If nobody can tell, it is. */
static bool known(const struct asked *asked)
{
    const char *name = asked->request->app;
    const struct history_filter filter = {.app = name, .verb = HISTORY_ANY_VERB, .limit = 1};
    bool any = false;
    if (!name[0] || app_find(asked->agent, name))
        return true;
    return journal_history(asked->agent->journal, &filter, note_any, &any, NULL) < 0 || any;
}

void handle_history(const struct asked *asked)
{
    const struct wire_request *request = asked->request;
    const struct wire_filter *wanted = &request->filter;
    struct telling telling = {.asked = asked};
    struct error err = {0};
    const struct history_filter filter = {
        .app = request->app,
        .release = request->release,
        .since_unix_ms = wanted->since_unix_ms,
        .until_unix_ms = wanted->until_unix_ms,
        .sequence = wanted->sequence,
        .verb = wanted->verb == WIRE_ANY_VERB      ? HISTORY_ANY_VERB
                : wanted->verb == WIRE_VERB_SERVED ? HISTORY_SERVED
                                                   : wanted->verb - 1,
        .failed = wanted->failed,
        .incidents = (enum history_incidents)wanted->incidents,
        .hooks = wanted->hooks,
        .limit = request->limit ? request->limit : ENTRIES_DEFAULT,
    };
    if (!known(asked)) {
        request_no_such_app(asked);
        return;
    }
    int result = journal_history(asked->agent->journal, &filter, tell, &telling, &err);
    send_entry(&telling);
    request_answer(asked, result < 0 ? RESULT_FAILED : RESULT_DONE, result < 0 ? err.text : "");
}
