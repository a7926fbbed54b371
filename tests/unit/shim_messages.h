/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between agent and shim for their tests: whole ones, and such as are made field by field. */
#pragma once

#include "base/text.h"
#include "model/shim_protocol.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { WORDS = SHIM_MESSAGE_MAX / sizeof(uint32_t) };

static uint32_t buffer[WORDS + 4];
static uint8_t *const bytes = (uint8_t *)buffer;

static char *arguments[] = {(char[]){"/srv/web/bin/server"}, (char[]){"--port"}, (char[]){""}, NULL};
static char *variables[] = {(char[]){"A=1"}, (char[]){"EMPTY="}, NULL};
static const uint32_t some_groups[] = {33, 44, 4000000000u};

static inline struct shim_start sample(void)
{
    return (struct shim_start){
        .argv = arguments,
        .argument_count = 3,
        .environment = variables,
        .variable_count = 2,
        .workdir = "/srv/web",
        .hostname = "web-blue",
        .uid = 1001,
        .gid = 1002,
        .groups = some_groups,
        .group_count = 3,
        .stop_timeout_ms = 10000,
        .restart_delay_ms = 200,
    };
}

static struct view_step some_steps[] = {
    {.kind = VIEW_SEAL, .flags = VIEW_READ_ONLY, .source = "", .target = "/"},
    {.kind = VIEW_BIND, .flags = VIEW_OPTIONAL | VIEW_NO_EXEC, .source = "/srv/a b", .target = "/srv/b"},
    {.kind = VIEW_HIDE, .flags = 0, .source = "", .target = "/etc/shadow"},
};
static const uint64_t some_filter[] = {1, 2, UINT64_MAX};
static const struct shim_rlimit some_limits[] = {{.resource = 7, .soft = 1024, .hard = UINT64_MAX},
                                                 {.resource = 4, .soft = 0, .hard = 0}};

/* Everything that a START can say. */
static inline struct shim_start full_sample(void)
{
    struct shim_start start = sample();
    start.process = "worker-1";
    start.stop_signal = 3;
    start.restart = SHIM_RESTART_ON_FAILURE;
    start.restart_max_ms = 45000;
    start.view = (struct view){.steps = some_steps, .count = 3};
    start.filter = some_filter;
    start.filter_count = 3;
    start.rlimits = some_limits;
    start.rlimit_count = 2;
    start.oom_score = 500;
    start.notify = true;
    start.watchdog_ms = 5000;
    start.deadline_ms = 2500;
    start.stdio = start.terminal = true;
    return start;
}

static inline size_t encode_full_sample(void)
{
    struct shim_start start = full_sample();
    size_t length = shim_encode_start(&start, 7, buffer, sizeof buffer);
    assert_true(length > 0);
    return length;
}

static inline size_t encode_sample(void)
{
    struct shim_start start = sample();
    size_t length = shim_encode_start(&start, 7, buffer, sizeof buffer);
    assert_true(length > 0);
    return length;
}

/* Adds a field by hand to the message in the buffer, and mends its header. */
static inline size_t add_field(size_t length, uint16_t tag, const void *value, uint32_t value_length)
{
    struct shim_field field = {.tag = tag, .length = value_length};
    memcpy(bytes + length, &field, sizeof field);
    memcpy(bytes + length + sizeof field, value, value_length);
    size_t padding = (4 - value_length % 4) % 4;
    memset(bytes + length + sizeof field + value_length, 0, padding);
    length += sizeof field + value_length + padding;
    ((struct shim_header *)buffer)->length = (uint32_t)length;
    return length;
}

static inline size_t bare(uint16_t type)
{
    struct shim_header header = {
        .magic = SHIM_MAGIC, .version = SHIM_VERSION, .type = type, .length = sizeof header, .serial = 1};
    memcpy(buffer, &header, sizeof header);
    return sizeof header;
}

static inline int decode_start(size_t length, uint32_t *unknown)
{
    struct shim_header header;
    struct shim_start start = {0};
    int result = shim_check(buffer, length, &header);
    if (result == 0)
        result = shim_decode_start(buffer, length, &start, unknown);
    if (result == 0)
        shim_start_clear(&start);
    else
        assert_null(start.argv);
    return result;
}
