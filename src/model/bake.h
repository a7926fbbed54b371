/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bake: what was measured of a release since it became live, against what [bake] allows. Pure; agent/bake.c
 * measures, and does what follows from a breach.
 */
#pragma once

#include "model/service.h"
#include "model/verdict.h"

/* Counted since the zone was made. */
struct bake_figures {
    uint32_t restarts;  /* ends of its processes that nobody asked for */
    uint32_t oom_kills; /* processes that the kernel killed because memory ran out */
    uint64_t resets;    /* TCP resets that the zone sent */
    uint64_t overflows; /* connections that found the queue of a listening socket full */
};

#define BAKE_PROBES_LEAST 5  /* one failure among fewer is no share to speak of */
#define BAKE_SAMPLES      12 /* of resets, in the minute that counts */
#define BAKE_TEXT_MAX     255

struct bake_watch {
    struct bake_figures base, now;
    uint64_t sampled_ms[BAKE_SAMPLES], sampled_resets[BAKE_SAMPLES]; /* a ring; its oldest is at first_sample */
    uint32_t first_sample, samples;
    uint32_t probes, probes_failed;          /* of those that say something about the app */
    char probe_detail[PROBE_DETAIL_MAX + 1]; /* of the last that failed */
    uint32_t guards;                         /* runs of the guard hook */
    bool canary;                             /* it has a share of the connections only: for what is said of it */
    char guard_failed[BAKE_TEXT_MAX + 1];    /* how it ended that failed; "" = none did */
};

/* base: the figures at the switch. */
void bake_watch_start(struct bake_watch *watch, const struct bake_figures *base, uint64_t now_ms);
/* A figure that went down began again with what it counts: from there on. */
void bake_watch_figures(struct bake_watch *watch, const struct bake_figures *now, uint64_t now_ms);
void bake_watch_probe(struct bake_watch *watch, const struct probe_result *result);
/* failed: how, NULL if it did not. */
void bake_watch_guard(struct bake_watch *watch, const char *failed);

/* True, with the reason in words, if something is worse than the limits allow. unhealthy: what the last probe of a
 * release said whose verdict is that; else NULL. */
bool bake_breached(const struct bake_watch *watch, const struct bake *limits, const char *unhealthy, char *why,
                   size_t size);
/* How it stands: "3 of 41 probes failed, 0 restarts, 2 resets in the last minute". */
void bake_text(const struct bake_watch *watch, const struct bake *limits, char *text, size_t size);
