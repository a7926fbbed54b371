/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP's and UDP's counters of a zone. There is no netlink request for them, so they are read from /proc, which shows
 * the namespace of whoever opens the file, also when somebody else reads it later: a short thread inside opens them
 * once, and from then on a reading costs some system calls.
 */
#include "zone/counters.h"

#include "base/cleanup.h"
#include "zone/netns.h"
#include "zone/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONTENT_MAX = 16384 }; /* netstat has some 3.5 KiB on Linux 6.18, names included */

static int open_inside(void *context, struct error *err)
{
    struct counter_files *files = context;
    files->snmp = open("/proc/thread-self/net/snmp", O_RDONLY | O_CLOEXEC);
    files->netstat = open("/proc/thread-self/net/netstat", O_RDONLY | O_CLOEXEC);
    files->snmp6 = open("/proc/thread-self/net/snmp6", O_RDONLY | O_CLOEXEC);
    return files->snmp < 0 || files->netstat < 0 ? error_errno(err, errno, "open the zone's /proc/net/snmp and netstat")
                                                 : 0;
}

void counters_close(struct counter_files *files)
{
    close_fd(&files->snmp);
    close_fd(&files->netstat);
    close_fd(&files->snmp6);
}

/* --- two lines a group ----------------------------------------------------------------------------- */

/* Behind "GROUP: " of the next line that begins so; NULL if there is none. */
static const char *line_of(const char *content, const char *group)
{
    size_t length = strlen(group);
    while (content && *content) {
        if (strncmp(content, group, length) == 0 && content[length] == ':')
            return content + length + 1;
        content = strchr(content, '\n');
        if (content)
            content++;
    }
    return NULL;
}

static const char *next_column(const char *line, size_t *length)
{
    line += strspn(line, " ");
    *length = strcspn(line, " \n");
    return *length ? line : NULL;
}

bool counters_find(const char *content, const char *group, const char *name, uint64_t *number)
{
    const char *names = line_of(content, group), *numbers = names ? strchr(names, '\n') : NULL;
    numbers = numbers ? line_of(numbers + 1, group) : NULL;
    while (names && numbers) {
        size_t name_length, length;
        names = next_column(names, &name_length);
        numbers = next_column(numbers, &length);
        if (!names || !numbers)
            return false;
        if (name_length == strlen(name) && strncmp(names, name, name_length) == 0) {
            char *end;
            errno = 0;
            *number = strtoull(numbers, &end, 10);
            return errno == 0 && end == numbers + length && *numbers != '-';
        }
        names += name_length;
        numbers += length;
    }
    return false;
}

bool counters_find_line(const char *content, const char *name, uint64_t *number)
{
    size_t length = strlen(name);
    for (const char *line = content; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        if (strncmp(line, name, length) != 0 || !strchr(" \t", line[length]))
            continue;
        const char *digits = line + length + strspn(line + length, " \t");
        char *end;
        errno = 0;
        *number = strtoull(digits, &end, 10);
        return errno == 0 && end > digits && (*end == '\n' || *end == '\0') && *digits != '-';
    }
    return false;
}

/* --- reading ---------------------------------------------------------------------------------------- */

static int read_again(int fd, char content[CONTENT_MAX], struct error *err)
{
    size_t used = 0;
    while (used < CONTENT_MAX - 1) {
        ssize_t got = pread(fd, content + used, CONTENT_MAX - 1 - used, (off_t)used);
        if (got < 0)
            return error_errno(err, errno, "read the zone's TCP counters");
        if (got == 0)
            break;
        used += (size_t)got;
    }
    content[used] = '\0';
    return 0;
}

static void add_ipv6(struct counter_files *files, char content[CONTENT_MAX], struct zone_counters *counters)
{
    uint64_t datagrams = 0;
    if (files->snmp6 >= 0 && read_again(files->snmp6, content, NULL) == 0 &&
        counters_find_line(content, "Udp6InDatagrams", &datagrams))
        counters->datagrams += datagrams;
}

int counters_read(struct counter_files *files, int netns, struct zone_counters *counters, struct error *err)
{
    char content[CONTENT_MAX];
    int result = 0;
    if (files->snmp < 0 || files->netstat < 0) {
        counters_close(files);
        result = netns_run(netns, open_inside, files, err);
    }
    if (result == 0)
        result = read_again(files->snmp, content, err);
    if (result < 0)
        return result;
    *counters = (struct zone_counters){0};
    bool found = counters_find(content, "Tcp", "OutRsts", &counters->resets_sent) &&
                 counters_find(content, "Tcp", "PassiveOpens", &counters->connections);
    counters_find(content, "Udp", "InDatagrams", &counters->datagrams); /* not there: nobody uses UDP */
    result = read_again(files->netstat, content, err);
    if (result < 0)
        return result;
    found = found && counters_find(content, "TcpExt", "ListenOverflows", &counters->listen_overflows);
    add_ipv6(files, content, counters);
    return found ? 0 : error_set(err, ENODATA, "the kernel does not count TCP resets and listen overflows");
}

/* --- the agent's own ---------------------------------------------------------------------------------- */

uint64_t counters_own(const char *path, uint32_t more)
{
    uint64_t own = 0;
    CLEANUP_FD int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (more ? O_CREAT : 0), 0600);
    if (fd < 0 || pread(fd, &own, sizeof own, 0) != (ssize_t)sizeof own)
        own = 0;
    own += more;
    if (fd >= 0 && more && pwrite(fd, &own, sizeof own, 0) < 0)
        return own - more; /* they will count as clients */
    return own;
}
