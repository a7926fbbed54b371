/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules of others that translate the destination of what comes to a port of the host: they and ours cannot both have
 * it. */
#pragma once

#include "base/error.h"
#include "model/service.h"

#define TRANSLATION_NAME_MAX 63 /* longer ones are cut: they are shown only */

struct translation {
    uint8_t family;         /* NFPROTO_... of the table */
    enum protocol protocol; /* 0 = both */
    uint16_t first, last;   /* destination ports */
    uint64_t handle;
    char table[TRANSLATION_NAME_MAX + 1], chain[TRANSLATION_NAME_MAX + 1];
};

struct translations {
    struct translation *items; /* owned */
    size_t count;
};

void translations_clear(struct translations *translations);
/* Rules that name the port, or a range, themselves; those that look it up in a set are not seen. Appends. */
int translations_list(struct translations *translations, struct error *err);
