/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shim's log: file, rotation, index, and the copy to a journald that the test plays. */
#include "shim/index.c"
#include "shim/journal.c"
#include "shim/logfile.c"

#include "bluegreen/bluegreen.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static char place[64];
static int directory;

static int make_place(void **state)
{
    (void)state;
    snprintf(place, sizeof place, "/tmp/test_logfile.XXXXXX");
    if (!mkdtemp(place))
        return -1;
    directory = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return directory < 0 ? -1 : 0;
}

static int remove_place(void **state)
{
    static const char *const names[] = {"log", "log.1", "log.index", "log.1.index", "stdout"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlinkat(directory, names[i], 0);
    close(directory);
    return rmdir(place);
}

static void open_log(struct logfile *log)
{
    assert_int_equal(logfile_open(log, directory, "web.blue"), 0);
    log->journal.path = "/nonexistent/stdout"; /* not this machine's */
}

static void close_log(struct logfile *log)
{
    log_index_close(&log->index);
    journal_close(&log->journal);
    close(log->file);
    close(log->pipe_read);
    close(log->pipe_write);
    close(log->events);
}

static void say(struct logfile *log, const char *text)
{
    assert_int_equal(write(log->pipe_write, text, strlen(text)), strlen(text));
    while (logfile_move(log))
        ;
}

static char *content(const char *name, size_t *length)
{
    struct stat status;
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    char *bytes = calloc(1, (size_t)status.st_size + 1);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, (size_t)status.st_size), status.st_size);
    close(fd);
    if (length)
        *length = (size_t)status.st_size;
    return bytes;
}

static void assert_content(const char *name, const char *expected)
{
    char *bytes = content(name, NULL);
    assert_string_equal(bytes, expected);
    free(bytes);
}

static bool is_ready(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
}

/* --- the file ----------------------------------------------------------------------------------------------- */

static void test_output_and_notes(void **state)
{
    static const char *const note[] = {"bluegreen-zone: ", "it ended", "\n"};
    struct logfile log;
    (void)state;
    open_log(&log);
    assert_false(is_ready(log.events));
    assert_int_equal(write(log.pipe_write, "one\n", 4), 4);
    assert_true(is_ready(log.events));
    assert_true(logfile_move(&log));
    assert_false(logfile_move(&log));
    assert_false(is_ready(log.events));
    logfile_note(&log, note, 3);
    close_log(&log);
    open_log(&log); /* a new shim goes on where the former one ended */
    say(&log, "two\n");
    close_log(&log);
    assert_content("log", "one\nbluegreen-zone: it ended\ntwo\n");
}

static void test_rotation(void **state)
{
    struct logfile log;
    struct log_head head;
    struct stat status;
    char piece[65536];
    size_t length;
    (void)state;
    memset(piece, 'x', sizeof piece);
    piece[sizeof piece - 1] = '\n';
    open_log(&log);
    say(&log, "first\n");
    for (int i = 0; i < LOG_SIZE_MAX / (int)sizeof piece; i++) {
        assert_int_equal(write(log.pipe_write, piece, sizeof piece), sizeof piece);
        while (logfile_move(&log))
            ;
    }
    say(&log, "last\n");
    close_log(&log);
    char *old = content("log.1", &length);
    assert_int_equal(length, LOG_SIZE_MAX); /* filled to the last byte */
    assert_memory_equal(old, "first\nxxx", 9);
    free(old);
    char *new = content("log", &length);
    assert_int_equal(length, 6 + 5); /* what did not fit, and the rest */
    assert_string_equal(new, "xxxxx\nlast\n");
    free(new);
    static const char *const pairs[][2] = {{"log", "log.index"}, {"log.1", "log.1.index"}};
    for (int i = 0; i < 2; i++) { /* each index belongs to its log */
        char *index = content(pairs[i][1], &length);
        assert_true(length >= sizeof head + sizeof(struct log_mark));
        memcpy(&head, index, sizeof head);
        assert_int_equal(fstatat(directory, pairs[i][0], &status, 0), 0);
        assert_int_equal(head.inode, status.st_ino);
        free(index);
    }
}

/* Full, read-only, gone: the app's writes go on. */
static void test_no_file(void **state)
{
    struct logfile log;
    (void)state;
    open_log(&log);
    close_fd(&log.file);
    log_index_close(&log.index);
    int elsewhere = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    log.directory = elsewhere;
    for (int i = 0; i < 100; i++)
        say(&log, "nobody keeps this\n");
    assert_false(is_ready(log.pipe_read));
    log.directory = directory; /* and again when it can be opened */
    say(&log, "kept\n");
    close_log(&log);
    close(elsewhere);
    assert_content("log", "kept\n");
}

/* --- the index ----------------------------------------------------------------------------------------------- */

static void test_public_layout(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct log_head), sizeof(struct bluegreen_log_head));
    assert_int_equal(offsetof(struct log_head, span_ms), offsetof(struct bluegreen_log_head, span_ms));
    assert_int_equal(offsetof(struct log_head, inode), offsetof(struct bluegreen_log_head, inode));
    assert_int_equal(sizeof(struct log_mark), sizeof(struct bluegreen_log_mark));
    assert_int_equal(offsetof(struct log_mark, offset), offsetof(struct bluegreen_log_mark, offset));
}

static struct log_mark *marks_of(size_t *count, struct log_head *head)
{
    size_t length;
    char *bytes = content("log.index", &length);
    assert_true(length >= sizeof *head);
    memcpy(head, bytes, sizeof *head);
    *count = (length - sizeof *head) / sizeof(struct log_mark);
    memmove(bytes, bytes + sizeof *head, *count * sizeof(struct log_mark));
    return (struct log_mark *)(void *)bytes;
}

static int open_index(struct log_index *index, uint64_t size)
{
    int log = openat(directory, "log", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(log >= 0);
    log_index_open(index, directory, "log.index", log, size);
    assert_true(index->file >= 0);
    return log;
}

static void test_index_steps(void **state)
{
    struct log_index index;
    struct log_head head;
    size_t count;
    (void)state;
    int log = open_index(&index, 0);
    log_index_mark(&index, 10000, 0);
    log_index_mark(&index, 10999, 5); /* too soon */
    log_index_mark(&index, 11000, 7);
    log_index_mark(&index, 9000, 9); /* the clock was set back: what follows came then */
    log_index_close(&index);
    close(log);
    log = open_index(&index, 100); /* another shim goes on */
    log_index_mark(&index, 9999, 11);
    log_index_mark(&index, 20000, 13);
    struct log_mark *marks = marks_of(&count, &head);
    assert_int_equal(count, 4);
    assert_int_equal(head.span_ms, LOG_INDEX_STEP_MS);
    assert_int_equal(marks[1].offset, 7);
    assert_int_equal(marks[2].unix_ms, 9000);
    assert_int_equal(marks[3].offset, 13);
    free(marks);
    log_index_close(&index);
    close(log);
}

/* One of another log, or that says more than the log has, or is no index at all, is begun anew. */
static void test_index_not_ours(void **state)
{
    struct log_index index;
    (void)state;
    int log = open_index(&index, 0);
    log_index_mark(&index, 10000, 50);
    log_index_close(&index);
    close(log);
    log = open_index(&index, 49);
    assert_int_equal(index.count, 0);
    log_index_mark(&index, 10000, 0);
    log_index_close(&index);
    close(log);
    assert_int_equal(renameat(directory, "log", directory, "log.1"), 0);
    log = open_index(&index, 100);
    assert_int_equal(index.count, 0);
    assert_int_equal(pwrite(index.file, "????????", 8, 0), 8);
    log_index_close(&index);
    close(log);
    log = open_index(&index, 100);
    assert_int_equal(index.count, 0);
    log_index_close(&index);
    close(log);
}

/* What came when may get less exact, but stays true: between a mark's time and its span. */
static void test_index_is_bounded(void **state)
{
    enum { WRITES = LOG_INDEX_MARKS * 3 };
    struct log_index index;
    struct log_head head;
    size_t count, at = 0;
    (void)state;
    int log = open_index(&index, 0);
    uint64_t *times = calloc(WRITES, sizeof *times);
    assert_non_null(times);
    for (uint64_t i = 0, now = 1000000; i < WRITES; i++) {
        now += i % 1000 == 0 ? 3600000 : 1000 + i % 700;
        times[i] = now;
        log_index_mark(&index, now, i);
        assert_true(index.count <= LOG_INDEX_MARKS);
    }
    struct log_mark *marks = marks_of(&count, &head);
    assert_in_range(count, LOG_INDEX_MARKS / 4, LOG_INDEX_MARKS);
    assert_true(head.span_ms > LOG_INDEX_STEP_MS && head.span_ms < 60000);
    for (uint64_t i = 0; i < WRITES; i++) {
        while (at + 1 < count && marks[at + 1].offset <= i)
            at++;
        assert_true(marks[at].offset <= i && marks[at].unix_ms <= times[i]);
        assert_true(times[i] - marks[at].unix_ms <= head.span_ms);
    }
    free(marks);
    free(times);
    log_index_close(&index);
    log_index_open(&index, directory, "log.index", log, WRITES);
    assert_int_equal(index.count, count); /* and another shim goes on with it */
    assert_int_equal(index.span_ms, head.span_ms);
    log_index_close(&index);
    close(log);
}

/* --- the journal -------------------------------------------------------------------------------------------- */

static int listen_as_journald(char path[96])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(path, 96, "%s/stdout", place);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static size_t take_all(int fd, char *bytes, size_t size)
{
    size_t length = 0;
    while (length < size) {
        ssize_t got = recv(fd, bytes + length, size - length, MSG_DONTWAIT);
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    return length;
}

static void assert_journal_has(int fd, const char *expected)
{
    char bytes[1024];
    bytes[take_all(fd, bytes, sizeof bytes - 1)] = '\0';
    assert_string_equal(bytes, expected);
}

static void test_journal(void **state)
{
    static const char *const note[] = {"bluegreen-zone: ", "it ended", "\n"};
    char path[96];
    struct logfile log;
    (void)state;
    open_log(&log);
    say(&log, "before there is a journal\n");
    int listener = listen_as_journald(path);
    log.journal.path = path;
    say(&log, "not tried again so soon\n");
    log.journal.retry_ms = 0;
    say(&log, "one\n");
    int stream = accept(listener, NULL, NULL);
    assert_true(stream >= 0);
    say(&log, "two\n<3>three");
    logfile_note(&log, note, 3);
    assert_journal_has(stream, "web\n\n6\n1\n0\n0\n0\none\ntwo\n<3>threebluegreen-zone: it ended\n");
    close(stream); /* journald is started again */
    say(&log, "lost on the way\n");
    log.journal.retry_ms = 0;
    say(&log, "four\n");
    stream = accept(listener, NULL, NULL);
    assert_journal_has(stream, "web\n\n6\n1\n0\n0\n0\nfour\n");
    assert_false(is_ready(log.events));
    close_log(&log);
    close(stream);
    close(listener);
    assert_content("log", "before there is a journal\nnot tried again so soon\none\ntwo\n<3>three"
                          "bluegreen-zone: it ended\nlost on the way\nfour\n");
}

/* A journald that reads nothing holds nobody up; what it then gets is whole where nothing is said to be missing. */
static void test_journal_that_hangs(void **state)
{
    enum { LINES = 40000, LINE = 27 };
    char path[96], line[64];
    struct logfile log;
    size_t length;
    (void)state;
    open_log(&log);
    int listener = listen_as_journald(path);
    log.journal.path = path;
    for (int i = 0; i < LINES; i++) {
        snprintf(line, sizeof line, "line %07d of the output\n", i);
        say(&log, line);
    }
    assert_true(log.journal.missed);
    assert_false(is_ready(log.events)); /* and nobody spins */
    char *bytes = content("log", &length);
    assert_int_equal(length, LINES * LINE);
    free(bytes);
    int stream = accept(listener, NULL, NULL);
    char *taken = calloc(1, LINES * 32);
    assert_non_null(taken);
    length = take_all(stream, taken, LINES * 32);
    for (int turn = 0; turn < 100 && is_ready(log.events); turn++) {
        logfile_move(&log);
        length += take_all(stream, taken + length, LINES * 32 - length);
    }
    say(&log, "again\n");
    length += take_all(stream, taken + length, LINES * 32 - length);
    taken[length] = '\0';
    char *missing = strstr(taken, missed_note);
    assert_non_null(missing);
    assert_string_equal(missing + strlen(missed_note), "again\n");
    int whole = 0, number;
    for (char *at = strstr(taken, "line "); at && at < missing; at = strstr(at + 1, "line ")) {
        assert_int_equal(sscanf(at, "line %d of the output\n", &number), 1);
        assert_int_equal(number, whole++);
    }
    assert_in_range(whole, 100, LINES - 1);
    free(taken);
    close_log(&log);
    close(stream);
    close(listener);
}

/* One that reads slower than the app writes: it may take a part of a piece, and then what follows must be the rest. */
static void test_slow_journal(void **state)
{
    enum { PIECES = 60, LINES = 4096, LINE = 16, TAKEN_MAX = PIECES * LINES * LINE * 2 };
    char path[96], *piece = malloc(LINES * LINE + 1), *taken = calloc(1, TAKEN_MAX);
    struct logfile log;
    size_t length = 0;
    unsigned written = 0, next = 0, gaps = 0, seen = 0;
    (void)state;
    assert_true(piece && taken);
    open_log(&log);
    int listener = listen_as_journald(path);
    log.journal.path = path;
    assert_true(fcntl(log.pipe_write, F_SETPIPE_SZ, LINES * LINE) > 0);
    for (int i = 0, stream = -1; i < PIECES; i++) {
        for (int line = 0; line < LINES; line++)
            snprintf(piece + (size_t)line * LINE, LINE + 1, "line %010u\n", written++);
        assert_int_equal(write(log.pipe_write, piece, LINES * LINE), LINES * LINE);
        while (logfile_move(&log)) {
            stream = stream < 0 ? accept(listener, NULL, NULL) : stream;
            length += take_all(stream, taken + length, 48 * 1024);
        }
        for (int turn = 0; i + 1 == PIECES && turn < 100; turn++) {
            journal_flush(&log.journal);
            length += take_all(stream, taken + length, TAKEN_MAX - length);
        }
        if (i + 1 == PIECES)
            close(stream);
    }
    /* Lines follow each other, but where it is said that they do not. What a note cut in two is no line. */
    bool told = true;
    for (char *at = taken, *end; (end = memchr(at, '\n', length - (size_t)(at - taken))) != NULL; at = end + 1) {
        if (end - at != LINE - 1 || strncmp(at, "line ", 5) != 0 || strspn(at + 5, "0123456789") != 10) {
            told |= strncmp(at, missed_note + 1, (size_t)(end - at) + 1) == 0;
            continue;
        }
        unsigned number = (unsigned)strtoul(at + 5, NULL, 10);
        assert_true(number == next || told);
        gaps += number != next;
        next = number + 1;
        told = false;
        seen++;
    }
    assert_in_range(seen, LINES, written - 1); /* it was too slow for all */
    assert_true(gaps > 0);
    free(piece);
    free(taken);
    close_log(&log);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_output_and_notes, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_rotation, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_no_file, make_place, remove_place),
        cmocka_unit_test(test_public_layout),
        cmocka_unit_test_setup_teardown(test_index_steps, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_index_not_ours, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_index_is_bounded, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_journal, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_journal_that_hangs, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_slow_journal, make_place, remove_place),
    };
    signal(SIGPIPE, SIG_IGN); /* the shim blocks every signal, and its stdin is /dev/null */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
