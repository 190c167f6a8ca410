// When what several inputs lead to is done.
#include "controller/daemon/gather.h"

#include "tests/unit/own_clock.h"

#define INPUTS 1000

static struct world {
    uv_loop_t loop;
    struct gather gather;
    uv_idle_t idle;
    uv_async_t async;
    unsigned inputs;  // of the next callback of ours
    uint64_t each_ns; // that each takes
    uint64_t work_ns; // that working them off takes
    unsigned done, worked, worked_at_once;
} world;

static void work(void *arg)
{
    (void)arg;
    own_clock_pass_ns(world.work_ns);
    world.worked++;
}

static void bring_inputs(void)
{
    unsigned before = world.worked;
    for (; world.inputs > 0; world.inputs--, world.done++) {
        own_clock_pass_ns(world.each_ns);
        gather_input(&world.gather);
        world.worked_at_once += world.done == 0 && world.worked > before;
    }
}

static void on_idle(uv_idle_t *idle)
{
    bring_inputs();
    uv_idle_stop(idle);
}

static void on_async(uv_async_t *async)
{
    (void)async;
    bring_inputs();
}

static int set_up(void **state)
{
    (void)state;
    world = (struct world){.gather.work = work};
    assert_int_equal(uv_loop_init(&world.loop), 0);
    gather_open(&world.gather, &world.loop);
    uv_idle_init(&world.loop, &world.idle);
    uv_async_init(&world.loop, &world.async, on_async);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gather_close(&world.gather);
    uv_close((uv_handle_t *)&world.idle, NULL);
    uv_close((uv_handle_t *)&world.async, NULL);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world.loop), 0);
    return 0;
}

TEST_FIXTURE(set_up, tear_down);

// What a socket brings, as far as the loop is concerned.
static void turn_with(unsigned inputs)
{
    world.inputs = inputs;
    world.done = world.worked = world.worked_at_once = 0;
    assert_int_equal(uv_async_send(&world.async), 0);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    assert_int_equal(world.done, inputs);
}

TEST(what_comes_alone_is_worked_off_at_once_and_once)
{
    turn_with(1);
    assert_int_equal(world.worked_at_once, 1);
    assert_int_equal(world.worked, 1);
}

TEST(of_a_thousand_at_once_the_first_is_worked_off_at_once_and_all_others_together)
{
    turn_with(INPUTS);
    assert_int_equal(world.worked_at_once, 1);
    assert_int_equal(world.worked, 2);
}

TEST(each_turn_begins_anew)
{
    turn_with(3);
    turn_with(2);
    assert_int_equal(world.worked_at_once, 1);
    assert_int_equal(world.worked, 2);
}

TEST(who_is_late_in_a_long_turn_does_not_wait_for_its_end)
{
    world.each_ns = NS_PER_MS / 4;
    turn_with(100);
    assert_in_range(world.worked, 25, 26);
}

TEST(work_that_takes_long_is_not_done_anew_for_each)
{
    world.work_ns = NS_PER_MS * GATHER_MS * 2;
    turn_with(INPUTS);
    assert_int_equal(world.worked_at_once, 1);
    assert_int_equal(world.worked, 2);
}

TEST(what_an_idle_callback_brings_is_worked_off_before_the_loop_looks_around)
{
    world.inputs = 5;
    uv_idle_start(&world.idle, on_idle);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    assert_int_equal(world.done, 5);
    assert_int_equal(world.worked, 2);
}
