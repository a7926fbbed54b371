/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent has on the machine and in its own process, as sorted lines in which numbers and the zones' colours do
 * not show: descriptors of its processes, processes, cgroups, mounts, namespaces, links, rules, files. The same before
 * and after, or something was left behind.
 */
#pragma once

#include <ctype.h>
#include <dirent.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRACES_MAX = 4096, TRACE_SIZE = 160 };

struct traces {
    char lines[TRACES_MAX][TRACE_SIZE];
    size_t count;
};

static struct traces *traces_now; /* that are being collected, for nftw(3) */

static void trace(const char *kind, const char *what)
{
    static const char *const colours[] = {"blue", "green"};
    if (traces_now->count == TRACES_MAX)
        return;
    char *line = traces_now->lines[traces_now->count++];
    size_t used = (size_t)snprintf(line, TRACE_SIZE, "%s ", kind);
    while (*what && *what != '\n' && used + 4 < TRACE_SIZE) {
        size_t length = 0;
        for (int i = 0; i < 2 && !length; i++) {
            if (strncmp(what, colours[i], strlen(colours[i])) == 0)
                length = strlen(colours[i]);
        }
        if (length) {
            line[used++] = '*';
        } else if (isdigit((unsigned char)*what)) {
            length = strspn(what, "0123456789");
            line[used++] = '0';
        } else {
            line[used++] = *what;
            length = 1;
        }
        what += length;
    }
    line[used] = '\0';
}

static void trace_names(const char *kind, const char *directory)
{
    DIR *opened = opendir(directory);
    for (struct dirent *entry; opened && (entry = readdir(opened));) {
        if (entry->d_name[0] != '.')
            trace(kind, entry->d_name);
    }
    if (opened)
        closedir(opened);
}

static void trace_descriptors(const char *process)
{
    char path[300], target[256], kind[40];
    snprintf(path, sizeof path, "/proc/%s/fd", process);
    snprintf(kind, sizeof kind, "descriptor");
    DIR *opened = opendir(path);
    for (struct dirent *entry; opened && (entry = readdir(opened));) {
        char link[600];
        snprintf(link, sizeof link, "%s/%s", path, entry->d_name);
        ssize_t length = readlink(link, target, sizeof target - 1);
        if (length < 0)
            continue;
        target[length] = '\0';
        trace(kind, target);
    }
    if (opened)
        closedir(opened);
}

/* The program's descriptors are those of the monitor and of the roles. */
static void trace_processes(void)
{
    DIR *opened = opendir("/proc");
    for (struct dirent *entry; opened && (entry = readdir(opened));) {
        char path[300], name[64] = "";
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
        FILE *file = fopen(path, "re");
        if (file && fgets(name, sizeof name, file) &&
            (strncmp(name, "bluegreen", 9) == 0 || strcmp(name, "web\n") == 0))
            trace("process", name);
        if (file)
            fclose(file);
        if (strcmp(name, "bluegreend\n") == 0 || strcmp(name, "bluegreen-api\n") == 0 ||
            strcmp(name, "bluegreen-probe\n") == 0)
            trace_descriptors(entry->d_name);
    }
    if (opened)
        closedir(opened);
}

static void trace_lines(const char *kind, FILE *file)
{
    char line[512];
    while (file && fgets(line, sizeof line, file)) {
        const char *words = line + strspn(line, " \t");
        if (strncmp(words, "elements", strlen("elements")) != 0) /* of the set that says which zone is live */
            trace(kind, words);
    }
}

static int trace_file(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)where;
    trace(type == FTW_D || type == FTW_DP ? "directory" : "file", path);
    return 0;
}

static int trace_cgroup(const char *path, const struct stat *status, int type, struct FTW *where)
{
    if (type == FTW_D && !strstr(path, "/harness"))
        trace_file(path, status, type, where);
    return 0;
}

static int compare_traces(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void traces_take(struct traces *traces, const char *world)
{
    char path[256];
    traces->count = 0;
    traces_now = traces;
    trace_processes();
    trace_names("namespace", "/run/netns");
    trace_names("link", "/sys/class/net");
    FILE *mounts = fopen("/proc/self/mounts", "re");
    trace_lines("mount", mounts);
    if (mounts)
        fclose(mounts);
    FILE *rules = popen("nft -s list ruleset", "re");
    trace_lines("rule", rules);
    if (rules)
        pclose(rules);
    nftw("/sys/fs/cgroup", trace_cgroup, 16, FTW_PHYS);
    snprintf(path, sizeof path, "%s/run", world);
    nftw(path, trace_file, 16, FTW_PHYS);
    snprintf(path, sizeof path, "%s/state", world);
    nftw(path, trace_file, 16, FTW_PHYS);
    qsort(traces->lines, traces->count, sizeof *traces->lines, compare_traces);
}

/* What is in one and not in the other, "+..." and "-...", as far as it fits; true if nothing is. */
static bool traces_same(const struct traces *before, const struct traces *after, char *text, size_t size)
{
    size_t i = 0, j = 0, used = 0;
    text[0] = '\0';
    while (i < before->count || j < after->count) {
        int order = i == before->count ? 1 : j == after->count ? -1 : strcmp(before->lines[i], after->lines[j]);
        if (order < 0 && strncmp(before->lines[i], "descriptor", 10) == 0)
            order = -2; /* one of a file that is opened again later is no loss */
        else if (order != 0 && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%c%s", used ? "; " : "", order < 0 ? '-' : '+',
                                     order < 0 ? before->lines[i] : after->lines[j]);
        i += order <= 0;
        j += order >= 0;
    }
    return used == 0;
}
