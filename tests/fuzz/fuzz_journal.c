/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the journal's file, opened as the agent does. The first byte says how its lines are written: as they
 * stand, or behind the check sum (and with the sequence number) that they should have; the second how much is torn off
 * its end. It opens, or says in which line it is damaged; what has opened goes on, is compacted, and opens again as
 * what it was. A torn end costs what was torn, and nothing before.
 */
#include "journal/journal.h"

#include "base/cleanup.h"
#include "fuzz.h"
#include "journal/compact.h"
#include "journal/history.h"
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUMMED = 1, PLACED = 2, FILTERED = 4, HOOKS_TOO = 8 };

static char directory[] = "/dev/shm/bluegreen-fuzz-journal-XXXXXX";
static char path[sizeof directory + sizeof "/journal"];

/* It would be most of the time, and nothing is read that it changes. */
int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

int fsync(int fd)
{
    (void)fd;
    return 0;
}

static void remove_directory(void)
{
    unlink(path);
    rmdir(directory);
}

static void begin(void)
{
    if (path[0])
        return;
    log_set_level((enum log_level)0);
    require(mkdtemp(directory) != NULL && atexit(remove_directory) == 0);
    text_copy(path, sizeof path, directory);
    memcpy(path + sizeof directory - 1, "/journal", sizeof "/journal");
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

/* With this number instead of the one that the line begins with. */
static void add_line(const char *line, size_t length, uint8_t flags, uint64_t number, struct text *file)
{
    CLEANUP_TEXT struct text body = {0};
    if (flags & PLACED) {
        size_t digits = 0;
        while (digits < length && line[digits] >= '0' && line[digits] <= '9')
            digits++;
        text_addf(&body, "%" PRIu64, number);
        text_add_bytes(&body, line + digits, length - digits);
    } else {
        text_add_bytes(&body, line, length);
    }
    if (flags & SUMMED)
        text_addf(file, "%08" PRIx32 " ", crc32c(body.data ? body.data : "", body.length));
    text_add_bytes(file, body.data ? body.data : "", body.length);
    text_add(file, "\n");
}

static void make_file(const uint8_t *data, size_t size, uint8_t flags, struct text *file)
{
    const char *at = (const char *)data, *end = at + size;
    for (uint64_t number = 1; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        add_line(at, (size_t)(stop - at), flags, number, file);
        at = newline ? newline + 1 : end;
    }
    require(!file->failed);
}

static void write_file(const char *content, size_t length)
{
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0 && write(fd, length ? content : "", length) == (ssize_t)length);
}

/* --- what is read of it ------------------------------------------------------------------------------------------- */

static int add_record(void *context, struct record *record)
{
    record->sequence = 1;
    record->unix_ms = 0; /* a compaction gives one to what has none */
    record_format(record, context);
    return 0;
}

static void describe(const struct fold *fold, struct text *text)
{
    require(fold_snapshot(fold, add_record, text) == 0 && !text->failed);
}

static void require_same(const struct fold *fold, const struct text *expected)
{
    CLEANUP_TEXT struct text now = {0};
    describe(fold, &now);
    require(now.length == expected->length && (now.length == 0 || memcmp(now.data, expected->data, now.length) == 0));
}

static int count_record(void *context, const struct record *record, struct error *err)
{
    (void)err;
    require(record->sequence > 0 && record->kind < RECORD_KINDS);
    ++*(size_t *)context;
    return 0;
}

static void read_history(struct journal *journal, uint8_t flags)
{
    struct history_filter filter = {.verb = HISTORY_ANY_VERB, .limit = 5, .hooks = flags & HOOKS_TOO};
    size_t all = 0, filtered = 0;
    require(journal_history(journal, &filter, count_record, &all, NULL) == 0);
    if (flags & FILTERED)
        filter = (struct history_filter){
            .app = "web", .release = "v1", .verb = HISTORY_SERVED, .until_unix_ms = 1u << 30, .limit = 5};
    else
        filter.failed = true;
    require(journal_history(journal, &filter, count_record, &filtered, NULL) == 0);
}

static int refold(void *context, const struct record *record, struct error *err)
{
    return fold_add(context, record, err);
}

/* What a compaction writes is a journal of the same state. */
static void check_compacted(const struct fold *fold, size_t length, const struct text *expected)
{
    struct compacted compacted = {0};
    struct fold again = {0};
    size_t good;
    unsigned line;
    require(compact_records(path, length, fold, &compacted, NULL) == 0);
    require(records_visit(compacted.text.data, compacted.text.length, refold, &again, &good, &line, NULL) == 0);
    require(good == compacted.text.length && again.last_sequence == compacted.last_sequence);
    require_same(&again, expected);
    fold_clear(&again);
    text_clear(&compacted.text);
}

static void use(struct journal *journal, uint8_t flags, const struct text *expected)
{
    struct record record;
    struct fold again = {0};
    record_init(&record, RECORD_INCIDENT, "web");
    record.zone = BLUE;
    record.incident = INCIDENT_CRASHES;
    require(journal_append(journal, &record, NULL) == 0);
    read_history(journal, flags);
    require_same(journal_fold(journal), expected);
    uint64_t last = journal_fold(journal)->last_sequence;
    journal_close(journal);
    require(journal_open(directory, &journal, &again, NULL) == 0 && again.last_sequence == last);
    require_same(&again, expected);
    check_compacted(&again, SIZE_MAX, expected);
    fold_clear(&again);
    journal_close(journal);
}

/* How many bytes are whole records that follow each other, and what they come to. */
static int fold_prefix(const struct text *file, size_t length, size_t *good, struct fold *fold)
{
    unsigned line;
    return records_visit(file->data ? file->data : "", length, refold, fold, good, &line, NULL);
}

/* Nothing but what one write may have left. */
static bool is_last_line(const char *rest, size_t length)
{
    size_t newlines = 0;
    for (size_t i = 0; i < length; i++)
        newlines += rest[i] == '\n';
    return length < RECORD_LINE_MAX && newlines <= 1 && (newlines == 0 || rest[length - 1] == '\n');
}

static void try_file(const struct text *file, size_t length, uint8_t flags)
{
    CLEANUP_TEXT struct text expected = {0};
    struct fold prefix = {0}, opened = {0};
    struct journal *journal;
    struct error err = {0};
    size_t good;
    int read = fold_prefix(file, length, &good, &prefix);
    bool torn = read == -EBADMSG && is_last_line(file->data + good, length - good);
    describe(&prefix, &expected);
    fold_clear(&prefix);
    int result = journal_open(directory, &journal, &opened, &err);
    require((result == 0) == (read == 0 || torn));
    require(result == 0 || (result == read && strstr(err.text, "line ") && strstr(err.text, "damaged")));
    if (result < 0)
        return;
    require_same(&opened, &expected);
    fold_clear(&opened);
    use(journal, flags, &expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_TEXT struct text file = {0};
    if (size < 2)
        return 0;
    begin();
    make_file(data + 2, size - 2, data[0], &file);
    size_t torn = data[1] < file.length ? data[1] : file.length;
    write_file(file.data, file.length - torn);
    try_file(&file, file.length - torn, data[0]);
    return 0;
}
