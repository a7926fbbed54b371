/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between the agent and the shim of a zone, one SOCK_SEQPACKET message each. A shim lives as long as its
 * zone and talks to agents that are newer than itself, so messages are not structs: a header, then fields of
 * tag, length and value. A receiver skips a field that it does not know, unless the tag has SHIM_TAG_CRITICAL: then
 * it refuses the message. What a message carries may grow; what a tag means never changes.
 *
 * Pure: bytes in, bytes out. Both ends run as root on one machine, so numbers are in host byte order; still nothing
 * that arrives is trusted.
 *
 * Descriptors travel beside the bytes: with START the process's cgroup directory (or none where there is no cgroup),
 * and behind it stdin, stdout and stderr if it has SHIM_TAG_STDIO; with HELLO a pidfd of the shim; and with HELLO,
 * PROCESS, STARTED and RUNNING a pidfd of the process if it runs.
 *
 * A zone runs several processes. Each is started by a START of its own; a message that is about another one than
 * the app's main process names it (SHIM_TAG_PROCESS).
 */
#pragma once

#include "model/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHIM_MAGIC         0x315a4742u   /* "BGZ1" in memory on a little-endian machine */
#define SHIM_VERSION       2             /* 2: knows NUDGE */
#define SHIM_MESSAGE_MAX   (128u * 1024) /* below the kernel's default socket buffer, 208 KiB (net.core.wmem_default) */
#define SHIM_ANSWER_MAX    1024u         /* everything a shim says fits */
#define SHIM_SOCKETS_MAX   1024          /* of one NUDGE */
#define SHIM_PROCESSES_MAX 24            /* that a shim runs at a time: main, 15 configured, checks and commands */

/* What the shim inherits beside stdin, stdout and stderr. */
#define SHIM_FD_LISTEN        3
#define SHIM_FD_LOG_DIRECTORY 4
#define SHIM_FD_REPORT        5 /* a pipe; struct shim_report if the shim ends before it listens. Older agents: none */

enum shim_type {
    /* agent to shim */
    SHIM_START = 1, /* struct shim_start: run this from now on; answered by STARTED, FAILED or REFUSED */
    SHIM_STOP,      /* end the process gracefully and do not start it again; without PROCESS: all. STOPPED follows */
    SHIM_SET,       /* what is there of OOM_SCORE and FROZEN holds from now on, for all processes; answered by DONE or
                       FAILED */
    SHIM_NUDGE = 8, /* struct shim_nudge: connections that rest are to end. NUDGED follows. Since version 2 */
    /* shim to agent: each carries a whole struct shim_state */
    SHIM_HELLO = 64, /* first on every connection */
    SHIM_STARTED,    /* answer: the app was executed */
    SHIM_FAILED,     /* answer: it was not; stage and error say why; nothing runs and nothing will */
    SHIM_REFUSED,    /* answer: the message was not obeyed; error and tag say why; nothing changed */
    SHIM_RUNNING,    /* the shim started the app again */
    SHIM_EXITED,     /* the app ended by itself; it will be started again */
    SHIM_STOPPED,    /* the process ended because it was asked to; without PROCESS: everything in the zone */
    SHIM_NOTIFIED,   /* the app said READY=1, or takes it back (RELOADING, STOPPING) */
    SHIM_DONE,       /* answer to SET */
    SHIM_ENDED,   /* a process with DEADLINE or STDIO ended, whyever and with all that it started; or one whose policy
                        does not start it again */
    SHIM_PROCESS, /* behind HELLO, once for each process but main */
    SHIM_NUDGED = 80, /* answer to NUDGE: COUNT of them were */
};

/* A message's frame. An answer has its request's serial, an event 0. */
struct shim_header {
    uint32_t magic;
    uint16_t version; /* of the sender */
    uint16_t type;
    uint32_t length; /* of the whole message */
    uint32_t serial;
};

#define SHIM_TAG_CRITICAL 0x8000u

/* A field: this, then the value, then zeros up to a multiple of four bytes. */
struct shim_field {
    uint16_t tag;
    uint16_t zero;
    uint32_t length; /* of the value without the zeros behind it; a text's includes its NUL */
};

enum shim_tag {
    /* START. Texts without NUL inside. */
    SHIM_TAG_ARGUMENT = SHIM_TAG_CRITICAL | 1,      /* text, once per word; the first is an absolute path */
    SHIM_TAG_VARIABLE = SHIM_TAG_CRITICAL | 2,      /* text NAME=VALUE, once each */
    SHIM_TAG_WORKDIR = SHIM_TAG_CRITICAL | 3,       /* text, absolute path */
    SHIM_TAG_UID = SHIM_TAG_CRITICAL | 4,           /* u32 */
    SHIM_TAG_GID = SHIM_TAG_CRITICAL | 5,           /* u32 */
    SHIM_TAG_GROUPS = SHIM_TAG_CRITICAL | 6,        /* u32 each */
    SHIM_TAG_HOSTNAME = SHIM_TAG_CRITICAL | 7,      /* text */
    SHIM_TAG_STOP_TIMEOUT = SHIM_TAG_CRITICAL | 8,  /* u32, ms */
    SHIM_TAG_RESTART_DELAY = SHIM_TAG_CRITICAL | 9, /* u32, ms */
    SHIM_TAG_VIEW = SHIM_TAG_CRITICAL | 10,         /* struct shim_view_field with two texts, once per step, in order */
    SHIM_TAG_FILTER = SHIM_TAG_CRITICAL | 11,       /* struct sock_filter each, for seccomp(2) */
    SHIM_TAG_RLIMIT = SHIM_TAG_CRITICAL | 12,       /* struct shim_rlimit, once per resource */
    SHIM_TAG_PROCESS = SHIM_TAG_CRITICAL | 13, /* text, its name; main has none. Also in STOP and in what a shim says */
    SHIM_TAG_STOP_SIGNAL = SHIM_TAG_CRITICAL | 14, /* u32 */
    SHIM_TAG_RESTART = SHIM_TAG_CRITICAL | 15,     /* u32, enum shim_restart */
    SHIM_TAG_RESTART_MAX = SHIM_TAG_CRITICAL | 16, /* u32, ms: the longest back-off */
    SHIM_TAG_OOM_SCORE = SHIM_TAG_CRITICAL | 17,   /* u32, 0..1000. Also in SET */
    SHIM_TAG_WATCHDOG = SHIM_TAG_CRITICAL | 18,    /* u32, ms: the shim sets NOTIFY_SOCKET; 0 = without a watchdog */
    SHIM_TAG_DEADLINE = SHIM_TAG_CRITICAL | 19,    /* u32, ms: runs once, is killed after this; ENDED has its OUTPUT */
    SHIM_TAG_STDIO =
        SHIM_TAG_CRITICAL | 20, /* u32: runs once with three descriptors; 1 = stdin is to be its terminal */
    SHIM_TAG_FROZEN = SHIM_TAG_CRITICAL | 21,  /* u32, 0 or 1. SET, and state */
    SHIM_TAG_LISTEN = SHIM_TAG_CRITICAL | 22,  /* struct shim_listen_field with its name, once each: main only */
    SHIM_TAG_SOCKETS = SHIM_TAG_CRITICAL | 28, /* NUDGE: struct shim_socket each */
    SHIM_TAG_IDLE = SHIM_TAG_CRITICAL | 29,    /* NUDGE: u32, ms: nothing has happened on them for so long */
    /* what the shim says */
    SHIM_TAG_PHASE = 32,         /* u32, enum shim_phase */
    SHIM_TAG_RESTARTS = 33,      /* u32 */
    SHIM_TAG_EXIT_CODE = 34,     /* u32; this or the next one, or neither if it has never exited */
    SHIM_TAG_EXIT_SIGNAL = 35,   /* u32 */
    SHIM_TAG_EXIT_TIME = 36,     /* u64, ms since 1970 */
    SHIM_TAG_STAGE = 37,         /* u32, enum shim_stage */
    SHIM_TAG_ERROR = 38,         /* u32, errno */
    SHIM_TAG_REFUSED = 39,       /* u32, the tag that was not understood */
    SHIM_TAG_READY = 40,         /* u32, 1: the app said READY=1 since its last start */
    SHIM_TAG_OBJECT = 41,        /* text, at most SHIM_OBJECT_MAX: FAILED: the path of the step that failed */
    SHIM_TAG_OUTPUT = 42,        /* text, at most SHIM_OUTPUT_MAX, printable: the last line that a check printed */
    SHIM_TAG_WATCHDOG_HITS = 43, /* u32: how often the watchdog ended the app */
    SHIM_TAG_EXIT_AGES = 44,     /* u32 each, ms: HELLO, PROCESS: how long ago the last exits were, the newest first */
    SHIM_TAG_COUNT = 48,         /* u32: NUDGED */
};

#define SHIM_PROCESS_MAIN         "main" /* what nobody else may be called */
#define SHIM_STOP_SIGNAL_USUAL    15     /* SIGTERM */
#define SHIM_RESTART_MAX_USUAL_MS 30000u
#define SHIM_FILTER_BYTES         8u /* sizeof(struct sock_filter) */
#define SHIM_OBJECT_MAX           255
#define SHIM_OUTPUT_MAX           159
#define SHIM_EXITS_MAX            16

enum shim_restart { SHIM_RESTART_ALWAYS, SHIM_RESTART_ON_FAILURE, SHIM_RESTART_NO };

/* The wire form of a step of model/view.h; source and target follow, each with its NUL. */
struct shim_view_field {
    uint32_t kind;  /* enum view_kind */
    uint32_t flags; /* VIEW_* */
};

/* A socket that the process gets, as sd_listen_fds(3) has it; the name follows with its NUL. */
struct shim_listen_field {
    uint32_t protocol; /* IANA's number: 6 or 17 */
    uint32_t port;
};

#define SHIM_LISTENS_MAX 64

struct shim_listen {
    const char *name;
    uint32_t protocol, port;
};

struct shim_rlimit {
    uint32_t resource; /* RLIMIT_* of getrlimit(2) */
    uint32_t zero;
    uint64_t soft, hard;
};

/* A connection of the app's, by what sock_diag calls it. */
struct shim_socket {
    uint32_t cookie[2]; /* of the socket, the lower half first */
    uint32_t inode;
    uint32_t listen; /* 0: it is to end. 1: it was nudged and did not end, so its client is listened to again */
};

/* How far the start of an app came when it failed. Numbers are part of the protocol. */
enum shim_stage {
    SHIM_STAGE_NONE,
    SHIM_STAGE_PREPARE, /* in the shim: pipe, host name */
    SHIM_STAGE_CLONE,
    SHIM_STAGE_CGROUP_NAMESPACE,
    SHIM_STAGE_PROPAGATION,
    SHIM_STAGE_PROC,
    SHIM_STAGE_RESOLV_CONF,
    SHIM_STAGE_HOSTS,
    SHIM_STAGE_TMP,
    SHIM_STAGE_SHM,
    SHIM_STAGE_STDIO,
    SHIM_STAGE_OOM,
    SHIM_STAGE_BOUNDING,
    SHIM_STAGE_GROUPS,
    SHIM_STAGE_GID,
    SHIM_STAGE_UID,
    SHIM_STAGE_CAPABILITIES,
    SHIM_STAGE_NO_NEW_PRIVILEGES,
    SHIM_STAGE_WORKDIR,
    SHIM_STAGE_DESCRIPTORS,
    SHIM_STAGE_SIGNALS,
    SHIM_STAGE_EXEC,
    SHIM_STAGE_TIMEOUT, /* the exec did not come about in time */
    SHIM_STAGE_SOURCE,  /* of a bind mount */
    SHIM_STAGE_VIEW,    /* laying it out */
    SHIM_STAGE_RLIMITS,
    SHIM_STAGE_FILTER,
    SHIM_STAGE_TERMINAL,
    SHIM_STAGE_NOTIFY, /* in the shim: the socket */
    SHIM_STAGE_KILLED, /* the process was, before the exec */
    SHIM_STAGE_LISTEN, /* in the shim: a listening socket; in the process: handing it over */
    SHIM_STAGES
};

/* What was being done, for a message: "change to the working directory". */
const char *shim_stage_text(uint32_t stage);
#define SHIM_STAGE_TEXT_MAX (SHIM_OBJECT_MAX + 80)
/* The same with what it was about, "" or NULL = nothing: "lay out the app's files: /dev". */
void shim_stage_describe(uint32_t stage, const char *object, char text[SHIM_STAGE_TEXT_MAX]);

/* How far the shim's own set-up came when it failed. Numbers are part of the protocol. */
enum shim_setup {
    SHIM_SETUP_NONE,
    SHIM_SETUP_DUMPABLE,
    SHIM_SETUP_CAPABILITIES,
    SHIM_SETUP_DIRECTORY,
    SHIM_SETUP_SIGNALS,
    SHIM_SETUP_DESCRIPTORS,
    SHIM_SETUP_EVENTS,
    SHIM_SETUP_SOCKET,
    SHIM_SETUP_LOG,
    SHIM_SETUPS
};

struct shim_report {
    uint32_t step;  /* enum shim_setup */
    uint32_t error; /* errno */
};

const char *shim_setup_text(uint32_t step);

/* Encoding: everything is borrowed. Decoding: strings and groups point into the message, argv and environment are
 * allocated; shim_start_clear frees them. */
struct shim_start {
    char **argv; /* NULL-terminated, as execve(2) takes them */
    char **environment;
    size_t argument_count, variable_count;
    const char *workdir;
    const char *hostname;
    uint32_t uid, gid;
    const uint32_t *groups; /* aligned */
    size_t group_count;
    uint32_t stop_timeout_ms;
    uint32_t stop_signal;                      /* 0 = SIGTERM */
    uint32_t restart;                          /* enum shim_restart */
    uint32_t restart_delay_ms, restart_max_ms; /* restart_max_ms 0 = 30000 */
    const char *process;                       /* NULL = main */
    struct view view;                          /* steps allocated; strings borrowed */
    const void *filter;                        /* of struct sock_filter, aligned; NULL = none */
    size_t filter_count;
    const struct shim_rlimit *rlimits; /* allocated by decoding */
    size_t rlimit_count;
    uint32_t oom_score;
    bool notify;
    uint32_t watchdog_ms;
    uint32_t deadline_ms; /* 0 = none */
    bool stdio, terminal;
    struct shim_listen listens[SHIM_LISTENS_MAX]; /* names borrowed */
    size_t listen_count;
};

void shim_start_clear(struct shim_start *start);

enum shim_phase {
    SHIM_IDLE,     /* nothing was asked for, or it was stopped */
    SHIM_ALIVE,    /* the app runs */
    SHIM_BACK_OFF, /* it ended and will be started again */
    SHIM_STOPPING, /* it was asked to end */
    SHIM_OVER,     /* it ended, and its policy does not start it again */
};

struct shim_state {
    uint32_t phase; /* enum shim_phase, or what a newer shim knows */
    uint32_t restarts;
    bool exited;    /* the next three describe the last exit */
    bool signalled; /* exit_value is a signal */
    uint32_t exit_value;
    uint64_t exit_unix_ms;
    uint32_t stage; /* FAILED only */
    uint32_t error; /* FAILED, REFUSED: errno; ENDED: ETIMEDOUT if its deadline ended it */
    uint32_t tag;   /* REFUSED: what was not understood, or 0 */
    bool ready, frozen;
    uint32_t watchdog_hits;
    const char *process; /* these four: NULL = none; encoding borrows, decoding points into the message */
    const char *object;
    const char *output;
    const uint32_t *exit_ages; /* aligned */
    size_t exit_count;         /* at most SHIM_EXITS_MAX */
    uint32_t count;            /* NUDGED */
};

struct shim_nudge {
    const struct shim_socket *sockets; /* aligned to four bytes */
    size_t count;                      /* 1..SHIM_SOCKETS_MAX */
    uint32_t idle_ms;
};

struct shim_set {
    bool has_oom_score, has_frozen;
    uint32_t oom_score;
    bool frozen;
};

/* Each returns the message's length, or 0 if it does not fit in size bytes. */
size_t shim_encode_start(const struct shim_start *start, uint32_t serial, void *message, size_t size);
size_t shim_encode_stop(const char *process, uint32_t serial, void *message, size_t size); /* NULL = all */
size_t shim_encode_set(const struct shim_set *set, uint32_t serial, void *message, size_t size);
size_t shim_encode_nudge(const struct shim_nudge *nudge, uint32_t serial, void *message, size_t size);
size_t shim_encode_state(enum shim_type type, const struct shim_state *state, uint32_t serial, void *message,
                         size_t size);

/* Checks the frame and every field's bounds. 0, or -EBADMSG. Types that nobody knows pass: the receiver decides. */
int shim_check(const void *message, size_t length, struct shim_header *header);

/* For a message that passed shim_check. 0; -EBADMSG: a value is wrong, doubled or missing; -EOPNOTSUPP: a critical
 * field is unknown, *unknown is its tag; -ENOMEM. message must be aligned to four bytes and outlive start. */
int shim_decode_start(void *message, size_t length, struct shim_start *start, uint32_t *unknown);
/* *process is NULL, or points into the message. */
int shim_decode_stop(const void *message, size_t length, const char **process, uint32_t *unknown);
int shim_decode_set(const void *message, size_t length, struct shim_set *set, uint32_t *unknown);
int shim_decode_nudge(const void *message, size_t length, struct shim_nudge *nudge, uint32_t *unknown);
/* The same for what a shim says, and -EOPNOTSUPP likewise. Fields that are missing are 0. */
int shim_decode_state(const void *message, size_t length, struct shim_state *state, uint32_t *unknown);
