/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A service: one app's validated configuration, as the rest of the agent sees it. conf/ fills it in,
 * nobody changes it afterwards. A zone keeps the service it was staged with.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/types.h"

#define SERVICE_PORTS_MAX 64
#define HEALTH_PATH_MAX   255
#define HEALTH_HOST_MAX   255
#define STATUS_RANGES_MAX 8

enum protocol { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 }; /* IANA protocol numbers */

const char *protocol_name(enum protocol protocol);

enum udp_policy {
    UDP_MOVE, /* steady flows follow a switch at once */
    UDP_KEEP  /* flows stay with the zone they began in (QUIC) */
};

struct port {
    char name[PORT_NAME_MAX + 1];
    struct address listen; /* family 0: every local address */
    uint16_t published;    /* 1..65535 */
    uint16_t target;       /* the zone's port, 1..65535 */
    enum protocol protocol;
    enum udp_policy udp;
};

/* "[2001:db8::7]:80", "198.51.100.7:80" or "80". */
#define PORT_LISTEN_TEXT_MAX (ADDRESS_TEXT_MAX + 8)
const char *port_listen_format(const struct port *port, char text[PORT_LISTEN_TEXT_MAX]);

enum health_kind {
    HEALTH_ALIVE, /* no check configured and no TCP port: the app has run for passes x interval */
    HEALTH_TCP,
    HEALTH_HTTP
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
    uint32_t interval_ms;      /* default 1000, 50..3600000 */
    uint32_t timeout_ms;       /* of one probe, default 5000, 10..600000 */
    uint32_t passes;           /* in a row to become healthy, default 2, 1..100 */
    uint32_t failures;         /* in a row to become unhealthy, default 3, 1..100 */
    uint32_t start_timeout_ms; /* from start to the gate, default 60000, 100..3600000 */
    uint32_t grace_ms;         /* after start, failures do not count, default 0 */
};

enum drain_then { DRAIN_CUT, DRAIN_LEAVE };

struct service {
    char name[APP_NAME_MAX + 1];
    char user[USER_NAME_MAX + 1];
    char group[USER_NAME_MAX + 1]; /* "" = the user's primary group */
    struct words run;              /* words before substitution; run.items[0] is the executable */
    char *workdir;                 /* before substitution; NULL = "/" */
    struct words environment;      /* NAME=VALUE, before substitution */
    char *env_file;                /* before substitution; NULL = none; a leading '-' = may be missing */
    uint32_t stop_timeout_ms;      /* default 10000, 0..3600000 */
    struct port ports[SERVICE_PORTS_MAX];
    size_t port_count;
    struct health health;
    uint32_t drain_timeout_ms; /* default 30000, 0..86400000 */
    enum drain_then drain_then;
    char *source; /* the file's text as it was read: kept with the zone as its effective configuration */
    size_t source_length;
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

/* True if two ports of different apps (or of one) would claim the same traffic. */
bool port_conflicts(const struct port *a, const struct port *b);

/* Ports that conflict within the service, relative paths, unknown substitutions and other contradictions between keys:
 * adds each as "[section] key: reason; what to do". Returns how many there are. */
size_t service_problems(const struct service *service, struct words *problems);
/* The first of them as an error. */
int service_validate(const struct service *service, struct error *err);
