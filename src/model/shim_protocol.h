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
 * Descriptors travel beside the bytes: with START the payload cgroup's directory (or none where there is no
 * cgroup), with HELLO a pidfd of the shim, and with HELLO, STARTED and RUNNING a pidfd of the app if it runs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHIM_MAGIC       0x315a4742u /* "BGZ1" in memory on a little-endian machine */
#define SHIM_VERSION     1
#define SHIM_MESSAGE_MAX (128u * 1024) /* below the kernel's default socket buffer of 208 KiB (net.core.wmem_default) */
#define SHIM_ANSWER_MAX  256u          /* everything a shim says fits */

/* What the shim inherits beside stdin, stdout and stderr. */
#define SHIM_FD_LISTEN        3
#define SHIM_FD_LOG_DIRECTORY 4

enum shim_type {
    /* agent to shim */
    SHIM_START = 1, /* struct shim_start: run this from now on; answered by STARTED, FAILED or REFUSED */
    SHIM_STOP,      /* no fields: end the app gracefully and do not start it again; STOPPED follows */
    /* shim to agent: each carries a whole struct shim_state */
    SHIM_HELLO = 64, /* first on every connection */
    SHIM_STARTED,    /* answer: the app was executed */
    SHIM_FAILED,     /* answer: it was not; stage and error say why; nothing runs and nothing will */
    SHIM_REFUSED,    /* answer: the message was not obeyed; error and tag say why; nothing changed */
    SHIM_RUNNING,    /* the shim started the app again */
    SHIM_EXITED,     /* the app ended by itself; it will be started again */
    SHIM_STOPPED,    /* the app ended because it was asked to, and everything in the zone with it */
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
    /* what the shim says */
    SHIM_TAG_PHASE = 32,       /* u32, enum shim_phase */
    SHIM_TAG_RESTARTS = 33,    /* u32 */
    SHIM_TAG_EXIT_CODE = 34,   /* u32; this or the next one, or neither if it has never exited */
    SHIM_TAG_EXIT_SIGNAL = 35, /* u32 */
    SHIM_TAG_EXIT_TIME = 36,   /* u64, ms since 1970 */
    SHIM_TAG_STAGE = 37,       /* u32, enum shim_stage */
    SHIM_TAG_ERROR = 38,       /* u32, errno */
    SHIM_TAG_REFUSED = 39,     /* u32, the tag that was not understood */
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
    SHIM_STAGES
};

/* What was being done, for a message: "change to the working directory". */
const char *shim_stage_text(uint32_t stage);

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
    uint32_t restart_delay_ms;
};

void shim_start_clear(struct shim_start *start);

enum shim_phase {
    SHIM_IDLE,     /* nothing was asked for, or it was stopped */
    SHIM_ALIVE,    /* the app runs */
    SHIM_BACK_OFF, /* it ended and will be started again */
    SHIM_STOPPING, /* it was asked to end */
};

struct shim_state {
    uint32_t phase; /* enum shim_phase, or what a newer shim knows */
    uint32_t restarts;
    bool exited;    /* the next three describe the last exit */
    bool signalled; /* exit_value is a signal */
    uint32_t exit_value;
    uint64_t exit_unix_ms;
    uint32_t stage; /* FAILED only */
    uint32_t error; /* FAILED, REFUSED: errno */
    uint32_t tag;   /* REFUSED: what was not understood, or 0 */
};

/* Each returns the message's length, or 0 if it does not fit in size bytes. */
size_t shim_encode_start(const struct shim_start *start, uint32_t serial, void *message, size_t size);
size_t shim_encode_stop(uint32_t serial, void *message, size_t size);
size_t shim_encode_state(enum shim_type type, const struct shim_state *state, uint32_t serial, void *message,
                         size_t size);

/* Checks the frame and every field's bounds. 0, or -EBADMSG. Types that nobody knows pass: the receiver decides. */
int shim_check(const void *message, size_t length, struct shim_header *header);

/* For a message that passed shim_check. 0; -EBADMSG: a value is wrong, doubled or missing; -EOPNOTSUPP: a critical
 * field is unknown, *unknown is its tag; -ENOMEM. message must be aligned to four bytes and outlive start. */
int shim_decode_start(void *message, size_t length, struct shim_start *start, uint32_t *unknown);
/* The same for what a shim says, and -EOPNOTSUPP likewise. Fields that are missing are 0. */
int shim_decode_state(const void *message, size_t length, struct shim_state *state, uint32_t *unknown);
