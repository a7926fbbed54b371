/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between the monitor and its api role: fixed layout, one SOCK_SEQPACKET message each, both ends of one build.
 * enum wire_verb is the whole list of what a client can make the monitor do; the monitor treats every field as hostile
 * (wire_request_valid) and knows by itself who a client is: it accepted the connection, read its credentials and named
 * it by a number that the api role can only repeat. What requests are answered with is in wire_status.h,
 * wire_answers.h, wire_feed.h and wire_command.h.
 */
#pragma once

#include "model/service.h"
#include "model/types.h"

enum wire_verb {
    VERB_STATUS,      /* anyone: reads, changes nothing */
    VERB_HISTORY,     /* anyone: reads the journal's end */
    VERB_VERSION,     /* anyone: constant */
    VERB_RELOAD,      /* operator: files read are named by the monitor's own arguments, not by the request */
    VERB_DEPLOY,      /* operator: app must be configured, release name has no '/' and no leading '.' */
    VERB_STAGE,       /* operator: the same */
    VERB_SWITCH,      /* operator: to the other zone only, behind the health gate unless forced */
    VERB_ROLLBACK,    /* operator: the same */
    VERB_ABORT,       /* operator: undoes, at worst wastes a staged zone */
    VERB_DRAIN,       /* operator: waits, changes nothing */
    VERB_STOP,        /* operator: an operator may take an app down */
    VERB_START,       /* operator: brings back what stop recorded */
    VERB_REMOVE,      /* operator: of an app that is stopped or forced */
    VERB_EXEC,        /* operator: a command in the zone, as the app's user in its sandbox: what a release may do too;
                    * root where the app's user is root: its files are not an operator's */
    VERB_TEST,        /* operator: what a deploy would do to the staged zone */
    VERB_FINISH,      /* operator: drain and bake end now, as they would by themselves */
    VERB_ATTACH,      /* anyone: waits and listens, changes nothing */
    VERB_REHEARSE,    /* operator: a switch and its rollback, both behind the gate */
    VERB_FAILOVER,    /* nobody: the agent's own; refused from a client */
    VERB_LOGS,        /* operator: descriptors of the zone's log files, read-only */
    VERB_SCHEMA,      /* operator: commands of the configuration, as the app's user, behind the schema's gates */
    VERB_RELEASE,     /* operator: the configuration's fetch as the app's user; directories that no zone needs go */
    VERB_DIFF,        /* operator: reads both zones' configurations, and the releases' files as the app's user */
    VERB_LOCK,        /* operator: who may deploy may keep others from it */
    VERB_UNLOCK,      /* operator: the same */
    VERB_WAIT,        /* anyone: waits, changes nothing */
    VERB_CONNECTIONS, /* operator: reads; addresses of clients are for who may see the app's log, too */
    VERB_DOCTOR,      /* operator: looks; a probe of its own passes the host's rules, and changes nothing for others */
    VERB_FEED, /* operator: its own transactions are applied or left out; requests of clients are shown in part */
    VERBS
};

const char *verb_name(enum wire_verb verb);
bool verb_changes(enum wire_verb verb); /* needs operator rights */

/* What of VERB_SCHEMA, VERB_RELEASE or VERB_FEED is asked for. */
enum wire_action {
    WIRE_ACTION_NONE, /* the verb has none */
    WIRE_SCHEMA_STATUS,
    WIRE_SCHEMA_EXPAND,
    WIRE_SCHEMA_CHECK,
    WIRE_SCHEMA_CONTRACT,
    WIRE_SCHEMA_REVERT,
    WIRE_RELEASE_LIST,
    WIRE_RELEASE_FETCH, /* of `release` */
    WIRE_RELEASE_PRUNE,
    WIRE_FEED_STATUS,
    WIRE_FEED_PAUSE,
    WIRE_FEED_RESUME,
    WIRE_FEED_SEED,
    WIRE_FEED_DIFF,
    WIRE_FEED_SKIP, /* of `sequence` */
    WIRE_FEED_APPLY,
    WIRE_FEED_VERIFY,
    WIRE_ACTIONS
};

const char *wire_action_name(enum wire_action action); /* "expand"; "" for none */
/* False if the verb has no action of that name. */
bool wire_action_parse(enum wire_verb verb, const char *name, enum wire_action *action);

enum wire_type {
    /* monitor to api */
    WIRE_CLIENT = 1, /* struct wire_client with the connection as descriptor */
    WIRE_STATUS,     /* struct wire_status, one app; more may follow */
    WIRE_PROGRESS,   /* struct wire_progress */
    WIRE_HISTORY,    /* struct wire_history, one entry, oldest first */
    WIRE_RECEIPT,    /* struct wire_receipt */
    WIRE_END,        /* struct wire_end: the request is finished */
    WIRE_FILES,      /* struct wire_files with as many descriptors: the client's */
    WIRE_EXIT,       /* struct wire_exited: how a command of VERB_EXEC ended */
    WIRE_STDIO,      /* struct wire_stdio with as many descriptors: the client's ends of a command's input and output */
    WIRE_PING,       /* struct wire_header only: the role says WIRE_PONG, or it hangs */
    WIRE_ITEM,       /* struct wire_item: a row of an answer; more may follow */
    WIRE_HOOK,       /* struct wire_hook: belongs to the WIRE_HISTORY that follows */
    WIRE_CONNECTION, /* struct wire_connection, one of a zone's; more may follow */
    WIRE_FEED,       /* struct wire_feed_told: how a feed stands */
    WIRE_FEED_ITEM,  /* struct wire_feed_item, a transaction of one; more may follow */
    /* api to monitor */
    WIRE_REQUEST = 64, /* struct wire_request */
    WIRE_GONE,         /* struct wire_header only: the client closed; its running operation goes on */
    WIRE_COMMAND,      /* struct wire_command: a VERB_EXEC */
    WIRE_PONG,         /* struct wire_header only */
};

#define WIRE_VERSION 1

struct wire_header {
    uint16_t type;
    uint16_t version;
    uint32_t length;  /* of the whole message */
    uint64_t client;  /* chosen by the monitor */
    uint64_t request; /* chosen by the api role, unique among the client's; 0 where there is none */
};

struct wire_client {
    struct wire_header header;
    uint32_t uid;
    int32_t pid;
    uint8_t may_operate;
    uint8_t reserved[7];
};

#define WIRE_TEXT_MAX 255
#define WIRE_WHO_MAX  63

#define WIRE_HISTORY_MAX   1000  /* what a compacted journal keeps */
#define WIRE_FORCE         0x1u  /* go on in spite of a refusal that can be overridden */
#define WIRE_NO_TEST       0x2u  /* deploy: without the test step */
#define WIRE_QUEUE         0x4u  /* behind the operation that runs, instead of a refusal because of it */
#define WIRE_PAST_CONTRACT 0x8u  /* to a release that needs the schema from before a contract */
#define WIRE_GROUP         0x10u /* `app` is the name of a group: all its apps or none */

#define WIRE_WHOLE_MAX   50 /* entries with what hooks wrote: more would not go through the channel at once */
#define WIRE_ANY_VERB    0
#define WIRE_VERB_SERVED 255 /* what releases served */

/* Of history, whose `release` belongs to it, too. All zero is everything; model/history.h says what is meant. */
struct wire_filter {
    uint64_t since_unix_ms, until_unix_ms;
    uint64_t sequence;
    uint8_t verb; /* enum wire_verb + 1, or one of the above */
    uint8_t failed;
    uint8_t incidents; /* enum history_incidents */
    uint8_t hooks;     /* 1: with what hooks wrote */
    uint8_t reserved[4];
};

struct wire_request {
    struct wire_header header;
    uint32_t verb;
    uint32_t flags;
    uint32_t limit;     /* history: entries, 0 = 50, at most WIRE_HISTORY_MAX */
    uint8_t stop_after; /* deploy: 0, or enum step of health or test: the operation is done behind it */
    uint8_t action;     /* enum wire_action */
    uint8_t canary;     /* switch: 0, or the percent of the new connections that the other zone gets */
    uint8_t sticky;     /* 1: by the client's address */
    uint8_t reserved[4];
    uint32_t zone; /* logs, connections: enum colour + 1; 0 = the live one, or else the one that is there; of
                    * connections: both. 0 for other verbs */
    char app[APP_NAME_MAX + 1];         /* "" = all, where the verb allows it */
    char release[RELEASE_NAME_MAX + 8]; /* deploy, stage, release fetch, history */
    char text[WIRE_TEXT_MAX + 1];       /* lock: the reason; wait: the state; clean UTF-8 without newlines */
    struct wire_filter filter;
    uint64_t lose;     /* deploy, switch, rollback: so many transactions of a feed may be missed, at most */
    uint64_t sequence; /* feed skip and apply: of the transaction; else 0 */
};

/* Everything in bounds, terminated, names valid for the verb. The reason is for the client. VERB_EXEC never is one. */
bool wire_request_valid(const struct wire_request *request, size_t length, struct error *err);

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
