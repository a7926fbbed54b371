/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One file of the feed's journal: its name, its head, and entries that are written as a whole or cut off again. */
#include "feed/wal_segment.h"

#include "base/cleanup.h"
#include "os/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/uio.h>

enum { NUMBER_DIGITS = 10, PIECE = 65536, VERSION = 1 };

static const char magic[8] = "bgfeed\r\n"; /* what a text mode would change is noticed */

/* --- names -------------------------------------------------------------------------------------------------------- */

void wal_segment_name(uint64_t number, char name[WAL_NAME_SIZE])
{
    snprintf(name, WAL_NAME_SIZE, "%010" PRIu64 ".wal", number % 10000000000u);
}

bool wal_segment_named(const char *name, uint64_t *number)
{
    char digits[NUMBER_DIGITS + 1];
    if (strlen(name) != NUMBER_DIGITS + 4 || strcmp(name + NUMBER_DIGITS, ".wal") != 0)
        return false;
    memcpy(digits, name, NUMBER_DIGITS);
    digits[NUMBER_DIGITS] = '\0';
    return text_to_u64(digits, UINT64_MAX, number) && *number > 0;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static int add_number(uint64_t **numbers, size_t *count, uint64_t number)
{
    if ((*count & (*count + 1)) == 0) { /* room for 1, 3, 7, ... and one more */
        uint64_t *grown = reallocarray(*numbers, (*count + 1) * 2, sizeof **numbers);
        if (!grown)
            return -ENOMEM;
        *numbers = grown;
    }
    (*numbers)[(*count)++] = number;
    return 0;
}

int wal_segment_list(int directory, uint64_t **numbers, size_t *count, struct error *err)
{
    CLEANUP_FD int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_DIR DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    if (!listing)
        return error_errno(err, errno, "open the directory of the feed's journal");
    steal_fd(&fd);
    *numbers = NULL;
    *count = 0;
    uint64_t number;
    int result = 0;
    for (const struct dirent *entry; result == 0 && (entry = readdir(listing)) != NULL;)
        result = wal_segment_named(entry->d_name, &number) ? add_number(numbers, count, number) : 0;
    if (result < 0) {
        free(*numbers);
        *numbers = NULL;
        return error_errno(err, -result, "list the feed's journal");
    }
    if (*count > 0)
        qsort(*numbers, *count, sizeof **numbers, compare);
    return 0;
}

/* --- the head of a file ------------------------------------------------------------------------------------------- */

static void encode_head(const struct wal_segment *segment, struct text *head)
{
    text_add_bytes(head, magic, sizeof magic);
    wal_put(head, VERSION, 4);
    wal_put(head, segment->number, 8);
    wal_put(head, segment->at, 8);
    wal_put(head, head->failed ? 0 : crc32c(head->data, head->length), 4);
}

static bool decode_head(const uint8_t bytes[WAL_HEAD_SIZE], struct wal_segment *segment)
{
    struct wal_bytes from = {bytes + sizeof magic, WAL_HEAD_SIZE - sizeof magic, false};
    uint64_t version = wal_take(&from, 4);
    uint64_t number = wal_take(&from, 8);
    segment->at = wal_take(&from, 8);
    return wal_take(&from, 4) == crc32c(bytes, WAL_HEAD_SIZE - 4) && memcmp(bytes, magic, sizeof magic) == 0 &&
           version == VERSION && number == segment->number && segment->at < UINT64_MAX / 2;
}

static int open_file(int directory, int flags, struct wal_segment *segment, struct error *err)
{
    char name[WAL_NAME_SIZE];
    struct stat status;
    wal_segment_name(segment->number, name);
    segment->fd = openat(directory, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (segment->fd < 0)
        return error_errno(err, errno, "open %s of the feed's journal", name);
    if (fstat(segment->fd, &status) == 0 && S_ISREG(status.st_mode)) {
        segment->size = (uint64_t)status.st_size;
        return 0;
    }
    close_fd(&segment->fd);
    return error_set(err, EBADMSG, "%s of the feed's journal is not a regular file", name);
}

int wal_segment_open(int directory, uint64_t number, bool write, struct wal_segment *segment, struct error *err)
{
    uint8_t bytes[WAL_HEAD_SIZE];
    *segment = (struct wal_segment){.fd = -1, .number = number};
    int result = open_file(directory, write ? O_RDWR : O_RDONLY, segment, err);
    if (result < 0)
        return result;
    ssize_t got = pread(segment->fd, bytes, sizeof bytes, 0);
    if (got < 0) {
        result = error_errno(err, errno, "read %010" PRIu64 ".wal", number);
        close_fd(&segment->fd);
        return result;
    }
    if (got == WAL_HEAD_SIZE && decode_head(bytes, segment))
        return 0;
    segment->at = WAL_UNKNOWN;
    return error_set(err, EBADMSG, "%010" PRIu64 ".wal of the feed's journal is damaged at offset 0", number);
}

static int write_parts(int fd, struct iovec *parts, int count, uint64_t offset)
{
    for (;;) {
        for (; count > 0 && parts->iov_len == 0; count--)
            parts++;
        if (count == 0)
            return 0;
        ssize_t written = pwritev(fd, parts, count, (off_t)offset);
        if (written == 0 || (written < 0 && errno != EINTR))
            return written == 0 ? -ENOSPC : -errno;
        for (size_t left = written < 0 ? 0 : (size_t)written; left > 0;) {
            size_t step = left < parts->iov_len ? left : parts->iov_len;
            if (step > 0) {
                parts->iov_base = (char *)parts->iov_base + step;
                parts->iov_len -= step;
            }
            offset += step;
            left -= step;
            if (left > 0) {
                parts++;
                count--;
            }
        }
    }
}

int wal_segment_make(int directory, uint64_t number, uint64_t at, struct wal_segment *segment, struct error *err)
{
    CLEANUP_TEXT struct text head = {0};
    char name[WAL_NAME_SIZE];
    wal_segment_name(number, name);
    *segment = (struct wal_segment){.fd = -1, .number = number, .at = at};
    if (unlinkat(directory, name, 0) < 0 && errno != ENOENT)
        return error_errno(err, errno, "remove %s, what is left of an attempt", name);
    int result = open_file(directory, O_RDWR | O_CREAT | O_EXCL, segment, err);
    if (result < 0)
        return result;
    encode_head(segment, &head);
    struct iovec part = {head.data, head.length};
    result = head.failed ? -ENOMEM : write_parts(segment->fd, &part, 1, 0);
    if (result < 0) {
        error_errno(err, -result, "write %s of the feed's journal", name);
        unlinkat(directory, name, 0);
        close_fd(&segment->fd);
        return result;
    }
    segment->size = WAL_HEAD_SIZE;
    return 0;
}

void wal_segment_close(struct wal_segment *segment)
{
    close_fd(&segment->fd);
}

/* --- appending ---------------------------------------------------------------------------------------------------- */

uint64_t wal_chunk_size(const struct wal_chunk *chunk)
{
    return WAL_FRAME_SIZE + WAL_TAIL_SIZE + chunk->payload_length + chunk->head_length + chunk->body_length;
}

/* From another file, which must not have become shorter. */
static int copy_body(int fd, const struct wal_chunk *chunk, uint64_t offset, uint32_t *crc)
{
    CLEANUP_FREE char *piece = malloc(PIECE);
    if (!piece)
        return -ENOMEM;
    for (uint64_t done = 0; done < chunk->body_length;) {
        uint64_t left = chunk->body_length - done;
        ssize_t got =
            pread(chunk->body_fd, piece, left < PIECE ? (size_t)left : PIECE, (off_t)(chunk->body_offset + done));
        if (got <= 0)
            return got < 0 ? -errno : -ENODATA;
        *crc = crc32c_add(*crc, piece, (size_t)got);
        struct iovec part = {piece, (size_t)got};
        int result = write_parts(fd, &part, 1, offset + done);
        if (result < 0)
            return result;
        done += (uint64_t)got;
    }
    return 0;
}

static int write_chunk(const struct wal_segment *segment, const struct wal_chunk *chunk)
{
    uint8_t bytes[WAL_FRAME_SIZE], tail[WAL_TAIL_SIZE];
    struct wal_frame frame = {.kind = chunk->kind, .at = segment->at + segment->size, .safe = chunk->safe};
    frame.length = (uint32_t)(wal_chunk_size(chunk) - WAL_FRAME_SIZE - WAL_TAIL_SIZE);
    wal_frame_encode(&frame, bytes);
    bool from_file = !chunk->body && chunk->body_length > 0;
    size_t body_length = chunk->body ? (size_t)chunk->body_length : 0;
    uint32_t crc = crc32c(bytes, sizeof bytes);
    crc = crc32c_add(crc, chunk->payload, chunk->payload_length);
    crc = crc32c_add(crc, chunk->head, chunk->head_length);
    crc = crc32c_add(crc, chunk->body, body_length);
    struct iovec parts[] = {{bytes, sizeof bytes},
                            {(void *)(uintptr_t)chunk->payload, chunk->payload_length},
                            {(void *)(uintptr_t)chunk->head, chunk->head_length},
                            {(void *)(uintptr_t)chunk->body, body_length},
                            {tail, sizeof tail}};
    uint64_t tail_at = segment->size + wal_chunk_size(chunk) - sizeof tail;
    if (from_file) {
        int result = write_parts(segment->fd, parts, 3, segment->size);
        if (result == 0)
            result = copy_body(segment->fd, chunk, tail_at - chunk->body_length, &crc);
        if (result < 0)
            return result;
    }
    crc = htole32(crc);
    memcpy(tail, &crc, sizeof tail);
    return from_file ? write_parts(segment->fd, &parts[4], 1, tail_at)
                     : write_parts(segment->fd, parts, 5, segment->size);
}

int wal_segment_cut(struct wal_segment *segment, uint64_t size, struct error *err)
{
    segment->torn = true;
    if (ftruncate(segment->fd, (off_t)size) < 0)
        return error_errno(err, errno, "cut %010" PRIu64 ".wal back to its last whole entry", segment->number);
    segment->size = size;
    segment->torn = false;
    return 0;
}

int wal_segment_renew(const struct wal_segment *segment, uint64_t offset, struct error *err)
{
    struct wal_chunk rest = {.body_fd = segment->fd, .body_offset = offset, .body_length = segment->size - offset};
    uint32_t crc = 0;
    int result = copy_body(segment->fd, &rest, offset, &crc);
    if (result == 0 && fdatasync(segment->fd) < 0)
        result = -errno;
    return result == 0 ? 0
                       : error_errno(err, -result, "write %010" PRIu64 ".wal of the feed's journal to the disk",
                                     segment->number);
}

int wal_segment_append(struct wal_segment *segment, const struct wal_chunk *chunk, struct error *err)
{
    int result = segment->torn ? wal_segment_cut(segment, segment->size, err) : 0;
    if (result < 0)
        return result;
    result = write_chunk(segment, chunk);
    if (result == 0) {
        segment->size += wal_chunk_size(chunk);
        return 0;
    }
    error_errno(err, -result, "write %010" PRIu64 ".wal of the feed's journal", segment->number);
    wal_segment_cut(segment, segment->size, NULL); /* if this fails too, the next write tries again */
    return result;
}
