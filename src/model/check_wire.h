/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between the monitor and its probe role: fixed layout, one SOCK_SEQPACKET message each.
 * The sockets a check may use come with it, made by the monitor inside the zone's network namespace
 * and not yet connected.
 */
#pragma once

#include "model/service.h"
#include "model/verdict.h"

#define CHECK_VERSION     2
#define CHECK_SOCKETS_MAX 4 /* the first connection and up to three redirects on new ones */

struct check_request {
    uint32_t version;
    uint32_t reserved;
    uint64_t id; /* repeated in the result; unique while the check runs; not 0 */
    struct address target;
    /* HEALTH_TCP or HEALTH_HTTP; of the times only timeout_ms is used here. */
    struct health health;
    char contains[TEST_CONTAINS_MAX + 1]; /* HEALTH_HTTP: bytes that the body must have; "" = whatever it is */
};

struct check_result {
    uint32_t version;
    uint32_t reserved;
    uint64_t id;
    struct probe_result result;
};

/* Both treat every byte as hostile and repair nothing: a message is good as it stands, or
 * refused. */
bool check_request_valid(const struct check_request *request, size_t length);
bool check_result_valid(const struct check_result *result, size_t length);
