/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal on disk: appending, reading again, torn tails, damage, compaction, a full disk. */
#include "journal/journal.h"

#include "base/cleanup.h"
#include "journal/records.h"
#include "os/files.h"
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[PATH_MAX], path[PATH_MAX + 16];
static struct journal *journal;
static struct fold fold;
static unsigned refuse_opens; /* of the journal that is there, the next ones */

/* In the C library's place, for the journal too. */
int openat(int at, const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (refuse_opens > 0 && strcmp(name, "journal") == 0) {
        refuse_opens--;
        errno = ENFILE;
        return -1;
    }
    return (int)syscall(SYS_openat, at, name, flags, mode);
}

static int setup(void **state)
{
    strcpy(directory, "/tmp/bluegreen-journal-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/journal", directory);
    journal = NULL;
    fold = (struct fold){0};
    refuse_opens = 0;
    return 0;
}

static int teardown(void **state)
{
    journal_close(journal);
    fold_clear(&fold);
    return directory_remove(directory, NULL);
}

static int try_open(struct error *err)
{
    fold_clear(&fold);
    return journal_open(directory, &journal, &fold, err);
}

static void open_again(void)
{
    struct error err = {0};
    journal_close(journal);
    journal = NULL;
    if (try_open(&err) != 0)
        fail_msg("%s", err.text);
}

static int append(enum record_kind kind, const char *app, int number)
{
    struct record record;
    record_init(&record, kind, app);
    record.index = (uint16_t)number;
    record.zone = kind == RECORD_ZONE ? BLUE : -1;
    record.verb = VERB_DEPLOY;
    record.to = BLUE;
    snprintf(record.reason, sizeof record.reason, "%d", number);
    return journal_append(journal, &record, NULL);
}

static size_t file_size(void)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return (size_t)status.st_size;
}

static void add_bytes(const char *bytes, size_t length)
{
    CLEANUP_FD int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, bytes, length), length);
}

static void test_append_and_read_again(void **state)
{
    struct record record;
    struct stat status;
    open_again();
    assert_int_equal(fold.count, 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    record_init(&record, RECORD_APP, "web");
    assert_int_equal(journal_append(journal, &record, NULL), 0);
    assert_int_equal(record.sequence, 1);
    assert_true(record.unix_ms > 1500000000000); /* 2017: the clock is a clock */
    assert_int_equal(append(RECORD_ZONE, "web", 5), 0);
    open_again();
    assert_int_equal(fold.count, 1);
    assert_int_equal(fold.last_sequence, 2);
    assert_string_equal(fold.apps[0].zones[BLUE].reason, "5");
    assert_int_equal(append(RECORD_ZONE, "web", 6), 0);
    open_again();
    assert_int_equal(fold.last_sequence, 3);
}

static void test_state_directory_is_made(void **state)
{
    struct stat status;
    char below[PATH_MAX + 16];
    snprintf(below, sizeof below, "%s/a/b", directory);
    assert_int_equal(journal_open(below, &journal, &fold, NULL), 0);
    assert_int_equal(stat(below, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
}

static void test_one_agent_at_a_time(void **state)
{
    struct journal *second = NULL;
    struct fold other = {0};
    struct error err = {0};
    open_again();
    assert_int_equal(journal_open(directory, &second, &other, &err), -EBUSY);
    assert_non_null(strstr(err.text, directory));
    assert_non_null(strstr(err.text, "another agent"));
    assert_null(second);
    journal_close(journal);
    journal = NULL;
    assert_int_equal(journal_open(directory, &second, &other, NULL), 0);
    journal_close(second);
    fold_clear(&other);
}

static void test_not_a_file(void **state)
{
    struct error err = {0};
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(try_open(&err), -EINVAL);
    assert_non_null(strstr(err.text, "not a regular file"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(try_open(&err), -ELOOP);
}

/* Every way in which the last write can have stopped half-way. */
static void test_torn_tail_is_cut_off(void **state)
{
    open_again();
    append(RECORD_APP, "web", 1);
    append(RECORD_ZONE, "web", 5);
    size_t good = file_size();
    append(RECORD_ZONE, "web", 6);
    CLEANUP_FREE char *content = NULL;
    size_t length;
    assert_int_equal(file_read(path, 1 << 20, &content, &length, NULL), 0);
    for (size_t torn = good; torn < length; torn++) {
        assert_int_equal(truncate(path, (off_t)good), 0);
        add_bytes(content + good, torn - good);
        open_again();
        assert_int_equal(fold.last_sequence, 2);
        assert_int_equal(file_size(), good);
        assert_int_equal(append(RECORD_ZONE, "web", 7), 0);
        open_again();
        assert_string_equal(fold.apps[0].zones[BLUE].reason, "7");
    }
}

/* The size reached the disk, the bytes did not. */
static void test_tail_of_zeros_is_cut_off(void **state)
{
    char zeros[100] = {0};
    open_again();
    append(RECORD_APP, "web", 1);
    size_t good = file_size();
    add_bytes(zeros, sizeof zeros);
    open_again();
    assert_int_equal(file_size(), good);
    zeros[99] = '\n';
    add_bytes(zeros, sizeof zeros);
    open_again();
    assert_int_equal(file_size(), good);
    assert_int_equal(fold.last_sequence, 1);
}

static void test_damage_is_refused(void **state)
{
    struct error err = {0};
    open_again();
    append(RECORD_APP, "web", 1);
    size_t first = file_size();
    append(RECORD_ZONE, "web", 2);
    append(RECORD_ZONE, "web", 3);
    size_t whole = file_size();
    CLEANUP_FD int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "!", 1, (off_t)first + 20), 1);
    journal_close(journal);
    journal = NULL;
    assert_int_equal(try_open(&err), -EBADMSG);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "line 2"));
    assert_non_null(strstr(err.text, "damaged"));
    assert_int_equal(file_size(), whole); /* and left as it is */
}

static void test_long_junk_is_damage(void **state)
{
    struct error err = {0};
    char junk[RECORD_LINE_MAX];
    memset(junk, 'x', sizeof junk);
    open_again();
    append(RECORD_APP, "web", 1);
    journal_close(journal);
    journal = NULL;
    add_bytes(junk, sizeof junk);
    assert_int_equal(try_open(&err), -EBADMSG);
    assert_non_null(strstr(err.text, "line 2"));
}

/* A last line whose check sum is right was written whole, so it is no torn tail, whatever it says. */
static void test_strange_last_line_is_refused(void **state)
{
    struct error err = {0};
    CLEANUP_TEXT struct text line = {0};
    const char *body = "2 1 future app=web";
    open_again();
    append(RECORD_APP, "web", 1);
    journal_close(journal);
    journal = NULL;
    text_addf(&line, "%08x %s\n", crc32c(body, strlen(body)), body);
    add_bytes(line.data, line.length);
    assert_int_equal(try_open(&err), -EPROTO);
    assert_non_null(strstr(err.text, "newer version"));
}

static void test_a_lost_line_is_refused(void **state)
{
    struct error err = {0};
    open_again();
    append(RECORD_APP, "web", 1);
    size_t first = file_size();
    append(RECORD_ZONE, "web", 2);
    size_t second = file_size();
    append(RECORD_ZONE, "web", 3);
    CLEANUP_FREE char *content = NULL;
    size_t length;
    assert_int_equal(file_read(path, 1 << 20, &content, &length, NULL), 0);
    assert_int_equal(truncate(path, (off_t)first), 0);
    add_bytes(content + second, length - second);
    journal_close(journal);
    journal = NULL;
    assert_int_equal(try_open(&err), -EPROTO);
    assert_non_null(strstr(err.text, "line 2"));
}

/* What would keep the next start from reading the journal is refused now. */
static void test_bad_records_do_not_get_in(void **state)
{
    struct record record;
    struct error err = {0};
    open_again();
    append(RECORD_APP, "web", 1);
    size_t good = file_size();
    assert_int_equal(append(RECORD_ZONE, "unknown", 1), -EPROTO);
    assert_int_equal(append(RECORD_APP, "web", 2), -EPROTO);
    record_init(&record, RECORD_ZONE, "web");
    record.zone = -1;
    assert_int_equal(journal_append(journal, &record, &err), -EPROTO);
    assert_int_equal(record.sequence, 0);
    record.zone = BLUE;
    strcpy(record.release, "../up");
    assert_int_equal(journal_append(journal, &record, &err), -EPROTO);
    assert_int_equal(file_size(), good);
    assert_int_equal(append(RECORD_ZONE, "web", 3), 0);
    open_again();
    assert_int_equal(fold.last_sequence, 2);
}

/* RLIMIT_FSIZE stands for the full disk: the write stops short, then fails. */
static void test_full_disk(void **state)
{
    struct rlimit before, small;
    struct record record;
    struct error err = {0};
    open_again();
    append(RECORD_APP, "web", 1);
    size_t good = file_size();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = good + 10, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    record_init(&record, RECORD_ZONE, "web");
    record.zone = BLUE;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(journal_append(journal, &record, &err), -ENOSPC);
        assert_int_equal(record.sequence, 0);
        assert_int_equal(file_size(), good); /* no half record stays */
    }
    small.rlim_cur = good;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(journal_append(journal, &record, &err), -EFBIG);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(journal_append(journal, &record, &err), 0);
    assert_int_equal(record.sequence, 2);
    open_again();
    assert_int_equal(fold.last_sequence, 2);
}

/* --- history ---------------------------------------------------------------------------------- */

struct taken {
    struct record records[5000];
    size_t count;
};

static struct taken taken;

static int take(void *context, const struct record *record, struct error *err)
{
    taken.records[taken.count++] = *record;
    return 0;
}

static size_t read_history(const struct history_filter *filter)
{
    taken.count = 0;
    assert_int_equal(journal_history(journal, filter, take, NULL, NULL), 0);
    return taken.count;
}

static size_t read_all(const char *app)
{
    const struct history_filter filter = {.app = app, .verb = HISTORY_ANY_VERB, .limit = 5000};
    return read_history(&filter);
}

static void check_history(const char *app, size_t limit, size_t expected, int first)
{
    const struct history_filter filter = {.app = app, .verb = HISTORY_ANY_VERB, .limit = limit};
    const struct record *records = taken.records;
    size_t count = read_history(&filter);
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", first + (int)i);
        if (app && *app)
            assert_string_equal(records[i].reason, number);
        assert_int_equal(records[i].kind, RECORD_END);
        assert_true(i == 0 || records[i].sequence > records[i - 1].sequence);
    }
}

static void test_history(void **state)
{
    open_again();
    check_history(NULL, 10, 0, 0);
    append(RECORD_APP, "web", 1);
    append(RECORD_APP, "api", 2);
    for (int i = 0; i < 5; i++) {
        append(RECORD_BEGIN, "web", i);
        append(RECORD_END, "web", i);
        append(RECORD_END, "api", 10 + i);
    }
    check_history("web", 10, 5, 0);
    check_history("web", 2, 2, 3);
    check_history("api", 1, 1, 14);
    check_history("web", 0, 0, 0);
    check_history("none", 10, 0, 0);
    check_history(NULL, 100, 10, 0);
    check_history("", 7, 7, 0);
    append(RECORD_REMOVED, "api", 0);
    check_history("api", 10, 5, 10);
    add_bytes("half a rec", 10); /* not ours: history reads what was written whole */
    check_history("web", 10, 5, 0);
}

/* --- compaction ------------------------------------------------------------------------------- */

/* Fills the file directly, which is faster than an fsync for each record. */
static void fill(size_t bytes)
{
    CLEANUP_TEXT struct text text = {0};
    uint64_t sequence = 0;
    struct record record;
    record_init(&record, RECORD_APP, "web");
    record.index = 3;
    for (int i = 0; text.length < bytes; i++) {
        record.sequence = ++sequence;
        record.unix_ms = 1000 + sequence;
        record_format(&record, &text);
        record_init(&record, i % 2 ? RECORD_END : RECORD_ZONE, "web");
        record.zone = GREEN;
        record.verb = VERB_DEPLOY;
        record.to = GREEN;
        snprintf(record.reason, sizeof record.reason, "%d", i);
    }
    assert_int_equal(file_write_atomic(path, 0600, text.data, text.length, NULL), 0);
}

/* The newest operations, and that the state is what it was. Returns the number of the newest. */
static int check_compacted(void)
{
    const struct record *records = taken.records;
    size_t count = read_all("web");
    int newest, number;
    assert_int_equal(count, JOURNAL_HISTORY_KEPT);
    newest = number = atoi(records[count - 1].reason);
    for (size_t i = count; i-- > 0; number -= 2) {
        assert_int_equal(atoi(records[i].reason), number);
        assert_int_equal(records[i].unix_ms, 1000 + records[i].sequence); /* as it was written */
        assert_int_equal(records[i].sequence, number + 2);
    }
    return newest;
}

/* --- what belongs to an entry --------------------------------------------------------------------- */

static uint64_t append_operation(const char *app, int number)
{
    struct record begin, end;
    record_init(&begin, RECORD_BEGIN, app);
    assert_int_equal(journal_append(journal, &begin, NULL), 0);
    record_init(&end, RECORD_END, app);
    end.operation = begin.sequence;
    end.done = number % 2;
    end.verb = number < 2 ? VERB_DEPLOY : VERB_ROLLBACK;
    snprintf(end.release, sizeof end.release, "v%d", number);
    assert_int_equal(journal_append(journal, &end, NULL), 0);
    return begin.sequence;
}

static void append_part(enum record_kind kind, const char *app, uint64_t operation)
{
    struct record record;
    record_init(&record, kind, app);
    record.zone = BLUE;
    record.operation = operation;
    record.incident = INCIDENT_MEMORY;
    record.cut = (uint32_t)operation;
    assert_int_equal(journal_append(journal, &record, NULL), 0);
}

static void test_parts_follow_their_entries(void **state)
{
    struct history_filter filter = {.verb = HISTORY_ANY_VERB, .hooks = true, .limit = 4};
    open_again();
    append(RECORD_APP, "web", 1);
    append(RECORD_APP, "api", 2);
    append_part(RECORD_DRAINED, "web", append_operation("web", 0)); /* too old */
    uint64_t first = append_operation("web", 1), second = append_operation("api", 2);
    append_part(RECORD_INCIDENT, "web", 0);
    append_part(RECORD_HOOK, "web", first);
    append_part(RECORD_SERVED, "api", second);
    uint64_t third = append_operation("web", 3);
    append_part(RECORD_DRAINED, "api", second);
    append_part(RECORD_DRAINED, "web", first);
    append_part(RECORD_HOOK, "web", 0); /* nobody's */
    assert_int_equal(read_history(&filter), 8);
    assert_int_equal(taken.records[0].operation, first);
    assert_int_equal(taken.records[1].kind, RECORD_HOOK);
    assert_int_equal(taken.records[2].cut, first);
    assert_int_equal(taken.records[3].operation, second);
    assert_int_equal(taken.records[4].kind, RECORD_SERVED);
    assert_int_equal(taken.records[5].cut, second);
    assert_int_equal(taken.records[6].kind, RECORD_INCIDENT);
    assert_int_equal(taken.records[7].operation, third);
    filter.hooks = false;
    filter.limit = 1;
    filter.app = "api";
    assert_int_equal(read_history(&filter), 3);
    filter.app = NULL;
    filter.verb = HISTORY_SERVED;
    assert_int_equal(read_history(&filter), 1);
    assert_int_equal(taken.records[0].kind, RECORD_SERVED);
}

/* The limit is one of those that are wanted. */
static void test_filters_come_before_the_limit(void **state)
{
    struct history_filter filter = {.verb = VERB_DEPLOY, .limit = 1};
    open_again();
    append(RECORD_APP, "web", 1);
    for (int i = 0; i < 6; i++)
        append_operation("web", i);
    assert_int_equal(read_history(&filter), 1);
    assert_string_equal(taken.records[0].release, "v1");
    filter = (struct history_filter){.verb = HISTORY_ANY_VERB, .failed = true, .limit = 2};
    assert_int_equal(read_history(&filter), 2);
    assert_string_equal(taken.records[0].release, "v2");
    assert_string_equal(taken.records[1].release, "v4");
}

static size_t count_kind(enum record_kind kind)
{
    size_t found = 0;
    for (size_t i = 0; i < taken.count; i++)
        found += taken.records[i].kind == kind;
    return found;
}

/* Hooks that write much do not make the journal grow: the newest stay. */
static void test_compaction_bounds_hooks(void **state)
{
    CLEANUP_TEXT struct text text = {0}, output = {0};
    char longest[RECORD_OUTPUT_MAX + 1];
    struct record record;
    uint64_t sequence = 0;
    memset(longest, ' ', RECORD_OUTPUT_MAX);
    longest[RECORD_OUTPUT_MAX] = '\0';
    record_encode_output(longest, &output);
    record_init(&record, RECORD_END, "web");
    record.operation = 1;
    record.sequence = ++sequence;
    record_format(&record, &text);
    record_init(&record, RECORD_HOOK, "web");
    record.zone = BLUE;
    record.operation = 1;
    record.output = output.data;
    record.output_length = output.length;
    while (text.length < JOURNAL_COMPACT_BYTES) {
        record.sequence = ++sequence;
        record.ms = sequence;
        record_format(&record, &text);
    }
    assert_int_equal(file_write_atomic(path, 0600, text.data, text.length, NULL), 0);
    open_again();
    assert_true(file_size() < JOURNAL_HOOKS_KEPT + 4096);
    const struct history_filter filter = {.verb = HISTORY_ANY_VERB, .hooks = true, .limit = 10};
    read_history(&filter);
    assert_int_equal(count_kind(RECORD_END), 1);
    assert_in_range(count_kind(RECORD_HOOK), JOURNAL_HOOKS_KEPT / 16384, JOURNAL_HOOKS_KEPT / 12288);
    assert_int_equal(taken.records[taken.count - 1].ms, sequence);
}

static void test_compaction_at_start(void **state)
{
    struct stat status;
    fill(JOURNAL_COMPACT_BYTES + 10);
    open_again();
    uint64_t last = fold.last_sequence;
    assert_true(file_size() < JOURNAL_COMPACT_BYTES / 2);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    int newest = check_compacted();
    open_again();
    assert_int_equal(check_compacted(), newest);
    assert_int_equal(fold.count, 1);
    assert_int_equal(fold.apps[0].index, 3);
    assert_true(atoi(fold.apps[0].zones[GREEN].reason) >= newest - 1);
    assert_true(fold.last_sequence >= last);
    assert_int_equal(append(RECORD_ZONE, "web", 77), 0);
    open_again();
    assert_string_equal(fold.apps[0].zones[BLUE].reason, "77");
}

static void add_incident(struct text *text, uint64_t sequence)
{
    struct record record;
    record_init(&record, RECORD_INCIDENT, "web");
    record.zone = BLUE;
    record.incident = INCIDENT_WATCHDOG;
    record.sequence = sequence;
    record.unix_ms = sequence;
    record_format(&record, text);
}

/* An app that dies all the time leaves room for the operations, and its newest incidents. */
static void test_compaction_keeps_operations_beside_incidents(void **state)
{
    CLEANUP_TEXT struct text text = {0};
    const struct record *records = taken.records;
    struct record record;
    uint64_t sequence = 0;
    size_t count, incidents = 0;
    record_init(&record, RECORD_END, "web");
    record.verb = VERB_DEPLOY;
    for (int i = 0; i < 10; i++) {
        record.sequence = ++sequence;
        record_format(&record, &text);
    }
    while (text.length < JOURNAL_COMPACT_BYTES)
        add_incident(&text, ++sequence);
    assert_int_equal(file_write_atomic(path, 0600, text.data, text.length, NULL), 0);
    open_again();
    assert_true(file_size() < JOURNAL_COMPACT_BYTES / 2);
    count = read_all("web");
    for (size_t i = 0; i < count; i++)
        incidents += records[i].kind == RECORD_INCIDENT;
    assert_int_equal(count - incidents, 10);
    assert_int_equal(incidents, JOURNAL_INCIDENTS_KEPT);
    assert_int_equal(records[count - 1].sequence, sequence);
    assert_int_equal(records[count - 1].incident, INCIDENT_WATCHDOG);
}

static void test_compaction_while_running(void **state)
{
    struct journal *second;
    struct fold other = {0};
    fill(JOURNAL_COMPACT_BYTES - 200);
    open_again();
    size_t before = file_size();
    assert_int_equal(append(RECORD_BEGIN, "web", 5), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(append(RECORD_ZONE, "web", i), 0);
    assert_true(file_size() < before / 2);
    assert_int_equal(journal_open(directory, &second, &other, NULL), -EBUSY); /* the lock outlives the file */
    open_again();
    assert_string_equal(fold.apps[0].zones[BLUE].reason, "4");
    assert_true(fold.apps[0].interrupted);
    assert_true(fold.apps[0].operation.unix_ms > 1500000000000);
    check_compacted();
}

/* A compaction that cannot be written changes nothing, and is not tried at each record. */
static void test_compaction_fails(void **state)
{
    char obstacle[PATH_MAX + 32];
    snprintf(obstacle, sizeof obstacle, "%s.new", path);
    fill(JOURNAL_COMPACT_BYTES + 10);
    assert_int_equal(mkdir(obstacle, 0700), 0);
    size_t before = file_size();
    open_again();
    assert_int_equal(file_size(), before);
    assert_int_equal(append(RECORD_ZONE, "web", 77), 0);
    assert_true(file_size() > before);
    assert_int_equal(rmdir(obstacle), 0);
    assert_int_equal(append(RECORD_ZONE, "web", 78), 0);
    assert_true(file_size() > before);
    open_again();
    assert_true(file_size() < before);
    assert_string_equal(fold.apps[0].zones[BLUE].reason, "78");
}

/* The compacted file is there, and nobody can open it for a while: what is appended then comes after what it holds. */
static void test_compacted_but_not_opened(void **state)
{
    fill(JOURNAL_COMPACT_BYTES - 200);
    open_again();
    size_t before = file_size();
    refuse_opens = 2;
    int result = 0;
    for (int i = 0; result == 0 && i < 100; i++)
        result = append(RECORD_ZONE, "web", 76);
    assert_int_equal(result, -EIO);
    assert_true(file_size() < before / 2);
    size_t compacted = file_size();
    assert_int_equal(append(RECORD_ZONE, "web", 77), -ENFILE);
    assert_int_equal(file_size(), compacted);
    assert_int_equal(append(RECORD_ZONE, "web", 78), 0);
    open_again();
    assert_string_equal(fold.apps[0].zones[BLUE].reason, "78");
    check_compacted();
}

static void test_compaction_of_nothing(void **state)
{
    open_again();
    append(RECORD_APP, "web", 1);
    append(RECORD_REMOVED, "web", 1);
    CLEANUP_TEXT struct text text = {0};
    struct record record;
    for (uint64_t sequence = 3; text.length < JOURNAL_COMPACT_BYTES; sequence += 2) {
        record_init(&record, RECORD_APP, "web");
        record.sequence = sequence;
        record_format(&record, &text);
        record_init(&record, RECORD_REMOVED, "web");
        record.sequence = sequence + 1;
        record_format(&record, &text);
    }
    add_bytes(text.data, text.length);
    open_again();
    assert_int_equal(file_size(), 0);
    assert_int_equal(append(RECORD_APP, "web", 1), 0);
    open_again();
    assert_int_equal(fold.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_append_and_read_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_state_directory_is_made, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_agent_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_torn_tail_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tail_of_zeros_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_junk_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strange_last_line_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lost_line_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_records_do_not_get_in, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_history, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parts_follow_their_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_filters_come_before_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_compaction_bounds_hooks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_compaction_at_start, setup, teardown),
        cmocka_unit_test_setup_teardown(test_compaction_keeps_operations_beside_incidents, setup, teardown),
        cmocka_unit_test_setup_teardown(test_compaction_while_running, setup, teardown),
        cmocka_unit_test_setup_teardown(test_compaction_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_compacted_but_not_opened, setup, teardown),
        cmocka_unit_test_setup_teardown(test_compaction_of_nothing, setup, teardown),
    };
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
