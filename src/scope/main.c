/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bluegreen-scope: asks systemd for one transient scope, or for its end, and goes away. An executable of its own so
 * that the agent neither carries libsystemd in its memory nor speaks D-Bus: all it hears is one line of text.
 *
 *     bluegreen-scope start NAME SLICE DESCRIPTION PID
 *     bluegreen-scope end NAME
 *
 * Says on descriptor 3 what went wrong, or "" (one message), as zone/scope.c expects.
 */
#include "base/error.h"
#include "base/text.h"
#include "os/clock.h"
#include "os/process.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-bus.h>

#define SYSTEMD        "org.freedesktop.systemd1"
#define MANAGER_PATH   "/org/freedesktop/systemd1"
#define MANAGER        "org.freedesktop.systemd1.Manager"
#define PRIVATE_SOCKET "unix:path=/run/systemd/private"

enum { JOB_TIMEOUT_MS = 5000 };

#define CLEANUP_BUS       __attribute__((cleanup(sd_bus_flush_close_unrefp)))
#define CLEANUP_REPLY     __attribute__((cleanup(sd_bus_message_unrefp)))
#define CLEANUP_SLOT      __attribute__((cleanup(sd_bus_slot_unrefp)))
#define CLEANUP_BUS_ERROR __attribute__((cleanup(sd_bus_error_free)))

/* Straight to systemd, as systemctl does for root: a server needs no message bus for this. */
static int open_private(sd_bus **bus)
{
    int result = sd_bus_new(bus);
    if (result >= 0)
        result = sd_bus_set_address(*bus, PRIVATE_SOCKET);
    return result < 0 ? result : sd_bus_start(*bus);
}

static int open_bus(sd_bus **bus, struct error *err)
{
    int result = sd_bus_open_system(bus);
    if (result < 0)
        result = open_private(bus);
    if (result < 0)
        return error_errno(err, -result,
                           "connect to systemd (neither the system bus nor /run/systemd/private answers)");
    return 0;
}

/* --- jobs ------------------------------------------------------------------------------------------ */

struct job {
    const char *path; /* of the job waited for */
    bool removed;
    char result[32]; /* "done", "failed", ... */
};

static int on_job_removed(sd_bus_message *message, void *context, sd_bus_error *unused)
{
    struct job *job = context;
    const char *path, *unit, *result;
    uint32_t id;
    (void)unused;
    if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0 || !job->path ||
        strcmp(path, job->path) != 0)
        return 0;
    job->removed = true;
    strncpy(job->result, result, sizeof job->result - 1);
    return 0;
}

static int wait_for_job(sd_bus *bus, struct job *job)
{
    uint64_t until = clock_monotonic_ms() + JOB_TIMEOUT_MS;
    while (!job->removed) {
        int result = sd_bus_process(bus, NULL);
        if (result < 0)
            return result;
        if (result > 0)
            continue;
        uint64_t now = clock_monotonic_ms();
        if (now >= until)
            return -ETIMEDOUT;
        result = sd_bus_wait(bus, (until - now) * 1000);
        if (result < 0 && result != -EINTR)
            return result;
    }
    return strcmp(job->result, "done") == 0 ? 0 : -EIO;
}

/* Before the call, or its end could be missed. systemd tells only those who subscribed. */
static int listen_for_jobs(sd_bus *bus, sd_bus_slot **slot, struct job *job)
{
    int result = sd_bus_match_signal(bus, slot, NULL, MANAGER_PATH, MANAGER, "JobRemoved", on_job_removed, job);
    if (result >= 0)
        result = sd_bus_call_method(bus, SYSTEMD, MANAGER_PATH, MANAGER, "Subscribe", NULL, NULL, NULL);
    return result;
}

/* Calls a method that answers with a job, and waits for that job. Once for each connection. */
static int run_job(sd_bus *bus, sd_bus_message *call, sd_bus_error *cause)
{
    struct job job = {0};
    CLEANUP_SLOT sd_bus_slot *slot = NULL;
    CLEANUP_REPLY sd_bus_message *reply = NULL;
    int result = listen_for_jobs(bus, &slot, &job);
    if (result >= 0)
        result = sd_bus_call(bus, call, (uint64_t)JOB_TIMEOUT_MS * 1000, cause, &reply);
    if (result >= 0)
        result = sd_bus_message_read(reply, "o", &job.path);
    return result < 0 ? result : wait_for_job(bus, &job);
}

/* --- scopes ---------------------------------------------------------------------------------------- */

static int append_properties(sd_bus_message *call, const char *slice, const char *description, pid_t pid)
{
    int result = sd_bus_message_open_container(call, 'a', "(sv)");
    if (result >= 0)
        result = sd_bus_message_append(call, "(sv)", "Description", "s", description);
    if (result >= 0)
        result = sd_bus_message_append(call, "(sv)", "Slice", "s", slice);
    if (result >= 0)
        result = sd_bus_message_append(call, "(sv)", "PIDs", "au", 1, (uint32_t)pid);
    if (result >= 0)
        result = sd_bus_message_append(call, "(sv)", "Delegate", "b", 1);
    if (result >= 0) /* no trace stays when it fails */
        result = sd_bus_message_append(call, "(sv)", "CollectMode", "s", "inactive-or-failed");
    if (result >= 0)
        result = sd_bus_message_close_container(call);
    return result < 0 ? result : sd_bus_message_append(call, "a(sa(sv))", 0);
}

static int call_start(sd_bus *bus, const char *name, const char *slice, const char *description, pid_t pid,
                      sd_bus_error *cause)
{
    CLEANUP_REPLY sd_bus_message *call = NULL;
    int result = sd_bus_message_new_method_call(bus, &call, SYSTEMD, MANAGER_PATH, MANAGER, "StartTransientUnit");
    if (result >= 0)
        result = sd_bus_message_append(call, "ss", name, "fail");
    if (result >= 0)
        result = append_properties(call, slice, description, pid);
    return result < 0 ? result : run_job(bus, call, cause);
}

/* -EEXIST: there is a scope of that name. */
static int start_once(const char *name, const char *slice, const char *description, pid_t pid, struct error *err)
{
    CLEANUP_BUS sd_bus *bus = NULL;
    CLEANUP_BUS_ERROR sd_bus_error cause = SD_BUS_ERROR_NULL;
    int result = open_bus(&bus, err);
    if (result < 0)
        return result;
    result = call_start(bus, name, slice, description, pid, &cause);
    if (sd_bus_error_has_name(&cause, SYSTEMD ".UnitExists"))
        result = -EEXIST;
    if (result < 0)
        return error_set(err, -result, "start scope %s: %s", name, cause.message ? cause.message : strerror(-result));
    return 0;
}

static bool is_missing(const sd_bus_error *cause)
{
    return sd_bus_error_has_name(cause, SYSTEMD ".NoSuchUnit");
}

static int end_scope(sd_bus *bus, const char *name, sd_bus_error *cause)
{
    CLEANUP_REPLY sd_bus_message *call = NULL;
    int result =
        sd_bus_call_method(bus, SYSTEMD, MANAGER_PATH, MANAGER, "KillUnit", cause, NULL, "ssi", name, "all", SIGKILL);
    if (result < 0 && is_missing(cause))
        return 0;
    sd_bus_error_free(cause); /* nobody left to kill is no failure: stopping decides */
    result = sd_bus_message_new_method_call(bus, &call, SYSTEMD, MANAGER_PATH, MANAGER, "StopUnit");
    if (result >= 0)
        result = sd_bus_message_append(call, "ss", name, "replace");
    if (result >= 0)
        result = run_job(bus, call, cause);
    return result < 0 && is_missing(cause) ? 0 : result;
}

static int scope_end(const char *name, struct error *err)
{
    CLEANUP_BUS sd_bus *bus = NULL;
    CLEANUP_BUS_ERROR sd_bus_error cause = SD_BUS_ERROR_NULL;
    int result = open_bus(&bus, err);
    if (result < 0)
        return result;
    result = end_scope(bus, name, &cause);
    if (result < 0)
        return error_set(err, -result, "end scope %s: %s", name, cause.message ? cause.message : strerror(-result));
    sd_bus_call_method(bus, SYSTEMD, MANAGER_PATH, MANAGER, "ResetFailedUnit", NULL, NULL, "s", name);
    return 0;
}

static int scope_start(const char *name, const char *slice, const char *description, pid_t pid, struct error *err)
{
    int result = start_once(name, slice, description, pid, err);
    if (result == -EEXIST && scope_end(name, NULL) == 0)
        result = start_once(name, slice, description, pid, err);
    return result;
}

/* --- the agent's side ---------------------------------------------------------------------------------- */

static int do_as_asked(int argc, char *argv[], struct error *err)
{
    uint64_t pid;
    if (argc == 6 && strcmp(argv[1], "start") == 0 && text_to_u64(argv[5], INT32_MAX, &pid))
        return scope_start(argv[2], argv[3], argv[4], (pid_t)pid, err);
    if (argc == 3 && strcmp(argv[1], "end") == 0)
        return scope_end(argv[2], err);
    return error_set(err, EINVAL, "bluegreen-scope is run by bluegreend only, and not like this");
}

int main(int argc, char *argv[])
{
    struct error err = {0};
    int result = do_as_asked(argc, argv, &err);
    message_send(3, err.text, strlen(err.text) + 1, NULL, 0);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
