/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the monitor says, as JSON. The field names are the program's contract with its users: they stand in
 * bluegreen(1), in the interface description (interface_types.c) and here, and change nowhere alone.
 *
 * Each function returns a new object, or NULL when memory ran out. Text from the monitor is made valid UTF-8 without
 * control characters (but newlines) on the way, however it was cut.
 */
#pragma once

#include "model/wire.h"

struct json_object;
struct wire_connection;
struct wire_exit;
struct wire_feed;
struct wire_feed_item;
struct wire_files;
struct wire_history;
struct wire_hook;
struct wire_item;
struct wire_progress;
struct wire_receipt;
struct wire_status;
struct wire_stdio;

struct json_object *render_status(const struct wire_status *status); /* type App */
/* type Entry; hooks is a list of type Hook, or NULL, and stays the caller's */
struct json_object *render_history(const struct wire_history *entry, struct json_object *hooks);
struct json_object *render_hook(const struct wire_hook *hook);                   /* type Hook */
struct json_object *render_receipt(const struct wire_receipt *receipt);          /* type Receipt */
struct json_object *render_progress(const struct wire_progress *progress);       /* type Progress */
struct json_object *render_connection(const struct wire_connection *connection); /* type Connection */
struct json_object *render_feed(const struct wire_feed *feed);                   /* type Feed; NULL also without one */
struct json_object *render_feed_item(const struct wire_feed_item *item);         /* type Transaction */
struct json_object *render_item(const struct wire_item *item);                   /* type Item */
struct json_object *render_stdio(const struct wire_stdio *stdio);                /* what Exec returns first */
struct json_object *render_files(const struct wire_files *files);                /* what Logs returns */
struct json_object *render_exit(const struct wire_exit *last); /* type Exit; NULL also if there was none */
struct json_object *render_time(uint64_t unix_ms);             /* RFC 3339, in UTC, with milliseconds */
/* size bytes at most; they need not be terminated */
struct json_object *render_text(const char *text, size_t size);
