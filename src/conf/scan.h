/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A first look at the raw bytes of a configuration file. iniparser lower-cases names, merges sections, keeps the
 * last of two equal keys, cuts values at ';' and '#' even inside quotes, drops what follows a closing quote, joins
 * lines that end in a backslash and stops at 1024 bytes a line, all in silence. The scan refuses every file in
 * which it would, so that what stands in the file is what runs.
 */
#pragma once

#include "conf/problems.h"

/* fgets(3) into iniparser's ASCIILINESZ (1024) bytes, less the newline and the terminator. */
#define SCAN_LINE_MAX 1022

struct scan_section {
    char *name;
    unsigned line;
};

struct scan_entry {
    char *section, *key, *value; /* as iniparser should see them; value "" if refused */
    unsigned line;
    bool refused; /* a problem with it is reported already */
};

struct scan {
    struct scan_section *sections;
    size_t section_count;
    struct scan_entry *entries; /* in the file's order */
    size_t entry_count;
};

void scan_clear(struct scan *scan);
#define CLEANUP_SCAN __attribute__((cleanup(scan_clear)))

/* Reads content into *scan as far as it makes sense, and adds what is wrong to problems. 0 or -ENOMEM. */
int scan_content(const char *content, size_t length, struct scan *scan, struct problems *problems);
