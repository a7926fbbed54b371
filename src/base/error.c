/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors with their cause: formatting into the fixed text. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* errno may be 0 although something failed: not every library sets it. */
static int known(int errnum)
{
    return errnum > 0 ? errnum : EIO;
}

int(error_errno)(struct error *err, int errnum, const char *format, ...)
{
    errnum = known(errnum);
    if (!err)
        return -errnum;
    va_list arguments;
    va_start(arguments, format);
    int used = vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    err->code = errnum;
    if (used >= 0 && (size_t)used < sizeof err->text)
        snprintf(err->text + used, sizeof err->text - (size_t)used, ": %s", strerror(errnum));
    return -errnum;
}

int(error_set)(struct error *err, int errnum, const char *format, ...)
{
    errnum = known(errnum);
    if (!err)
        return -errnum;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    err->code = errnum;
    return -errnum;
}

int(error_prefix)(struct error *err, const char *format, ...)
{
    if (!err)
        return -EIO;
    char cause[sizeof err->text];
    memcpy(cause, err->text, sizeof cause);
    va_list arguments;
    va_start(arguments, format);
    int used = vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    if (used >= 0 && (size_t)used + 2 < sizeof err->text) {
        char *rest = stpcpy(err->text + used, ": ");
        size_t room = (size_t)(err->text + sizeof err->text - rest); /* a long cause is cut */
        memcpy(rest, cause, room);
        err->text[sizeof err->text - 1] = '\0';
    }
    return -known(err->code);
}

int(error_suffix)(struct error *err, const char *format, ...)
{
    if (!err)
        return -EIO;
    size_t used = strnlen(err->text, sizeof err->text - 1);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->text + used, sizeof err->text - used, format, arguments);
    va_end(arguments);
    return -known(err->code);
}
