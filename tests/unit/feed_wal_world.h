/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A feed's journal in a temporary directory, for tests: opened, written, synced, and looked at in few words. */
#pragma once

#include "feed/wal.h"

#include "base/cleanup.h"
#include "os/files.h"
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct {
    char path[PATH_MAX];
    int directory;
    struct loop *loop;
    struct wal *wal;
    struct wal_options options;
    struct error err;
} world;

static inline void world_directory(void)
{
    /* Most of what is tried is not about the disk; tens of thousands of syncs of one would be. */
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(world.path, sizeof world.path, "%s/bluegreen-wal-XXXXXX", base);
    assert_non_null(mkdtemp(world.path));
    world.directory = open(world.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(world.directory >= 0);
}

static inline int world_setup(void **state)
{
    memset(&world, 0, sizeof world);
    log_set_level(LOG_LEVEL_ERROR);
    world_directory();
    assert_int_equal(loop_new(&world.loop, NULL), 0);
    world.options = (struct wal_options){.directory = world.directory, .max = 64u << 20, .new_app = true};
    return 0;
}

static inline int world_teardown(void **state)
{
    wal_close(world.wal);
    loop_free(world.loop);
    close_fd(&world.directory);
    return directory_remove(world.path, NULL);
}

static inline int world_try_open(void)
{
    memset(&world.err, 0, sizeof world.err);
    world.wal = NULL;
    return wal_open(world.loop, &world.options, &world.wal, &world.err);
}

static inline void world_open(void)
{
    if (world_try_open() != 0)
        fail_msg("%s", world.err.text);
}

static inline void world_close(void)
{
    wal_close(world.wal);
    world.wal = NULL;
}

static inline void world_open_again(void)
{
    world_close();
    world_open();
}

static inline void quit_with(void *context, int result)
{
    loop_quit(context, result);
}

/* Waits until it is safe; what the callback was told. */
static inline int world_sync(void)
{
    assert_int_equal(wal_when_safe(world.wal, quit_with, world.loop, NULL), 0);
    return loop_run(world.loop);
}

static inline int try_begin(const char *text, uint64_t *id)
{
    struct wal_request request = {
        .lane = 7, .unix_ms = 1700000000000, .door = 8443, .mode = 1, .head = text, .body_fd = -1};
    request.head_length = strlen(text);
    return wal_begin(world.wal, &request, id, &world.err);
}

static inline uint64_t begin(const char *text)
{
    uint64_t id = 0;
    if (try_begin(text, &id) != 0)
        fail_msg("%s", world.err.text);
    return id;
}

static inline uint64_t commit(uint64_t id)
{
    uint64_t sequence = 0;
    struct wal_answer answer = {.status = 201, .length = 5, .sample = "hello"};
    if (wal_commit(world.wal, id, &answer, &sequence, &world.err) != 0)
        fail_msg("%s", world.err.text);
    return sequence;
}

static inline uint64_t transact(const char *text)
{
    return commit(begin(text));
}

static inline int apply(enum colour zone, uint64_t sequence)
{
    return wal_applied(world.wal, zone, sequence, NULL, false, false, &world.err);
}

static inline const struct wal_book *book(void)
{
    return wal_book(world.wal);
}

/* The head of a transaction, or the error. */
static inline int read_head(uint64_t sequence, char *text, size_t size)
{
    struct wal_transaction transaction;
    int result = wal_read(world.wal, sequence, &transaction, &world.err);
    if (result == 0)
        snprintf(text, size, "%.*s", (int)transaction.head_length, transaction.bytes);
    wal_transaction_clear(&transaction);
    return result;
}

static inline void assert_head(uint64_t sequence, const char *expected)
{
    char text[4096] = "";
    if (read_head(sequence, text, sizeof text) != 0)
        fail_msg("%s", world.err.text);
    assert_string_equal(text, expected);
}

/* --- the files ---------------------------------------------------------------------------------------------------- */

static inline char *world_file(uint64_t number, size_t *length)
{
    char path[PATH_MAX + 32], *content = NULL;
    snprintf(path, sizeof path, "%s/%010lu.wal", world.path, (unsigned long)number);
    assert_int_equal(file_read(path, 64u << 20, &content, length, NULL), 0);
    return content;
}

static inline void world_put(uint64_t number, const void *content, size_t length)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%010lu.wal", world.path, (unsigned long)number);
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, length), length);
}

static inline bool world_has(uint64_t number)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%010lu.wal", world.path, (unsigned long)number);
    return access(path, F_OK) == 0;
}
