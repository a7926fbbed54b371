/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of sections and keys: who takes which value, and what to say about one that nobody takes. */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "conf/scan.h"

/* Puts value where it belongs in target. The error is without file, section and key. */
typedef int key_setter(void *target, const char *value, struct error *err);
/* The same for one that wants to know its key, or what stands behind the section's name: [process NAME]. */
typedef int key_setter_of(void *target, const char *name, const char *value, struct error *err);

/* Does a changed value take effect on what was staged with `kept` already? */
typedef bool key_takes_effect(const void *kept, const void *fresh);

/* Plain values go straight into a field of target. */
enum key_kind {
    KEY_CALL,     /* what `set`, `set_any` or `set_named` does */
    KEY_DURATION, /* uint32_t, ms, from min to max */
    KEY_NUMBER,   /* uint32_t, from min to max */
    KEY_BOUND,    /* the same, or "unlimited": UINT32_MAX */
    KEY_MEMORY,   /* uint64_t, bytes: whole pages, at least min */
    KEY_SIZE,     /* uint64_t, bytes, from min KiB to max KiB */
    KEY_BOOLEAN,  /* bool */
    KEY_WORD,     /* unsigned or an enum of that size: which of words it is */
    KEY_FLAG      /* bool: the first of two words is false, the second is true */
};

struct key_rule {
    const char *section, *key; /* key NULL: any key of this section, taken by `set_any` */
    key_setter *set;
    key_setter_of *set_any, *set_named; /* set_any gets the key, set_named NAME of [SECTION NAME] */
    enum key_kind kind;
    size_t offset;
    uint32_t min, max;
    const char *const *words; /* NULL-terminated */
    key_takes_effect *now;    /* NULL: a change waits for the next release */
};

/* Gives every entry that the scan let through to its rule; unknown sections and keys are problems with a
 * suggestion. An entry whose value was refused is marked so. */
void keys_apply(const struct key_rule rules[], size_t count, struct scan *scan, void *target,
                struct problems *problems);

/* Whose value this is, NULL if nobody's. */
const struct key_rule *keys_rule(const struct key_rule rules[], size_t count, const struct scan_entry *entry);
/* Appends the value that stands in target, as somebody would write it; nothing for KEY_CALL. */
void key_show(const struct key_rule *rule, const void *target, struct text *text);

/* What stands behind the section's name in "[section NAME]", NULL if it is another section or has no name. */
const char *keys_section_name(const char *section, const char *word);

const struct scan_entry *keys_find(const struct scan *scan, const char *section, const char *key);

/* As somebody would write it: the largest unit that leaves no rest. */
#define KEY_DURATION_TEXT_MAX 24
const char *key_show_duration(uint64_t ms, char text[KEY_DURATION_TEXT_MAX]);

/* Setters' helpers. A range is part of the message. */
int key_duration(const char *value, uint32_t min_ms, uint32_t max_ms, uint32_t *ms, struct error *err);
int key_number(const char *value, uint32_t min, uint32_t max, uint32_t *number, struct error *err);
int key_bound(const char *value, uint32_t min, uint32_t max, uint32_t *number, struct error *err);
/* A user's or group's name as useradd(8) takes it, never a number. */
int key_account(const char *value, char *name, size_t size, struct error *err);
/* A size in whole pages of 4096 bytes. */
int key_memory(const char *value, uint64_t min, uint64_t *bytes, struct error *err);
/* Any number of bytes within the bounds, which are in KiB. */
int key_size(const char *value, uint32_t min_k, uint32_t max_k, uint64_t *bytes, struct error *err);
/* Which of the words value is. */
int key_word(const char *value, const char *const words[], unsigned *index, struct error *err);
int key_string(const char *value, char **string, struct error *err); /* frees the old one */
