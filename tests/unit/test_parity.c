/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of what two zones are, and what differs: the comparison, and that no key of an app's file escapes it. */
#include "app_text.h"

#include "base/cleanup.h"
#include "conf/app_keys.h"
#include "conf/effective.h"
#include "conf/overlay.h"
#include "model/parity.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define APP                                                                                   \
    "[app]\nname = web\nuser = web\nrun = /srv/web/%r/server --zone %z\nworkdir = /srv/web\n" \
    "environment = LEVEL=info | TOKEN=%r\n[ports]\nhttp = 80 -> 8080/tcp\n"

/* --- comparing -------------------------------------------------------------------------------------- */

struct seen {
    struct parity_difference rows[64];
    size_t count;
};

static void on_difference(void *context, const struct parity_difference *difference)
{
    struct seen *seen = context;
    assert_true(seen->count < sizeof seen->rows / sizeof *seen->rows);
    seen->rows[seen->count++] = *difference;
}

static const struct parity_difference *row(const struct seen *seen, const char *name)
{
    for (size_t i = 0; i < seen->count; i++) {
        if (strcmp(seen->rows[i].name, name) == 0)
            return &seen->rows[i];
    }
    return NULL;
}

static void expect_row(const struct seen *seen, const char *name, const char *blue, const char *green,
                       enum parity_of of)
{
    const struct parity_difference *found = row(seen, name);
    if (!found)
        fail_msg("%s is not among the differences", name);
    assert_string_equal(found->values[BLUE], blue);
    assert_string_equal(found->values[GREEN], green);
    assert_int_equal(found->of, of);
}

static void add(struct parity_list *list, const char *name, const char *value, const char *bare)
{
    parity_add(list,
               &(struct parity_entry){
                   .name = (char *)name, .value = (char *)value, .bare = (char *)bare, .of = PARITY_CONFIGURATION});
}

static void test_compare(void **state)
{
    CLEANUP_PARITY struct parity_list blue = {0};
    CLEANUP_PARITY struct parity_list green = {0};
    struct seen seen = {0};
    add(&blue, "b.changed", "1", NULL);
    add(&blue, "a.same", "x", NULL);
    add(&blue, "z.gone", "only here", NULL);
    add(&blue, "c.release", "/srv/v1", "/srv/%r");
    add(&blue, "d.spelling", "/srv/v1", "/srv/v1");
    add(&green, "d.spelling", "/srv/v1", "/srv/%r");
    add(&green, "c.release", "/srv/v2", "/srv/%r");
    add(&green, "a.same", "x", NULL);
    add(&green, "m.new", "only there", NULL);
    add(&green, "b.changed", "2", NULL);
    parity_compare(&blue, &green, on_difference, &seen);
    assert_int_equal(seen.count, 5);
    expect_row(&seen, "b.changed", "1", "2", PARITY_CONFIGURATION);
    expect_row(&seen, "c.release", "/srv/v1", "/srv/v2", PARITY_RELEASE);
    expect_row(&seen, "d.spelling", "/srv/v1", "/srv/v1", PARITY_CONFIGURATION);
    expect_row(&seen, "m.new", "", "only there", PARITY_CONFIGURATION);
    expect_row(&seen, "z.gone", "only here", "", PARITY_CONFIGURATION);
}

static void test_secrets(void **state)
{
    CLEANUP_PARITY struct parity_list blue = {0};
    CLEANUP_PARITY struct parity_list green = {0};
    struct seen seen = {0};
    struct parity_entry entry = {
        .name = (char *)"environment.TOKEN", .value = (char *)"hush", .of = PARITY_CONFIGURATION, .secret = true};
    parity_add(&blue, &entry);
    entry.value = (char *)"hush!";
    parity_add(&green, &entry);
    entry.name = (char *)"environment.NEW";
    parity_add(&green, &entry);
    parity_compare(&blue, &green, on_difference, &seen);
    assert_int_equal(seen.count, 2);
    expect_row(&seen, "environment.TOKEN", "hidden", "hidden, another", PARITY_CONFIGURATION);
    expect_row(&seen, "environment.NEW", "", "hidden", PARITY_CONFIGURATION);
}

static void test_generalise(void **state)
{
    static const struct {
        const char *text, *release, *general;
    } cases[] = {
        {"/srv/web/v1/bin", "v1", "/srv/web/%r/bin"},
        {"/srv/web-v1", "v1", "/srv/web-%r"},
        {"/srv/v10/v1", "v1", "/srv/v10/%r"},
        {"/var/lib/web-blue", "v1", "/var/lib/web-%z"},
        {"/var/lib/bluebell", "v1", "/var/lib/bluebell"},
        {"/srv/web", "", "/srv/web"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CLEANUP_TEXT struct text general = {0};
        parity_generalise(cases[i].text, cases[i].release, BLUE, &general);
        assert_string_equal(general.data, cases[i].general);
    }
}

/* --- what is configured ------------------------------------------------------------------------------- */

static void list(const struct service *service, const char *release, enum colour zone, struct parity_list *out)
{
    struct error err = {0};
    if (conf_effective(service, release, zone, out, &err) < 0)
        fail_msg("%s", err.text);
}

static void compare_services(const struct service *blue, const struct service *green, struct seen *seen)
{
    CLEANUP_PARITY struct parity_list left = {0};
    CLEANUP_PARITY struct parity_list right = {0};
    list(blue, "v1", BLUE, &left);
    list(green, "v2", GREEN, &right);
    parity_compare(&left, &right, on_difference, seen);
}

static void compare_files(const char *blue, const char *green, struct seen *seen)
{
    CLEANUP_SERVICE struct service left;
    CLEANUP_SERVICE struct service right;
    parse_good(blue, &left);
    parse_good(green, &right);
    compare_services(&left, &right, seen);
}

static void test_only_the_release(void **state)
{
    struct seen seen = {0};
    compare_files(APP, APP, &seen);
    assert_int_equal(seen.count, 2);
    expect_row(&seen, "app.run", "/srv/web/v1/server --zone blue", "/srv/web/v2/server --zone green", PARITY_RELEASE);
    expect_row(&seen, "environment.TOKEN", "hidden", "hidden, another", PARITY_RELEASE);
}

/* Another way to write the same is the same. */
static void test_spelling(void **state)
{
    struct seen seen = {0};
    compare_files(APP "[limits]\nmemory = 1G\n[drain]\ntimeout = 60s\n[health]\ntcp = :8080\nstart_timeout = 60s\n",
                  APP "[limits]\nmemory = 1024M\n[drain]\ntimeout = 1m\n[health]\ntcp =   :8080\n", &seen);
    assert_int_equal(seen.count, 2);
}

static void test_values(void **state)
{
    struct seen seen = {0};
    compare_files(APP "[limits]\nmemory = 512M\n[bake]\ntime = 10m\nerrors = 10%\n[process mail]\nrun = /bin/a\n",
                  APP "[limits]\nmemory = 1G\nswap = 0\n[bake]\ntime = 10m\nresets = 3\nerrors = 20%\n", &seen);
    expect_row(&seen, "limits.memory", "512M", "1G", PARITY_CONFIGURATION);
    expect_row(&seen, "limits.swap", "(default)", "0", PARITY_CONFIGURATION);
    expect_row(&seen, "bake.resets", "unlimited (default)", "3", PARITY_CONFIGURATION);
    expect_row(&seen, "bake.errors", "10%", "20%", PARITY_CONFIGURATION);
    expect_row(&seen, "process mail.run", "/bin/a", "", PARITY_CONFIGURATION);
    assert_int_equal(seen.count, 7); /* and what is the release's */
}

static void test_environment(void **state)
{
    struct seen seen = {0};
    compare_files(APP,
                  "[app]\nname = web\nuser = web\nrun = /srv/web/%r/server --zone %z\nworkdir = /srv/web\n"
                  "environment = LEVEL=debug | TOKEN=%r\n[ports]\nhttp = 81 -> 8080/tcp\nsecure = 443 -> 8443/tcp\n",
                  &seen);
    expect_row(&seen, "environment.LEVEL", "hidden", "hidden, another", PARITY_CONFIGURATION);
    expect_row(&seen, "environment.TOKEN", "hidden", "hidden, another", PARITY_RELEASE);
    expect_row(&seen, "ports.http", "80 -> 8080/tcp", "81 -> 8080/tcp", PARITY_CONFIGURATION);
    expect_row(&seen, "ports.secure", "", "443 -> 8443/tcp", PARITY_CONFIGURATION);
}

/* What a changed file made of a running zone counts, and not what it was staged with. */
static void test_laid_over(void **state)
{
    CLEANUP_SERVICE struct service staged;
    CLEANUP_SERVICE struct service changed;
    CLEANUP_OVERLAY struct overlay overlay = {0};
    CLEANUP_WORDS struct words problems = {0};
    struct seen seen = {0};
    parse_good(APP "[health]\nhttp = :8080/old\n", &staged);
    parse_good(APP "[health]\nhttp = :8080/new\n[limits]\ntasks = 7\n", &changed);
    assert_int_equal(conf_overlay("web.conf", &staged, NULL, &changed, &overlay, &problems), 0);
    compare_services(overlay.service, &changed, &seen);
    assert_null(row(&seen, "health.http"));
    expect_row(&seen, "limits.tasks", "none (default)", "7", PARITY_CONFIGURATION);
}

/* --- every key ---------------------------------------------------------------------------------------- */

/* Another value of a plain field than it has: the first that its kind has room for. */
static void change_field(const struct key_rule *rule, struct service *service)
{
    char *field = (char *)service + rule->offset;
    switch (rule->kind) {
    case KEY_CALL: break;
    case KEY_DURATION:
    case KEY_NUMBER:
    case KEY_BOUND: *(uint32_t *)(void *)field = *(uint32_t *)(void *)field == rule->max ? rule->min : rule->max; break;
    case KEY_SIZE:
    case KEY_MEMORY: *(uint64_t *)(void *)field += 1 << 20; break;
    case KEY_WORD: *(unsigned *)(void *)field ^= 1; break;
    case KEY_BOOLEAN:
    case KEY_FLAG: *(bool *)(void *)field = !*(bool *)(void *)field; break;
    }
}

/* The text of the file, with this key in it. What has a language of its own is compared as it is written. */
static void change_text(const struct key_rule *rule, struct service *service)
{
    CLEANUP_TEXT struct text file = {0};
    const char *name = rule->set_named ? " one" : "", *key = rule->key ? rule->key : "added";
    text_addf(&file, "[%s%s]\n%s = /another/value\n", rule->section, name, key);
    free(service->source);
    service->source = strdup(file.data);
    service->source_length = file.length;
}

static void name_of(const struct key_rule *rule, char *name, size_t size)
{
    snprintf(name, size, "%s%s.%s", rule->section, rule->set_named ? " one" : "", rule->key ? rule->key : "added");
}

static void test_every_key(void **state)
{
    for (size_t i = 0; i < app_rule_count; i++) {
        const struct key_rule *rule = &app_rules[i];
        CLEANUP_SERVICE struct service before;
        CLEANUP_SERVICE struct service after;
        struct seen seen = {0};
        char name[64];
        name_of(rule, name, sizeof name);
        parse_good(APP, &before);
        parse_good(APP, &after);
        if (strcmp(name, "app.environment") == 0) { /* its own test above */
            continue;
        } else if (rule->kind == KEY_CALL) {
            change_text(rule, &after);
        } else {
            change_field(rule, &after);
        }
        compare_services(&before, &after, &seen);
        enum parity_of of = strcmp(name, "schema.needs") == 0 ? PARITY_RELEASE : PARITY_CONFIGURATION;
        const struct parity_difference *found = row(&seen, name);
        if (!found || found->of != of)
            fail_msg("%s was changed, and that is %s", name, found ? "put down to another" : "no difference");
    }
}

/* --- where a release is ------------------------------------------------------------------------------- */

static void expect_directory(const char *content, const char *expected)
{
    CLEANUP_SERVICE struct service service;
    CLEANUP_FREE char *path = NULL;
    parse_good(content, &service);
    assert_int_equal(conf_release_directory(&service, "v1", GREEN, &path, NULL), 0);
    if (!expected)
        assert_null(path);
    else
        assert_string_equal(path, expected);
}

static void test_directory(void **state)
{
    expect_directory(APP, "/srv/web/v1");
    expect_directory("[app]\nname = web\nuser = web\nrun = /usr/bin/node server.js\nworkdir = /srv/%r.d/%z/x\n",
                     "/srv/v1.d");
    expect_directory("[app]\nname = web\nuser = web\nrun = /bin/a\n[process b]\nrun = /opt/%z/%r/b\n", "/opt/green/v1");
    expect_directory(APP "[releases]\ndir = /opt/releases\n", "/opt/releases/v1");
    expect_directory("[app]\nname = web\nuser = web\nrun = /bin/a\n", NULL);
    expect_directory("[app]\nname = web\nuser = web\nrun = /bin/%%r/a\n", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),          cmocka_unit_test(test_secrets),   cmocka_unit_test(test_generalise),
        cmocka_unit_test(test_only_the_release), cmocka_unit_test(test_spelling),  cmocka_unit_test(test_values),
        cmocka_unit_test(test_environment),      cmocka_unit_test(test_laid_over), cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
