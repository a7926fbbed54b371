/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a feed's journal. First as single entries and as a checkpoint: what is accepted must be written the same
 * way again, and the book must stand it. Then as the entries of a segment behind a head and a checkpoint that are
 * right, each with the check sums that it should have, or the fuzzer would never get past them: the journal opens, or
 * says that it is damaged, and what it says to be there can be read. The thread that syncs is played: it reads nothing,
 * and would take longer than all the rest.
 */
#include "base/cleanup.h"
#include "feed/wal.h"
#include "feed/wal_book.h"
#include "fuzz.h"
#include "os/log.h"
#include "played_sync.h"

#include <string.h>

/* --- single values ------------------------------------------------------------------------------------------------ */

static void try_entry(const uint8_t *data, size_t size)
{
    CLEANUP_TEXT struct text again = {0};
    struct wal_entry entry;
    struct wal_state state;
    enum wal_kind kind = (enum wal_kind)(data[0] % WAL_KINDS);
    if (!wal_entry_decode(kind, data + 1, size - 1, size - 1, &entry))
        return;
    wal_entry_encode(&entry, &again);
    require(again.length == (kind == WAL_BEGIN ? WAL_BEGIN_SIZE : size - 1));
    require(memcmp(again.data ? again.data : "", data + 1, again.length) == 0);
    wal_state_init(&state, true, 1);
    require(wal_state_push(&state, 1, NULL) == 0);
    if (wal_state_admit(&state, &entry, NULL) == 0)
        wal_state_add(&state, &entry, (struct wal_place){1, 32}, size);
    wal_state_clear(&state);
}

/* A checkpoint that is accepted stands every entry. */
static void try_checkpoint(const uint8_t *data, size_t size)
{
    CLEANUP_TEXT struct text again = {0};
    struct wal_state state;
    if (wal_state_decode(&state, data, size) < 0)
        return;
    wal_state_encode(&state, &again);
    require(again.length == size && memcmp(again.data, data, size) == 0);
    for (unsigned kind = WAL_OPENED; kind < WAL_KINDS; kind++) {
        struct wal_entry entry = {.kind = (enum wal_kind)kind, .zone = (int8_t)(kind % 2), .sequence = kind};
        entry.id = kind == WAL_OPENED || kind == WAL_BEGIN ? state.next_id : kind;
        if (wal_state_admit(&state, &entry, NULL) == 0)
            wal_state_add(&state, &entry, (struct wal_place){state.rows[state.row_count - 1].number, 32}, 10);
    }
    wal_state_clear(&state);
}

/* --- a segment ---------------------------------------------------------------------------------------------------- */

static char path[] = "/dev/shm/bluegreen-fuzz-wal-XXXXXX";
static int directory = -1;

static void tidy(void)
{
    uint64_t *numbers;
    size_t count;
    require(wal_segment_list(directory, &numbers, &count, NULL) == 0);
    for (size_t i = 0; i < count; i++) {
        char name[WAL_NAME_SIZE];
        wal_segment_name(numbers[i], name);
        unlinkat(directory, name, 0);
    }
    free(numbers);
}

static void remove_directory(void)
{
    tidy();
    rmdir(path);
}

static void begin_segment(struct wal_segment *segment)
{
    CLEANUP_TEXT struct text payload = {0};
    struct wal_state state;
    wal_state_init(&state, true, 1);
    require(wal_state_push(&state, 1, NULL) == 0);
    wal_state_encode(&state, &payload);
    struct wal_chunk chunk = {.kind = WAL_CHECKPOINT, .payload = payload.data, .payload_length = payload.length};
    require(wal_segment_make(directory, 1, 0, segment, NULL) == 0);
    require(wal_segment_append(segment, &chunk, NULL) == 0);
    wal_state_clear(&state);
}

static void add_entry(struct text *file, struct wal_frame *frame, const uint8_t *payload)
{
    uint8_t bytes[WAL_FRAME_SIZE];
    size_t start = file->length;
    wal_frame_encode(frame, bytes);
    text_add_bytes(file, bytes, sizeof bytes);
    text_add_bytes(file, payload, frame->length);
    uint32_t crc = htole32(crc32c(file->data + start, file->length - start));
    text_add_bytes(file, &crc, sizeof crc);
}

/* Pieces of the data, each behind a byte that says its kind and one that says its length; in one write, because that is
 * what takes the time. */
static void write_entries(const struct wal_segment *segment, const uint8_t *data, size_t size)
{
    CLEANUP_TEXT struct text file = {0};
    while (size >= 2) {
        enum wal_kind kind = (enum wal_kind)(data[0] % WAL_KINDS);
        struct wal_frame frame = {.kind = kind ? kind : WAL_CHECKPOINT};
        frame.at = segment->at + segment->size + file.length;
        frame.length = data[1] < size - 2 ? data[1] : (uint32_t)size - 2;
        frame.safe = frame.at * (data[0] >> 7);
        add_entry(&file, &frame, data + 2);
        data += 2 + frame.length;
        size -= 2 + frame.length;
    }
    text_add_bytes(&file, data, size);
    require(!file.failed);
    require(pwrite(segment->fd, file.data, file.length, (off_t)segment->size) == (ssize_t)file.length);
}

static int visit(void *context, const struct wal_note *note)
{
    require(note->kind <= WAL_NOTE_TWICE && strlen(note->request) <= WAL_SAMPLE_MAX);
    return 0;
}

static void use(struct wal *wal)
{
    const struct wal_book *book = wal_book(wal);
    for (uint64_t i = book->oldest; i <= book->committed && i < book->oldest + 50; i++) {
        struct wal_transaction transaction;
        wal_read(wal, i, &transaction, NULL);
        wal_transaction_clear(&transaction);
    }
    require(wal_notes(wal, visit, NULL, NULL) == 0);
    require(wal_live(wal, BLUE, NULL) == 0);
    struct wal_request request = {.head = "POST /", .head_length = 6, .body_fd = -1};
    struct wal_answer answer = {.status = 200};
    struct wal_transaction transaction;
    uint64_t id, sequence;
    require(wal_begin(wal, &request, &id, NULL) == 0);
    require(wal_commit(wal, id, &answer, &sequence, NULL) == 0);
    require(wal_read(wal, sequence, &transaction, NULL) == 0);
    wal_transaction_clear(&transaction);
}

static void try_segment(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    struct wal_segment segment;
    struct wal *wal = NULL;
    if (directory < 0) {
        log_set_level((enum log_level)0);
        require(mkdtemp(path) != NULL && loop_new(&loop, NULL) == 0);
        directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        require(directory >= 0 && atexit(remove_directory) == 0);
    }
    begin_segment(&segment);
    write_entries(&segment, data, size);
    wal_segment_close(&segment);
    struct wal_options options = {.directory = directory, .max = 1u << 20};
    for (int round = 0; round < 2; round++) {
        struct error err = {0};
        int result = wal_open(loop, &options, &wal, &err);
        require(result == 0 || (round == 0 && result == -EBADMSG && err.text[0] != '\0'));
        if (result < 0)
            break;
        use(wal);
        wal_close(wal);
    }
    tidy();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    switch (data[0] % 3) {
    case 0: try_entry(data + 1, size - 1); break;
    case 1: try_checkpoint(data + 1, size - 1); break;
    default: try_segment(data + 1, size - 1); break;
    }
    return 0;
}
