/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an app sees of the host's files, and what becomes of paths that are not as they should be. */
#include "resolve_world.h"

/* --- what the app sees ------------------------------------------------------------------------- */

static void expect_file(size_t at, enum file_access access, const char *source, const char *target, bool automatic)
{
    assert_true(at < resolved.file_count);
    const struct view_file *file = &resolved.files[at];
    assert_int_equal(file->access, access);
    assert_string_equal(file->source, source);
    assert_string_equal(file->target, target);
    assert_int_equal(file->automatic, automatic);
}

/* These tests live in /tmp, which an app has for itself: its release has to be shown to it. */
static void test_the_release_is_shown(void **state)
{
    resolve();
    assert_int_equal(resolved.file_count, 1);
    expect_file(0, FILE_READ, below("releases/v1"), below("releases/v1"), true);
    add_process("worker", below("releases/%r/server")); /* in what is shown already */
    service.workdir = strdup(below("releases//%r/%z/"));
    resolve();
    assert_int_equal(resolved.file_count, 1);
    assert_string_equal(resolved.workdir, below("releases/v1/blue"));
    free(service.workdir);
    service.workdir = strdup(below("releases"));
    resolve();
    assert_int_equal(resolved.file_count, 1);
    expect_file(0, FILE_READ, below("releases"), below("releases"), true);
    set_run("/bin/sh");
    service.process_count = 0;
    words_clear(&service.processes[0].run);
    static const char *const own[] = {"/tmp", "/dev/shm", "/run"}; /* the app's, not the host's */
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        free(service.workdir);
        service.workdir = strdup(own[i]);
        resolve();
        assert_int_equal(resolved.file_count, 0);
        assert_string_equal(resolved.workdir, own[i]);
    }
}

static void test_a_release_in_its_file_name(void **state)
{
    write_file("server-v1", "#!/bin/sh\n", 0755);
    set_run(below("server-%r"));
    resolve();
    expect_file(0, FILE_READ, below("server-v1"), below("server-v1"), true);
}

/* Whatever is hidden, a link that the app's own user may have put there must not show it. */
static void test_links_in_a_place_of_the_apps(void **state)
{
    (void)state;
    directory_make(below("own"), 0755, NULL);
    assert_int_equal(symlink("../releases", below("own/link")), 0);
    set_run(below("own/link/%r/server"));
    resolve(); /* root's */
    const struct passwd *user = getpwnam("daemon");
    assert_non_null(user);
    assert_int_equal(chown(below("own"), user->pw_uid, 0), 0);
    expect_error(ELOOP, "[app] run: ", "/own/link is a symbolic link in a place where the app's user may put another");
    assert_null(strstr(err.text, "releases"));
    /* By its group, or as everybody. */
    assert_int_equal(chown(below("own"), 0, user->pw_gid), 0);
    resolve();
    assert_int_equal(chmod(below("own"), 0775), 0);
    expect_error(ELOOP, "[app] run: ", "/own/link is a symbolic link");
    assert_int_equal(chown(below("own"), 0, 0), 0);
    resolve();
    assert_int_equal(chmod(below("own"), 0757), 0);
    expect_error(ELOOP, "[app] run: ", "/own/link is a symbolic link");
    /* Where only its owner may replace it, his it must not be. */
    assert_int_equal(chmod(below("own"), 01777), 0);
    resolve();
    assert_int_equal(lchown(below("own/link"), user->pw_uid, 0), 0);
    expect_error(ELOOP, "[app] run: ", "/own/link is a symbolic link");
    /* What is no link is what it seems. */
    assert_int_equal(unlink(below("own/link")), 0);
    assert_int_equal(rename(below("releases"), below("own/link")), 0);
    assert_int_equal(chown(below("own"), user->pw_uid, 0), 0);
    resolve();
}

static void test_a_linked_release(void **state)
{
    assert_int_equal(symlink("releases", below("link")), 0);
    set_run(below("link/%r/server"));
    resolve();
    expect_file(0, FILE_READ, below("releases/v1"), below("link/v1"), true);
}

static void test_what_is_not_seen(void **state)
{
    set_run(below("releases/v1/server")); /* without %r it is any program of the host */
    expect_error(EACCES, "[app] run: ", "add [files] read = ");
    assert_non_null(strstr(err.text, below("releases/v1")));
    add_file(FILE_READ, below("releases"), NULL);
    resolve();
    remove_file();
    directory_make(below("shown"), 0755, NULL);
    add_file(FILE_READ, below("shown"), NULL);
    assert_int_equal(symlink("../releases/v1/server", below("shown/link")), 0);
    set_run(below("shown/link"));
    expect_error(EACCES, "[app] run: ", "is a link to ");
    assert_non_null(strstr(err.text, "add [files] read = "));
    assert_int_equal(symlink("real", below("shown/inner")), 0);
    write_file("shown/real", "#!/bin/sh\n", 0755);
    set_run(below("shown/inner"));
    resolve();
}

static void test_what_is_hidden(void **state)
{
    add_file(FILE_HIDE, below("releases/v1"), NULL);
    expect_error(EACCES, "[app] run: ", "is hidden from the app by [files] hide = ");
    add_file(FILE_READ, below("releases/v1/server"), NULL); /* the deeper rule decides */
    resolve();
    remove_file();
    remove_file();
    add_file(FILE_HIDE, "/bin-of-nobody", NULL); /* need not exist */
    resolve();
    expect_file(0, FILE_HIDE, "/bin-of-nobody", "/bin-of-nobody", false);
}

static void test_rules_are_resolved(void **state)
{
    directory_make(below("data-green"), 0755, NULL);
    directory_make(below("data-blue"), 0755, NULL);
    add_file(FILE_WRITE, below("data-%z"), "/tmp//data/");
    add_file(FILE_STATE, below("state-%z"), NULL);
    add_file(FILE_READ, below("releases/%r/"), below("here"));
    set_run(below("here/server")); /* as the app calls it */
    service.workdir = strdup(below("state-%z"));
    resolve();
    assert_int_equal(resolved.file_count, 3);
    expect_file(0, FILE_READ, below("releases/v1"), below("here"), false);
    expect_file(1, FILE_STATE, below("state-blue"), below("state-blue"), false);
    expect_file(2, FILE_WRITE, below("data-blue"), "/tmp/data", false);
    assert_string_equal(resolved.workdir, below("state-blue")); /* which is made before the app starts */
    assert_int_equal(service_resolve(&service, "v1", GREEN, &resolved, &err), 0);
    expect_file(2, FILE_WRITE, below("data-green"), "/tmp/data", false);
}

static void test_bad_sources(void **state)
{
    add_file(FILE_READ, below("none/at/all"), NULL);
    expect_error(ENOENT, "[files] read: ", below("none does not exist"));
    service.files[0].access = FILE_WRITE;
    expect_error(ENOENT, "[files] write: ", below("none does not exist"));
    service.files[0].access = FILE_STATE;
    expect_error(ENOENT, "[files] state: ", "would be made in it: make it first");
    remove_file();
    add_file(FILE_STATE, below("releases/v1/server"), NULL);
    expect_error(EINVAL, "[files] state: ", "is not a directory");
    remove_file();
    assert_int_equal(symlink("releases", below("link")), 0);
    add_file(FILE_WRITE, below("link/v1"), NULL);
    expect_error(ELOOP, "[files] write: ", "goes through a symbolic link");
    /* Whose it is, and not where it leads: that may be what somebody wants to be written. */
    assert_non_null(strstr(err.text, "link, made by uid 0; name the place"));
    assert_null(strstr(err.text, below("releases")));
    service.files[0].access = FILE_STATE;
    expect_error(ELOOP, "[files] state: ", "goes through a symbolic link");
    remove_file();
    add_file(FILE_STATE, below("link/new"), NULL);
    expect_error(ELOOP, "[files] state: ", "goes through a symbolic link");
    remove_file();
    add_file(FILE_STATE, below("new"), NULL);
    add_file(FILE_STATE, below("new/inner"), NULL); /* its parent will be there by then */
    resolve();
}

static void test_bad_places(void **state)
{
    add_file(FILE_READ, below("releases"), "/var/lib/no-such-place");
    expect_error(ENOENT, "[files] read: ", "/var/lib/no-such-place does not exist, so nothing can be shown there");
    remove_file();
    add_file(FILE_READ, below("releases"), "/etc/passwd");
    expect_error(EINVAL, "[files] read: ", "is a directory and the other is not");
    remove_file();
    add_file(FILE_STATE, below("state"), "/etc/passwd");
    expect_error(EINVAL, "[files] state: ", "is a directory and the other is not");
    remove_file();
    add_file(FILE_READ, below("releases/v1/server"), "/etc/hostname");
    add_file(FILE_READ, below("releases"), "/home/is/made"); /* in a directory that each app has for itself */
    resolve();
    add_file(FILE_WRITE, below("releases"), "/home/is/made/too"); /* but not in what it is shown */
    expect_error(ENOENT, "[files] write: ", below("releases/too does not exist, so nothing can be shown as /home/is"));
    directory_make(below("releases/too"), 0755, NULL);
    resolve();
    add_file(FILE_HIDE, "/opt", NULL);
    add_file(FILE_READ, below("releases"), "/opt/made/as/well");
    resolve();
}

/* The agent makes them when the app starts. */
static void test_places_for_state(void **state)
{
    add_file(FILE_STATE, below("state"), "/bluegreen/no/place");
    expect_error(ENOENT, "[files] state: ", "/bluegreen does not exist");
    assert_non_null(strstr(err.text, "/bluegreen/no/place would be made in it: make it first"));
    remove_file();
    add_file(FILE_STATE, below("state"), "/bluegreen-no-such-place");
    resolve();
    remove_file();
    add_file(FILE_READ, below("releases"), "/home/is/made"); /* the place is in the host's directory then */
    add_file(FILE_STATE, below("state"), "/home/is/made/v2");
    add_file(FILE_STATE, below("inner"), "/home/is/made/v2/inner"); /* in state that is made before it */
    resolve();
    remove_file();
    remove_file();
    add_file(FILE_STATE, below("state"), "/home/is/made/v2/no");
    expect_error(ENOENT, "[files] state: ", below("releases/v2 does not exist"));
    remove_file();
    assert_int_equal(symlink("v1", below("releases/link")), 0);
    add_file(FILE_STATE, below("state"), "/home/is/made/link/place");
    expect_error(ELOOP, "[files] state: ", "goes through a symbolic link");
    remove_file();
    add_file(FILE_STATE, below("state"), "/home/is/made/v1/server");
    expect_error(EINVAL, "[files] state: ", "is a directory and the other is not");
}

static void test_devices(void **state)
{
    words_add(&service.sandbox.devices, "/dev/null");
    resolve();
    words_add(&service.sandbox.devices, "/dev/no-such-device");
    expect_error(ENOENT, "[sandbox] devices: ", "/dev/no-such-device does not exist on this host");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_release_is_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_release_in_its_file_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_linked_release, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_in_a_place_of_the_apps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_hidden, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rules_are_resolved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_sources, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places_for_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_devices, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
