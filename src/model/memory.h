/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two releases need the memory of two. Whether the host has it is decided here, from figures that others read: pure,
 * so that the comparison can be tested.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes. */
struct memory_balance {
    uint64_t available;  /* what the host could give without taking from anybody; 0 = nobody can tell */
    uint64_t given_back; /* what the release uses whose place the new one takes */
    uint64_t live;       /* what the live release uses now; 0 = there is none, or nobody can tell */
    uint64_t limit;      /* [limits] memory of the new release; 0 = none */
};

/* True if what the new release is taken to need is there, or nobody can tell. That is as much as the live one uses, but
 * no more than it may. */
bool memory_suffices(const struct memory_balance *balance);

#define MEMORY_TEXT_MAX 200
/* Why it does not suffice, with the figures in MiB. */
const char *memory_text(const struct memory_balance *balance, char text[MEMORY_TEXT_MAX]);

#define MEMORY_SIZE_TEXT_MAX 32
/* "512 MiB", rounded to the nearest, "<1 MiB" for less than half of one. */
const char *memory_size_text(uint64_t bytes, char text[MEMORY_SIZE_TEXT_MAX]);
