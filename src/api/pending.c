/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the monitor's messages about a call to its replies. */
#include "api/pending.h"

#include "api/methods.h"
#include "api/render_put.h"
#include "base/cleanup.h"
#include "model/wire_answers.h"
#include "model/wire_command.h"
#include "model/wire_feed.h"
#include "model/wire_status.h"

enum { ROWS_MAX = 10000 }; /* of one reply: some MiB */

void pending_begin(struct pending *call, const struct varlink_call *asked, const union method_message *message)
{
    const struct wire_request *request = &message->request;
    bool command = message->header.type == WIRE_COMMAND;
    call->active = true;
    call->more = asked->more;
    call->oneway = asked->oneway;
    call->lists = !command && (request->verb == VERB_CONNECTIONS ||
                               (request->verb == VERB_FEED && request->action == WIRE_FEED_DIFF));
    call->verb = command ? VERB_EXEC : (enum wire_verb)request->verb;
}

void pending_clear(struct pending *call)
{
    text_clear(&call->items);
    json_object_put(call->receipt);
    json_object_put(call->rows);
    descriptors_close(&call->files);
    *call = (struct pending){.output = call->output, .attached = call->attached};
}

static void add_item(struct pending *call, struct json_object *item)
{
    struct text *items = &call->items;
    if (items->length > 0)
        text_add(items, ",");
    varlink_write(items, item);
}

/* Takes row over. NULL, or what is wrong. */
static const char *add_row(struct pending *call, struct json_object *row)
{
    if (!call->rows)
        call->rows = json_object_new_array();
    if (call->rows && json_object_array_length(call->rows) >= ROWS_MAX) {
        json_object_put(row);
        return "its reply would be too long";
    }
    if (!row || !call->rows || json_object_array_add(call->rows, row) < 0) {
        json_object_put(row);
        call->output->failed = true; /* a list that lacks one would be taken for the whole of it */
    }
    return NULL;
}

static void reply_progress(struct pending *call, const struct wire_progress *progress)
{
    if (!call->more)
        return;
    struct json_object *reply = json_object_new_object();
    put(reply, "progress", render_progress(progress));
    call->output->failed |= !reply;
    varlink_reply(call->output, reply, true);
}

static void reply_end(struct pending *call, const struct wire_end *end)
{
    struct text *output = call->output;
    if (end->result != RESULT_DONE) {
        method_error((enum wire_result)end->result, end->text, sizeof end->text, output);
        return;
    }
    if (call->verb == VERB_STATUS || call->verb == VERB_HISTORY) {
        varlink_reply_list(output, call->verb == VERB_STATUS ? "apps" : "entries", &call->items);
        return;
    }
    if (call->verb == VERB_EXEC || call->verb == VERB_LOGS) {
        struct json_object *told = call->receipt;
        call->receipt = NULL;
        descriptors_move(call->attached, &call->files); /* nothing is unsent while a call is on its way */
        varlink_reply(output, told, false);
        return;
    }
    struct json_object *reply = json_object_new_object();
    struct json_object *text = end->text[0] ? render_text(end->text, sizeof end->text) : NULL;
    if (call->verb == VERB_VERSION) {
        put(reply, "version", text ? text : json_object_new_string(BLUEGREEN_VERSION));
    } else {
        bool feed = call->verb == VERB_FEED, connections = call->verb == VERB_CONNECTIONS;
        const char *rows = feed ? "transactions" : connections ? "connections" : "items";
        if (call->receipt)
            put(reply, feed ? "feed" : "receipt", json_object_get(call->receipt));
        if (call->lists && !call->rows)
            call->rows = json_object_new_array();
        if (call->rows)
            put(reply, rows, json_object_get(call->rows));
        if (text)
            put(reply, "text", text);
    }
    output->failed |= !reply;
    varlink_reply(output, reply, false);
}

static void keep_for_reply(struct pending *call, struct json_object *object)
{
    json_object_put(call->receipt);
    call->receipt = object;
}

static void take_descriptors(struct descriptors *into, int fds[], size_t fd_count)
{
    descriptors_close(into);
    for (size_t i = 0; i < fd_count && i < DESCRIPTORS_MAX; i++)
        into->fds[into->count++] = steal_fd(&fds[i]);
}

static void take_files(struct pending *call, const struct wire_files *files, int fds[], size_t fd_count)
{
    if (fd_count != files->count)
        return;
    take_descriptors(&call->files, fds, fd_count);
    keep_for_reply(call, render_files(files));
}

/* The call goes on: its end is another reply. Nothing is unsent before the first one. */
static void reply_stdio(struct pending *call, const struct wire_stdio *stdio, int fds[], size_t fd_count)
{
    if (call->verb != VERB_EXEC || fd_count != stdio->count || call->output->length > 0)
        return;
    take_descriptors(call->attached, fds, fd_count);
    varlink_reply(call->output, render_stdio(stdio), true);
}

const char *pending_take(struct pending *call, const struct wire_header *message, int fds[], size_t fd_count)
{
    switch (message->type) {
    case WIRE_STATUS: add_item(call, render_status((const struct wire_status *)(const void *)message)); break;
    case WIRE_HISTORY:
        add_item(call, render_history((const struct wire_history *)(const void *)message, call->rows));
        json_object_put(call->rows);
        call->rows = NULL;
        break;
    case WIRE_HOOK: return add_row(call, render_hook((const struct wire_hook *)(const void *)message));
    case WIRE_ITEM: return add_row(call, render_item((const struct wire_item *)(const void *)message));
    case WIRE_CONNECTION:
        return add_row(call, render_connection((const struct wire_connection *)(const void *)message));
    case WIRE_FEED_ITEM: return add_row(call, render_feed_item((const struct wire_feed_item *)(const void *)message));
    case WIRE_FEED:
        keep_for_reply(call, render_feed(&((const struct wire_feed_told *)(const void *)message)->feed));
        break;
    case WIRE_PROGRESS: reply_progress(call, (const struct wire_progress *)(const void *)message); break;
    case WIRE_RECEIPT: keep_for_reply(call, render_receipt((const struct wire_receipt *)(const void *)message)); break;
    case WIRE_EXIT:
        keep_for_reply(call, render_exit(&((const struct wire_exited *)(const void *)message)->exit));
        break;
    case WIRE_STDIO: reply_stdio(call, (const struct wire_stdio *)(const void *)message, fds, fd_count); break;
    case WIRE_FILES: take_files(call, (const struct wire_files *)(const void *)message, fds, fd_count); break;
    case WIRE_END:
        if (!call->oneway)
            reply_end(call, (const struct wire_end *)(const void *)message);
        pending_clear(call);
        break;
    default: break;
    }
    return NULL;
}
