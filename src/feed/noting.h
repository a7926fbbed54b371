/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of an answer goes into the journal. */
#pragma once

#include "feed/call.h"
#include "feed/wal_entry.h"

/* Of a call that was answered. */
void noting_answer(const struct call *call, struct wal_answer *answer);
