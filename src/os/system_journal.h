/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries with fields for the system's journal, by its native protocol: one datagram each to journald's socket
 * (systemd.journal-fields(7)). By hand, because libsystemd would cost every process of the agent's some 800 kB. The
 * copy of an app's output is another protocol and the shim's (shim/journal.c).
 */
#pragma once

#include "base/text.h"

#define SYSTEM_JOURNAL_SOCKET "/run/systemd/journal/socket"

/* All zero but for the descriptor: nothing was sent yet. */
struct system_journal {
    int fd;          /* -1 = not open */
    uint32_t missed; /* entries, since the last one that it took */
};

#define SYSTEM_JOURNAL_NONE ((struct system_journal){.fd = -1})

/* Adds a field; names are capitals, digits and '_', values whatever they are. */
void system_journal_field(struct text *entry, const char *name, const char *value);
/* Never waits: what a journald that is busy does not take is counted, and the next entry says how many there were.
 * False if it was not taken; where there is no journald nothing is missed. */
bool system_journal_send(struct system_journal *journal, const struct text *entry);
void system_journal_close(struct system_journal *journal);
