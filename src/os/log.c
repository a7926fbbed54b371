/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log: one write(2) a line, so that lines of several processes do not mix. */
#include "os/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static enum log_level log_threshold = LOG_LEVEL_INFO;
static const char *log_role = "bluegreen";
static int log_to_journal;

/* The variable is inherited by what the service starts, with other descriptors: systemd.exec(5) says to compare. */
static int stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &status) == 0 &&
           status.st_dev == device && status.st_ino == inode;
}

void log_open(const char *role)
{
    log_role = role;
    log_to_journal = stderr_is_journal();
}

void log_set_level(enum log_level level)
{
    log_threshold = level;
}

static int log_head(char *line, size_t size, enum log_level level)
{
    static const char *const names[] = {"", "", "", "error", "warning", "notice", "info", "debug"};
    if (log_to_journal)
        return snprintf(line, size, "<%d>%s%s", level, strcmp(log_role, "bluegreend") ? log_role : "",
                        strcmp(log_role, "bluegreend") ? ": " : "");
    struct timespec now;
    struct tm local;
    char stamp[32] = "";
    clock_gettime(CLOCK_REALTIME, &now);
    if (localtime_r(&now.tv_sec, &local))
        strftime(stamp, sizeof stamp, "%H:%M:%S", &local);
    return snprintf(line, size, "%s.%03ld %s[%d] %s: ", stamp, now.tv_nsec / 1000000, log_role, (int)getpid(),
                    names[level]);
}

void log_line(enum log_level level, const char *format, ...)
{
    if (level > log_threshold)
        return;
    char line[1280];
    int head = log_head(line, sizeof line - 1, level);
    va_list arguments;
    va_start(arguments, format);
    int body = vsnprintf(line + head, sizeof line - 1 - (size_t)head, format, arguments);
    va_end(arguments);
    size_t length = (size_t)head + (body > 0 ? (size_t)body : 0);
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    line[length++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written; /* nowhere left to say it */
}
