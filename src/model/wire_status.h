/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What status tells of an app. */
#pragma once

#include "model/wire.h"
#include "model/wire_feed.h"

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
