/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a zone uses, and how many connections it has. */
#pragma once

struct app_zone;
struct wire_usage;

/* Reads what the zone uses, unless it was just read. */
void usage_sample(struct app_zone *zone);
/* The zone is new, or was adopted: what was counted before is no news. */
void usage_begin(struct app_zone *zone);
void usage_out_of_memory(struct app_zone *zone);
void usage_fill(struct app_zone *zone, struct wire_usage *out);
/* Connections, at most this old: see usage.c. */
void usage_count_connections(struct app_zone *zone);
void usage_count_tcp(struct app_zone *zone); /* of TCP only */
/* The same for who only looks: older where many look, or where counting takes long. */
void usage_look_at_connections(struct app_zone *zone);
