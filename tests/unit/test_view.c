/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an app sees: which steps, in which order, and which rules contradict each other. */
#include "model/view.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct sandbox strict;
static const char *const agents_own[] = {"/var/lib/bluegreen", "/etc/bluegreen", NULL};

static struct view_file rule(enum file_access access, const char *source, const char *target)
{
    return (struct view_file){.access = access, .source = (char *)source, .target = (char *)target};
}

static struct view_file automatic(const char *path)
{
    struct view_file file = rule(FILE_READ, path, path);
    file.automatic = true;
    return file;
}

static struct view built(const struct view_request *request)
{
    struct view view;
    struct error err = {0};
    if (view_build(request, &view, &err) != 0)
        fail_msg("view_build: %s", err.text);
    return view;
}

static struct view with_rules(const struct sandbox *sandbox, const struct view_file *files, size_t count)
{
    const struct view_request request = {
        .sandbox = sandbox, .files = files, .file_count = count, .hidden = agents_own, .cgroup = true};
    return built(&request);
}

/* The last step on target, which is what is seen; SIZE_MAX = none. */
static size_t find(const struct view *view, const char *target)
{
    for (size_t i = view->count; i-- > 0;) {
        if (strcmp(view->steps[i].target, target) == 0)
            return i;
    }
    return SIZE_MAX;
}

static void assert_step(const struct view *view, const char *target, uint32_t kind, uint32_t flags, const char *source)
{
    size_t i = find(view, target);
    if (i == SIZE_MAX)
        fail_msg("no step on %s", target);
    if (view->steps[i].kind != kind || view->steps[i].flags != flags || strcmp(view->steps[i].source, source) != 0)
        fail_msg("%s: kind %u flags %#x source %s", target, (unsigned)view->steps[i].kind,
                 (unsigned)view->steps[i].flags, view->steps[i].source);
}

static void assert_none(const struct view *view, const char *target)
{
    if (find(view, target) != SIZE_MAX)
        fail_msg("there is a step on %s", target);
}

/* Whatever is in a directory comes after what is done to the directory, or it would be covered. */
static void assert_order(const struct view *view)
{
    for (size_t i = 0; i < view->count; i++) {
        size_t length = strlen(view->steps[i].target);
        for (size_t j = 0; j < i; j++) {
            const char *before = view->steps[j].target;
            if (length < strlen(before) && strncmp(before, view->steps[i].target, length) == 0 &&
                (length == 1 || before[length] == '/'))
                fail_msg("%s comes before %s", before, view->steps[i].target);
        }
    }
}

static void assert_refused(const struct view_file *files, size_t count, const char *text)
{
    const struct view_request request = {.sandbox = &strict, .files = files, .file_count = count, .hidden = agents_own};
    struct view view;
    struct error err = {0};
    assert_int_equal(view_build(&request, &view, &err), -EINVAL);
    if (!strstr(err.text, text))
        fail_msg("\"%s\" is not in: %s", text, err.text);
    assert_null(view.steps);
}

enum { OWN = VIEW_OPTIONAL | VIEW_FOLLOW };

static void test_default(void **state)
{
    CLEANUP_VIEW struct view view = with_rules(&strict, NULL, 0);
    assert_order(&view);
    assert_int_equal(view.steps[0].kind, VIEW_SEAL);
    assert_step(&view, "/", VIEW_SEAL, VIEW_READ_ONLY, "");
    assert_step(&view, "/tmp", VIEW_TMPFS, OWN | VIEW_SHARED, "");
    assert_step(&view, "/var/tmp", VIEW_TMPFS, OWN | VIEW_SHARED, "");
    assert_step(&view, "/run", VIEW_TMPFS, OWN | VIEW_OWNED, "");
    assert_step(&view, "/home", VIEW_TMPFS, OWN | VIEW_READ_ONLY, "");
    assert_step(&view, "/root", VIEW_TMPFS, OWN | VIEW_READ_ONLY, "");
    assert_step(&view, "/dev", VIEW_DEV, VIEW_FOLLOW, "");
    assert_step(&view, "/proc", VIEW_PROC, VIEW_FOLLOW, "");
    assert_step(&view, "/sys", VIEW_SYS, VIEW_FOLLOW | VIEW_READ_ONLY, "");
    assert_step(&view, "/sys/fs/cgroup", VIEW_CGROUP, OWN | VIEW_READ_ONLY, "");
    assert_step(&view, "/proc/sys", VIEW_LOCK, OWN, "");
    assert_step(&view, "/proc/1", VIEW_LOCK, OWN, "");
    assert_step(&view, "/var/lib/bluegreen", VIEW_HIDE, OWN, "");
    assert_step(&view, "/etc/bluegreen", VIEW_HIDE, OWN, "");
    static const char *const hidden[] = {"/proc/kcore",      "/proc/keys",        "/proc/kallsyms",
                                         "/proc/timer_list", "/proc/kmsg",        "/proc/sysrq-trigger",
                                         "/sys/firmware",    "/sys/kernel/debug", "/proc/sched_debug"};
    for (size_t i = 0; i < COUNT(hidden); i++)
        assert_step(&view, hidden[i], VIEW_HIDE, OWN, "");
    assert_none(&view, "/etc/shadow");
    assert_none(&view, "/run/user");
}

static void test_root_does_not_see_secrets(void **state)
{
    const struct view_request request = {.sandbox = &strict, .root = true};
    CLEANUP_VIEW struct view view = built(&request);
    static const char *const secrets[] = {"/var/snap",         "/var/lib/lxd", "/var/lib/incus", "/var/lib/libvirt",
                                          "/var/lib/machines", "/etc/shadow",  "/etc/gshadow",   "/etc/ssh",
                                          "/etc/ssl/private",  "/var/backups"};
    for (size_t i = 0; i < COUNT(secrets); i++)
        assert_step(&view, secrets[i], VIEW_HIDE, OWN, "");
    assert_none(&view, "/sys/fs/cgroup");
}

/* Nor at another place. */
static void test_secrets_stay_hidden_where_they_are_shown_again(void **state)
{
    const struct view_file files[] = {rule(FILE_READ, "/etc", "/mnt/etc"), rule(FILE_HIDE, "/etc/private", NULL)};
    const struct view_request request = {
        .sandbox = &strict, .files = files, .file_count = COUNT(files), .hidden = agents_own, .root = true};
    CLEANUP_VIEW struct view view = built(&request);
    assert_order(&view);
    assert_step(&view, "/mnt/etc", VIEW_BIND, VIEW_READ_ONLY, "/etc");
    assert_step(&view, "/mnt/etc/shadow", VIEW_HIDE, VIEW_OPTIONAL, "");
    assert_step(&view, "/mnt/etc/bluegreen", VIEW_HIDE, VIEW_OPTIONAL, "");
    assert_step(&view, "/mnt/etc/private", VIEW_HIDE, VIEW_OPTIONAL, "");
    assert_none(&view, "/mnt/etc/backups");
}

static void test_each_loosening_is_its_own(void **state)
{
    struct sandbox sandbox = {.system_writable = true};
    struct view view = with_rules(&sandbox, NULL, 0);
    assert_step(&view, "/", VIEW_SEAL, 0, "");
    assert_step(&view, "/home", VIEW_TMPFS, OWN | VIEW_READ_ONLY, "");
    assert_step(&view, "/sys", VIEW_SYS, VIEW_FOLLOW | VIEW_READ_ONLY, "");
    view_clear(&view);

    sandbox = (struct sandbox){.home_visible = true};
    view = with_rules(&sandbox, NULL, 0);
    assert_none(&view, "/home");
    assert_none(&view, "/root");
    assert_step(&view, "/run", VIEW_TMPFS, OWN | VIEW_OWNED, "");
    assert_step(&view, "/run/user", VIEW_BIND, OWN | VIEW_READ_ONLY, "/run/user");
    view_clear(&view);

    sandbox = (struct sandbox){.run_visible = true};
    view = with_rules(&sandbox, NULL, 0);
    assert_none(&view, "/run");
    assert_step(&view, "/run/user", VIEW_TMPFS, OWN | VIEW_READ_ONLY, "");
    assert_step(&view, "/home", VIEW_TMPFS, OWN | VIEW_READ_ONLY, "");
    view_clear(&view);

    sandbox = (struct sandbox){.kernel_visible = true};
    view = with_rules(&sandbox, NULL, 0);
    assert_step(&view, "/sys", VIEW_SYS, VIEW_FOLLOW, "");
    assert_none(&view, "/proc/sys");
    assert_none(&view, "/proc/kcore");
    assert_step(&view, "/proc", VIEW_PROC, VIEW_FOLLOW, "");
    assert_step(&view, "/sys/fs/cgroup", VIEW_CGROUP, OWN | VIEW_READ_ONLY, "");
    view_clear(&view);
}

static void test_devices(void **state)
{
    char *items[] = {(char *)"/dev/fuse", NULL};
    const struct sandbox sandbox = {.devices = {.items = items, .count = 1}};
    CLEANUP_VIEW struct view view = with_rules(&sandbox, NULL, 0);
    assert_step(&view, "/dev/fuse", VIEW_BIND, VIEW_DEVICE | VIEW_NO_EXEC, "/dev/fuse");
    assert_order(&view);
}

static void test_rules(void **state)
{
    const struct view_file files[] = {rule(FILE_WRITE, "/srv/web/data", "/srv/web/data"),
                                      rule(FILE_READ, "/srv/web/data/keys", "/srv/web/data/keys"),
                                      rule(FILE_STATE, "/var/lib/web-blue", "/var/lib/web"),
                                      rule(FILE_HIDE, "/srv/other", NULL), rule(FILE_READ, "/home/web", "/home/web")};
    CLEANUP_VIEW struct view view = with_rules(&strict, files, COUNT(files));
    assert_order(&view);
    assert_step(&view, "/srv/web/data", VIEW_BIND, 0, "/srv/web/data");
    assert_step(&view, "/srv/web/data/keys", VIEW_BIND, VIEW_READ_ONLY, "/srv/web/data/keys");
    assert_step(&view, "/var/lib/web", VIEW_BIND, 0, "/var/lib/web-blue");
    assert_step(&view, "/srv/other", VIEW_HIDE, VIEW_OPTIONAL, "");
    assert_step(&view, "/home/web", VIEW_BIND, VIEW_READ_ONLY, "/home/web");
    assert_none(&view, "/var/lib/web-blue");
}

/* In a directory that nobody can enter nothing could be shown. */
static void test_what_is_shown_in_something_hidden(void **state)
{
    const struct view_file files[] = {rule(FILE_HIDE, "/srv", NULL), rule(FILE_READ, "/srv/web", "/srv/web"),
                                      rule(FILE_READ, "/etc/bluegreen/web.key", "/etc/bluegreen/web.key")};
    CLEANUP_VIEW struct view view = with_rules(&strict, files, COUNT(files));
    assert_step(&view, "/srv", VIEW_TMPFS, VIEW_OPTIONAL | VIEW_READ_ONLY, "");
    assert_step(&view, "/etc/bluegreen", VIEW_TMPFS, OWN | VIEW_READ_ONLY, "");
    assert_step(&view, "/var/lib/bluegreen", VIEW_HIDE, OWN, "");
    assert_order(&view);
}

static void test_a_hidden_directory_may_be_shown_itself(void **state)
{
    const struct view_file files[] = {rule(FILE_WRITE, "/run", "/run"), rule(FILE_READ, "/home", "/home")};
    CLEANUP_VIEW struct view view = with_rules(&strict, files, COUNT(files));
    assert_step(&view, "/run", VIEW_BIND, 0, "/run");
    assert_step(&view, "/home", VIEW_BIND, VIEW_READ_ONLY, "/home");
}

static void test_automatic_ones_only_where_hidden(void **state)
{
    const struct view_file files[] = {automatic("/srv/web/v1"), automatic("/home/web/v1"), automatic("/tmp"),
                                      automatic("/var/tmp/web")};
    CLEANUP_VIEW struct view view = with_rules(&strict, files, COUNT(files));
    assert_none(&view, "/srv/web/v1");
    assert_step(&view, "/home/web/v1", VIEW_BIND, VIEW_READ_ONLY, "/home/web/v1");
    assert_step(&view, "/tmp", VIEW_TMPFS, OWN | VIEW_SHARED, "");
    assert_step(&view, "/var/tmp/web", VIEW_BIND, VIEW_READ_ONLY, "/var/tmp/web");

    const struct sandbox home = {.home_visible = true};
    CLEANUP_VIEW struct view visible = with_rules(&home, files, COUNT(files));
    assert_none(&visible, "/home/web/v1");
}

/* A rule has said what is there: it must not become read-only because the working directory lies in it. */
static void test_automatic_ones_give_way_to_rules(void **state)
{
    const struct view_file files[] = {rule(FILE_WRITE, "/home/web", "/home/web"), automatic("/home/web/work"),
                                      rule(FILE_HIDE, "/home/web/old", NULL), automatic("/home/web/old/v1"),
                                      automatic("/home/web")};
    CLEANUP_VIEW struct view view = with_rules(&strict, files, COUNT(files));
    assert_step(&view, "/home/web", VIEW_BIND, 0, "/home/web");
    assert_none(&view, "/home/web/work");
    assert_step(&view, "/home/web/old", VIEW_TMPFS, VIEW_OPTIONAL | VIEW_READ_ONLY, "");
    assert_step(&view, "/home/web/old/v1", VIEW_BIND, VIEW_READ_ONLY, "/home/web/old/v1");
    assert_order(&view);
}

static void test_automatic_ones_once(void **state)
{
    const struct view_file files[] = {automatic("/home/web"), automatic("/home/web/v1"), automatic("/home/web")};
    CLEANUP_VIEW struct view view = with_rules(&strict, files, COUNT(files));
    size_t count = 0;
    for (size_t i = 0; i < view.count; i++)
        count += strncmp(view.steps[i].target, "/home/", 6) == 0;
    assert_int_equal(count, 1);
}

static void test_name_service(void **state)
{
    struct view_request request = {
        .sandbox = &strict, .resolv_conf = "/run/bluegreen/zones/web.blue/resolv.conf", .hosts = ""};
    CLEANUP_VIEW struct view view = built(&request);
    assert_step(&view, "/etc/resolv.conf", VIEW_BIND, OWN | VIEW_READ_ONLY | VIEW_NO_EXEC,
                "/run/bluegreen/zones/web.blue/resolv.conf");
    assert_none(&view, "/etc/hosts");

    const struct view_file files[] = {rule(FILE_READ, "/etc/web/resolv.conf", "/etc/resolv.conf")};
    request.files = files;
    request.file_count = COUNT(files);
    CLEANUP_VIEW struct view own = built(&request);
    assert_step(&own, "/etc/resolv.conf", VIEW_BIND, VIEW_READ_ONLY, "/etc/web/resolv.conf");
}

static void test_contradictions(void **state)
{
    const struct view_file both[] = {rule(FILE_READ, "/srv/a", "/srv/a"), rule(FILE_WRITE, "/srv/a", "/srv/a")};
    assert_refused(both, 2, "/srv/a cannot be both read = /srv/a and write = /srv/a");
    const struct view_file hidden[] = {rule(FILE_READ, "/srv/a", "/srv/a"), rule(FILE_HIDE, "/srv/a", NULL)};
    assert_refused(hidden, 2, "cannot be both");
    const struct view_file two[] = {rule(FILE_READ, "/srv/a", "/srv/c"), rule(FILE_READ, "/srv/b", "/srv/c")};
    assert_refused(two, 2, "cannot be both");
    const struct view_file root[] = {rule(FILE_WRITE, "/", "/")};
    assert_refused(root, 1, "system = writable");
    const struct view_file elsewhere[] = {rule(FILE_READ, "/", "/mnt")};
    assert_refused(elsewhere, 1, "/ is too much");
    const struct view_file proc[] = {rule(FILE_WRITE, "/proc", "/proc")};
    assert_refused(proc, 1, "[sandbox] kernel");
    const struct view_file same[] = {rule(FILE_WRITE, "/srv/a", "/srv/a"), rule(FILE_STATE, "/srv/a", "/srv/a")};
    CLEANUP_VIEW struct view view = with_rules(&strict, same, 2);
    assert_step(&view, "/srv/a", VIEW_BIND, 0, "/srv/a");
}

static void test_agents_own_directories(void **state)
{
    const struct view_file whole[] = {rule(FILE_READ, "/etc/bluegreen", "/etc/bluegreen")};
    assert_refused(whole, 1, "belongs to bluegreend");
    const struct view_file over[] = {rule(FILE_READ, "/srv/a", "/var/lib/bluegreen")};
    assert_refused(over, 1, "belongs to bluegreend");
    const struct view_file part[] = {rule(FILE_WRITE, "/var/lib/bluegreen/zones", "/srv/zones")};
    assert_refused(part, 1, "belongs to bluegreend");
    const struct view_file above[] = {rule(FILE_WRITE, "/var/lib", "/var/lib")};
    CLEANUP_VIEW struct view view = with_rules(&strict, above, 1);
    assert_step(&view, "/var/lib/bluegreen", VIEW_HIDE, OWN, "");
    assert_order(&view);
}

static void test_covers(void **state)
{
    assert_true(view_covers(&strict, "/home/web"));
    assert_true(view_covers(&strict, "/root/x"));
    assert_true(view_covers(&strict, "/run/web"));
    assert_true(view_covers(&strict, "/tmp/x"));
    assert_true(view_covers(&strict, "/dev/shm/x"));
    assert_false(view_covers(&strict, "/home"));
    assert_false(view_covers(&strict, "/homer/web"));
    assert_false(view_covers(&strict, "/srv/home/web"));
    assert_false(view_covers(&strict, "/"));
    const struct sandbox home = {.home_visible = true}, run = {.run_visible = true};
    assert_false(view_covers(&home, "/home/web"));
    assert_false(view_covers(&home, "/run/user/7"));
    assert_true(view_covers(&home, "/run/web"));
    assert_false(view_covers(&run, "/run/web"));
    assert_true(view_covers(&run, "/run/user/7"));
}

static void test_clear(void **state)
{
    struct view view = with_rules(&strict, NULL, 0);
    view_clear(&view);
    assert_null(view.steps);
    assert_null(view.texts);
    assert_int_equal(view.count, 0);
    view_clear(&view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_root_does_not_see_secrets),
        cmocka_unit_test(test_secrets_stay_hidden_where_they_are_shown_again),
        cmocka_unit_test(test_each_loosening_is_its_own),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_what_is_shown_in_something_hidden),
        cmocka_unit_test(test_a_hidden_directory_may_be_shown_itself),
        cmocka_unit_test(test_automatic_ones_only_where_hidden),
        cmocka_unit_test(test_automatic_ones_give_way_to_rules),
        cmocka_unit_test(test_automatic_ones_once),
        cmocka_unit_test(test_name_service),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_agents_own_directories),
        cmocka_unit_test(test_covers),
        cmocka_unit_test(test_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
