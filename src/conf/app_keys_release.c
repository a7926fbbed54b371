/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [hooks], [test] and [bake]: keys whose values have a language of their own, and those that need each other. */
#include "conf/app_keys.h"

#include "model/grammar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- values ------------------------------------------------------------------------------------- */

int app_key_hook(void *target, const char *key, const char *value, struct error *err)
{
    struct service *service = target;
    for (unsigned hook = 0; hook < HOOKS; hook++) {
        if (strcmp(hook_name((enum hook)hook), key) == 0)
            return grammar_hook(value, &service->hooks[hook], err);
    }
    return error_set(err, EINVAL, "there is no such hook");
}

int app_key_pages(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    struct test_page pages[TEST_PAGES_MAX];
    size_t count;
    int result = grammar_pages(value, pages, &count, err);
    if (result < 0)
        return result;
    struct test_page *tests = calloc(count, sizeof *tests);
    if (!tests)
        return error_errno(err, ENOMEM, "keep the pages");
    memcpy(tests, pages, count * sizeof *tests);
    free(service->tests);
    service->tests = tests;
    service->test_count = count;
    return 0;
}

int app_key_errors(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_percent(value, &service->bake.errors_percent, err);
}

int app_key_keep(void *target, const char *value, struct error *err)
{
    static const uint64_t least_ms = 1000, most_ms = 365ull * 24 * 3600 * 1000;
    struct service *service = target;
    uint64_t keep_ms = 0;
    if (strcmp(value, "until-next") == 0) {
        service->keep_ms = KEEP_UNTIL_NEXT;
        return 0;
    }
    int result = strcmp(value, "no") == 0 ? 0 : grammar_duration(value, &keep_ms, err);
    if (result < 0)
        return error_suffix(err, "; or write until-next, or no");
    if (strcmp(value, "no") != 0 && (keep_ms < least_ms || keep_ms > most_ms))
        return error_set(err, ERANGE, "%.60s is out of range; it is 1s to 365d, or until-next, or no", value);
    service->keep_ms = keep_ms;
    return 0;
}

int app_key_nudge(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    if (strcmp(value, "no") == 0) {
        words_clear(&service->nudge);
        return 0;
    }
    return grammar_list(value, &service->nudge, err);
}

int app_key_releases_dir(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_string(value, &service->releases_dir, err);
}

int app_key_releases_fetch(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_command(value, &service->releases_fetch, err);
}

/* --- keys that need each other -------------------------------------------------------------------- */

static const char feed_needs_mode[] =
    "it says how the app is fed, which it is not; write \"mode = http\" too, or mode = off";

/* A value of "time = 0" or "auto = no" is a decision, and what depends on it may stay for later. Without one, somebody
 * believes to be watched who is not. */
static const struct {
    const char *section, *key;                   /* this one ... */
    const char *needs_section, *needs_key, *why; /* ... does nothing without that one */
} needs[] = {
    {"switch", "hold_max", "switch", "mode",
     "it bounds how long clients wait in a hold; write \"mode = hold\" too, or mode = overlap"},
    {"bake", "guard", "bake", "time", "it runs while a release is watched; write \"time = 10m\" too, or time = 0"},
    {"bake", "restarts", "bake", "time", "it counts while a release is watched; write \"time = 10m\" too, or time = 0"},
    {"bake", "resets", "bake", "time", "it counts while a release is watched; write \"time = 10m\" too, or time = 0"},
    {"bake", "overflows", "bake", "time",
     "it counts while a release is watched; write \"time = 10m\" too, or time = 0"},
    {"bake", "errors", "bake", "time", "it counts while a release is watched; write \"time = 10m\" too, or time = 0"},
    {"bake", "interval", "bake", "guard", "it is how often guard runs, and there is none; add one, or remove this"},
    {"schema", "expand", "schema", "needs",
     "it brings about what a release needs; write \"needs = 1\" too, or needs = 0"},
    {"schema", "check", "schema", "needs", "it checks what a release needs; write \"needs = 1\" too, or needs = 0"},
    {"schema", "contract", "schema", "needs",
     "it takes away what older releases need; write \"needs = 1\" too, or needs = 0"},
    {"schema", "revert", "schema", "needs", "it undoes expand; write \"needs = 1\" too, or needs = 0"},
    {"schema", "timeout", "schema", "needs", "there is nothing to wait for; write \"needs = 1\" too, or needs = 0"},
    {"drain", "nudge_after", "drain", "nudge",
     "it is when a connection is idle, and none is ended for that; write \"nudge = yes\" too, or nudge = no"},
    {"releases", "fetch", "releases", "dir", "it brings releases to a directory; write \"dir = /srv/...\" too"},
    {"releases", "keep", "releases", "dir", "it is how many stay in a directory; write \"dir = /srv/...\" too"},
    {"releases", "timeout", "releases", "fetch", "it is how long fetch may take, and there is none; add one"},
    {"egress", "allow", "egress", "policy",
     "it is what a closed policy lets through; write \"policy = closed\" too, or policy = open"},
    {"egress", "standby_allow", "egress", "standby",
     "it is what a fenced standby may reach; write \"standby = closed\" too, or standby = same"},
    {"feed", "ports", "feed", "mode", feed_needs_mode},
    {"feed", "methods", "feed", "mode", feed_needs_mode},
    {"feed", "sync", "feed", "mode", feed_needs_mode},
    {"feed", "journal_max", "feed", "mode", feed_needs_mode},
    {"feed", "lanes", "feed", "mode", feed_needs_mode},
    {"feed", "key", "feed", "mode", feed_needs_mode},
    {"feed", "compare", "feed", "mode", feed_needs_mode},
    {"feed", "ignore", "feed", "mode", feed_needs_mode},
    {"feed", "client_address", "feed", "mode", feed_needs_mode},
    {"feed", "in_doubt", "feed", "mode", feed_needs_mode},
    {"feed", "body_max", "feed", "mode", feed_needs_mode},
    {"feed", "wait", "feed", "mode", feed_needs_mode},
    {"feed", "seed", "feed", "mode", feed_needs_mode},
    {"feed", "seed_on", "feed", "seed", "it is when seed is run, and there is none; add one"},
    {"feed", "seed_timeout", "feed", "seed", "it is how long seed may take, and there is none; add one"},
    {"hooks", "on_failover", "failover", "auto",
     "it runs when the agent fails over, which it does not; write \"auto = yes\" in [failover], or auto = no"},
};

void app_check_release(const struct scan *scan, struct problems *problems)
{
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        const struct scan_entry *entry = keys_find(scan, needs[i].section, needs[i].key);
        if (entry && !entry->refused && !keys_find(scan, needs[i].needs_section, needs[i].needs_key))
            problem_at_key(problems, needs[i].section, needs[i].key, "%s", needs[i].why);
    }
}
