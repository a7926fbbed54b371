/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kinds of errors, and their names. */
#include "client/errors.h"

#include "client/decode.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct kind {
    const char *name;
    int errnum;
    const char *varlink; /* the error's name on the wire, after CLIENT_INTERFACE */
} kinds[] = {
    [BLUEGREEN_OK] = {"ok", 0, NULL},
    [BLUEGREEN_REFUSED] = {"refused", EPERM, "Refused"},
    [BLUEGREEN_BUSY] = {"busy", EBUSY, "Busy"},
    [BLUEGREEN_FAILED] = {"failed", EIO, "Failed"},
    [BLUEGREEN_NO_SUCH_APP] = {"no-such-app", ENOENT, "NoSuchApp"},
    [BLUEGREEN_NOT_ALLOWED] = {"not-allowed", EACCES, "NotAllowed"},
    [BLUEGREEN_INVALID] = {"invalid", EINVAL, "Invalid"},
    [BLUEGREEN_UNREACHABLE] = {"unreachable", ENOTCONN, NULL},
    [BLUEGREEN_PROTOCOL] = {"protocol", EPROTO, NULL},
    [BLUEGREEN_INTERRUPTED] = {"interrupted", ECANCELED, NULL},
    [BLUEGREEN_MEMORY] = {"memory", ENOMEM, NULL},
};

#define KINDS (sizeof kinds / sizeof *kinds)

const char *bluegreen_error_name(enum bluegreen_error_kind kind)
{
    return (size_t)kind < KINDS ? kinds[kind].name : "failed";
}

int client_fail(struct bluegreen_error *error, enum bluegreen_error_kind kind, int errnum, const char *format, ...)
{
    if (error) {
        va_list arguments;
        error->kind = kind;
        error->errnum = errnum;
        va_start(arguments, format);
        vsnprintf(error->reason, sizeof error->reason, format, arguments);
        va_end(arguments);
    }
    return errnum ? -errnum : -kinds[kind].errnum;
}

int client_fail_memory(struct bluegreen_error *error)
{
    return client_fail(error, BLUEGREEN_MEMORY, ENOMEM, "out of memory");
}

int client_fail_reply(const char *name, struct json_object *parameters, struct bluegreen_error *error)
{
    const char *reason = decode_string(parameters, "reason");
    if (strncmp(name, CLIENT_INTERFACE, strlen(CLIENT_INTERFACE)) == 0) {
        for (size_t kind = 0; kind < KINDS; kind++) {
            if (kinds[kind].varlink && strcmp(kinds[kind].varlink, name + strlen(CLIENT_INTERFACE)) == 0)
                return client_fail(error, (enum bluegreen_error_kind)kind, 0, "%s", reason ? reason : kinds[kind].name);
        }
    }
    const char *parameter = decode_string(parameters, "parameter");
    if (strcmp(name, "org.varlink.service.InvalidParameter") == 0)
        return client_fail(error, BLUEGREEN_INVALID, 0, "the agent does not accept '%s'", parameter ? parameter : "?");
    if (strncmp(name, "org.varlink.service.", 20) == 0)
        return client_fail(error, BLUEGREEN_PROTOCOL, 0,
                           "the agent does not know this call (%s): it may be older than "
                           "this program; restart it after an upgrade",
                           name);
    return client_fail(error, BLUEGREEN_FAILED, 0, "%s: %s", name, reason ? reason : "no reason given");
}
