/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The feed's journal when things go wrong: writes that the machine's end has torn, bits that have flipped, a disk that
 * is full or fails, a process that is killed. What was said to be safe is there afterwards, or the journal says that it
 * is damaged; nothing in between.
 */
#include "feed/wal_format.h"
#include "feed_wal_world.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

/* --- the disk, as these tests want it ----------------------------------------------------------------------------- */

static struct {
    _Atomic bool sync_fails; /* the other thread looks */
    int writes_left;         /* then each writes half of what it should, and the next one nothing; -1: all do */
    bool full;               /* but for what is kept in reserve */
} disk = {false, -1, false};

int fdatasync(int fd)
{
    if (disk.sync_fails) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    if (disk.writes_left == 0 || (disk.full && faccessat(world.directory, "reserve", F_OK, 0) == 0)) {
        errno = ENOSPC;
        return -1;
    }
    if (disk.writes_left < 0 || --disk.writes_left > 0)
        return syscall(SYS_pwritev, fd, parts, (long)count, (long)offset, 0L);
    struct iovec half = {parts->iov_base, parts->iov_len / 2};
    return syscall(SYS_pwritev, fd, &half, 1L, (long)offset, 0L);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    struct stat status;
    if (disk.full && fstat(fd, &status) == 0 && status.st_size < offset + length) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

static int setup(void **state)
{
    disk.sync_fails = disk.full = false;
    disk.writes_left = -1;
    return world_setup(state);
}

/* Of the first segment most is a checkpoint with two large bitmaps, so not every byte of that is tried. */
enum { CHECKPOINT = 2200 };

/* --- copies of a journal ------------------------------------------------------------------------------------------ */

/* What a journal was when its file had this many bytes. */
struct milestone {
    size_t size;
    struct wal_book book;
};

static struct {
    struct milestone milestones[64];
    size_t count;
    char *bytes;
    size_t length;
} original;

static void note_milestone(void)
{
    size_t length;
    free(world_file(1, &length));
    original.milestones[original.count++] = (struct milestone){length, *book()};
}

/* A bit of everything, noted after each entry; `synced` after each, or never. `original.bytes` is the file then. */
static void write_original(bool synced, bool orderly)
{
    uint64_t ids[3];
    original.count = 0;
    world_open();
    for (int step = 0; step < 14; step++) {
        switch (step) {
        case 0: wal_live(world.wal, BLUE, NULL); break;
        case 1: ids[0] = begin("POST /1 HTTP/1.1\r\n\r\n"); break;
        case 2: ids[1] = begin("POST /2 HTTP/1.1\r\n\r\n"); break;
        case 3: commit(ids[1]); break;
        case 4: commit(ids[0]); break;
        case 5: wal_applying(world.wal, GREEN, 1, NULL); break;
        case 6: apply(GREEN, 1); break;
        case 7: ids[2] = begin("DELETE /3"); break;
        case 8: wal_doubt(world.wal, ids[2], NULL); break;
        case 9: wal_applied(world.wal, GREEN, 2, NULL, false, true, NULL); break;
        case 10: wal_settle(world.wal, ids[2], true, NULL); break;
        case 11: transact("PATCH /4"); break;
        case 12: wal_abort(world.wal, begin("POST /5"), NULL); break;
        case 13: transact("POST /6"); break;
        }
        note_milestone();
        if (synced)
            assert_int_equal(world_sync(), 0);
    }
    if (orderly)
        world_close();
    original.bytes = world_file(1, &original.length);
    if (!orderly)
        world_close();
}

/* What must be there of a file that was cut at this size. */
static const struct milestone *milestone_of(size_t size)
{
    const struct milestone *found = NULL;
    for (size_t i = 0; i < original.count && original.milestones[i].size <= size; i++)
        found = &original.milestones[i];
    return found;
}

/* The machine has died in any moment: every prefix of the last segment is what was whole of it, no less and no more. */
static void test_every_prefix(void **state)
{
    for (int synced = 0; synced < 2; synced++) {
        write_original(synced, false);
        for (size_t size = 0; size <= original.length; size += size < CHECKPOINT ? 41 : 1) {
            const struct milestone *whole = milestone_of(size);
            world_put(1, original.bytes, size);
            world_open();
            assert_int_equal(book()->committed, whole ? whole->book.committed : 0);
            assert_int_equal(book()->live, whole ? whole->book.live : -1);
            assert_int_equal(book()->zones[GREEN].position, whole ? whole->book.zones[GREEN].position : 0);
            for (uint64_t i = 1; i <= book()->committed; i++)
                assert_int_equal(read_head(i, NULL, 0), 0);
            if (book()->live < 0)
                wal_live(world.wal, BLUE, NULL);
            transact("POST /after");
            assert_head(book()->committed, "POST /after"); /* and it goes on */
            if (size % 16 == 0) {
                uint64_t committed = book()->committed;
                world_open_again();
                assert_int_equal(book()->committed, committed);
            }
            world_close();
        }
        free(original.bytes);
        world_put(1, "", 0);
    }
}

static void try_hole(size_t from, size_t to)
{
    CLEANUP_FREE char *copy = malloc(original.length);
    const struct milestone *whole = milestone_of(from);
    memcpy(copy, original.bytes, original.length);
    memset(copy + from, 0, (to < original.length ? to : original.length) - from);
    world_put(1, copy, original.length);
    world_open();
    assert_true(book()->committed >= (whole ? whole->book.committed : 0));
    assert_true(book()->committed <= original.milestones[original.count - 1].book.committed);
    for (uint64_t i = 1; i <= book()->committed; i++)
        assert_int_equal(read_head(i, NULL, 0), 0);
    world_close();
}

/* Sectors of a file reach the disk in any order: of what was not synced any may be missing, or be as it was when the
 * file was shorter. */
static void test_every_hole(void **state)
{
    write_original(false, false);
    for (size_t i = 0; i < original.count; i++) {
        size_t from = original.milestones[i].size, sector = (from / 512 + 1) * 512;
        if (from == original.length)
            break;
        try_hole(from, sector);
        try_hole(from, original.length);
        if (sector < original.length)
            try_hole(sector, sector + 512);
    }
    free(original.bytes);
}

/* What was on the disk cannot be torn: a hole there is damage, however much it looks like the other. */
static void test_hole_in_what_was_safe(void **state)
{
    write_original(true, true);
    for (size_t i = 0; i + 1 < original.count; i++) {
        size_t from = original.milestones[i].size, to = (from / 512 + 1) * 512;
        size_t knows = original.length - WAL_FRAME_SIZE - WAL_TAIL_SIZE; /* the last entry, which says so */
        CLEANUP_FREE char *copy = malloc(original.length);
        memcpy(copy, original.bytes, original.length);
        memset(copy + from, 0, (to < knows ? to : knows) - from);
        world_put(1, copy, original.length);
        assert_int_equal(world_try_open(), -EBADMSG);
        assert_int_equal(world_try_open(), -EBADMSG); /* and nothing was cut off before it was said */
    }
    world_put(1, original.bytes, original.length);
    world_open();
    free(original.bytes);
}

/* A bit that flips is found, whichever it is, and the journal says so, rather than be a shorter one. */
static void test_every_flipped_bit(void **state)
{
    for (int orderly = 0; orderly < 2; orderly++) {
        write_original(true, orderly);
        for (size_t i = 0; i < original.length; i += i < CHECKPOINT ? 5 : 1) {
            bool one = i < CHECKPOINT || orderly;
            for (size_t bit = one ? i % 8 : 0; bit < 8; bit += one ? 8 : 1) {
                original.bytes[i] = (char)(original.bytes[i] ^ (1 << bit));
                world_put(1, original.bytes, original.length);
                original.bytes[i] = (char)(original.bytes[i] ^ (1 << bit));
                int result = world_try_open();
                if (result != -EBADMSG)
                    fail_msg("bit %zu of byte %zu: %d, and %lu committed", bit, i, result,
                             (unsigned long)(result == 0 ? book()->committed : 0));
                assert_non_null(strstr(world.err.text, "0000000001.wal"));
            }
        }
        free(original.bytes);
        world_put(1, "", 0);
    }
}

/* --- several segments --------------------------------------------------------------------------------------------- */

static void write_segments(void)
{
    static char text[3000];
    memset(text, 'y', sizeof text - 1);
    world.options.max = 1u << 20;
    world_open();
    wal_live(world.wal, BLUE, NULL);
    for (int i = 0; i < 100; i++)
        transact(text);
    assert_int_equal(world_sync(), 0);
    world_close();
    assert_true(world_has(4) && world_has(5));
}

/* Nobody reads the old ones at the start; whoever reads them finds it. */
static void test_flip_in_an_old_segment(void **state)
{
    write_segments();
    size_t length;
    char *bytes = world_file(2, &length);
    bytes[length / 2] ^= 4;
    world_put(2, bytes, length);
    world_open();
    int damaged = 0;
    for (uint64_t i = 1; i <= 100; i++) {
        int result = read_head(i, NULL, 0);
        assert_true(result == 0 || result == -EBADMSG);
        if (result == 0)
            continue;
        damaged++;
        assert_non_null(strstr(world.err.text, "0000000002.wal"));
        assert_non_null(strstr(world.err.text, "offset"));
    }
    assert_true(damaged >= 1 && damaged <= 2);
    free(bytes);
}

static void test_missing_or_short_segments(void **state)
{
    char path[PATH_MAX + 32];
    size_t length;
    write_segments();
    for (uint64_t number = 1; number <= 5; number++) {
        char *bytes = world_file(number, &length);
        snprintf(path, sizeof path, "%s/%010lu.wal", world.path, (unsigned long)number);
        assert_int_equal(unlink(path), 0);
        if (world_has(number + 1) || number < 4)
            assert_int_equal(world_try_open(), -EBADMSG);
        if (world_has(number + 1)) {
            world_put(number, bytes, length - 1);
            assert_int_equal(world_try_open(), -EBADMSG);
        }
        world_put(number, bytes, length);
        free(bytes);
    }
    world_open();
    assert_int_equal(book()->committed, 100);
}

enum { FILES = 5 };

/* Power fails before anything was synced, and the disk has the later segments and not all of an earlier one. */
static void test_hole_between_segments(void **state)
{
    static char text[3000];
    char *bytes[FILES];
    size_t lengths[FILES];
    uint64_t before[FILES]; /* committed before each */
    memset(text, 'y', sizeof text - 1);
    world.options.max = 1u << 20;
    world_open();
    wal_live(world.wal, BLUE, NULL);
    for (uint64_t number = 1; number <= FILES; number++) {
        before[number - 1] = book()->committed;
        while (!world_has(number + 1))
            transact(text);
    }
    for (uint64_t number = 1; number <= FILES; number++)
        bytes[number - 1] = world_file(number, &lengths[number - 1]);
    world_close();
    for (uint64_t hurt = 2; hurt <= FILES; hurt++) {
        for (size_t cut = 0; cut < lengths[hurt - 1]; cut += 5000) {
            while (world_has(FILES + 1) && unlinkat(world.directory, "0000000006.wal", 0) == 0)
                continue;
            for (uint64_t number = 1; number <= FILES; number++)
                world_put(number, bytes[number - 1], number == hurt ? cut : lengths[number - 1]);
            world_open();
            assert_true(book()->committed >= before[hurt - 1] - 1);
            assert_true(hurt == FILES || book()->committed <= before[hurt]);
            assert_true(cut < 40000 || book()->committed > before[hurt - 1]);
            for (uint64_t i = 1; i <= book()->committed; i++)
                assert_int_equal(read_head(i, NULL, 0), 0);
            assert_false(hurt < FILES && world_has(hurt + 1));
            world_close();
        }
    }
    for (size_t i = 0; i < FILES; i++)
        free(bytes[i]);
}

/* The machine dies while the next segment is made. */
static void test_torn_next_segment(void **state)
{
    size_t length;
    write_segments();
    world_open(); /* killed here */
    uint64_t last = 1;
    while (world_has(last + 1))
        last++;
    char *bytes = world_file(last, &length), *zeros = calloc(1, length);
    for (size_t size = 0; size < 2000; size += 7) {
        world_close();
        world_put(last + 1, size % 2 == 0 ? zeros : bytes, size % 2 == 0 ? size : size % 32);
        world_open();
        assert_int_equal(book()->committed, 100);
        assert_false(world_has(last + 1));
    }
    free(bytes);
    free(zeros);
}

/* A segment without its head was not being made, if there are entries in it that say so. */
static void test_lost_head(void **state)
{
    size_t length;
    uint64_t last = 1;
    write_segments();
    while (world_has(last + 1))
        last++;
    char *bytes = world_file(last, &length);
    for (size_t cut = 512; cut < 3000; cut += 512) {
        CLEANUP_FREE char *copy = malloc(length);
        memcpy(copy, bytes, length);
        memset(copy, 0, cut);
        world_put(last, copy, length);
        assert_int_equal(world_try_open(), -EBADMSG);
    }
    world_put(last, bytes, length);
    world_open();
    assert_int_equal(book()->committed, 100);
    free(bytes);
}

static void test_set_aside(void **state)
{
    char path[PATH_MAX + 32];
    write_original(true, true);
    uint64_t highest = 0;
    world_open();
    highest = wal_next_id(world.wal);
    world_close();
    for (int round = 0; round < 2; round++) {
        world_put(1, "nonsense, but of more than the thirty-two bytes of a head, and of a frame", 72);
        assert_int_equal(world_try_open(), -EBADMSG);
        assert_int_equal(wal_set_aside(world.directory, NULL), 0);
        assert_false(world_has(1));
        snprintf(path, sizeof path, "%s/0000000001.wal.aside", world.path);
        assert_int_equal(access(path, F_OK), 0);
    }
    world.options.new_app = false;
    world_open();
    assert_int_equal(book()->committed, 0);
    assert_true(book()->zones[GREEN].position == WAL_UNKNOWN);
    assert_true(wal_next_id(world.wal) > highest); /* what it gives now was never given before */
    free(original.bytes);
}

/* --- a disk that is full, or fails -------------------------------------------------------------------------------- */

static void test_file_size_limit(void **state)
{
    struct rlimit before, small;
    struct stat status;
    signal(SIGXFSZ, SIG_IGN);
    world_open();
    wal_live(world.wal, BLUE, NULL);
    transact("POST /1");
    uint64_t open_one = begin("POST /2");
    struct wal_book whole = *book();
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    for (rlim_t more = 0; more < 60; more += 7) {
        small.rlim_cur = (rlim_t)whole.bytes + more;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        assert_int_equal(try_begin("POST /a request that does not fit any more, whatever comes", NULL), -EFBIG);
        struct wal_answer answer = {.status = 200};
        assert_int_equal(wal_commit(world.wal, open_one, &answer, NULL, NULL), -EFBIG);
        assert_memory_equal(&whole, book(), sizeof whole);
        assert_int_equal(fstatat(world.directory, "0000000001.wal", &status, 0), 0);
        assert_int_equal(status.st_size, whole.bytes); /* nothing half is left */
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(commit(open_one), 2);
    world_open_again();
    assert_head(2, "POST /2");
}

static void test_full_in_the_middle(void **state)
{
    world.options.max = 1u << 20;
    world_open();
    wal_live(world.wal, BLUE, NULL);
    static char text[5000];
    memset(text, 'z', sizeof text - 1);
    for (int i = 0; i < 60; i++) { /* over several segments: making one fails as well */
        struct wal_book before = *book();
        disk.writes_left = 1;
        assert_int_equal(try_begin(text, NULL), -ENOSPC);
        disk.writes_left = -1;
        assert_memory_equal(&before, book(), sizeof before);
        if (i % 10 == 3)
            world_open_again();
        transact(text);
        assert_int_equal(book()->committed, i + 1);
    }
    world_open_again();
    assert_int_equal(book()->committed, 60);
    for (uint64_t i = book()->oldest; i <= 60; i++)
        assert_int_equal(read_head(i, NULL, 0), 0);
}

/* What live has done already, and what brings the other zone in step, has room on a disk that is full for all else. */
static void test_full_but_for_the_reserve(void **state)
{
    world_open();
    wal_live(world.wal, BLUE, NULL);
    transact("POST /1");
    uint64_t open_one = begin("POST /2");
    disk.full = true;
    assert_int_equal(try_begin("POST /3", NULL), -ENOSPC); /* this is not what the reserve is for */
    assert_int_equal(faccessat(world.directory, "reserve", F_OK, 0), 0);
    assert_int_equal(commit(open_one), 2);
    assert_int_equal(faccessat(world.directory, "reserve", F_OK, 0), -1);
    assert_int_equal(try_begin("POST /3", NULL), -ENOSPC);
    assert_int_equal(apply(GREEN, 1), 0);
    assert_int_equal(apply(GREEN, 2), 0);
    world_open_again(); /* and so has what a new process writes */
    assert_int_equal(book()->zones[GREEN].position, 2);
    assert_int_equal(try_begin("POST /3", NULL), -ENOSPC);
    disk.full = false;
    assert_int_equal(transact("POST /3"), 3);
    disk.full = true;
    assert_int_equal(world_sync(), 0);
    world_open_again(); /* a reserve that is there is one on a full disk, too */
    assert_int_equal(apply(GREEN, 3), 0);
}

static void note_result(void *context, int result)
{
    *(int *)context = result;
}

static void test_failed_sync_is_final(void **state)
{
    int first = 1, second = 1;
    world_open();
    wal_live(world.wal, BLUE, NULL);
    assert_int_equal(world_sync(), 0);
    begin("POST /1");
    disk.sync_fails = true;
    log_set_level((enum log_level)0);
    assert_int_equal(wal_when_safe(world.wal, note_result, &first, NULL), 0);
    assert_int_equal(world_sync(), -EIO);
    disk.sync_fails = false; /* the disk seems well again, and who knows what it has */
    assert_int_equal(first, -EIO);
    assert_int_equal(wal_when_safe(world.wal, note_result, &second, NULL), 0);
    assert_int_equal(world_sync(), -EIO);
    assert_int_equal(second, -EIO);
    assert_int_equal(try_begin("POST /2", NULL), -EIO);
    assert_non_null(strstr(world.err.text, "sync"));
}

/* With nobody waiting for the disk it is told of all the same. */
static void test_failed_sync_is_told_later(void **state)
{
    world.options.sync_ms = 5;
    world_open();
    wal_live(world.wal, BLUE, NULL);
    assert_int_equal(world_sync(), 0);
    disk.sync_fails = true;
    log_set_level((enum log_level)0);
    begin("POST /1");
    int result = 0;
    for (int i = 0; i < 1000 && result == 0; i++) {
        usleep(1000);
        result = world_sync();
    }
    assert_int_equal(result, -EIO);
}

static void open_without_rights(void)
{
    if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
        _exit(100);
    int result = world_try_open();
    _exit(result == -EACCES && strstr(world.err.text, "wal") ? 0 : 101);
}

static void test_read_only_directory(void **state)
{
    int status;
    world_open();
    wal_live(world.wal, BLUE, NULL);
    world_close();
    for (int round = 0; round < 2; round++) { /* one that is there, and one that would have to be made */
        assert_int_equal(chmod(world.path, 0555), 0);
        if (round == 1)
            assert_int_equal(unlinkat(world.directory, "0000000001.wal", 0), geteuid() == 0 ? 0 : -1);
        else if (geteuid() != 0)
            assert_int_equal(fchmodat(world.directory, "0000000001.wal", 0400, 0), 0);
        pid_t pid = fork();
        if (pid == 0)
            open_without_rights();
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(chmod(world.path, 0700), 0);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

/* --- a process that is killed ------------------------------------------------------------------------------------- */

enum { AT_ONCE = 8, ROUNDS = 25 };

struct word {
    uint64_t id, sequence; /* 0: it was begun */
};

struct job {
    struct word word;
    int pipe;
};

static void next_step(void *context, int result);

static void wait_for_disk(struct job *job)
{
    if (wal_when_safe(world.wal, next_step, job, NULL) < 0)
        _exit(2);
}

/* Tells the parent what is safe by now, and does the next thing. */
static void next_step(void *context, int result)
{
    struct job *job = context;
    struct word word = job->word;
    if (result != 0 || (word.id != 0 && write(job->pipe, &word, sizeof word) != sizeof word))
        _exit(1);
    if (job->word.id == 0 || job->word.sequence != 0) {
        job->word = (struct word){begin("POST /orders HTTP/1.1\r\nHost: shop\r\n\r\n"), 0};
    } else {
        job->word.sequence = commit(job->word.id);
        if (job->word.sequence > 40)
            apply(GREEN, book()->zones[GREEN].position + 1);
    }
    wait_for_disk(job);
}

static _Noreturn void write_until_killed(int pipe)
{
    struct job jobs[AT_ONCE];
    world_open();
    wal_live(world.wal, BLUE, NULL);
    memset(jobs, 0, sizeof jobs);
    for (size_t i = 0; i < AT_ONCE; i++) {
        jobs[i].pipe = pipe;
        wait_for_disk(&jobs[i]);
    }
    loop_run(world.loop);
    _exit(3);
}

static struct {
    uint64_t ids[1u << 20], newest; /* by number; told to be committed */
} told;

/* So many words at most; false at the end. */
static bool hear(int pipe, long words)
{
    struct word word;
    for (; words > 0; words--) {
        if (read(pipe, &word, sizeof word) != sizeof word)
            return false;
        if (word.sequence == 0 || word.sequence >= sizeof told.ids / sizeof told.ids[0])
            continue;
        told.ids[word.sequence] = word.id;
        if (word.sequence > told.newest)
            told.newest = word.sequence;
    }
    return true;
}

static void check_what_was_told(void)
{
    world_open();
    assert_true(book()->committed >= told.newest);
    assert_true(book()->in_doubt <= AT_ONCE * ROUNDS);
    for (uint64_t i = book()->oldest; i <= told.newest; i++) {
        struct wal_transaction transaction;
        if (wal_read(world.wal, i, &transaction, &world.err) != 0)
            fail_msg("%s", world.err.text);
        assert_true(told.ids[i] == 0 || told.ids[i] == transaction.id);
        wal_transaction_clear(&transaction);
    }
    assert_int_equal(book()->dropped, 0);
    world_close();
}

static void test_killed_at_random(void **state)
{
    world.options.max = 8u << 20;
    memset(&told, 0, sizeof told);
    srandom(5);
    for (int round = 0; round < ROUNDS; round++) {
        int ends[2], status;
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(ends[0]);
            write_until_killed(ends[1]);
        }
        close(ends[1]);
        assert_true(hear(ends[0], 1 + random() % 60));
        kill(pid, SIGKILL); /* it goes on writing meanwhile: the end comes in the middle of something */
        assert_false(hear(ends[0], 100000));
        close(ends[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        check_what_was_told();
    }
    assert_true(told.newest > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_prefix, setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_every_hole, setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_hole_in_what_was_safe, setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_every_flipped_bit, setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_flip_in_an_old_segment, setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_missing_or_short_segments, setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_hole_between_segments, setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_torn_next_segment, setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_lost_head, setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_set_aside, setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_file_size_limit, setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_full_in_the_middle, setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_full_but_for_the_reserve, setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_failed_sync_is_final, setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_failed_sync_is_told_later, setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_read_only_directory, setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_killed_at_random, setup, world_teardown),
    };
    return cmocka_run_group_tests_name("feed_wal_damage", tests, NULL, NULL);
}
