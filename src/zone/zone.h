/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A zone as the kernel has it: network namespace with its links, cgroup (or systemd scope), and the shim that is
 * PID 1 of the zone and outlives the agent.
 *
 * Visible traces of zone web/blue: /run/netns/bg-web-blue, host link bg1.. (by zone number), RUN/zones/web.blue/
 * (shim socket, root only), cgroup INSTANCE/web.blue or scope INSTANCE-web-blue.scope, STATE/zones/web.blue/ (log).
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/address_plan.h"
#include "model/service.h"
#include "model/shim_protocol.h"
#include "model/types.h"
#include "model/view.h"

#include <stdint.h>
#include <sys/types.h>

/* What all zones of one agent share. Strings are borrowed and outlive the host. */
struct zone_host_options {
    const char *instance;   /* cgroup and scope names */
    const char *run_dir;    /* sockets of the shims live in RUN/zones */
    const char *state_dir;  /* logs live in STATE/zones */
    const char *shim_path;  /* the bluegreen-zone executable */
    const char *scope_path; /* the bluegreen-scope executable; NULL or missing: no systemd scopes */
    const char *config_dir; /* hidden from apps, as state_dir is */
    struct address_pools pools;
};

struct zone_host;

/* Finds out the cgroup situation: systemd scopes, our own part of the v2 tree, or none. */
int zone_host_open(const struct zone_host_options *options, struct zone_host **host, struct error *err);
void zone_host_close(struct zone_host *host);
/* Removes what the host itself has, after its last zone: systemd's slice of this instance. */
int zone_host_remove(struct zone_host *host, struct error *err);
/* A process for this app which is to outlive the agent: moved out of the agent's unit into a scope of its own, which
 * ends with it, or with the slice. Without systemd nothing is to be done. */
int zone_host_keep(struct zone_host *host, const char *app, const char *what, pid_t pid, struct error *err);
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
    const char *hostname;     /* in the zone */
    const char *process;      /* NULL = the app's main process */
    uint32_t stop_timeout_ms; /* stop_signal, this long, then cgroup.kill */
    int stop_signal;
    struct restart restart; /* the back-off is reset after a minute of running */
    const struct sandbox *sandbox;
    const struct view_file *files;
    size_t file_count;
    uint32_t open_files; /* 0 = as the agent's */
    bool live;           /* the kernel is to take others first when memory runs out */
    bool notify;
    uint32_t watchdog_ms;
    uint32_t deadline_ms; /* not 0: runs once, no longer than this; ZONE_EVENT_ENDED tells how it ended */
    const int *stdio;     /* three descriptors, borrowed, or NULL: runs once with them; ZONE_EVENT_ENDED */
    bool terminal;        /* stdio[0] becomes its controlling terminal */
    /* Those with `activated` are listened to from before its start on, and handed over (sd_listen_fds). */
    const struct port *ports;
    size_t port_count;
};

/*
 * Tells the shim to run a process (again). Returns after the exec (at most 5 s), with the stage, path and errno if it
 * failed; no ZONE_EVENT_RUNNING follows. -EBUSY if it runs. Events that come meanwhile wait for zone_receive.
 * What runs once is not waited for, because the app could hold it up as often as it likes: if it cannot be executed,
 * that is its ZONE_EVENT_ENDED.
 */
int zone_start(struct zone *zone, const struct zone_launch *launch, struct error *err);
/* Is something on its way to its exec that runs once, and whose name begins so? */
bool zone_starting(const struct zone *zone, const char *prefix);
/* Asks the shim to stop a process (NULL: everything) gracefully and not restart it; ZONE_EVENT_STOPPED follows, at once
 * if there is nothing to end. */
int zone_stop(struct zone *zone, const char *process, struct error *err);
/* Stops or lets go on everything in the zone but the shim. Returns when the kernel says so (at most 1 s). Watchdog
 * and restarts rest meanwhile. -EOPNOTSUPP without cgroup v2. */
int zone_freeze(struct zone *zone, bool frozen, struct error *err);
/* Whom the kernel takes first when memory runs out: anybody before the live zone. */
int zone_set_live(struct zone *zone, bool live, struct error *err);

/* Clients of the zone wait in the kernel, however long that takes (up to ten minutes), until they are let in. About a
 * millisecond each. */
int zone_plug(struct zone *zone, struct error *err);
int zone_unplug(struct zone *zone, struct error *err);
bool zone_plugged(const struct zone_host *host, const struct zone_id *id); /* as the kernel has it; false: no zone */

/* --- limits and figures ------------------------------------------------------------------------------ */

/* Sets them for all that runs in the zone now and later; what is 0 is lifted. -EOPNOTSUPP, with the controllers that
 * are missing, where the host cannot. */
int zone_limit(struct zone *zone, const struct limits *limits, struct error *err);
/* "memory cpu pids io" as far as this host has them for zones, "" for none. */
const char *zone_host_controllers(const struct zone_host *host);

struct zone_usage {
    bool known;     /* false without the memory controller: memory is estimated then, from the processes */
    bool cpu_known; /* false without cgroup v2 */
    bool tasks_known;
    uint64_t memory;       /* bytes, without what the kernel can take back (inactive file pages) */
    uint64_t memory_peak;  /* bytes, 0 = unknown */
    uint64_t cpu_us;       /* since the zone was made */
    uint64_t throttled_us; /* of it, waiting because of [limits] cpu */
    uint32_t tasks;
    uint32_t oom_kills; /* processes that the kernel killed because memory ran out, since the zone was made */
    uint32_t memory_limit_hits, tasks_limit_hits;
};

/* Some 50 us. */
void zone_usage(struct zone *zone, struct zone_usage *usage);

/* Of TCP, and datagrams of UDP, since the zone was made. */
struct zone_counters {
    uint64_t connections; /* that were accepted, but for those that the agent says are its own */
    uint64_t datagrams;   /* that came for a socket */
    uint64_t resets_sent;
    uint64_t listen_overflows; /* connections that found the queue of a listening socket full */
};

/* Some 40 us, the first time a thread more. Opens three files that it keeps. */
int zone_counters(struct zone *zone, struct zone_counters *counters, struct error *err);
/* The agent has made so many connections to the app. Remembered as long as the zone is there. */
void zone_count_own(const struct zone *zone, uint32_t connections);
/* What could be given to a new zone now without taking it from anybody: the host's MemAvailable, or less where a cgroup
 * above the zones is limited. 0 if nobody can tell. */
uint64_t zone_host_memory_available(const struct zone_host *host);

const struct zone_addresses *zone_addresses(const struct zone *zone);
pid_t zone_shim_pid(const struct zone *zone);
/* A not yet connected socket inside the zone's network namespace, non-blocking, close-on-exec; or -errno. */
int zone_socket(struct zone *zone, int family, int type, struct error *err);
/* The zone's NETLINK_SOCK_DIAG socket, opened at creation; stays the zone's. */
int zone_diag_fd(const struct zone *zone);
/* Path of the app's log file, also of a zone that does not exist; false if cut. */
bool zone_log_path_of(const struct zone_host *host, const char *app, enum colour colour, char *path, size_t size);

#define ZONE_REASON_MAX 320

/* What the shim knows of a process. */
struct zone_app {
    char name[PROCESS_NAME_MAX + 1]; /* "" = main */
    pid_t pid;                       /* as the host sees it; 0 = not running */
    uint32_t restarts;
    bool exited;    /* the next three describe the last exit */
    bool signalled; /* value is a signal, else an exit code */
    int value;
    uint64_t unix_ms;
    bool ready;    /* it said READY=1 */
    bool stopping; /* it was asked to end */
    bool over;     /* it ended, and its policy does not start it again */
    uint32_t watchdog_hits;
    uint32_t exit_ages_ms[SHIM_EXITS_MAX]; /* when the shim was met: how long ago the last exits were, newest first */
    size_t exit_count;
    /* ZONE_EVENT_ENDED only: if not 0, it was never executed, and why */
    int start_error;
    char reason[ZONE_REASON_MAX];
    bool timed_out;                   /* ZONE_EVENT_ENDED only: it was not done by its deadline, and was killed */
    char output[SHIM_OUTPUT_MAX + 1]; /* ZONE_EVENT_ENDED only */
};

enum zone_event {
    ZONE_EVENT_NONE,     /* nothing complete yet */
    ZONE_EVENT_RUNNING,  /* the process runs (again) */
    ZONE_EVENT_EXITED,   /* it ended by itself; a restart follows */
    ZONE_EVENT_STOPPED,  /* it ended because it was asked to, or there was nothing to end; name "": everything did */
    ZONE_EVENT_NOTIFIED, /* its readiness changed */
    ZONE_EVENT_ENDED,    /* it ended and is not started again */
    ZONE_EVENT_OOM,      /* memory ran out: zone_usage tells more */
    ZONE_EVENT_GONE      /* the shim is dead, and with it everything in the zone */
};

/* For the loop: readable (EPOLLIN) while zone_receive has something. It never blocks; call it until ZONE_EVENT_NONE. */
int zone_event_fd(const struct zone *zone);
/* *about, which may be NULL, says whom the event is about and what is known of it. */
enum zone_event zone_receive(struct zone *zone, struct zone_app *about);
const struct zone_app *zone_app(const struct zone *zone); /* main */
/* Those that are known beside main, in no order. */
const struct zone_app *zone_processes(const struct zone *zone, size_t *count);
const struct zone_app *zone_process(const struct zone *zone, const char *name); /* NULL = unknown */
bool zone_frozen(const struct zone *zone);

/* --- connections that rest ---------------------------------------------------------------------------- */

/* Asks the shim to have the app close these, at most SHIM_SOCKETS_MAX, unless anything has happened on them within
 * idle_ms. Does not wait. -EOPNOTSUPP: the shim is too old to know how. */
int zone_nudge(struct zone *zone, const struct shim_socket *sockets, size_t count, uint32_t idle_ms, struct error *err);
/* How many it has told of so far, since this agent met it. */
uint32_t zone_nudged(const struct zone *zone);
