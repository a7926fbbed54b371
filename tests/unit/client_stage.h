/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One client of the api role over a socket pair: the test is the program at the other end, and the monitor. */
#pragma once

#include "api/client.h"
#include "api/varlink.h"
#include "base/text.h"
#include "model/wire_answers.h"
#include "model/wire_command.h"
#include "model/wire_feed.h"
#include "model/wire_status.h"
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define AGENT                "{\"method\":\"io.bluegreen.Agent."
#define DEPLOY               AGENT "Deploy\",\"parameters\":{\"app\":\"web\",\"release\":\"v2\"}"
#define STATUS               "{\"method\":\"io.bluegreen.Agent.Status\"}"
#define INFO                 "{\"method\":\"org.varlink.service.GetInfo\"}"
#define SEND(stage, literal) send_bytes(stage, literal, sizeof(literal)) /* with its NUL */

/* Long enough for a busy machine to be late by some tens of milliseconds. */
enum { HALF_MS = 160, STALL_MS = 160, ASKED_MAX = 600 };

struct stage {
    struct loop *loop;
    struct loop_timer *timer;
    struct client_host host;
    struct client *client;                /* NULL once gone */
    int peer;                             /* the client program's end */
    struct wire_request asked[ASKED_MAX]; /* of a command the header only */
    size_t asked_count;
    struct wire_command command; /* the last one */
    const char *gone;            /* why */
    int ask_result;
};

static inline int on_ask(void *context, const struct wire_header *message)
{
    struct stage *stage = context;
    const void *bytes = message;
    assert_true(stage->asked_count < ASKED_MAX);
    struct wire_request *asked = &stage->asked[stage->asked_count++];
    *asked = (struct wire_request){.header = *message};
    if (message->type == WIRE_COMMAND) {
        memcpy(&stage->command, bytes, sizeof stage->command);
        assert_true(wire_command_valid(&stage->command, message->length, NULL));
        return stage->ask_result;
    }
    assert_true(wire_request_valid(bytes, message->length, NULL));
    memcpy(asked, bytes, sizeof *asked);
    return stage->ask_result;
}

static inline void on_gone(void *context, struct client *client, const char *reason)
{
    struct stage *stage = context;
    assert_ptr_equal(client, stage->client);
    assert_null(stage->gone);
    stage->gone = reason;
    stage->client = NULL;
    client_free(client);
}

static inline void on_turn(void *context)
{
    struct stage *stage = context;
    loop_quit(stage->loop, 0);
}

/* Lets the loop do what there is to do for so long. */
static inline void run_for(struct stage *stage, uint64_t milliseconds)
{
    loop_timer_arm(stage->timer, milliseconds);
    assert_int_equal(loop_run(stage->loop), 0);
}

static inline void turn(struct stage *stage)
{
    for (int i = 0; i < 4; i++)
        run_for(stage, 0);
}

static inline void open_stage_for(struct stage *stage, bool may_operate)
{
    *stage = (struct stage){0};
    int ends[2];
    struct wire_client who = {
        .header = {.type = WIRE_CLIENT, .version = WIRE_VERSION, .length = sizeof who, .client = 77},
        .uid = 1000,
        .may_operate = may_operate};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    stage->peer = ends[0];
    assert_int_equal(loop_new(&stage->loop, NULL), 0);
    stage->timer = loop_timer_new(stage->loop, on_turn, stage);
    stage->host = (struct client_host){.loop = stage->loop,
                                       .half_message_ms = HALF_MS,
                                       .stall_ms = STALL_MS,
                                       .ask = on_ask,
                                       .gone = on_gone,
                                       .context = stage};
    assert_int_equal(client_new(&stage->host, &who, ends[1], &stage->client, NULL), 0);
}

static inline void open_stage(struct stage *stage)
{
    open_stage_for(stage, false);
}

static inline void close_stage(struct stage *stage)
{
    client_free(stage->client);
    loop_timer_free(stage->timer);
    loop_free(stage->loop);
    if (stage->peer >= 0)
        close(stage->peer);
}

static inline void send_bytes(struct stage *stage, const void *bytes, size_t length)
{
    assert_int_equal(send(stage->peer, bytes, length, MSG_NOSIGNAL), length);
    turn(stage);
}

/* What the client program can read now, with its NULs. The caller's. */
static inline struct text read_replies(struct stage *stage)
{
    struct text replies = {0};
    char part[4096];
    ssize_t got;
    while ((got = recv(stage->peer, part, sizeof part, MSG_DONTWAIT)) > 0)
        text_add_bytes(&replies, part, (size_t)got);
    return replies;
}

static inline void assert_reply(struct stage *stage, const char *expected)
{
    struct text replies = read_replies(stage);
    assert_non_null(replies.data);
    assert_string_equal(replies.data, expected);
    assert_int_equal(replies.length, strlen(expected) + 1); /* one message, and no more */
    text_clear(&replies);
}

static inline void assert_silent(struct stage *stage)
{
    char byte;
    assert_int_equal(recv(stage->peer, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static inline bool reply_contains(struct stage *stage, const char *part)
{
    struct text replies = read_replies(stage);
    bool found = replies.data && strstr(replies.data, part);
    text_clear(&replies);
    return found;
}

/* --- the monitor's side ----------------------------------------------------------------------------------- */

static inline struct wire_header head(const struct stage *stage, enum wire_type type, size_t length)
{
    const struct wire_request *request = &stage->asked[stage->asked_count - 1];
    return (struct wire_header){.type = (uint16_t)type,
                                .version = WIRE_VERSION,
                                .length = (uint32_t)length,
                                .client = request->header.client,
                                .request = request->header.request};
}

static inline void tell_end(struct stage *stage, enum wire_result result, const char *text)
{
    struct wire_end end = {.header = head(stage, WIRE_END, sizeof end), .result = result};
    text_copy(end.text, sizeof end.text, text);
    client_deliver(stage->client, &end.header, NULL, 0);
}

static inline void tell_progress(struct stage *stage, const char *text)
{
    struct wire_progress progress = {.header = head(stage, WIRE_PROGRESS, sizeof progress), .step = "health"};
    text_copy(progress.text, sizeof progress.text, text);
    client_deliver(stage->client, &progress.header, NULL, 0);
}

static inline void tell_status(struct stage *stage, const char *name)
{
    struct wire_status status = {.header = head(stage, WIRE_STATUS, sizeof status), .live = -1};
    text_copy(status.name, sizeof status.name, name);
    client_deliver(stage->client, &status.header, NULL, 0);
}

static inline void assert_gone(struct stage *stage, const char *why)
{
    assert_non_null(stage->gone);
    assert_string_equal(stage->gone, why);
    assert_null(stage->client);
}
