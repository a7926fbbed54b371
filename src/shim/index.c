/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index of a log: when what was written, without touching the app's bytes. It is bounded: a full one is thinned out
 * by joining marks that are near to each other in time, which makes it less exact and never wrong.
 */
#include "shim/logfile.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 256 }; /* marks that are read at a time */

static off_t place_of(uint32_t mark)
{
    return (off_t)(sizeof(struct log_head) + (uint64_t)mark * sizeof(struct log_mark));
}

static bool write_head(const struct log_index *index)
{
    struct log_head head = {.span_ms = index->span_ms, .inode = index->inode};
    memcpy(head.magic, LOG_INDEX_MAGIC, sizeof head.magic);
    return pwrite(index->file, &head, sizeof head, 0) == (ssize_t)sizeof head;
}

void log_index_close(struct log_index *index)
{
    close_fd(&index->file);
}

/* Goes on with one that belongs to this log. What a crash left half is cut off. */
static bool go_on(struct log_index *index, uint64_t log_size)
{
    struct log_head head;
    struct log_mark last = {0};
    struct stat status;
    if (pread(index->file, &head, sizeof head, 0) != (ssize_t)sizeof head || fstat(index->file, &status) < 0 ||
        memcmp(head.magic, LOG_INDEX_MAGIC, sizeof head.magic) != 0 || head.inode != index->inode ||
        head.span_ms < LOG_INDEX_STEP_MS)
        return false;
    uint64_t count = ((uint64_t)status.st_size - sizeof head) / sizeof last;
    if (count > LOG_INDEX_MARKS)
        return false;
    index->count = (uint32_t)count;
    index->span_ms = head.span_ms;
    index->step_ms = (head.span_ms + LOG_INDEX_STEP_MS) / 2; /* as thin_out has it */
    if (count > 0 && pread(index->file, &last, sizeof last, place_of(index->count - 1)) != (ssize_t)sizeof last)
        return false;
    index->last_ms = last.unix_ms;
    return last.offset <= log_size;
}

static bool begin(struct log_index *index)
{
    index->count = 0;
    index->last_ms = 0;
    index->step_ms = index->span_ms = LOG_INDEX_STEP_MS;
    return ftruncate(index->file, 0) == 0 && write_head(index);
}

void log_index_open(struct log_index *index, int directory, const char *name, int log, uint64_t size)
{
    struct stat status;
    *index = (struct log_index){.file = -1};
    if (fstat(log, &status) < 0)
        return;
    index->inode = status.st_ino;
    index->file = openat(directory, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0640);
    if (index->file >= 0 && !go_on(index, size) && !begin(index))
        log_index_close(index);
}

/* --- thinning out --------------------------------------------------------------------------------- */

/* Writes the marks that are at least a step apart over all of them; how many, or -1. */
static int64_t join_marks(const struct log_index *index)
{
    struct log_mark marks[PIECE], kept = {0};
    uint32_t from = 0, to = 0;
    while (from < index->count) {
        uint32_t wanted = index->count - from < PIECE ? index->count - from : PIECE;
        ssize_t length = (ssize_t)(wanted * sizeof *marks);
        if (pread(index->file, marks, (size_t)length, place_of(from)) != length)
            return -1;
        uint32_t left = 0;
        for (uint32_t i = 0; i < wanted; i++) {
            bool near = marks[i].unix_ms >= kept.unix_ms && marks[i].unix_ms - kept.unix_ms < index->step_ms;
            if (near && from + i > 0)
                continue;
            kept = marks[i];
            marks[left++] = kept;
        }
        length = (ssize_t)(left * sizeof *marks);
        if (pwrite(index->file, marks, (size_t)length, place_of(to)) != length)
            return -1;
        from += wanted;
        to += left;
    }
    return to;
}

/* With twice the step, what follows a mark may have come a step later than before: the spans add up. */
static bool thin_out(struct log_index *index)
{
    while (index->count > LOG_INDEX_MARKS / 4 * 3) {
        index->step_ms *= 2;
        index->span_ms += index->step_ms;
        int64_t left = join_marks(index);
        if (left < 0)
            return false;
        index->count = (uint32_t)left;
    }
    return ftruncate(index->file, place_of(index->count)) == 0 && write_head(index);
}

void log_index_mark(struct log_index *index, uint64_t unix_ms, uint64_t offset)
{
    bool due = index->count == 0 || unix_ms < index->last_ms || unix_ms - index->last_ms >= index->step_ms;
    if (index->file < 0 || !due)
        return;
    if (index->count >= LOG_INDEX_MARKS && !thin_out(index)) {
        if (!begin(index))
            log_index_close(index);
        return;
    }
    struct log_mark mark = {.unix_ms = unix_ms, .offset = offset};
    if (pwrite(index->file, &mark, sizeof mark, place_of(index->count)) != (ssize_t)sizeof mark)
        return;
    index->count++;
    index->last_ms = unix_ms;
}
