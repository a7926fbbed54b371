/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a monitor without an agent sends to the api role. For fake_monitor.c. */
#pragma once

#include "base/text.h"
#include "model/wire.h"
#include "model/wire_answers.h"
#include "os/process.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#define SOME_TIME 1763869080123u /* 2025-11-23T03:38:00.123Z */

static struct {
    int channel;
    bool no_rights, bad_reload, empty, stays;
    const char *logs;
    pid_t command; /* 0 = none runs */
    struct wire_header asked_by;
} fake;

static inline struct wire_header head(const struct wire_request *request, enum wire_type type, size_t length)
{
    return (struct wire_header){.type = (uint16_t)type,
                                .version = WIRE_VERSION,
                                .length = (uint32_t)length,
                                .client = request->header.client,
                                .request = request->header.request};
}

static inline void emit_with(const void *message, size_t length, const int *fds, size_t fd_count)
{
    int result;
    while ((result = message_send(fake.channel, message, length, fds, fd_count)) == -EAGAIN) {
        struct pollfd wait = {.fd = fake.channel, .events = POLLOUT};
        poll(&wait, 1, -1);
    }
    if (result < 0)
        errx(1, "send to the api role: %s", strerror(-result));
}

static inline void emit(const void *message, size_t length)
{
    emit_with(message, length, NULL, 0);
}

static inline void end(const struct wire_request *request, enum wire_result result, const char *text)
{
    struct wire_end message = {.header = head(request, WIRE_END, sizeof message), .result = result};
    text_copy(message.text, sizeof message.text, text);
    emit(&message, sizeof message);
}

static inline void progress(const struct wire_request *request, const char *step, int connections, unsigned elapsed_ms,
                            const char *text)
{
    struct wire_progress message = {
        .header = head(request, WIRE_PROGRESS, sizeof message),
        .zone = GREEN,
        .has_count = connections >= 0,
        .connections = connections >= 0 ? (uint32_t)connections : 0,
        .elapsed_ms = elapsed_ms,
    };
    text_copy(message.step, sizeof message.step, step);
    text_copy(message.text, sizeof message.text, text);
    emit(&message, sizeof message);
}

/* Of a wait with a known end, half of which is over. */
static inline void progress_wait(const struct wire_request *request, const char *step, uint32_t wait_ms,
                                 const char *text)
{
    struct wire_progress message = {
        .header = head(request, WIRE_PROGRESS, sizeof message),
        .zone = GREEN,
        .elapsed_ms = wait_ms / 2,
        .wait_ms = wait_ms,
        .waited_ms = wait_ms / 2,
    };
    text_copy(message.step, sizeof message.step, step);
    text_copy(message.text, sizeof message.text, text);
    emit(&message, sizeof message);
}

static inline void receipt(const struct wire_request *request, const char *release)
{
    struct wire_receipt message = {
        .header = head(request, WIRE_RECEIPT, sizeof message),
        .from = BLUE,
        .to = GREEN,
        .transaction_us = 14,
        .generation_before = 41,
        .generation_after = 42,
        .drained = 12,
        .cut = 1,
        .duration_ms = 2400,
    };
    text_copy(message.release, sizeof message.release, release);
    text_copy(message.who, sizeof message.who, "root (uid 0)");
    emit(&message, sizeof message);
}
