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
#define BLUEGREEN_API_VERSION 1

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
/* The longest time in milliseconds to wait for the answer of bluegreen_status, _history and _version; 0 is for ever.
 * At first 30000. Operations take the time they take. */
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
    const char *state;   /* absent staging starting healthy unhealthy live draining standby frozen failed stopped */
    const char *release; /* or NULL */
    const char *verdict; /* of its health checks: unknown healthy unhealthy */
    const char *detail;  /* why it failed, or what the last check said, or NULL */
    const char *const *addresses;           /* ended by NULL */
    int64_t pid, shim_pid;                  /* of the app and of its supervisor, as the host sees them; 0 = none */
    uint64_t tcp, udp;                      /* connections */
    uint64_t restarts;                      /* of the app, since it was staged */
    const struct bluegreen_exit *last_exit; /* or NULL */
};

struct bluegreen_port {
    const char *name;
    const char *listen;   /* "80", "198.51.100.7:80", "[2001:db8::7]:80" */
    unsigned target;      /* port in the zone */
    const char *protocol; /* "tcp", "udp" */
};

/* A running operation. */
struct bluegreen_operation {
    const char *verb, *step, *since, *who;
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

/* A finished operation. */
struct bluegreen_entry {
    uint64_t sequence;
    const char *time; /* when it began */
    const char *app, *verb, *who;
    const char *release; /* or NULL */
    enum bluegreen_colour from, to;
    uint64_t duration_ms;
    bool done;
    const char *reason; /* NULL when done */
    const char *json;
};

struct bluegreen_history {
    const struct bluegreen_entry *const *entries; /* oldest first */
    size_t count;
    const char *json; /* {"entries":[...]} */
};

/* app NULL: all. limit: the newest that many, 1 to 1000; 0 = 50. */
BLUEGREEN_EXPORT int bluegreen_history(struct bluegreen *agent, const char *app, unsigned limit,
                                       struct bluegreen_history **history, struct bluegreen_error *error);
BLUEGREEN_EXPORT void bluegreen_history_free(struct bluegreen_history *history);

/* --- version ----------------------------------------------------------------------------------------- */

/* The agent's version into version, cut to size. */
BLUEGREEN_EXPORT int bluegreen_version(struct bluegreen *agent, char *version, size_t size,
                                       struct bluegreen_error *error);

/* --- operations -------------------------------------------------------------------------------------- */

enum bluegreen_verb {
    BLUEGREEN_RELOAD,   /* no app: read the configuration again */
    BLUEGREEN_DEPLOY,   /* app, release: stage, switch, drain */
    BLUEGREEN_STAGE,    /* app, release: start it in the zone that is not live, until its checks pass */
    BLUEGREEN_SWITCH,   /* app: make the staged zone live, drain the other */
    BLUEGREEN_ROLLBACK, /* app: make the zone live again that was live before */
    BLUEGREEN_ABORT,    /* app: undo the running operation */
    BLUEGREEN_DRAIN,    /* app: wait for the zone that is not live to be empty */
    BLUEGREEN_STOP,     /* app: both zones, over a reboot too */
    BLUEGREEN_START,    /* app: undo stop */
    BLUEGREEN_REMOVE    /* app: both zones, and what the agent knows of it */
};

/* Go on in spite of a refusal that can be overridden. */
#define BLUEGREEN_FORCE 0x1u

struct bluegreen_progress {
    const char *step; /* build start health switch drain cut done ... */
    enum bluegreen_colour zone;
    const char *text;
    bool has_connections;
    uint64_t connections; /* still open in the old zone */
    uint64_t elapsed_ms;  /* since the operation began */
    const char *json;
};

/* progress is the library's and valid during the call. Return true to go on. After false the wait ends with
 * BLUEGREEN_INTERRUPTED and the connection is of no more use; the operation goes on in the agent. Must not use the
 * connection. */
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
};

struct bluegreen_result {
    const struct bluegreen_receipt *receipt; /* NULL where nothing was switched */
    const char *text;                        /* what else is to be said, or NULL */
    const char *json;
};

/* Runs an operation and waits for its end. app and release NULL where the verb has none; on_progress may be NULL,
 * result too. If the connection breaks meanwhile (BLUEGREEN_UNREACHABLE) the operation may or may not be done: ask
 * for the status. */
BLUEGREEN_EXPORT int bluegreen_operate(struct bluegreen *agent, enum bluegreen_verb verb, const char *app,
                                       const char *release, unsigned flags, bluegreen_progress_callback *on_progress,
                                       void *context, struct bluegreen_result **result, struct bluegreen_error *error);
BLUEGREEN_EXPORT void bluegreen_result_free(struct bluegreen_result *result);

#ifdef __cplusplus
}
#endif

#endif
