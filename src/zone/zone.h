/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A zone as the kernel has it: network namespace with its links, cgroup (or systemd scope), and the shim that is
 * PID 1 of the zone and outlives the agent. This is the only header of the folder that agent/ needs.
 *
 * Visible traces of zone web/blue: /run/netns/bg-web-blue, host link bg1.. (by zone number), RUN/zones/web.blue/
 * (shim socket, root only), cgroup INSTANCE/web.blue or scope INSTANCE-web-blue.scope, STATE/zones/web.blue/ (log).
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/address_plan.h"
#include "model/types.h"

#include <stdint.h>
#include <sys/types.h>

/* What all zones of one agent share. Strings are borrowed and outlive the host. */
struct zone_host_options {
    const char *instance;   /* cgroup and scope names */
    const char *run_dir;    /* sockets of the shims live in RUN/zones */
    const char *state_dir;  /* logs live in STATE/zones */
    const char *shim_path;  /* the bluegreen-zone executable */
    const char *scope_path; /* the bluegreen-scope executable; NULL or missing: no systemd scopes */
    struct address_pools pools;
};

struct zone_host;

/* Finds out the cgroup situation: systemd scopes, our own part of the v2 tree, or none. */
int zone_host_open(const struct zone_host_options *options, struct zone_host **host, struct error *err);
void zone_host_close(struct zone_host *host);
/* Removes what the host itself has, after its last zone: systemd's slice of this instance. */
int zone_host_remove(struct zone_host *host, struct error *err);
/* One line for the log: which cgroup backend is used and why. */
const char *zone_host_describe(const struct zone_host *host);

struct zone_id {
    char app[APP_NAME_MAX + 1];
    enum colour colour;
    uint16_t number; /* model/address_plan.h */
};

struct zone; /* opaque; owned by the caller of zone_create or zone_adopt */

/* Makes namespace, links, addresses, routes, cgroup, and starts the shim, which waits. On failure nothing is left. */
int zone_create(struct zone_host *host, const struct zone_id *id, struct zone **zone, struct error *err);
/* Connects to the shim of a zone that a former agent made. -ENOENT: there is none (then zone_clean). */
int zone_adopt(struct zone_host *host, const struct zone_id *id, struct zone **zone, struct error *err);
/* Kills everything in the zone and removes every trace of it but the log. Frees zone. */
void zone_destroy(struct zone *zone);
/* The same without a handle, for what a crash left: idempotent. */
int zone_clean(struct zone_host *host, const struct zone_id *id, struct error *err);
/* Closes our side only; zone and shim go on. */
void zone_release(struct zone *zone);

/* What to run. Everything is resolved: no name service and no substitution is needed later. */
struct zone_launch {
    struct words argv; /* argv[0] is an absolute path */
    struct words environment;
    const char *workdir;
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* supplementary */
    size_t group_count;
    const char *hostname;      /* in the zone */
    uint32_t stop_timeout_ms;  /* SIGTERM, this long, then SIGKILL to all */
    uint32_t restart_delay_ms; /* first back-off, doubled each time up to 30 s; reset after a minute of running */
};

/* Tells the shim to run the app (again). Returns after the exec (at most 5 s), with the stage, path and errno if it
 * failed; no ZONE_EVENT_RUNNING follows. -EBUSY if it runs. Events that come meanwhile wait for zone_receive. */
int zone_start(struct zone *zone, const struct zone_launch *launch, struct error *err);
/* Asks the shim to stop the app gracefully and not restart it; ZONE_EVENT_STOPPED follows. */
int zone_stop(struct zone *zone, struct error *err);

const struct zone_addresses *zone_addresses(const struct zone *zone);
pid_t zone_shim_pid(const struct zone *zone);
/* A not yet connected socket inside the zone's network namespace, non-blocking, close-on-exec; or -errno. */
int zone_socket(struct zone *zone, int family, int type, struct error *err);
/* The zone's NETLINK_SOCK_DIAG socket, opened at creation; stays the zone's. */
int zone_diag_fd(const struct zone *zone);
/* Path of the app's log file, also of a zone that does not exist; false if cut. */
int zone_log_path_of(const struct zone_host *host, const char *app, enum colour colour, char *path, size_t size);

/* What the shim knows of the app. */
struct zone_app {
    pid_t pid; /* as the host sees it; 0 = not running */
    uint32_t restarts;
    bool exited;    /* the rest describes the last exit */
    bool signalled; /* value is a signal, else an exit code */
    int value;
    uint64_t unix_ms;
};

enum zone_event {
    ZONE_EVENT_NONE,    /* nothing complete yet */
    ZONE_EVENT_RUNNING, /* the app runs (again) */
    ZONE_EVENT_EXITED,  /* the app ended by itself; a restart follows */
    ZONE_EVENT_STOPPED, /* it ended because it was asked to, or there was nothing to end */
    ZONE_EVENT_GONE     /* the shim is dead, and with it everything in the zone */
};

/* For the loop: readable (EPOLLIN) while zone_receive has something. It never blocks; call it until ZONE_EVENT_NONE. */
int zone_event_fd(const struct zone *zone);
enum zone_event zone_receive(struct zone *zone);
const struct zone_app *zone_app(const struct zone *zone);
