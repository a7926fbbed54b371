/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * STATE/forwarding has one line for each sysctl changed: its path below /proc/sys, the former value, ours. It is
 * written before the sysctl is: a crash in between costs nothing.
 */
#include "zone/forwarding.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "os/files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SYSCTL_ROOT "/proc/sys/"
#define IPV6_CONF   "net/ipv6/conf"

enum { RECORD_MAX = 256 * 1024, VALUE_MAX = 16 };

/* What is being done, for one direction. */
struct change {
    const char *state_dir;
    char *record;  /* the file's content, or "" */
    char *changed; /* text for the caller, or NULL */
    size_t size;
    struct error *err;
};

static int record_path(const char *state_dir, char path[PATH_MAX], struct error *err)
{
    if ((size_t)snprintf(path, PATH_MAX, "%s/forwarding", state_dir) >= PATH_MAX)
        return error_errno(err, ENAMETOOLONG, "%s/forwarding", state_dir);
    return 0;
}

static int record_read(const char *state_dir, char **record, struct error *err)
{
    char path[PATH_MAX];
    int result = record_path(state_dir, path, err);
    if (result == 0)
        result = file_read(path, RECORD_MAX, record, NULL, err);
    if (result == -ENOENT) {
        *record = strdup("");
        result = *record ? 0 : error_errno(err, ENOMEM, "read %s", path);
    }
    return result;
}

static int sysctl_path(const char *key, char path[PATH_MAX], struct error *err)
{
    if ((size_t)snprintf(path, PATH_MAX, SYSCTL_ROOT "%s", key) >= PATH_MAX)
        return error_errno(err, ENAMETOOLONG, "sysctl %s", key);
    return 0;
}

static int sysctl_get(const char *key, char value[VALUE_MAX], struct error *err)
{
    char path[PATH_MAX];
    int result = sysctl_path(key, path, err);
    return result < 0 ? result : file_peek(path, value, VALUE_MAX, err);
}

static int sysctl_set(const char *key, const char *value, struct error *err)
{
    char path[PATH_MAX];
    int result = sysctl_path(key, path, err);
    return result < 0 ? result : file_poke(path, value, err);
}

static bool is_recorded(const char *record, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = record; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, key, length) == 0 && line[length] == ' ')
            return true;
    }
    return false;
}

/* The first former value is the one that counts: a line that is there stays. */
static int record_add(struct change *change, const char *key, const char *former, const char *ours)
{
    char path[PATH_MAX];
    CLEANUP_TEXT struct text text = {0};
    if (is_recorded(change->record, key))
        return 0;
    int result = record_path(change->state_dir, path, change->err);
    if (result < 0)
        return result;
    text_addf(&text, "%s%s %s %s\n", change->record, key, former, ours);
    if (text.failed)
        return error_errno(change->err, ENOMEM, "write %s", path);
    result = file_write_atomic(path, 0644, text.data, text.length, change->err);
    if (result < 0)
        return result;
    free(change->record);
    change->record = steal_ptr(&text.data);
    return 0;
}

static void note(struct change *change, const char *key, const char *former, const char *ours)
{
    size_t used = change->changed ? strlen(change->changed) : 0;
    if (used < change->size)
        snprintf(change->changed + used, change->size - used, "%s%s %s -> %s",
                 used ? ", " : "let the host forward packets: ", key, former, ours);
}

static int set_recorded(struct change *change, const char *key, const char *former, const char *ours)
{
    int result = record_add(change, key, former, ours);
    if (result == 0)
        result = sysctl_set(key, ours, change->err);
    if (result == 0)
        note(change, key, former, ours);
    return result;
}

/* --- enabling ------------------------------------------------------------------------------------- */

/*
 * accept_ra 1 means "unless forwarding": an interface that listens to routers now would lose its addresses and default
 * route; 2 means "in any case". One that forwards already does not listen, and is left alone.
 */
static int keep_advertisements(struct change *change, const char *interface)
{
    char accept[PATH_MAX], forwarding[PATH_MAX], value[VALUE_MAX], forwards[VALUE_MAX];
    snprintf(accept, sizeof accept, IPV6_CONF "/%s/accept_ra", interface);
    snprintf(forwarding, sizeof forwarding, IPV6_CONF "/%s/forwarding", interface);
    if (sysctl_get(accept, value, NULL) < 0 || sysctl_get(forwarding, forwards, NULL) < 0)
        return 0; /* the interface has just gone */
    if (strcmp(value, "1") != 0 || strcmp(forwards, "0") != 0)
        return 0;
    int result = set_recorded(change, accept, value, "2");
    return result == -ENOENT ? 0 : result;
}

static int keep_all_advertisements(struct change *change)
{
    CLEANUP_DIR DIR *directory = opendir(SYSCTL_ROOT IPV6_CONF);
    if (!directory)
        return error_errno(change->err, errno, "open " SYSCTL_ROOT IPV6_CONF);
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(directory));) {
        /* "default" too: it is what an interface that comes later begins with. "all" has no say in this one. */
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "all") != 0 && strcmp(entry->d_name, "lo") != 0)
            result = keep_advertisements(change, entry->d_name);
    }
    return result;
}

static int enable_one(struct change *change, const char *key)
{
    char value[VALUE_MAX];
    int result = sysctl_get(key, value, change->err);
    if (result < 0 || strcmp(value, "0") != 0)
        return result;
    return set_recorded(change, key, value, "1");
}

static int enable_ipv6(struct change *change)
{
    char value[VALUE_MAX];
    int result = sysctl_get(IPV6_CONF "/all/forwarding", value, NULL);
    if (result == -ENOENT || (result == 0 && strcmp(value, "0") != 0))
        return 0; /* a host without IPv6, or one that forwards it already */
    result = keep_all_advertisements(change);
    return result < 0 ? result : enable_one(change, IPV6_CONF "/all/forwarding");
}

int forwarding_enable(const char *state_dir, char *changed, size_t size, struct error *err)
{
    changed[0] = '\0';
    CLEANUP_FREE char *record = NULL;
    int result = record_read(state_dir, &record, err);
    if (result < 0)
        return result;
    struct change change = {
        .state_dir = state_dir, .record = steal_ptr(&record), .changed = changed, .size = size, .err = err};
    result = enable_one(&change, "net/ipv4/ip_forward");
    if (result == 0)
        result = enable_ipv6(&change);
    free(change.record);
    return result < 0 ? error_prefix(err, "let the host forward packets") : 0;
}

/* --- restoring ------------------------------------------------------------------------------------ */

/* A damaged line, or a key that leads out of net/, is skipped: the file is ours, but it is only a file. */
static int restore_line(struct change *change, const char *line)
{
    char key[256], former[VALUE_MAX], ours[VALUE_MAX], value[VALUE_MAX];
    if (sscanf(line, "%255s %15s %15s", key, former, ours) != 3 || !text_starts_with(key, "net/") || strstr(key, ".."))
        return 0;
    if (sysctl_get(key, value, NULL) < 0 || strcmp(value, ours) != 0)
        return 0; /* the interface has gone, or somebody else decided since */
    int result = sysctl_set(key, former, change->err);
    return result == -ENOENT ? 0 : result;
}

/* From the last line to the first: forwarding ends before accept_ra is 1 again. */
static int restore_lines(struct change *change)
{
    int result = 0;
    for (size_t end = strlen(change->record); end > 0 && result == 0;) {
        change->record[end - 1] = '\0'; /* the newline */
        char *newline = strrchr(change->record, '\n');
        char *line = newline ? newline + 1 : change->record;
        result = restore_line(change, line);
        end = (size_t)(line - change->record);
    }
    return result;
}

int forwarding_restore(const char *state_dir, struct error *err)
{
    char path[PATH_MAX];
    CLEANUP_FREE char *record = NULL;
    int result = record_path(state_dir, path, err);
    if (result == 0)
        result = record_read(state_dir, &record, err);
    if (result < 0)
        return result;
    struct change change = {.state_dir = state_dir, .record = record, .err = err};
    result = restore_lines(&change);
    if (result < 0)
        return error_prefix(err, "restore the host's forwarding");
    return unlink(path) < 0 && errno != ENOENT ? error_errno(err, errno, "remove %s", path) : 0;
}
