/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread that brings the feed's journal to the disk, so that nobody else waits for one: many who want it share one
 * sync. What it is asked for and what it has done are counts of bytes that were ever written to the journal. Apart,
 * because it is all that the two threads share.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct wal_sync;

/* `directory` is borrowed. Everything before `done` is on the disk. */
int wal_sync_new(int directory, uint64_t done, struct wal_sync **sync, struct error *err);
/* Syncs what is left of what it was asked for, and waits for that. NULL is fine. */
void wal_sync_free(struct wal_sync *sync);
int wal_sync_event(const struct wal_sync *sync); /* an eventfd: readable when something has been done or has failed */

/* What is written from now on goes to this file (which it duplicates), made a moment ago: its name has to be on the
 * disk too. */
int wal_sync_file(struct wal_sync *sync, int fd, bool made, struct error *err);
/* Everything before `at`, which is in the files it has; returns at once. */
void wal_sync_want(struct wal_sync *sync, uint64_t at);
/* Waits until everything that was asked for is done, or has failed. */
void wal_sync_flush(struct wal_sync *sync);
/* Removes NUMBER.wal when everything before `at` is on the disk. */
void wal_sync_remove(struct wal_sync *sync, uint64_t number, uint64_t at);
/* How far it is. A sync that failed is not tried again: nobody knows what the disk has, and a second one may well lie.
 * Then *failure is its negative errno for good. */
uint64_t wal_sync_done(struct wal_sync *sync, int *failure);
