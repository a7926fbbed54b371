/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libbluegreen: talking to the bluegreen agent (bluegreend) from C. See libbluegreen(3).
 *
 * In short:
 *
 *     struct bluegreen *agent;
 *     struct bluegreen_error error;
 *     struct bluegreen_result *result;
 *     if (bluegreen_open(NULL, &agent, &error) < 0 ||
 *         bluegreen_operate(agent, BLUEGREEN_DEPLOY, "web", "v2", 0, NULL, NULL, &result, &error) < 0)
 *         errx(1, "%s", error.reason);
 *
 * Functions that can fail return 0 or a negative errno, and fill in *error, which may be NULL. What they hand out is
 * the caller's, to be freed with the _free function of its type (NULL is fine); all that it points to lives as long
 * as it does and is not to be changed. Strings are UTF-8, without control characters but newlines. Absent strings
 * are NULL. Times are RFC 3339 in UTC.
 *
 * A connection carries one call at a time and belongs to one thread at a time; different connections are independent.
 * Only bluegreen_interrupt() may be called from elsewhere, signal handlers included. The library has no global state,
 * raises no SIGPIPE and prints nothing.
 *
 * Structures that the library hands out may grow at their end without a new soname: never copy them by value or put
 * them into arrays.
 */
#ifndef BLUEGREEN_BLUEGREEN_H
#define BLUEGREEN_BLUEGREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows with every addition to this header; the soname's number changes when something is taken away. */
#define BLUEGREEN_API_VERSION 6

#if defined(__GNUC__)
#define BLUEGREEN_EXPORT __attribute__((visibility("default")))
#else
#define BLUEGREEN_EXPORT
#endif

/* BLUEGREEN_API_VERSION of the library that is loaded. */
BLUEGREEN_EXPORT int bluegreen_api_version(void);

/* --- errors ------------------------------------------------------------------------------------ */

enum bluegreen_error_kind {
    BLUEGREEN_OK = 0,
    BLUEGREEN_REFUSED,     /* not tried: the wrong state, a health gate, a firewall, a limit */
    BLUEGREEN_BUSY,        /* another operation runs on the app */
    BLUEGREEN_FAILED,      /* tried, and failed */
    BLUEGREEN_NO_SUCH_APP, /* not configured */
    BLUEGREEN_NOT_ALLOWED, /* the caller is neither root nor an operator */
    BLUEGREEN_INVALID,     /* the request, or the configuration that a reload read, is wrong */
    BLUEGREEN_UNREACHABLE, /* no agent at the socket, no right to connect, or it went away: see errnum */
    BLUEGREEN_PROTOCOL,    /* the other end does not speak as agents do */
    BLUEGREEN_INTERRUPTED, /* bluegreen_interrupt(), or the progress callback wished it */
    BLUEGREEN_MEMORY
};

#define BLUEGREEN_REASON_SIZE 6400

/* The caller's. Its size belongs to the soname. */
struct bluegreen_error {
    enum bluegreen_error_kind kind;
    int errnum;                         /* positive errno where a system call failed, else 0 */
    char reason[BLUEGREEN_REASON_SIZE]; /* for people; may have several lines: the app's last log lines follow */
};

/* "refused", "busy", "failed", "no-such-app", "not-allowed", "invalid", "unreachable", "protocol", "interrupted",
 * "memory", "ok". */
BLUEGREEN_EXPORT const char *bluegreen_error_name(enum bluegreen_error_kind kind);

/* --- the connection ------------------------------------------------------------------------------ */

struct bluegreen;

/* socket_path NULL: environment variable BLUEGREEN_SOCKET, or else /run/bluegreen/control.sock. */
BLUEGREEN_EXPORT int bluegreen_open(const char *socket_path, struct bluegreen **agent, struct bluegreen_error *error);
/* NULL is fine. An operation that was asked for goes on in the agent. */
BLUEGREEN_EXPORT void bluegreen_close(struct bluegreen *agent);
/* The longest time in milliseconds to wait for the answer of bluegreen_status, _history, _history_of, _version, _logs
 * and _connections, and until bluegreen_exec has a command on its way; 0 is for ever. At first 30000. Operations take
 * the time they take. */
BLUEGREEN_EXPORT void bluegreen_set_timeout(struct bluegreen *agent, int milliseconds);
/* Ends a wait in another thread, or in what a signal handler interrupted, with BLUEGREEN_INTERRUPTED; the connection
 * is of no more use then. Async-signal-safe. What was asked for goes on in the agent. */
BLUEGREEN_EXPORT void bluegreen_interrupt(struct bluegreen *agent);

/* --- status ---------------------------------------------------------------------------------------- */

enum bluegreen_colour { BLUEGREEN_NONE = -1, BLUEGREEN_BLUE = 0, BLUEGREEN_GREEN = 1 };

/* "blue", "green", or NULL for BLUEGREEN_NONE. */
BLUEGREEN_EXPORT const char *bluegreen_colour_name(enum bluegreen_colour colour);

struct bluegreen_exit {
    int code;         /* -1 if a signal ended it */
    int signal;       /* 0 if it ended by itself */
    const char *time; /* when */
};

struct bluegreen_zone {
    /* absent staging starting healthy unhealthy live draining standby frozen failed stopped resting */
    const char *state;
    const char *release;                    /* or NULL */
    const char *verdict;                    /* of its health checks: unknown healthy unhealthy */
    const char *detail;                     /* why it failed, or what the last check said, or NULL */
    const char *const *addresses;           /* ended by NULL */
    int64_t pid, shim_pid;                  /* of the app and of its supervisor, as the host sees them; 0 = none */
    uint64_t tcp, udp;                      /* connections */
    uint64_t restarts;                      /* of the app, since it was staged */
    const struct bluegreen_exit *last_exit; /* or NULL */
};

struct bluegreen_port {
    const char *name;
    const char *listen;   /* "80", "198.51.100.7:80", "[2001:db8::7]:80", "8000-8010" */
    unsigned target;      /* port in the zone; of a range, the first */
    const char *protocol; /* "tcp", "udp" */
};

/* More of a port: in an array of its own, so that the other one stays as programs know it. */
struct bluegreen_published {
    unsigned count;            /* 1, or how many the range has */
    unsigned host_connections; /* that a process of the host's still has, which served the port before */
};

/* A process of the app beside its main one. */
struct bluegreen_process {
    const char *name;
    const char *when;  /* "always", or "live": runs in the live zone only */
    const char *state; /* waiting running back-off stopping ended */
    int64_t pid;       /* 0 = none */
    uint64_t restarts;
    const struct bluegreen_exit *last_exit; /* or NULL */
};

/* What a zone uses and may use. */
struct bluegreen_usage {
    bool measured;         /* false on a host without the memory controller of cgroup v2: memory is
                              estimated, and what else is not known is 0 */
    bool limited;          /* the limits of the configuration hold */
    uint64_t memory;       /* bytes */
    uint64_t memory_peak;  /* 0 = unknown */
    uint64_t memory_limit; /* 0 = none */
    uint64_t cpu_permille; /* over the last seconds; 1000 = one CPU */
    uint64_t cpu_limit;    /* the same unit; 0 = none */
    uint64_t cpu_us;       /* since the zone was made */
    uint64_t throttled_us; /* of it waited because of the limit */
    uint64_t tasks;        /* processes and threads */
    uint64_t tasks_limit;  /* 0 = none */
    uint64_t oom_kills;    /* processes that the kernel ended because memory ran out */
};

/* What runs in a zone. */
struct bluegreen_workload {
    bool crash_loop;                                  /* a process of it ends again and again */
    const struct bluegreen_usage *usage;              /* or NULL */
    const struct bluegreen_process *const *processes; /* beside the main one; ended by NULL */
    const char *kept_until;                           /* a standby whose time ends: when; else NULL */
    const char *fence;                                /* of [egress], now: "open" or "closed"; NULL = it has none */
    uint64_t refused;                                 /* first packets of the zone that its fence has refused */
};

/* A running operation. */
struct bluegreen_operation {
    const char *verb, *step, *since, *who;
};

/* The live release is being watched, since it became live. */
struct bluegreen_bake {
    const char *until;   /* when it has passed */
    const char *verdict; /* how it stands */
};

/* The zone that is not live has a share of the new connections; `live` is the other one. */
struct bluegreen_canary {
    enum bluegreen_colour zone;
    unsigned percent;
    bool sticky;         /* of the clients' addresses, instead */
    const char *since;   /* when it got a share first */
    const char *verdict; /* how it stands */
};

/* The zone that is not live can be looked at. */
struct bluegreen_preview {
    enum bluegreen_colour zone;
    const char *url;  /* or NULL: it has no port of its own */
    uint64_t clients; /* addresses and networks that reach it by the published ports */
};

/* Somebody keeps others from changing the app. */
struct bluegreen_lock {
    const char *since, *who, *reason;
};

/* What the app's database has come to, by its [schema]. */
struct bluegreen_schema {
    const char *state; /* none expanding expanded contracting contracted reverting broken */
    uint64_t expanded, contracted;
    const char *text; /* the same in words */
};

/* Since API version 5: connections of the zone that was live are waited for. */
struct bluegreen_drain {
    enum bluegreen_colour zone;
    uint64_t connections, most; /* now, and at the most */
    uint64_t nudged;            /* that rested and were ended */
    uint64_t left_ms;           /* until its end */
    const char *then;           /* what becomes of those that are there then: "cut", "leave" */
};

/* Since API version 6: what live has done is done by the other zone, too. Transactions have numbers, from 1. */
struct bluegreen_feed {
    /* starting, "in step", behind, seeding, paused, "in doubt", diverged, broken */
    const char *state;
    bool backup;        /* a release runs in the other zone, and a switch to it would miss only what is lost */
    const char *text;   /* the state in words */
    const char *mode;   /* "http", "stream", "datagram" */
    const char *reason; /* why it is not as it should be, or NULL */
    enum bluegreen_colour live;
    uint64_t committed;         /* the newest number */
    int64_t applied[2];         /* by colour: the zone has all up to this one; -1 = nobody knows */
    uint64_t behind, behind_ms; /* the zone that is not live: so many, the oldest of them so long ago */
    uint64_t in_doubt;          /* nobody knows whether live has done them */
    uint64_t diverged;          /* the zones have answered differently */
    uint64_t lost;              /* a zone that should have them does not */
    uint64_t twice;             /* a zone has perhaps done them twice */
    uint64_t fed, passed;       /* requests that were fed, and that are not to be */
    uint64_t not_fed;           /* that were not to pass and could not be fed */
    uint64_t journal_bytes, journal_max;
    uint64_t applied_per_minute;
    uint64_t waiting;        /* clients, for a switch */
    uint64_t connections[2]; /* of clients, by the zone that they came to */
    const char *json;
};

/* What a release has served while it was live. */
struct bluegreen_served {
    enum bluegreen_colour zone;
    const char *release; /* or NULL */
    const char *since;
    const char *until;    /* NULL: it is live still */
    uint64_t duration_ms; /* from the one to the other */
    uint64_t connections; /* of TCP that were accepted, but for the agent's own checks */
    uint64_t datagrams;   /* of UDP that came */
    bool requests_known;  /* its guard could tell */
    uint64_t requests;
};

struct bluegreen_app {
    const char *name;
    const char *state; /* empty running stopped */
    enum bluegreen_colour live;
    struct bluegreen_zone zones[2]; /* by colour */
    const struct bluegreen_port *ports;
    size_t port_count;
    const struct bluegreen_operation *operation; /* or NULL */
    const char *json;                            /* the app as the agent sent it */
    /* since API version 2 */
    const struct bluegreen_workload *workload[2]; /* by colour; never NULL */
    /* since API version 3 */
    const struct bluegreen_bake *bake; /* or NULL */
    /* since API version 4 */
    const struct bluegreen_lock *lock;     /* or NULL */
    const struct bluegreen_schema *schema; /* or NULL */
    uint64_t queued;                       /* requests that wait for their turn */
    const char *group;                     /* of apps that are switched together, or NULL */
    const struct bluegreen_served *served; /* the live release so far, or NULL */
    /* since API version 5 */
    const char *firewall;                        /* rules of others' that drop what clients send, or NULL */
    const struct bluegreen_canary *canary;       /* or NULL */
    const struct bluegreen_preview *preview;     /* or NULL */
    const struct bluegreen_drain *drain;         /* or NULL */
    const struct bluegreen_published *published; /* one for each of `ports`, in their order */
    /* since API version 6 */
    const struct bluegreen_feed *feed; /* or NULL */
};

struct bluegreen_status {
    const struct bluegreen_app *const *apps; /* sorted as the agent sorts them */
    size_t count;
    const char *json; /* {"apps":[...]} */
};

/* app NULL: all. */
BLUEGREEN_EXPORT int bluegreen_status(struct bluegreen *agent, const char *app, struct bluegreen_status **status,
                                      struct bluegreen_error *error);
BLUEGREEN_EXPORT void bluegreen_status_free(struct bluegreen_status *status);

/* --- history --------------------------------------------------------------------------------------- */

/* Since API version 4: what belongs to an entry. */
struct bluegreen_step {
    const char *name;
    uint64_t duration_ms;
};

struct bluegreen_switched {
    uint64_t transaction_us; /* how long the kernel took */
    uint64_t generation_before, generation_after;
    bool drain_known; /* the drain has ended, and drained and nudged are known, too */
    uint64_t drained, cut, left, drain_ms;
    /* since API version 5 */
    uint64_t nudged;
    bool drain_ended; /* cut, left and drain_ms are known. Another agent had begun it if drain_known is false */
};

struct bluegreen_hook {
    const char *name;
    enum bluegreen_colour zone;
    const char *ended; /* when */
    uint64_t duration_ms;
    bool done;
    const char *reason; /* or NULL */
    const char *output; /* the last of what it wrote */
};

/* A finished operation; or an incident, which nobody asked for: memory ran out, a crash loop. */
struct bluegreen_entry {
    uint64_t sequence;
    const char *time; /* when it began */
    const char *app, *verb, *who;
    const char *release; /* or NULL */
    enum bluegreen_colour from, to;
    uint64_t duration_ms;
    bool done;
    const char *reason; /* why it failed, or what else there is to say, or NULL */
    const char *json;
    /* since API version 2 */
    /* NULL, or "out-of-memory", "crash-loop", "watchdog", "bake-breach", "hook", "removed", "firewall", "fenced", and
     * more some day: verb is "incident" then, `to` its zone */
    const char *incident;
    /* since API version 4 */
    const struct bluegreen_step *steps; /* that it entered, in order */
    size_t step_count;
    const struct bluegreen_switched *switched; /* or NULL */
    const struct bluegreen_served *served;     /* by what was live before; if the verb is "served", all there is */
    size_t served_count;
    const struct bluegreen_hook *hooks; /* that ran for it, if they were asked for */
    size_t hook_count;
};

struct bluegreen_history {
    const struct bluegreen_entry *const *entries; /* oldest first */
    size_t count;
    const char *json; /* {"entries":[...]} */
};

/* app NULL: all. limit: the newest that many, 1 to 1000; 0 = 50. */
BLUEGREEN_EXPORT int bluegreen_history(struct bluegreen *agent, const char *app, unsigned limit,
                                       struct bluegreen_history **history, struct bluegreen_error *error);
/* Which entries, since API version 4. What is NULL or 0 leaves nothing out. The caller's; its size belongs to the
 * soname. */
struct bluegreen_history_filter {
    const char *app;
    unsigned limit;      /* as above */
    const char *verb;    /* "served": what each release served, instead of operations and incidents */
    const char *release; /* that it is about, or whose time as the live one it ended */
    uint64_t since_ms;   /* it ended then or later, in milliseconds since 1970 */
    uint64_t until_ms;   /* it began before then */
    uint64_t sequence;   /* this one */
    int failed;          /* not 0: only what failed, and incidents */
    int incidents;       /* 0: with the others; 1: only those; -1: none */
    int hooks;           /* not 0: with what hooks wrote, and a limit of at most 50 */
};

BLUEGREEN_EXPORT int bluegreen_history_of(struct bluegreen *agent, const struct bluegreen_history_filter *filter,
                                          struct bluegreen_history **history, struct bluegreen_error *error);
BLUEGREEN_EXPORT void bluegreen_history_free(struct bluegreen_history *history);

/* --- version ----------------------------------------------------------------------------------------- */

/* The agent's version into version, cut to size. */
BLUEGREEN_EXPORT int bluegreen_version(struct bluegreen *agent, char *version, size_t size,
                                       struct bluegreen_error *error);

/* --- operations -------------------------------------------------------------------------------------- */

enum bluegreen_verb {
    BLUEGREEN_RELOAD,   /* no app: read the configuration again */
    BLUEGREEN_DEPLOY,   /* app, release: stage, test, switch, drain */
    BLUEGREEN_STAGE,    /* app, release: start it in the zone that is not live, until its checks pass */
    BLUEGREEN_SWITCH,   /* app: make the staged zone live, drain the other */
    BLUEGREEN_ROLLBACK, /* app: make the zone live again that was live before */
    BLUEGREEN_ABORT,    /* app: undo the running operation */
    BLUEGREEN_DRAIN,    /* app: wait for the zone that is not live to be empty */
    BLUEGREEN_STOP,     /* app: both zones, over a reboot too */
    BLUEGREEN_START,    /* app: undo stop */
    BLUEGREEN_REMOVE,   /* app: both zones, and what the agent knows of it */
    /* since API version 3 */
    BLUEGREEN_TEST,     /* app: test the staged release, as a deploy would */
    BLUEGREEN_FINISH,   /* app: end drain and bake now, as they would end at their time */
    BLUEGREEN_ATTACH,   /* app: join the running operation, its drain and its bake, and end as they do */
    BLUEGREEN_REHEARSE, /* app: switch to the standby and back, and measure */
    /* since API version 4 */
    BLUEGREEN_SCHEMA,  /* app, action: status, check, contract, revert; expand, with a release */
    BLUEGREEN_RELEASE, /* app, action: list, prune; fetch, with a release */
    BLUEGREEN_DIFF,    /* app: compare the zones */
    BLUEGREEN_LOCK,    /* app, text: why; nobody changes it until it is unlocked, but for going back */
    BLUEGREEN_UNLOCK,  /* app */
    BLUEGREEN_WAIT,    /* app, text: the state to wait for, as bluegreen(1) names them */
    /* since API version 5 */
    BLUEGREEN_DOCTOR /* app or none: what is in the way of clients */
};

/* Go on in spite of a refusal that can be overridden. */
#define BLUEGREEN_FORCE 0x1u
/* Of a deploy, since API version 3: leave the test out; end after a step, with the release staged. */
#define BLUEGREEN_NO_TEST           0x2u
#define BLUEGREEN_STOP_AFTER_HEALTH 0x4u
#define BLUEGREEN_STOP_AFTER_TEST   0x8u
/* Since API version 4: wait for the operation that runs instead of being refused because of it; switch and rollback:
 * to a release that needs the schema from before a contract. */
#define BLUEGREEN_QUEUE         0x10u
#define BLUEGREEN_PAST_CONTRACT 0x20u
/* Of a switch with a canary, since API version 5: its share is of the clients' addresses. */
#define BLUEGREEN_STICKY 0x40u

struct bluegreen_progress {
    const char *step; /* build start health switch drain cut done ... */
    enum bluegreen_colour zone;
    const char *text;
    bool has_connections;
    uint64_t connections; /* still open in the old zone */
    uint64_t elapsed_ms;  /* since the operation began */
    const char *json;
    /* since API version 3 */
    uint64_t wait_ms;   /* 0, or the step is a wait that ends after so long at the latest */
    uint64_t waited_ms; /* of it, when this was sent */
    /* since API version 5 */
    uint64_t live_connections; /* has_connections: of the zone that is live now */
    uint64_t nudged;           /* has_connections: that rested and were ended */
};

/* progress is the library's and valid during the call, or NULL: see bluegreen_set_tick. Return true to go on. After
 * false the wait ends with BLUEGREEN_INTERRUPTED and the connection is of no more use; the operation goes on in the
 * agent. Must not use the connection. */
typedef bool bluegreen_progress_callback(void *context, const struct bluegreen_progress *progress);

struct bluegreen_receipt {
    enum bluegreen_colour from, to;
    const char *release;                          /* now live, or NULL */
    uint64_t transaction_us;                      /* how long the kernel took for the switch */
    uint64_t generation_before, generation_after; /* nf_tables generation ids */
    uint64_t drained;                             /* connections that ended by themselves */
    uint64_t cut;                                 /* connections that were ended at the deadline */
    uint64_t duration_ms;                         /* of the whole operation */
    const char *who;
    const char *json;
    /* since API version 5 */
    uint64_t nudged; /* of `drained`: nothing was to come on them any more, and the app was told that they are over */
};

/* A row of an answer. */
struct bluegreen_item {
    const char *kind; /* "release", "difference", "schema", "app"; of doctor "ok" to "fault", "more", "mend" */
    const char *name;
    const char *values[2]; /* by colour; or NULL */
    const char *text;      /* or NULL */
    const char *time;      /* or NULL */
    const char *json;
};

struct bluegreen_result {
    const struct bluegreen_receipt *receipt; /* NULL where nothing was switched */
    const char *text;                        /* what else is to be said, or NULL */
    const char *json;
    /* since API version 4 */
    const struct bluegreen_item *const *items; /* of schema, release, diff and groups; ended by NULL */
    size_t item_count;
};

/* What to do, since API version 4. What the verb does not have is NULL or 0. The caller's; its size belongs to the
 * soname. */
struct bluegreen_request {
    enum bluegreen_verb verb;
    const char *app;
    const char *group; /* switch, rollback: instead of app, all apps of that group in one transaction */
    const char *release, *action;
    const char *text; /* lock: why; wait: the state; switch, since API version 5: the share of a canary, as "10%" */
    unsigned flags;
};

/* Runs an operation and waits for its end. app and release NULL where the verb has none; on_progress may be NULL,
 * result too. If the connection breaks meanwhile (BLUEGREEN_UNREACHABLE) the operation may or may not be done: ask
 * for the status. */
BLUEGREEN_EXPORT int bluegreen_operate(struct bluegreen *agent, enum bluegreen_verb verb, const char *app,
                                       const char *release, unsigned flags, bluegreen_progress_callback *on_progress,
                                       void *context, struct bluegreen_result **result, struct bluegreen_error *error);
/* The same for all that can be asked for, since API version 4. */
BLUEGREEN_EXPORT int bluegreen_ask(struct bluegreen *agent, const struct bluegreen_request *request,
                                   bluegreen_progress_callback *on_progress, void *context,
                                   struct bluegreen_result **result, struct bluegreen_error *error);
BLUEGREEN_EXPORT void bluegreen_result_free(struct bluegreen_result *result);
/* Since API version 3. While bluegreen_operate waits, its callback is called with progress NULL whenever nothing came
 * of the agent for so long: for what is shown of the time that passes. 0, as at first: never. */
BLUEGREEN_EXPORT void bluegreen_set_tick(struct bluegreen *agent, int milliseconds);

/* Since API version 6. Of deploys, switches and rollbacks that are asked for afterwards: where the other zone's feed
 * cannot be brought in step, go on if it would miss so many transactions at most. 0, as at first: none. */
BLUEGREEN_EXPORT void bluegreen_set_lose(struct bluegreen *agent, uint64_t transactions);

/* --- commands (since API version 2) -------------------------------------------------------------------- */

/* A command to run in a zone as the app's user, in the app's sandbox and within its limits. The caller's; its size
 * belongs to the soname. */
struct bluegreen_command {
    const char *app;
    enum bluegreen_colour zone;   /* BLUEGREEN_NONE: the live one */
    const char *const *arguments; /* UTF-8, ended by NULL; the first is looked for in the app's PATH if it has no '/' */
    const char *terminal;         /* value of TERM: it gets a terminal for stdin and stdout; NULL: pipes */
    unsigned rows, columns;       /* of the terminal; 0 = unknown */
    int merge;                    /* not 0: its stderr goes where its stdout goes */
};

/* Returns when it is on its way; whether it could be executed is for bluegreen_exec_wait to say. descriptors are then
 * the caller's to close: where to write to its stdin, and where to read its
 * stdout and its stderr; close-on-exec, blocking. With a terminal the first is the terminal's master, for both ways,
 * and the second is -1; with merge the third is -1. The connection carries this call until bluegreen_exec_wait
 * returned. */
BLUEGREEN_EXPORT int bluegreen_exec(struct bluegreen *agent, const struct bluegreen_command *command,
                                    int descriptors[3], struct bluegreen_error *error);
/* For poll(2): readable when there is something that bluegreen_exec_wait waits for. */
BLUEGREEN_EXPORT int bluegreen_descriptor(const struct bluegreen *agent);
/* Waits until the command has ended, and says how: by a code (signal is 0 then), or by a signal (code is -1). To end
 * the command instead, close the connection: it gets a signal, SIGTERM or with a terminal SIGHUP, and is killed if it
 * is still there five seconds later. */
BLUEGREEN_EXPORT int bluegreen_exec_wait(struct bluegreen *agent, int *code, int *signal,
                                         struct bluegreen_error *error);

/* --- logs (since API version 2) ------------------------------------------------------------------------ */

/* The files with what the app of a zone wrote to its stdout and stderr, byte for byte. The supervisor of the zone adds
 * to `log`; when that has grown to 10 MiB it becomes `old_log`, and a new one is begun. To follow, ask again when `log`
 * was renamed (its st_ctime changes without its size).
 *
 * An index tells when what was written. It begins with a struct bluegreen_log_head and goes on with struct
 * bluegreen_log_mark, in the byte order of the host: what stands at `offset` came at `unix_ms`, and what follows it up
 * to the next mark not later than `span_ms` after that. */
struct bluegreen_log_head {
    char magic[8]; /* "BGINDEX1" */
    uint64_t span_ms;
    uint64_t inode; /* of the log that it belongs to (st_ino): the two are renamed one after the other */
};

struct bluegreen_log_mark {
    uint64_t unix_ms;
    uint64_t offset;
};

struct bluegreen_logs {
    enum bluegreen_colour zone;
    const char *release;                /* in the zone now, or NULL */
    int log, old_log, index, old_index; /* open for reading, with an offset of their own; -1 = there is none */
    const char *json;
};

/* zone BLUEGREEN_NONE: the live one, or else the one that is there. */
BLUEGREEN_EXPORT int bluegreen_logs(struct bluegreen *agent, const char *app, enum bluegreen_colour zone,
                                    struct bluegreen_logs **logs, struct bluegreen_error *error);
/* Closes the descriptors too. */
BLUEGREEN_EXPORT void bluegreen_logs_free(struct bluegreen_logs *logs);

/* --- connections (since API version 5) ------------------------------------------------------------------- */

/* A client's, of TCP, or its flow of UDP. -1 = unknown. */
struct bluegreen_connection {
    enum bluegreen_colour zone;
    const char *protocol; /* "tcp", "udp" */
    const char *port;     /* its name in [ports], or NULL */
    unsigned target;      /* the port in the zone */
    const char *peer;     /* the client as the zone sees it: "192.0.2.7:51234", "[2001:db8::7]:51234" */
    const char *state;    /* "established", "close-wait", ...; of UDP "replied", "unreplied" */
    int64_t age_ms;       /* if not age_exact: at least so old */
    bool age_exact;
    int64_t idle_ms; /* since either side has sent data */
    bool rests;      /* everything was asked and answered, and it is idle for [drain] nudge_after */
    bool nudged;     /* it was told to end and has not yet */
    int64_t bytes_in, bytes_out;
    uint64_t unread;      /* bytes that the app has not read */
    uint64_t unconfirmed; /* bytes of the app's that the client has not confirmed */
    const char *json;
};

struct bluegreen_connections {
    const struct bluegreen_connection *const *connections; /* those of the zone that is not live first */
    size_t count;
    const char *text; /* how many are left out, or NULL */
    const char *json; /* {"connections":[...]} */
};

/* zone BLUEGREEN_NONE: both. limit: at most that many, 1 to 1000; 0 = 100. */
BLUEGREEN_EXPORT int bluegreen_connections(struct bluegreen *agent, const char *app, enum bluegreen_colour zone,
                                           unsigned limit, struct bluegreen_connections **connections,
                                           struct bluegreen_error *error);
BLUEGREEN_EXPORT void bluegreen_connections_free(struct bluegreen_connections *connections);

/* --- feeds (since API version 6) --------------------------------------------------------------------------- */

/* A transaction that there is something to say of. */
struct bluegreen_transaction {
    uint64_t sequence;
    const char *kind; /* "in doubt", "diverged", "lost", "twice" */
    enum bluegreen_colour zone;
    const char *time;                   /* when live had it */
    const char *request;                /* "POST /orders/17" */
    unsigned status_live, status_other; /* of the two answers; 0 = there was none */
    const char *live, *other;           /* the beginnings of the answers, or NULL */
    const char *json;
};

struct bluegreen_feed_answer {
    const struct bluegreen_feed *feed; /* of status and verify; else NULL */
    const struct bluegreen_transaction *const *transactions;
    size_t count;
    const char *text; /* what else is to be said, or NULL */
    const char *json;
};

/* action: "status", "pause", "resume", "seed", "diff", "verify"; "skip" or "apply" of the transaction `sequence`, which
 * is 0 for the others. Waits for the end as bluegreen_ask does, with on_progress (or NULL) meanwhile; answer may be
 * NULL. */
BLUEGREEN_EXPORT int bluegreen_feed(struct bluegreen *agent, const char *app, const char *action, uint64_t sequence,
                                    bluegreen_progress_callback *on_progress, void *context,
                                    struct bluegreen_feed_answer **answer, struct bluegreen_error *error);
BLUEGREEN_EXPORT void bluegreen_feed_free(struct bluegreen_feed_answer *answer);

#ifdef __cplusplus
}
#endif

#endif
