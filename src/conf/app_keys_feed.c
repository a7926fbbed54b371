/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [feed]: keys whose values have a language of their own, and what has no meaning in its mode. */
#include "conf/app_keys.h"

#include "model/grammar.h"

#include <string.h>

enum { SYNC_LEAST_MS = 1, SYNC_MOST_MS = 60000 };

int app_key_feed_ports(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_names(value, &service->feed.ports, err);
}

int app_key_feed_methods(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_feed_methods(value, &service->feed, err);
}

int app_key_feed_sync(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    if (strcmp(value, "each") == 0) {
        service->feed.sync_ms = 0;
        return 0;
    }
    int result = key_duration(value, SYNC_LEAST_MS, SYNC_MOST_MS, &service->feed.sync_ms, err);
    return result < 0 ? error_suffix(err, "; or write each") : 0;
}

int app_key_feed_key(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_feed_key(value, &service->feed.key, err);
}

int app_key_feed_ignore(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_feed_ignore(value, &service->feed, err);
}

/* --- keys that need a mode ---------------------------------------------------------------------- */

/* Values that stand there and would never count: somebody believes in them. */
void app_check_feed(const struct scan *scan, const struct service *service, struct problems *problems)
{
    static const char *const of_requests[] = {"methods", "compare", "ignore", "body_max"};
    const struct feed *feed = &service->feed;
    const struct scan_entry *client = keys_find(scan, "feed", "client_address");
    bool bytes = feed->mode == FEED_STREAM || feed->mode == FEED_DATAGRAM;
    for (size_t i = 0; bytes && i < sizeof of_requests / sizeof *of_requests; i++) {
        if (keys_find(scan, "feed", of_requests[i]))
            problem_at_key(problems, "feed", of_requests[i],
                           "it is about requests, and with mode = %s there are none; remove it, or write mode = http",
                           feed_mode_name(feed->mode));
    }
    if (bytes && client && strcmp(client->value, "header") == 0)
        problem_at_key(problems, "feed", "client_address",
                       "with mode = %s there are no header fields; write proxy or none", feed_mode_name(feed->mode));
    if (feed->mode == FEED_DATAGRAM && feed->client == FEED_CLIENT_PROXY)
        problem_at_key(problems, "feed", "client_address",
                       "a PROXY line begins a connection, and packets have none; write none");
    if (feed->mode == FEED_HTTP && feed->compare != FEED_COMPARE_BODY && feed->ignore_count > 0)
        problem_at_key(problems, "feed", "ignore",
                       "it is what a comparison of bodies leaves out; write \"compare = body\" too, or remove it");
}
