/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event loop: descriptors, timers, signals, and callbacks that remove each other. */
#include "os/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct loop *loop;
    int pipes[2][2];
    struct loop_source *sources[2];
    struct loop_timer *timers[3];
    int order[8], count;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct error err = {0};
    fixture = (struct fixture){0};
    *state = &fixture;
    return loop_new(&fixture.loop, &err) || pipe(fixture.pipes[0]) || pipe(fixture.pipes[1]);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++)
        loop_timer_free(f->timers[i]);
    loop_free(f->loop);
    for (int i = 0; i < 4; i++)
        close(f->pipes[i / 2][i % 2]);
    return 0;
}

static void note(struct fixture *f, int what)
{
    f->order[f->count++] = what;
}

static void quit_with_7(void *context)
{
    loop_quit(((struct fixture *)context)->loop, 7);
}

static void first_timer(void *context)
{
    note(context, 1);
}

static void second_timer(void *context)
{
    note(context, 2);
    loop_quit(((struct fixture *)context)->loop, 0);
}

static void timers_fire_in_order_of_time(void **state)
{
    struct fixture *f = *state;
    f->timers[0] = loop_timer_new(f->loop, second_timer, f);
    f->timers[1] = loop_timer_new(f->loop, first_timer, f);
    loop_timer_arm(f->timers[0], 20);
    loop_timer_arm(f->timers[1], 5);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->count, 2);
    assert_int_equal(f->order[0], 1);
    assert_int_equal(f->order[1], 2);
}

static void a_disarmed_timer_does_not_fire(void **state)
{
    struct fixture *f = *state;
    f->timers[0] = loop_timer_new(f->loop, first_timer, f);
    f->timers[1] = loop_timer_new(f->loop, quit_with_7, f);
    loop_timer_arm(f->timers[0], 1);
    loop_timer_arm(f->timers[1], 15);
    loop_timer_disarm(f->timers[0]);
    assert_int_equal(loop_run(f->loop), 7);
    assert_int_equal(f->count, 0);
}

static void rearm_then_quit(void *context)
{
    struct fixture *f = context;
    note(f, 3);
    if (f->count == 3)
        loop_quit(f->loop, 0);
    else
        loop_timer_arm(f->timers[0], 1);
}

static void a_timer_may_arm_itself_again(void **state)
{
    struct fixture *f = *state;
    f->timers[0] = loop_timer_new(f->loop, rearm_then_quit, f);
    loop_timer_arm(f->timers[0], 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->count, 3);
}

static void free_itself(void *context)
{
    struct fixture *f = context;
    loop_timer_free(f->timers[0]);
    f->timers[0] = NULL;
    loop_quit(f->loop, 0);
}

static void a_timer_may_free_itself(void **state)
{
    struct fixture *f = *state;
    f->timers[0] = loop_timer_new(f->loop, free_itself, f);
    loop_timer_arm(f->timers[0], 0);
    assert_int_equal(loop_run(f->loop), 0);
}

static void read_and_remove_both(void *context, int fd, uint32_t events)
{
    struct fixture *f = context;
    assert_true(events & EPOLLIN);
    note(f, fd == f->pipes[0][0] ? 10 : 11);
    loop_remove_fd(f->sources[0]);
    loop_remove_fd(f->sources[1]);
    loop_quit(f->loop, 0);
}

static void a_callback_may_remove_the_other_ready_source(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(write(f->pipes[i][1], "x", 1), 1);
        f->sources[i] = loop_add_fd(f->loop, f->pipes[i][0], EPOLLIN, read_and_remove_both, f);
        assert_non_null(f->sources[i]);
    }
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->count, 1);
}

static void events_can_be_switched_off_and_on(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(write(f->pipes[0][1], "x", 1), 1);
    f->sources[0] = loop_add_fd(f->loop, f->pipes[0][0], EPOLLIN, read_and_remove_both, f);
    f->sources[1] = NULL;
    assert_int_equal(loop_set_events(f->sources[0], 0), 0);
    f->timers[0] = loop_timer_new(f->loop, quit_with_7, f);
    loop_timer_arm(f->timers[0], 10);
    assert_int_equal(loop_run(f->loop), 7);
    assert_int_equal(f->count, 0);
    assert_int_equal(loop_set_events(f->sources[0], EPOLLIN), 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->count, 1);
}

static void on_signal(void *context, int signal)
{
    struct fixture *f = context;
    note(f, signal);
    if (f->count == 2)
        loop_quit(f->loop, 0);
}

static void signals_arrive_in_the_loop(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    assert_int_equal(loop_add_signal(f->loop, SIGUSR1, on_signal, f, &err), 0);
    assert_int_equal(loop_add_signal(f->loop, SIGUSR2, on_signal, f, &err), 0);
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGUSR1);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->order[0] + f->order[1], SIGUSR1 + SIGUSR2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timers_fire_in_order_of_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_disarmed_timer_does_not_fire, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timer_may_arm_itself_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timer_may_free_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_callback_may_remove_the_other_ready_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(events_can_be_switched_off_and_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signals_arrive_in_the_loop, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
