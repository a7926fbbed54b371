/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A service: one app's validated configuration, as the rest of the agent sees it. conf/ fills it in,
 * nobody changes it afterwards. A zone keeps the service it was staged with.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/feed.h"
#include "model/reach.h"
#include "model/types.h"

#define SERVICE_PORTS_MAX 64
/*
 * All ports of an app, ranges counted in full. Each is an element of the map of published ports and one of each zone's,
 * and a transaction that publishes them all is to stay some milliseconds: the kernel takes 2 us an element.
 */
#define SERVICE_PUBLISHED_MAX 4096
#define HEALTH_PATH_MAX       255
#define HEALTH_HOST_MAX       255
#define STATUS_RANGES_MAX     8
#define FILE_RULES_MAX        64
#define PROCESSES_MAX         15 /* [process NAME] sections of an app, beside [app] run */
#define PROCESS_NAME_MAX      31

enum protocol { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 }; /* IANA protocol numbers */

const char *protocol_name(enum protocol protocol);

enum udp_policy {
    UDP_MOVE, /* steady flows follow a switch at once */
    UDP_KEEP  /* flows stay with the zone they began in (QUIC) */
};

struct port {
    char name[PORT_NAME_MAX + 1];
    struct address listen; /* family 0: every local address */
    uint16_t published;    /* 1..65535; of a range, the first */
    uint16_t target;       /* the zone's port, 1..65535; of a range, the first */
    enum protocol protocol;
    enum udp_policy udp;
    uint16_t count; /* of a range: so many, one beside the other on both sides; 0 and 1 = one port */
    bool activated; /* "listen": the shim makes the socket and keeps it, the app gets it (sd_listen_fds) */
};

static inline unsigned port_span(const struct port *port)
{
    return port->count ? port->count : 1;
}

/* "[2001:db8::7]:80", "198.51.100.7:80", "80" or "8000-8010". */
#define PORT_LISTEN_TEXT_MAX (ADDRESS_TEXT_MAX + 14)
const char *port_listen_format(const struct port *port, char text[PORT_LISTEN_TEXT_MAX]);
/* "8080" or "9000-9010". */
#define PORT_TARGET_TEXT_MAX 12
const char *port_target_format(const struct port *port, char text[PORT_TARGET_TEXT_MAX]);

#define PREVIEW_PORTS_MAX 16
#define PREVIEW_FROM_MAX  64 /* each is a rule that the first packet of every connection to the app passes */

/* [preview]: how the zone that is not live is reached. */
struct preview {
    /* name: of the port of [ports] that it leads to, "" = the first of TCP. Target, protocol and policy are that one's;
     * target 0: there is none. */
    struct port ports[PREVIEW_PORTS_MAX];
    size_t port_count;
    struct prefix from[PREVIEW_FROM_MAX]; /* clients that reach it by the published ports */
    size_t from_count;
};

enum health_kind {
    HEALTH_ALIVE, /* no check configured and no TCP port: the app has run for passes x interval */
    HEALTH_TCP,
    HEALTH_HTTP,
    HEALTH_EXEC,  /* a command in the zone, with the app's rights: exit status 0 passes */
    HEALTH_NOTIFY /* notify = yes and no check configured: the app runs and has said READY=1 */
};

struct status_range {
    uint16_t first, last; /* 100..599, inclusive */
};

struct health {
    enum health_kind kind;
    uint16_t port;                  /* in the zone */
    char path[HEALTH_PATH_MAX + 1]; /* HTTP: starts with '/' */
    char host[HEALTH_HOST_MAX + 1]; /* HTTP Host header; "" = the zone's address */
    struct status_range status[STATUS_RANGES_MAX];
    uint8_t status_count; /* 0 = 200-299 */
    bool follow_redirects;
    struct words exec;         /* HEALTH_EXEC: before substitution; exec.items[0] is absolute */
    bool notify;               /* nothing passes before the app has said READY=1 (sd_notify) */
    uint32_t watchdog_ms;      /* WATCHDOG=1 at least this often, else the app is ended; 0 = none, 1000..3600000 */
    uint32_t interval_ms;      /* default 1000, 50..3600000 */
    uint32_t timeout_ms;       /* of one probe, default 5000, 10..600000 */
    uint32_t passes;           /* in a row to become healthy, default 2, 1..100 */
    uint32_t failures;         /* in a row to become unhealthy, default 3, 1..100 */
    uint32_t start_timeout_ms; /* from start to the gate, default 60000, 100..3600000 */
    uint32_t grace_ms;         /* after start, failures do not count, default 0 */
};

/* What runs beside the app when something happens to it. */
enum hook {
    HOOK_PRE_START,     /* before the app is started in the new zone */
    HOOK_TEST,          /* the release is healthy and not yet live: is it good? */
    HOOK_PRE_SWITCH,    /* last word before the switch */
    HOOK_POST_SWITCH,   /* it is live; failing is a breach of the bake */
    HOOK_PRE_ROLLBACK,  /* before an operator's rollback */
    HOOK_POST_ROLLBACK, /* after any rollback; its exit status decides nothing */
    HOOK_ON_FAILURE,    /* an operation failed; decides nothing */
    HOOK_ON_ROLLBACK,   /* the agent switched back by itself; decides nothing */
    HOOK_ON_FAILOVER,   /* the agent failed over; decides nothing */
    HOOK_GUARD,         /* every now and then in the bake: failing is a breach */
    HOOK_EXPAND,        /* [schema]: see model/schema.h */
    HOOK_CHECK,
    HOOK_CONTRACT,
    HOOK_REVERT,
    HOOK_SEED, /* [feed]: copies live's state into the other zone, where it runs */
    HOOKS
};

const char *hook_name(enum hook hook);  /* "pre_start" */
const char *hook_place(enum hook hook); /* where it is configured: "[hooks] pre_start", "[bake] guard" */

struct hook_rule {
    struct words run; /* before substitution; none = not configured */
    bool on_host;     /* "host: ...": outside the zone, as the app's user all the same */
};

#define TEST_PAGES_MAX    16
#define TEST_CONTAINS_MAX 127

/* A page of [test] http: asked for at the first TCP port of the app. */
struct test_page {
    char path[HEALTH_PATH_MAX + 1];
    struct status_range status[STATUS_RANGES_MAX];
    uint8_t status_count;                 /* 0 = 200-299 */
    char contains[TEST_CONTAINS_MAX + 1]; /* bytes that must be in the body; "" = whatever it is */
};

#define BAKE_UNLIMITED UINT32_MAX

/* [bake]: how long a release is watched after it became live, and what is a breach. */
struct bake {
    uint32_t time_ms;           /* default 0 = no bake, at most 7 days */
    uint32_t guard_interval_ms; /* of HOOK_GUARD, default 10000, 1000..3600000 */
    uint32_t restarts;          /* of any process that are no breach, default 0; BAKE_UNLIMITED */
    uint32_t resets;            /* that the zone sends in a minute, default BAKE_UNLIMITED */
    uint32_t overflows;         /* of listening sockets since the switch, default 0; BAKE_UNLIMITED */
    uint32_t errors_percent;    /* of the bake's probes that may fail, default 10, 0..100; counts from 5 probes on */
};

#define KEEP_UNTIL_NEXT UINT64_MAX /* a standby stays until its place is needed */

enum drain_then { DRAIN_CUT, DRAIN_LEAVE };

enum file_access {
    FILE_READ,  /* shown read-only, also where it would be hidden */
    FILE_WRITE, /* shown writable; must exist */
    FILE_STATE, /* the same for a directory that is made, and given to the app's user, where it is missing */
    FILE_HIDE   /* not to be seen */
};

const char *file_access_name(enum file_access access); /* as its key is called: "read" */
/* Where it is configured: "[files] read", or "[share] socket" for a shared one. */
const char *file_rule_place(enum file_access access, bool shared);

/* A path of [files], "PATH" or "PATH -> PATH IN THE ZONE", absolute, before substitution. */
struct file_rule {
    enum file_access access;
    char *source;
    char *target; /* NULL = as source; always NULL for FILE_HIDE */
    bool shared;  /* of [share] socket: a directory with sockets of the host */
};

enum syscall_profile {
    SYSCALLS_DEFAULT,  /* an allow-list: what servers need */
    SYSCALLS_BASELINE, /* everything but what is known to be dangerous */
    SYSCALLS_LOG,      /* as default, but only logged by the kernel (audit) */
    SYSCALLS_OFF
};

const char *syscall_profile_name(enum syscall_profile profile);

/* [sandbox]: each key loosens. All zero is the default and the strictest. */
struct sandbox {
    enum syscall_profile syscalls;
    bool system_writable; /* system = writable: files of the host as its user may */
    bool home_visible;    /* home = visible: /home, /root and /run/user are not hidden */
    bool kernel_visible;  /* kernel = visible: nothing in /proc and /sys is masked or read-only */
    bool run_visible;     /* run = visible: the host's /run, with its sockets */
    struct words devices; /* devices = /dev/fuse | ...: shown beside null zero full random urandom tty pts shm */
};

/* [limits]; 0 = none. */
struct limits {
    uint64_t memory, memory_high, swap; /* bytes, multiples of 4096, at least 1 MiB (swap: 0 is a limit too) */
    bool swap_set;
    uint32_t cpu_permille; /* 1000 = one CPU, 10..1024000 */
    uint32_t cpu_weight;   /* 1..10000, cgroup v2's 100 is the default */
    uint32_t tasks;        /* processes and threads, 1..4194304 */
    uint32_t io_weight;    /* 1..10000 */
    uint32_t open_files;   /* RLIMIT_NOFILE, 16..1073741816; works without cgroups */
    bool optional;         /* required = no: run without where the host has no controllers */
};

/* True if cgroup controllers are needed for what is asked, whether or not it is optional. */
bool limits_need_cgroups(const struct limits *limits);

enum restart_policy { RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NO };

/* [restart]: what the shim does when a process ends by itself, and when that is a crash loop. */
struct restart {
    enum restart_policy policy;
    uint32_t delay_ms;     /* the first back-off, default 200, 100..30000 */
    uint32_t delay_max_ms; /* doubled up to this, default 30000, delay_ms..3600000 */
    uint32_t limit;        /* this many exits ..., default 5, 1..1000 */
    uint32_t window_ms;    /* ... within this time are a crash loop, default 60000, 1000..86400000 */
};

/* [process NAME]: more processes of the app. They share everything with it but their command. */
struct process_rule {
    char name[PROCESS_NAME_MAX + 1]; /* like an app's name; not "main" */
    struct words run;                /* before substitution */
    bool live_only;                  /* when = live: runs in the live zone only */
};

struct service {
    char name[APP_NAME_MAX + 1];
    char user[USER_NAME_MAX + 1];
    char group[USER_NAME_MAX + 1];     /* "" = the user's primary group */
    char group_name[APP_NAME_MAX + 1]; /* of apps that are switched together; "" = none */
    struct words run;                  /* words before substitution; run.items[0] is the executable */
    char *workdir;                     /* before substitution; NULL = "/" */
    struct words environment;          /* NAME=VALUE, before substitution */
    char *env_file;                    /* before substitution; NULL = none; a leading '-' = may be missing */
    uint32_t stop_timeout_ms;          /* default 10000, 0..3600000 */
    int stop_signal;                   /* default SIGTERM */
    struct process_rule processes[PROCESSES_MAX];
    size_t process_count;
    struct file_rule files[FILE_RULES_MAX]; /* in the order in which the keys stand in the file */
    size_t file_count;
    struct sandbox sandbox;
    struct limits limits;
    struct restart restart;
    struct egress egress;
    struct feed feed;
    struct share_port shares[SHARE_PORTS_MAX]; /* [share] host */
    size_t share_count;
    struct hook_rule hooks[HOOKS];
    uint32_t hook_timeout_ms;   /* default 60000, 1000..3600000 */
    uint32_t schema_needs;      /* [schema] needs: the version that this release needs; 0 = as before all versions */
    uint32_t schema_timeout_ms; /* of each of its commands, default 600000, 1000..86400000 */
    struct test_page *tests;    /* the service's; NULL = none. Few apps have any, and room for all of them is 6 KiB */
    size_t test_count;          /* at most TEST_PAGES_MAX */
    struct bake bake;
    bool parity_strict;           /* [parity] strict: differences beyond the release are refused */
    bool failover;                /* [failover] auto, default no */
    bool freeze;                  /* [standby] freeze: a standby that is drained and healthy gets no CPU */
    uint64_t keep_ms;             /* [standby] keep, 1000..365 days; 0 = no, KEEP_UNTIL_NEXT is the default */
    char *releases_dir;           /* [releases] dir: absolute, as it stands; NULL = nobody looks after releases */
    struct words releases_fetch;  /* before substitution; none = not configured */
    uint32_t releases_keep;       /* the newest that prune leaves, default 5, 1..1000 */
    uint32_t releases_timeout_ms; /* of fetch, default 600000, 1000..86400000 */
    struct port ports[SERVICE_PORTS_MAX];
    size_t port_count;
    struct preview preview;
    struct health health;
    bool hold;                 /* [switch] mode = hold: the old release stops before the new one starts; clients wait */
    uint32_t hold_max_ms;      /* the longest that they do before the old one comes back, default 10000, 1000..300000 */
    uint32_t drain_timeout_ms; /* default 30000, 0..86400000 */
    enum drain_then drain_then;
    struct words nudge;      /* [drain] nudge: "yes", or names of TCP ports; none = no */
    uint32_t nudge_after_ms; /* without data for so long, default 5000, 100..3600000 */
    char *source;            /* the file's text as it was read: kept with the zone as its effective configuration */
    size_t source_length;
    /* section, key, value of each key that holds, where a changed file was laid over source; none: as source has it */
    struct words laid;
};

void service_clear(struct service *service); /* frees what it holds and zeroes it */
void service_free(struct service *service);  /* the same for one on the heap; NULL is fine */
static inline void cleanup_service_(struct service *service)
{
    service_clear(service);
}
#define CLEANUP_SERVICE __attribute__((cleanup(cleanup_service_)))

/* Substitutes %r, %z and %% in text. Anything else after '%' is an error. *out is the caller's. */
int service_substitute(const char *text, const char *release, enum colour zone, char **out, struct error *err);

/* Gives the preview's ports the targets of those that they lead to. */
void service_resolve_preview(struct service *service);
bool service_preview_equal(const struct service *a, const struct service *b);
/* Every port that it claims of the host's, those of its preview behind the others; NULL behind the last one. */
const struct port *service_claim(const struct service *service, size_t index);
/* "[ports] http" or "[preview] port": where it is configured. */
#define PORT_PLACE_MAX (PORT_NAME_MAX + 16)
const char *port_place(const struct service *service, const struct port *port, char place[PORT_PLACE_MAX]);
/* Does it publish all of this port, whichever of its own that is? */
bool service_publishes(const struct service *service, const struct port *port);
/* True if idle connections to this port are to be ended in a drain. */
bool service_nudges(const struct service *service, const struct port *port);
/* Is this port of [ports] fed? */
bool service_feeds(const struct service *service, const struct port *port);
/* Do they say the same in [egress] and [share] host? */
bool service_reach_equal(const struct service *a, const struct service *b);

/* True if two ports of different apps (or of one) would claim the same traffic. */
bool port_conflicts(const struct port *a, const struct port *b);

/* Ports that conflict within the service, relative paths, unknown substitutions and other contradictions between keys:
 * adds each as "[section] key: reason; what to do". Returns how many there are. */
size_t service_problems(const struct service *service, struct words *problems);
/* What may be so and still is not what most want: the same form. */
size_t service_warnings(const struct service *service, struct words *warnings);
