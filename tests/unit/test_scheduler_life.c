// The scheduler: probes that stay, come and go with a reload, and its end.
#include "tests/unit/scheduler_fixture.h"

TEST_FIXTURE(set_up, tear_down);

TEST(a_reload_leaves_unchanged_probes_alone)
{
    struct world *world = *state;
    struct probe_conf *former = malloc(2 * sizeof *former);
    struct probe_conf same = world->confs[1];
    struct probe_conf changed = world->confs[0];
    bool had[2] = {false};
    changed.fingerprint = 99;
    assert_non_null(former);
    memcpy(former, world->confs, 2 * sizeof *former);
    world->applied[0] = &former[0];
    world->applied[1] = &former[1];
    apply(world, 2);
    run_until(world, 4);
    assert_int_equal(script.opens, 2);
    world->applied[0] = &same; // the other place, too
    world->applied[1] = &changed;
    apply(world, 2);
    memset(former, 0xff, 2 * sizeof *former);
    free(former);
    size_t before = world->count;
    run_until(world, before + 6);
    for (size_t i = before; i < world->count; i++) {
        had[world->seen[i].index] = true;
    }
    assert_true(had[0] && had[1]);
    assert_int_equal(script.opens, 3);
    assert_int_equal(script.closes, 1);
    scheduler_close(world->scheduler, on_closed, world);
    world->scheduler = NULL;
    uv_run(&world->loop, UV_RUN_DEFAULT);
}

TEST(a_removed_probe_is_silent)
{
    struct world *world = *state;
    script = (struct script){.answers_late = true, .late_ms = 15};
    apply(world, PROBES);
    run_until(world, 1);
    world->applied[0] = &world->confs[1];
    apply(world, 1);
    size_t before = world->count;
    run_until(world, before + 3);
    for (size_t i = before; i < world->count; i++) {
        assert_int_equal(world->seen[i].index, 0);
    }
    assert_true(script.closes >= 1);
}

TEST(nothing_can_be_applied_and_then_something_again)
{
    struct world *world = *state;
    apply(world, 2);
    run_until(world, 2);
    apply(world, 0);
    size_t before = world->count;
    uv_run(&world->loop, UV_RUN_DEFAULT); // nothing is left to wait for
    assert_int_equal(world->count, before);
    apply(world, 1);
    run_until(world, before + 1);
}

static void close_scheduler(struct world *world)
{
    scheduler_close(world->scheduler, on_closed, world);
    world->scheduler = NULL;
}

TEST(the_scheduler_can_be_closed_from_a_verdict)
{
    struct world *world = *state;
    world->then = close_scheduler;
    apply(world, PROBES);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(world->count, 1);
    assert_true(world->closed);
}

TEST(a_check_in_progress_is_dropped_by_close)
{
    struct world *world = *state;
    script.answers = false;
    apply(world, 1);
    while (script.starts == 0) {
        uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    close_scheduler(world);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(script.cancels, 1);
    assert_int_equal(world->count, 0);
}
