/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making, adopting and removing zones. What happens in one that is there: zone_app.c. */
#include "zone/zone.h"

#include "base/cleanup.h"
#include "os/files.h"
#include "os/log.h"
#include "zone/freezer.h"
#include "zone/handle.h"
#include "zone/launch.h"
#include "zone/link.h"
#include "zone/netns.h"
#include "zone/place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    KILL_TIMEOUT_MS = 2000, /* from SIGKILL to the end of a process */
};

static const char shim_socket[] = "shim.sock";

static int too_long(const struct zone_id *id, struct error *err)
{
    return error_errno(err, ENAMETOOLONG, "the paths of zone %s/%s", id->app, colour_name(id->colour));
}

static int check_id(const struct zone_id *id, struct error *err)
{
    if (!app_name_valid(id->app) || (id->colour != BLUE && id->colour != GREEN))
        return error_set(err, EINVAL, "\"%s\" is not the name of an app", id->app);
    return 0;
}

/* --- removing -------------------------------------------------------------------------------------- */

/* PID 1 of the zone: the kernel ends everything in its namespace with it. */
static int kill_shim(int pidfd, struct error *err)
{
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        return error_errno(err, errno, "end the zone's shim");
    int count;
    do
        count = poll(&ended, 1, KILL_TIMEOUT_MS);
    while (count < 0 && errno == EINTR);
    waitid(P_PIDFD, (id_t)pidfd, NULL, WEXITED | WNOHANG); /* our child, if we started it */
    return count == 1
               ? 0
               : error_set(err, EBUSY, "the zone's shim does not end; a process in the zone hangs in the kernel");
}

/* Takes everything away, goes on after a failure, and returns the first one. */
static int erase(struct zone_host *host, const struct zone_id *id, int shim_pidfd, struct error *err)
{
    char name[ZONE_NAME_MAX + 4], directory[PATH_MAX];
    struct error first = {0}, *next = &first;
    if (!zone_netns_name(id, name) || !zone_run_path(host, id, "", directory))
        return too_long(id, err);
    if (shim_pidfd >= 0 && kill_shim(shim_pidfd, next) < 0)
        next = NULL;
    if (place_end(host, id, next) < 0)
        next = NULL;
    if (link_remove(id->number, next) < 0)
        next = NULL;
    if (netns_remove(name, next) < 0)
        next = NULL;
    if (directory_remove(directory, next) < 0)
        next = NULL;
    if (first.code == 0)
        return 0;
    if (err)
        *err = first;
    return error_prefix(err, "remove zone %s/%s", id->app, colour_name(id->colour));
}

int zone_clean(struct zone_host *host, const struct zone_id *id, struct error *err)
{
    char path[PATH_MAX];
    struct channel channel;
    int result = check_id(id, err);
    if (result < 0)
        return result;
    if (!zone_run_path(host, id, shim_socket, path))
        return too_long(id, err);
    int pidfd = -1;
    if (channel_open(&channel, path, NULL) == 0) {
        pidfd = steal_fd(&channel.shim_pidfd);
        channel_close(&channel);
    }
    result = erase(host, id, pidfd, err);
    close_fd(&pidfd);
    return result;
}

/* --- the handle ------------------------------------------------------------------------------------ */

static void zone_free(struct zone *zone)
{
    channel_close(&zone->channel);
    network_close(&zone->network);
    counters_close(&zone->counters);
    close_fd(&zone->memory_events);
    free(zone->log_path);
    free(zone->cgroup);
    free(zone->payload);
    free(zone);
}

static struct zone *zone_new(struct zone_host *host, const struct zone_id *id, struct error *err)
{
    char path[PATH_MAX];
    if (check_id(id, err) < 0)
        return NULL;
    struct zone *zone = calloc(1, sizeof *zone);
    if (!zone) {
        error_errno(err, ENOMEM, "prepare a zone");
        return NULL;
    }
    *zone = (struct zone){.host = host, .id = *id, .network = {.netns = -1, .diag = -1}, .memory_events = -1};
    zone->counters = COUNTER_FILES_NONE;
    zone->channel = CHANNEL_NONE;
    if (zone_log_path_of(host, id->app, id->colour, path, sizeof path))
        zone->log_path = strdup(path);
    if (!zone->log_path)
        error_errno(err, ENOMEM, "prepare a zone");
    if (!zone->log_path || address_plan(&host->pools, id->number, &zone->addresses, err) < 0) {
        zone_free(zone);
        return NULL;
    }
    return zone;
}

void zone_release(struct zone *zone)
{
    if (zone)
        zone_free(zone);
}

void zone_destroy(struct zone *zone)
{
    struct error err = {0};
    if (!zone)
        return;
    /* Sockets and the descriptor of the namespace first: they would keep it alive. */
    network_close(&zone->network);
    counters_close(&zone->counters);
    int result = erase(zone->host, &zone->id, zone->channel.shim_pidfd, &err);
    /* Nobody knows of the zone any more who would take away what is left; but what hangs was waited for. */
    if (result < 0 && result != -EBUSY) {
        log_warning("%s; trying again", err.text);
        err = (struct error){0};
        result = erase(zone->host, &zone->id, zone->channel.shim_pidfd, &err);
    }
    if (result < 0)
        log_error("%s", err.text);
    zone_free(zone);
}

/* --- making ---------------------------------------------------------------------------------------- */

static int make_network(struct zone *zone, struct error *err)
{
    char name[ZONE_NAME_MAX + 4];
    if (!zone_netns_name(&zone->id, name))
        return too_long(&zone->id, err);
    return network_make(name, zone->id.number, &zone->addresses, zone->host->ipv6, &zone->network, err);
}

static int make_directories(struct zone *zone, struct error *err)
{
    char path[PATH_MAX], log_directory[PATH_MAX];
    if (!zone_run_path(zone->host, &zone->id, "", path) ||
        !text_copy(log_directory, sizeof log_directory, zone->log_path))
        return too_long(&zone->id, err);
    if (mkdir(path, 0700) < 0)
        return error_errno(err, errno, "make %s", path);
    *strrchr(log_directory, '/') = '\0';
    return directory_make(log_directory, 0750, err);
}

static int bind_listener(struct zone *zone, int *listener, struct error *err)
{
    char path[PATH_MAX];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!zone_run_path(zone->host, &zone->id, shim_socket, path))
        return too_long(&zone->id, err);
    if (!text_copy(address.sun_path, sizeof address.sun_path, path))
        return error_errno(err, ENAMETOOLONG, "make the socket %s (choose a shorter --run directory)", path);
    *listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (*listener < 0 || bind(*listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(*listener, 4) < 0)
        return error_errno(err, errno, "make the socket %s", path);
    return 0;
}

/* What was killed before we looked is told by zone_usage. Without the controller there is nothing to see. */
static void watch_memory(struct zone *zone)
{
    struct epoll_event event = {.events = EPOLLPRI};
    zone->memory_events = zone->payload ? oom_watch(zone->payload) : -1;
    if (zone->memory_events < 0)
        return;
    if (!oom_read(zone->memory_events, &zone->oom) ||
        epoll_ctl(zone->channel.readable, EPOLL_CTL_ADD, zone->memory_events, &event) < 0)
        close_fd(&zone->memory_events);
}

static int open_log_directory(const struct zone *zone, int *fd, struct error *err)
{
    char path[PATH_MAX];
    text_copy(path, sizeof path, zone->log_path);
    *strrchr(path, '/') = '\0';
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return *fd < 0 ? error_errno(err, errno, "open %s", path) : 0;
}

/* *pidfd is set as soon as there is something to kill. */
static int start_shim(struct zone *zone, int *pidfd, struct error *err)
{
    char name[ZONE_NAME_MAX], directory[PATH_MAX], socket_path[PATH_MAX];
    CLEANUP_FD int listener = -1;
    CLEANUP_FD int log_directory = -1;
    CLEANUP_FD int cgroup = -1;
    if (!zone_name(&zone->id, name) || !zone_run_path(zone->host, &zone->id, "", directory) ||
        !zone_run_path(zone->host, &zone->id, shim_socket, socket_path))
        return too_long(&zone->id, err);
    int result = bind_listener(zone, &listener, err);
    if (result == 0)
        result = open_log_directory(zone, &log_directory, err);
    if (result == 0)
        result = place_make_own(zone, &cgroup, err);
    if (result < 0)
        return result;
    struct shim_launch launch = {.executable = zone->host->shim_path,
                                 .name = name,
                                 .directory = directory,
                                 .netns = zone->network.netns,
                                 .listener = listener,
                                 .log_directory = log_directory,
                                 .cgroup = cgroup};
    struct shim_launched launched;
    result = shim_launch(&launch, &launched, err);
    close_fd(&listener); /* or connecting to a shim that has ended would wait for ever */
    if (result < 0)
        return result;
    *pidfd = launched.pidfd;
    CLEANUP_FD int report = launched.report;
    result = place_make_scope(zone, launched.pid, err);
    if (result == 0)
        result = channel_open(&zone->channel, socket_path, err);
    if (result < 0)
        return shim_explain(&launched, err);
    watch_memory(zone);
    return 0;
}

int zone_create(struct zone_host *host, const struct zone_id *id, struct zone **created, struct error *err)
{
    CLEANUP_FD int pidfd = -1;
    struct zone *zone = zone_new(host, id, err);
    if (!zone)
        return err ? -err->code : -EIO;
    int result = make_directories(zone, err);
    if (result == -EEXIST) { /* somebody's zone: nothing of it may be touched */
        zone_free(zone);
        return error_suffix(err, "; the zone exists: adopt it or clean it first");
    }
    if (result == 0)
        result = make_network(zone, err);
    if (result == 0)
        result = start_shim(zone, &pidfd, err);
    if (result == 0) {
        *created = zone;
        return 0;
    }
    network_close(&zone->network);
    struct error more = {0};
    if (erase(host, id, pidfd, &more) < 0)
        log_error("%s", more.text);
    zone_free(zone);
    return error_prefix(err, "make zone %s/%s", id->app, colour_name(id->colour));
}

/* --- adopting -------------------------------------------------------------------------------------- */

/* What a former agent asked for, and perhaps did not see through. */
static int find_freezer(struct zone *zone, struct error *err)
{
    zone->frozen = zone->payload && freezer_get(zone->payload);
    const struct shim_set set = {.has_frozen = zone->channel.frozen != zone->frozen, .frozen = zone->frozen};
    return channel_set(&zone->channel, &set, err);
}

static int adopt(struct zone *zone, struct error *err)
{
    char name[ZONE_NAME_MAX + 4], path[PATH_MAX];
    if (!zone_netns_name(&zone->id, name) || !zone_run_path(zone->host, &zone->id, shim_socket, path))
        return too_long(&zone->id, err);
    int result = channel_open(&zone->channel, path, err);
    if (result == 0)
        result = network_open(name, &zone->network, err);
    if (result == 0)
        result = link_look(zone->id.number, err);
    if (result == 0)
        result = network_look(&zone->network, &zone->addresses, err);
    if (result == 0)
        result = place_find(zone, err);
    if (result == 0)
        result = find_freezer(zone, err); /* its answer comes behind what the shim says of each process */
    if (result == 0)
        result = channel_pids_known(&zone->channel, err);
    if (result == 0)
        watch_memory(zone);
    return result;
}

int zone_adopt(struct zone_host *host, const struct zone_id *id, struct zone **adopted, struct error *err)
{
    struct zone *zone = zone_new(host, id, err);
    if (!zone)
        return err ? -err->code : -EIO;
    int result = adopt(zone, err);
    if (result < 0) {
        zone_free(zone);
        error_prefix(err, "adopt zone %s/%s", id->app, colour_name(id->colour));
        return result;
    }
    *adopted = zone;
    return 0;
}
