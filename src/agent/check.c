/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Are the configuration files right? Apart from run.c because it asks before there is an agent, or beside one. */
#include "agent/run.h"

#include "agent/reload.h"
#include "base/cleanup.h"
#include "conf/conf.h"
#include "conf/resolve.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What no key of [feed] mends, said once where it is configured and not in every log: "FILE: [feed] mode: ...". */
static void note_feed(const char *path, const struct service *service, struct words *notes)
{
    static const char *const texts[] = {
        [FEED_HTTP] =
            "ids, sessions and times that the app makes up differ between the zones and are shown as divergence; "
            "TLS inside the port and HTTP/2 cannot be read; upgrades and bodies over body_max pass and are not "
            "fed; after a crash \"once\" needs an app that honours Idempotency-Key: bluegreen.conf(5)",
        [FEED_STREAM] =
            "nobody can tell whether the app has done with the bytes that it was sent, so a switch or a crash "
            "may cut between two parts of what belongs together: bluegreen.conf(5)",
        [FEED_DATAGRAM] =
            "nobody can tell whether the app has done with the packets that it was sent, so a switch or a "
            "crash may cut between two that belong together: bluegreen.conf(5)",
    };
    char note[PATH_MAX + 512];
    if (service->feed.mode == FEED_OFF)
        return;
    snprintf(note, sizeof note, "%s: [feed] mode: %s", path, texts[service->feed.mode]);
    words_add(notes, note);
}

static void warn_of_apps(const char *directory, const struct app_set *set, struct words *warnings, struct words *notes)
{
    for (size_t i = 0; i < set->count; i++) {
        char path[PATH_MAX + APP_NAME_MAX + 8];
        snprintf(path, sizeof path, "%s/%s.conf", directory, set->services[i]->name);
        conf_app_warnings(path, set->services[i], warnings);
        note_feed(path, set->services[i], notes);
    }
}

static int tell_check(const struct words *problems, const struct words *warnings, const struct words *notes)
{
    for (size_t i = 0; i < problems->count; i++)
        fprintf(stderr, "%s\n", problems->items[i]);
    for (size_t i = 0; i < warnings->count; i++)
        fprintf(stderr, "warning: %s\n", warnings->items[i]);
    for (size_t i = 0; i < notes->count; i++)
        fprintf(stderr, "note: %s\n", notes->items[i]);
    return problems->count ? -EINVAL : 0;
}

int agent_check(const struct agent_options *options, char *const files[], int count)
{
    CLEANUP_WORDS struct words problems = {0}, warnings = {0}, notes = {0};
    char path[PATH_MAX];
    if (count == 0) {
        struct agent_conf conf;
        struct app_set set = {0};
        char missing[PATH_MAX + 80];
        snprintf(missing, sizeof missing, "%s does not exist; make it, or name the files that are to be checked",
                 options->config_dir);
        if (access(options->config_dir, F_OK) < 0)
            words_add(&problems, missing);
        snprintf(path, sizeof path, "%s/bluegreen.conf", options->config_dir);
        bool usable = conf_load_agent(path, &conf, &problems) == 0;
        snprintf(path, sizeof path, "%s/apps", options->config_dir);
        conf_load_apps(path, &set, &problems);
        check_host(options->config_dir, usable ? &conf.pools : NULL, &set, &problems);
        warn_of_apps(path, &set, &warnings, &notes);
        app_set_clear(&set);
    }
    for (int i = 0; i < count; i++) {
        const char *slash = strrchr(files[i], '/');
        if (text_equal(slash ? slash + 1 : files[i], "bluegreen.conf")) {
            struct agent_conf conf;
            conf_load_agent(files[i], &conf, &problems);
            continue;
        }
        CLEANUP_SERVICE struct service service = {0};
        if (conf_load_app(files[i], &service, &problems) < 0)
            continue;
        conf_check_host(files[i], &service, &problems);
        conf_app_warnings(files[i], &service, &warnings);
        note_feed(files[i], &service, &notes);
    }
    return tell_check(&problems, &warnings, &notes);
}
