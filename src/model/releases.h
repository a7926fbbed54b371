/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The releases in an app's directory: how a process that may look there tells of them, and which of them go. Pure, so
 * that what must never be removed can be tested without a disk.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/types.h"

#define RELEASES_MAX        4096 /* in one directory; whoever has more does not look after them */
#define RELEASE_ENTRY_MAX   (RELEASE_NAME_MAX + 8)
#define RELEASES_TEXT_MAX   (RELEASES_MAX * (RELEASE_NAME_MAX + 32))
#define RELEASE_UNIX_MS_MAX UINT64_C(253402300799000) /* the year 9999 */

/* Beside its releases, what is not one: names that no release can have. */
enum release_kind {
    RELEASE_WHOLE, /* NAME */
    RELEASE_NEW,   /* .NAME.new: it is being fetched, or its fetch was interrupted */
    RELEASE_OLD,   /* .NAME.old: it is being removed, or that was interrupted */
    RELEASE_KINDS
};

/* What an entry of the directory is called. */
const char *release_entry_name(enum release_kind kind, const char *release, char name[RELEASE_ENTRY_MAX]);
/* The other way round; false: it is none of ours, and nobody touches it. */
bool release_entry_parse(const char *name, enum release_kind *kind, char release[RELEASE_NAME_MAX + 1]);

struct release_entry {
    enum release_kind kind;
    char name[RELEASE_NAME_MAX + 1];
    uint64_t unix_ms; /* when it came */
    bool goes;
};

struct release_list {
    struct release_entry *items; /* newest first */
    size_t count;
};

void releases_clear(struct release_list *list);
#define CLEANUP_RELEASES __attribute__((cleanup(releases_clear)))

/* One line of text for an entry, and all of them back: -EPROTO, and *list as it was, for anything else than lines of
 * releases_format. */
void releases_format(const struct release_entry *entry, struct text *text);
int releases_parse(const char *text, size_t length, struct release_list *list, struct error *err);
/* Marks the whole ones that go: all but the `keep` newest and those that are held. Returns how many. */
size_t releases_choose(struct release_list *list, size_t keep, const struct words *held);
