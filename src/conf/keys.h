/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of sections and keys: who takes which value, and what to say about one that nobody takes. */
#pragma once

#include "base/error.h"
#include "conf/scan.h"

/* Puts value where it belongs in target. The error is without file, section and key. */
typedef int key_setter(void *target, const char *value, struct error *err);

struct key_rule {
    const char *section, *key; /* key NULL: any key of this section, taken by `set_any` */
    key_setter *set;
    int (*set_any)(void *target, const char *key, const char *value, struct error *err);
};

/* Gives every entry that the scan let through to its rule; unknown sections and keys are problems with a
 * suggestion. An entry whose value was refused is marked so. */
void keys_apply(const struct key_rule rules[], size_t count, struct scan *scan, void *target,
                struct problems *problems);

const struct scan_entry *keys_find(const struct scan *scan, const char *section, const char *key);

/* Setters' helpers. A range is part of the message. */
int key_duration(const char *value, uint32_t min_ms, uint32_t max_ms, uint32_t *ms, struct error *err);
int key_number(const char *value, uint32_t min, uint32_t max, uint32_t *number, struct error *err);
/* A user's or group's name as useradd(8) takes it, never a number. */
int key_account(const char *value, char *name, size_t size, struct error *err);
int key_string(const char *value, char **string, struct error *err); /* frees the old one */
