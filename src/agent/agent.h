/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent (monitor): events come in, the tables of model/machine.h decide, the drivers of the floors below act. This
 * header is the folder's own; others need only agent/run.h.
 *
 * Who owns what: the agent owns the apps, an app its two zones, a zone its kernel handle, its verdict and its drain.
 * A request is a client waiting for an answer; an operation or drain goes on without it.
 */
#pragma once

#include "agent/run.h"
#include "base/error.h"
#include "base/list.h"
#include "conf/conf.h"
#include "health/prober.h"
#include "journal/journal.h"
#include "model/machine.h"
#include "model/service.h"
#include "model/verdict.h"
#include "model/wire.h"
#include "os/loop.h"
#include "os/process.h"
#include "traffic/traffic.h"
#include "zone/zone.h"

struct agent;
struct app;

/* Counts a zone's connections until they are gone or the time is over. */
struct drain {
    struct loop_timer *timer;           /* NULL: no drain */
    uint64_t operation_ms, deadline_ms; /* when its operation began; when the time is over */
    uint32_t most, last;                /* connections at the most, and at the last look */
    bool zero_seen;                     /* the last look found none; a second in a row ends it */
    bool passive;                       /* only watched for a waiting client: ends nothing, cuts nothing */
    struct wire_receipt receipt;        /* of the switch that began it; header unused */
    bool has_receipt;
};

struct app_zone {
    struct app *app;
    enum colour colour;
    enum zone_state state;
    char release[RELEASE_NAME_MAX + 1];
    char reason[WIRE_TEXT_MAX + 1]; /* why failed */
    struct service *service;        /* the configuration it was staged with; NULL while absent */
    struct zone *kernel;            /* NULL while it has none */
    struct loop_source *shim_source;
    struct loop_timer *close_timer;   /* armed while closing: the shim's last moment */
    bool closing;                     /* the app was asked to stop, the zone goes when it has */
    struct loop_timer *rebuild_timer; /* a lost zone that could not be rebuilt is tried again */
    uint32_t rebuild_failures;
    struct verdict_tracker tracker;
    struct loop_timer *probe_timer;
    bool probe_running;
    uint64_t probe_id;
    struct drain drain;
    uint64_t tcp_counted_ms, udp_counted_ms; /* when status last counted; 0 = never */
    uint32_t tcp_count, udp_count;
};

struct operation {
    const enum step *plan; /* NULL: none */
    size_t at;
    enum wire_verb verb;
    enum colour target;
    int from; /* live when it began: enum colour or -1 */
    bool force;
    char release[RELEASE_NAME_MAX + 1];
    char who[WIRE_WHO_MAX + 1];
    uint64_t begun_ms, begun_unix_ms;
    struct wire_receipt receipt; /* filled by the switch */
    bool staged;                 /* the target zone is this operation's: failing gives it up */
    bool switched;
};

struct app {
    struct list link;
    struct agent *agent;
    char name[APP_NAME_MAX + 1];
    uint16_t index;
    bool indexed;            /* the journal knows the index */
    struct service *service; /* as configured now; NULL if its file is gone */
    enum app_state state;
    int live; /* enum colour or -1; remembered while stopped */
    struct app_zone zones[COLOURS];
    struct operation operation;
    struct loop_timer *step_timer;
};

enum request_wait { WAIT_OPERATION, WAIT_DRAIN };

struct request {
    struct list link;
    uint64_t client, id;
    struct app *app;
    enum request_wait wait;
};

struct client {
    struct list link;
    uint64_t id;
    uid_t uid;
    bool may_operate;
    char who[WIRE_WHO_MAX + 1]; /* "" until client_name was asked */
};

struct role {
    struct process process;
    struct loop_source *source, *exit_source;
    struct loop_timer *respawn_timer;
    uint32_t failures;
};

struct agent {
    struct agent_options options;
    struct agent_conf conf;
    struct loop *loop;
    struct journal *journal;
    bool journal_broken;              /* the last append failed */
    struct loop_timer *journal_timer; /* while it is: tries again */
    int network_claim, names_claim;   /* descriptors; -1 until claims_take */
    struct zone_host *zone_host;
    struct traffic *traffic;
    struct prober *prober;
    struct list apps, requests, clients;
    int listen_fd;
    struct loop_source *listen_source, *watch_source;
    struct loop_timer *listen_timer; /* armed while no connection can be accepted */
    uint64_t last_client_id;
    gid_t operator_gid;
    bool have_operator_gid;
    struct role api;
};

static inline struct app_zone *zone_of(struct app *app, enum colour colour)
{
    return &app->zones[colour];
}

/* --- apps.c ------------------------------------------------------------------------------------- */
struct app *app_find(struct agent *agent, const char *name);
/* Finds or makes one, with the lowest free index; it becomes the journal's when first staged. */
int app_get(struct agent *agent, const char *name, struct app **app, struct error *err);
void app_free(struct app *app);
/* True while it has nothing but possibly a configuration: may be forgotten. */
bool app_is_empty(const struct app *app);
/* Ports of other apps' present zones that would conflict with these. */
int app_check_ports(struct app *app, const struct service *service, struct error *err);

/* --- zones.c ------------------------------------------------------------------------------------ */
/* Applies the table: performs the actions and sets the state. -EPROTO for an impossible change (logged). */
int zone_change(struct app_zone *zone, enum zone_change change);
void zone_set_reason(struct app_zone *zone, const char *format, ...) __attribute__((format(printf, 2, 3)));
int zone_build(struct app_zone *zone, struct error *err);         /* kernel objects and shim */
int zone_run_app(struct app_zone *zone, struct error *err);       /* executes the app */
int zone_adopt_running(struct app_zone *zone, struct error *err); /* -ENOENT: its shim is gone */
void zone_watch(struct app_zone *zone);
bool zone_busy(const struct app_zone *zone); /* has kernel objects or is closing */
void zone_id_of(const struct app_zone *zone, struct zone_id *id);
void zone_dispose(struct app_zone *zone); /* frees what the agent holds; the kernel's side goes on */
int zone_keep_configuration(const struct app_zone *zone, const struct service *service, struct error *err);
void zone_forget_configuration(const struct app_zone *zone);
int zone_load_configuration(struct app_zone *zone, struct error *err);
void zone_directory(const struct app_zone *zone, char *path, size_t size);

/* --- probing.c ---------------------------------------------------------------------------------- */
void probing_start(struct app_zone *zone);
void probing_stop(struct app_zone *zone);
void probing_now(struct app_zone *zone); /* the next probe is due at once */

/* --- drains.c ----------------------------------------------------------------------------------- */
void drain_start(struct app_zone *zone);
/* The receipt that waiting clients get when it ends. */
void drain_set_receipt(struct app_zone *zone, const struct wire_receipt *receipt, uint64_t operation_ms);
/* Ends it without touching connections. why: for waiting clients, whose operation came to nothing. */
void drain_stop(struct app_zone *zone, const char *why);
/* Ends it because the zone is gone, and its connections with it: whoever waits gets the receipt, they count as cut. */
void drain_lost(struct app_zone *zone);
/* For `drain APP` on a zone that is not draining. */
int drain_watch(struct app_zone *zone, struct error *err);
uint32_t zone_count_tcp(struct app_zone *zone);

/* --- routing.c ---------------------------------------------------------------------------------- */
/* Sends the apps' present state to the kernel. */
int routing_apply(struct agent *agent, struct transaction *transaction, struct error *err);
/* The transaction of a switch, and what follows it: flows of the old zone released. Changes app->live only on
 * success. */
int routing_switch(struct app *app, enum colour to, struct transaction *transaction, struct error *err);
int routing_unpublish(struct app *app, struct error *err);

/* --- operations.c, steps.c ---------------------------------------------------------------------- */
int operation_begin(struct app *app, enum wire_verb verb, enum colour target, const char *release, bool force,
                    const char *who, struct error *err);
static inline bool operation_running(const struct app *app)
{
    return app->operation.plan != NULL;
}
static inline enum step operation_step(const struct app *app)
{
    return app->operation.plan ? app->operation.plan[app->operation.at] : STEP_IDLE;
}
/* Feeds an event to the app's operation; the reason (may be NULL) is what a failure will say. -EPERM: refused by the
 * table. */
int operation_event(struct app *app, enum step_event event, const char *reason);
void operation_zone_closed(struct app_zone *zone);
void step_enter(struct app *app, enum step step);
/* One progress line to everybody who waits for this app. */
void progress(struct app *app, enum colour zone, const char *step, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void progress_count(struct app *app, enum colour zone, const char *step, uint32_t connections);

/* --- records.c ---------------------------------------------------------------------------------- */
/* Appends; a failure is logged once and remembered. */
int agent_record(struct agent *agent, struct record *record, struct error *err);
void record_zone(struct app_zone *zone);
int record_live(struct app *app, struct error *err);
int record_app(struct app *app, struct error *err);
int record_app_state(struct app *app, struct error *err);
int record_begin(struct app *app, struct error *err);
void record_end(struct app *app, bool done, const char *reason);

/* --- requests.c, clients.c, status.c ------------------------------------------------------------ */
void request_handle(struct agent *agent, const struct wire_request *request, size_t length);
void requests_end(struct app *app, enum request_wait wait, enum wire_result result, const struct wire_receipt *receipt,
                  const char *text);
void requests_move_to_drain(struct app *app);
void requests_of_client_gone(struct agent *agent, uint64_t client);
void reply_end(struct agent *agent, uint64_t client, uint64_t id, enum wire_result result, const char *text);
/* Binds the control socket and sees that the role's user is there; clients_open starts to accept. */
int clients_listen(struct agent *agent, struct error *err);
int clients_open(struct agent *agent, struct error *err);
void clients_close(struct agent *agent);
void client_send(struct agent *agent, void *message, uint64_t client, uint64_t request, enum wire_type type,
                 size_t length);
struct client *client_find(struct agent *agent, uint64_t id);
/* "alice (uid 1000)" for who may operate, "uid 1001" for others: looking a name up may take a name server's time, and
 * only those who could stop everything anyway may cost it. */
const char *client_name(struct client *client);
void status_fill(struct app *app, struct wire_status *status);
void status_history(const struct record *record, struct wire_history *entry);

/* --- claims.c ---------------------------------------------------------------------------------- */
/* -EBUSY if another agent has this network namespace or this /run/netns. */
int claims_take(struct agent *agent, struct error *err);
void claims_release(struct agent *agent);

/* --- recovery.c, reload.c ----------------------------------------------------------------------- */
int recover(struct agent *agent, const struct fold *fold, struct error *err);
/* All of it or nothing. problems gets one line each; notes what waits for the next release. */
/* at_start: accounts and executables that are missing keep nobody else from coming back, and are not looked for. */
int reload(struct agent *agent, bool at_start, struct words *problems, struct text *notes);
/* What the files say of the host: accounts, executables, routes (pools may be NULL: not looked at). -EINVAL with
 * problems. */
int check_host(const char *config_dir, const struct address_pools *pools, const struct app_set *set,
               struct words *problems);
/* The one app's file as it is on disk now, checked against the others. */
int reload_app(struct agent *agent, const char *name, struct app **app, struct words *problems);
