/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal on disk: appending, folding at start, cutting a torn tail, compacting. */
#include "journal/journal.h"

#include "base/cleanup.h"
#include "journal/compact.h"
#include "journal/history.h"
#include "journal/records.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/lock.h"
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct journal {
    char path[PATH_MAX];
    int directory;    /* holds the lock: the file itself is replaced by a compaction */
    int fd;           /* -1 after a compaction whose file could not be opened, until it can */
    off_t good_size;  /* bytes of whole records */
    bool torn;        /* more than good_size may be there: cut it before writing */
    off_t compact_at; /* size from which the next append compacts first */
    struct fold fold; /* of the good records */
    /* The last compaction, until its file could be opened: what holds if another file than this one stands there. */
    struct {
        ino_t inode; /* 0: there is nothing to find out */
        off_t size;
        uint64_t last_sequence;
    } compacted;
};

/* --- opening ---------------------------------------------------------------------------------- */

static int lock_directory(struct journal *journal, const char *state_dir, struct error *err)
{
    int result = directory_make(state_dir, 0700, err);
    if (result < 0)
        return result;
    journal->directory = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (journal->directory < 0)
        return error_errno(err, errno, "open %s", state_dir);
    result = lock_file(journal->directory);
    if (result == 0)
        return 0;
    if (result == -EWOULDBLOCK)
        return error_set(err, EBUSY, "%s is in use by another agent; stop it, or give this one another --state",
                         state_dir);
    return error_errno(err, -result, "lock %s", state_dir);
}

/* Opens the journal file. At the start one that is not there is made; later that would be a second beginning. */
static int open_file(struct journal *journal, bool create, struct error *err)
{
    static const int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int fd = openat(journal->directory, "journal", flags);
    if (fd < 0 && errno == ENOENT && create) {
        fd = openat(journal->directory, "journal", flags | O_CREAT | O_EXCL, 0600);
        if (fd >= 0 && (fsync(fd) < 0 || fsync(journal->directory) < 0)) {
            int failure = errno;
            close(fd);
            return error_errno(err, failure, "create %s", journal->path);
        }
    }
    if (fd < 0)
        return error_errno(err, errno, "open %s", journal->path);
    struct stat status;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return error_set(err, EINVAL, "%s is not a regular file; move it away", journal->path);
    }
    journal->fd = fd;
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int fold_record(void *context, const struct record *record, struct error *err)
{
    return fold_add(context, record, err);
}

static int cut_back(struct journal *journal, struct error *err)
{
    if (ftruncate(journal->fd, journal->good_size) < 0 || fsync(journal->fd) < 0)
        return error_errno(err, errno, "cut %s back to its last whole record", journal->path);
    journal->torn = false;
    return 0;
}

/* Folds the file, and cuts off what a torn write left at its end. */
static int fold_file(struct journal *journal, struct error *err)
{
    CLEANUP_FREE char *content = NULL;
    size_t length, good;
    unsigned line;
    int result = file_read(journal->path, JOURNAL_READ_MAX, &content, &length, err);
    if (result < 0)
        return result;
    result = records_visit(content, length, fold_record, &journal->fold, &good, &line, err);
    journal->good_size = (off_t)good;
    if (result == -EBADMSG && records_torn_tail(content + good, length - good)) {
        log_warning("%s: line %u is torn: the machine stopped while it was written; cutting it off", journal->path,
                    line);
        return cut_back(journal, err);
    }
    if (result < 0) {
        error_prefix(err, "%s: line %u", journal->path, line);
        error_suffix(err, "; the journal is damaged: restore it from a backup, or move it away and "
                          "deploy every app anew");
    }
    return result;
}

/* --- compacting ------------------------------------------------------------------------------- */

/* Opens whichever file a compaction has left: the write can fail before or after the rename. */
static int open_compacted(struct journal *journal, struct error *err)
{
    struct stat found;
    int result = open_file(journal, false, err);
    if (result == 0 && fstat(journal->fd, &found) < 0) {
        result = error_errno(err, errno, "stat %s", journal->path);
        close_fd(&journal->fd);
    }
    if (result == 0 && journal->compacted.inode && journal->compacted.inode != found.st_ino) {
        journal->good_size = journal->compacted.size;
        journal->torn = false;
        journal->fold.last_sequence = journal->compacted.last_sequence;
    }
    if (result == 0)
        journal->compacted.inode = 0;
    return result;
}

/* Puts the compacted text in the file's place and goes on with what then stands there. */
static int replace_file(struct journal *journal, const struct compacted *compacted, struct error *err)
{
    struct stat before;
    struct error again = {0};
    if (fstat(journal->fd, &before) < 0)
        return error_errno(err, errno, "stat %s", journal->path);
    journal->compacted.inode = before.st_ino;
    journal->compacted.size = (off_t)compacted->text.length;
    journal->compacted.last_sequence = compacted->last_sequence;
    int written = file_write_atomic(journal->path, 0600, compacted->text.data, compacted->text.length, err);
    close_fd(&journal->fd);
    int opened = open_compacted(journal, &again);
    if (opened < 0 && written == 0)
        return error_set(err, -opened, "%s", again.text);
    return opened < 0 ? error_suffix(err, "; and %s", again.text) : written;
}

/* Best effort: an old journal that is too large works as well as a new one. */
static void compact_if_large(struct journal *journal)
{
    if (journal->good_size < journal->compact_at)
        return;
    struct compacted compacted = {0};
    struct error err = {0};
    int result = compact_records(journal->path, (size_t)journal->good_size, &journal->fold, &compacted, &err);
    if (result == 0)
        result = replace_file(journal, &compacted, &err);
    if (result < 0)
        log_warning("compact the journal: %s; going on with the long one", err.text);
    /* Not again at once: neither where what must be kept is already large, nor where it failed. */
    off_t later = journal->good_size + JOURNAL_COMPACT_BYTES / 2;
    journal->compact_at = later > JOURNAL_COMPACT_BYTES ? later : JOURNAL_COMPACT_BYTES;
    text_clear(&compacted.text);
}

/* --- interface -------------------------------------------------------------------------------- */

static int open_journal(struct journal *journal, const char *state_dir, struct error *err)
{
    int length = snprintf(journal->path, sizeof journal->path, "%s/journal", state_dir);
    if (length < 0 || (size_t)length >= sizeof journal->path)
        return error_errno(err, ENAMETOOLONG, "open the journal in %s", state_dir);
    int result = lock_directory(journal, state_dir, err);
    if (result == 0)
        result = open_file(journal, true, err);
    if (result == 0)
        result = fold_file(journal, err);
    return result;
}

int journal_open(const char *state_dir, struct journal **journal, struct fold *fold, struct error *err)
{
    struct journal *opened = calloc(1, sizeof *opened);
    if (!opened)
        return error_errno(err, ENOMEM, "open the journal");
    opened->fd = opened->directory = -1;
    opened->compact_at = JOURNAL_COMPACT_BYTES;
    int result = open_journal(opened, state_dir, err);
    if (result == 0) {
        compact_if_large(opened);
        result = fold_copy(fold, &opened->fold);
        if (result < 0)
            error_errno(err, ENOMEM, "open the journal");
    }
    if (result < 0) {
        journal_close(opened);
        return result;
    }
    *journal = opened;
    return 0;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    close_fd(&journal->fd);
    close_fd(&journal->directory); /* and the lock with it */
    fold_clear(&journal->fold);
    free(journal);
}

static int write_line(struct journal *journal, const struct text *line, struct error *err)
{
    ssize_t written;
    journal->torn = true;
    do
        written = write(journal->fd, line->data, line->length);
    while (written < 0 && errno == EINTR);
    if (written < 0)
        return error_errno(err, errno, "write %s", journal->path);
    if ((size_t)written != line->length)
        return error_errno(err, ENOSPC, "write %s", journal->path);
    if (fdatasync(journal->fd) < 0)
        return error_errno(err, errno, "write %s to disk", journal->path);
    journal->torn = false;
    return 0;
}

/* What the next start would refuse to read must not get in. */
static int check_line(struct journal *journal, const struct record *record, const struct text *line, struct error *err)
{
    struct record back;
    int result = line->failed ? error_errno(err, ENOMEM, "format") : fold_check(&journal->fold, record, err);
    if (result == 0)
        result = record_parse(line->data, line->length - 1, &back, err);
    if (result < 0)
        error_prefix(err, "a record for %s", journal->path);
    return result;
}

static int append(struct journal *journal, const struct record *record, struct error *err)
{
    CLEANUP_TEXT struct text line = {0};
    record_format(record, &line);
    int result = check_line(journal, record, &line, err);
    if (result == 0)
        result = write_line(journal, &line, err);
    if (result == 0) {
        result = fold_add(&journal->fold, record, err);
        journal->torn = result < 0; /* no memory: as if it had not been written */
    }
    if (result == 0)
        journal->good_size += (off_t)line.length;
    else if (journal->torn)
        cut_back(journal, NULL); /* if this fails too, the next append tries again */
    return result;
}

int journal_append(struct journal *journal, struct record *record, struct error *err)
{
    int result = journal->fd < 0 ? open_compacted(journal, err) : 0;
    if (result == 0 && journal->torn)
        result = cut_back(journal, err);
    if (result < 0)
        return result;
    compact_if_large(journal);
    if (journal->fd < 0)
        return error_set(err, EIO, "%s cannot be opened again after compacting", journal->path);
    record->sequence = journal->fold.last_sequence + 1;
    record->unix_ms = clock_unix_ms();
    result = append(journal, record, err);
    if (result < 0)
        record->sequence = 0;
    return result;
}

const struct fold *journal_fold(const struct journal *journal)
{
    return &journal->fold;
}

int journal_history(struct journal *journal, const struct history_filter *filter, record_visitor *visit, void *context,
                    struct error *err)
{
    CLEANUP_FREE char *content = NULL;
    size_t length, good = (size_t)journal->good_size;
    int result = file_read(journal->path, JOURNAL_READ_MAX, &content, &length, err);
    if (result == 0) /* what is longer is of a write that failed */
        result = history_visit(content, length < good ? length : good, filter, visit, context, err);
    return result < 0 ? error_prefix(err, "%s", journal->path) : 0;
}
