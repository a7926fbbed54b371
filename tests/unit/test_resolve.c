/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host must have: accounts, executable, directory, environment. Runs on a release directory of its own. */
#include "conf/resolve.h"

#include "base/cleanup.h"
#include "conf/accounts.h"
#include "os/files.h"

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

static char *below(const char *rest)
{
    static char paths[4][PATH_MAX + 64];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, rest);
    return path;
}

static void write_file(const char *name, const char *content, mode_t mode)
{
    assert_int_equal(file_write_atomic(below(name), mode, content, strlen(content), NULL), 0);
}

static int setup(void **state)
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

static int teardown(void **state)
{
    resolved_clear(&resolved);
    service_clear(&service);
    return directory_remove(directory, NULL);
}

static void resolve(void)
{
    if (service_resolve(&service, "v1", BLUE, &resolved, &err) != 0)
        fail_msg("%s", err.text);
}

static void expect_error(int code, const char *start, const char *part)
{
    struct resolved zero = {0};
    assert_int_equal(service_resolve(&service, "v1", BLUE, &resolved, &err), -code);
    if (!text_starts_with(err.text, start) || !strstr(err.text, part))
        fail_msg("\"%s\" does not start with \"%s\" or does not say \"%s\"", err.text, start, part);
    assert_memory_equal(&resolved, &zero, sizeof zero);
}

/* The value of the variable, which stands there once; NULL if it is not there. */
static const char *variable(const char *name)
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

static void test_command(void **state)
{
    resolve();
    assert_int_equal(resolved.argv.count, 3);
    assert_string_equal(resolved.argv.items[0], below("releases/v1/server"));
    assert_string_equal(resolved.argv.items[1], "--zone=blue");
    assert_string_equal(resolved.argv.items[2], "100%");
    assert_null(resolved.argv.items[3]);
    assert_string_equal(resolved.workdir, "/");
}

static void test_account(void **state)
{
    struct passwd *daemon = getpwnam("daemon");
    assert_non_null(daemon);
    resolve();
    assert_int_equal(resolved.uid, daemon->pw_uid);
    assert_int_equal(resolved.gid, daemon->pw_gid);
    assert_true(resolved.group_count >= 1);
    bool own = false;
    for (size_t i = 0; i < resolved.group_count; i++)
        own = own || resolved.groups[i] == daemon->pw_gid;
    assert_true(own);
    struct group *tty = getgrnam("tty");
    assert_non_null(tty);
    strcpy(service.group, "tty");
    resolve(); /* into the same, which is cleared */
    assert_int_equal(resolved.gid, tty->gr_gid);
}

static void test_root_must_be_spelled(void **state)
{
    strcpy(service.user, "root");
    resolve();
    assert_int_equal(resolved.uid, 0);
    assert_string_equal(variable("HOME"), "/root");
}

static void test_accounts_refused(void **state)
{
    strcpy(service.user, "no-such-user-here");
    expect_error(ENOENT, "[app] user: ", "useradd --system no-such-user-here");
    static const char *const hostile[] = {"0", "1000", "-1", "4294967295", "root ", "../root", "a:b", "", "%r"};
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        strcpy(service.user, hostile[i]);
        expect_error(EINVAL, "[app] user: ", hostile[i]);
    }
    strcpy(service.user, "daemon");
    strcpy(service.group, "no-such-group-here");
    expect_error(ENOENT, "[app] group: ", "groupadd --system no-such-group-here");
    strcpy(service.group, "0");
    expect_error(EINVAL, "[app] group: ", "is a number");
}

/* --- paths ------------------------------------------------------------------------------------ */

static void test_missing_release(void **state)
{
    assert_int_equal(service_resolve(&service, "v2", BLUE, &resolved, &err), -ENOENT);
    assert_true(text_starts_with(err.text, "[app] run: "));
    assert_non_null(strstr(err.text, below("releases/v2 does not exist")));
    assert_non_null(strstr(err.text, "put release v2 there first"));
    assert_int_equal(service_resolve(&service, "v2", BLUE, &resolved, NULL), -ENOENT);
}

static void test_missing_executable(void **state)
{
    assert_int_equal(unlink(below("releases/v1/server")), 0);
    expect_error(ENOENT, "[app] run: ", below("releases/v1/server does not exist"));
    free(service.run.items[0]);
    service.run.items[0] = strdup("/no-such-directory/%r/server");
    expect_error(ENOENT, "[app] run: ", "/no-such-directory does not exist");
    assert_null(strstr(err.text, "put release"));
}

static void test_bad_executables(void **state)
{
    assert_int_equal(chmod(below("releases/v1/server"), 0644), 0);
    expect_error(EACCES, "[app] run: ", "chmod +x");
    free(service.run.items[0]);
    service.run.items[0] = strdup(below("releases/%r"));
    expect_error(EINVAL, "[app] run: ", "is not a regular file");
    free(service.run.items[0]);
    service.run.items[0] = strdup("/dev/null");
    expect_error(EINVAL, "[app] run: ", "is not a regular file");
    free(service.run.items[0]);
    service.run.items[0] = strdup("bin/server");
    expect_error(EINVAL, "[app] run: ", "absolute path");
    words_clear(&service.run);
    expect_error(EINVAL, "[app] run: ", "absolute path");
}

static void test_hostile_releases(void **state)
{
    static const char *const names[] = {"", "..", "../v1", "v1/blue", ".v1", "v 1", "v1\n"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(service_resolve(&service, names[i], BLUE, &resolved, &err), -EINVAL);
}

static void test_workdir(void **state)
{
    service.workdir = strdup(below("releases/%r/%z"));
    resolve();
    assert_string_equal(resolved.workdir, below("releases/v1/blue"));
    assert_int_equal(service_resolve(&service, "v1", GREEN, &resolved, &err), -ENOENT);
    assert_true(text_starts_with(err.text, "[app] workdir: "));
    free(service.workdir);
    service.workdir = strdup(below("releases/v1/server"));
    expect_error(EINVAL, "[app] workdir: ", "is not a directory");
    free(service.workdir);
    service.workdir = strdup("srv");
    expect_error(EINVAL, "[app] workdir: ", "absolute path");
}

/* --- environment ------------------------------------------------------------------------------ */

static void test_default_environment(void **state)
{
    struct passwd *daemon = getpwnam("daemon");
    resolve();
    assert_non_null(strstr(variable("PATH"), "/usr/bin"));
    assert_string_equal(variable("USER"), "daemon");
    assert_string_equal(variable("LOGNAME"), "daemon");
    assert_string_equal(variable("HOME"), daemon->pw_dir);
    assert_null(variable("SHELL")); /* nologin: systemd sets none either */
    assert_non_null(variable("LANG"));
    assert_string_equal(variable("BLUEGREEN_APP"), "web");
    assert_string_equal(variable("BLUEGREEN_ZONE"), "blue");
    assert_string_equal(variable("BLUEGREEN_RELEASE"), "v1");
    assert_int_equal(resolved.environment.count, 8);
}

static void test_who_wins(void **state)
{
    write_file("env", "PATH=/file\nA=file\nB='file b'\nBLUEGREEN_APP=forged\nA=again\nC=%r\n", 0600);
    service.env_file = strdup(below("env"));
    words_add(&service.environment, "B=conf %r in %z, 5%%");
    words_add(&service.environment, "LANG=de_DE.UTF-8");
    words_add(&service.environment, "BLUEGREEN_ZONE=forged");
    resolve();
    assert_string_equal(variable("PATH"), "/file");
    assert_string_equal(variable("A"), "again");
    assert_string_equal(variable("B"), "conf v1 in blue, 5%");
    assert_string_equal(variable("C"), "%r"); /* as systemd: nothing is substituted inside the file */
    assert_string_equal(variable("LANG"), "de_DE.UTF-8");
    assert_string_equal(variable("BLUEGREEN_APP"), "web");
    assert_string_equal(variable("BLUEGREEN_ZONE"), "blue");
}

static void test_env_files(void **state)
{
    service.env_file = strdup(below("missing"));
    expect_error(ENOENT, "[app] env_file: ", below("missing does not exist"));
    free(service.env_file);
    service.env_file = strdup("-/tmp/no-such-file-of-bluegreen");
    resolve();
    free(service.env_file);
    char *optional = below("releases/%r/env");
    service.env_file = malloc(PATH_MAX);
    snprintf(service.env_file, PATH_MAX, "-%s", optional);
    resolve();
    write_file("releases/v1/env", "X=1\n", 0600);
    resolve();
    assert_string_equal(variable("X"), "1");
    write_file("releases/v1/env", "X=1\nnonsense\n", 0600);
    expect_error(EINVAL, "[app] env_file: ", "releases/v1/env: line 2 has no");
    free(service.env_file);
    service.env_file = strdup("/dev/zero");
    expect_error(EINVAL, "[app] env_file: ", "not a regular file");
    free(service.env_file);
    service.env_file = strdup("-etc/x");
    expect_error(EINVAL, "[app] env_file: ", "absolute path");
}

static void test_bad_substitutions(void **state)
{
    words_add(&service.run, "%q");
    expect_error(EINVAL, "[app] run: ", "unknown '%q'");
    service.run.items[3][0] = 'x';
    words_add(&service.environment, "A=%");
    expect_error(EINVAL, "[app] environment: ", "'%' at the end");
}

/* --- before there is a release ---------------------------------------------------------------- */

static void expect_problems(size_t count, const char *first)
{
    CLEANUP_WORDS struct words problems = {0};
    assert_int_equal(conf_check_host("web.conf", &service, &problems), count ? -EINVAL : 0);
    assert_int_equal(problems.count, count);
    if (count && !strstr(problems.items[0], first))
        fail_msg("\"%s\" does not say \"%s\"", problems.items[0], first);
}

static void test_early_checks(void **state)
{
    expect_problems(0, "");
    strcpy(service.user, "no-such-user-here");
    expect_problems(1, "web.conf: [app] user: there is no user");
    service.workdir = strdup("/no/such/%z");
    service.env_file = strdup("/no-such-file-of-bluegreen");
    expect_problems(4, "web.conf: [app] user: "); /* the work directory is one in each zone */
    strcpy(service.user, "daemon");
    expect_problems(3, "web.conf: [app] workdir: /no does not exist");
    free(service.env_file);
    service.env_file = strdup("/no-such-directory/%r.env");
    free(service.workdir);
    service.workdir = NULL;
    expect_problems(0, "");
    free(service.run.items[0]);
    service.run.items[0] = strdup("/no/such/%%r");
    expect_problems(1, "web.conf: [app] run: /no does not exist");
    words_clear(&service.run);
    expect_problems(0, "");
}

/* --- accounts --------------------------------------------------------------------------------- */

static void test_root_group_is_not_inherited(void **state)
{
    CLEANUP_ACCOUNT struct account account = {0};
    struct passwd *entry;
    const char *name = NULL;
    setpwent();
    while (!name && (entry = getpwent()))
        name = entry->pw_gid == 0 && entry->pw_uid != 0 ? entry->pw_name : NULL;
    if (!name) {
        endpwent();
        skip(); /* this host has no such account */
    }
    text_copy(service.user, sizeof service.user, name);
    endpwent();
    assert_int_equal(account_find(&service, &account, &err), -EPERM);
    strcpy(service.group, "root"); /* spelled out, it is what was meant */
    assert_int_equal(account_find(&service, &account, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_command, setup, teardown),
        cmocka_unit_test_setup_teardown(test_account, setup, teardown),
        cmocka_unit_test_setup_teardown(test_root_must_be_spelled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_accounts_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_release, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_executable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_executables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_releases, setup, teardown),
        cmocka_unit_test_setup_teardown(test_workdir, setup, teardown),
        cmocka_unit_test_setup_teardown(test_default_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_env_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_substitutions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_early_checks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_root_group_is_not_inherited, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
