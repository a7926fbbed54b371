/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the app's output goes: the log file of its zone, an index beside it that tells when what was written, and the
 * system's journal if there is one. Apart from the shim's other parts so that each of the three can be tested alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* --- index.c: "log.index" --- */

/* What a reader finds (include/bluegreen/bluegreen.h): a head, then marks. A mark: what is at `offset` came at
 * `unix_ms`, what follows it up to the next one at most span_ms later. */
struct log_head {
    char magic[8]; /* LOG_INDEX_MAGIC */
    uint64_t span_ms;
    uint64_t inode; /* of the log: the two are renamed one after the other */
};

struct log_mark {
    uint64_t unix_ms;
    uint64_t offset;
};

#define LOG_INDEX_MAGIC   "BGINDEX1"
#define LOG_INDEX_MARKS   65536 /* 1 MiB; then marks that are near to each other are joined */
#define LOG_INDEX_STEP_MS 1000  /* between two marks, at first */

struct log_index {
    int file; /* -1: there is none, and that is all right */
    uint64_t inode;
    uint32_t count; /* marks in it */
    uint64_t step_ms, span_ms;
    uint64_t last_ms; /* of the last mark */
};

/* Opens, or begins, the index of the log that is open as `log` and holds size bytes. */
void log_index_open(struct log_index *index, int directory, const char *name, int log, uint64_t size);
void log_index_close(struct log_index *index);
/* Something is about to be written at this offset. */
void log_index_mark(struct log_index *index, uint64_t unix_ms, uint64_t offset);

/* --- journal.c --- */

#define JOURNAL_SOCKET "/run/systemd/journal/stdout"

/* A stream to journald. It never waits: what journald does not take in time is left out there, and said so. */
struct journal {
    const char *path;    /* of journald's socket; borrowed */
    char identifier[32]; /* what journalctl -t finds */
    int events;          /* epoll instance, where the socket is while it cannot take what is held */
    int socket;          /* -1 = not connected */
    int pipe_read, pipe_write;
    bool waiting; /* in events */
    bool missed;  /* something was left out since the last that was taken */
    uint64_t retry_ms;
};

void journal_open(struct journal *journal, const char *path, const char *identifier, int events);
void journal_close(struct journal *journal);
/* Takes a copy of what is in the pipe `from` without taking it out. How many bytes, at most `most`, are copied; 0: none
 * will be, the journal is not there or does not keep up. */
size_t journal_copy(struct journal *journal, int from, size_t most, uint64_t now_ms);
/* The same of a text. */
void journal_text(struct journal *journal, const char *text, uint64_t now_ms);
/* Sends on what is held. */
void journal_flush(struct journal *journal);

/* --- logfile.c --- */

#define LOG_RATE (8u * 1024 * 1024) /* bytes a second: 675 GiB a day */

/* Descriptors are -1 while closed. */
struct logfile {
    int events;                      /* readable when logfile_move has something to do */
    int directory;                   /* STATE/zones/APP.COLOUR */
    int file;                        /* "log" in it */
    uint64_t size;                   /* of file */
    size_t copied;                   /* bytes at the pipe's end that the journal has already */
    uint64_t turn_ms, rest_until_ms; /* since when, and until when nothing more is moved; 0 = it does not rest */
    size_t turn_bytes;               /* moved since turn_ms */
    int pipe_read, pipe_write;       /* never closed: what a former process of the app left running may still write */
    struct log_index index;
    struct journal journal;
};

/* 0 or -errno; a file that cannot be opened is no error. zone: APP.COLOUR. */
int logfile_open(struct logfile *log, int directory, const char *zone);
/* The app may open its own stdout again (/dev/stdout): the pipe must be its own. */
int logfile_give(const struct logfile *log, uid_t uid, gid_t gid);
/* Moves what is in the pipe, one bounded piece. True if there may be more. */
bool logfile_move(struct logfile *log);
/* The same when log->events is readable, or it is rest_until_ms: at most LOG_RATE, whoever writes more waits. */
void logfile_serve(struct logfile *log);
/* A line of the shim's own. */
void logfile_note(struct logfile *log, const char *const parts[], size_t count);
