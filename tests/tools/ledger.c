/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An app with an SQLite data base of its own in each zone, for tests of the feed: what was posted is a row, in the
 * order in which it came, and once for each Idempotency-Key. Who dies in a transaction finds it whole or not at all.
 *
 *   ledger --port N FILE          POST /book/ACCOUNT/ID adds a row and answers 201, 400 without an Idempotency-Key;
 *                                 GET /healthz. FILE.slow, where it exists, makes each POST take 20 ms
 *   ledger --dump FILE            "ID ACCOUNT" of all rows in their order
 */
#include "post_server.h"

#include <sqlite3.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sqlite3 *book;
static sqlite3_stmt *insert;
static char slow_path[4096];

static void must(int result, const char *what)
{
    if (result != SQLITE_OK)
        errx(1, "%s: %s", what, sqlite3_errmsg(book));
}

/* A killed process loses nothing that is in the page cache; that the machine dies is not tried here. */
static void open_book(const char *path, bool reads)
{
    must(sqlite3_open_v2(path, &book, reads ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
         path);
    must(sqlite3_busy_timeout(book, 5000), "set a time limit");
    if (reads)
        return;
    must(sqlite3_exec(book,
                      "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"
                      "CREATE TABLE IF NOT EXISTS entry (number INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT "
                      "NULL, id TEXT NOT NULL, once TEXT NOT NULL UNIQUE)",
                      NULL, NULL, NULL),
         "make the table");
    must(sqlite3_prepare_v2(book,
                            "INSERT INTO entry (account, id, once) VALUES (?, ?, ?) ON CONFLICT (once) DO NOTHING", -1,
                            &insert, NULL),
         "prepare the insert");
}

static bool add(const char *account, const char *id, const char *once)
{
    pthread_mutex_lock(&lock);
    sqlite3_bind_text(insert, 1, account, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 2, id, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 3, once, -1, SQLITE_STATIC);
    bool done = sqlite3_step(insert) == SQLITE_DONE;
    if (!done)
        warnx("insert: %s", sqlite3_errmsg(book));
    sqlite3_reset(insert);
    pthread_mutex_unlock(&lock);
    return done;
}

static bool serve(int fd, const char *head)
{
    char account[WORD_MAX] = "", id[WORD_MAX] = "", once[WORD_MAX];
    if (sscanf(head, "POST /book/%79[^/]/%79s", account, id) != 2)
        return answer(fd, head, "200 OK", "well\n");
    if (!field(head, "Idempotency-Key", once)[0])
        return answer(fd, head, "400 Bad Request", "no Idempotency-Key\n");
    if (access(slow_path, F_OK) == 0)
        usleep(20000);
    return add(account, id, once) ? answer(fd, head, "201 Created", "booked\n")
                                  : answer(fd, head, "500 Internal Server Error", "not booked\n");
}

static int dump(void)
{
    sqlite3_stmt *all;
    must(sqlite3_prepare_v2(book, "SELECT id, account FROM entry ORDER BY number", -1, &all, NULL), "read all");
    int result;
    while ((result = sqlite3_step(all)) == SQLITE_ROW)
        printf("%s %s\n", sqlite3_column_text(all, 0), sqlite3_column_text(all, 1));
    if (result != SQLITE_DONE)
        errx(1, "read all: %s", sqlite3_errmsg(book));
    return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char *argv[])
{
    if (argc == 3 && strcmp(argv[1], "--dump") == 0) {
        open_book(argv[2], true);
        return dump();
    }
    if (argc != 4 || strcmp(argv[1], "--port") != 0)
        errx(2, "ledger --port N FILE | ledger --dump FILE");
    snprintf(slow_path, sizeof slow_path, "%s.slow", argv[3]);
    open_book(argv[3], false);
    serve_port((uint16_t)atoi(argv[2]));
}
