/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between the monitor and its api role: fixed layout, one SOCK_SEQPACKET message each, both
 * ends the same binary. enum wire_verb is the whole list of what a client can make the monitor do; the monitor
 * treats every field as hostile (wire_request_valid) and knows by itself who a client is: it accepted the
 * connection, read its credentials and named it by a number that the api role can only repeat.
 */
#pragma once

#include "model/service.h"
#include "model/types.h"

enum wire_verb {
    VERB_STATUS,   /* anyone: reads, changes nothing */
    VERB_HISTORY,  /* anyone: reads the journal's end */
    VERB_VERSION,  /* anyone: constant */
    VERB_RELOAD,   /* operator: files read are named by the monitor's own arguments, not by the request */
    VERB_DEPLOY,   /* operator: app must be configured, release name has no '/' and no leading '.' */
    VERB_STAGE,    /* operator: the same */
    VERB_SWITCH,   /* operator: to the other zone only, behind the health gate unless forced */
    VERB_ROLLBACK, /* operator: the same */
    VERB_ABORT,    /* operator: undoes, at worst wastes a staged zone */
    VERB_DRAIN,    /* operator: waits, changes nothing */
    VERB_STOP,     /* operator: an operator may take an app down */
    VERB_START,    /* operator: brings back what stop recorded */
    VERB_REMOVE,   /* operator: of an app that is stopped or forced */
    VERBS
};

const char *verb_name(enum wire_verb verb);
bool verb_changes(enum wire_verb verb); /* needs operator rights */

enum wire_type {
    /* monitor to api */
    WIRE_CLIENT = 1, /* struct wire_client with the connection as descriptor */
    WIRE_STATUS,     /* struct wire_status, one app; more may follow */
    WIRE_PROGRESS,   /* struct wire_progress */
    WIRE_HISTORY,    /* struct wire_history, one entry, oldest first */
    WIRE_RECEIPT,    /* struct wire_receipt */
    WIRE_END,        /* struct wire_end: the request is finished */
    /* api to monitor */
    WIRE_REQUEST = 64, /* struct wire_request */
    WIRE_GONE,         /* struct wire_header only: the client closed; its running operation goes on */
};

#define WIRE_VERSION 1

struct wire_header {
    uint16_t type;
    uint16_t version;
    uint32_t length;  /* of the whole message */
    uint64_t client;  /* chosen by the monitor */
    uint64_t request; /* chosen by the api role, unique among the client's; 0 in WIRE_CLIENT and WIRE_GONE */
};

struct wire_client {
    struct wire_header header;
    uint32_t uid;
    int32_t pid;
    uint8_t may_operate;
    uint8_t reserved[7];
};

#define WIRE_HISTORY_MAX 1000 /* what a compacted journal keeps */
#define WIRE_FORCE       0x1u /* go on in spite of a refusal that can be overridden */

struct wire_request {
    struct wire_header header;
    uint32_t verb;
    uint32_t flags;
    uint32_t limit; /* history: entries, 0 = 50, at most WIRE_HISTORY_MAX */
    uint32_t reserved;
    char app[APP_NAME_MAX + 1];         /* "" = all, where the verb allows it */
    char release[RELEASE_NAME_MAX + 8]; /* deploy and stage only */
};

/* Everything in bounds, terminated, names valid for the verb. The reason is for the client. */
bool wire_request_valid(const struct wire_request *request, size_t length, struct error *err);

#define WIRE_TEXT_MAX 255
#define WIRE_WHO_MAX  63

struct wire_exit {
    uint8_t known;
    uint8_t signalled; /* value is a signal number, else an exit code */
    uint16_t value;
    uint32_t reserved;
    uint64_t unix_ms;
};

struct wire_zone {
    uint8_t state;   /* enum zone_state */
    uint8_t verdict; /* enum verdict */
    uint8_t reserved[2];
    uint32_t restarts;
    int32_t pid, shim_pid; /* as the host sees them; 0 = none */
    uint32_t tcp, udp;     /* connections */
    char release[RELEASE_NAME_MAX + 8];
    struct address ipv4, ipv6; /* service addresses */
    struct wire_exit last_exit;
    char detail[WIRE_TEXT_MAX + 1]; /* why failed or unhealthy, or the last probe's result */
};

struct wire_port {
    char name[PORT_NAME_MAX + 1];
    char listen[PORT_LISTEN_TEXT_MAX];
    uint16_t target;
    uint8_t protocol;
    uint8_t reserved[7];
};

enum app_state { APP_EMPTY, APP_RUNNING, APP_STOPPED }; /* empty: nothing was ever released */

const char *app_state_name(enum app_state state);

struct wire_operation {
    uint8_t present;
    uint8_t verb; /* enum wire_verb */
    uint8_t reserved[6];
    uint64_t since_unix_ms;
    char step[32];
    char who[WIRE_WHO_MAX + 1]; /* "alice (uid 1000)" */
};

struct wire_status {
    struct wire_header header;
    char name[APP_NAME_MAX + 1];
    uint8_t state; /* enum app_state */
    int8_t live;   /* enum colour or -1 */
    uint16_t port_count;
    uint8_t reserved[4];
    struct wire_zone zones[COLOURS];
    struct wire_operation operation;
    struct wire_port ports[SERVICE_PORTS_MAX];
};

struct wire_progress {
    struct wire_header header;
    uint8_t zone;      /* enum colour */
    uint8_t has_count; /* connections is meaningful */
    uint8_t reserved[2];
    uint32_t connections; /* drain: still open in the old zone */
    uint64_t elapsed_ms;  /* since the operation began */
    char step[32];        /* build start health switch drain cut done ... */
    char text[WIRE_TEXT_MAX + 1];
};

struct wire_receipt {
    struct wire_header header;
    int8_t from; /* enum colour or -1 */
    int8_t to;
    uint8_t reserved[2];
    uint32_t transaction_us;
    uint32_t generation_before, generation_after; /* nf_tables generation ids */
    uint32_t drained;                             /* connections that ended by themselves in the drain */
    uint32_t cut;                                 /* connections ended at its deadline */
    uint64_t duration_ms;                         /* of the whole operation */
    char release[RELEASE_NAME_MAX + 8];           /* now live */
    char who[WIRE_WHO_MAX + 1];
};

struct wire_history {
    struct wire_header header;
    uint64_t sequence;
    uint64_t begun_unix_ms;
    uint64_t duration_ms;
    uint8_t verb; /* enum wire_verb */
    int8_t from, to;
    uint8_t done; /* 1 done, 0 failed or undone */
    uint8_t reserved[4];
    char app[APP_NAME_MAX + 1];
    char release[RELEASE_NAME_MAX + 8];
    char who[WIRE_WHO_MAX + 1];
    char reason[WIRE_TEXT_MAX + 1]; /* "" when done */
};

enum wire_result {
    RESULT_DONE,
    RESULT_FAILED,      /* tried, and failed: the text says why */
    RESULT_REFUSED,     /* not tried: wrong state, gate, firewall */
    RESULT_BUSY,        /* another foreground operation on this app */
    RESULT_NO_SUCH_APP, /* not configured */
    RESULT_NOT_ALLOWED, /* rights */
    RESULT_INVALID,     /* the request itself */
    RESULTS
};

#define WIRE_END_TEXT_MAX 6143 /* the reason, and the app's last log lines */

struct wire_end {
    struct wire_header header;
    uint32_t result;
    uint32_t reserved;
    char text[WIRE_END_TEXT_MAX + 1]; /* "" or what happened, sanitised; lines separated by \n */
};

#define WIRE_MESSAGE_MAX \
    (sizeof(struct wire_status) > sizeof(struct wire_end) ? sizeof(struct wire_status) : sizeof(struct wire_end))

/* Does this message have the length that its type has, our version and a known type? For both directions. */
bool wire_message_valid(const void *message, size_t length);
