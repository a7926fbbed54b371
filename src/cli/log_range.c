/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding a place in a log. */
#include "cli/log_range.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, INDEX_BYTES_MAX = 2 << 20 };

/* --- opening ----------------------------------------------------------------------------------------------- */

/* Reads an index if it belongs to this file. False when memory ran out. */
static bool read_index(struct log_file *file, int fd)
{
    struct bluegreen_log_head head;
    struct stat status;
    if (fd < 0 || file->fd < 0 || file->marks || pread(fd, &head, sizeof head, 0) != (ssize_t)sizeof head ||
        memcmp(head.magic, "BGINDEX1", sizeof head.magic) != 0 || head.inode != file->inode || fstat(fd, &status) < 0 ||
        status.st_size > INDEX_BYTES_MAX)
        return true;
    size_t count = ((size_t)status.st_size - sizeof head) / sizeof *file->marks;
    file->marks = calloc(count + 1, sizeof *file->marks);
    if (!file->marks)
        return false;
    ssize_t got = pread(fd, file->marks, count * sizeof *file->marks, sizeof head);
    file->count = got > 0 ? (size_t)got / sizeof *file->marks : 0;
    file->span_ms = head.span_ms;
    return true;
}

static void open_file(struct log_file *file, int fd)
{
    struct stat status;
    *file = (struct log_file){.fd = -1};
    if (fd < 0 || fstat(fd, &status) < 0)
        return;
    *file = (struct log_file){.fd = fd, .inode = status.st_ino, .size = (uint64_t)status.st_size};
}

bool log_range_open(struct log_range *range, const struct bluegreen_logs *logs)
{
    *range = (struct log_range){0};
    open_file(&range->files[LOG_OLD], logs->old_log);
    open_file(&range->files[LOG_NOW], logs->log);
    bool opened = true;
    for (int i = 0; i < 2; i++)
        opened = opened && read_index(&range->files[i], logs->old_index) && read_index(&range->files[i], logs->index);
    return opened;
}

void log_range_close(struct log_range *range)
{
    free(range->files[LOG_OLD].marks);
    free(range->files[LOG_NOW].marks);
}

/* The first mark behind offset: its number, or how many there are. */
static size_t mark_behind(const struct log_file *file, uint64_t offset)
{
    size_t first = 0, end = file->count;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (file->marks[middle].offset <= offset)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

uint64_t log_time_at(const struct log_file *file, uint64_t offset, uint64_t *until)
{
    size_t behind = mark_behind(file, offset);
    *until = behind < file->count ? file->marks[behind].offset : UINT64_MAX;
    return behind > 0 ? file->marks[behind - 1].unix_ms : 0;
}

/* --- since --------------------------------------------------------------------------------------------------- */

/* The first begin of a line at or behind offset. */
static uint64_t next_line(const struct log_file *file, uint64_t offset)
{
    char piece[4096];
    if (offset == 0)
        return 0;
    for (uint64_t at = offset - 1; at < file->size;) {
        ssize_t got = pread(file->fd, piece, sizeof piece, (off_t)at);
        if (got <= 0)
            break;
        const char *end = memchr(piece, '\n', (size_t)got);
        if (end)
            return at + (uint64_t)(end - piece) + 1;
        at += (uint64_t)got;
    }
    return file->size;
}

static uint64_t find_since(const struct log_file *file, uint64_t unix_ms)
{
    for (size_t i = 0; i < file->count; i++) {
        if (file->marks[i].unix_ms + file->span_ms >= unix_ms)
            return file->marks[i].offset < file->size ? next_line(file, file->marks[i].offset) : file->size;
    }
    return file->size;
}

void log_range_since(struct log_range *range, uint64_t unix_ms)
{
    for (int i = 0; i < 2; i++) {
        const struct log_file *file = &range->files[i];
        bool unknown = file->fd >= 0 && file->size > 0 && file->count == 0;
        range->times_unknown |= unknown;
        if (!unknown)
            range->from[i] = find_since(file, unix_ms);
    }
}

/* --- the last lines ------------------------------------------------------------------------------------------ */

/* Goes back to where the lines-th line from the end begins, not beyond from. What it passes is taken off *lines. */
static uint64_t go_back(const struct log_file *file, uint64_t from, uint64_t *lines, bool at_end)
{
    char piece[PIECE];
    for (uint64_t at = file->size; at > from;) {
        uint64_t length = at - from < PIECE ? at - from : PIECE;
        if (pread(file->fd, piece, (size_t)length, (off_t)(at - length)) != (ssize_t)length)
            return from;
        for (uint64_t i = length; i > 0; i--) {
            bool last_byte = at_end && at == file->size && i == length;
            if (piece[i - 1] != '\n' || last_byte)
                continue;
            if (--*lines == 0)
                return at - length + i;
        }
        at -= length;
    }
    return from;
}

void log_range_last(struct log_range *range, uint64_t lines)
{
    bool at_end = true; /* the newline that ends the last line begins none */
    for (int i = LOG_NOW; i >= LOG_OLD; i--) {
        const struct log_file *file = &range->files[i];
        if (file->fd < 0 || file->size == 0)
            continue;
        range->from[i] = lines == 0 ? file->size : go_back(file, range->from[i], &lines, at_end);
        at_end = false;
    }
}
