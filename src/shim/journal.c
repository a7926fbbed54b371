/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The app's output to journald's stream socket (systemd-journald.service(8)), as systemd does it for services: a few
 * header lines, then what the app says. The bytes are not copied: tee(2) puts them into a second pipe, splice(2) from
 * there into the socket. An app must not stand still because of its journal, so nothing here waits.
 */
#include "shim/logfile.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    RETRY_MS = 5000,       /* until a journald that was not there is tried again */
    HELD_MAX = 256 * 1024, /* of the pipe: what journald may be behind */
    SEND_MAX = 64 * 1024,  /* of one splice */
    PRIORITY_INFO = 6,     /* LOG_INFO of syslog(3) */
};

static const char missed_note[] = "\nbluegreen-zone: the journal did not keep up: output is missing here and stands in "
                                  "the log file\n";

void journal_open(struct journal *journal, const char *path, const char *identifier, int events)
{
    *journal = (struct journal){.path = path, .events = events, .socket = -1, .pipe_read = -1, .pipe_write = -1};
    snprintf(journal->identifier, sizeof journal->identifier, "%s", identifier);
}

static void watch(struct journal *journal, bool wanted)
{
    struct epoll_event event = {.events = EPOLLOUT, .data.fd = journal->socket};
    if (wanted == journal->waiting)
        return;
    /* Only while something is held: a broken connection would wake us without end otherwise. */
    if (epoll_ctl(journal->events, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, journal->socket, &event) == 0)
        journal->waiting = wanted;
}

/* What is held goes with the connection: a new one must not begin in the middle of a line. */
static void hang_up(struct journal *journal)
{
    if (journal->socket >= 0)
        watch(journal, false);
    close_fd(&journal->socket);
    close_fd(&journal->pipe_read);
    close_fd(&journal->pipe_write);
    journal->waiting = false;
}

void journal_close(struct journal *journal)
{
    hang_up(journal);
}

/* --- connecting ------------------------------------------------------------------------------------ */

/* Identifier, unit (journald finds it by itself), priority, whether lines may begin with "<3>" and the like as those
 * of services may, and three times that nothing is to be forwarded. */
static bool introduce(const struct journal *journal)
{
    char header[96];
    int length = snprintf(header, sizeof header, "%s\n\n%d\n1\n0\n0\n0\n", journal->identifier, PRIORITY_INFO);
    return send(journal->socket, header, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) == length;
}

static bool open_pipe(struct journal *journal)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return false;
    journal->pipe_read = ends[0];
    journal->pipe_write = ends[1];
    fcntl(journal->pipe_write, F_SETPIPE_SZ, HELD_MAX); /* if not, it holds less */
    return true;
}

static bool connected(struct journal *journal, uint64_t now_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (journal->socket >= 0)
        return true;
    if (now_ms < journal->retry_ms)
        return false;
    journal->retry_ms = now_ms + RETRY_MS;
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s", journal->path);
    if (length < 0 || (size_t)length >= sizeof address.sun_path)
        return false;
    journal->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (journal->socket >= 0 && connect(journal->socket, (struct sockaddr *)&address, sizeof address) == 0 &&
        shutdown(journal->socket, SHUT_RD) == 0 && introduce(journal) && open_pipe(journal))
        return true;
    hang_up(journal);
    return false;
}

/* --- sending --------------------------------------------------------------------------------------- */

static int held(int pipe)
{
    int bytes = 0;
    return ioctl(pipe, FIONREAD, &bytes) == 0 ? bytes : 0;
}

void journal_flush(struct journal *journal)
{
    if (journal->socket < 0)
        return;
    ssize_t sent;
    do
        sent = splice(journal->pipe_read, NULL, journal->socket, NULL, SEND_MAX, SPLICE_F_NONBLOCK);
    while (sent > 0 || (sent < 0 && errno == EINTR));
    if (sent < 0 && errno != EAGAIN)
        hang_up(journal);
    else
        watch(journal, held(journal->pipe_read) > 0);
}

/* Says that something is missing before what comes next. */
static bool caught_up(struct journal *journal)
{
    size_t length = sizeof missed_note - 1;
    if (journal->missed && write(journal->pipe_write, missed_note, length) == (ssize_t)length)
        journal->missed = false;
    return !journal->missed;
}

size_t journal_copy(struct journal *journal, int from, size_t most, uint64_t now_ms)
{
    if (!connected(journal, now_ms))
        return 0;
    journal_flush(journal);
    if (journal->socket < 0 || !caught_up(journal))
        return 0;
    ssize_t copied;
    do
        copied = tee(from, journal->pipe_write, most, SPLICE_F_NONBLOCK);
    while (copied < 0 && errno == EINTR);
    if (copied <= 0) {
        journal->missed = held(from) > 0;
        return 0;
    }
    journal_flush(journal);
    return (size_t)copied;
}

void journal_text(struct journal *journal, const char *text, uint64_t now_ms)
{
    size_t length = strlen(text);
    if (!connected(journal, now_ms) || !caught_up(journal))
        return;
    if (write(journal->pipe_write, text, length) != (ssize_t)length)
        journal->missed = true;
    journal_flush(journal);
}
