/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages for the kernel when memory runs out at any point while they are made: the batch says so, or is as it would
 * be otherwise. What is neither says something else to the kernel: a rule to delete without its chain is every rule of
 * the table.
 */
#include "traffic/nft_build.h"

#include "ruleset_scene.h"

#include <errno.h>
#include <malloc.h>

static long left = -1; /* allocations until the one that fails; -1: none does */

static bool memory_is_out(void)
{
    return left >= 0 && left-- == 0;
}

/* A sanitizer has its own. */
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
#define OUT_OF_MEMORY 1

void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
/* Libraries are to see them. */
#define EXPORTED __attribute__((visibility("default")))
EXPORTED void *malloc(size_t size);
EXPORTED void *calloc(size_t count, size_t size);
EXPORTED void *realloc(void *old, size_t size);

/* Zeros: messages have gaps between attributes that nobody writes. */
void *malloc(size_t size)
{
    return memory_is_out() ? NULL : __libc_calloc(1, size);
}

void *calloc(size_t count, size_t size)
{
    return memory_is_out() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    size_t before = old ? malloc_usable_size(old) : 0;
    char *new = memory_is_out() ? NULL : __libc_realloc(old, size);
    if (new &&size > before)
        memset(new + before, 0, size - before);
    return new;
}
#else
#define OUT_OF_MEMORY 0
#endif

/* True if it came through. */
static bool build(const struct ruleset_state *from, const struct ruleset_state *to, struct nft_batch *batch)
{
    static const struct nft_tables tables = {.table_there = true};
    struct ruleset_batch ops = {0};
    struct error err = {0};
    bool good = ruleset_diff(from, to, &ops, &err) == 0;
    if (good)
        nft_build(&ops, &tables, batch);
    ruleset_batch_clear(&ops);
    return good && !batch->failed;
}

static void walk(const struct ruleset_state *from, const struct ruleset_state *to)
{
    struct nft_batch whole = {0};
    long number = 0, failed = 0;
    assert_true(build(from, to, &whole));
    assert_true(whole.count > 0);
    for (bool reached = OUT_OF_MEMORY; reached; number++) {
        struct nft_batch batch = {0};
        left = number;
        bool good = build(from, to, &batch);
        reached = left < 0;
        left = -1;
        failed += !good;
        if (good && (batch.length != whole.length || memcmp(batch.data, whole.data, whole.length) != 0))
            fail_msg("allocation %ld failed, and another batch came out of it, as if nothing had happened", number);
        nft_batch_clear(&batch);
    }
    assert_true(!OUT_OF_MEMORY || failed > 0);
    nft_batch_clear(&whole);
}

static void test_whole(void **unused)
{
    struct scene scene;
    two_apps(&scene);
    scene.apps[0].zones[GREEN].fence = (struct ruleset_fence){.there = true, .closed = true};
    walk(NULL, &scene.state);
}

static void test_switch(void **unused)
{
    struct scene from, to;
    two_apps(&from);
    two_apps(&to);
    to.apps[0].live = GREEN;
    assert_diff(&from.state, &to.state, "add element inet bluegreen green.web { tcp, udp }\n");
    walk(&from.state, &to.state);
    walk(&to.state, &from.state);
}

/* Chains are emptied and deleted. */
static void test_a_zone_goes(void **unused)
{
    struct scene from, to;
    two_apps(&from);
    two_apps(&to);
    to.apps[0].zones[GREEN].present = false;
    walk(&from.state, &to.state);
    walk(&to.state, &from.state);
    to.apps[0].zones[BLUE].present = false;
    to.apps[0].live = -1;
    walk(&from.state, &to.state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_switch),
        cmocka_unit_test(test_a_zone_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
