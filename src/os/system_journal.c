/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries with fields for the system's journal. */
#include "os/system_journal.h"

#include "base/cleanup.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

void system_journal_field(struct text *entry, const char *name, const char *value)
{
    uint64_t length = htole64(strlen(value));
    text_add(entry, name);
    if (!strchr(value, '\n')) {
        text_addf(entry, "=%s\n", value);
        return;
    }
    text_add(entry, "\n");
    text_add_bytes(entry, &length, sizeof length);
    text_addf(entry, "%s\n", value);
}

static bool send_bytes(int fd, const void *bytes, size_t length)
{
    static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SYSTEM_JOURNAL_SOCKET};
    ssize_t sent;
    do
        sent =
            sendto(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address, sizeof address);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)length;
}

static bool nobody_there(int error)
{
    return error == ENOENT || error == ECONNREFUSED;
}

bool system_journal_send(struct system_journal *journal, const struct text *entry)
{
    CLEANUP_TEXT struct text whole = {0};
    if (journal->fd < 0)
        journal->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    text_add_bytes(&whole, entry->data, entry->length);
    if (journal->missed)
        text_addf(&whole, "BLUEGREEN_MISSED=%u\n", journal->missed);
    errno = 0;
    if (!entry->failed && !whole.failed && journal->fd >= 0 && send_bytes(journal->fd, whole.data, whole.length)) {
        journal->missed = 0;
        return true;
    }
    journal->missed += !nobody_there(errno);
    return false;
}

void system_journal_close(struct system_journal *journal)
{
    close_fd(&journal->fd);
}
