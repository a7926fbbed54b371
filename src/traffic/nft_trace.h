/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of one client's packets through the rules of everybody (nftrace): a table of our own marks what comes in
 * through one link, and what goes back to the client, and the kernel tells each rule that decided something.
 */
#pragma once

#include "base/error.h"
#include "model/types.h"

#include <stddef.h>
#include <stdint.h>

#define TRACE_TABLE    "bluegreen-doctor"
#define TRACE_NAME_MAX 63 /* longer names of chains are cut: they are shown only */

struct trace;

/* Marks packets that come in through this link, and those for the client's addresses (one may have family 0). The table
 * goes with the trace, and with the process, where the kernel has tables with an owner (5.12); trace_close removes it
 * everywhere, and trace_open what was left by one that was killed. */
int trace_open(struct trace **trace, const char *link, const struct address *client4, const struct address *client6,
               struct error *err);
void trace_close(struct trace *trace); /* NULL is fine */
/* What was said until now is forgotten. */
void trace_forget(struct trace *trace);

struct trace_drop {
    uint8_t family; /* NFPROTO_... of the table */
    char table[TRACE_NAME_MAX + 1];
    char chain[TRACE_NAME_MAX + 1]; /* where it was dropped ... */
    char base[TRACE_NAME_MAX + 1];  /* ... coming from this base chain */
    uint64_t handle;                /* of the rule; 0 = the chain's policy */
    bool answer;                    /* what was dropped was on its way back to the client */
};

/* Reads what the kernel has said since it was asked last. zone becomes the name of chain zone.APP.COLOUR of our table,
 * if a packet came to one. False, and *drop stays as it was, if nothing was dropped by any rule. */
bool trace_find_drop(struct trace *trace, struct trace_drop *drop, char zone[TRACE_NAME_MAX + 1]);
