/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wal: transactions per second of the feed's journal, each a BEGIN and a COMMIT that are waited for, with so many open
 * at once; against a loop that writes as many bytes as bare as can be, with an fdatasync after each of the two. Then
 * with sync_ms, where nobody waits, against the same writes without any sync; and reading them back in order. In a
 * directory of /var/tmp, or of TMPDIR: what matters is the disk below it.
 */
#include "feed/wal.h"
#include "base/cleanup.h"
#include "figure.h"
#include "os/files.h"
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RUN_MS = 1000, HEAD = 400, COMMITTED = 160, OPEN_MAX = 64 };

struct lane {
    uint64_t id;
};

static struct {
    char path[PATH_MAX], head[HEAD];
    int directory;
    struct loop *loop;
    struct wal *wal;
    uint64_t pairs, end_ns;
    size_t running;
    struct lane lanes[OPEN_MAX];
} bench;

static _Noreturn void die(const char *what, const struct error *err)
{
    fprintf(stderr, "bench wal: %s: %s\n", what, err ? err->text : strerror(errno));
    exit(1);
}

/* --- the floor ---------------------------------------------------------------------------------------------------- */

/* Pairs of writes as large as ours, each synced or not; pairs per second. */
static double bare(bool synced)
{
    static const char bytes[HEAD + 100];
    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/bare", bench.path);
    CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    uint64_t begin = clock_monotonic_ns(), now = begin, pairs = 0;
    off_t at = 0;
    for (; now - begin < RUN_MS * UINT64_C(1000000); pairs++) {
        for (int half = 0; half < 2; half++) {
            size_t length = half == 0 ? HEAD + 82 : COMMITTED;
            if (pwrite(fd, bytes, length, at) != (ssize_t)length || (synced && fdatasync(fd) < 0))
                die("write", NULL);
            at += (off_t)length;
        }
        now = clock_monotonic_ns();
        if (at > 512 << 20)
            at = 0;
    }
    unlink(path);
    return (double)pairs * 1e9 / (double)(now - begin);
}

/* --- the journal -------------------------------------------------------------------------------------------------- */

static void next_step(void *context, int result)
{
    struct lane *lane = context;
    struct error err = {0};
    struct wal_request request = {.head = bench.head, .head_length = HEAD, .body_fd = -1};
    struct wal_answer answer = {.status = 201, .length = 17, .sample = "{\"order\": 123456}"};
    if (result < 0)
        die("sync", NULL);
    if (lane->id != 0) {
        if (wal_commit(bench.wal, lane->id, &answer, NULL, &err) < 0)
            die("commit", &err);
        lane->id = 0;
        bench.pairs++;
    } else if (clock_monotonic_ns() >= bench.end_ns) {
        if (--bench.running == 0)
            loop_quit(bench.loop, 0);
        return;
    } else if (wal_begin(bench.wal, &request, &lane->id, &err) < 0) {
        die("begin", &err);
    }
    if (wal_when_safe(bench.wal, next_step, lane, &err) < 0)
        die("wait", &err);
}

static void open_journal(uint32_t sync_ms)
{
    struct error err = {0};
    struct wal_options options = {
        .directory = bench.directory, .max = UINT64_C(1) << 30, .sync_ms = sync_ms, .new_app = true};
    if (wal_open(bench.loop, &options, &bench.wal, &err) < 0 || wal_live(bench.wal, BLUE, &err) < 0)
        die("open", &err);
}

static void close_journal(void)
{
    struct error err = {0};
    char path[PATH_MAX + 32];
    wal_close(bench.wal);
    for (uint64_t number = 1;; number++) {
        snprintf(path, sizeof path, "%s/%010lu.wal", bench.path, (unsigned long)number);
        if (unlink(path) < 0)
            break;
    }
    if (errno != ENOENT)
        die("tidy up", &err);
}

static double pairs_per_second(size_t open_at_once)
{
    uint64_t begin = clock_monotonic_ns();
    bench.pairs = 0;
    bench.end_ns = begin + RUN_MS * UINT64_C(1000000);
    bench.running = open_at_once;
    for (size_t i = 0; i < open_at_once; i++) {
        bench.lanes[i].id = 0;
        next_step(&bench.lanes[i], 0);
    }
    loop_run(bench.loop);
    return (double)bench.pairs * 1e9 / (double)(clock_monotonic_ns() - begin);
}

/* Without waiting for a turn of the loop, which is the role's own business. */
static double appends_per_second(void)
{
    struct wal_request request = {.head = bench.head, .head_length = HEAD, .body_fd = -1};
    struct wal_answer answer = {.status = 201, .length = 17, .sample = "{\"order\": 123456}"};
    uint64_t begin = clock_monotonic_ns(), now = begin, pairs = 0, id;
    struct error err = {0};
    for (; now - begin < RUN_MS * UINT64_C(1000000) / 2; now = clock_monotonic_ns(), pairs++) {
        if (wal_begin(bench.wal, &request, &id, &err) < 0 || wal_commit(bench.wal, id, &answer, NULL, &err) < 0)
            die("append", &err);
    }
    return (double)pairs * 1e9 / (double)(now - begin);
}

static double reads_per_second(void)
{
    uint64_t begin = clock_monotonic_ns(), count = 0;
    const struct wal_book *book = wal_book(bench.wal);
    struct error err = {0};
    for (uint64_t i = book->oldest; i <= book->committed && count < 200000; i++, count++) {
        struct wal_transaction transaction;
        if (wal_read(bench.wal, i, &transaction, &err) < 0)
            die("read", &err);
        wal_transaction_clear(&transaction);
    }
    return (double)count * 1e9 / (double)(clock_monotonic_ns() - begin);
}

static void show(const char *what, double per_second, double floor_of_it)
{
    char subject[80];
    printf("  %-44s %9.0f/s   %.2f of the floor\n", what, per_second, per_second / floor_of_it);
    snprintf(subject, sizeof subject, "%s%s", strncmp(what, "floor", 5) == 0 ? "" : "bluegreen: ", what);
    figure("The feed's journal", "transactions a second", subject, per_second);
}

int main(void)
{
    static const size_t open_at_once[] = {1, 16, 64};
    const char *base = getenv("TMPDIR");
    struct error err = {0};
    snprintf(bench.path, sizeof bench.path, "%s/bluegreen-bench-XXXXXX", base ? base : "/var/tmp");
    memset(bench.head, 'h', sizeof bench.head);
    if (!mkdtemp(bench.path) || loop_new(&bench.loop, &err) < 0)
        die("prepare", NULL);
    bench.directory = open(bench.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    double synced = bare(true);
    printf("wal: transactions of %d bytes, each begun and committed\n", HEAD);
    show("floor: pwrite and fdatasync, twice", synced, synced);
    for (size_t i = 0; i < sizeof open_at_once / sizeof open_at_once[0]; i++) {
        char what[64];
        snprintf(what, sizeof what, "sync = each, %zu open", open_at_once[i]);
        open_journal(0);
        show(what, pairs_per_second(open_at_once[i]), synced);
        close_journal();
    }
    double written = bare(false);
    show("floor: pwrite, twice", written, written);
    open_journal(100);
    show("sync = 100ms, 64 open, by the loop", pairs_per_second(64), written);
    show("sync = 100ms, without a loop", appends_per_second(), written);
    show("read in order, with check sums", reads_per_second(), written);
    close_journal();
    loop_free(bench.loop);
    close_fd(&bench.directory);
    return directory_remove(bench.path, &err) < 0 ? 1 : 0;
}
