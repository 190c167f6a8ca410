// How many of those that are to begin at once do so in one turn of the loop. Each start here takes
// longer than a turn has for them, so that each turn has room for one.
#include "probes/starts.h"

#include "tests/unit/own_clock.h"

#include <stdbool.h>

#define STARTS   5
#define RUNS_MAX 10

static struct world {
    uv_loop_t loop;
    struct turns turns;
    struct starts starts;
    struct start wanted[STARTS];
    size_t run[RUNS_MAX]; // which ones, in the order of it
    size_t count;
    unsigned closed;
} world;

static void run(void *owner)
{
    own_clock_work_ns(12 * NS_PER_MS);
    assert_true(world.count < RUNS_MAX);
    world.run[world.count++] = (size_t)((struct start *)owner - world.wanted);
}

static void on_free(void *owner)
{
    (void)owner;
    world.closed++;
}

static int set_up(void **state)
{
    (void)state;
    world = (struct world){.turns.on_free = on_free, .starts.on_free = on_free};
    assert_int_equal(uv_loop_init(&world.loop), 0);
    turns_open(&world.turns, &world.loop);
    starts_open(&world.starts, &world.loop, &world.turns);
    for (size_t i = 0; i < STARTS; i++) {
        world.wanted[i] = (struct start){.owner = &world.wanted[i], .run = run};
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    starts_close(&world.starts);
    turns_close(&world.turns);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    assert_int_equal(world.closed, 2);
    assert_int_equal(uv_loop_close(&world.loop), 0);
    return 0;
}

TEST_FIXTURE(set_up, tear_down);

static void turn(void)
{
    uv_run(&world.loop, UV_RUN_NOWAIT);
}

// Exactly these have run, in this order.
static void assert_run(size_t count, const size_t *which)
{
    assert_int_equal(world.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(world.run[i], which[i]);
    }
}

TEST(the_first_begins_at_once_and_the_rest_over_the_next_turns)
{
    static const size_t order[STARTS] = {0, 1, 2, 3, 4};
    for (size_t i = 0; i < STARTS; i++) {
        starts_now(&world.starts, &world.wanted[i]);
    }
    assert_run(1, order);
    turn(); // it is the same turn of the loop up to its poll
    for (size_t i = 2; i <= STARTS; i++) {
        turn();
        assert_run(i, order);
    }
}

TEST(who_comes_later_waits_behind_those_that_wait)
{
    starts_soon(&world.starts, &world.wanted[3]);
    starts_now(&world.starts, &world.wanted[1]);
    assert_int_equal(world.count, 0);
    while (world.count < 2) {
        turn();
    }
    assert_run(2, (size_t[]){3, 1});
}

TEST(what_is_wanted_twice_begins_once)
{
    starts_soon(&world.starts, &world.wanted[0]);
    starts_soon(&world.starts, &world.wanted[0]);
    starts_soon(&world.starts, &world.wanted[1]);
    while (world.count < 2) {
        turn();
    }
    turn();
    turn();
    assert_run(2, (size_t[]){0, 1});
    starts_soon(&world.starts, &world.wanted[0]); // and can be wanted again
    while (world.count < 3) {
        turn();
    }
}

TEST(what_is_forgotten_does_not_begin)
{
    for (size_t i = 0; i < STARTS; i++) {
        starts_soon(&world.starts, &world.wanted[i]);
    }
    starts_forget(&world.starts, &world.wanted[0]);
    starts_forget(&world.starts, &world.wanted[2]);
    starts_forget(&world.starts, &world.wanted[4]);
    starts_forget(&world.starts, &world.wanted[4]);
    starts_soon(&world.starts, &world.wanted[2]);
    while (world.count < 3) {
        turn();
    }
    turn();
    assert_run(3, (size_t[]){1, 3, 2});
}
