/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports: who else listens on them on the host, who else translates them, and who listens behind them in the zones. */
#include "agent/doctor_look.h"

#include "agent/zones.h"
#include "base/cleanup.h"
#include "os/files.h"
#include "traffic/listeners.h"
#include "traffic/nft_translations.h"
#include "zone/host.h"
#include "zone/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIRECTORIES_MAX = 20000, PROCESSES_LOOKED_AT = 20000, TARGETS_MAX = 16, TRANSLATIONS_TOLD = 16 };

static bool covers(const struct port *port, enum protocol protocol, unsigned first, unsigned last)
{
    return (protocol == 0 || port->protocol == protocol) && first < port->published + port_span(port) &&
           last >= port->published;
}

static const char *port_text(const struct port *port, char text[PORT_LISTEN_TEXT_MAX + 8])
{
    char listen[PORT_LISTEN_TEXT_MAX];
    snprintf(text, PORT_LISTEN_TEXT_MAX + 8, "%s/%s", port_listen_format(port, listen), protocol_name(port->protocol));
    return text;
}

/* --- whose a socket is ------------------------------------------------------------------------------ */

/* The cgroup's directory, by its inode. */
static bool find_cgroup(const char *root, uint64_t id, char path[PATH_MAX])
{
    char *const roots[] = {(char *)root, NULL};
    FTS *tree = root[0] ? fts_open(roots, FTS_PHYSICAL | FTS_XDEV, NULL) : NULL;
    bool found = false;
    unsigned seen = 0;
    for (FTSENT *entry; tree && !found && seen < DIRECTORIES_MAX && (entry = fts_read(tree));) {
        if (entry->fts_info != FTS_D)
            continue;
        seen++;
        found = entry->fts_statp->st_ino == id && text_copy(path, PATH_MAX, entry->fts_path);
    }
    if (tree)
        fts_close(tree);
    return found;
}

/* "nginx.service" of ".../system.slice/nginx.service/...". */
static void unit_of(const char *path, char *unit, size_t size)
{
    const char *service = strstr(path, ".service"), *start = service;
    unit[0] = '\0';
    while (start && start > path && start[-1] != '/')
        start--;
    if (service)
        snprintf(unit, size, "%.*s.service", (int)(service - start), start);
}

/* With the ids of its user, who may look at it: the agent has no right to look at everybody's. */
static bool has_socket(const char *pid, uint32_t inode)
{
    char path[64 + NAME_MAX], wanted[32], target[64];
    struct stat owner;
    bool found = false;
    snprintf(path, sizeof path, "/proc/%s", pid);
    if (stat(path, &owner) < 0)
        return false;
    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    snprintf(wanted, sizeof wanted, "socket:[%u]", inode);
    setfsgid(owner.st_gid);
    setfsuid(owner.st_uid);
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && !found && (entry = readdir(directory));) {
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        found = strcmp(target, wanted) == 0;
    }
    if (directory)
        closedir(directory);
    setfsuid(0);
    setfsgid(0);
    return found;
}

static void find_process(uint32_t inode, struct doctor_squatter *squatter, char command[64])
{
    CLEANUP_DIR DIR *processes = opendir("/proc");
    unsigned seen = 0;
    for (struct dirent *entry; processes && seen < PROCESSES_LOOKED_AT && (entry = readdir(processes));) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        seen++;
        if (!has_socket(entry->d_name, inode))
            continue;
        char path[32 + NAME_MAX];
        snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
        file_peek(path, command, 64, NULL);
        squatter->pid = atoll(entry->d_name);
        return;
    }
}

static void tell_squatter(struct look *look, const struct app *app, const struct port *port, bool preview,
                          const struct listener *listener)
{
    char text[PORT_LISTEN_TEXT_MAX + 8], command[64] = "", cgroup[PATH_MAX], unit[128] = "";
    struct doctor_squatter squatter = {.app = app->name,
                                       .port = port_text(port, text),
                                       .live = doctor_live_zone(app) != NULL,
                                       .preview = preview,
                                       .command = command,
                                       .unit = unit,
                                       .uid = listener->uid};
    if (listener->cgroup && find_cgroup("/sys/fs/cgroup", listener->cgroup, cgroup))
        unit_of(cgroup, unit, sizeof unit);
    find_process(listener->inode, &squatter, command);
    doctor_judge_squatter(&look->doctor, &squatter);
}

/* --- the host ---------------------------------------------------------------------------------------- */

/* A port of one address does not take what is bound to another one. */
static bool same_place(const struct port *port, const struct listener *listener)
{
    return covers(port, listener->protocol, listener->port, listener->port) &&
           (port->listen.family == 0 || listener_anywhere(listener) || address_equal(&port->listen, &listener->at));
}

static void look_at_port(struct look *look, const struct app *app, const struct port *port, bool preview,
                         const struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        if (!same_place(port, &listeners->items[i]))
            continue;
        tell_squatter(look, app, port, preview, &listeners->items[i]);
        return; /* one process for each port is enough to know */
    }
}

static void look_at_squatters(struct look *look, const struct app *app, const struct service *service,
                              const struct listeners *listeners)
{
    for (size_t i = 0; i < service->port_count; i++)
        look_at_port(look, app, &service->ports[i], false, listeners);
    for (size_t i = 0; i < service->preview.port_count; i++)
        look_at_port(look, app, &service->preview.ports[i], true, listeners);
}

static void look_at_translations(struct look *look, const struct app *app, const struct service *service,
                                 const struct translations *translations)
{
    char text[PORT_LISTEN_TEXT_MAX + 8];
    unsigned told = 0;
    for (size_t i = 0; i < translations->count; i++) {
        const struct translation *found = &translations->items[i];
        for (size_t j = 0; j < service->port_count && told < TRANSLATIONS_TOLD; j++) {
            if (!covers(&service->ports[j], found->protocol, found->first, found->last))
                continue;
            const struct doctor_translation translation = {.app = app->name,
                                                           .port = port_text(&service->ports[j], text),
                                                           .family = firewall_family_name(found->family),
                                                           .table = found->table,
                                                           .chain = found->chain,
                                                           .handle = found->handle};
            doctor_judge_translation(&look->doctor, &translation);
            told++;
        }
    }
}

/* --- the zones --------------------------------------------------------------------------------------- */

static int list_inside(void *context, struct error *err)
{
    return listeners_list(context, err);
}

static void look_at_target(struct look *look, const struct app_zone *zone, const struct port *port,
                           const struct listeners *listeners)
{
    struct doctor_target target = {.app = zone->app->name,
                                   .colour = zone->colour,
                                   .target = port->target,
                                   .live = zone == doctor_live_zone(zone->app),
                                   .loopback_only = true};
    for (size_t i = 0; i < listeners->count; i++) {
        const struct listener *listener = &listeners->items[i];
        if (listener->port != port->target || listener->protocol != port->protocol)
            continue;
        target.any = true;
        target.loopback_only &= listener_loopback(listener);
    }
    doctor_judge_target(&look->doctor, &target);
}

/* Only where the app is ready for clients: one that starts may not listen yet. */
static bool serves(const struct app_zone *zone)
{
    bool ready = zone->state == ZONE_LIVE || zone->state == ZONE_HEALTHY || zone->state == ZONE_STANDBY ||
                 zone->state == ZONE_DRAINING || zone->state == ZONE_FROZEN;
    return ready && zone->service && zone->kernel && !zone->closing;
}

static void look_inside(struct look *look, const struct app_zone *zone)
{
    char name[ZONE_NAME_MAX + 4];
    struct zone_id id;
    struct listeners listeners = {0};
    struct error err = {0};
    CLEANUP_FD int netns = -1;
    zone_id_of(zone, &id);
    int result = zone_netns_name(&id, name) ? netns_open(name, &netns, &err) : -ENAMETOOLONG;
    if (result == 0)
        result = netns_run(netns, list_inside, &listeners, &err);
    for (size_t i = 0; result == 0 && i < zone->service->port_count && i < TARGETS_MAX; i++)
        look_at_target(look, zone, &zone->service->ports[i], &listeners);
    listeners_clear(&listeners);
    if (result < 0)
        doctor_failed(look, DOCTOR_LISTENING, &err);
}

static void look_at_app(struct look *look, const struct app *app, const struct listeners *listeners,
                        const struct translations *translations)
{
    const struct app_zone *live = doctor_live_zone(app);
    const struct service *service = live ? live->service : app->service;
    if (service) {
        look_at_squatters(look, app, service, listeners);
        look_at_translations(look, app, service, translations);
    }
    for (int colour = 0; colour < COLOURS; colour++) {
        if (serves(&app->zones[colour]))
            look_inside(look, &app->zones[colour]);
    }
}

void doctor_look_at_ports(struct look *look)
{
    struct listeners listeners = {0};
    struct translations translations = {0};
    struct error err = {0};
    struct app *app;
    if (listeners_list(&listeners, &err) < 0)
        doctor_failed(look, DOCTOR_PORTS, &err);
    else
        doctor_looked(&look->doctor, DOCTOR_PORTS);
    if (translations_list(&translations, &err) < 0)
        doctor_failed(look, DOCTOR_TRANSLATED, &err);
    else
        doctor_looked(&look->doctor, DOCTOR_TRANSLATED);
    list_for_each(app, &look->agent->apps, link)
    {
        if (doctor_wants(look, app))
            look_at_app(look, app, &listeners, &translations);
    }
    listeners_clear(&listeners);
    translations_clear(&translations);
}
