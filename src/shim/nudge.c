/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ending connections that rest: the app is made to believe that their clients have gone, so it closes them as it closes
 * any, and their clients see a clean end. It is the app's own socket that is shut down for reading, got by
 * pidfd_getfd(2), which takes CAP_SYS_PTRACE.
 *
 * No request may be lost. One that comes between the shutdown and the app's close would be answered with a reset,
 * because it was never read. So a filter first keeps out whatever the client sends from now on. With it there, the
 * connection is looked at again: what had come before shows in it, and then nothing was done. What comes after was
 * never received, for the client it is as if it had been sent after the end: it asks again on a new connection.
 *
 * Of the app nothing is read but numbers of descriptors, in a /proc of the zone's own, where no other process is.
 */
#include "shim/shim.h"

#include "base/cleanup.h"
#include "model/connection.h"
#include "os/clock.h"
#include "shim/mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATIENCE_MS = 200 }; /* of one message: everything else in the zone waits */

/* --- one socket ----------------------------------------------------------------------------------- */

/* "Longer than its header": segments without data pass, so the client's confirmations and its own end do. */
static struct sock_filter no_data[] = {
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 12), /* the length of the header, in words, is the upper half of byte 12 */
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
    BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2),
    BPF_STMT(BPF_MISC | BPF_TAX, 0),
    BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, 0),
    BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
};
enum { NO_DATA = sizeof no_data / sizeof *no_data };

static bool keep_out(int fd)
{
    const struct sock_fprog program = {.len = NO_DATA, .filter = no_data};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

static void let_in(int fd)
{
    int unused = 0;
    setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
}

/* Instructions of the filter it has, into filter if they are as many as ours; -1: that cannot be told. */
static int get_filter(int fd, struct sock_filter filter[NO_DATA])
{
    socklen_t count = NO_DATA;
    if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, filter, &count) < 0)
        return -1;
    return (int)count;
}

static bool has_filter(int fd)
{
    struct sock_filter filter[NO_DATA];
    return get_filter(fd, filter) != 0;
}

static bool has_our_filter(int fd)
{
    struct sock_filter filter[NO_DATA];
    return get_filter(fd, filter) == NO_DATA && memcmp(filter, no_data, sizeof no_data) == 0;
}

static bool is_meant(int fd, const struct shim_socket *wanted)
{
    uint64_t cookie;
    socklen_t size = sizeof cookie;
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 && size == sizeof cookie &&
           cookie == (wanted->cookie[0] | (uint64_t)wanted->cookie[1] << 32);
}

static bool rests(int fd, uint32_t idle_ms)
{
    struct tcp_info info;
    struct connection_look look;
    socklen_t size = sizeof info;
    int unread = 0;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 || ioctl(fd, FIONREAD, &unread) < 0)
        return false;
    connection_look_read(&look, &info, size);
    return unread == 0 && connection_rests(&look, idle_ms);
}

static bool lingers(int fd)
{
    struct linger linger;
    socklen_t size = sizeof linger;
    return getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size) < 0 || (linger.l_onoff && linger.l_linger > 0);
}

/* True if it was nudged. */
static bool nudge(int fd, const struct shim_socket *wanted, uint32_t idle_ms, int *refused)
{
    if (!is_meant(fd, wanted))
        return false;
    if (wanted->listen) {
        if (has_our_filter(fd))
            let_in(fd);
        return false;
    }
    /* An app that filters by itself knows why. One that lingers could have closed the socket meanwhile, and to let go
     * of it would take as long as it says. */
    if (has_filter(fd) || lingers(fd))
        return false;
    if (!keep_out(fd)) {
        *refused = errno;
        return false;
    }
    if (rests(fd, idle_ms) && shutdown(fd, SHUT_RD) == 0)
        return true;
    let_in(fd);
    return false;
}

/* --- finding them --------------------------------------------------------------------------------- */

struct search {
    const struct shim_nudge *nudge;
    const struct shim_socket *sorted[SHIM_SOCKETS_MAX]; /* by inode */
    bool done[SHIM_SOCKETS_MAX];                        /* several processes may share one */
    size_t left;
    uint64_t until_ms;
    int pidfd;   /* of the process that is looked at, once it is needed */
    int refused; /* 0 or the errno with which the kernel kept a socket from us, or let it have no filter */
    uint32_t nudged;
};

static int by_inode(const void *a, const void *b)
{
    const struct shim_socket *first = *(const struct shim_socket *const *)a,
                             *second = *(const struct shim_socket *const *)b;
    return first->inode < second->inode ? -1 : first->inode > second->inode;
}

static int by_number(const void *key, const void *element)
{
    uint32_t inode = *(const uint32_t *)key, other = (*(const struct shim_socket *const *)element)->inode;
    return inode < other ? -1 : inode > other;
}

/* Where in search->sorted, or -1. */
static int find(const struct search *search, const char *link)
{
    static const char prefix[] = "socket:[";
    if (strncmp(link, prefix, sizeof prefix - 1) != 0)
        return -1;
    uint32_t inode = (uint32_t)strtoul(link + sizeof prefix - 1, NULL, 10);
    const struct shim_socket **found =
        bsearch(&inode, search->sorted, search->nudge->count, sizeof *search->sorted, by_number);
    return found ? (int)(found - search->sorted) : -1;
}

static void take(struct search *search, pid_t pid, int number, size_t index)
{
    if (search->pidfd < 0)
        search->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    CLEANUP_FD int fd = search->pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, search->pidfd, number, 0);
    if (fd < 0) {
        search->refused = errno == EPERM ? EPERM : search->refused; /* others: it has just ended */
        return;
    }
    search->nudged += nudge(fd, search->sorted[index], search->nudge->idle_ms, &search->refused);
    search->done[index] = true;
    search->left--;
}

static bool goes_on(const struct search *search)
{
    return search->left > 0 && clock_monotonic_ms() < search->until_ms;
}

static DIR *open_directory(int directory, const char *path)
{
    CLEANUP_FD int fd = openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *opened = fd < 0 ? NULL : fdopendir(fd);
    if (opened)
        steal_fd(&fd);
    return opened;
}

static void search_process(struct search *search, int proc, pid_t pid)
{
    char path[32], link[32];
    struct dirent *entry;
    snprintf(path, sizeof path, "%d/fd", (int)pid);
    DIR *descriptors = open_directory(proc, path);
    search->pidfd = -1;
    while (descriptors && goes_on(search) && (entry = readdir(descriptors))) {
        ssize_t length = readlinkat(dirfd(descriptors), entry->d_name, link, sizeof link - 1);
        link[length < 0 ? 0 : length] = '\0';
        int index = find(search, link);
        if (index >= 0 && !search->done[index])
            take(search, pid, atoi(entry->d_name), (size_t)index);
    }
    if (descriptors)
        closedir(descriptors);
    close_fd(&search->pidfd);
}

/* Numbers only, and not us. */
static pid_t process_of(const char *name)
{
    long number = name[strspn(name, "0123456789")] ? 0 : strtol(name, NULL, 10);
    return number > 1 ? (pid_t)number : 0;
}

int nudge_all(const struct shim_nudge *nudge, uint32_t *nudged)
{
    struct search search = {
        .nudge = nudge, .left = nudge->count, .until_ms = clock_monotonic_ms() + PATIENCE_MS, .pidfd = -1};
    CLEANUP_FD int proc = mounts_make("proc", NULL, 0);
    DIR *processes = proc < 0 ? NULL : open_directory(proc, ".");
    struct dirent *entry;
    if (!processes)
        return -errno;
    for (size_t i = 0; i < nudge->count; i++)
        search.sorted[i] = &nudge->sockets[i];
    qsort(search.sorted, nudge->count, sizeof *search.sorted, by_inode);
    while (goes_on(&search) && (entry = readdir(processes))) {
        pid_t pid = process_of(entry->d_name);
        if (pid > 0)
            search_process(&search, proc, pid);
    }
    closedir(processes);
    *nudged = search.nudged;
    return -search.refused;
}
