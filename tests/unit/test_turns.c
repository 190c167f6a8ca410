// How a loop's time is told apart: what it worked, and what it was held.
#include "probes/turns.h"

#include "tests/unit/own_clock.h"

#include <uv.h>

static struct world {
    uv_loop_t loop;
    struct turns turns;
    unsigned closed;
} world;

static void on_free(void *owner)
{
    (void)owner;
    world.closed++;
}

static int set_up(void **state)
{
    (void)state;
    world = (struct world){.turns.on_free = on_free};
    assert_int_equal(uv_loop_init(&world.loop), 0);
    turns_open(&world.turns, &world.loop);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    turns_close(&world.turns);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    assert_int_equal(world.closed, 1);
    assert_int_equal(uv_loop_close(&world.loop), 0);
    return 0;
}

TEST_FIXTURE(set_up, tear_down);

TEST(of_a_long_turn_what_was_not_worked_was_held)
{
    struct turns_long then = turns_long(&world.turns, uv_hrtime());
    own_clock_pass_ns(20 * NS_PER_MS);
    own_clock_work_ns(30 * NS_PER_MS);
    struct turns_long since = turns_since(&world.turns, &then, uv_hrtime());
    assert_int_equal(since.held_ns, 20 * NS_PER_MS);
    assert_int_equal(since.worked_ns, 30 * NS_PER_MS);
}

// The processor's clock and the other one drift.
TEST(a_processors_clock_that_runs_fast_is_not_taken_for_ages_of_being_held)
{
    own_clock_pass_ns(20 * NS_PER_MS);
    struct turns_long then = turns_long(&world.turns, uv_hrtime());
    own_clock_work_ns(50 * NS_PER_MS);
    own_clock.worked_ns += 1000;
    struct turns_long since = turns_since(&world.turns, &then, uv_hrtime());
    assert_int_equal(since.held_ns, 0);
}
