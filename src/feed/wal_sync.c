/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread that waits for the disk. Everything that both threads touch is in struct wal_sync, below its mutex. */
#include "feed/wal_sync.h"

#include "base/cleanup.h"
#include "feed/wal_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

struct sync_file {
    int fd; /* our own */
    bool made;
};

struct removal {
    uint64_t number, at;
};

struct wal_sync {
    int directory, event;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake, ended;
    bool stop;
    uint64_t wanted, done;
    int failure;
    struct sync_file *files; /* the last is being written to, the others are to be synced once more */
    size_t file_count, file_room;
    struct removal *removals;
    size_t removal_count, removal_room;
};

/* --- in the thread ------------------------------------------------------------------------------------------------ */

static int sync_one(int fd)
{
    int result;
    do
        result = fdatasync(fd);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

/* Syncs the first `count` files; called without the mutex: only this thread removes from the list, so they stay. */
static int sync_files(struct wal_sync *sync, const struct sync_file *files, size_t count)
{
    bool made = false;
    for (size_t i = 0; i < count; i++) {
        int result = sync_one(files[i].fd);
        if (result < 0)
            return result;
        made = made || files[i].made;
    }
    if (made && fsync(sync->directory) < 0)
        return -errno;
    return 0;
}

static void forget_files(struct wal_sync *sync, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++)
        close(sync->files[i].fd);
    memmove(sync->files, sync->files + count - 1, (sync->file_count - count + 1) * sizeof *sync->files);
    sync->file_count -= count - 1;
    sync->files[0].made = false; /* the last of those that were synced goes on */
}

/* The names that may go by now. A file that stays is removed when the journal is opened again. */
static void remove_names(struct wal_sync *sync)
{
    size_t kept = 0;
    for (size_t i = 0; i < sync->removal_count; i++) {
        char name[WAL_NAME_SIZE];
        if (sync->removals[i].at > sync->done) {
            sync->removals[kept++] = sync->removals[i];
            continue;
        }
        wal_segment_name(sync->removals[i].number, name);
        unlinkat(sync->directory, name, 0);
    }
    sync->removal_count = kept;
}

/* With the mutex, which is given up meanwhile. */
static void sync_round(struct wal_sync *sync)
{
    uint64_t target = sync->wanted, one = 1;
    size_t count = sync->file_count;
    CLEANUP_FREE struct sync_file *files = calloc(count + 1, sizeof *files);
    if (files)
        memcpy(files, sync->files, count * sizeof *files);
    pthread_mutex_unlock(&sync->mutex);
    int result = files ? sync_files(sync, files, count) : -ENOMEM;
    pthread_mutex_lock(&sync->mutex);
    if (result == 0) {
        sync->done = target;
        forget_files(sync, count);
        remove_names(sync);
    } else {
        sync->failure = result;
    }
    pthread_cond_signal(&sync->ended);
    if (write(sync->event, &one, sizeof one) < 0 && sync->failure == 0)
        sync->failure = -errno; /* cannot be: an eventfd that is that full is readable */
}

static void *sync_thread(void *context)
{
    struct wal_sync *sync = context;
    pthread_mutex_lock(&sync->mutex);
    for (;;) {
        bool due = sync->wanted > sync->done && sync->failure == 0 && sync->file_count > 0;
        if (due)
            sync_round(sync);
        else if (sync->stop)
            break;
        else
            pthread_cond_wait(&sync->wake, &sync->mutex);
    }
    pthread_mutex_unlock(&sync->mutex);
    return NULL;
}

/* --- beside it ---------------------------------------------------------------------------------------------------- */

static void free_parts(struct wal_sync *sync)
{
    for (size_t i = 0; i < sync->file_count; i++)
        close(sync->files[i].fd);
    pthread_cond_destroy(&sync->ended);
    pthread_cond_destroy(&sync->wake);
    pthread_mutex_destroy(&sync->mutex);
    close_fd(&sync->event);
    free(sync->files);
    free(sync->removals);
    free(sync);
}

static int start_thread(struct wal_sync *sync)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN + 64 * 1024);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    int code = pthread_create(&sync->thread, &attributes, sync_thread, sync);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return code;
}

int wal_sync_new(int directory, uint64_t done, struct wal_sync **sync, struct error *err)
{
    struct wal_sync *made = calloc(1, sizeof *made);
    if (!made)
        return error_errno(err, ENOMEM, "sync the feed's journal");
    made->directory = directory;
    made->wanted = made->done = done;
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->wake, NULL);
    pthread_cond_init(&made->ended, NULL);
    made->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int code = made->event < 0 ? errno : start_thread(made);
    if (code != 0) {
        free_parts(made);
        return error_errno(err, code, "start the thread that syncs the feed's journal");
    }
    *sync = made;
    return 0;
}

void wal_sync_free(struct wal_sync *sync)
{
    if (!sync)
        return;
    pthread_mutex_lock(&sync->mutex);
    sync->stop = true;
    pthread_cond_signal(&sync->wake);
    pthread_mutex_unlock(&sync->mutex);
    pthread_join(sync->thread, NULL);
    free_parts(sync);
}

int wal_sync_event(const struct wal_sync *sync)
{
    return sync->event;
}

int wal_sync_file(struct wal_sync *sync, int fd, bool made, struct error *err)
{
    CLEANUP_FD int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return error_errno(err, errno, "sync the feed's journal");
    pthread_mutex_lock(&sync->mutex);
    bool room = sync->file_count < sync->file_room;
    if (!room) {
        struct sync_file *grown = reallocarray(sync->files, sync->file_room * 2 + 8, sizeof *grown);
        room = grown != NULL;
        if (grown) {
            sync->files = grown;
            sync->file_room = sync->file_room * 2 + 8;
        }
    }
    if (room)
        sync->files[sync->file_count++] = (struct sync_file){steal_fd(&own), made};
    pthread_mutex_unlock(&sync->mutex);
    return room ? 0 : error_errno(err, ENOMEM, "sync the feed's journal");
}

void wal_sync_want(struct wal_sync *sync, uint64_t at)
{
    pthread_mutex_lock(&sync->mutex);
    if (at > sync->wanted) {
        sync->wanted = at;
        pthread_cond_signal(&sync->wake);
    }
    pthread_mutex_unlock(&sync->mutex);
}

void wal_sync_flush(struct wal_sync *sync)
{
    pthread_mutex_lock(&sync->mutex);
    while (sync->done < sync->wanted && sync->failure == 0)
        pthread_cond_wait(&sync->ended, &sync->mutex);
    pthread_mutex_unlock(&sync->mutex);
}

void wal_sync_remove(struct wal_sync *sync, uint64_t number, uint64_t at)
{
    pthread_mutex_lock(&sync->mutex);
    if (sync->removal_count == sync->removal_room) {
        struct removal *grown = reallocarray(sync->removals, sync->removal_room * 2 + 8, sizeof *grown);
        if (grown) {
            sync->removals = grown;
            sync->removal_room = sync->removal_room * 2 + 8;
        }
    }
    if (sync->removal_count < sync->removal_room) /* else it goes when the journal is opened again */
        sync->removals[sync->removal_count++] = (struct removal){number, at};
    pthread_mutex_unlock(&sync->mutex);
}

uint64_t wal_sync_done(struct wal_sync *sync, int *failure)
{
    pthread_mutex_lock(&sync->mutex);
    uint64_t done = sync->done;
    *failure = sync->failure;
    pthread_mutex_unlock(&sync->mutex);
    return done;
}
