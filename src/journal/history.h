/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding entries of the history in a journal's text, newest first up to a limit, each with what belongs to it. One
 * pass notes where things are; only what is wanted is read again. Apart from journal.c, which only appends.
 */
#pragma once

#include "journal/records.h"
#include "model/history.h"

/* Visits the wanted entries, oldest first, each followed by its parts: RECORD_DRAINED, RECORD_SERVED, RECORD_HOOK. */
int history_visit(const char *content, size_t length, const struct history_filter *filter, record_visitor *visit,
                  void *context, struct error *err);
