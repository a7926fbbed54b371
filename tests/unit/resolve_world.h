/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A release directory of its own for the tests of what a configuration comes to on this host. */
#pragma once

#include "conf/resolve.h"

#include "base/cleanup.h"
#include "conf/accounts.h"
#include "os/files.h"

#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char directory[PATH_MAX];
static struct service service;
static struct resolved resolved;
static struct error err;

static inline char *below(const char *rest)
{
    static char paths[4][PATH_MAX + 128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, rest);
    return path;
}

static inline void write_file(const char *name, const char *content, mode_t mode)
{
    assert_int_equal(file_write_atomic(below(name), mode, content, strlen(content), NULL), 0);
}

static inline int setup(void **state)
{
    strcpy(directory, "/tmp/bluegreen-resolve-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    directory_make(below("releases/v1/blue"), 0755, NULL);
    write_file("releases/v1/server", "#!/bin/sh\n", 0755);
    service = (struct service){.name = "web", .user = "daemon"};
    words_add(&service.run, below("releases/%r/server"));
    words_add(&service.run, "--zone=%z");
    words_add(&service.run, "100%%");
    resolved = (struct resolved){0};
    err = (struct error){0};
    return 0;
}

static inline int teardown(void **state)
{
    resolved_clear(&resolved);
    service_clear(&service);
    return directory_remove(directory, NULL);
}

static inline void resolve(void)
{
    if (service_resolve(&service, "v1", BLUE, &resolved, &err) != 0)
        fail_msg("%s", err.text);
}

static inline void expect_error(int code, const char *start, const char *part)
{
    struct resolved zero = {0};
    assert_int_equal(service_resolve(&service, "v1", BLUE, &resolved, &err), -code);
    if (!text_starts_with(err.text, start) || !strstr(err.text, part))
        fail_msg("\"%s\" does not start with \"%s\" or does not say \"%s\"", err.text, start, part);
    assert_memory_equal(&resolved, &zero, sizeof zero);
}

/* The value of the variable, which stands there once; NULL if it is not there. */
static inline const char *variable(const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < resolved.environment.count; i++) {
        if (!text_starts_with(resolved.environment.items[i], name) ||
            resolved.environment.items[i][strlen(name)] != '=')
            continue;
        assert_null(value);
        value = resolved.environment.items[i] + strlen(name) + 1;
    }
    return value;
}

static inline void set_run(const char *executable)
{
    free(service.run.items[0]);
    service.run.items[0] = strdup(executable);
}

static inline void add_file(enum file_access access, const char *source, const char *target)
{
    service.files[service.file_count++] =
        (struct file_rule){.access = access, .source = strdup(source), .target = target ? strdup(target) : NULL};
}

static inline void remove_file(void)
{
    struct file_rule *rule = &service.files[--service.file_count];
    free(rule->source);
    free(rule->target);
}

static inline void add_process(const char *name, const char *executable)
{
    struct process_rule *process = &service.processes[service.process_count++];
    text_copy(process->name, sizeof process->name, name);
    words_add(&process->run, executable);
    words_add(&process->run, "--in=%z");
}
