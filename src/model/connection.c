/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection of a zone: what the kernel says of it, and whether it rests. */
#include "model/connection.h"

#include "model/service.h"

#include <linux/tcp.h>
#include <string.h>

/* net/tcp_states.h: numbers of the kernel's interface. */
static const char *const states[] = {
    [1] = "established", [2] = "syn-sent",  [3] = "syn-received", [4] = "fin-wait-1",
    [5] = "fin-wait-2",  [6] = "time-wait", [7] = "closed",       [8] = "close-wait",
    [9] = "last-ack",    [10] = "listen",   [11] = "closing",     [12] = "handshake",
};

enum { ESTABLISHED = 1 };

const char *connection_state_name(uint8_t protocol, uint8_t state)
{
    if (protocol == PROTOCOL_UDP)
        return state ? "replied" : "unreplied";
    return state < sizeof states / sizeof *states && states[state] ? states[state] : "unknown";
}

void connection_look_read(struct connection_look *look, const void *tcp_info, size_t length)
{
    struct tcp_info info = {0};
    *look = (struct connection_look){0};
    memcpy(&info, tcp_info, length < sizeof info ? length : sizeof info);
    look->known = length >= offsetof(struct tcp_info, tcpi_data_segs_out) + sizeof info.tcpi_data_segs_out;
    look->established = info.tcpi_state == ESTABLISHED;
    look->unacknowledged = info.tcpi_unacked;
    look->unsent = info.tcpi_notsent_bytes;
    look->sent_ms = info.tcpi_last_data_sent;
    look->received_ms = info.tcpi_last_data_recv;
    look->acked_ms = info.tcpi_last_ack_recv;
    look->segments_in = info.tcpi_data_segs_in;
    look->segments_out = info.tcpi_data_segs_out;
    look->bytes_in = info.tcpi_bytes_received;
    look->bytes_out = info.tcpi_bytes_acked;
}

uint32_t connection_idle_ms(const struct connection_look *look)
{
    return look->sent_ms < look->received_ms ? look->sent_ms : look->received_ms;
}

/*
 * Was the client's last data answered? That data was sent at or after it came does not say so, for both may lie within
 * one tick: an answer, and the next request right behind it. A segment with data confirms what came before it, too, so
 * as long as a request waits, the last confirmation is as old as the request. A younger one confirms an answer that was
 * sent after the last data had come. And where all the client ever sent was one segment, it can have been one request
 * only.
 */
static bool is_answered(const struct connection_look *look)
{
    if (look->segments_in == 0 || look->segments_out == 0 || look->sent_ms > look->received_ms)
        return false;
    return look->acked_ms < look->received_ms || look->segments_in == 1;
}

bool connection_rests(const struct connection_look *look, uint32_t least_ms)
{
    return look->known && look->established && look->unacknowledged == 0 && look->unsent == 0 && is_answered(look) &&
           connection_idle_ms(look) >= least_ms;
}
