/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `bluegreen doctor` makes of what it sees: facts that others have gathered go in, findings come out, each with an
 * id that scripts may rely on and the lines that mend it. Pure, so that every finding can be tested, also of breakages
 * that nobody may cause on the machine that runs the tests.
 */
#pragma once

#include "base/text.h"
#include "model/types.h"

#define DOCTOR_TEXT_MAX  1023
#define DOCTOR_LINE_MAX  255 /* of what somebody is to type */
#define DOCTOR_LINES_MAX 8

enum doctor_level {
    DOCTOR_OK,      /* looked at, and well */
    DOCTOR_NOTE,    /* worth knowing */
    DOCTOR_WARNING, /* it works, but not for long, or not as somebody expects */
    DOCTOR_FAULT,   /* clients are not served as they should be, or a way back is lost */
    DOCTOR_LEVELS
};

const char *doctor_level_name(enum doctor_level level);

/* What is looked at, in the order in which it is told. */
enum doctor_check {
    DOCTOR_FORWARDING,
    DOCTOR_LOCALNET,
    DOCTOR_RP_FILTER,
    DOCTOR_ACCEPT_RA,
    DOCTOR_CONNTRACK,
    DOCTOR_LOOSE,
    DOCTOR_BACKLOG,
    DOCTOR_NAMESPACES,
    DOCTOR_DESCRIPTORS,
    DOCTOR_KERNEL,
    DOCTOR_CGROUPS,
    DOCTOR_POOLS,
    DOCTOR_TABLE,
    DOCTOR_FIREWALL,
    DOCTOR_EGRESS,
    DOCTOR_LEGACY,
    DOCTOR_TRANSLATED,
    DOCTOR_PATH,
    DOCTOR_PORTS,
    DOCTOR_LISTENING,
    DOCTOR_ZONES,
    DOCTOR_STANDBY,
    DOCTOR_HOOKS,
    DOCTOR_CONFIGURATION,
    DOCTOR_JOURNAL,
    DOCTOR_DISK,
    DOCTOR_ROLES,
    DOCTOR_SHIMS,
    DOCTOR_CLOCK,
    DOCTOR_CHECKS
};

const char *doctor_check_name(enum doctor_check check); /* "forwarding": the id */

/* Fixed layout: it is sent from one process to another. */
struct doctor_finding {
    enum doctor_level level;
    enum doctor_check check;
    uint32_t line_count;
    char app[APP_NAME_MAX + 1]; /* that it is about; "" = the host or the agent */
    char text[DOCTOR_TEXT_MAX + 1];
    char lines[DOCTOR_LINES_MAX][DOCTOR_LINE_MAX + 1]; /* that mend it, or look closer, in this order */
};

typedef void doctor_found(void *context, const struct doctor_finding *finding);

struct doctor {
    doctor_found *found;
    void *context;
    bool looked[DOCTOR_CHECKS];
    enum doctor_level worst[DOCTOR_CHECKS];
    struct doctor_finding next;
};

/* Begins a finding; doctor_line adds to it, doctor_end tells it. app may be NULL. */
void doctor_begin(struct doctor *doctor, enum doctor_level level, enum doctor_check check, const char *app,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));
/* A line that would be cut is left out. */
void doctor_line(struct doctor *doctor, const char *format, ...) __attribute__((format(printf, 2, 3)));
void doctor_end(struct doctor *doctor);
/* A finding whose lines follow its text behind newlines, indented, as firewall_inspect has them. */
void doctor_tell(struct doctor *doctor, enum doctor_level level, enum doctor_check check, const char *app,
                 const char *text);
/* This was looked at; if nothing is found it is well. */
void doctor_looked(struct doctor *doctor, enum doctor_check check);
/* Tells what is well. */
void doctor_finish(struct doctor *doctor);

/* --- the host: model/doctor_host.c -------------------------------------------------------------------- */

/* In what follows -1 is: nobody can tell. */

#define DOCTOR_LINK_NAME 16 /* IFNAMSIZ */

struct doctor_link {
    char name[DOCTOR_LINK_NAME];
    bool zone;             /* of ours; else it is one that clients may come through */
    bool uplink4, uplink6; /* a default route goes out there */
    bool has4, has6;       /* it has an address that clients could use */
    int forwarding4, localnet, rp_filter, forwarding6, force6, accept_ra;
};

struct doctor_network {
    int ip_forward, localnet_all, rp_filter_all, forwarding6_all;
    const struct doctor_link *links;
    size_t count;
};

void doctor_judge_network(struct doctor *doctor, const struct doctor_network *network);

struct doctor_conntrack {
    int64_t count, max, loose, buckets;
    bool counted; /* the next ones are known; since the host was started */
    uint64_t insert_failed, dropped, early_dropped;
};

void doctor_judge_conntrack(struct doctor *doctor, const struct doctor_conntrack *conntrack);

struct doctor_limits {
    int64_t somaxconn;
    int64_t net_namespaces, pid_namespaces, mnt_namespaces; /* user.max_..._namespaces */
    int64_t zones;                                          /* that may have to be there at the same time */
    int64_t open_files, open_files_limit;                   /* of the agent */
};

void doctor_judge_limits(struct doctor *doctor, const struct doctor_limits *limits);

struct doctor_kernel {
    int owned;               /* the agent owns its table */
    int destroy;             /* a connection can be ended: CONFIG_INET_DIAG_DESTROY; an errno if not */
    const char *controllers; /* "memory cpu pids io" as far as zones get them */
    bool limits_wanted;      /* some configuration has [limits] */
};

void doctor_judge_kernel(struct doctor *doctor, const struct doctor_kernel *kernel);

/* --- the agent and its apps: model/doctor_app.c ------------------------------------------------------- */

struct doctor_state {
    const char *directory;
    uint64_t available, size; /* bytes of its file system; size 0 = nobody can tell */
    bool read_only, journal_broken;
    int64_t api_pid, probe_pid; /* 0 = down */
    uint64_t now_unix_ms, latest_unix_ms;
};

void doctor_judge_state(struct doctor *doctor, const struct doctor_state *state);

struct doctor_zone {
    const char *app;
    enum colour colour;
    enum zone_state state;
    const char *release, *why; /* what is known of its health, or "" */
    bool unhealthy, lost, unlimited, crash_loop;
    char shim; /* its state as proc(5) has it: 'S', 'T', ...; 0 = there is none; '-' = none is expected */
    int64_t shim_pid;
    int64_t overflows;
};

void doctor_judge_zone(struct doctor *doctor, const struct doctor_zone *zone);

/* Somebody listens on the host where an app is published. */
struct doctor_squatter {
    const char *app, *port;     /* "80/tcp" */
    bool live;                  /* the app is */
    bool preview;               /* the port is one of [preview] */
    int64_t pid;                /* 0 = nobody can tell */
    const char *command, *unit; /* "nginx", "nginx.service"; "" = nobody can tell */
    uint32_t uid;
};

void doctor_judge_squatter(struct doctor *doctor, const struct doctor_squatter *squatter);

/* A port of a zone, and who listens there inside. */
struct doctor_target {
    const char *app;
    enum colour colour;
    uint16_t target;
    bool live;
    bool any, loopback_only; /* somebody listens at all; at 127.0.0.1 or ::1 and nowhere else */
};

void doctor_judge_target(struct doctor *doctor, const struct doctor_target *target);

/* --- the way from outside: model/doctor_path.c -------------------------------------------------------- */

enum doctor_answer { DOCTOR_ANSWERED, DOCTOR_REFUSED, DOCTOR_UNREACHABLE, DOCTOR_SILENCE };

/* What became of a connection that a probe from outside tried to make. */
struct doctor_path {
    const char *app, *port, *address; /* "80/tcp", "203.0.113.10" */
    enum doctor_answer answer;
    const char *reached;               /* the chain of our table that sends to a zone, "" = it came to none */
    bool of_app;                       /* that zone is the live one of the app */
    const char *family, *table, *base; /* what dropped it; table "" = nothing that could be traced */
    const char *chain;
    uint64_t handle;  /* of the rule; 0 = the policy of base */
    bool way_back;    /* what was dropped was the zone's answer */
    bool legacy;      /* iptables-legacy has tables, which nobody can trace */
    bool only_ipv4;   /* it was tried over IPv6, and over IPv4 the same port had answered */
    const char *mend; /* lines for doctor_line, each behind a newline; "" = none */
};

void doctor_judge_path(struct doctor *doctor, const struct doctor_path *path);

/* Somebody else's rule translates a published port, too. */
struct doctor_translation {
    const char *app, *port, *family, *table, *chain;
    uint64_t handle;
};

void doctor_judge_translation(struct doctor *doctor, const struct doctor_translation *translation);
