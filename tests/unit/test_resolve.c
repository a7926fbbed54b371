/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host must have: accounts, executable, directory, environment, hooks. */
#include "resolve_world.h"

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

/* --- more commands ---------------------------------------------------------------------------- */

static void test_processes_and_check(void **state)
{
    write_file("releases/v1/worker", "#!/bin/sh\n", 0755);
    add_process("worker", below("releases/%r/worker"));
    add_process("cron", "/bin/sh");
    words_add(&service.health.exec, below("releases/%r/server"));
    words_add(&service.health.exec, "%r");
    service.health.kind = HEALTH_EXEC;
    resolve();
    assert_string_equal(resolved.processes[0].items[0], below("releases/v1/worker"));
    assert_string_equal(resolved.processes[0].items[1], "--in=blue");
    assert_string_equal(resolved.processes[1].items[0], "/bin/sh");
    assert_int_equal(resolved.processes[2].count, 0);
    assert_int_equal(resolved.check.count, 2);
    assert_string_equal(resolved.check.items[1], "v1");
    assert_int_equal(unlink(below("releases/v1/worker")), 0);
    expect_error(ENOENT, "[process worker] run: ", below("releases/v1/worker does not exist"));
    write_file("releases/v1/worker", "", 0644);
    expect_error(EACCES, "[process worker] run: ", "chmod +x");
    assert_int_equal(chmod(below("releases/v1/worker"), 0755), 0);
    free(service.health.exec.items[0]);
    service.health.exec.items[0] = strdup("/no-such-check");
    expect_error(ENOENT, "[health] exec: ", "/no-such-check does not exist");
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

/* --- hooks ------------------------------------------------------------------------------------ */

static void set_hook(enum hook hook, const char *executable, bool on_host)
{
    words_clear(&service.hooks[hook].run);
    words_add(&service.hooks[hook].run, executable);
    words_add(&service.hooks[hook].run, "%r/%z");
    service.hooks[hook].on_host = on_host;
}

/* What was live has to come back after a reboot, whatever became of its hooks. */
static void expect_hook_problem(const char *start, const char *part)
{
    resolve();
    if (!text_starts_with(resolved.hook_problem, start) || !strstr(resolved.hook_problem, part))
        fail_msg("\"%s\" does not start with \"%s\" or does not say \"%s\"", resolved.hook_problem, start, part);
}

static void test_hooks(void **state)
{
    write_file("releases/v1/test", "#!/bin/sh\n", 0755);
    set_hook(HOOK_TEST, below("releases/%r/test"), false);
    set_hook(HOOK_GUARD, "/bin/sh", true);
    resolve();
    assert_int_equal(resolved.hooks[HOOK_TEST].count, 2);
    assert_string_equal(resolved.hooks[HOOK_TEST].items[0], below("releases/v1/test"));
    assert_string_equal(resolved.hooks[HOOK_TEST].items[1], "v1/blue");
    assert_string_equal(resolved.hooks[HOOK_GUARD].items[0], "/bin/sh");
    assert_int_equal(resolved.hooks[HOOK_PRE_START].count, 0);
    assert_string_equal(resolved.hook_problem, "");
    assert_int_equal(unlink(below("releases/v1/test")), 0);
    expect_hook_problem("[hooks] test: ", below("releases/v1/test does not exist"));
    write_file("releases/v1/test", "", 0644);
    expect_hook_problem("[hooks] test: ", "chmod +x");
    service.hooks[HOOK_TEST].on_host = true;
    expect_hook_problem("[hooks] test: ", "chmod +x");
    assert_int_equal(chmod(below("releases/v1/test"), 0755), 0);
    set_hook(HOOK_GUARD, "/no-such-guard", true);
    expect_hook_problem("[bake] guard: ", "/no-such-guard does not exist");
    set_hook(HOOK_GUARD, "/usr", true);
    expect_hook_problem("[bake] guard: ", "/usr is not a regular file");
    set_hook(HOOK_PRE_START, "/no-such-hook", false); /* the first is told */
    expect_hook_problem("[hooks] pre_start: ", "/no-such-hook does not exist");
}

/* A hook in the zone sees what the app sees; one on the host needs nothing to be shown. */
static void test_what_hooks_see(void **state)
{
    set_run("/bin/sh");
    write_file("tool", "#!/bin/sh\n", 0755);
    set_hook(HOOK_ON_FAILURE, below("tool"), false);
    expect_hook_problem("[hooks] on_failure: ", "add [files] read = ");
    service.hooks[HOOK_ON_FAILURE].on_host = true;
    resolve();
    assert_string_equal(resolved.hook_problem, "");
    assert_string_equal(resolved.hooks[HOOK_ON_FAILURE].items[0], below("tool"));
    assert_int_equal(resolved.file_count, 0);
    set_hook(HOOK_TEST, below("releases/%r/server"), true);
    resolve();
    assert_int_equal(resolved.file_count, 0);
    service.hooks[HOOK_TEST].on_host = false; /* its release is shown, as the app's own would be */
    resolve();
    assert_int_equal(resolved.file_count, 1);
    assert_string_equal(resolved.files[0].target, below("releases/v1"));
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
    expect_problems(3, "web.conf: [app] user: "); /* what both zones lack is said once */
    strcpy(service.user, "daemon");
    expect_problems(2, "web.conf: [app] workdir: /no does not exist");
    free(service.workdir);
    service.workdir = strdup("/%z/such");
    expect_problems(3, "web.conf: [app] workdir: /blue does not exist");
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

static void test_early_checks_of_hooks(void **state)
{
    set_hook(HOOK_PRE_START, "/no/such/%r", false);
    set_hook(HOOK_TEST, "/no/such/%r", true);
    expect_problems(0, "");
    set_hook(HOOK_PRE_SWITCH, "/no/such", false);
    set_hook(HOOK_ON_ROLLBACK, "/no/such", true);
    set_hook(HOOK_GUARD, below("releases/v1/server"), false);
    expect_problems(3, "web.conf: [hooks] pre_switch: /no does not exist");
    service.hooks[HOOK_GUARD].on_host = true;
    expect_problems(2, "web.conf: [hooks] pre_switch: /no does not exist");
}

/* Before a release is known, rules with %r say nothing, neither for nor against what is in them. */
static void test_early_checks_of_files(void **state)
{
    add_file(FILE_READ, below("releases/%r"), below("here"));
    add_file(FILE_WRITE, "/no/such/%r", NULL);
    set_run(below("here/server"));
    add_process("worker", below("releases/%r/missing"));
    expect_problems(0, "");
    add_process("cron", "/no/such/cron");
    expect_problems(1, "web.conf: [process cron] run: /no does not exist");
    add_file(FILE_WRITE, "/no/such/data", NULL);
    words_add(&service.sandbox.devices, "/dev/no-such-device");
    expect_problems(3, "web.conf: [files] write: /no does not exist");
    free(service.processes[1].run.items[0]);
    service.processes[1].run.items[0] = strdup("/no/such/data/cron"); /* only a consequence */
    expect_problems(2, "web.conf: [files] write: /no does not exist");
    words_clear(&service.sandbox.devices);
    remove_file();
    free(service.processes[1].run.items[0]);
    service.processes[1].run.items[0] = strdup(below("releases/v1/server"));
    expect_problems(1, "web.conf: [process cron] run: ");
    service.workdir = strdup(below("releases"));
    expect_problems(0, "");
}

/* --- accounts --------------------------------------------------------------------------------- */

static bool want_of_memory;

/* As glibc's when it has no memory to open the data base with: as if nobody was there. */
int getpwnam_r(const char *name, struct passwd *entry, char *text, size_t size, struct passwd **found)
{
    int (*next)(const char *, struct passwd *, char *, size_t, struct passwd **);
    if (want_of_memory) {
        *found = NULL;
        errno = ENOMEM;
        return 0;
    }
    *(void **)&next = dlsym(RTLD_NEXT, "getpwnam_r");
    return next(name, entry, text, size, found);
}

static void test_users_that_cannot_be_read(void **state)
{
    CLEANUP_ACCOUNT struct account account = {0};
    want_of_memory = true;
    int result = account_find(&service, &account, &err);
    want_of_memory = false;
    assert_int_equal(result, -ENOMEM);
    assert_string_equal(err.text, "[app] user: look up the user daemon: Cannot allocate memory");
    assert_int_equal(account_find(&service, &account, &err), 0);
}

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
        cmocka_unit_test_setup_teardown(test_users_that_cannot_be_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_release, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_executable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_executables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_releases, setup, teardown),
        cmocka_unit_test_setup_teardown(test_workdir, setup, teardown),
        cmocka_unit_test_setup_teardown(test_processes_and_check, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hooks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_hooks_see, setup, teardown),
        cmocka_unit_test_setup_teardown(test_default_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_env_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_substitutions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_early_checks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_early_checks_of_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_early_checks_of_hooks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_root_group_is_not_inherited, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
