/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands in front of a function of the C library in fail_at*.c, which are preloaded into the agent: whatever of
 * it may fail, and fails when told to. Apart from the agent, so that there is no code for tests in what is shipped.
 * The api role and the probe role, which get an environment of their own, have it as well; what else the agent executes
 * has not.
 *
 * Everything is declared here: the headers know some of it otherwise (fortified, or with attributes that forbid looking
 * at an argument), so those that do are not included.
 */
#pragma once
#pragma GCC diagnostic ignored "-Wbuiltin-declaration-mismatch"

#include "fail_at_point.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>

#define EXPORTED __attribute__((visibility("default")))

/* The next function of this name, looked for once. */
#define NEXT(name, result, parameters) \
    static result(*next) parameters;   \
    if (!next)                         \
    *(void **)&next = dlsym(RTLD_NEXT, #name)

#define FAILING(result, failed, name, kind, object, parameters, arguments) \
    EXPORTED result name parameters;                                       \
    result name parameters                                                 \
    {                                                                      \
        NEXT(name, result, parameters);                                    \
        int error = fail_now(CALL_##name, kind, (intptr_t)(object));       \
        if (!error)                                                        \
            return next arguments;                                         \
        errno = error;                                                     \
        return (result)(failed);                                           \
    }

#define CALL(name, kind, object, parameters, arguments)    FAILING(int, -1, name, kind, object, parameters, arguments)
#define BYTES(name, kind, object, parameters, arguments)   FAILING(long, -1, name, kind, object, parameters, arguments)
#define POINTER(name, kind, object, parameters, arguments) FAILING(void *, 0, name, kind, object, parameters, arguments)

/* Returns the error itself. */
#define RETURNING(name, parameters, arguments)            \
    EXPORTED int name parameters;                         \
    int name parameters                                   \
    {                                                     \
        NEXT(name, int, parameters);                      \
        int error = fail_now(CALL_##name, ON_NOTHING, 0); \
        return error ? error : next arguments;            \
    }

/* Half of it is written, if that is the fault. */
#define WRITING(name, parameters, arguments, half)    \
    EXPORTED long name parameters;                    \
    long name parameters                              \
    {                                                 \
        NEXT(name, long, parameters);                 \
        int error = fail_now(CALL_##name, ON_FD, fd); \
        if (!error)                                   \
            return next arguments;                    \
        if (error == FAIL_SHORT)                      \
            return next half;                         \
        errno = error;                                \
        return -1;                                    \
    }
