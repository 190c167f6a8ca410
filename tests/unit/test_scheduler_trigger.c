// The scheduler: what a trigger, the kernel's word that something happened, makes of the next
// checks.
#include "tests/unit/scheduler_fixture.h"

TEST_FIXTURE(set_up, tear_down);

TEST(a_trigger_checks_at_once)
{
    struct world *world = *state;
    world->confs[0].interval_ms = 3600000;
    apply(world, 1);
    run_until(world, 1);
    probe_trigger(last_probe);
    run_until(world, 2);
    assert_false(world->seen[1].verdict.definitive);
}

// What it asked may have died with the server.
// Each check holds the loop for longer than a turn has for beginning them.
TEST(checks_that_are_wanted_at_once_begin_one_after_the_other)
{
    struct world *world = *state;
    for (size_t i = 0; i < PROBES; i++) {
        world->confs[i].interval_ms = 3600000;
        world->confs[i].fast_interval_ms = 10;
    }
    apply(world, PROBES);
    for (size_t i = 0; i < PROBES; i++) {
        scheduler_set_fast(world->scheduler, i, true);
    }
    while (script.starts < PROBES) {
        uv_run(&world->loop, UV_RUN_ONCE);
    }
    for (size_t i = 0; i < PROBES; i++) {
        scheduler_set_fast(world->scheduler, i, false);
    }
    script.busy_ms = 12;
    unsigned before = script.starts;
    for (size_t i = 0; i < PROBES; i++) {
        probe_trigger(opened[i]);
    }
    assert_int_equal(script.starts, before);
    for (unsigned turn = 0, last = before; script.starts < before + PROBES; turn++) {
        uv_run(&world->loop, UV_RUN_NOWAIT);
        assert_true(script.starts <= last + 1);
        last = script.starts;
    }
}

TEST(a_trigger_during_a_check_begins_it_anew)
{
    struct world *world = *state;
    script = (struct script){.answers_late = true, .late_ms = 20, .triggers_in_check = true};
    world->confs[0].interval_ms = 3600000;
    apply(world, 1);
    run_until(world, 1);
    assert_int_equal(script.starts, 2);
    assert_int_equal(script.cancels, 1);
}

TEST(a_trigger_in_a_check_that_ends_at_once_makes_one_more_after_it)
{
    struct world *world = *state;
    script.triggers_in_check = true;
    world->confs[0].interval_ms = 3600000;
    apply(world, 1);
    run_until(world, 2);
    assert_int_equal(script.starts, 2);
    assert_int_equal(script.cancels, 0);
}

TEST(a_check_is_not_begun_anew_for_ever)
{
    struct world *world = *state;
    world->confs[0].interval_ms = 3600000;
    apply(world, 1);
    run_until(world, 1);
    script = (struct script){.answers = false};
    for (int i = 0; i < 20; i++) {
        probe_trigger(last_probe);
        uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(script.starts, 1 + 8);
    assert_int_equal(world->count, 1);
}

TEST(triggers_without_end_are_not_checks_without_end)
{
    enum { MANY = 1000, FEW = 100 };
    struct world *world = *state;
    world->confs[0].interval_ms = 3600000;
    apply(world, 1);
    run_until(world, 1);
    world->count = 0;
    for (int i = 0; i < MANY; i++) {
        probe_trigger(last_probe);
        uv_run(&world->loop, UV_RUN_NOWAIT);
        world->count = 0; // there is no room for all
    }
    assert_in_range(script.starts, 1 + 2, FEW);
    own_clock_pass_ns(NS_PER_S);
    unsigned before = script.starts;
    probe_trigger(last_probe);
    run_until(world, 1);
    assert_int_equal(script.starts, before + 1);
}

// A probe that is checked once an hour, and was triggered: all checks but the first are the
// trigger's.
static void trigger_hourly(struct world *world, const char *fail_code)
{
    world->confs[0].interval_ms = world->confs[0].fast_interval_ms = 3600000;
    apply(world, 1);
    run_until(world, 1);
    script.fail_code = fail_code;
    probe_trigger(last_probe);
}

// The next check is the interval's: nothing will come before.
static void assert_hour_to_wait(struct world *world)
{
    assert_true(uv_backend_timeout(&world->loop) > 3600000 / 2);
}

TEST(after_a_trigger_failing_checks_follow_in_short_order)
{
    struct world *world = *state;
    trigger_hourly(world, "closed");
    run_until(world, 3);
    assert_false(world->seen[1].verdict.definitive);
    assert_false(world->seen[2].verdict.definitive);
    script.fail_code = "refused";
    size_t before = world->count;
    run_until(world, before + 1);
    assert_true(world->seen[before].verdict.definitive);
    assert_int_equal(world->count, before + 1);
    assert_hour_to_wait(world);
}

TEST(after_a_trigger_six_failing_checks_are_enough)
{
    struct world *world = *state;
    trigger_hourly(world, "closed");
    run_until(world, 1 + 5);
    assert_true(uv_backend_timeout(&world->loop) < 3600000 / 2);
    run_until(world, 1 + 6);
    assert_hour_to_wait(world);
    assert_int_equal(script.starts, 1 + 6);
    // The hour's own check is as any other again.
    script.fail_code = "refused";
    world->confs[0].fast_interval_ms = 10;
    scheduler_set_fast(world->scheduler, 0, true);
    run_until(world, 1 + 7);
    assert_false(world->seen[7].verdict.definitive);
}

TEST(checks_after_a_trigger_do_not_overlap)
{
    struct world *world = *state;
    trigger_hourly(world, "closed"); // script_start() asserts it
    script.answers = false;
    script.answers_late = true;
    script.late_ms = 20; // longer than any pause between them
    run_until(world, 1 + 6);
    assert_int_equal(script.starts, 1 + 6);
    assert_int_equal(script.cancels, 0);
    assert_hour_to_wait(world);
}

TEST(after_a_trigger_one_passing_check_is_enough)
{
    struct world *world = *state;
    world->confs[0].interval_ms = world->confs[0].fast_interval_ms = 3600000;
    apply(world, 1);
    run_until(world, 1);
    probe_trigger(last_probe);
    run_until(world, 2);
    script.fail_code = "refused";
    world->confs[0].fast_interval_ms = 10;
    scheduler_set_fast(world->scheduler, 0, true);
    run_until(world, 3);
    assert_false(world->seen[2].verdict.definitive);
}

TEST(a_refusal_after_a_trigger_is_definitive)
{
    struct world *world = *state;
    script.fail_code = "refused";
    world->confs[0].interval_ms = 3600000;
    apply(world, 1);
    run_until(world, 1);
    assert_false(world->seen[0].verdict.definitive);
    probe_trigger(last_probe);
    run_until(world, 2);
    assert_true(world->seen[1].verdict.definitive);
}
