/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `logs`: what an app wrote. The agent hands out the zone's files, and this program reads them by itself, so that a
 * long log costs the agent nothing.
 */
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/log_range.h"
#include "cli/since.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    LINES_DEFAULT = 10, /* as tail(1) */
    LOOK_MS = 200,      /* between two looks at a file that is followed */
    LOOKS_TO_ASK = 15,  /* without anything new: the agent is asked for the present file */
    PIECE = 64 * 1024,
    LINE_MAX_BYTES = 256 * 1024, /* a longer line comes in parts with --json */
};

struct printer {
    const struct cli *cli;
    char *line; /* --json: of the line that is not whole yet */
    size_t length;
    uint64_t line_ms; /* when it began to come */
};

/* --- printing ------------------------------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void print_json_line(struct printer *printer)
{
    time_t seconds = (time_t)(printer->line_ms / 1000);
    struct tm utc;
    char date[40];
    printer->line[printer->length] = '\0';
    fputs("{\"time\":", stdout);
    if (printer->line_ms && gmtime_r(&seconds, &utc) && strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc) > 0)
        printf("\"%s.%03uZ\"", date, (unsigned)(printer->line_ms % 1000));
    else
        fputs("null", stdout);
    fputs(",\"line\":", stdout);
    for (size_t i = 0; i < printer->length; i++) { /* a text ends at its first NUL */
        if (printer->line[i] == '\0')
            printer->line[i] = '?';
    }
    json_print_string(stdout, printer->line);
    puts("}");
    printer->length = 0;
}

static void print_json(struct printer *printer, const char *bytes, size_t length, uint64_t unix_ms)
{
    for (size_t i = 0; i < length; i++) {
        if (printer->length == 0)
            printer->line_ms = unix_ms;
        if (bytes[i] != '\n')
            printer->line[printer->length++] = bytes[i];
        if (bytes[i] == '\n' || printer->length == LINE_MAX_BYTES)
            print_json_line(printer);
    }
}

/* Byte for byte, but nothing that an app writes may steer a terminal. */
static void print_bytes(const struct printer *printer, char *bytes, size_t length)
{
    for (size_t i = 0; printer->cli->terminal.live && i < length; i++) {
        bool c1 = (unsigned char)bytes[i] == 0xc2 && i + 1 < length && (unsigned char)bytes[i + 1] >= 0x80 &&
                  (unsigned char)bytes[i + 1] < 0xa0;
        if (((unsigned char)bytes[i] < 0x20 && bytes[i] != '\n' && bytes[i] != '\t') || bytes[i] == 0x7f || c1)
            bytes[i] = '?';
    }
    fwrite(bytes, 1, length, stdout);
}

/* Prints what there is from offset on, and returns where that ends. file NULL: what comes now. */
static uint64_t print_from(struct printer *printer, int fd, uint64_t offset, const struct log_file *file)
{
    static char piece[PIECE];
    bool json = printer->cli->json;
    while (!ferror(stdout)) {
        uint64_t until = UINT64_MAX, came = file ? log_time_at(file, offset, &until) : now_ms();
        size_t wanted = json && until - offset < sizeof piece ? (size_t)(until - offset) : sizeof piece;
        ssize_t got = pread(fd, piece, wanted, (off_t)offset);
        if (got <= 0)
            break;
        if (json)
            print_json(printer, piece, (size_t)got, came);
        else
            print_bytes(printer, piece, (size_t)got);
        offset += (uint64_t)got;
    }
    fflush(stdout);
    return offset;
}

/* --- following -------------------------------------------------------------------------------------------------- */

static int ask(const struct cli *cli, enum bluegreen_colour zone, struct bluegreen_logs **logs,
               struct bluegreen_error *error)
{
    struct bluegreen *agent;
    int result = bluegreen_open(cli->socket, &agent, error);
    if (result < 0)
        return result;
    result = bluegreen_logs(agent, cli->arguments[0], zone, logs, error);
    bluegreen_close(agent);
    return result;
}

static ino_t inode_of(int fd)
{
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 ? status.st_ino : 0;
}

/* Goes over to the present file if it is another one than ours. An agent that is away for a while has nothing to say
 * about it. */
static void renew(struct printer *printer, struct bluegreen_logs **logs, uint64_t *offset)
{
    struct bluegreen_logs *newer;
    if (ask(printer->cli, (*logs)->zone, &newer, NULL) < 0)
        return;
    ino_t ours = inode_of((*logs)->log);
    if (inode_of(newer->log) == ours || newer->log < 0) {
        bluegreen_logs_free(newer);
        return;
    }
    if (ours) /* what was written to it up to its renaming */
        print_from(printer, (*logs)->log, *offset, NULL);
    if (newer->old_log >= 0 && inode_of(newer->old_log) != ours) /* it was renamed twice since we looked */
        print_from(printer, newer->old_log, 0, NULL);
    bluegreen_logs_free(*logs);
    *logs = newer;
    *offset = 0;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static void follow(struct printer *printer, struct bluegreen_logs **logs, uint64_t offset)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};
    struct stat before = {0}, now = {0};
    int quiet = 0;
    while (!ferror(stdout)) {
        bool open = (*logs)->log >= 0 && fstat((*logs)->log, &now) == 0;
        if (open && (uint64_t)now.st_size < offset)
            offset = 0; /* it was cut: its directory could not be written */
        bool grown = open && (uint64_t)now.st_size > offset;
        if (grown)
            offset = print_from(printer, (*logs)->log, offset, NULL);
        /* Renaming changes the time of the inode, and nothing else does without writing to it. */
        bool renamed = !grown && open && before.st_ino == now.st_ino && !same_time(&before.st_ctim, &now.st_ctim);
        before = now;
        quiet = grown ? 0 : quiet + 1;
        if (renamed || quiet >= LOOKS_TO_ASK) {
            renew(printer, logs, &offset);
            quiet = 0;
        }
        nanosleep(&pause, NULL);
    }
}

/* --- all of it ------------------------------------------------------------------------------------------------ */

/* "all" is as many as there are. */
static bool parse_lines(const char *text, uint64_t *lines)
{
    char *end;
    if (strcmp(text, "all") == 0) {
        *lines = UINT64_MAX;
        return true;
    }
    errno = 0;
    *lines = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static void show(struct printer *printer, struct bluegreen_logs **logs, struct log_range *range)
{
    uint64_t offset = 0;
    for (int i = LOG_OLD; i <= LOG_NOW; i++) {
        const struct log_file *file = &range->files[i];
        if (file->fd >= 0)
            offset = print_from(printer, file->fd, range->from[i], file);
    }
    if (printer->cli->follow)
        follow(printer, logs, range->files[LOG_NOW].fd >= 0 ? offset : 0);
    if (printer->length > 0)
        print_json_line(printer);
}

static int fail_memory(const struct cli *cli)
{
    struct bluegreen_error error = {.kind = BLUEGREEN_MEMORY, .reason = "out of memory"};
    return cli_fail(cli, &error);
}

int logs_run(struct cli *cli, enum bluegreen_colour zone)
{
    struct bluegreen_logs *logs;
    struct bluegreen_error error;
    struct log_range range;
    uint64_t lines = cli->since ? UINT64_MAX : LINES_DEFAULT, since = 0;
    if (cli->limit && !parse_lines(cli->limit, &lines))
        return cli_misuse(cli, "'bluegreen help' lists the options", "'%s' is no number of lines, nor 'all'",
                          cli->limit);
    if (cli->since && !since_parse(cli->since, now_ms(), &since))
        return cli_misuse(cli, "a time is 10m, 2h, 1d12h, '2026-11-23 10:00', 10:00 or @SECONDS", "'%s' is no time",
                          cli->since);
    struct printer printer = {.cli = cli, .line = cli->json ? malloc(LINE_MAX_BYTES + 1) : NULL};
    if (cli->json && !printer.line)
        return fail_memory(cli);
    int status = EXIT_DONE;
    if (ask(cli, zone, &logs, &error) < 0) {
        status = cli_fail(cli, &error);
    } else {
        bool opened = log_range_open(&range, logs);
        if (opened && cli->since)
            log_range_since(&range, since);
        if (opened && lines != UINT64_MAX)
            log_range_last(&range, lines);
        if (opened && range.times_unknown)
            fputs("bluegreen: logs: it is not known when some of this was written: it has no index\n", stderr);
        if (opened)
            show(&printer, &logs, &range);
        else
            status = fail_memory(cli);
        log_range_close(&range);
        bluegreen_logs_free(logs);
    }
    free(printer.line);
    return status;
}
