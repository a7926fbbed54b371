/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection of a zone as the kernel describes it, and whether it rests: a client that keeps it open although
 * everything has been asked and answered. Apart from who asks the kernel, because both the agent, for whom this is a
 * line in a list, and the shim, which acts on it, must come to the same answer.
 */
#pragma once

#include "model/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What struct tcp_info says, as far as it matters. Ages are in milliseconds, as fine as the kernel's tick (1 to 10 ms):
 * events that lie closer together have the same age. */
struct connection_look {
    bool known; /* the kernel told all of it; before Linux 4.6 it does not */
    bool established;
    uint32_t unacknowledged, unsent;         /* segments; bytes */
    uint32_t sent_ms, received_ms, acked_ms; /* since data was sent; since some came; since the peer confirmed any */
    uint32_t segments_in, segments_out;      /* with data */
    uint64_t bytes_in, bytes_out;            /* received; sent and confirmed */
};

/* From what INET_DIAG_INFO or getsockopt(TCP_INFO) gave, of that many bytes. */
void connection_look_read(struct connection_look *look, const void *tcp_info, size_t length);
/* For how long neither side has sent data. */
uint32_t connection_idle_ms(const struct connection_look *look);
/*
 * True only if the client has asked, has been answered, has every byte of the answer, and nothing has happened for
 * least_ms. Who has only connected does not rest, nor does anything that cannot be told from a request in flight.
 * What it cannot see: a pause within an answer. least_ms must be longer than those.
 */
bool connection_rests(const struct connection_look *look, uint32_t least_ms);

/* One of a zone's, by sock_diag, or a flow of UDP, by conntrack. */
struct connection {
    uint8_t protocol;            /* enum protocol */
    uint8_t state;               /* TCP: of the kernel (TCP_ESTABLISHED, ...). UDP: 1 = it was answered */
    bool reading_ended;          /* the app reads end-of-file: it was nudged, or the client has ended its side */
    struct address peer;         /* as the zone sees it */
    uint16_t peer_port, port;    /* of the client; of the zone, where it goes to */
    uint32_t received, queued;   /* bytes that the app has not read; that the client has not confirmed */
    uint32_t inode;              /* 0: no process holds it */
    uint64_t cookie;             /* the kernel's number of it, for its whole life */
    uint64_t began_unix_ms;      /* 0 = unknown */
    struct connection_look look; /* of UDP only the bytes */
};

/* "established"; UDP has "replied" and "unreplied". */
const char *connection_state_name(uint8_t protocol, uint8_t state);
