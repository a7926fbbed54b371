/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A feed's journal that is written to, and a machine that stops. The bytes say what is done to it, in segments enough
 * that some are removed; how much of it the disk has; and what became of the rest: it is cut off, or sectors were not
 * written, in some files and not in others. Whatever that is, the journal opens, has all that it said to be safe, each
 * transaction with its own bytes, and goes on.
 */
#include "base/cleanup.h"
#include "feed/wal.h"
#include "feed/wal_inside.h"
#include "fuzz.h"
#include "os/log.h"
#include "played_sync.h"

#include <inttypes.h>
#include <string.h>

enum { OPEN_MAX_IDS = 32, LARGE = 31000, STEP = 5, STEPS_MAX = 48, FILES_SEEN = 80, SECTOR = 512, READ = 3 };

struct stage {
    struct loop *loop;
    struct loop_timer *timer;
    struct wal *wal;
    uint64_t open[OPEN_MAX_IDS]; /* begun, and not ended */
    size_t open_count;
    uint64_t safe;                /* the newest number that was said to be safe */
    uint64_t ends[STEPS_MAX + 2]; /* up to where something was written in one go, since it was opened */
    size_t end_count;
    bool called;
};

/* A file of the journal as it is before the machine stops. */
struct seen {
    uint64_t number, at, size;
};

static char path[] = "/dev/shm/bluegreen-fuzz-crash-XXXXXX";
static int directory = -1;

static void tidy(void)
{
    CLEANUP_FREE uint64_t *numbers = NULL;
    size_t count;
    require(wal_segment_list(directory, &numbers, &count, NULL) == 0);
    for (size_t i = 0; i < count; i++) {
        char name[WAL_NAME_SIZE];
        wal_segment_name(numbers[i], name);
        unlinkat(directory, name, 0);
    }
}

static void remove_directory(void)
{
    tidy();
    rmdir(path);
}

static void on_turn(void *context)
{
    loop_quit(((struct stage *)context)->loop, 0);
}

static void turn(struct stage *stage)
{
    loop_timer_arm(stage->timer, 0);
    loop_run(stage->loop);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* The head has the id, and the body is as long as the id says. */
static void check_transaction(struct wal *wal, uint64_t sequence)
{
    struct wal_transaction transaction = {0};
    const struct wal_book *book = wal_book(wal);
    int result = wal_read(wal, sequence, &transaction, NULL);
    bool unneeded = sequence <= book->dropped || book->zones[BLUE].position == WAL_UNKNOWN ||
                    book->zones[GREEN].position == WAL_UNKNOWN;
    if (result == -ENOENT && unneeded)
        return; /* open for so long that it was dropped at the bound */
    require(result == 0);
    require(transaction.sequence == sequence);
    require(strncmp(transaction.bytes, "POST /", 6) == 0);
    require(strtoull(transaction.bytes + 6, NULL, 10) == transaction.id);
    require(transaction.body_length == 1 || transaction.body_length == LARGE);
    require(transaction.bytes[transaction.head_length] == 'b');
    wal_transaction_clear(&transaction);
}

static int visit(void *context, const struct wal_note *note)
{
    (void)context;
    require(note->kind <= WAL_NOTE_TWICE && strlen(note->request) <= WAL_SAMPLE_MAX);
    return 0;
}

static void check_book(struct stage *stage)
{
    const struct wal_book *book = wal_book(stage->wal);
    require(book->committed >= stage->safe && book->oldest <= book->committed + 1);
    require(book->live < 0 || book->zones[book->live].position == book->committed ||
            book->zones[book->live].position == WAL_UNKNOWN);
    for (int i = 0; i < COLOURS; i++)
        require(book->zones[i].position <= book->committed || book->zones[i].position == WAL_UNKNOWN);
    for (uint64_t i = book->oldest; i <= book->committed; i++) {
        if (i < book->oldest + READ || i + READ > book->committed)
            check_transaction(stage->wal, i);
    }
    require(wal_notes(stage->wal, visit, NULL, NULL) == 0);
}

static void open_journal(struct stage *stage)
{
    /* Less than anybody may write into a file, so that few bytes come to the bound: four files. */
    struct wal_options options = {.directory = directory, .max = 1u << 18, .new_app = true};
    struct error err = {0};
    if (wal_open(stage->loop, &options, &stage->wal, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    stage->open_count = 0; /* all of them are in doubt */
    stage->ends[0] = stage->wal->state.end;
    stage->end_count = 1;
    check_book(stage);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void begin(struct stage *stage, bool large)
{
    static char body[LARGE];
    memset(body, 'b', sizeof body);
    char head[64];
    uint64_t id;
    int length = snprintf(head, sizeof head, "POST /%" PRIu64, wal_next_id(stage->wal));
    struct wal_request request = {
        .head = head, .head_length = (size_t)length, .body = body, .body_length = large ? LARGE : 1, .body_fd = -1};
    if (stage->open_count == OPEN_MAX_IDS || wal_begin(stage->wal, &request, &id, NULL) < 0)
        return;
    stage->open[stage->open_count++] = id;
}

static uint64_t take_open(struct stage *stage, uint8_t which)
{
    if (stage->open_count == 0)
        return 0;
    size_t index = which % stage->open_count;
    uint64_t id = stage->open[index];
    stage->open[index] = stage->open[--stage->open_count];
    return id;
}

static void end(struct stage *stage, unsigned how, uint8_t which)
{
    struct wal_answer answer = {.status = 200, .length = which};
    uint64_t id = take_open(stage, which), sequence, before = wal_book(stage->wal)->committed;
    if (id == 0)
        return;
    switch (how) {
    case 0:
        require(wal_commit(stage->wal, id, &answer, &sequence, NULL) == 0 && sequence == before + 1);
        check_transaction(stage->wal, sequence);
        break;
    case 1: require(wal_abort(stage->wal, id, NULL) == 0); break;
    default:
        require(wal_doubt(stage->wal, id, NULL) == 0);
        if (which & 0x40)
            require(wal_settle(stage->wal, id, which & 0x80, NULL) == 0);
    }
}

/* To the zone that is not live; what the journal says to be impossible it refuses. */
static void apply(struct stage *stage, unsigned how, uint8_t which)
{
    const struct wal_book *book = wal_book(stage->wal);
    enum colour zone = book->live == BLUE ? GREEN : BLUE;
    uint64_t position = book->zones[zone].position,
             sequence = position == WAL_UNKNOWN ? which : position + 1 + which % 4;
    struct wal_answer answer = {.status = 404};
    if (wal_applying(stage->wal, zone, sequence, NULL) < 0)
        return;
    if (how == 1)
        require(wal_applying_again(stage->wal, zone, sequence, NULL) == 0);
    else if (how == 2)
        require(wal_applied(stage->wal, zone, sequence, &answer, which & 0x40, which & 0x80, NULL) == 0);
}

static void on_safe(void *context, int result)
{
    struct stage *stage = context;
    require(result == 0);
    stage->called = true;
}

static void make_safe(struct stage *stage)
{
    uint64_t committed = wal_book(stage->wal)->committed;
    stage->called = false;
    require(wal_when_safe(stage->wal, on_safe, stage, NULL) == 0);
    turn(stage);
    played_sync_now();
    turn(stage);
    require(stage->called);
    stage->safe = committed;
}

/* --- the end of the machine --------------------------------------------------------------------------------------- */

static size_t look(struct seen seen[FILES_SEEN])
{
    CLEANUP_FREE uint64_t *numbers = NULL;
    size_t count;
    require(wal_segment_list(directory, &numbers, &count, NULL) == 0 && count <= FILES_SEEN);
    for (size_t i = 0; i < count; i++) {
        struct wal_segment segment;
        require(wal_segment_open(directory, numbers[i], false, &segment, NULL) == 0);
        seen[i] = (struct seen){numbers[i], segment.at, segment.size};
        wal_segment_close(&segment);
    }
    return count;
}

/* Puts the files back: closing is orderly, and this was not. */
static void close_unheard(struct stage *stage, const struct seen *seen, size_t count)
{
    CLEANUP_FREE uint64_t *numbers = NULL;
    size_t now;
    wal_close(stage->wal);
    require(wal_segment_list(directory, &numbers, &now, NULL) == 0);
    for (size_t i = 0, j = 0; i < now; i++) {
        char name[WAL_NAME_SIZE];
        wal_segment_name(numbers[i], name);
        while (j < count && seen[j].number < numbers[i])
            j++;
        CLEANUP_FD int fd = openat(directory, name, O_RDWR | O_CLOEXEC);
        require(fd >= 0);
        if (j < count && seen[j].number == numbers[i])
            require(ftruncate(fd, (off_t)seen[j].size) == 0);
        else
            unlinkat(directory, name, 0);
    }
}

static void zero(int fd, uint64_t from, uint64_t to)
{
    static const char nothing[SECTOR];
    for (; from < to; from += SECTOR) {
        size_t length = to - from < SECTOR ? (size_t)(to - from) : SECTOR;
        require(pwrite(fd, nothing, length, (off_t)from) == (ssize_t)length);
    }
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* `from` is where the disk's part ends: something began there, or a file. */
static void tear(const struct seen *file, uint64_t from, uint8_t how, uint8_t where)
{
    char name[WAL_NAME_SIZE];
    uint64_t sector = (from / SECTOR + 1) * SECTOR, hole = least(sector + where * SECTOR, file->size);
    wal_segment_name(file->number, name);
    CLEANUP_FD int fd = openat(directory, name, O_RDWR | O_CLOEXEC);
    require(fd >= 0);
    switch (how % 6) {
    case 0:
        if (from == 0)
            unlinkat(directory, name, 0); /* nor does the directory have it */
        else
            require(ftruncate(fd, (off_t)from) == 0);
        break;
    case 1: require(ftruncate(fd, (off_t)least(from + where * 7, file->size)) == 0); break;
    case 2: zero(fd, from, file->size); break;
    case 3: zero(fd, from, least(sector, file->size)); break;
    case 4: zero(fd, hole, least(hole + SECTOR, file->size)); break;
    default: break; /* all of it is there */
    }
}

static void stop_machine(struct stage *stage, const uint8_t *how)
{
    struct seen seen[FILES_SEEN];
    size_t count = look(seen);
    uint64_t from = stage->ends[how[0] % stage->end_count];
    if (from < played.done)
        from = played.done;
    close_unheard(stage, seen, count);
    for (size_t i = 0; i < count; i++) {
        uint64_t at = seen[i].at;
        if (at + seen[i].size > from)
            tear(&seen[i], at < from ? from - at : 0, at < from ? how[1] : (uint8_t)(how[2] >> i % 4), how[3]);
    }
    open_journal(stage);
}

static void restart(struct stage *stage)
{
    played.lazy = false;
    wal_close(stage->wal);
    played.lazy = true;
    open_journal(stage);
}

static void step(struct stage *stage, const uint8_t *data)
{
    struct wal *wal = stage->wal;
    switch (data[0] % 16) {
    case 0: begin(stage, false); break;
    case 1:
    case 2: begin(stage, true); break;
    case 3:
    case 4: end(stage, 0, data[1]); break;
    case 5: end(stage, 1, data[1]); break;
    case 6: end(stage, 2, data[1]); break;
    case 7: apply(stage, 0, data[1]); break;
    case 8: apply(stage, 1, data[1]); break;
    case 9:
    case 10: apply(stage, 2, data[1]); break;
    case 11: require(wal_live(wal, data[1] % 2 ? GREEN : BLUE, NULL) == 0); break;
    case 12:
        wal_seeded(wal, wal_book(wal)->live == BLUE ? GREEN : BLUE, wal_book(wal)->committed - data[1] % 3, NULL);
        break;
    case 13: make_safe(stage); break;
    case 14: stop_machine(stage, data + 1); break;
    default: data[1] % 2 ? restart(stage) : wal_pin(wal, wal_book(wal)->committed); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    struct stage stage = {0};
    if (directory < 0) {
        log_set_level((enum log_level)0);
        require(mkdtemp(path) != NULL && loop_new(&loop, NULL) == 0);
        directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        require(directory >= 0 && atexit(remove_directory) == 0);
    }
    stage.loop = loop;
    stage.timer = loop_timer_new(loop, on_turn, &stage);
    played.lazy = true;
    open_journal(&stage);
    require(wal_live(stage.wal, BLUE, NULL) == 0);
    for (size_t i = 0; i < STEPS_MAX && size >= STEP; i++, data += STEP, size -= STEP) {
        step(&stage, data);
        if (stage.end_count <= STEPS_MAX)
            stage.ends[stage.end_count++] = stage.wal->state.end;
    }
    check_book(&stage);
    wal_close(stage.wal);
    loop_timer_free(stage.timer);
    tidy();
    return 0;
}
