/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent (monitor): events come in, the tables of model/machine.h decide, the drivers of the floors below act. This
 * header is the folder's own; others need only agent/run.h.
 *
 * Who owns what: the agent owns the apps, an app its two zones, a zone its kernel handle, its verdict and its drain.
 * A request is a client waiting for an answer; an operation or drain goes on without it.
 */
#pragma once

#include "agent/app.h"
#include "agent/host.h"
#include "agent/run.h"
#include "base/error.h"
#include "base/list.h"
#include "conf/conf.h"
#include "health/prober.h"
#include "journal/journal.h"
#include "model/machine.h"
#include "model/service.h"
#include "model/turns.h"
#include "model/verdict.h"
#include "model/wire.h"
#include "os/loop.h"
#include "os/process.h"
#include "os/system_journal.h"
#include "traffic/traffic.h"
#include "zone/zone.h"

struct group_answer;
struct checkup;
enum request_wait { WAIT_OPERATION, WAIT_DRAIN, WAIT_BAKE };

struct request {
    struct list link;
    uint64_t client, id;
    struct app *app;
    enum request_wait wait;
    bool brief;                   /* who asked may not read the app's log: its lines behind a reason are not for them */
    char told[WIRE_TEXT_MAX + 1]; /* of the bake, last */
    bool attached; /* goes on from the operation to its drain and its bake; WAIT_BAKE is for these only */
    char failed[WIRE_TEXT_MAX + 1]; /* attached: what it came to, while the way back is followed to its end */
    struct group_answer *group;     /* one of several that are answered together; NULL: by itself */
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
    struct loop_timer *respawn_timer, *ping_timer;
    uint32_t failures, unanswered;
    bool watched, killed; /* ping_timer is armed; its exit is waited for */
    struct list lost;     /* those that did not die when they were killed */
};

struct agent {
    struct agent_options options;
    struct agent_conf conf;
    struct loop *loop;
    struct journal *journal;
    bool journal_broken; /* the last append failed */
    struct system_journal system_journal;
    struct loop_timer *journal_timer; /* while it is: tries again */
    int network_claim, names_claim;   /* descriptors; -1 until claims_take */
    struct zone_host *zone_host;
    struct traffic *traffic;
    struct prober *prober;
    struct list apps, requests, clients, commands;
    struct list diffs, digests;  /* diff.c, digests.c */
    struct list status_sendings; /* status_sending.c */
    struct {
        uint64_t at_ns;
        int64_t left_ns;
    } counting;                       /* what counting connections for who looks may take: usage.c */
    struct checkup *checkup;          /* doctor.c: one that runs, or NULL */
    struct list waiters;              /* waiting.c */
    struct turns turns;               /* queue.c */
    uint64_t turn;                    /* its ticket while one of them is tried, else 0 */
    bool turn_waits;                  /* it was refused again because of what runs */
    struct loop_timer *changed_timer; /* NULL until somebody waits */
    uint32_t last_command;            /* number of the last one that was run */
    int listen_fd;
    ino_t socket_inode; /* of the control socket, if it was bound here; else 0 */
    struct loop_source *listen_source, *watch_source;
    struct loop_timer *listen_timer; /* armed while no connection can be accepted */
    uint64_t last_client_id;
    gid_t operator_gid;
    bool have_operator_gid;
    struct role api;
    struct host_firewall host_firewall;
    struct host_ports host_ports;
};

/* --- apps.c ------------------------------------------------------------------------------------- */
struct app *app_find(struct agent *agent, const char *name);
/* Finds or makes one, with the lowest free index; it becomes the journal's when first staged. */
int app_get(struct agent *agent, const char *name, struct app **app, struct error *err);
void app_free(struct app *app);
/* True while it has nothing but possibly a configuration: may be forgotten. */
bool app_is_empty(const struct app *app);
/* Its zones are gone: so go what is kept of them, and what the journal knows. Where that cannot be written, the app is
 * as before. */
int app_forget(struct app *app, struct error *err);
/* Ports of other apps' present zones that would conflict with these. */
int app_check_ports(struct app *app, const struct service *service, struct error *err);

/* --- admission.c -------------------------------------------------------------------------------- */
/* Returns result, with what to tell the client in err. */
enum wire_result admit_refuse(struct error *err, enum wire_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* RESULT_DONE if no operation runs on it. */
enum wire_result admit_busy(const struct app *app, struct error *err);
/* The same, or one that this may end: see operation_can_be_left. */
enum wire_result admit_running(const struct app *app, enum wire_verb verb, struct error *err);
/* RESULT_DONE if no lock keeps this from it; admit asks it, too. */
enum wire_result admit_locked(const struct app *app, const struct wire_request *request, struct error *err);
/* A new release: nothing of the configuration is against it. */
enum wire_result admit_staging(struct app *app, const struct wire_request *request, enum colour *target,
                               struct error *err);
/* May this begin now, and on which zone? If one runs all the same, it is to be left first, and this asked again. */
enum wire_result admit(struct app *app, const struct wire_request *request, enum colour *target, struct error *err);

/* --- zones.c ------------------------------------------------------------------------------------ */
/* Applies the table: performs the actions and sets the state. -EPROTO for an impossible change (logged). */
int zone_change(struct app_zone *zone, enum zone_change change);
void zone_set_reason(struct app_zone *zone, const char *format, ...) __attribute__((format(printf, 2, 3)));
void zone_ended(struct app_zone *zone);      /* everything in it has: its kernel side goes */
void zone_quieted(struct app_zone *zone);    /* everything in it has ended, as CHANGE_REST asked for; the zone stays */
void zone_discard(struct app_zone *zone);    /* takes its kernel side away at once; nothing of the app runs there */
bool zone_busy(const struct app_zone *zone); /* has kernel objects or is closing */
void zone_id_of(const struct app_zone *zone, struct zone_id *id);
void zone_dispose(struct app_zone *zone); /* frees what the agent holds; the kernel's side goes on */
int zone_keep_configuration(const struct app_zone *zone, const struct service *service, struct error *err);
void zone_forget_configuration(const struct app_zone *zone);
int zone_load_configuration(struct app_zone *zone, struct error *err);
void zone_directory(const struct app_zone *zone, char *path, size_t size);

/* --- launching.c -------------------------------------------------------------------------------- */
int zone_build(struct app_zone *zone, bool again, struct error *err); /* kernel objects, limits, shim */
int zone_run_app(struct app_zone *zone, struct error *err);           /* executes main and what runs always */
int zone_run_worker(struct app_zone *zone, size_t worker, struct error *err);
int zone_adopt_running(struct app_zone *zone, struct error *err); /* -ENOENT: its shim is gone */
/* All but the command, which is main's; strings and words stay the zone's. For what runs beside the configured ones. */
int zone_launch_prepare(struct app_zone *zone, struct zone_launch *launch, struct error *err);
void zone_forget_resolved(struct app_zone *zone);
/* Refuses, with what is missing, a configuration whose limits this host cannot hold. */
int limits_check(struct agent *agent, const struct service *service, struct error *err);

/* --- processes.c -------------------------------------------------------------------------------- */
int zone_watch(struct app_zone *zone, struct error *err); /* listens to its shim */
/* Takes over what runs in an adopted zone, with what the shim recorded meanwhile. */
void processes_found(struct app_zone *zone);
void processes_started(struct app_zone *zone, size_t worker);
void processes_gone(struct app_zone *zone);
/* A process of it that is to run in a zone that is not live exits again and again: text is why. */
bool zone_in_crash_loop(const struct app_zone *zone, bool workers_too, char *text, size_t size);
/* Crash loops that have run long enough are none any more. */
void processes_settle(struct app_zone *zone);
/* "main" or a process's name. */
const char *worker_name(const struct app_zone *zone, size_t worker);
size_t worker_count(const struct app_zone *zone);
/* By the name that the shim has for it, "" is main. False: not one of the configuration's. */
bool worker_find(const struct app_zone *zone, const char *name, size_t *worker);
const struct zone_app *worker_app(const struct app_zone *zone, size_t worker); /* NULL = the shim knows nothing */

/* --- workers.c ---------------------------------------------------------------------------------- */
/* Sees to it, soon, that what is to run in the live zone only does. To be called whenever something changed. */
void workers_schedule(struct app *app);
void on_workers_timer(void *context);
/* Does a process run in it that a zone which is not live must not have? */
bool workers_running(const struct app_zone *zone);

/* --- freezing.c --------------------------------------------------------------------------------- */
/* Freezes it if it is to be, and nothing is against it. */
void freezing_consider(struct app_zone *zone);
void freezing_freeze(struct app_zone *zone); /* the table's actions */
void freezing_thaw(struct app_zone *zone);
/* After a start: the journal and the kernel may differ. */
void freezing_adopt(struct app_zone *zone);

/* --- keeping.c ---------------------------------------------------------------------------------- */
/* Removes a standby whose time is over, soon or when it is. To be called when what was in the way is not any more. */
void keeping_schedule(struct app *app);
void keeping_probed(struct app *app);                /* a probe of one of its zones has a result */
uint64_t keeping_until(const struct app_zone *zone); /* unix_ms; 0: until its place is needed, or it is no standby */
void keeping_dispose(struct app *app);

/* --- incidents.c -------------------------------------------------------------------------------- */
/* Into the journal, but one kind of a zone at most once a minute; the others are counted. */
void incident_record(struct app_zone *zone, enum incident incident, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --- usage.c ------------------------------------------------------------------------------------ */
/* Reads what the zone uses, unless it was just read. */
void usage_sample(struct app_zone *zone);
/* The zone is new, or was adopted: what was counted before is no news. */
void usage_begin(struct app_zone *zone);
void usage_out_of_memory(struct app_zone *zone);
void usage_fill(struct app_zone *zone, struct wire_usage *out);
/* Connections, at most this old: see usage.c. */
void usage_count_connections(struct app_zone *zone);
void usage_count_tcp(struct app_zone *zone); /* of TCP only */
/* The same for who only looks: older where many look, or where counting takes long. */
void usage_look_at_connections(struct app_zone *zone);

/* --- probing.c ---------------------------------------------------------------------------------- */
void probing_start(struct app_zone *zone);
void on_probe_timer(void *context); /* of a zone's checks_timer */
void probing_stop(struct app_zone *zone);
void probing_now(struct app_zone *zone);    /* the next probe is due at once */
void probing_retime(struct app_zone *zone); /* its interval is another one now */
/* After a rest: it was healthy before, so the next pass confirms that. */
void probing_resume(struct app_zone *zone);
/* Unhealthy from now on, until what condemns it is over. */
void probing_condemn(struct app_zone *zone, const char *why);
void probing_result(struct app_zone *zone, const struct probe_result *result);

/* --- checking.c: health kinds that need no prober -------------------------------------------------- */
/* Begins a check; the result comes as probing_result, maybe at once. */
void check_begin(struct app_zone *zone);
/* True if the process was a check of ours; the result follows. */
bool check_ended(struct app_zone *zone, const struct zone_app *about);
/* The command has not been heard of for too long. */
void check_overdue(struct app_zone *zone);
void check_cancel(struct app_zone *zone);
/* With [health] notify: why nothing passes yet, or NULL. */
const char *check_not_ready(const struct app_zone *zone);

/* --- drains.c ----------------------------------------------------------------------------------- */
/* From now on, because of this operation. Whoever only watched it waits for its end. */
void drain_start(struct app_zone *zone, uint64_t operation);
/* Before the rules are loaded: goes on with what a former agent began, as if it had not ended. */
void drains_recover(struct app *app, const struct folded_app *folded);
/* Its connections are waited for, and ended in time; false if they are only watched, or not even that. */
static inline bool drain_runs(const struct app_zone *zone)
{
    return zone->drain.timer && !zone->drain.passive;
}
/* For the journal: of a drain that runs, since when, until when and for which operation. */
void drain_tell(const struct app_zone *zone, struct record *record);
/* The receipt that waiting clients get when it ends. */
void drain_set_receipt(struct app_zone *zone, const struct wire_receipt *receipt, uint64_t operation_ms);
/* Ends it without touching connections. why: for waiting clients, whose operation came to nothing. */
void drain_stop(struct app_zone *zone, const char *why);
/* Ends it because the zone is gone, and its connections with it: whoever waits gets the receipt, they count as cut.
 * What becomes of the zone is the caller's. */
void drain_lost(struct app_zone *zone);
/* Ends it now as it would at its deadline: what is still open is cut, or left, as configured; text says what it was. */
void drain_finish(struct app_zone *zone, char *text, size_t size);
/* When it began and when its time is over, both monotonic; false: none that ends, or none at all. */
bool drain_times(const struct app_zone *zone, uint64_t *begun_ms, uint64_t *deadline_ms);
/* For `drain APP` on a zone that is not draining. */
void drain_watch(struct app_zone *zone);
void on_drain_timer(void *context); /* of a zone's drain_timer */
uint32_t zone_count_tcp(struct app_zone *zone);
void drain_fill(const struct app_zone *zone, struct wire_drain *out); /* nothing if there is none that ends */
/* nudging.c: for a drain's look. */
void nudging_consider(struct app_zone *zone);
/* The drain is over: clients of those that went on all the same are heard again. */
void nudging_end(struct app_zone *zone);

/* --- routing.c ---------------------------------------------------------------------------------- */
/* Sends the apps' present state to the kernel. */
int routing_apply(struct agent *agent, struct transaction *transaction, struct error *err);
/* The transaction of a switch, and what follows it: flows of the old zone released. Changes app->live only on
 * success. */
int routing_switch(struct app *app, enum colour to, struct transaction *transaction, struct error *err);
/* Of several apps at once: all of them or none. What else is in a route is routing's own. */
struct route {
    struct app *app;
    enum colour to;
    int former_live;
    enum app_state former_state;
    uint8_t former_share;
};
int routing_switch_all(struct agent *agent, struct route routes[], size_t count, struct transaction *transaction,
                       struct error *err);
int routing_unpublish(struct app *app, struct error *err);
/* It ends, and no rule leads to it: UDP that was kept with it goes to the live one from now on. */
void routing_zone_gone(struct app_zone *zone);
/* The share of a canary; 0 takes it away, and its flows that can follow go with it. */
int routing_share(struct app *app, uint8_t percent, bool sticky, struct transaction *transaction, struct error *err);
/* New connections go to this zone, or back to the live one, without a change of what is live; what had no answer yet
 * goes with them. */
int routing_hold(struct app *app, int zone, struct transaction *transaction, struct error *err);

/* --- feeding*.c: the feed of what live does to the other zone ---------------------------------------- */
/* True: clients of its fed ports come to its doors. */
bool zone_is_fed(const struct app_zone *zone);
/* The port in the zone where clients of this port of its service come in; 0: the app's own, it is not fed. */
uint16_t zone_door_port(const struct app_zone *zone, const struct port *port);
/* The ports of a zone that has a service, as the kernel sees them; how many. */
size_t zone_ports_seen(const struct app_zone *zone, struct port ports[SERVICE_PORTS_MAX]);
/* Makes and closes what its configuration says, in the kernel only: routing and feeding_follow are the caller's. */
int feeding_make_doors(struct app_zone *zone, struct error *err);
void feeding_close_doors(struct app_zone *zone);
/* A zone, or what is live, is not as it was: the role is started, told or ended. */
void feeding_follow(struct app *app);
void feeding_file_changed(struct app *app);      /* its zones' configurations did */
void feeding_moved(struct app *app);             /* a transaction has made another zone live */
void feeding_tail(struct app *app);              /* the steps of that name */
bool feeding_is_near(const struct app *app);     /* STEP_TAIL of a group: all that is left is to hold clients up */
void feeding_go_on(struct app *app);             /* the others of the group are as far */
void feeding_seed(struct app *app);              /* STEP_SEED */
void feeding_seed_leave(struct app *app);        /* it is not waited for any more */
bool feeding_seeds(const struct app_zone *zone); /* a new release in it begins with a copy of what live has */
void feeding_hold_over(struct app *app);         /* the operation has failed */
void feeding_recover(struct app *app);           /* a role that a former agent left */
/* Of an app that has no feeding, or whose role nobody has to be told of: what a former agent left. */
void feeding_end_stray(struct agent *agent, const char *app);
bool feeding_ends(struct app *app);   /* ends it; true: it has not ended yet, and STEP_FORGET is entered when it has */
void feeding_forget(struct app *app); /* its journal, when it has ended */
void feeding_dispose(struct app *app);
void feeding_fill(struct app *app, struct wire_feed *out);
struct asked;
void handle_feed(const struct asked *asked, struct app *app);
void feeding_client_gone(struct agent *agent, uint64_t client);

/* --- egress.c ----------------------------------------------------------------------------------- */
/* Fills what the zone may reach now; host is the host's end of its cable. */
int egress_fill(const struct app_zone *zone, const struct address *host, struct ruleset_zone *out, struct error *err);
/* It is live now: tells what was refused since it was live before. */
void egress_gained(struct app_zone *zone);
/* It is not live any more. */
void egress_lost(struct app_zone *zone);
/* No client is in it any more: a fence closes, and what it has open to outside ends. */
void egress_drained(struct app_zone *zone);
/* The rules are loaded: what its fenced zones have open and may not have ends. */
void egress_cut(struct app *app);
/* Its file was taken in: the rules follow. */
void egress_changed(struct app *app);
/* Fills what a client sees of it. */
void egress_status(const struct app_zone *zone, struct wire_zone *out);

/* --- operations.c, steps.c ---------------------------------------------------------------------- */
int operation_begin(struct app *app, enum wire_verb verb, enum colour target, const char *release, bool force,
                    const char *who, struct error *err);
static inline bool operation_running(const struct app *app)
{
    return app->operation.plan != NULL;
}
static inline enum step operation_step(const struct app *app)
{
    const struct operation *operation = &app->operation;
    return !operation->plan ? STEP_IDLE : operation->failing ? STEP_ON_FAILURE : operation->plan[operation->at];
}
/* Somebody wants to go back, or over, to what runs already, whatever its state. A deploy that was forced past the
 * memory or the firewall was not forced past its health. */
static inline bool operation_insists(const struct app *app)
{
    const struct operation *operation = &app->operation;
    return operation->force && (operation->verb == VERB_SWITCH || operation->verb == VERB_ROLLBACK);
}
/* Feeds an event to the app's operation; the reason (may be NULL) is what a failure will say. -EPERM: refused by the
 * table. */
int operation_event(struct app *app, enum step_event event, const char *reason);
void operation_zone_closed(struct app_zone *zone);
void step_enter(struct app *app, enum step step);

/* --- progress.c ----------------------------------------------------------------------------------- */
/* One progress line to everybody who waits for this app. Where the step waits for something with a known end, such as
 * the operation's timer, a drain's deadline or the bake's time, the line says how much of the wait is over. */
void progress(struct app *app, enum colour zone, const char *step, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Of a drain: connections in this zone and in the other. */
void progress_count(struct app_zone *zone);
/* How the bake stands, to those who wait for its end and have not heard it yet. */
void progress_bake(struct app *app);
/* How things are now, to one who has just come to wait. */
void progress_greet(struct request *request);

/* --- following.c ---------------------------------------------------------------------------------- */
struct asked;
void handle_attach(const struct asked *asked, struct app *app);
/* True if one who is attached goes on to see the agent's way back from what has just failed. */
bool follow_way_back(struct request *request, enum wire_result result, const char *text);
void handle_finish(const struct asked *asked, struct app *app);

/* --- hooks.c, testing.c --------------------------------------------------------------------------- */
#define HOOK_OUTPUT_MAX 4096
struct hook_result {
    bool ok;                          /* exit status 0, or there is no such hook */
    char text[WIRE_TEXT_MAX + 1];     /* "exit status 3", "killed after 60 s", ..., with its last line; "" if ok */
    char output[HOOK_OUTPUT_MAX + 1]; /* the last of it, sanitised, lines kept */
};
typedef void hook_done(void *context, const struct hook_result *result);
/* Runs a hook of the zone's release, with a deadline, in the zone or on the host as it is configured. done, which may
 * be NULL, is called once, maybe at once, and not if it is cancelled. Hooks of one app run one after another. reason
 * is BLUEGREEN_REASON for it, "" for most. What decides nothing and fails goes into the history by itself. */
void hook_run(struct app_zone *zone, enum hook hook, const char *reason, hook_done *done, void *context);
bool hook_configured(const struct app_zone *zone, enum hook hook);
/* Those of one caller, in all zones of the app: nobody is called any more, and what runs of them is killed. */
void hooks_cancel_for(struct app *app, hook_done *done);
/* Nothing runs in it any more; those on the host are killed, but for on_failure, which may tell of just this. */
void hooks_zone_gone(struct app_zone *zone);
bool hooks_running(const struct app *app);
void on_hooks_timer(void *context);  /* the app's: the next one begins */
void hooks_dispose(struct app *app); /* the agent ends: no hook stays behind */
/* A process that belongs to a hook ended; false if it is none. */
bool hook_ended(struct app_zone *zone, const struct zone_app *about);
/* Ends those in an adopted zone: a former agent ran them. */
void hooks_found(struct app_zone *zone);
/* STEP_TEST: pages, then the hook. Ends in operation_event; testing_cancel where that is not waited for any more. */
bool testing_configured(const struct app_zone *zone); /* there is something to test */
void testing_begin(struct app *app);
void testing_cancel(struct app *app);
/* The steps that are one hook, and what follows from its result. */
void hook_step_enter(struct app *app, enum step step);
/* The operation leaves its step, whyever: what it waited for is given up. */
void hook_step_leave(struct app *app);
/* What a hook that failed said last, for the message. */
void operation_keep_output(struct app *app, const char *output);
/* The operation has switched: on_rollback or on_failover, if that is what it was. */
void hook_tell(struct app *app);
/* The operation has failed: true if it goes to STEP_ON_FAILURE first. */
bool hook_step_on_failure(struct app *app, const char *reason);

/* --- schema.c, schema_requests.c ------------------------------------------------------------------ */
/* The steps of these names. */
void schema_expand(struct app *app);
void schema_verify(struct app *app);
void schema_retire(struct app *app);
void schema_contract(struct app *app);
void schema_revert(struct app *app);
void schema_step_leave(struct app *app);
/* The operation has failed: what it was about to do to the schema is broken. Before its end is recorded. */
void schema_operation_failed(struct app *app, const char *reason);
void schema_operation_done(struct app *app); /* the same for a good end; fills its reason */
void schema_recover(struct app *app, const struct schema *known);
void schema_dispose(struct app *app);
uint32_t zone_schema_needs(const struct app_zone *zone);
void schema_look_around(struct app *app, struct schema_around *around);
/* May clients come to this zone's release? -EPERM with the reason. */
int schema_admits(const struct app *app, const struct app_zone *zone, struct error *err);
/* May this release be staged, with the configuration as it is now? past: a contract keeps nobody from it. */
int schema_admits_release(const struct app *app, const char *release, bool past, struct error *err);
void schema_fill(const struct app *app, struct wire_schema *out);

/* --- holding.c, hold_back.c: [switch] mode = hold --------------------------------------------------- */
/* Must the live release stop before this verb's one starts? */
bool hold_applies(const struct app *app, enum wire_verb verb, enum colour target);
/* One of the app's releases never runs beside another. */
bool app_holds(const struct app *app);
/* The steps of these names. */
void hold_revive(struct app *app);
void hold_begin(struct app *app);
void hold_empty(struct app *app);
void hold_rest(struct app *app);
/* For STEP_SWITCH: live from now on, and clients get in. */
int hold_let_in(struct app *app, struct transaction *transaction, struct error *err);
void hold_fill_receipt(struct app *app);
void hold_quieted(struct app_zone *zone); /* nothing runs in it any more */
void hold_over(struct app *app);          /* nobody waits any more */
void hold_dispose(struct app *app);
/* The operation has failed: true if the release that was live comes back first. */
bool hold_way_back(struct app *app, const char *reason);
void hold_back_hold(struct app *app);
void hold_back_rest(struct app *app);
void hold_back_start(struct app *app);
void hold_back_health(struct app *app);
void hold_back_switch(struct app *app);
/* An agent ended in the middle of one: true if its way back is the operation from now on. After adoption. */
bool hold_resume(struct app *app, const struct folded_app *folded, int kernel_live);
/* Before the rules are loaded, and the zones' kernel sides are known. */
void hold_recover(struct app *app);

/* --- bake.c, failover.c, rehearse.c --------------------------------------------------------------- */
/* Called by operations.c when a deploy or switch has made its release live, and when it is done: begins it if the
 * release has one. */
void bake_begin(struct app *app);
void bake_end(struct app *app, const char *why);         /* NULL: it has passed */
void bake_finish(struct app *app, const char *finisher); /* somebody ends it now */
/* A breach found by others (post_switch failed): switches back as soon as no operation runs, also without [bake]. */
void bake_breach(struct app *app, const char *why);
bool baking(const struct app *app);
/* A breach was found, and the switch back is about to be made: its place is not to be given to another release. */
bool bake_is_about_to_leave(const struct app *app);
void bake_recover(struct app *app, const struct folded_app *folded);
void bake_fill(const struct app *app, struct wire_bake *out);
void bake_dispose(struct app *app); /* frees what it holds; the journal's bake goes on */
/* For operations.c: the switch has just happened; an operation begins; its next step is entered; it has ended. */
void bake_switched(struct app *app);
void bake_make_way(struct app *app);
void bake_before_step(struct app *app, enum step step);
void bake_operation_ended(struct app *app, const char *failure);
/* Something happened to this zone that may be a breach: a probe's result, an exit, an end for lack of memory. */
void bake_probed(struct app_zone *zone);
void bake_look(struct app_zone *zone);
/* The live zone's verdict or existence got worse, or the standby's better: fails over if it may. */
void failover_consider(struct app *app);
/* STEP_REHEARSE: the standby serves for a moment; STEP_SWITCH_BACK: back again, whatever came of the former. */
void rehearse_enter(struct app *app);
void rehearse_switch_back(struct app *app);
void rehearse_dispose(struct app *app);
/* The agent's own operation: VERB_ROLLBACK or VERB_FAILOVER. It may have ended when this returns. */
int operation_by_agent(struct app *app, enum wire_verb verb, const char *who, const char *reason, struct error *err);
/* What the agent has to do for what is live is not to wait for a test or a hook: one that does nothing else just now is
 * ended for it, for this reason. True if one ran, or runs. */
bool operation_gives_way(struct app *app, const char *why);
bool operation_may_give_way(const struct app *app);
/* All that still runs is a hook behind the switch, and somebody asks to go back from just that: no reason to wait. */
bool operation_can_be_left(const struct app *app, enum wire_verb verb);
/* Ends it for that; the release is not found bad. It may be that a failover has begun then. */
void operation_leave(struct app *app, const char *who);
/* Ends what is behind its switch; the way back from that is the caller's. */
void operation_take_back(struct app *app, const char *reason);
/* The same up to its first step, which is the caller's to enter. */
int operation_begin_by_agent(struct app *app, enum wire_verb verb, const char *who, const char *reason,
                             struct error *err);
/* Why the zone is no good to its clients, NULL if it is, or nobody can tell yet. */
const char *zone_failing(const struct app_zone *zone);
/* What is thought of a release that was live; recorded where it is new. */
void zone_set_mark(struct app_zone *zone, enum zone_mark mark, const char *reason);

/* --- canary.c, canary_admission.c ------------------------------------------------------------------ */
/* RESULT_DONE if no canary has a share that this would take from it without a word. */
enum wire_result admit_canary_free(struct app *app, struct error *err);
/* For a switch that was admitted: may it be one of a share only? */
enum wire_result admit_canary(struct app *app, enum colour target, struct error *err);
void handle_canary_back(const struct asked *asked, struct app *app); /* abort and rollback, while it has a share */
bool canary_runs(const struct app *app);
struct app_zone *canary_zone(struct app *app); /* NULL: there is none */
void canary_enter(struct app *app);            /* STEP_SHARE */
/* The operation that takes it back, up to its first step. */
int canary_take_back(struct app *app, const char *asker, struct error *err);
void canary_done_text(const struct app *app, char *text, size_t size);
/* Something happened to this zone that may be a breach, as for a bake. */
void canary_look(struct app_zone *zone);
void canary_probed(struct app_zone *zone);
void canary_make_way(struct app *app); /* an operation begins */
void canary_over(struct app *app);     /* a transaction has made another zone live */
void canary_zone_changes(struct app_zone *zone, enum zone_change change, enum zone_state next);
void canary_record(struct app *app);
void canary_recover(struct app *app, const struct folded_app *folded);
void canary_dispose(struct app *app);

/* --- preview.c ------------------------------------------------------------------------------------ */
struct app_zone *preview_zone(struct app *app); /* that is previewed now, or NULL */
/* "http://host:8081"; "" if its configuration has no such port. */
void preview_url(const struct app_zone *zone, char *url, size_t size);
/* Its zone was frozen or thawed, or another one may be reached by others: no other change of the rule set follows. */
void preview_follow(struct app *app);
bool preview_wanted(const struct app_zone *zone); /* there is something of it in the zone's configuration */
void preview_fill(struct app *app, struct wire_preview *out);

/* --- groups.c, group_admission.c, group_answer.c ------------------------------------------------------ */
/* The group that it is in, "" if in none. */
const char *group_name_of(const struct app *app);
/* Switch or rollback of a group. */
void handle_group(const struct asked *asked);
/* STEP_MEET: waits for the others; the last one to come moves all. */
void group_meet(struct app *app);
void group_gather(struct group_run *run); /* one more is as near to the move as it gets without holding clients up */
/* The one that moved the app, behind it. */
const struct transaction *group_transaction(const struct app *app);
/* For operations.c: its operation is about to fail, and if nothing was moved yet, with it those of the others. */
void group_failed(struct app *app, enum step_event event, const char *reason);
/* Its operation has ended and is forgotten. run may be NULL, as below. */
void group_left(struct group_run *run, const struct app *app);
const char *group_run_name(const struct group_run *run);
/* The agent's own rollback of an app, and in the same transaction of those that its group moved with it, as far as they
 * can go back. */
int group_back(struct app *app, const char *who, const char *reason, struct error *err);
/* Makes one record of a move that took place before the agent ended. The apps are restored, and not looked at yet. */
void groups_recover(struct agent *agent, const struct fold *fold);
/* The request of one app is over; the last one of an answer sends it. */
void group_answer_add(struct group_answer *answer, const struct app *app, enum wire_result result,
                      const struct wire_receipt *receipt, const char *text);
void group_answer_drop(struct group_answer *answer, bool client_gone);

/* --- releases.c, release_telling.c, release_holding.c ------------------------------------------------ */
void handle_release(const struct asked *asked, struct app *app);
bool releases_changing(const struct app *app); /* a fetch or a prune runs */
void releases_attach(const struct asked *asked, struct app *app);
/* Ends the fetch that runs, and answers; false: none does. */
bool releases_abort(const struct asked *asked, struct app *app);
/* May this release be staged: is it in the app's directory, if it has one, and does it stay there? */
enum wire_result release_admit_staging(const struct app *app, const char *release, struct error *err);
void releases_client_gone(struct agent *agent, uint64_t client);
void releases_recover(struct app *app, const struct folded_app *folded);
void releases_dispose(struct app *app); /* no process of them stays behind */

/* --- records.c ---------------------------------------------------------------------------------- */
/* Appends; a failure is logged once and remembered. */
int agent_record(struct agent *agent, struct record *record, struct error *err);
void record_zone(struct app_zone *zone);
int record_live(struct app *app, struct error *err);
int record_app(struct app *app, struct error *err);
int record_app_state(struct app *app, struct error *err);
int record_begin(struct app *app, struct error *err);
void record_end(struct app *app, bool done, const char *reason);
void record_hook(struct app_zone *zone, enum hook hook, uint64_t operation, uint64_t ms,
                 const struct hook_result *result);
void record_drained(struct app_zone *zone, uint64_t operation, uint32_t cut, uint32_t left);
void record_bake(struct app *app); /* as it is; when there is none, that it is over */
void record_mark(struct app_zone *zone);
int record_schema(struct app *app, struct error *err);

/* --- requests.c, clients.c, status.c ------------------------------------------------------------ */
/* A valid request of somebody who may make it. */
struct asked {
    struct agent *agent;
    const struct wire_request *request;
    struct client *client;
};
/* What request_handle does with a request that is valid, of somebody who may make it. */
void request_dispatch(const struct asked *asked);
/* Answers that it may not begin. One that is refused because of what runs, and said --wait, waits instead. */
void request_refuse(const struct asked *asked, enum wire_result result, const char *text);
void request_no_such_app(const struct asked *asked); /* answers that */
void request_handle(struct agent *agent, const struct wire_request *request, size_t length);
void requests_end(struct app *app, enum request_wait wait, enum wire_result result, const struct wire_receipt *receipt,
                  const char *text);
void requests_move_to_drain(struct app *app);
/* Puts who asked among those who wait; NULL: no memory, and it was told. */
struct request *request_wait_for(const struct asked *asked, struct app *app, enum request_wait wait);
void requests_of_client_gone(struct agent *agent, uint64_t client);
void reply_end(struct agent *agent, uint64_t client, uint64_t id, enum wire_result result, const char *text);
/* Binds the control socket and sees that the role's user is there; clients_open starts to accept. */
int clients_listen(struct agent *agent, struct error *err);
int clients_open(struct agent *agent, struct error *err);
void clients_close(struct agent *agent);
/* For --teardown: the control socket that an agent left which is gone. */
void clients_remove_socket(struct agent *agent);
void client_forget(struct client *client);
void client_send(struct agent *agent, void *message, uint64_t client, uint64_t request, enum wire_type type,
                 size_t length);
/* The same with descriptors, which stay the caller's. */
void client_send_files(struct agent *agent, void *message, uint64_t client, uint64_t request, enum wire_type type,
                       size_t length, const int *fds, size_t fd_count);
struct client *client_find(struct agent *agent, uint64_t id);
/* "alice (uid 1000)" for who may operate, "uid 1001" for others: looking a name up may take a name server's time, and
 * only those who could stop everything anyway may cost it. */
const char *client_name(struct client *client);
/* --- api_role.c --- */
int api_role_start(struct agent *agent, struct error *err);
/* There is a client: from now on it is noticed if the role hangs. */
void api_role_watch(struct agent *agent);
void api_role_end(struct agent *agent); /* waits some moments at most */
void status_fill(struct app *app, struct wire_status *status);
/* status_sending.c: of one app, or, NULL, of all. */
void handle_status(const struct asked *asked, struct app *app);
void status_app_goes(struct app *app);
void status_client_gone(struct agent *agent, uint64_t client); /* 0: all of them are */
void handle_history(const struct asked *asked);                /* history.c */

/* --- serving.c: how long a release is live, and what it serves ---------------------------------- */
/* For zones.c: the zone is live from now on; it is not any more; its kernel side is about to go. */
void serving_gain(struct app_zone *zone);
void serving_lose(struct app_zone *zone);
void serving_zone_gone(struct app_zone *zone);
/* The kernel's sides of the zones are known, and what is live. */
void serving_recover(struct app *app, const struct folded_app *folded);
void serving_record(struct app *app); /* as it is, into the journal */
/* The agent itself has asked the app in the zone; it is none of those that it serves. */
void serving_count_probe(struct app_zone *zone, const struct probe_result *result);
/* A guard's output may say how many requests there were. */
void serving_guard(struct app *app, const char *output);
void serving_fill(struct app *app, struct wire_served *out);

/* --- system_log.c: the history's events in the system journal ----------------------------------- */
/* Says there what this record has to tell, if anything. */
void system_log_record(struct agent *agent, const struct record *record);

/* --- locking.c, queue.c, waiting.c -------------------------------------------------------------- */
void handle_schema(const struct asked *asked, struct app *app);
/* True, and answered, if a lock keeps it away. A group's apps are looked at one by one, when it is admitted. */
bool locked_out(const struct asked *asked);
void handle_lock(const struct asked *asked, struct app *app);
void handle_unlock(const struct asked *asked, struct app *app);
void lock_fill(const struct app *app, struct wire_lock *out);
/* For request_refuse: true if it waits for its turn from now on, or goes on doing so. */
bool queue_refused(const struct asked *asked, const char *refusal);
/* True if others wait already and it has taken its place behind them. */
bool queue_behind(const struct asked *asked);
void queue_begins(const struct asked *asked); /* it begins: says so, if it had to wait */
void queue_advance(struct agent *agent);      /* tries all whose turn it may be */
void queue_client_gone(struct agent *agent, uint64_t client);
void queue_dispose(struct agent *agent);
void handle_wait(const struct asked *asked, struct app *app);
void waiters_client_gone(struct agent *agent, uint64_t client);
/* Something is not as it was: an operation's step, a zone's state or verdict, a drain, a bake, a lock. Whoever waits is
 * looked at soon. */
void changed(struct agent *agent);
void waiting_dispose(struct agent *agent); /* the agent ends */

/* --- parity.c, diff.c --------------------------------------------------------------------------- */
void parity_enter(struct app *app); /* STEP_PARITY */
void handle_diff(const struct asked *asked, struct app *app);
void diffs_client_gone(struct agent *agent, uint64_t client);
void diffs_dispose(struct agent *agent); /* the agent ends */

/* --- doctor.c ----------------------------------------------------------------------------------- */
void handle_doctor(const struct asked *asked);
void doctor_client_gone(struct agent *agent, uint64_t client);
void doctor_dispose(struct agent *agent); /* the agent ends */

/* --- commands.c ------------------------------------------------------------------------------- */
/* VERB_EXEC: unlike requests it is not looked at yet, but for its length. */
void handle_exec(struct agent *agent, const struct wire_command *command);
/* A process ended that is neither the zone's main process, nor one of its configuration, nor its check. */
void commands_ended(struct app_zone *zone, const struct zone_app *about);
/* Ends those in an adopted zone: a former agent ran them, and nobody waits for them any more. */
void commands_found(struct app_zone *zone);
/* Nothing of the zone runs any more. */
void commands_zone_gone(struct app_zone *zone);
/* A client closed its connection; 0: the api role died, all of them are gone. */
void commands_of_client_gone(struct agent *agent, uint64_t client);
void commands_close(struct agent *agent);

/* --- connections.c ----------------------------------------------------------------------------- */
void handle_connections(const struct asked *asked, struct app *app);

/* --- logs.c ------------------------------------------------------------------------------------ */
void handle_logs(const struct asked *asked, struct app *app);

/* --- claims.c ---------------------------------------------------------------------------------- */
/* -EBUSY if another agent has this network namespace or this /run/netns. */
int claims_take(struct agent *agent, struct error *err);
void claims_release(struct agent *agent);

/* --- recovery.c, reload.c ----------------------------------------------------------------------- */
int recover(struct agent *agent, const struct fold *fold, struct error *err);
/* All of it or nothing. problems gets one line each; notes what waits for the next release. */
/* at_start: accounts and executables that are missing keep nobody else from coming back, and are not looked for. */
int reload(struct agent *agent, bool at_start, struct words *problems, struct text *notes);
/* In what takes effect when the agent is started again. */
bool agent_conf_differs(const struct agent_conf *a, const struct agent_conf *b);
/* What the files say of the host: accounts, executables, routes (pools may be NULL: not looked at). -EINVAL with
 * problems. */
int check_host(const char *config_dir, const struct address_pools *pools, const struct app_set *set,
               struct words *problems);
/* The one app's file as it is on disk now, checked against the others. */
/* --- applying.c --- */
/* The app's file is fresh's from now on: what of it takes effect at once does so in both zones, and notes gets a line
 * about that and what waits, if there is anything to say. Takes fresh over. */
void app_take_file(struct app *app, struct service *fresh, struct text *notes);
/* The same for a zone whose configuration was just loaded, silently. */
void zone_take_file(struct app_zone *zone);
int reload_app(struct agent *agent, const char *name, struct app **app, struct words *problems);
