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

struct wire_exit {
    uint8_t known;
    uint8_t signalled; /* value is a signal number, else an exit code */
    uint16_t value;
    uint32_t reserved;
    uint64_t unix_ms;
};

/* A process of the app beside its main one. */
struct wire_process {
    char name[PROCESS_NAME_MAX + 1];
    uint8_t live_only;
    uint8_t state; /* enum wire_process_state */
    uint8_t reserved[2];
    uint32_t restarts;
    int32_t pid; /* 0 = not running */
    uint32_t reserved2;
    struct wire_exit last_exit;
};

enum wire_process_state { PROCESS_WAITING, PROCESS_RUNNING, PROCESS_BACK_OFF, PROCESS_STOPPING, PROCESS_ENDED };

/* What the zone uses, and what it may. */
struct wire_usage {
    uint8_t known;  /* 0: memory is estimated, from the processes */
    uint8_t limits; /* 1: the configured limits hold */
    uint8_t reserved[6];
    uint64_t memory, memory_peak, memory_limit; /* bytes; 0 = unknown, no limit */
    uint64_t cpu_us, throttled_us;
    uint32_t cpu_permille; /* over the last seconds; 1000 = one CPU */
    uint32_t cpu_limit;    /* the same unit; 0 = none */
    uint32_t tasks, tasks_limit;
    uint32_t oom_kills;
    uint32_t reserved2;
};

/* What [egress] does with the zone. */
enum wire_fence { FENCE_NONE, FENCE_OPEN, FENCE_CLOSED, WIRE_FENCES };

struct wire_zone {
    uint8_t state;      /* enum zone_state */
    uint8_t verdict;    /* enum verdict */
    uint8_t crash_loop; /* 1: a process of it exits again and again */
    uint8_t process_count;
    uint32_t restarts;
    int32_t pid, shim_pid;       /* as the host sees them; 0 = none */
    uint32_t tcp, udp;           /* connections */
    uint64_t kept_until_unix_ms; /* a standby whose time ends: when; else 0 */
    char release[RELEASE_NAME_MAX + 8];
    struct address ipv4, ipv6; /* service addresses */
    struct wire_exit last_exit;
    struct wire_usage usage;
    struct wire_process processes[PROCESSES_MAX];
    char detail[WIRE_TEXT_MAX + 1]; /* why failed or unhealthy, or the last probe's result */
    uint64_t refused;               /* first packets of the zone that its fence has refused, since it was loaded */
    uint8_t fence;                  /* enum wire_fence */
    uint8_t reserved[7];
};

struct wire_port {
    char name[PORT_NAME_MAX + 1];
    char listen[PORT_LISTEN_TEXT_MAX];
    uint16_t target; /* of a range, the first */
    uint16_t count;  /* 1, or how many the range has */
    uint8_t protocol;
    uint8_t reserved;
    uint32_t host_connections; /* that a process of the host's still has on it, from before it was published */
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

/* The live release is being watched. */
struct wire_bake {
    uint8_t baking;
    uint8_t reserved[7];
    uint64_t until_unix_ms;
    char verdict[WIRE_TEXT_MAX + 1]; /* how it stands: "3 of 41 probes failed, 0 restarts" */
};

/* The zone that is not live has a share of the new connections. */
struct wire_canary {
    uint8_t percent; /* 0 = it has none */
    uint8_t sticky;
    int8_t zone;
    uint8_t reserved[5];
    uint64_t since_unix_ms;
    char verdict[WIRE_TEXT_MAX + 1]; /* how it stands, as of a bake */
};

/* The zone that is not live, for who wants to look at it. */
struct wire_preview {
    uint8_t reached; /* 0: by nobody at the moment */
    int8_t zone;
    uint8_t clients; /* so many addresses and networks reach it by the published ports */
    uint8_t reserved[5];
    char url[WIRE_TEXT_MAX + 1]; /* "" = it has no port of its own */
};

/* Connections of the zone that was live are waited for. */
struct wire_drain {
    uint8_t present;
    uint8_t zone;
    uint8_t leave; /* 1: who is left at its end stays; 0: is cut */
    uint8_t reserved[5];
    uint32_t connections, most, nudged;
    uint32_t left_ms; /* until its end */
};

/* Somebody keeps others from changing the app. */
struct wire_lock {
    uint8_t locked;
    uint8_t reserved[7];
    uint64_t since_unix_ms;
    char who[WIRE_WHO_MAX + 1];
    char reason[WIRE_TEXT_MAX + 1];
};

/* What the app's database has come to. */
struct wire_schema {
    uint8_t present;
    uint8_t state; /* enum schema_state */
    uint8_t reserved[6];
    uint32_t expanded, contracted;
    char text[WIRE_TEXT_MAX + 1];
};

/* A release is live, or has been. */
struct wire_served {
    uint8_t known;
    int8_t zone;
    uint8_t requests_known;
    uint8_t reserved[5];
    uint64_t since_unix_ms, until_unix_ms; /* until 0: it is live still */
    uint64_t connections, datagrams, requests;
    char release[RELEASE_NAME_MAX + 8];
};

/* What the other zone is done that live has done. */
struct wire_feed {
    uint8_t state;    /* enum feed_state; FEED_STATE_OFF: there is no feed, and nothing else means anything */
    int8_t live;      /* as the feed knows it: enum colour or -1 */
    uint8_t mode;     /* enum feed_mode */
    uint8_t alone;    /* nobody runs in the other zone */
    uint32_t waiting; /* clients, in a switch */
    uint64_t committed;
    uint64_t applied[COLOURS]; /* the newest number that each zone has; UINT64_MAX: nobody knows */
    uint64_t behind, behind_ms;
    uint64_t in_doubt, diverged, lost, twice;
    uint64_t fed, passed, not_fed; /* requests */
    uint64_t journal_bytes, journal_max;
    uint64_t applied_per_minute;
    uint32_t connections[COLOURS]; /* of clients, by the zone that they came to */
    char reason[WIRE_TEXT_MAX + 1];
};

struct feed_figures;
void wire_feed_fill(const struct feed *feed, const struct feed_figures *figures, struct wire_feed *wire);
/* A switch to the zone that is not live would miss nothing. */
bool wire_feed_is_backup(const struct wire_feed *feed);
#define WIRE_FEED_TEXT_MAX (WIRE_TEXT_MAX + 64)
/* "in step, 12041 transactions", "behind 34 (2.1 s)", "broken: the journal is full". */
const char *wire_feed_text(const struct wire_feed *feed, char text[WIRE_FEED_TEXT_MAX + 1]);

struct wire_status {
    struct wire_header header;
    char name[APP_NAME_MAX + 1];
    uint8_t state; /* enum app_state */
    int8_t live;   /* enum colour or -1 */
    uint16_t port_count;
    uint8_t reserved[4];
    struct wire_zone zones[COLOURS];
    struct wire_operation operation;
    struct wire_bake bake;
    struct wire_served served; /* by the live release, since it became that */
    struct wire_lock lock;
    struct wire_schema schema;
    uint32_t queued; /* requests that wait for their turn */
    uint32_t reserved2;
    char group[APP_NAME_MAX + 1]; /* of apps that are switched together; "" = none */
    struct wire_port ports[SERVICE_PORTS_MAX];
    struct wire_drain drain;
    struct wire_canary canary;
    struct wire_preview preview;
    char firewall[WIRE_TEXT_MAX + 1]; /* rules of others' drop what clients send: which; "" = none do */
    struct wire_feed feed;
};

struct wire_progress {
    struct wire_header header;
    uint32_t live_connections, nudged; /* has_count: in the other zone; that rested and were ended */
    uint8_t zone;                      /* enum colour */
    uint8_t has_count;                 /* connections is meaningful */
    uint8_t reserved[2];
    uint32_t connections; /* drain: still open in the old zone */
    uint64_t elapsed_ms;  /* since the operation began */
    uint32_t wait_ms;     /* 0, or what the step does is a wait that ends after so long at the latest */
    uint32_t waited_ms;   /* of it, until now */
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
    uint32_t nudged;                              /* of those that ended by themselves: they rested */
    uint32_t reserved2;
    uint64_t duration_ms;               /* of the whole operation */
    char release[RELEASE_NAME_MAX + 8]; /* now live */
    char who[WIRE_WHO_MAX + 1];
};

#define WIRE_STEPS_MAX 319

/* Of one entry. A rehearsal has two zones be live, one after the other. */
#define WIRE_SERVED_MAX 2

struct wire_history {
    struct wire_header header;
    uint64_t sequence;
    uint64_t begun_unix_ms;
    uint64_t duration_ms;
    uint8_t verb; /* enum wire_verb */
    int8_t from, to;
    uint8_t done;      /* 1 done, 0 failed or undone */
    uint8_t incident;  /* enum incident: nobody asked for it; verb and who mean nothing, `to` is the zone */
    uint8_t is_served; /* 1: it is served[0] and nothing else */
    uint8_t switched;  /* 1: the receipt's figures mean something */
    uint8_t has_drain; /* 1: the drain's do */
    uint32_t transaction_us, generation_before, generation_after;
    uint32_t drained, cut, left, nudged;
    uint8_t drained_unknown; /* 1: nobody knows how many, nor how many were nudged; the rest of the drain's is known */
    uint8_t reserved[3];
    uint64_t drain_ms;
    struct wire_served served[WIRE_SERVED_MAX];
    char steps[WIRE_STEPS_MAX + 1]; /* "build:12,start:3": milliseconds */
    char app[APP_NAME_MAX + 1];
    char release[RELEASE_NAME_MAX + 8];
    char who[WIRE_WHO_MAX + 1];
    char reason[WIRE_TEXT_MAX + 1]; /* "" when done */
};

#define WIRE_OUTPUT_MAX 4096

/* A hook has run for the entry that follows. */
struct wire_hook {
    struct wire_header header;
    uint64_t ended_unix_ms, duration_ms;
    uint8_t zone;
    uint8_t ok;
    uint8_t reserved[6];
    char name[24];
    char reason[WIRE_TEXT_MAX + 1];   /* "" if it passed */
    char output[WIRE_OUTPUT_MAX + 1]; /* the last of it; lines separated by \n */
    uint8_t reserved2[7];
};

#define WIRE_KIND_MAX 15

/* A row of what schema, release and diff answer with; what it does not have is "" or 0. */
struct wire_item {
    struct wire_header header;
    uint64_t unix_ms;
    char kind[WIRE_KIND_MAX + 1]; /* "release", "difference", ... */
    char name[WIRE_TEXT_MAX + 1];
    char values[COLOURS][WIRE_TEXT_MAX + 1]; /* in the one zone and in the other */
    char text[WIRE_TEXT_MAX + 1];
};

#define WIRE_CONNECTIONS_MAX   1000 /* of one answer */
#define WIRE_CONNECTIONS_USUAL 100

/* A client's connection, or its flow of UDP. */
struct wire_connection {
    struct wire_header header;
    struct address peer; /* as the zone sees it */
    uint8_t zone;
    uint8_t protocol;
    uint8_t state;      /* as model/connection.h has it */
    uint8_t rests;      /* 1: everything was asked and answered */
    uint8_t nudged;     /* 1: the app reads end-of-file and has not closed it yet */
    uint8_t idle_known; /* 1: idle_ms means something */
    uint8_t bytes_known;
    uint16_t peer_port;
    uint16_t target;   /* the port in the zone */
    uint8_t age_known; /* 1: age_ms is the age; 0: at least the age, and 0 says nothing */
    uint8_t reserved[3];
    uint32_t unread, unconfirmed; /* bytes: that the app has not read, that the client has not confirmed */
    uint32_t reserved2;
    uint64_t age_ms, idle_ms;
    uint64_t bytes_in, bytes_out;
    char port[PORT_NAME_MAX + 1]; /* of [ports] */
};

struct wire_feed_told {
    struct wire_header header;
    struct wire_feed feed;
};

/* A transaction of a feed that there is something to say of. */
struct wire_feed_item {
    struct wire_header header;
    uint8_t kind; /* enum feed_item_kind */
    int8_t zone;  /* that is concerned: enum colour or -1 */
    uint8_t reserved[2];
    uint16_t status_live, status_other; /* of the answers; 0 = there was none */
    uint64_t sequence;
    uint64_t unix_ms;
    char request[WIRE_TEXT_MAX + 1];                        /* "POST /orders/17" */
    char live[WIRE_TEXT_MAX + 1], other[WIRE_TEXT_MAX + 1]; /* the beginnings of the answers */
};

struct feed_item;
/* Everything but the header. */
void wire_feed_item_fill(const struct feed_item *item, struct wire_feed_item *wire);

#define WIRE_ARGUMENTS_MAX  16384
#define WIRE_ARGUMENT_COUNT 256
#define WIRE_TERM_MAX       47

/* From the api role: what to run. */
struct wire_command {
    struct wire_header header;
    uint8_t zone;     /* enum colour, or WIRE_ZONE_LIVE */
    uint8_t terminal; /* 1: stdin and stdout are to be a terminal, the controlling one */
    uint8_t merge;    /* 1: stderr goes where stdout goes */
    uint8_t reserved;
    uint32_t argument_count; /* 1..WIRE_ARGUMENT_COUNT */
    uint32_t arguments_length;
    uint16_t rows, columns; /* of the terminal; 0 = unknown */
    char app[APP_NAME_MAX + 1];
    char term[WIRE_TERM_MAX + 1];       /* TERM of the command where it has a terminal, else "" */
    char arguments[WIRE_ARGUMENTS_MAX]; /* argument_count texts, each with its NUL */
};

#define WIRE_ZONE_LIVE 255

/* The same as wire_request_valid: every text ends within its bounds, and the first one is not empty. */
bool wire_command_valid(const struct wire_command *command, size_t length, struct error *err);
/* A name as terminfo(5) has them: letters, digits and ._+- */
bool wire_term_valid(const char *term);

struct wire_exited {
    struct wire_header header;
    struct wire_exit exit;
};

enum wire_stream { WIRE_STREAM_STDIN, WIRE_STREAM_STDOUT, WIRE_STREAM_STDERR, WIRE_STREAM_TERMINAL, WIRE_STREAMS };

/* The monitor made them and the command has the other ends. Nobody ever sends the agent a descriptor: to close what a
 * stranger has opened may take as long as the stranger likes. */
struct wire_stdio {
    struct wire_header header;
    uint8_t count; /* 1..WIRE_STREAMS */
    uint8_t reserved[3];
    uint8_t kinds[WIRE_STREAMS]; /* enum wire_stream, in the order of the descriptors */
};

enum wire_file { WIRE_FILE_LOG, WIRE_FILE_LOG_OLD, WIRE_FILE_INDEX, WIRE_FILE_INDEX_OLD };

/* One zone's log, one descriptor for each kind. The client reads them by itself. */
struct wire_files {
    struct wire_header header;
    uint8_t zone;
    uint8_t count; /* 1..4 */
    uint8_t reserved[6];
    uint8_t kinds[8]; /* enum wire_file, in the order of the descriptors */
    char release[RELEASE_NAME_MAX + 8];
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

/* The longest of them, whichever that is. */
union wire_longest {
    struct wire_status status;
    struct wire_end end;
    struct wire_command command;
};
#define WIRE_MESSAGE_MAX sizeof(union wire_longest)

/* Does this message have the length that its type has, our version and a known type? For both directions. */
bool wire_message_valid(const void *message, size_t length);
