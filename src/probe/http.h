/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP checks: libcurl's multi interface on our loop, over sockets that were handed over. The
 * only user of libcurl. */
#pragma once

#include "probe/check.h"

struct http;

/* Everything that libcurl sets up once (files it reads, sockets of its own) happens here, before
 * the filter. */
int http_new(struct loop *loop, struct http **http, struct error *err);
void http_free(struct http *http);
/* Ends with check_finish, later or before it returns. */
void http_begin(struct http *http, struct check *check);
/* The time is over: closes everything and describes how far it came. The caller finishes the
 * check. */
void http_expire(struct check *check, struct probe_result *result);
/* Lets go of the check without a word. */
void http_abandon(struct check *check);
