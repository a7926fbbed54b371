/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes what a hostile client reaches in the api role: framing, the parser, the method table, one whole client. The
 * first byte says in what portions the rest arrives; every request is answered at once. Whatever comes in, each reply
 * is one strict JSON object, and each request for the monitor is one that the monitor accepts.
 */
#include "api/client.h"
#include "api/varlink.h"
#include "base/json_ascii.h"
#include "fuzz.h"
#include "model/wire_answers.h"
#include "model/wire_command.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORTIONS = 16 /* about: more of them cost time and cut nothing that few do not cut */ };

struct stage {
    struct loop *loop;
    struct loop_timer *timer;
    struct client *client;
    struct wire_header asked;
    bool waiting;
    unsigned answers;
    int peer;
};

static int on_ask(void *context, const struct wire_header *message)
{
    struct stage *stage = context;
    const void *bytes = message;
    bool valid = message->type == WIRE_COMMAND ? wire_command_valid(bytes, message->length, NULL)
                                               : wire_request_valid(bytes, message->length, NULL);
    if (stage->waiting || !valid)
        abort();
    stage->asked = *message;
    stage->waiting = true;
    return 0;
}

static void on_gone(void *context, struct client *client, const char *reason)
{
    struct stage *stage = context;
    (void)reason;
    client_free(client);
    stage->client = NULL;
}

static void on_turn(void *context)
{
    loop_quit(((struct stage *)context)->loop, 0);
}

static void answer(struct stage *stage)
{
    struct wire_header header = stage->asked;
    header.type = WIRE_PROGRESS;
    header.length = sizeof(struct wire_progress);
    struct wire_progress progress = {.header = header, .step = "step", .text = "text"};
    client_deliver(stage->client, &progress.header, NULL, 0);
    header.type = WIRE_END;
    header.length = sizeof(struct wire_end);
    struct wire_end end = {.header = header, .result = stage->answers++ % RESULTS, .text = "said"};
    stage->waiting = false;
    if (stage->client)
        client_deliver(stage->client, &end.header, NULL, 0);
}

static void turn(struct stage *stage)
{
    loop_timer_arm(stage->timer, 0);
    loop_run(stage->loop);
    while (stage->client && stage->waiting)
        answer(stage);
}

static void check_reply(const char *reply)
{
    CLEANUP_TEXT struct text ascii = {0};
    if (json_ascii(reply, strlen(reply), &ascii) < 0 || !ascii.data)
        abort();
    struct json_tokener *tokener = json_tokener_new();
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    struct json_object *object = json_tokener_parse_ex(tokener, ascii.data, (int)ascii.length + 1);
    if (!json_object_is_type(object, json_type_object))
        abort();
    json_object_put(object);
    json_tokener_free(tokener);
}

static void read_replies(struct stage *stage, struct text *replies)
{
    static char part[65536];
    ssize_t got;
    while ((got = recv(stage->peer, part, sizeof part, MSG_DONTWAIT)) > 0)
        text_add_bytes(replies, part, (size_t)got);
    size_t start = 0;
    for (size_t i = 0; i < replies->length; i++) {
        if (replies->data[i] != '\0')
            continue;
        check_reply(replies->data + start);
        start = i + 1;
    }
    struct text rest = {0}; /* half a reply: the other half is yet to come */
    if (start < replies->length)
        text_add_bytes(&rest, replies->data + start, replies->length - start);
    text_clear(replies);
    *replies = rest;
}

/* One loop for all clients, as in the role. */
static void begin(struct stage *stage, int ends[2])
{
    static struct loop *loop;
    if ((!loop && loop_new(&loop, NULL) < 0) || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        abort();
    stage->loop = loop;
    stage->peer = ends[0];
    stage->timer = loop_timer_new(loop, on_turn, stage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stage stage = {0};
    int ends[2];
    if (size < 2)
        return 0;
    begin(&stage, ends);
    struct client_host host = {.loop = stage.loop, .ask = on_ask, .gone = on_gone, .context = &stage};
    struct wire_client who = {
        .header = {.type = WIRE_CLIENT, .version = WIRE_VERSION, .length = sizeof who, .client = 1}};
    struct text replies = {0};
    if (client_new(&host, &who, ends[1], &stage.client, NULL) < 0)
        abort();
    size_t portion = (size_t)data[0] * 16 + 1;
    if (portion < size / PORTIONS)
        portion = size / PORTIONS;
    for (size_t at = 1; at < size && stage.client; at += portion) {
        size_t length = size - at < portion ? size - at : portion;
        if (send(stage.peer, data + at, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        turn(&stage);
        read_replies(&stage, &replies);
    }
    shutdown(stage.peer, SHUT_WR);
    for (int i = 0; i < 10000 && stage.client; i++) {
        turn(&stage);
        read_replies(&stage, &replies);
    }
    if (stage.client) /* it said all and read all: there is no reason to keep it */
        abort();
    text_clear(&replies);
    loop_timer_free(stage.timer);
    close(stage.peer);
    return 0;
}
