/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading of times. */
#include "cli/since.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

enum { DIGITS_MAX = 12 }; /* more milliseconds than anybody has, and no overflow */

/* Digits at *text, which moves behind them. False if there are none, or too many. */
static bool take_number(const char **text, uint64_t *number)
{
    size_t length = strspn(*text, "0123456789");
    if (length == 0 || length > DIGITS_MAX)
        return false;
    *number = 0;
    for (size_t i = 0; i < length; i++)
        *number = *number * 10 + (uint64_t)((*text)[i] - '0');
    *text += length;
    return true;
}

/* Up to three digits behind a point, as milliseconds; more are passed over. */
static bool take_fraction(const char **text, uint64_t *milliseconds)
{
    *milliseconds = 0;
    if (**text != '.')
        return true;
    size_t length = strspn(++*text, "0123456789");
    for (size_t i = 0; i < 3; i++)
        *milliseconds = *milliseconds * 10 + (i < length ? (uint64_t)((*text)[i] - '0') : 0);
    *text += length;
    return length > 0;
}

/* "1h30m"; "" is none. */
static bool parse_length(const char *text, uint64_t *milliseconds)
{
    static const struct {
        char letter;
        uint64_t milliseconds;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};
    uint64_t total = 0;
    while (*text) {
        uint64_t number, unit = 0;
        if (!take_number(&text, &number))
            return false;
        for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
            if (units[i].letter == *text)
                unit = units[i].milliseconds;
        }
        if (unit == 0 || number > (UINT64_MAX - total) / unit)
            return false;
        total += number * unit;
        text++;
    }
    *milliseconds = total;
    return true;
}

bool duration_parse(const char *text, uint64_t *milliseconds)
{
    return parse_length(text, milliseconds) && *milliseconds > 0;
}

static bool parse_ago(const char *text, uint64_t now_ms, uint64_t *unix_ms)
{
    uint64_t ago;
    if (!parse_length(text, &ago) || ago > now_ms)
        return false;
    *unix_ms = now_ms - ago;
    return true;
}

static bool parse_seconds(const char *text, uint64_t *unix_ms)
{
    uint64_t seconds, milliseconds;
    if (!take_number(&text, &seconds) || !take_fraction(&text, &milliseconds) || *text)
        return false;
    *unix_ms = seconds * 1000 + milliseconds;
    return true;
}

/* Fields that are not there stay as they are in *broken. NULL: not of this form. */
static const char *read_date(const char *text, struct tm *broken)
{
    static const char *const forms[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
                                        "%Y-%m-%d",          "%H:%M:%S",          "%H:%M"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm read = *broken;
        const char *rest = strptime(text, forms[i], &read);
        if (rest && (*rest == '\0' || *rest == '.' || *rest == 'Z')) {
            *broken = read;
            return rest;
        }
    }
    return NULL;
}

static bool parse_date(const char *text, uint64_t now_ms, uint64_t *unix_ms)
{
    time_t now = (time_t)(now_ms / 1000);
    struct tm broken;
    uint64_t milliseconds;
    size_t length = strlen(text);
    bool utc = length > 0 && text[length - 1] == 'Z';
    if (!(utc ? gmtime_r(&now, &broken) : localtime_r(&now, &broken)))
        return false;
    broken.tm_hour = broken.tm_min = broken.tm_sec = 0;
    broken.tm_isdst = -1;
    const char *rest = read_date(text, &broken);
    if (!rest || !take_fraction(&rest, &milliseconds) || strcmp(rest, utc ? "Z" : "") != 0)
        return false;
    time_t seconds = utc ? timegm(&broken) : mktime(&broken);
    *unix_ms = (uint64_t)seconds * 1000 + milliseconds;
    return seconds >= 0;
}

bool since_parse(const char *text, uint64_t now_ms, uint64_t *unix_ms)
{
    if (text[0] == '@')
        return parse_seconds(text + 1, unix_ms);
    return text[0] && (parse_ago(text, now_ms, unix_ms) || parse_date(text, now_ms, unix_ms));
}
