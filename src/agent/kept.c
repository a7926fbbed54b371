/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The effective configuration of each zone, kept in STATE/zones/APP.COLOUR/app.conf as it was when the zone was staged,
 * so that a rollback or a reboot brings back what ran, whatever the file says today, but for what takes effect at once
 * (applying.c).
 */
#include "agent/kept.h"

#include "agent/agent.h"
#include "agent/applying.h"
#include "agent/launching.h"
#include "base/cleanup.h"
#include "os/files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEPT_BYTES_MAX = 1 << 20 };

void zone_directory(const struct app_zone *zone, char *path, size_t size)
{
    snprintf(path, size, "%s/zones/%s.%s", zone->app->agent->options.state_dir, zone->app->name,
             colour_name(zone->colour));
}

static void kept_path(const struct app_zone *zone, char path[PATH_MAX])
{
    char directory[PATH_MAX - 16];
    zone_directory(zone, directory, sizeof directory);
    snprintf(path, PATH_MAX, "%s/app.conf", directory);
}

int zone_keep_configuration(const struct app_zone *zone, const struct service *service, struct error *err)
{
    char directory[PATH_MAX], path[PATH_MAX];
    zone_directory(zone, directory, sizeof directory);
    kept_path(zone, path);
    int result = directory_make(directory, 0700, err);
    if (result == 0)
        result = file_write_atomic(path, 0600, service->source, service->source_length, err);
    return result < 0
               ? error_prefix(err, "keep the configuration of zone %s/%s", zone->app->name, colour_name(zone->colour))
               : 0;
}

void zone_forget_configuration(const struct app_zone *zone)
{
    char path[PATH_MAX];
    kept_path(zone, path);
    unlink(path); /* one that stays is replaced at the next staging */
}

int zone_load_configuration(struct app_zone *zone, struct error *err)
{
    char path[PATH_MAX];
    kept_path(zone, path);
    CLEANUP_FREE char *content = NULL;
    size_t length = 0;
    int result = file_read(path, KEPT_BYTES_MAX, &content, &length, err);
    if (result < 0)
        return error_prefix(err, "the kept configuration of zone %s/%s", zone->app->name, colour_name(zone->colour));
    struct service *service = calloc(1, sizeof *service);
    if (!service)
        return error_errno(err, ENOMEM, "read %s", path);
    CLEANUP_WORDS struct words problems = {0};
    if (conf_parse_app(path, content, length, service, &problems) < 0) {
        service_free(service);
        return error_set(err, EINVAL, "the kept configuration of zone %s/%s is not accepted: %s", zone->app->name,
                         colour_name(zone->colour), problems.count ? problems.items[0] : "unknown reason");
    }
    zone_forget_resolved(zone);
    service_free(zone->service);
    zone->service = service;
    zone_take_file(zone);
    return 0;
}
