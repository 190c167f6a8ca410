// Work aside: what becomes of it when nobody waits for it any more.
#include "probes/aside.h"
#include "tests/test.h"
#include "tests/unit/guard.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

static struct aside *aside;
static struct aside_work first, second;
static atomic_bool may_end, was_dropped;
static bool is_free;

static void run_at_once(struct aside_work *work)
{
    (void)work;
}

static void run_long(struct aside_work *work)
{
    (void)work;
    while (!may_end) {
        sched_yield();
    }
}

static void drop(struct aside_work *work)
{
    (void)work;
    was_dropped = true;
}

static void begin_the_second(void *owner, struct aside_work *work)
{
    (void)owner;
    assert_ptr_equal(work, &first);
    second = (struct aside_work){.run = run_long, .drop = drop};
    assert_int_equal(aside_begin(aside, &second), 0);
}

static void on_free(void *owner)
{
    (void)owner;
    free(aside);
    is_free = true;
}

TEST(what_is_begun_while_it_closes_is_left_behind)
{
    uv_loop_t loop;
    guard_begin();
    assert_int_equal(uv_loop_init(&loop), 0);
    aside = malloc(sizeof *aside);
    assert_non_null(aside);
    *aside = (struct aside){.on_done = begin_the_second, .on_free = on_free};
    assert_int_equal(aside_open(aside, &loop), 0);
    first = (struct aside_work){.run = run_at_once, .drop = drop};
    assert_int_equal(aside_begin(aside, &first), 0);
    while (aside_is_busy()) {
        guard_awaits("the end of the first piece");
        sched_yield();
    }
    aside_close(aside);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(is_free);
    assert_int_equal(uv_loop_close(&loop), 0);
    may_end = true;
    while (!was_dropped || aside_is_busy()) {
        guard_awaits("the second piece to be undone");
        sched_yield();
    }
}
