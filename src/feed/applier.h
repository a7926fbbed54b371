/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends committed transactions to the zone that is not live, in the order of their numbers within each lane. What fails
 * is tried again until it is done or somebody skips it: a standby that is slow, frozen or dead costs live nothing.
 */
#pragma once

#include "base/list.h"
#include "model/types.h"
#include "os/loop.h"

#define APPLIER_BYTES   (UINT64_C(32) << 20) /* of transactions in memory, beside the one that is larger */
#define APPLIER_ENTRIES 256

struct role;
struct applied; /* one that is being applied */

struct applier {
    struct role *role;
    struct list entries; /* by number */
    size_t count;        /* in memory */
    uint64_t bytes;
    uint64_t next;            /* the next to be read; 0: ask the journal */
    uint64_t newest, barrier; /* up to which may be read now; those behind this one have lanes again. 0: none */
    bool sorts_anew;          /* first what is in memory */
    int8_t zone;              /* whose they are, -1: nobody's */
    struct applied *lost;     /* one that a zone has missed, on its way because somebody wants it */
    struct loop_timer *retry;
    bool unreached;  /* some wait because nothing listened */
    char stuck[256]; /* why one cannot be read; "" */
    char why[256];   /* why one is tried again; "" */
};

int applier_init(struct applier *applier, struct role *role, struct error *err);
void applier_clear(struct applier *applier);
/* Forgets what it has in memory: another zone is the other one, or what the other has is another matter. */
void applier_drop(struct applier *applier);
void applier_proceed(struct applier *applier);
/* Does not wait before it tries again: the zone may be another, or a switch waits for it. applier_proceed follows. */
void applier_try_now(struct applier *applier);
/* Keys or lanes are others from now on, and nothing with the old ones is under way. */
void applier_relane(struct applier *applier);
void applier_sweep(struct applier *applier, uint64_t now_ms);
/* When the oldest that waits was begun; 0: none does. */
uint64_t applier_oldest_ms(const struct applier *applier);
/* Leaves one out that is tried again and again; -ENOENT: it is not on its way. */
int applier_skip(struct applier *applier, uint64_t sequence, struct error *err);
/* Sends one to the zone that has lost it; the order with this token is answered when that has ended. */
int applier_restore(struct applier *applier, enum colour zone, uint64_t sequence, uint64_t token, struct error *err);
