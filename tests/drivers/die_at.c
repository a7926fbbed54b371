/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ends the agent at a point that a test chooses: preloaded into it (LD_PRELOAD), it counts what the agent commits, that
 * is its appends to the journal and its nftables batches, and kills it before, within or behind one of them. Apart from
 * the agent, so that there is no code for tests in what is shipped.
 *
 *   DIE_AT_CONTROL  a file "NUMBER PHASE [journal|nft]": the point, from 1, counted from when the file was last
 *                   replaced, of this kind only if one is given. Phases of an append: before, torn (half of it is
 *                   written), written (not synced yet), synced. Of a batch: before, synced (the kernel has taken it).
 *                   No file: points are neither counted nor noted
 *   DIE_AT_LOG      a line for each point that was counted: "journal KIND ..." as in the record, or "nft"
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

/* Declared here: unistd.h's would be the fortified ones. */
EXPORTED ssize_t write(int fd, const void *data, size_t length);
EXPORTED int fdatasync(int fd);
EXPORTED ssize_t sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t size);

enum phase { PHASE_NONE, PHASE_BEFORE, PHASE_TORN, PHASE_WRITTEN, PHASE_SYNCED };

static const char *const phase_names[] = {"none", "before", "torn", "written", "synced"};

static struct {
    ino_t inode; /* of the control file that `count` belongs to */
    unsigned long count, target;
    enum phase phase;  /* of the target */
    char only[16];     /* this kind of point; "" = all */
    bool sync_pending; /* the append that was written is the target, and dies behind its sync */
} state;

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static ssize_t real_write(int fd, const void *data, size_t length)
{
    static ssize_t (*function)(int, const void *, size_t);
    if (!function)
        *(void **)&function = real("write");
    return function(fd, data, length);
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static bool is_journal(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return false;
    path[length] = '\0';
    const char *name = strrchr(path, '/');
    return name && strcmp(name, "/journal") == 0;
}

static bool is_batch(int fd, const void *data, size_t length)
{
    struct nlmsghdr header;
    int protocol = -1;
    socklen_t size = sizeof protocol;
    if (length < sizeof header || getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) < 0 ||
        protocol != NETLINK_NETFILTER)
        return false;
    memcpy(&header, data, sizeof header);
    return header.nlmsg_type == NFNL_MSG_BATCH_BEGIN;
}

static bool read_control(void)
{
    const char *path = getenv("DIE_AT_CONTROL");
    char text[64], phase[16] = "";
    struct stat status;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    ssize_t length = read(fd, text, sizeof text - 1);
    bool known = length > 0 && fstat(fd, &status) == 0;
    close(fd);
    if (!known)
        return false;
    text[length] = '\0';
    state.only[0] = '\0';
    if (sscanf(text, "%lu %15s %15s", &state.target, phase, state.only) < 2)
        return false;
    for (unsigned i = 0; i < sizeof phase_names / sizeof *phase_names; i++) {
        if (strcmp(phase, phase_names[i]) == 0)
            state.phase = (enum phase)i;
    }
    if (status.st_ino != state.inode)
        state.count = 0;
    state.inode = status.st_ino;
    return true;
}

/* Counts one more point and notes it; where it is the target, the phase to die in. */
static enum phase reach(const char *what, const char *details, size_t length)
{
    char line[256];
    if (!read_control() || strncmp(what, state.only, strlen(state.only)) != 0)
        return PHASE_NONE;
    state.count++;
    const char *path = getenv("DIE_AT_LOG");
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) {
        int used = snprintf(line, sizeof line, "%s%.*s\n", what, (int)(length < 160 ? length : 160), details);
        if (real_write(fd, line, (size_t)used) < 0)
            abort();
        close(fd);
    }
    return state.count == state.target ? state.phase : PHASE_NONE;
}

/* "CRC SEQUENCE TIME KIND ...\n": without the first three words. */
static const char *kind_of(const char *record, size_t length)
{
    const char *word = record, *end = record + length;
    for (int i = 0; i < 3 && word < end; i++) {
        while (word < end && *word != ' ')
            word++;
        word += word < end;
    }
    return word;
}

ssize_t write(int fd, const void *data, size_t length)
{
    if (!is_journal(fd))
        return real_write(fd, data, length);
    const char *kind = kind_of(data, length);
    enum phase phase = reach("journal ", kind, (size_t)((const char *)data + length - kind - 1));
    if (phase == PHASE_BEFORE)
        die();
    ssize_t written = real_write(fd, data, phase == PHASE_TORN ? length / 2 : length);
    if (phase == PHASE_TORN || phase == PHASE_WRITTEN)
        die();
    state.sync_pending = phase == PHASE_SYNCED;
    return written;
}

int fdatasync(int fd)
{
    int (*function)(int);
    *(void **)&function = real("fdatasync");
    int result = function(fd);
    if (state.sync_pending && is_journal(fd))
        die();
    return result;
}

ssize_t sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t size)
{
    ssize_t (*function)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    *(void **)&function = real("sendto");
    if (!is_batch(fd, data, length))
        return function(fd, data, length, flags, to, size);
    enum phase phase = reach("nft", "", 0);
    if (phase == PHASE_BEFORE)
        die();
    ssize_t sent = function(fd, data, length, flags, to, size);
    if (phase != PHASE_NONE)
        die();
    return sent;
}
