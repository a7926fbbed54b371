/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [feed]: how it is written, which ports and requests it means, what contradicts it, and what it warns of. */
#include "app_text.h"

#include "conf/overlay.h"
#include "model/grammar.h"

#include <stdio.h>

#define APP                                                                        \
    "[app]\nname = web\nuser = web\nrun = /srv/web/server\n[ports]\nhttp = 80 -> " \
    "8080/tcp\napi = 81 -> 8081/tcp\nlog = 514 -> 5514/udp\n"
#define FENCED "[egress]\nstandby = closed\n"

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(feed_mode_name(FEED_HTTP), "http");
    assert_string_equal(feed_mode_name((enum feed_mode)99), "unknown");
    assert_string_equal(feed_state_name(FEED_STATE_IN_STEP), "in step");
    for (unsigned i = 0; i < FEED_STATES; i++)
        assert_non_null(feed_state_name((enum feed_state)i));
    assert_string_equal(feed_state_name(FEED_STATES), "unknown");
}

static void test_off_by_default(void **state)
{
    (void)state;
    CLEANUP_SERVICE struct service service = {0};
    CLEANUP_WORDS struct words warnings = {0};
    parse_good(APP, &service);
    assert_int_equal(service.feed.mode, FEED_OFF);
    for (size_t i = 0; i < service.port_count; i++)
        assert_false(service_feeds(&service, &service.ports[i]));
    assert_int_equal(service_warnings(&service, &warnings), 0);
}

static void test_defaults(void **state)
{
    (void)state;
    CLEANUP_SERVICE struct service service = {0};
    parse_good(APP "[feed]\nmode = http\n", &service);
    const struct feed *feed = &service.feed;
    assert_int_equal(feed->mode, FEED_HTTP);
    assert_true(feed_has_method(feed, "POST", 4) && feed_has_method(feed, "DELETE", 6));
    assert_false(feed_has_method(feed, "GET", 3) || feed_has_method(feed, "POS", 3) ||
                 feed_has_method(feed, "POSTS", 5));
    assert_int_equal(feed->sync_ms, 0);
    assert_true(feed->journal_max == 1ull << 30);
    assert_int_equal(feed->lanes, 1);
    assert_int_equal(feed->key.kind, FEED_KEY_NONE);
    assert_int_equal(feed->compare, FEED_COMPARE_STATUS);
    assert_int_equal(feed->client, FEED_CLIENT_HEADER);
    assert_int_equal(feed->in_doubt, FEED_DOUBT_ASK);
    assert_int_equal(feed->body_max, 16 << 20);
    assert_int_equal(feed->wait_ms, 5000);
    assert_int_equal(feed->seed_on, FEED_SEED_ON_ORDER);
    assert_int_equal(feed->seed_timeout_ms, 600000);
    /* All ports of TCP, none of UDP. */
    assert_true(service_feeds(&service, &service.ports[0]) && service_feeds(&service, &service.ports[1]));
    assert_false(service_feeds(&service, &service.ports[2]));
}

static bool words_equal(const struct words *a, const struct words *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->items[i], b->items[i]) == 0;
    return same;
}

static bool lists_equal(const struct feed *a, const struct feed *b)
{
    bool same = a->all_methods == b->all_methods && a->method_count == b->method_count &&
                a->ignore_count == b->ignore_count && words_equal(&a->ports, &b->ports);
    for (size_t i = 0; same && i < a->method_count; i++)
        same = strcmp(a->methods[i], b->methods[i]) == 0;
    for (size_t i = 0; same && i < a->ignore_count; i++)
        same = strcmp(a->ignore[i], b->ignore[i]) == 0;
    return same;
}

static bool feed_equal(const struct feed *a, const struct feed *b)
{
    return a->mode == b->mode && a->sync_ms == b->sync_ms && a->journal_max == b->journal_max && a->lanes == b->lanes &&
           a->key.kind == b->key.kind && a->key.part == b->key.part && strcmp(a->key.name, b->key.name) == 0 &&
           a->compare == b->compare && a->client == b->client && a->in_doubt == b->in_doubt &&
           a->body_max == b->body_max && a->wait_ms == b->wait_ms && a->seed_timeout_ms == b->seed_timeout_ms &&
           a->seed_on == b->seed_on && lists_equal(a, b);
}

static void test_every_key(void **state)
{
    (void)state;
    CLEANUP_SERVICE struct service service = {0}, same = {0}, other = {0};
    parse_good(APP
               "[feed]\nmode = http\nports = api\nmethods = POST LOCK\nsync = 100ms\njournal_max = 16M\nlanes = 64\n"
               "key = header X-Account\ncompare = body\nignore = date | id, Set-Cookie\nclient_address = proxy\n"
               "in_doubt = skip\nbody_max = 1025\nwait = 300s\nseed = host: /srv/web/seed %r\n"
               "seed_on = release\nseed_timeout = 1d\n",
               &service);
    const struct feed *feed = &service.feed;
    assert_false(service_feeds(&service, &service.ports[0]));
    assert_true(service_feeds(&service, &service.ports[1]));
    assert_int_equal(feed->method_count, 2);
    assert_true(feed_has_method(feed, "LOCK", 4) && !feed_has_method(feed, "PUT", 3));
    assert_int_equal(feed->sync_ms, 100);
    assert_int_equal(feed->journal_max, 16 << 20);
    assert_int_equal(feed->lanes, 64);
    assert_int_equal(feed->key.kind, FEED_KEY_HEADER);
    assert_string_equal(feed->key.name, "X-Account");
    assert_int_equal(feed->compare, FEED_COMPARE_BODY);
    assert_int_equal(feed->ignore_count, 3);
    assert_string_equal(feed->ignore[1], "id");
    assert_int_equal(feed->client, FEED_CLIENT_PROXY);
    assert_int_equal(feed->in_doubt, FEED_DOUBT_SKIP);
    assert_int_equal(feed->body_max, 1025);
    assert_int_equal(feed->wait_ms, 300000);
    assert_int_equal(service.hooks[HOOK_SEED].run.count, 2);
    assert_true(service.hooks[HOOK_SEED].on_host);
    assert_int_equal(feed->seed_on, FEED_SEED_ON_RELEASE);
    assert_int_equal(feed->seed_timeout_ms, 86400000);
    parse_good(service.source, &same);
    assert_true(feed_equal(feed, &same.feed));
    parse_good(APP "[feed]\nmode = http\n", &other);
    assert_false(feed_equal(feed, &other.feed));
}

static void test_equal_sees_every_field(void **state)
{
    (void)state;
    static const char *const lines[] = {"mode = stream",
                                        "ports = api",
                                        "methods = all",
                                        "methods = POST",
                                        "sync = 1ms",
                                        "journal_max = 2G",
                                        "lanes = 2",
                                        "key = path 1",
                                        "compare = none",
                                        "in_doubt = apply",
                                        "client_address = none",
                                        "body_max = 1K",
                                        "wait = 1s",
                                        "seed = /bin/a\nseed_on = release",
                                        "seed = /bin/a\nseed_timeout = 1s"};
    CLEANUP_SERVICE struct service plain = {0};
    parse_good(APP "[feed]\nmode = http\nkey = client\n", &plain);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        CLEANUP_SERVICE struct service changed = {0};
        char content[1000];
        bool mode = text_starts_with(lines[i], "mode"), key = text_starts_with(lines[i], "key");
        snprintf(content, sizeof content, APP "[feed]\n%s%s%s\n", mode ? "" : "mode = http\n",
                 key ? "" : "key = client\n", lines[i]);
        parse_good(content, &changed);
        if (feed_equal(&plain.feed, &changed.feed) || feed_equal(&changed.feed, &plain.feed))
            fail_msg("%s is not seen", lines[i]);
    }
}

static void expect_key(const char *value, enum feed_key_kind kind, const char *name, unsigned part)
{
    struct feed_key key = {.part = 77};
    struct error err = {0};
    if (grammar_feed_key(value, &key, &err) < 0)
        fail_msg("%s: %s", value, err.text);
    assert_int_equal(key.kind, kind);
    assert_string_equal(key.name, name);
    assert_int_equal(key.part, part);
}

static void test_keys(void **state)
{
    (void)state;
    expect_key("none", FEED_KEY_NONE, "", 0);
    expect_key(" header   X-Account ", FEED_KEY_HEADER, "X-Account", 0);
    expect_key("cookie session", FEED_KEY_COOKIE, "session", 0);
    expect_key("path 16", FEED_KEY_PATH, "", 16);
    expect_key("client", FEED_KEY_CLIENT, "", 0);
    static const char *const bad[] = {"",           "header",     "header a b", "header a:", "header a\"", "client a",
                                      "none none",  "path",       "path 0",     "path 17",   "path x",     "Header X",
                                      "cookie a=b", "cookie a;b", "path -1",    "session"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct feed_key key = {.part = 77};
        struct error err = {0};
        if (grammar_feed_key(bad[i], &key, &err) != -EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_int_equal(key.part, 77);
        assert_true(err.text[0]);
    }
}

static void test_methods(void **state)
{
    (void)state;
    struct feed feed = {.method_count = 1, .methods = {"POST"}};
    struct error err = {0};
    assert_int_equal(grammar_feed_methods("all", &feed, &err), 0);
    assert_true(feed.all_methods && feed_has_method(&feed, "BREW", 4));
    static const char *const bad[] = {"",
                                      "post",
                                      "all POST",
                                      "POST POST",
                                      "PO;ST",
                                      "CONNECT",
                                      "P\xc3\x96ST",
                                      "POST /",
                                      "123",
                                      "ABCDEFGHIJKLMNOPQRSTU",
                                      "A B C D E F G H I J K L M N O P Q"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (grammar_feed_methods(bad[i], &feed, &err) != -EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_true(feed.all_methods && feed.method_count == 0);
    }
}

#define HTTP APP "[feed]\nmode = http\n"
#define RANGE                                                                         \
    "[app]\nname = web\nuser = web\nrun = /srv/web/server\n[ports]\nhttp = 80-82 -> " \
    "8080-8082/tcp\n"

#define NUMBERS                                                       \
    "[app]\nname = web\nuser = web\nrun = /srv/web/server\n[ports]\n" \
    "http = 192.0.2.1:80 -> 8080/tcp\nadmin = 192.0.2.2:80 -> 8081/tcp\n"

static const struct bad_file bad_files[] = {
    {APP "[feed]\nmode = tcp\n", "[feed] mode: ", "is not one of off, http, stream, datagram"},
    {APP "[feed]\nports = http\n", "[feed] ports: ", "write \"mode = http\" too"},
    {APP "[feed]\nmode = http\nseed_on = release\n", "[feed] seed_on: ", "there is none; add one"},
    {APP "[feed]\nmode = http\nseed = /bin/a\nseed_on = deploy\n", "[feed] seed_on: ", "order, release"},
    {APP "[feed]\nmode = http\nseed_timeout = 1s\n", "[feed] seed_timeout: ", "there is none; add one"},
    {HTTP "ports = web\n", "[feed] ports: ", "there is no port web in [ports]"},
    {HTTP "ports = log\n", "[feed] ports: ", "no port of TCP"},
    {HTTP "ports = http http\n", "[feed] ports: ", "stands there twice"},
    {APP "[feed]\nmode = datagram\nports = http\n", "[feed] ports: ", "no port of UDP"},
    {RANGE "[feed]\nmode = http\n", "[feed] ports: ", "is a range"},
    {RANGE "[feed]\nmode = datagram\n", "[feed] mode: ", "no port of UDP in [ports]"},
    {RANGE "one = 90 -> 8081/tcp\n[feed]\nmode = http\nports = one\n", "[feed] ports: ", "by [ports] http, too"},
    {APP "extra = 82 -> 8082/tcp listen\n[feed]\nmode = http\n", "[feed] ports: ", "extra has listen"},
    {APP "extra = 82 -> 61063/tcp\n[feed]\nmode = http\n", "[ports] extra: ", "are the feed's"},
    {NUMBERS "[feed]\nmode = http\n", "[feed] ports: ", "are published at the same number, 80"},
    {HTTP "sync = 0\n", "[feed] sync: ", "out of range; it is 1ms to 1m; or write each"},
    {HTTP "sync = 61s\n", "[feed] sync: ", "or write each"},
    {HTTP "journal_max = 15M\n", "[feed] journal_max: ", "it is 16M to 1T"},
    {HTTP "journal_max = 2T\n", "[feed] journal_max: ", "it is 16M to 1T"},
    {HTTP "body_max = 1023\n", "[feed] body_max: ", "it is 1K to 1T"},
    {HTTP "body_max = 1G\n", "[feed] body_max: ", "would not fit into the journal"},
    {HTTP "lanes = 65\nkey = client\n", "[feed] lanes: ", "1 to 64"},
    {HTTP "lanes = 0\n", "[feed] lanes: ", "1 to 64"},
    {HTTP "lanes = 2\n", "[feed] lanes: ", "without a key"},
    {HTTP "compare = all\n", "[feed] compare: ", "status, body, none"},
    {HTTP "ignore = date\n", "[feed] ignore: ", "write \"compare = body\" too"},
    {HTTP "client_address = yes\n", "[feed] client_address: ", "header, proxy, none"},
    {HTTP "in_doubt = no\n", "[feed] in_doubt: ", "ask, apply, skip"},
    {HTTP "wait = 99ms\n", "[feed] wait: ", "100ms to 5m"},
    {HTTP "seed = seed.sh\n", "[feed] seed: ", "not an absolute path"},
    {HTTP "[standby]\nfreeze = yes\n", "[standby] freeze: ", "leave [feed] out"},
    {HTTP "[switch]\nmode = hold\n", "[switch] mode: ", "nobody to feed"},
    {APP "[feed]\nmode = stream\nmethods = POST\n", "[feed] methods: ", "with mode = stream there are none"},
    {APP "[feed]\nmode = stream\nbody_max = 1M\n", "[feed] body_max: ", "with mode = stream there are none"},
    {APP "[feed]\nmode = stream\nclient_address = header\n", "[feed] client_address: ", "write proxy or none"},
    {APP "[feed]\nmode = stream\nlanes = 2\nkey = path 1\n", "[feed] key: ", "write client, or none"},
    {APP "[feed]\nmode = datagram\nclient_address = proxy\n", "[feed] client_address: ", "write none"},
};

static void test_bad_files(void **state)
{
    (void)state;
    expect_bad_files(bad_files, sizeof bad_files / sizeof *bad_files);
}

static void test_other_modes(void **state)
{
    (void)state;
    CLEANUP_SERVICE struct service stream = {0}, datagram = {0}, off = {0};
    parse_good(APP "[feed]\nmode = stream\nports = http\nlanes = 8\nkey = client\nclient_address = proxy\n", &stream);
    assert_true(service_feeds(&stream, &stream.ports[0]) && !service_feeds(&stream, &stream.ports[1]));
    assert_int_equal(stream.feed.client, FEED_CLIENT_PROXY);
    parse_good(APP "[feed]\nmode = datagram\n", &datagram);
    assert_int_equal(datagram.feed.client, FEED_CLIENT_NONE);
    assert_true(service_feeds(&datagram, &datagram.ports[2]) && !service_feeds(&datagram, &datagram.ports[0]));
    /* Switched off, what else stands there is kept for later. */
    parse_good(APP "[feed]\nmode = off\nports = nowhere\nlanes = 2\n[standby]\nfreeze = yes\n", &off);
    assert_false(service_feeds(&off, &off.ports[0]));
}

static void expect_warning(const char *content, const char *start)
{
    CLEANUP_SERVICE struct service service = {0};
    CLEANUP_WORDS struct words warnings = {0};
    CLEANUP_TEXT struct text whole = {0};
    parse_good(content, &service);
    conf_app_warnings("apps/web.conf", &service, &warnings);
    text_addf(&whole, "apps/web.conf: %s", start);
    if (warnings.count != 1 || !text_starts_with(warnings.items[0], whole.data))
        fail_msg("%zu warnings, the first \"%s\" and not \"%s\"", warnings.count,
                 warnings.count ? warnings.items[0] : "", whole.data);
}

static void test_warnings(void **state)
{
    (void)state;
    CLEANUP_SERVICE struct service service = {0};
    CLEANUP_WORDS struct words warnings = {0};
    expect_warning(HTTP "seed = /bin/seed\n", "[egress] standby: ");
    expect_warning(HTTP "seed = /bin/seed\n[egress]\npolicy = closed\n", "[egress] standby: ");
    expect_warning(HTTP FENCED, "[feed] seed: ");
    expect_warning(HTTP "seed = /bin/seed\n" FENCED "[preview]\nfrom = 192.0.2.1\n", "[preview] port, from: ");
    parse_good(HTTP "seed = /bin/seed\n" FENCED, &service);
    assert_int_equal(service_warnings(&service, &warnings), 0);
}

/* A feed is a matter of the clients that come, not of the release: it is turned on, changed and off by a reload. */
static void test_takes_effect_at_once(void **state)
{
    (void)state;
    static const char on[] = APP "[feed]\nmode = http\nports = api\n", off[] = APP;
    static const char changed[] = APP "[feed]\nmode = http\nports = http api\nwait = 1s\n";
    static const char *const steps[][2] = {{off, on}, {on, on}, {on, changed}, {changed, off}};
    CLEANUP_SERVICE struct service kept = {0};
    parse_good(off, &kept);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        CLEANUP_SERVICE struct service before = {0}, fresh = {0};
        CLEANUP_OVERLAY struct overlay overlay = {0};
        CLEANUP_WORDS struct words problems = {0};
        parse_good(steps[i][0], &before);
        parse_good(steps[i][1], &fresh);
        assert_int_equal(conf_overlay("apps/web.conf", &kept, &before, &fresh, &overlay, &problems), 0);
        assert_int_equal(overlay.waits.count, 0);
        assert_true(feed_equal(&overlay.service->feed, &fresh.feed));
        service_clear(&kept);
        kept = *overlay.service; /* as reload does: the source stays the staged one */
        free(overlay.service);
        overlay.service = NULL;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_off_by_default),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_equal_sees_every_field),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_other_modes),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_takes_effect_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
