/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One committed transaction on its way to one zone: its mark in the journal, its call, what comes of it. The applier's
 * own; apart, because which one is next is another matter (applier.c). */
#pragma once

#include "feed/applier.h"
#include "feed/call.h"
#include "feed/wal.h"

enum applied_state { RESTING, MARKING /* APPLYING is not safe yet */, CALLING };

struct applied {
    struct list link;
    struct applier *applier;
    enum applied_state state;
    enum colour zone;
    size_t lane;
    bool dropped, marked; /* nobody wants it any more; APPLYING is written */
    bool unsure, told;    /* it was sent, and no answer came: the next time may be the second; that is on record */
    bool done, same; /* the zone has it, and only the journal has still to hear of it: its answer, as live's or not */
    struct wal_answer answer;
    uint32_t delay_ms;
    uint64_t due_ms, token; /* token: an order waits for it */
    struct wal_transaction transaction;
    struct call call;
};

/* Read from the journal; in no list yet. */
struct applied *applied_new(struct applier *applier, enum colour zone, uint64_t sequence, struct error *err);
void applied_free(struct applied *applied);
void applied_forget(struct applied *applied);                 /* frees it, once nobody calls it back any more */
void applied_take_out(struct applied *applied);               /* of the applier's list */
void applied_start(struct applied *applied);                  /* which rests; it may be freed in it */
int applied_mark(struct applied *applied, struct error *err); /* only the mark; the call follows by itself */
